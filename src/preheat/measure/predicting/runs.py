"""Runs that were logged: the rate of every update, and the loss at some of them.

Read are a folder of `preheat compare`, its records, JSON lines with "step" (`preheat.log`), a CSV with a column step, and the
Trainer's trainer_state.json or log_history.
"""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from preheat.core.errors import ParseError, PreheatError, PreheatWarning, nearest, plural, shown
from preheat.measure.predicting.blocks import Floats
from preheat.review.laid_out import MOST

LOSSES = ("val_loss", "eval_loss", "validation_loss", "loss", "train_loss", "train/loss")
"""The names under which a loss is looked for, in this order."""

FEWEST = 20
"""Losses that a curve has at least; one with fewer is no curve that a law could be fitted to."""

_RATES = ("lr", "learning_rate", "train/lr", "train/learning_rate")
_STEPS = ("step", "global_step", "update")
_LARGEST = 1 << 28  # bytes of a log
_POINTS = 100  # of a curve that the laws are fitted to; more are averaged, neighbours together
_BEGIN = 0.03  # of all that the rates add up to: what a run does before is no power law
_AT_PEAK = 0.999  # of it: where warmup has ended

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Logged:
    """One run. rates: of each update, the first to the last.   steps, losses: after how many updates which loss was seen.

    Raises PreheatError for a run that no law can be fitted to, saying why.
    """

    name: str
    rates: Floats
    steps: Floats
    losses: Floats
    of: str = ""  # what was trained, where the log says it: runs of another model are told by it
    metric: str = ""  # which column the losses are

    def __post_init__(self) -> None:
        for field in ("rates", "steps", "losses"):
            object.__setattr__(self, field, np.asarray(getattr(self, field), dtype=float))
        if self.rates.ndim != 1 or not len(self.rates) or self.steps.shape != self.losses.shape or self.steps.ndim != 1:
            raise PreheatError(f"{self.name}: a rate for each update, and a loss for each of the steps, are lists")
        if not np.isfinite(self.rates).all() or self.rates.min() < 0 or self.rates.max() <= 0:
            raise PreheatError(f"{self.name}: the rates are finite, none below 0 and not all 0")
        if not np.isfinite(self.losses).all() or self.losses.min(initial=1.0) <= 0:
            raise PreheatError(
                f"{self.name}: every loss is finite and above 0; the laws are of runs that train",
                write="leave out runs that diverged",
            )
        if (np.diff(self.steps) <= 0).any() or self.steps.min(initial=0) < 0 or self.steps.max(initial=0) > self.total:
            raise PreheatError(f"{self.name}: steps rise, from 0 to at most the number of rates, {self.total}")

    @property
    def total(self) -> int:
        """How many updates it has."""
        return len(self.rates)

    @property
    def peak(self) -> float:
        """The largest rate."""
        return float(self.rates.max())

    @property
    def warmup(self) -> int:
        """The update at which the rate has reached its peak."""
        return int(np.argmax(self.rates >= _AT_PEAK * self.peak))

    def curve(self) -> tuple[Floats, Floats]:
        """Steps and losses without the beginning, which no law describes: t ≥ 2 W, and S ≥ 3 % of S at the end.

        Of many losses neighbours are averaged, so that noise is less and no point counts twice. Raises PreheatError where
        fewer than 20 are left.
        """
        area = np.concatenate([[0.0], np.cumsum(self.rates)])
        chosen = (
            (self.steps >= 2 * self.warmup) & (area[self.steps.astype(int)] >= _BEGIN * area[-1]) & (self.steps > 0)
        )
        steps, losses = self.steps[chosen], self.losses[chosen]
        if len(steps) < FEWEST:
            raise PreheatError(
                f"{self.name} has {plural(len(steps), 'loss')} after its warmup ({plural(self.warmup, 'update')}) and as "
                f"many again, and {FEWEST} are needed",
                write="log more often",
            )
        if steps[-1] < 0.95 * self.total:
            what = f"{self.name} has {plural(self.total, 'update')}, and its last loss is of {steps[-1]:.0f}"
            raise PreheatError(what, write="give the loss at the end")
        edges = np.linspace(0, len(steps), min(_POINTS, len(steps)) + 1).astype(int)[:-1]
        sizes = np.diff(np.append(edges, len(steps)))
        return np.round(np.add.reduceat(steps, edges) / sizes), np.add.reduceat(losses, edges) / sizes


def logged_runs(given: Iterable[Any], metric: str | None = None) -> list[Logged]:
    """All runs that are given: values, paths, or lists of rows; those with equal rates are one, their losses averaged.

    Raises PreheatError, naming the file, for what cannot be read, and for runs of different trainings.
    """
    if isinstance(given, str | Path | Mapping | Logged):
        given = [given]
    found = [one for source in given for one in _of(source, metric)]
    if len(trainings := sorted({one.of for one in found})) > 1:
        raise PreheatError(
            f"these are runs of {len(trainings)} trainings, and a law is of one: {', '.join(map(shown, trainings[:3]))}",
            write="give the records of one of them",
        )
    metrics = {one.metric: one.name for one in found if one.metric}
    if len(metrics) > 1:
        named = " and ".join(f"{column} in {name}" for column, name in metrics.items())
        raise PreheatError(
            f"the losses are not one quantity: {named}", write=f"write metric= ({', '.join(metrics)})", hint="metric"
        )
    together: list[list[Logged]] = []
    for one in found:
        for others in together:
            if _alike(one, others[0]):
                others.append(one)
                break
        else:
            together.append([one])
    return [_mean(ones) for ones in together]


def _alike(a: Logged, b: Logged) -> bool:
    return a.total == b.total and np.array_equal(a.steps, b.steps) and np.allclose(a.rates, b.rates, rtol=1e-6, atol=0)


def _mean(ones: Sequence[Logged]) -> Logged:
    if len(ones) == 1:
        return ones[0]
    losses = np.mean([one.losses for one in ones], axis=0)
    return replace(ones[0], name=f"{ones[0].name} and {len(ones) - 1} more", losses=losses)


def _of(source: Any, metric: str | None) -> list[Logged]:
    """The runs that one thing names."""
    if isinstance(source, Logged):
        return [source]
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            return [one for file in _records(path) for one in _of(file, metric)]
        return [_run(path.stem, _rows(path), metric)]
    if isinstance(source, Sequence) and source and all(isinstance(row, Mapping) for row in source):
        return [_run("the rows", source, metric)]
    raise PreheatError("a run is a path, a list of rows such as trainer.state.log_history, or Logged", given=source)


def _records(folder: Path) -> list[Path]:
    """The logs in a folder: those of `preheat compare` lie in runs/ inside it."""
    inside = folder / "runs" if (folder / "runs").is_dir() else folder
    found = sorted(inside.glob("*.jsonl")) or sorted(inside.glob("*.csv"))
    if not found and (folder / "trainer_state.json").is_file():
        found = [folder / "trainer_state.json"]
    if not found:
        raise PreheatError(f"{folder.name} holds no .jsonl, .csv or trainer_state.json", write="give files of runs")
    return found


def _rows(path: Path) -> list[Row]:
    """The rows of a log. Raises ParseError, naming the file, for what is none."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ParseError(f"{path.name} cannot be read: it is larger than {_LARGEST >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ParseError(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ParseError(f"{path.name} is no text") from None
    if path.suffix == ".csv":
        return list(csv.DictReader(text.splitlines(), skipinitialspace=True))
    try:
        if path.suffix == ".json":
            data = json.loads(text)
            rows = data.get("log_history") if isinstance(data, dict) else data
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise ParseError(f"{path.name} holds no log_history", write="give the Trainer's trainer_state.json")
            return rows
        return _json_lines(path, text)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, PreheatError) else ParseError(f"{path.name} is no JSON: {error}") from None


def _json_lines(path: Path, text: str) -> list[Row]:
    """The rows of JSON lines. A last line that a kill has cut off is passed over, with a PreheatWarning."""
    rows, lines = list[Row](), text.split("\n")
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if place == len(lines) and rows:  # no line end follows
                warnings.warn(f"{path.name}: line {place} is cut off, and passed over", PreheatWarning, stacklevel=2)
                break
            raise ParseError(f"{path.name} is no JSON in line {place}: {getattr(error, 'msg', error)}") from None
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _run(name: str, rows: Sequence[Row], metric: str | None) -> Logged:
    """The run that the rows tell of. Where a step is lower than the one before, training went back and the rows are redone."""
    rows = [_usual(row) for row in rows]
    steps = _known(name, rows, _STEPS, "the number of the update")
    rates = _column(name, rows, steps, _known(name, rows, _RATES, "the rate", write="log the rate as lr"))
    loss = _loss_of(name, rows, metric)
    losses = _column(name, rows, steps, loss)
    if not rates or not losses:
        raise PreheatError(f"{name} has no row with a number for its rate, or for its loss")
    every = np.array(sorted(rates))
    total = int(max(every[-1], max(losses) - 1)) + 1
    _refuse_many(name, total, [*rates, *losses])
    if every[0] > 0.05 * total:
        raise PreheatError(f"{name} logs its rate from update {every[0]} of {total} on; the sum of all rates is needed")
    at = np.array(sorted(losses))
    return Logged(
        name,
        np.interp(np.arange(total), every, [rates[step] for step in every]),
        at,
        np.array([losses[step] for step in at]),
        _training(rows),
        loss,
    )


def _usual(row: Row) -> Row:
    """The row with the names of its columns as they usually are: "Step" is step, where there is no other."""
    plain = {key.strip().lower(): value for key, value in row.items() if isinstance(key, str)}
    return plain | dict(row)


def _refuse_many(name: str, total: int, steps: Sequence[int]) -> None:
    """Refuse a run of more updates than are looked at one by one: what counts its steps is something else."""
    if total > MOST:
        every = gcd(*steps)
        unit = f"they are all multiples of {every:,}: " if every > 1 else ""
        raise PreheatError(
            f"{name} has steps up to {total - 1:,}, and at most {MOST:,} updates are looked at one by one",
            write=f"{unit}if they count tokens or samples, divide them by those of an update",
        )


def _column(name: str, rows: Sequence[Row], step_name: str, column: str) -> dict[int, float]:
    """Steps and values of one column, what was redone once."""
    kept: dict[int, float] = {}
    for row in rows:
        step, value = _number(row.get(step_name)), _number(row.get(column))
        if step is None or value is None:
            continue
        if not (step >= 0 and step.is_integer()):
            raise PreheatError(
                f"{name}: steps are whole numbers from 0", given=row[step_name], write="give the number of the update"
            )
        if kept and step < next(reversed(kept)):
            kept = {at: old for at, old in kept.items() if at < step}
        kept[int(step)] = value
    return kept


def _number(value: Any) -> float | None:
    """A number, also as text: CSV has nothing else, and JSON has no other word for what is not finite. A list of equal ones, as
    get_last_lr() gives, is one.
    """
    if isinstance(value, list) and value and all(one == value[0] for one in value):
        value = value[0]
    if value is None or isinstance(value, bool | list | dict):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _known(name: str, rows: Sequence[Row], words: Sequence[str], what: str, write: str = "") -> str:
    """The first of `words` that is a column of numbers."""
    for word in words:
        if any(_number(row.get(word)) is not None for row in rows):
            return word
    if there := next((word for word in words if any(isinstance(row.get(word), list) for row in rows)), None):
        what = f"{name} has lists in its column {there}, and one number is needed for {what}"
        raise PreheatError(what, write="log that of one group of parameters")
    raise PreheatError(f"{name} has no column for {what}: {' or '.join(words[:2])}; {_seen(rows)}", write=write)


def _seen(rows: Sequence[Row]) -> str:
    """Which columns there are, in words."""
    names = dict.fromkeys(str(name) for row in rows for name in row)
    return f"its columns are {shown(', '.join(names), 120)}" if names else "it has no rows"


def _loss_of(name: str, rows: Sequence[Row], metric: str | None) -> str:
    """The column of the loss: the one that is asked for, or the first of the usual ones that is a curve."""
    counts: dict[str, int] = {}
    for row in rows:
        for column, value in row.items():
            counts[str(column)] = counts.get(str(column), 0) + (_number(value) is not None)
    if metric is not None:
        if not counts.get(metric):
            raise PreheatError(f"{name} has no numbers called {shown(metric)}{nearest(metric, counts)}")
        return metric
    enough = [one for one in LOSSES if counts.get(one, 0) >= FEWEST]
    if not enough:
        raise PreheatError(
            f"{name} has no {FEWEST} values of {', '.join(LOSSES[:4])}; {_seen(rows)}",
            write="log more often, or name the metric",
        )
    return enough[0]


def _training(rows: Sequence[Row]) -> str:
    """What a record of `preheat compare` says was trained."""
    head = rows[0] if rows and rows[0].get("kind") == "run" else {}
    named = (f"{key} {value}" for key in ("study", "task", "options") if (value := head.get(key)))
    return ", ".join(named)
