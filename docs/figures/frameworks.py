"""Puts README's table of frameworks into docs/frameworks/index.md: `python docs/figures/frameworks.py`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "frameworks" / "index.md"
HEAD = "| you use | you write |"
BEGIN, END = "<!-- table of docs/figures/frameworks.py, from README.md -->\n", "<!-- end of the table -->"


def table() -> str:
    """The table, as the page has it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = HEAD + readme.partition(HEAD)[2].partition("\n\n")[0]
    return re.sub(r"\(docs/frameworks/(\w+\.md)\)", r"(\1)", rows)


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
