"""Draws docs/need.md's figure and writes its table, from the grid of benchmarks/advisor: `python docs/figures/need.py`.

Both are made for docs/zh/need.md too, in the words of CHINESE.
"""

from __future__ import annotations

from grid import (
    ENGLISH,
    KINDS,
    TRAINED,
    Count,
    Words,
    best_without,
    counted,
    from_best,
    gain_at_best,
    mean_and_interval,
    of_kind,
    sgd,
)
from runs import save

from preheat.plots.panel import Curves, Series
from preheat.plots.svg import svg

REACH = range(-3, 4)  # steps of the grid that enough trainings have on either side
CHINESE = Words(
    {  # what is written here, word for word
        "byte transformer, post-norm, Adam": "字节级 Transformer，Post-LN，Adam",
        "byte transformer, pre-norm, Adam": "字节级 Transformer，Pre-LN，Adam",
        "byte transformer, SGD": "字节级 Transformer，SGD",
        "digits MLP or CNN, Adam": "digits 上的 MLP 或 CNN，Adam",
        "digits MLP or CNN, SGD": "digits 上的 MLP 或 CNN，SGD",
        "modular addition, both": "模加法，两种优化器",
        "{} of {}": "{}/{}",
        "{} ({} to {})": "{}（{} 至 {}）",
        "SGD with momentum": "带动量的 SGD",
        "Where warmup is needed": "哪里需要预热",
        "steps from the best peak without warmup (one is × 2 to 2.5)": "离无预热时最佳峰值的档数（一档为 2 至 2.5 倍）",
        "share of peaks that need it": "需要预热的峰值所占比例",
    }
)


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


def needing(distance: int, *, of_sgd: bool) -> set[str]:
    """The trainings that need warmup so many steps above the best peak without one."""
    return {
        name
        for name, trained in TRAINED.items()
        for steps, verdict in from_best(trained)
        if sgd(name) is of_sgd and steps == distance and verdict.needed
    }


def short(distance: int, column: int) -> tuple[int, int, int, int]:
    """Of pre-norm byte models under Adam, so many steps above the best peak without warmup, with the warmup of that column: in
    how many trainings it ends higher in the mean, of how many, and in how many seeds, of how many."""
    losses = [one.loss[best_without(one) + distance] for one in of_kind("byte transformer, pre-norm, Adam")]
    over = [row[column] - row[0] for row in losses]
    seeds = [float(value) for row in over for value in row]
    return sum(row.mean() > 0 for row in over), len(over), sum(value > 0 for value in seeds), len(seeds)


def table(words: Words = ENGLISH) -> list[str]:
    """The rows of the page's table, a kind of training each."""
    rows = []
    for kind in KINDS:
        trained = of_kind(kind)
        count = counted([verdict for one in trained for verdict in one.verdicts])
        gains = [gain_at_best(one) for one in trained]
        needed = words("{} of {}").format(count.needed, count.decided)
        gained = mean_and_interval([-gain for gain in gains], words("{} ({} to {})"))
        rows.append(f"| {words(kind)} | {len(trained)} | {needed} | {count.undecided} | {gained} |")
    return rows


def figures() -> dict[str, str]:
    """The picture of this script in each language, by its name."""
    return {"need": _drawn(ENGLISH), "need.zh": _drawn(CHINESE)}


def _drawn(words: Words) -> str:
    curves = []
    for style, (name, of_sgd) in enumerate((("Adam", False), (words("SGD with momentum"), True))):
        counts = [at(distance, of_sgd=of_sgd) for distance in REACH]
        curves.append(Series(name, list(REACH), [c.needed / c.decided for c in counts], style, dots=True))
    panel = Curves(
        title=words("Where warmup is needed"),
        x_label=words("steps from the best peak without warmup (one is × 2 to 2.5)"),
        y_label=words("share of peaks that need it"),
        y_range=(0.0, 1.0),
        series=curves,
    )
    return svg(panel)


if __name__ == "__main__":
    save(figures())
    for language in (ENGLISH, CHINESE):
        print("\n".join(table(language)))
    for of_sgd in (False, True):
        print("SGD" if of_sgd else "Adam", {d: at(d, of_sgd=of_sgd) for d in REACH})
