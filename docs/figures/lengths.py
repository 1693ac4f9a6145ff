"""Draws the figures of docs/lengths.md and writes its tables: `python docs/figures/lengths.py`.

How long and to which peak: from the grid of benchmarks/advisor. From where and which shape: from `lengths.json`, which holds
what the commands on the page left, collected by `python docs/figures/lengths.py --collect runs`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grid import TRAINED, best_without, from_best, quantile, sgd, signed
from runs import save

from preheat.plots.panel import Curves, Interval, Intervals, Series
from preheat.plots.svg import svg

RECORDS = Path(__file__).with_suffix(".json")
CHOICES = {"start": "From where", "shape": "Which shape"}
SETTINGS = {"sgd": "SGD, sharp start", "adam": "Adam, LayerNorm"}
STARTS = {
    "zero": "from 0",
    "hundredth": "from 0.01",
    "tenth": "from 0.1",
    "third": "from 0.3",
}  # as the page's commands say
PICTURED = {"bytes-post-depth4-adam999": "Adam, post-norm byte model", "digits-mlp-gain2-sgd": "SGD, sharp digits MLP"}
MUCH = 0.38  # nats: what a long warmup costs where it costs much
PEAKS = slice(2, 7)  # of the eight: those around the edge


def collect(folder: Path) -> None:
    """Keep of each comparison in `folder` what the page needs."""
    kept = {}
    for path in sorted(folder.glob("*/summary.json")):
        if path.parent.name.split("-")[0] not in CHOICES:
            continue
        (study,) = json.loads(path.read_text(encoding="utf-8"))["studies"]
        arms = {
            arm["name"]: {
                "losses": [loss if loss is None else round(loss, 6) for loss in arm["losses"].values()],
                "diverged": arm["diverged"],
                "difference": arm["difference"]
                and {key: round(arm["difference"][key], 6) for key in ("mean", "low", "high")},
            }
            for arm in study["arms"]
        }
        kept[path.parent.name] = {"peak": study["options"]["peak"], "arms": arms}
    RECORDS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def records() -> Mapping[str, Any]:
    """What was collected, by the name of the folder."""
    return json.loads(RECORDS.read_text(encoding="utf-8"))


def cell(arm: Mapping[str, Any]) -> str:
    """An arm of a comparison as a cell of a table."""
    losses, count = arm["losses"], len(arm["losses"])
    broken = f"; {arm['diverged']} of {count} diverge" if arm["diverged"] else ""
    if arm["diverged"] == count:
        return f"{count} of {count} diverge"
    if difference := arm["difference"]:
        mean, low, high = (signed(difference[key]) for key in ("mean", "low", "high"))
        return f"{mean} ({low} to {high}){broken}"
    if None in losses:
        return f"no mean{broken}"
    return f"{statistics.fmean(losses):.3f} ± {statistics.stdev(losses):.3f}{broken}"


def table(choice: str) -> list[str]:
    """The rows of a choice: each arm in each setting, and in its control."""
    found = records()
    columns = [f"{choice}-{setting}{ending}" for setting in SETTINGS for ending in ("", "-control")]
    names = list(found[columns[0]]["arms"])
    return [
        f"| {STARTS.get(name, name)} | {' | '.join(cell(found[column]['arms'][name]) for column in columns)} |"
        for name in names
    ]


def differences(choice: str, setting: str) -> str:
    """Each arm against the first, seed by seed; arms of which a run has no loss have no difference and are not drawn."""
    arms = records()[f"{choice}-{setting}"]["arms"]
    reference, *others = arms
    rows = []
    for style, name in enumerate(others):
        arm, own = arms[name], arms[name]["difference"]
        if own is None or arm["diverged"] == len(arm["losses"]):
            continue
        points = [loss - base for loss, base in zip(arm["losses"], arms[reference]["losses"], strict=True)]
        rows.append(Interval(STARTS.get(name, name), own["mean"], own["low"], own["high"], points, style))
    title = f"{CHOICES[choice]}: {SETTINGS[setting]}"
    return svg(
        Intervals(title=title, x_label=f"validation loss, minus that of {STARTS.get(reference, reference)}", rows=rows)
    )


def how_long(name: str) -> str:
    """The final loss against the length of the warmup, a curve for a peak."""
    trained = TRAINED[name]
    shares = [warmup / trained.steps for warmup in trained.warmups]
    means = trained.loss.mean(axis=2)
    curves = [
        Series(f"peak {trained.peaks[number]:g}", shares, means[number].tolist(), style, dots=True)
        for style, number in enumerate(range(*PEAKS.indices(len(trained.peaks))))
    ]
    level = ("chance", trained.chance)
    panel = Curves(
        title=PICTURED[name], x_label="warmup, share of the run", y_label="final loss", series=curves, level=level
    )
    return svg(panel)


def which_peak(name: str) -> str:
    """The final loss against the peak: without warmup, with a short one, with one over half of the run."""
    trained, means = TRAINED[name], TRAINED[name].loss.mean(axis=2)
    curves = [
        Series(text, trained.peaks, means[:, column].tolist(), style, dots=True)
        for style, (text, column) in enumerate((("no warmup", 0), ("5 % of the run", 2), ("half of the run", 5)))
    ]
    level = ("chance", trained.chance)
    panel = Curves(
        title=PICTURED[name], x_label="peak rate", y_label="final loss", series=curves, log_x=True, level=level
    )
    return svg(panel)


def moved() -> Iterator[tuple[str, float]]:
    """By how many octaves the best peak with a warmup over half of the run is above the best one without, of each training."""
    for name, trained in TRAINED.items():
        best = trained.loss[:, -1].mean(axis=1).argmin()
        yield name, math.log2(trained.peaks[best] / trained.peaks[best_without(trained)])


def move(*, of_sgd: bool) -> str:
    """In how many trainings the best peak moves up, stays and moves down, and the factor in the middle one."""
    octaves = [value for name, value in moved() if sgd(name) is of_sgd]
    up, down = sum(value > 0 for value in octaves), sum(value < 0 for value in octaves)
    middle = 2 ** statistics.median(octaves)
    return f"up in {up} of {len(octaves)}, down in {down}, × {middle:.2g} in the middle one"


def untuned(beta2: float = 0.95) -> str:
    """What 2/(1 − β₂) updates of warmup cost beside half of the run, with the β₂ of the grid at which they fit into it."""
    trained = [one for name, one in TRAINED.items() if name.endswith(f"adam{beta2:g}".replace("0.", ""))]

    def regret(warmup: float | None) -> str:
        found = [
            one.regret_at(peak, one.steps / 2 if warmup is None else warmup)
            for one in trained
            for peak in range(len(one.peaks))
            if one.trains_at(peak)
        ]
        return f"{quantile(found, 0.5):.2f}, in 9 of 10 cases below {quantile(found, 0.9):.2f}"

    updates = 2 / (1 - beta2)
    return f"{updates:.0f} updates, a median of {regret(updates)}; half of the run there {regret(None)}"


def decided() -> str:
    """How many decided peaks of the grid lie above the best one without warmup, at it, and below."""
    away = [
        steps for trained in TRAINED.values() for steps, verdict in from_best(trained) if verdict.needed is not None
    ]
    above, at, below = sum(one > 0 for one in away), away.count(0), sum(one < 0 for one in away)
    return (
        f"the {len(away)} peaks of the grid that are decided, {above} of them above the best one without warmup, "
        f"{at} at it and {below} below"
    )


def at_best() -> str:
    """What a warmup over half of the run does at the peak that is best without one."""
    means = [(one.loss.mean(axis=2)[best_without(one)]) for one in TRAINED.values()]
    differences = [float(row[-1] - row[0]) for row in means]
    low, high = sum(value < 0 for value in differences), sum(value > MUCH for value in differences)
    total = len(differences)
    lower = f"lower than none in {low} of {total} trainings, mostly by little"
    return f"{lower}, and more than {MUCH} nats higher in {high} of {total}"


def drawn_at_best(name: str = "digits-mlp-gain2-sgd") -> str:
    """The same of one training that is drawn."""
    trained, best = TRAINED[name], best_without(TRAINED[name])
    row = trained.loss.mean(axis=2)[best]
    return f"{trained.peaks[best]:g}, where half of the run ends {row[-1] - row[0]:.3f} higher than none"


def figures() -> dict[str, str]:
    """Every picture of this script, by its name."""
    drawn = {}
    for name in PICTURED:
        short = "sgd" if sgd(name) else "adam"
        drawn |= {f"length-{short}": how_long(name), f"peak-{short}": which_peak(name)}
    return drawn | {f"{choice}-{setting}": differences(choice, setting) for choice in CHOICES for setting in SETTINGS}


def main() -> None:
    """Collect, or draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--collect", type=Path)
    if (given := parser.parse_args()).collect:
        collect(given.collect)
    save(figures())
    for choice in CHOICES:
        print("\n".join(table(choice)), end="\n\n")
    print(
        *(move(of_sgd=of_sgd) for of_sgd in (False, True)), untuned(), decided(), at_best(), drawn_at_best(), sep="\n"
    )


if __name__ == "__main__":
    main()
