"""The navigation is read from the lists of the first page, the reference's and the Chinese one, and from the table of the
frameworks, which GitHub shows as they are: below a heading a link for each page."""

import re

from sphinx.application import Sphinx

_HEADING = re.compile(r"^## (.+)$")
_PAGES = ("index", "reference/index", "frameworks/index", "zh/index")
_ENTRY = re.compile(r"^\* \[(.+?)\]\(([\w/-]+)\.md\)")
_ROW = re.compile(r"^\| \[(.+?)\]\(([\w/-]+)\.md\)")


def sections(text: str) -> dict[str, list[tuple[str, str]]]:
    """For each heading, "" before the first, the pages below it: what the link says, and the page."""
    found: dict[str, list[tuple[str, str]]] = {"": []}
    under = found[""]
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            under = found.setdefault(heading[1], [])
        elif entry := _ENTRY.match(line):
            under.append((entry[1], entry[2]))
        elif (row := _ROW.match(line)) and row[2] not in {page for _, page in under}:
            under.append((row[1], row[2]))
    return {heading: entries for heading, entries in found.items() if entries}


def _add(app: Sphinx, page: str, source: list[str]) -> None:
    if page not in _PAGES:
        return
    for heading, entries in sections(source[0]).items():
        lines = [f"{title.replace('`', '')} <{target}>" for title, target in entries]
        caption = [f":caption: {heading}"] * bool(heading)
        source[0] += "\n".join(["\n\n```{toctree}", ":hidden:", *caption, "", *lines, "```\n"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
