"""What one training logged, by metric: which rows count, and what is kept of a long run.

* Two rows of one update are one; of two values of one metric the later counts.
* A row lower than the one before means that training went back: what was there from that update on is forgotten.
* The part of a metric's name before the last "/" is its **stage**: `stage2/val_loss`. Each stage counts its own updates, so a
  second stage that begins at 0 again does not cut the first.

A run of more than `MOST` updates is kept as the points by which its curve is seen, and a `Digest` of all its values.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np

from preheat.session.spikes import Spikes

MOST = 20_000
"""Updates of a stage that are kept as they are; of more than that those which shape the curve."""

NUMBERS = 2_000_000
"""Numbers that are kept of a stage, however many metrics it has."""

WINDOW = 20
"""A curve is smoothed, and a final value taken, over one part in so many of the run."""

_PER_STRETCH = 8  # first, last, lowest, highest, and the first and last that are finite and that are not


@dataclass(frozen=True, slots=True)
class Digest:
    """Of one metric of a long run, from all its values: the mean of every stretch, and the spikes.

    updates: the middle of each stretch.   means: of what is finite in it.   counts: how many those are.
    spikes: the updates and values at which a loss jumped, as `spikes` finds them; None for what is not called a loss.
    """

    updates: Sequence[int]
    means: Sequence[float]
    counts: Sequence[int]
    spikes: list[tuple[int, float]] | None


@dataclass(frozen=True, slots=True)
class Table:
    """One stage: its updates, ascending, and of every metric a value for each, NaN where none was logged.

    digests: of a run that was too long to be kept whole, by metric.
    """

    steps: Sequence[int]
    columns: Mapping[str, Sequence[float]]
    digests: Mapping[str, Digest] = field(default_factory=dict)


class _Column:
    """The updates and values of one metric, and what was forgotten of it last."""

    __slots__ = ("forgotten", "stage", "steps", "values")

    def __init__(self, stage: "_Stage") -> None:
        self.stage, self.steps, self.values = stage, array("q"), array("d")
        self.forgotten: tuple[int, int, int] | None = None


class _Stage:
    """The updates of one stage, and its metrics by name."""

    def __init__(self) -> None:
        self.steps, self.columns = array("q"), dict[str, _Column]()

    def reach(self, step: int, line: int) -> None:
        """A row of this update, and which row it is: what lies ahead is forgotten where it is lower than the last."""
        steps = self.steps
        if steps and step < steps[-1]:
            del steps[bisect_left(steps, step) :]
            for column in self.columns.values():
                cut = bisect_left(column.steps, step)
                if cut < len(column.steps):
                    column.forgotten = (column.steps[-1], step, line)
                del column.steps[cut:], column.values[cut:]
        if not steps or steps[-1] != step:
            steps.append(step)


class Logged:
    """Takes rows one by one, in the order in which they were logged. 16 bytes are kept of a value."""

    def __init__(self, rows: Iterable[tuple[int, Mapping[str, float]]] = ()) -> None:
        self._stages, self._columns, self._rows = dict[str, _Stage](), dict[str, _Column](), 0
        for step, values in rows:
            self.add(step, values)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """One row: an update from 0 to 2^53, and its values by name. One without values belongs to the stage ""."""
        self._rows += 1
        if not values:
            self._stages.setdefault("", _Stage()).reach(step, self._rows)
        for name, value in values.items():
            column = self._columns.get(name) or self._new(name)
            steps, reached = column.steps, column.stage.steps
            if not reached or reached[-1] != step:
                column.stage.reach(step, self._rows)
            if steps and steps[-1] == step:
                column.values[-1] = value
            else:
                steps.append(step)
                column.values.append(value)

    def _new(self, name: str) -> _Column:
        stage = self._stages.setdefault(stage_of(name), _Stage())
        self._columns[name] = stage.columns[name] = _Column(stage)
        return self._columns[name]

    def final(self, name: str) -> float | None:
        """The mean over the last part of what was logged of a metric, at least the last value; None where nothing was.

        Where a value of that part is not finite, it is the last value.
        """
        column = self._columns.get(name)
        if column is None or not column.values:
            return None
        tail = column.values[-max(1, len(column.values) // WINDOW) :]
        return mean(tail) if all(map(math.isfinite, tail)) else tail[-1]

    def finals(self) -> dict[str, float | None]:
        """The final value of every metric that was logged: None where it is not finite."""
        found = {name: self.final(name) for name in self._columns}
        return {name: value if math.isfinite(value) else None for name, value in found.items() if value is not None}

    def forgotten(self, name: str) -> tuple[int, int, int] | None:
        """Of a metric that was logged and forgotten: the last update of it that was, the lower one that followed, and in
        which row; None where nothing was.
        """
        column = self._columns.get(name)
        return column.forgotten if column else None

    def tables(self) -> dict[str, Table]:
        """Every stage by its name, a long one thinned."""
        return {name: _table(stage) for name, stage in self._stages.items() if stage.steps}


@lru_cache(maxsize=4096)
def stage_of(name: str) -> str:
    """The stage to which a metric belongs.

    >>> stage_of("stage2/val_loss"), stage_of("loss")
    ('stage2', '')
    """
    return name.rpartition("/")[0]


def mean(values: Sequence[float]) -> float:
    """The mean of finite numbers, also where their sum is beyond what a float holds."""
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        half = math.fsum(value / 2 / len(values) for value in values)
        return min(max(values), max(min(values), 2 * half))


def spikes(steps: Sequence[int], values: Iterable[float]) -> list[tuple[int, float]]:
    """The updates at which `Rewarm` would warm up again: the definition of a spike is that rule's, with its defaults.

    Its new warmup, during which no other spike is seen, is as long as the window that smooths a curve: so a run has few.
    NaN is no value.
    """
    seen = Spikes(quiet=max(1, (steps[-1] + 1) // WINDOW) if len(steps) else 1)
    return [at for at in zip(steps, values, strict=True) if not math.isnan(at[1]) and seen.is_one(*at)]


def _table(stage: _Stage) -> Table:
    """A stage with a value for every update."""
    columns = {name: column for name, column in stage.columns.items() if column.steps}
    most = max(_PER_STRETCH, min(MOST, NUMBERS // max(1, len(columns))))
    if len(stage.steps) <= most:
        filled = {name: _filled(column, stage.steps).tolist() for name, column in columns.items()}
        # one NaN for all gaps: lists that hold the same one are equal
        same = {name: [math.nan if value != value else value for value in row] for name, row in filled.items()}
        return Table(stage.steps.tolist(), same)
    stretches = max(1, most // _PER_STRETCH // max(1, len(columns)))
    digests, kept = {}, {stage.steps[0], stage.steps[-1]}
    for name, column in columns.items():
        digests[name], points = _digest(name, column, stretches)
        kept |= points
    steps = array("q", sorted(kept))
    return Table(steps, {name: array("d", _filled(column, steps)) for name, column in columns.items()}, digests)


def _filled(column: _Column, steps: Sequence[int]) -> np.ndarray:
    """The values of a metric at these updates, NaN where it was not logged."""
    own, values = np.asarray(column.steps), np.asarray(column.values)
    wanted = np.asarray(steps)
    at = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
    return np.where(own[at] == wanted, values[at], math.nan)


def _digest(name: str, column: _Column, stretches: int) -> tuple[Digest, set[int]]:
    """The digest of a metric, and the updates that shape its curve."""
    steps, values = np.asarray(column.steps), np.asarray(column.values)
    ends = np.linspace(0, len(values), min(stretches, len(values)) + 1).astype(int)
    kept, middles, means, counts = set[int](), array("q"), array("d"), array("q")
    for start, end in pairwise(ends.tolist()):
        part, finite = values[start:end], np.isfinite(values[start:end])
        good, lost = np.flatnonzero(finite), np.flatnonzero(~finite)
        points = [0, end - start - 1, *good[[0, -1]]] if len(good) else [0, end - start - 1]
        points += list(lost[[0, -1]]) if len(lost) else []
        if len(good):
            points += [good[part[good].argmin()], good[part[good].argmax()]]
            middles.append(int(steps[start + good[len(good) // 2]]))
            means.append(float((part[good] / len(good)).sum()))
            counts.append(len(good))
        kept.update(steps[start + np.asarray(points)].tolist())
    found = spikes(column.steps, column.values) if name.rpartition("/")[2].endswith("loss") else None
    return Digest(middles, means, counts, found), kept
