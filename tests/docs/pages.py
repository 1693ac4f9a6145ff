"""What the pages show: their blocks and commands, found in one way, and run in one way."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from preheat.cli import main
from preheat.core.errors import PreheatError, PreheatWarning

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*.py"))]
    if not {"_build", "node_modules"} & set(path.parts)
}
_FENCE = re.compile(r"^([ ]*)(```+|:::+)([^\n`]*)\n(.*?)^\1\2[ ]*$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: ([^>]+) -->\s*\Z")
_GIVEN = re.compile(r"<!-- given:\n(.*?)-->\s*\Z", re.DOTALL)
_COMMAND = re.compile(r"^ {4,}(?:\$ )?(preheat [^\n]+)", re.MULTILINE)
_SAID = re.compile(r"(?:Preheat|Parse|Bind|State|Missing)(?:Error|Warning): ")  # how an error or a warning begins
_TYPED = re.compile(r"^(?:\$ )?(preheat [^\n]+)", re.MULTILINE)


class _Terminal(io.StringIO):
    """What is printed on a terminal that knows every sign."""

    encoding = "utf-8"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    kind: the first word after the fence.   more: what follows it.
    why_not: why it is not run, where the page says so by `<!-- not run: reason -->` before it.
    given: what a piece of a script of one's own stands on; the page holds it in a comment before it, `<!-- given: … -->`.
    command: the last command that is shown between the block before and this one.
    """

    page: str
    line: int
    kind: str
    more: str
    text: str
    why_not: str
    given: str
    command: str


def read(page: str) -> str:
    """A page's text."""
    return PAGES[page].read_text(encoding="utf-8")


def figure(name: str) -> str:
    """A picture of docs/figures as its script drew it."""
    return (ROOT / "docs" / "figures" / f"{name}.svg").read_text(encoding="utf-8").removesuffix("\n")


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text, found, end = read(page), [], 0
    for match in _FENCE.finditer(text):
        between = text[end : match.start()]
        kind, _, more = match[3].strip().partition(" ")
        marked, typed = _NOT_RUN.search(between), _COMMAND.findall(joined(between))
        own = re.sub(rf"^{match[1]}", "", match[4], flags=re.MULTILINE)
        line = text.count("\n", 0, match.start()) + 2
        given = stated[1] if (stated := _GIVEN.search(between)) else ""
        why_not, command = marked[1] if marked else "", typed[-1] if typed else ""
        found.append(Block(page, line, kind.strip("{}"), more, own, why_not, given, command))
        end = match.end()
    return found


def commands(page: str) -> Iterator[str]:
    """Every line on a page that tells its reader to type `preheat …`."""
    yield from _COMMAND.findall(joined(_FENCE.sub("", read(page))))
    for block in blocks(page):
        if block.kind in ("console", "bash", "shell", "sh"):
            yield from _TYPED.findall(joined(block.text))


def joined(text: str) -> str:
    """Lines that end in a backslash, with the next."""
    return re.sub(r"\\+\n\s*", " ", text)


def tokens(command: str) -> list[str]:
    """A command as a shell splits it, without its comment, and without what it is redirected to."""
    words = shlex.split(command, comments=True)
    return words[1 : next((i for i, word in enumerate(words) if word in ("|", ">", "&&")), len(words))]


def is_refusal(text: str) -> bool:
    """Whether a block of text shows an error or a warning of preheat."""
    return _SAID.match(text) is not None


def run(page: str, folder: Path) -> None:
    """Run a page in a folder, from top to bottom, as one script.

    A block of text is what was printed since the last one; an error or a warning by its class, as Python shows it; or what the
    command right above it prints.
    """
    module, printed, found = ModuleType("page"), _Terminal(), blocks(page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "page", module)  # a dataclass looks for its module
        patch.chdir(folder)
        patch.setenv("COLUMNS", "80")
        for block, after in zip(found, [*found[1:], None], strict=True):
            if block.why_not:
                continue
            if block.kind == "python":
                fails = after is not None and not after.command and is_refusal(after.text)
                _execute(block, vars(module), printed, fails)
            elif block.kind == "text":
                if block.command:
                    printed = _Terminal()
                    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                        main(tokens(block.command))
                if (said := printed.getvalue()) != block.text:
                    pytest.fail(f"{page}, line {block.line}, does not show what is printed:\n{said}")
                printed = _Terminal()


def _execute(block: Block, scope: dict[str, object], printed: io.StringIO, fails: bool) -> None:
    """Run a block; where the page shows that it fails or warns, print that."""
    code = compile("\n" * (block.line - 1) + block.text, block.page, "exec")
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(record=fails) as heard:
        if fails:
            warnings.simplefilter("always", PreheatWarning)
        try:
            exec(block.given, scope)
            exec(code, scope)
        except PreheatError as error:
            if not fails:
                raise
            print(f"{type(error).__name__}: {error}")
        for one in heard or ():
            if issubclass(one.category, PreheatWarning):
                print(f"{one.category.__name__}: {one.message}")
