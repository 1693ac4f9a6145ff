"""The command line: ```{commands}``` shows the help of every command, as the terminal prints it."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import NamedTuple

from docstrings import described
from docutils import nodes
from reference import meanings, sections
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from preheat.cli import main

_WIDE = "2000"  # columns: no sentence is broken into lines
_BOX = re.compile(r"^╭─ (.+?) ─*╮\n(.*?)^╰─*╯\n?", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^│ (\S.*?)(?:\s{2,}(.*?))?\s*│$", re.MULTILINE)
_OF_ALL = {"--help (-h)", "--version"}


class Help(NamedTuple):
    """What a command says of itself: its usage, its sentences, and its boxes, each with rows of a name and a meaning."""

    usage: str
    text: str
    boxes: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    @property
    def commands(self) -> list[str]:
        rows = [name for title, rows in self.boxes if title == "Commands" for name, _ in rows]
        return [name for name in rows if name not in _OF_ALL]


def help_of(command: tuple[str, ...]) -> Help:
    """The help of a command, read from what it prints."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _WIDE
    try:
        with redirect_stdout(io.StringIO()) as printed:
            main([*command, "--help"])
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    text = printed.getvalue()
    boxes = tuple(
        (title, tuple((name, what or "") for name, what in _ROW.findall(rows))) for title, rows in _BOX.findall(text)
    )
    usage, _, told = _BOX.sub("", text).partition("\n")
    return Help(usage.removeprefix("Usage: ").strip(), "\n".join(map(str.rstrip, told.splitlines())), boxes)


def every(command: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Help]]:
    """Every command, with those inside it."""
    told = help_of(command)
    yield command, told
    for name in told.commands:
        yield from every((*command, name))


class Commands(SphinxDirective):
    """The help of every command."""

    def run(self) -> list[nodes.Node]:
        shown = ((f"`{' '.join(('preheat', *command))}`", list(_shown(told))) for command, told in every())
        return sections(self, shown)


def _shown(told: Help) -> Iterator[nodes.Node]:
    yield nodes.literal_block(told.usage, told.usage, language="none")
    yield from described(told.text, {}, {})
    for title, rows in told.boxes:
        kept = {name: what for name, what in rows if name not in _OF_ALL}
        if kept:
            yield nodes.rubric("", title)
            yield meanings(kept)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
