"""The navigation is read from the lists of `index.md`, which GitHub shows as they are: a heading, and a link for each page."""

import re

from sphinx.application import Sphinx

_HEADING = re.compile(r"^## (.+)$")
_ENTRY = re.compile(r"^\* \[(.+?)\]\(([\w/-]+)\.md\)")


def sections(text: str) -> dict[str, list[tuple[str, str]]]:
    """For each heading the pages below it: what the link says, and the page."""
    found: dict[str, list[tuple[str, str]]] = {}
    under: list[tuple[str, str]] | None = None
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            under = found.setdefault(heading[1], [])
        elif under is not None and (entry := _ENTRY.match(line)):
            under.append((entry[1], entry[2]))
    return found


def _add(app: Sphinx, page: str, source: list[str]) -> None:
    if page != app.config.root_doc:
        return
    for heading, entries in sections(source[0]).items():
        lines = [f"{title.replace('`', '')} <{target}>" for title, target in entries]
        source[0] += "\n".join(["\n\n```{toctree}", ":hidden:", f":caption: {heading}", "", *lines, "```\n"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
