"""The list of messages as a page shows it: sections by what one was doing, and a field that finds a message by a part of it."""

from __future__ import annotations

import re
from itertools import groupby

from docutils import nodes
from errors import Entry, entries
from sphinx.util.docutils import SphinxDirective

_FIELD = """
<p class="preheat-find"><input id="preheat-find" type="search" placeholder="type or paste a part of the message"
aria-label="a part of the message" autocomplete="off"> <output id="preheat-found"></output></p>
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
.preheat-hidden{display:none}
</style>
"""
_SCRIPT = """
<script>
(function () {
  var field = document.getElementById("preheat-find"), found = document.getElementById("preheat-found");
  var items = Array.from(document.querySelectorAll("ul.preheat-messages > li")).map(function (item) {
    var text = item.querySelector(".message").textContent.toLowerCase();
    return {item: item, text: item.textContent.toLowerCase(), pieces: text.split(/‹[^›]*›/).map(function (piece) {
      return piece.trim(); }).filter(function (piece) { return piece.length > 11; })};
  });
  function look() {
    var asked = field.value.trim().toLowerCase(), shown = 0;
    items.forEach(function (one) {
      var fits = !asked || one.text.includes(asked) ||
        (one.pieces.length > 0 && one.pieces.every(function (piece) { return asked.includes(piece); }));
      one.item.classList.toggle("preheat-hidden", !fits);
      shown += fits;
    });
    document.querySelectorAll("section:has(> ul.preheat-messages)").forEach(function (section) {
      section.classList.toggle("preheat-hidden", !section.querySelector("li:not(.preheat-hidden)"));
    });
    found.textContent = shown + (shown === 1 ? " message" : " messages");
  }
  field.addEventListener("input", look);
  look();
})();
</script>
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
        return [*made, nodes.raw("", _SCRIPT, format="html")]


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
