"""Draws the run of docs/start.md, to its checkpoint and on from there: `python docs/figures/start.py`.

The schedule is the page's own; what is drawn are the rates that the optimizer really had. It is drawn for docs/zh/start.md too,
in the words of CHINESE.
"""

from __future__ import annotations

import re
import sys
from copy import deepcopy
from pathlib import Path

from runs import TOTAL, built, followed, save, series

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it finds the benchmarks from wherever it is started

from benchmarks.words import ENGLISH, Words

import preheat
from preheat.plots.panel import Curves
from preheat.plots.svg import svg

PAGE = Path(__file__).parents[1] / "start.md"
PEAK, SAVED_AT = 3e-4, 600  # a test holds them against the page
CHINESE = Words(
    {
        "The rate of every update": "每次更新的学习率",
        "update": "第几次更新",
        "learning rate": "学习率",
        "first process": "第一个进程",
        "resumed": "续训之后",
    }
)
Rates = tuple[list[int], list[float]]  # updates, and the rate of each


def schedule() -> preheat.Schedule:
    """What the page attaches first."""
    found = re.search(r"^schedule = (ph\..+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, "the page attaches no schedule"
    return preheat.parse(found[1].replace("ph.", ""))


def figures() -> dict[str, str]:
    """The picture of this script in each language, by its name."""
    optimizer, scheduler = built(schedule(), lr=PEAK)
    before = followed(optimizer, scheduler, SAVED_AT)
    saved = deepcopy({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()})
    optimizer, scheduler = built(schedule(), lr=PEAK)
    scheduler.load_state_dict(saved["scheduler"])
    optimizer.load_state_dict(saved["optimizer"])
    after = followed(optimizer, scheduler, TOTAL)
    return {"start": _drawn(before, after, ENGLISH), "start.zh": _drawn(before, after, CHINESE)}


def _drawn(before: Rates, after: Rates, words: Words) -> str:
    panel = Curves(
        title=words("The rate of every update"),
        x_label=words("update"),
        y_label=words("learning rate"),
        series=[series(words("first process"), before, 1), series(words("resumed"), after, 0)],
    )
    return svg(panel)


if __name__ == "__main__":
    save(figures())
