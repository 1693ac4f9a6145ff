"""A docstring as pages show it. They are plain text of one form: sentences; indented formulas and code; `name: what` for what
is passed, several on a line three spaces apart; "Raises …"; examples after ">>>"; and at the end who published it."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from docutils import nodes
from formulas import formulas
from sphinx import addnodes

_INLINE = re.compile(r"`([^`]+)`|\barXiv:(\d{4}\.\d{4,5})|(https?://[^\s,;)]+[^\s,;).])")
_ENTRY = re.compile(r"((?:\w+, )*\w+): ")
_AUTHOR = r"[A-Z][\w’'-]+(?: (?:&|and) [A-Z][\w’'-]+| et al\.)?"
_SOURCE = re.compile(rf"(?:^|(?<=[.)] )){_AUTHOR} \d{{4}}, arXiv:.*$", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w.]*")


class Described(NamedTuple):
    """What is passed, as a docstring tells it: the names that are described together, and what is said of them."""

    names: tuple[str, ...]
    what: str


class Paragraph(NamedTuple):
    """A part of a docstring. kind: text, formula, code, example, passed, raises or source."""

    kind: str
    text: str = ""
    passed: tuple[Described, ...] = ()


def paragraphs(doc: str, parameters: frozenset[str] = frozenset()) -> Iterator[Paragraph]:
    """The parts of a docstring; parameters: the names of what is passed."""
    for block in _blocks(doc):
        lines = block.splitlines()
        if lines[0].startswith(">>> "):
            yield Paragraph("example", block)
        elif all(line.startswith("    ") or not line for line in lines):
            dedented = "\n".join(line[4:] for line in lines)
            yield Paragraph("formula" if formulas(dedented) else "code", dedented)
        else:
            yield from _prose(lines, parameters)


def _blocks(doc: str) -> Iterator[str]:
    """What empty lines part; code that has empty lines in it stays one."""
    blocks = [block for block in re.split(r"\n\s*\n", doc.strip("\n")) if block.strip()]
    held = ""
    for block in blocks:
        if held and block.startswith("    "):
            held += "\n\n" + block
            continue
        if held:
            yield held
        held = block if block.startswith("    ") and not formulas(block) else ""
        if not held:
            yield block
    if held:
        yield held


def _prose(lines: list[str], parameters: frozenset[str]) -> Iterator[Paragraph]:
    """Sentences, then what is passed, then what is raised, and the source."""
    text: list[str] = []
    passed: list[Described] = []
    raises: list[str] = []
    for line in lines:
        for piece in re.split(r" {3,}", line.strip()):
            entry = _ENTRY.match(piece)
            names = tuple(entry[1].split(", ")) if entry else ()
            if names and parameters.issuperset(names) and not raises:
                passed.append(Described(names, piece[entry.end() :]))
            elif raises or piece.startswith("Raises "):
                raises.append(piece)
            elif passed:
                passed[-1] = Described(passed[-1].names, f"{passed[-1].what} {piece}")
            else:
                text.append(piece)
    told, source = _parted(" ".join(raises or text))
    said = " ".join(text) if raises else told
    if said:
        yield Paragraph("text", said)
    if passed:
        yield Paragraph("passed", passed=tuple(passed))
    if raises:
        yield Paragraph("raises", told.removeprefix("Raises "))
    if source:
        yield Paragraph("source", source)


def _parted(text: str) -> tuple[str, str]:
    """What is said, and whom it is from."""
    found = _SOURCE.search(text)
    return (text[: found.start()].strip(), found[0]) if found else (text, "")


def described(doc: str, types: Mapping[str, str], known: Mapping[str, str]) -> list[nodes.Node]:
    """The nodes of a docstring. types: of each thing that is passed; known: names that have a place in the reference."""
    return [node for one in paragraphs(doc, frozenset(types)) for node in _nodes(one, types, known)]


def _nodes(one: Paragraph, types: Mapping[str, str], known: Mapping[str, str]) -> list[nodes.Node]:
    match one.kind:
        case "example":
            return [_code(one.text, "pycon")]
        case "code":
            return [_code(one.text, "none")]
        case "formula":
            html = "".join(f'<div class="formula">{line}</div>' for line in formulas(one.text) or ())
            return [nodes.raw("", html, format="html")]
        case "passed":
            return [passed(one.passed, types, known)]
        case "raises" | "source":
            title = "Raises" if one.kind == "raises" else "Source"
            return [nodes.paragraph("", "", nodes.strong("", title), nodes.Text(" "), *inline(one.text, known))]
    return [nodes.paragraph("", "", *inline(one.text, known))]


def _code(text: str, language: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language=language)


def passed(entries: tuple[Described, ...], types: Mapping[str, str], known: Mapping[str, str]) -> nodes.definition_list:
    found = nodes.definition_list(classes=["passed"])
    for entry in entries:
        term = nodes.term()
        kinds = list(dict.fromkeys(types[name] for name in entry.names))
        for at, name in enumerate(entry.names):
            term += [nodes.Text(", ")] * bool(at) + [nodes.literal("", name)]
            if len(kinds) > 1 and types[name]:
                term += nodes.inline("", f" {types[name]}", classes=["kind"])
        if len(kinds) == 1 and kinds[0]:
            term += nodes.inline("", f" {kinds[0]}", classes=["kind"])
        what = [nodes.paragraph("", "", *inline(entry.what, known))] if entry.what else []
        found += nodes.definition_list_item("", term, nodes.definition("", *what))
    return found


def inline(text: str, known: Mapping[str, str]) -> Iterator[nodes.Node]:
    """A sentence: names in backquotes as code, linked where the reference has them; papers and pages as links."""
    at = 0
    for found in _INLINE.finditer(text):
        if found.start() > at:
            yield nodes.Text(text[at : found.start()])
        code, paper, page = found.groups()
        if code is not None:
            yield _named(code, known)
        else:
            address = f"https://arxiv.org/abs/{paper}" if paper else page
            yield nodes.reference("", found[0], refuri=address)
        at = found.end()
    if at < len(text):
        yield nodes.Text(text[at:])


def _named(code: str, known: Mapping[str, str]) -> nodes.Node:
    literal = nodes.literal("", code)
    name = _NAME.match(code)
    target = known.get(name[0].removeprefix("ph.").removeprefix("preheat.")) if name else None
    if target is None:
        return literal
    return addnodes.pending_xref("", literal, refdomain="py", reftype="obj", reftarget=target, refexplicit=True)
