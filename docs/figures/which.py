"""Draws the lines of docs/which.md beside published runs near to them, and writes its table: `python docs/figures/which.py`."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).parents[1]
sys.path.insert(0, str(DOCS / "_ext"))

import gallery_cards  # noqa: E402  found there
import numpy  # noqa: E402

import preheat  # noqa: E402
from preheat.core.stated import plain  # noqa: E402
from preheat.plots.panel import Curves, Series  # noqa: E402
from preheat.plots.svg import svg  # noqa: E402

PAGE = DOCS / "which.md"
BEGIN, END = "<!-- table of docs/figures/which.py -->\n", "<!-- end of the table -->"
NEAR, PLACES = 0.1, 400  # the largest distance that counts as near; moments of the run that are compared
_SECTION = re.compile(r"^## ([^\n]+)\n\n```none ([^\n]+)\n([^\n]+)\n```\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^\* \*\*Near\*\*: (.*?)(?=^\* \*\*Not\*\*)", re.MULTILINE | re.DOTALL)


class Line(NamedTuple):
    """A section of the page: what is trained, the line, the run on which it is checked, and the published runs beside it."""

    trained: str
    text: str
    facts: dict[str, str]
    near: list[str]

    @property
    def anchor(self) -> str:
        """Its heading as a link has it."""
        return re.sub(r"[^\w -]", "", self.trained.lower()).replace(" ", "-")

    @property
    def run(self) -> preheat.Run:
        """The run on which it is checked."""
        known: dict[str, Any] = {"total": re.sub(r"(?<=\d)(?=[a-z]{2})", " ", self.facts["total"])}
        if "steps_per_epoch" in self.facts:
            known["steps_per_epoch"] = int(self.facts["steps_per_epoch"])
        return preheat.Run(**known)

    @property
    def curve(self) -> numpy.ndarray:
        """Its values as shares of the highest, over its run."""
        return _curve(preheat.parse(self.text), self.run)


def lines() -> list[Line]:
    """The lines of the page, in its order."""
    found = []
    for trained, facts, text, more in _SECTION.findall(PAGE.read_text(encoding="utf-8")):
        named = _NAMED.search(more)
        near = (
            [] if named is None else [name for name in re.findall(r"\b\w[\w.]*\b", named[1]) if name in preheat.presets]
        )
        found.append(Line(trained, text, dict(fact.split("=") for fact in facts.split()), near))
    return found


@cache
def published(name: str) -> numpy.ndarray:
    """A preset as shares of its highest value, over its run."""
    preset = preheat.presets[name]
    return _curve(preset.schedule, gallery_cards.published_run(preset))


def distance(a: numpy.ndarray, b: numpy.ndarray) -> float:
    """How much two curves differ on average, as a share of the peak."""
    apart = numpy.abs(a - b)
    return float((apart[1:] + apart[:-1]).mean() / 2)  # between the moments it is a line


def table() -> str:
    """A row for each line."""
    head = ["you train", "you copy", "checked on", "near"]
    rows = [
        [f"[{one.trained}](#{one.anchor})", f"`{one.text}`", _checked(one), ", ".join(map(_near(one), one.near))]
        for one in lines()
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def figures() -> dict[str, str]:
    """A picture of each line, with the published runs near to it."""
    return {f"which-{one.anchor}": _drawn(one) for one in lines()}


def _drawn(one: Line) -> str:
    share = numpy.linspace(0, 100, PLACES + 1).tolist()
    curves = [Series(name, share, published(name).tolist(), style) for style, name in enumerate(one.near, 1)]
    own = Series("this line", share, one.curve.tolist())
    panel = Curves(title=one.trained, x_label="% of the run", y_label="share of the peak", series=[own, *curves])
    return svg(panel, height=240)


def _curve(target: Any, run: preheat.Run | None) -> numpy.ndarray:
    on = gallery_cards.laid(plain(target), run)
    values = on.bound.along(numpy.linspace(0, on.total, PLACES + 1))
    return values / values.max()


def _checked(one: Line) -> str:
    epochs = f", {int(one.facts['steps_per_epoch']):,} an epoch" if "steps_per_epoch" in one.facts else ""
    beta2 = f", β₂ {one.facts['beta2']}" if "beta2" in one.facts else ""
    return f"{one.run.total:,} updates{epochs}; {one.facts['optimizer']}{beta2}"


def _near(one: Line) -> Any:
    return lambda name: f"[{name}](gallery.md#preset-{name}) {distance(one.curve, published(name)):.2f}"


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    for name, text in figures().items():
        (DOCS / "figures" / f"{name}.svg").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
