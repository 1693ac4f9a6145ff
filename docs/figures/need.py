"""Draws docs/need.md's figure and writes its table, from the grid of benchmarks/advisor: `python docs/figures/need.py`."""

from __future__ import annotations

from grid import KINDS, TRAINED, Count, counted, from_best, gain_at_best, mean_and_interval, of_kind, sgd
from runs import save

from preheat.plots.panel import Curves, Series
from preheat.plots.svg import svg

REACH = range(-3, 4)  # steps of the grid that enough trainings have on either side


def at(distance: int, *, of_sgd: bool) -> Count:
    """The peaks that lie so many steps above the best one without warmup."""
    found = [
        verdict
        for name, trained in TRAINED.items()
        for steps, verdict in from_best(trained)
        if sgd(name) is of_sgd and steps == distance
    ]
    return counted(found)


def beyond(*, of_sgd: bool, low: int, high: int) -> Count:
    """The peaks between two distances, both included."""
    counts = [at(distance, of_sgd=of_sgd) for distance in range(low, high + 1)]
    return Count(
        *(sum(values) for values in zip(*((c.needed, c.not_needed, c.undecided) for c in counts), strict=True))
    )


def table() -> list[str]:
    """The rows of the page's table, a kind of training each."""
    rows = []
    for kind in KINDS:
        trained = of_kind(kind)
        count = counted([verdict for one in trained for verdict in one.verdicts])
        gains = [gain_at_best(one) for one in trained]
        shown = (
            f"{count.needed} of {count.decided} | {count.undecided} | {mean_and_interval([-gain for gain in gains])}"
        )
        rows.append(f"| {kind} | {len(trained)} | {shown} |")
    return rows


def figures() -> dict[str, str]:
    """The one picture of this script, by its name."""
    curves = []
    for style, (name, of_sgd) in enumerate((("Adam", False), ("SGD with momentum", True))):
        counts = [at(distance, of_sgd=of_sgd) for distance in REACH]
        curves.append(Series(name, list(REACH), [c.needed / c.decided for c in counts], style, dots=True))
    panel = Curves(
        title="Where warmup is needed",
        x_label="steps from the best peak without warmup (one is × 2 to 2.5)",
        y_label="share of peaks that need it",
        y_range=(0.0, 1.0),
        series=curves,
    )
    return {"need": svg(panel)}


if __name__ == "__main__":
    save(figures())
    print("\n".join(table()))
    for of_sgd in (False, True):
        print("SGD" if of_sgd else "Adam", {d: at(d, of_sgd=of_sgd) for d in REACH})
