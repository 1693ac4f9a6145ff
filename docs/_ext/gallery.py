"""The directive of docs/gallery.md: all cards as sections, so that each has its anchor and the search finds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from docutils import nodes
from gallery_cards import KINDS_SHOWN, Card, cards, drawn
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from preheat.plots.svg import rules

ASSETS = ("gallery.css", "gallery.js")
_DARK = 'body[data-theme="dark"]'
_AUTO = 'body:not([data-theme="light"]):not([data-theme="dark"])'
_CODE = re.compile(r"`([^`]+)`")


class Gallery(SphinxDirective):
    """Everything that can be made, drawn, under a heading for each kind."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """The sections; the page's own contents stop at the kinds, for hundred names are no contents."""
        self.env.metadata[self.env.docname]["tocdepth"] = 2
        self.env.note_dependency(__file__)
        found: list[nodes.Node] = [_raw(_style())]
        for kind, group in groupby(cards(), key=lambda card: card.kind):
            section = nodes.section(ids=[kind], names=[kind], classes=["gallery-kind"])
            section += nodes.title("", KINDS_SHOWN[kind])
            section += [_section(card) for card in group]
            found.append(section)
        return found


def _style() -> str:
    """The rules of the charts, by the theme's own setting of light and dark."""
    light, dark = rules()
    return f"<style>{light}{_DARK}{{{dark}}}@media(prefers-color-scheme:dark){{{_AUTO}{{{dark}}}}}</style>"


def _section(card: Card) -> nodes.section:
    """Name, pictures, what they show, the text that makes it, when to choose it, where it is from."""
    section = nodes.section(ids=[card.anchor], names=[card.anchor], classes=["gallery-card"])
    section += nodes.title("", "", nodes.literal("", card.name))
    for picture, course, remark in drawn(card):
        section += _raw(picture)
        section += nodes.paragraph("", " ".join(filter(None, (course, remark))), classes=["gallery-course"])
    section += nodes.paragraph("", "", nodes.literal("", card.text), classes=["gallery-text"])
    section += nodes.paragraph("", "", *_inline(card.says))
    if card.choose:
        section += nodes.paragraph("", "", *_inline(card.choose))
    if card.sources or card.defined:
        section += nodes.paragraph("", "", *_sources(card), classes=["gallery-source"])
    return section


def _raw(html: str) -> nodes.raw:
    return nodes.raw("", html, format="html")


def _inline(text: str) -> Iterator[nodes.Node]:
    """Text in which backquotes hold code."""
    for place, piece in enumerate(_CODE.split(text)):
        if piece:
            yield nodes.literal("", piece) if place % 2 else nodes.Text(piece)


def _sources(card: Card) -> Iterator[nodes.Node]:
    """Where the reference has it, then the sources: papers of a docstring are apart, pieces of a preset's source are not."""
    between = "" if card.kind == "preset" else "; "
    if card.defined:
        yield addnodes.pending_xref(
            "", nodes.inline("", "Reference"), refdomain="py", reftype="obj", reftarget=card.defined, refexplicit=True
        )
        yield nodes.Text(between if card.sources else "")
    for place, (said, address) in enumerate(card.sources):
        if place and between:
            yield nodes.Text(between)
        yield nodes.reference("", said, refuri=address) if address else nodes.Text(said)


def _with_anchors(app: Sphinx, tree: nodes.document) -> None:
    """Make the anchors known to links in Markdown: `gallery.md#preset-gpt3`."""
    slugs = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for section in tree.findall(nodes.section):
        if {"gallery-card", "gallery-kind"} & set(section["classes"]):
            anchor = section["ids"][0]
            slugs[anchor] = (section.line or 0, anchor, section.next_node(nodes.title).astext())


def _with_assets(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None) -> None:
    """The page's own script and style, on no other page."""
    if tree is not None and any("gallery-kind" in section["classes"] for section in tree.findall(nodes.section)):
        app.add_css_file(ASSETS[0])
        app.add_js_file(ASSETS[1], loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("gallery", Gallery)
    app.connect("doctree-read", _with_anchors)
    app.connect("html-page-context", _with_assets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
