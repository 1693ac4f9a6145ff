"""Draws the sequences of docs/conventions.md, one beside the other: `python docs/figures/conventions.py`.

It is drawn for docs/zh/conventions.md too, in the words of CHINESE.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # so that it finds the benchmarks from wherever it is started

from benchmarks.parity.same_words import TOTAL, Made, made  # noqa: E402
from benchmarks.words import ENGLISH, Words  # noqa: E402

from preheat.plots.panel import Curves, Series, shortened  # noqa: E402
from preheat.plots.svg import style, svg  # noqa: E402

COLUMNS, WIDTH, HEIGHT = 2, 300, 190
NAMES = 36  # characters of the libraries that make a sequence
CHINESE = Words(
    {
        "{} sequences of rates that {} libraries make of the same words": "同一句话，{1} 个库，{0} 种学习率序列",
        "{} libraries": "{} 个库",
        "{}: {}": "{}：{}",
        ", ": "、",
        "update": "第 t 次更新",
    }
)


def sequences() -> dict[str, list[Made]]:
    """The libraries of each sequence."""
    found: dict[str, list[Made]] = {}
    for one in made():
        found.setdefault(one.letter, []).append(one)
    return found


def figures() -> dict[str, str]:
    """A picture of all of them in each language; a text for those who cannot see it stands in the page's table."""
    known = sequences()
    return {"conventions": _drawn(known, ENGLISH), "conventions.zh": _drawn(known, CHINESE)}


def _drawn(known: dict[str, list[Made]], words: Words) -> str:
    first = next(iter(known.values()))[0].values[:TOTAL]
    panels = [_panel(letter, same, first, words) for letter, same in known.items()]
    rows = -(-len(panels) // COLUMNS)
    placed = "".join(
        drawn.replace(
            "<svg ", f'<svg x="{k % COLUMNS * WIDTH}" y="{k // COLUMNS * HEIGHT}" width="{WIDTH}" height="{HEIGHT}" ', 1
        )
        for k, drawn in enumerate(panels)
    )
    size = f'viewBox="0 0 {COLUMNS * WIDTH} {rows * HEIGHT}" style="max-width:100%;color-scheme:light dark"'
    title = words("{} sequences of rates that {} libraries make of the same words")
    title = title.format(len(panels), sum(map(len, known.values())))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}"><style>{style()}</style>'
    return f"{head}{placed}</svg>"


def _panel(letter: str, same: list[Made], first: list[float], words: Words) -> str:
    """A sequence with its dots, over the first one."""
    at = list(range(TOTAL))
    own = Series(letter, at, same[0].values[:TOTAL], dots=True)
    behind = [] if letter == "A" else [Series("A", at, first, 5)]
    listed = shortened(words(", ").join(one.row.library for one in same), NAMES)
    names = listed if len(same) < 4 else words("{} libraries").format(len(same))
    title = words("{}: {}").format(letter, names)
    panel = Curves(title=title, x_label=words("update"), series=[*behind, own], y_range=(0.0, 1.05))
    return svg(panel, width=WIDTH, height=HEIGHT, in_page=True)


if __name__ == "__main__":
    for name, text in figures().items():
        (Path(__file__).parent / f"{name}.svg").write_text(text + "\n", encoding="utf-8")
