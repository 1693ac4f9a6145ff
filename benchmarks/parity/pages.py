"""Pages with parts that a command writes: between `<!-- NAME: written by … -->` and `<!-- end of NAME -->`."""

from __future__ import annotations

import re
from pathlib import Path


def rewritten(page: Path, name: str, content: str) -> None:
    """Put `content` between the marks of `name` on a page; raises SystemExit where it has none."""
    text = page.read_text(encoding="utf-8")
    found = re.sub(
        rf"(<!-- {name}: [^\n]*-->\n).*?(\n<!-- end of {name} -->)",
        lambda marks: marks[1] + content + marks[2],
        text,
        count=1,
        flags=re.DOTALL,
    )
    if found == text and content not in text:
        raise SystemExit(f"{page} has no part between <!-- {name}: … --> and <!-- end of {name} -->")
    page.write_text(found, encoding="utf-8")


def part(page: Path, name: str) -> str:
    """What stands between the marks."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}: [^\n]*-->\n(.*?)\n<!-- end of {name} -->", text, re.DOTALL)
    if found is None:
        raise SystemExit(f"{page} has no part of {name}")
    return found[1]
