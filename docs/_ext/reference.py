"""The reference: what a page of `docs/reference` names in an ```{objects}``` block is shown from its docstring and signature.

A line is the name of an object, `preheat.ramp`, or a room, `preheat.torch.*`: all public names of it that no other line says.
"""

import ast
import importlib
import inspect
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ForwardRef, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "torch")  # the one that is here anyway

from docstrings import Described, described, inline, paragraphs, passed
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

from preheat.core.extras import MissingError

PAGES = Path(__file__).parent.parent / "reference"
_ABSENT = ["axolotl", "spmd_types", "torchtitan", "tyro"]  # too large to be installed for their signatures alone
_BLOCK = re.compile(r"^```\{objects\}\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"\b(?:\w+\.)+(?=\w)")


class Item(NamedTuple):
    """A public object: its name as it is imported, and what it is."""

    name: str
    value: Any

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def own(self) -> bool:
        """Whether it is written in preheat, and not a torch class or the like."""
        return (getattr(self.value, "__module__", None) or "preheat").startswith("preheat")


def found(name: str) -> Item:
    """The object of that name."""
    room, _, last = name.rpartition(".")
    return Item(name, getattr(room_of(room), last))


@cache
def room_of(name: str) -> Any:
    """A module, also where the library that it is for is not installed."""
    try:
        return importlib.import_module(name)
    except MissingError:
        with mock(_ABSENT):
            return importlib.import_module(name)


@cache
def said() -> dict[str, tuple[str, ...]]:
    """For each page of the reference the lines of its blocks."""
    pages = re.findall(r"\((\w+)\.md\)", (PAGES / "index.md").read_text())
    return {page: tuple(" ".join(_BLOCK.findall((PAGES / f"{page}.md").read_text())).split()) for page in pages}


@cache
def items(line: str) -> tuple[Item, ...]:
    """What a line of a block shows."""
    if not line.endswith(".*"):
        return (found(line),)
    elsewhere: set[int] = set()
    for other in (one for lines in said().values() for one in lines):
        if other == line:
            break
        elsewhere |= {id(item.value) for item in items(other)}
    lines = [one for lines in said().values() for one in lines if not one.endswith(".*")]
    elsewhere |= {id(found(one).value) for one in lines}
    room = line.removesuffix(".*")
    every = [found(f"{room}.{name}") for name in getattr(room_of(room), "__all__", ())]
    return tuple(item for item in every if id(item.value) not in elsewhere)


@cache
def known() -> dict[str, str]:
    """Names as sentences say them, to names as they are imported."""
    names: dict[str, str] = {}
    for item in (item for lines in said().values() for line in lines for item in items(line)):
        for name in (item.short, item.name.removeprefix("preheat."), item.name):
            names.setdefault(name, item.name)
        for member, _ in members(item.value):
            names.setdefault(f"{item.short}.{member}", f"{item.name}.{member}")
    return names


def members(value: Any) -> list[tuple[str, Any]]:
    """The public methods and properties of a class that say what they are for, its bases' where these are not public."""
    if not inspect.isclass(value):
        return []
    public = {id(item.value) for item in _classes() if item.value is not value}
    kept: dict[str, Any] = {}
    for base in value.__mro__:
        if id(base) in public or not base.__module__.startswith("preheat"):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") or name in kept or not _is_told(member) or _is_hook(value, name):
                continue
            kept[name] = member
    return sorted(kept.items())


@cache
def _classes() -> tuple[Item, ...]:
    lines = [line for lines in said().values() for line in lines]
    return tuple(item for line in lines for item in items(line) if inspect.isclass(item.value))


def _is_hook(value: type, name: str) -> bool:
    """Whether a framework calls it, and nobody else: what overrides a part of its trainer, callback or plugin."""
    foreign = [base for base in value.__mro__[:-1] if not base.__module__.startswith(("preheat", "torch.", "builtins"))]
    return any(name in vars(base) for base in foreign)


def _is_told(member: Any) -> bool:
    function = getattr(member, "__func__", None) or getattr(member, "fget", None) or getattr(member, "func", member)
    return inspect.isroutine(function) and bool(function.__doc__)


def parameters(value: Any) -> dict[str, inspect.Parameter]:
    """What is passed to an object, by name; of a class what makes one."""
    if hasattr(value, "__sphinx_mock__") and "__init__" not in vars(value):
        return {}  # a framework makes it
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return {}
    return {name: one for name, one in signature.parameters.items() if name not in ("self", "cls")}


def types(value: Any) -> dict[str, str]:
    """What may be passed for each parameter, in the words of its annotation."""
    kinds = {name: _words(one.annotation) for name, one in parameters(value).items()}
    if inspect.isclass(value):  # what it holds is described like what makes it
        held = {name: _words(kind) for name, kind in getattr(value, "__annotations__", {}).items()}
        return dict.fromkeys((name for name, _ in members(value)), "") | held | kinds
    return kinds


def _words(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _PATH.sub("", text).replace("'", "") if "Literal" not in text else _PATH.sub("", text)


def call(value: Any) -> str:
    """A signature: what is passed, with its default; types stand below."""
    texts: list[str] = []
    star = False
    for one in parameters(value).values():
        if one.kind is one.KEYWORD_ONLY and not star:
            texts.append("*")
        star = star or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        prefix = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        texts.append(f"{prefix}{one.name}" + ("" if one.default is one.empty else f"={_default(one.default)}"))
    return f"({', '.join(texts)})"


def _default(value: Any) -> str:
    text = repr(value)
    try:
        ast.parse(text)
    except SyntaxError:
        return "..."  # something that only says that nothing was passed
    return text if len(text) < 60 else "..."


def returned(value: Any) -> str:
    """What comes back, for functions."""
    if inspect.isclass(value):
        return ""
    try:
        annotation = inspect.signature(value).return_annotation
    except (TypeError, ValueError):
        return ""
    words = _words(annotation)
    return "" if words in ("", "None") else words


class Objects(SphinxDirective):
    """The objects that its lines name."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        shown = [item for line in self.content for item in items(line.strip())]
        text = "\n\n".join(_block(item) for item in shown)
        holder = nodes.container()
        self.state.nested_parse(
            StringList(text.splitlines(), source=str(self.env.doc2path(self.env.docname))), 0, holder
        )
        return holder.children


def _block(item: Item) -> str:
    """An object as a directive of the Python domain, its members inside."""
    value = item.value
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        inner = [_member(item, name, member) for name, member in members(value)]
    elif callable(value) and not hasattr(value, "_is_table"):
        kind, inner = "function", []
    else:
        return _fenced(4, "data", item.name, item.name, [])
    return _fenced(5, kind, f"{item.name}{call(value)}{_arrow(value)}", item.name, inner)


def _member(item: Item, name: str, member: Any) -> str:
    whole = f"{item.name}.{name}"
    if isinstance(member, property) or hasattr(member, "func"):
        return _fenced(4, "property", whole, whole, [])
    function = getattr(member, "__func__", member)
    kind = {classmethod: "classmethod", staticmethod: "staticmethod"}.get(type(member), "method")
    return _fenced(4, kind, f"{whole}{call(function)}{_arrow(function)}", whole, [])


def _arrow(value: Any) -> str:
    back = returned(value)
    if not re.fullmatch(r"[\w\[\], |.]+", back):
        return ""
    return f" -> {re.sub(r'[A-Z][A-Za-z]+', lambda word: known().get(word[0], word[0]), back)}"


def _fenced(ticks: int, kind: str, signature: str, name: str, inner: list[str]) -> str:
    fence = "`" * ticks
    body = [f"```{{told}} {name}", "```", *inner]
    return "\n".join([f"{fence}{{py:{kind}}} {signature}", *body, fence])


class Told(SphinxDirective):
    """What the docstring of an object says."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        value, own = resolved(self.arguments[0])
        if isinstance(value, dict) and all(isinstance(what, str) for what in value.values()):
            return [meanings(value)]
        kinds = {} if own is None else types(own)
        shown = described(documentation(self.arguments[0], value), kinds, known())
        return [*shown, *_others(self.arguments[0], value, kinds)]


def _others(name: str, value: Any, kinds: Mapping[str, str]) -> list[nodes.Node]:
    """What the docstring leaves to another one, which it is as in, or to the name of the parameter."""
    told = {one: whose for one in untold(value) if (whose := teller(name, value, one))}
    bare = [one for one in untold(value) if one not in told and kinds.get(one)]
    entries = [Described((one,), f"as in `{whose}`.") for one, whose in told.items()]
    entries += [Described((one,), "") for one in bare]
    return [passed(tuple(entries), kinds, known())] if entries else []


def untold(value: Any) -> list[str]:
    """The parameters that a docstring does not speak of."""
    doc = inspect.getdoc(value) or ""
    return [name for name in parameters(value) if not re.search(rf"\b{re.escape(name)}\b", doc)]


def teller(name: str, value: Any, parameter: str) -> str:
    """The public object that says what a parameter of this name is: a base of it, one of its room, or the torch Scheduler."""
    room = name.rpartition(".")[0]
    near = [item for lines in said().values() for line in lines for item in items(line)]
    bases = getattr(value, "__mro__", ())[1:]
    ranked = [item for item in near if item.value in bases]
    ranked += [item for item in near if item.name.rpartition(".")[0] == room and item.value is not value]
    ranked += [item for item in near if item.name == "preheat.torch.Scheduler"]
    return next((item.short for item in ranked if parameter in _entries(item.value)), "")


def _entries(value: Any) -> frozenset[str]:
    """What a docstring describes in an entry of its own."""
    if not callable(value):
        return frozenset()
    parts = paragraphs(inspect.getdoc(value) or "", frozenset(parameters(value)))
    return frozenset(name for part in parts for entry in part.passed for name in entry.names)


def resolved(name: str) -> tuple[Any, Any]:
    """An object or a member, and what its parameters are those of."""
    try:
        value = found(name).value
    except (ImportError, AttributeError):
        whole, _, last = name.rpartition(".")
        value = dict(members(found(whole).value))[last]
        value = getattr(value, "__func__", None) or getattr(value, "fget", None) or getattr(value, "func", value)
    return value, value if callable(value) else None


def documentation(name: str, value: Any) -> str:
    """The docstring, of a constant the text that follows it in its module, else that of its kind."""
    if inspect.isclass(value) or inspect.isroutine(value):
        return inspect.getdoc(value) or ""
    room, _, last = name.rpartition(".")
    after = ModuleAnalyzer.for_module(room_of(room).__name__).find_attr_docs().get(("", last))
    if after or type(value).__module__ == "builtins":
        return "\n".join(after or ())
    return inspect.getdoc(type(value)) or ""


def meanings(told: Mapping[str, str]) -> nodes.definition_list:
    """Names and what they mean."""
    found = nodes.definition_list(classes=["passed"])
    for name, what in told.items():
        meaning = nodes.definition("", nodes.paragraph("", "", *inline(what, known())))
        found += nodes.definition_list_item("", nodes.term("", "", nodes.literal("", name)), meaning)
    return found


class Room(SphinxDirective):
    """What a module says of itself."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return described(inspect.getdoc(room_of(self.arguments[0])) or "", {}, known())


def sections(directive: SphinxDirective, entries: Iterator[tuple[str, list[nodes.Node]]]) -> list[nodes.Node]:
    """Titled parts, which the page's own table of contents shows."""
    made: list[nodes.Node] = []
    for title, content in entries:
        section = nodes.section("", nodes.title("", "", *inline(title, {})), *content)
        section["names"] = [nodes.fully_normalize_name(title.replace("`", ""))]
        directive.state.document.note_implicit_target(section, section)
        made.append(section)
    return made


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("objects", Objects)
    app.add_directive("told", Told)
    app.add_directive("room", Room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
