"""Text as GitHub-flavoured Markdown takes it: whatever is in it, it stays text."""

import re
from collections.abc import Sequence
from html import escape

from preheat.lab.report.table import Rows


def marked_table(rows: Rows) -> str:
    """Rows, numbers to the right."""
    head, *body = [f"| {' | '.join(map(safe, row))} |" for row in rows]
    return "\n".join([head, f"| :-- |{' --: |' * (len(rows[0]) - 1)}", *body])


def pre(text: str, kind: str = "") -> str:
    """Lines as a block of code, between more backticks than they have."""
    fence = max("```", _fence(text), key=len)
    return f"{fence}{kind}\n{text}\n{fence}"


def folded(summary: str, parts: Sequence[str]) -> str:
    """Parts under a line that opens them."""
    return "\n\n".join([f"<details><summary>{safe(summary)}</summary>", *parts, "</details>"])


def safe(text: str) -> str:
    """Text that Markdown and HTML leave as it is, and that no `@name`, `#1` or address in it turns into a link."""
    marked = re.sub(r"([\\`*_{}\[\]|~$!]|^[-+#=](?!\d))", r"\\\1", escape(text.replace("\n", " "), quote=False))
    marked = re.sub(r"^(\d+)([.)])(?!\d)", r"\1\\\2", marked)
    return re.sub(r"@(?=\w)|#(?=\d)|www(?=\.)|:(?=//)", lambda found: f"{found[0]}\u200b", marked)


def code(text: str) -> str:
    """Text as code, between more backticks than it has."""
    fence, pad = _fence(text), " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _fence(text: str) -> str:
    """One backtick more than stand together in `text`."""
    return "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
