"""Runs of different arms that ended alike: a script that does not follow its schedule, or a metric that is too coarse."""

import math
from array import array
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from preheat.lab.experiment import Arm
from preheat.lab.records.record import Record
from preheat.lab.trials import Trials


@dataclass(frozen=True, slots=True)
class Alike:
    """Arms whose runs with these seeds ended at the same value to the last digit, of so many seeds that they share.

    curves: whether what they logged on the way of their loss and their metrics is equal too; "unknown" where they logged
    nothing but the final value.
    """

    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    shared: int
    curves: Literal["equal", "different", "unknown"]

    @property
    def whole(self) -> bool:
        """Whether that is so with every seed."""
        return len(self.seeds) == self.shared


def alike(trials: Trials) -> tuple[Alike, ...]:
    """The arms that ended alike although their schedules or peaks differ: with any seed if their curves are equal, with
    every seed if not. Arms that are so with the same seeds are named together."""
    found: dict[tuple[tuple[int, ...], int, str], list[list[str]]] = {}
    for one, other in combinations(trials.study.arms, 2):
        if (one.spec, one.peak) == (other.spec, other.peak):
            continue
        for how, seeds in _by_curves(trials, one, other).items():
            shared = len(trials.of(one).keys() & trials.of(other).keys())
            if how == "equal" or len(seeds) == shared:
                _join(found.setdefault((tuple(seeds), shared, how), []), one.name, other.name)
    return tuple(
        Alike(tuple(names), seeds, shared, how)  # type: ignore[arg-type]
        for (seeds, shared, how), groups in found.items()
        for names in groups
    )


def _by_curves(trials: Trials, one: Arm, other: Arm) -> dict[str, list[int]]:
    """The seeds with which two arms ended at the same finite value, by how their curves compare."""
    finals, others, found = trials.finals(one), trials.finals(other), dict[str, list[int]]()
    same = [seed for seed, value in finals.items() if value is not None and others.get(seed) == value]
    names = {"loss", *(metric.name for metric in trials.study.metrics)}
    for seed in same:
        pair = trials.of(one)[seed], trials.of(other)[seed]
        results = [[run.result.metrics.get(metric.name) for metric in trials.study.metrics] for run in pair]
        curves = [_curves(run, names) for run in pair]
        equal = results[0] == results[1] and curves[0] == curves[1]
        found.setdefault("different" if not equal else "equal" if curves[0] else "unknown", []).append(seed)
    return found


def _curves(run: Record, names: set[str]) -> tuple[list[int], dict[str, bytes]] | None:
    """What was logged under these names, as bytes, which are equal for NaN too; None if that is at most one number."""
    columns = {name: run.columns[name] for name in sorted(names & run.columns.keys())}
    if sum(math.isfinite(value) for column in columns.values() for value in column) < 2:
        return None
    return run.steps, {name: array("d", column).tobytes() for name, column in columns.items()}


def _join(groups: list[list[str]], one: str, other: str) -> None:
    """Put two names into the same group."""
    apart = [group for group in groups if one in group or other in group]
    names = list(dict.fromkeys([name for group in apart for name in group] + [one, other]))
    groups[:] = [group for group in groups if group not in apart] + [names]
