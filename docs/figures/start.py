"""Draws the run of docs/start.md, to its checkpoint and on from there: `python docs/figures/start.py`.

The schedule is the page's own; what is drawn are the rates that the optimizer really had.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

from runs import TOTAL, built, followed, save, series

import preheat
from preheat.plots.panel import Curves
from preheat.plots.svg import svg

PAGE = Path(__file__).parents[1] / "start.md"
PEAK, SAVED_AT = 3e-4, 600  # a test holds them against the page


def schedule() -> preheat.Schedule:
    """What the page attaches first."""
    found = re.search(r"^schedule = (ph\..+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, "the page attaches no schedule"
    return preheat.parse(found[1].replace("ph.", ""))


def figures() -> dict[str, str]:
    """The one picture of this script, by its name."""
    optimizer, scheduler = built(schedule(), lr=PEAK)
    before = followed(optimizer, scheduler, SAVED_AT)
    saved = deepcopy({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()})
    optimizer, scheduler = built(schedule(), lr=PEAK)
    scheduler.load_state_dict(saved["scheduler"])
    optimizer.load_state_dict(saved["optimizer"])
    after = followed(optimizer, scheduler, TOTAL)
    panel = Curves(
        title="The rate of every update",
        x_label="update",
        y_label="learning rate",
        series=[series("first process", before, 1), series("resumed", after, 0)],
    )
    return {"start": svg(panel)}


if __name__ == "__main__":
    save(figures())
