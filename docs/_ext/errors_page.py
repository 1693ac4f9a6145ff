"""The list of messages as a page shows it: by what one was doing, and with a field that finds a message by any part of it."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from docutils import nodes
from errors import Entry, entries
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_FIELD = """
<p class="preheat-find"><input id="preheat-find" type="search" placeholder="type or paste a part of the message"
aria-label="a part of the message" autocomplete="off"> <output id="preheat-found" role="status"></output></p>
<style>
.preheat-find input{width:min(100%,38rem);padding:.5rem .7rem;font:inherit;color:inherit;
background:var(--color-background-secondary);
border:1px solid var(--color-background-border);border-radius:.3rem}
.preheat-find output{display:block;margin-top:.3rem;color:var(--color-foreground-muted)}
.highlight-text pre{white-space:pre-wrap;overflow-wrap:anywhere}
ul.preheat-messages{list-style:none;padding-left:0}
ul.preheat-messages>li{margin:0 0 .8rem;overflow-wrap:anywhere}
ul.preheat-messages p{margin:0}
ul.preheat-messages .cure::before{content:"→ "}
ul.preheat-messages .room{font-size:.8em;color:var(--color-foreground-muted)}
</style>
<ul class="preheat-messages" id="preheat-hits"></ul>
"""


class ErrorsDirective(SphinxDirective):
    """`{errors}`: the field, and all messages."""

    def run(self) -> list[nodes.Node]:
        made: list[nodes.Node] = [nodes.raw("", _FIELD, format="html")]
        for doing, every in groupby(entries(), key=lambda entry: entry.doing):
            section = nodes.section(ids=[f"messages-{nodes.make_id(doing)}"])
            section += nodes.title("", doing)
            section += nodes.bullet_list("", *map(_item, every), classes=["preheat-messages"])
            made.append(section)
        return made


def _item(entry: Entry) -> nodes.list_item:
    item = nodes.list_item("", _words(entry.text, "message"))
    if entry.cure:
        item += _words(entry.cure, "cure")
    room = entry.place.removesuffix(".py").replace("/__init__", "").replace("/", ".")
    item += nodes.paragraph("", f"{entry.kind} · preheat.{room}", classes=["room"])
    return item


def _words(text: str, kind: str) -> nodes.paragraph:
    """A message, what stands in for others set off."""
    paragraph = nodes.paragraph("", "", classes=[kind])
    for part in re.split(r"(‹[^›]*›)", text):
        paragraph += nodes.emphasis("", part) if part.startswith("‹") else nodes.Text(part)
    return paragraph


def with_script(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None) -> None:
    """What the field does, on no other page."""
    if tree is not None and any("preheat-messages" in one["classes"] for one in tree.findall(nodes.bullet_list)):
        app.add_js_file("errors.js", loading_method="defer")
