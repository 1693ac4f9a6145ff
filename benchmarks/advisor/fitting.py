"""Set the advisor's constants on the answers about the families that set them, and print what belongs into its table.

For each family of optimizers: the weights of a logistic regression on the features of `deciding.features`, with a ridge, and
how well they do on a training that is left out in turn. The families that are looked at once are not read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.advisor import grid
from benchmarks.advisor.baselines import logistic
from benchmarks.advisor.families import CONFIGURATIONS
from benchmarks.advisor.truth import Trained
from preheat.measure.advising.deciding import features, told
from preheat.measure.advising.facts import Facts

CHOSEN, WITHOUT = ("trial_z",), ("margin",)
TRIED = (CHOSEN, ("trial_gain",), ("trial_z", "trial_gain"), ("trial_z", "margin_start", "margin_lowest"))
"""What was tried beside what was chosen: the simplest that is as good on trainings left out, to 1 %."""


@dataclass(frozen=True)
class Row:
    """An answer about a peak: the training's name, the optimizer's family, the features, and what is true."""

    name: str
    family: str
    features: Mapping[str, float]
    tells: bool
    needed: bool


def rows(answers: Path, results: Path) -> list[Row]:
    """The answers about the families that set constants, at peaks that are decided."""
    known, out = grid.results(results), []
    trained = {one.name: Trained(known[one.key]) for one in CONFIGURATIONS if one.split == "constants"}
    for line in map(json.loads, answers.read_text().splitlines()):
        if line["peak"] is None or line["config"] not in trained or "facts" not in line["more"]:
            continue
        one = trained[line["config"]]
        needed = one.verdicts[one.peaks.index(line["peak"])].needed
        if needed is not None:
            facts = Facts.from_dict(line["more"]["facts"])
            outcome = told(facts)
            out.append(Row(one.name, facts.optimizer.family, features(facts, outcome), outcome is not None, needed))
    return out


def fitted(those: Sequence[Row], names: Sequence[str]) -> tuple[float, dict[str, float], float, float]:
    """The intercept, the weights by name, and the accuracy on these rows and on trainings left out in turn."""
    raw = np.array([[row.features.get(name, 0.0) for name in names] for row in those])
    labels = np.array([row.needed for row in those], dtype=float)
    spread = np.where(raw.std(axis=0) > 0, raw.std(axis=0), 1.0)
    design = np.column_stack([np.ones(len(raw)), raw / spread])  # not centred: a feature that is not known counts as 0
    weights = logistic(design, labels)
    groups, left_out = np.array([row.name for row in those]), np.zeros(len(raw))
    for name in set(groups):
        there = groups == name
        left_out[there] = design[there] @ logistic(design[~there], labels[~there])
    inside, outside = (float(((score > 0) == labels).mean()) for score in (design @ weights, left_out))
    by_name = {name: float(weight / scale) for name, weight, scale in zip(names, weights[1:], spread, strict=True)}
    return float(weights[0]), by_name, inside, outside


def run(answers: Path, results: Path) -> None:
    """Print the constants."""
    those = rows(answers, results)
    for family in ("sgd", "adaptive"):
        own = [row for row in those if row.family == family]
        _print(f"{family}, rule", own, WITHOUT)
        for names in TRIED:
            _print(f"{family}, trial", [row for row in own if row.tells], names)
    for names in TRIED:
        _print("any optimizer, trial", [row for row in those if row.tells], names)


def _print(title: str, those: Sequence[Row], names: Sequence[str]) -> None:
    intercept, weights, inside, outside = fitted(those, names)
    said: dict[str, Any] = {name: round(weight, 3) for name, weight in weights.items()}
    print(
        f"{title}: intercept {intercept:.3f}, weights {said}; {len(those)} peaks, {inside:.3f} right, {outside:.3f} left out"
    )
