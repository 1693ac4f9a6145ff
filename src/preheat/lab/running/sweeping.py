"""A range test of a command: the script follows the sweep as its schedule, and is ended when enough was logged."""

import math
from collections.abc import Mapping
from pathlib import Path

from preheat.core.constructors import ramp
from preheat.core.errors import PreheatError
from preheat.core.stated import Absolute
from preheat.lab.experiment import Arm, Metric, Study, Trial
from preheat.lab.records.attempts import row_of
from preheat.lab.records.files import lines_of, opened, removed
from preheat.lab.records.record import LARGEST
from preheat.lab.records.series import Logged
from preheat.lab.running.command import TRAINER, LaunchOptions, run
from preheat.measure.rates.suggesters import Smoother, Sweep

_LOSS, _RATE = "loss", "lr"
_LOGGED = 0.9  # of the updates: with fewer the curve is another one


class _EnoughError(Exception):
    """The sweep is over, and the script may not be."""


class _Reports:
    """What a command logs, in the place of the log of a run."""

    def __init__(self, trial: Trial, path: Path, updates: int) -> None:
        self.trial, self.path, self._updates = trial, path, updates
        self._rows, self._smoother, self._seen = list[tuple[int, Mapping[str, float]]](), Smoother(), -1

    def __call__(self, /, step: int, **metrics: float) -> None:
        self._rows.append((step, metrics))

    def progress(self, step: int, line: Mapping[str, float]) -> None:
        """Raises _EnoughError where the sweep is over."""
        if _LOSS in line and step > self._seen:  # lines may be shown twice
            self._seen = step
            self._smoother.add(line[_LOSS])
            if self._smoother.diverged or step >= self._updates - 1:
                raise _EnoughError

    @property
    def last(self) -> int:
        return self._rows[-1][0] if self._rows else -1

    def logged(self) -> Logged:
        return Logged(self._rows)

    def read(self) -> Logged:
        """What is in the file of a command that was ended, or failed."""
        try:
            with opened(self.path.with_suffix(".metrics"), LARGEST) as file:
                whole = [line for line in lines_of(file) if line.strip()]
        except PreheatError:
            return Logged()
        rows = []
        for number, line in enumerate(whole, start=1):
            try:
                rows.append(row_of(line, number))
            except PreheatError:
                if number < len(whole):  # the last may have been cut when the command was ended
                    raise
        return Logged(rows)


def swept_command(options: LaunchOptions, rates: tuple[float, float, int], seed: int, folder: Path) -> Sweep:
    """One sweep of a command, from the lowest rate towards the highest in so many updates.

    The script gets the rates by `preheat.from_env()` and reports by `preheat.log(step, loss=…)`, best with lr=…, which is
    then checked. It is ended where the sweep is; what it printed stays in `folder`.
    Raises PreheatError where it fails before the loss has risen, logs no loss, or trains at other rates.
    """
    low, high, updates = rates
    arm = Arm("sweep", Absolute(ramp(low, high, updates, shape="exponential")))
    study = Study("sweep", "launch", options, (arm,), (seed,), updates, TRAINER, (Metric(_LOSS),), prefix="find")
    trial = Trial(study, arm, seed)
    folder.mkdir(parents=True, exist_ok=True)
    reports = _Reports(trial, (folder / f"{trial.name}.jsonl").resolve(), updates)
    left = [reports.path.with_suffix(ending) for ending in (".metrics", ".attempt")]
    for file in left:
        removed(file)
    try:
        run(options, trial.target, seed, reports, steps=updates)  # type: ignore[arg-type]
        logged = reports.logged()
    except _EnoughError:
        logged = reports.read()
    except PreheatError:
        logged = reports.read()
        if not _sweep_of(logged, rates).stopped:
            raise
    for file in left:
        removed(file)
    found = _sweep_of(logged, rates)
    if not found.stopped and len(found.losses) < _LOGGED * updates:
        raise PreheatError(
            f"the script logged the loss of {len(found.losses)} of the {updates} updates of the sweep",
            write="let it log every update, and train for as many, or make the sweep shorter",
        )
    return found


def _sweep_of(logged: Logged, rates: tuple[float, float, int]) -> Sweep:
    """The sweep that was logged. Raises PreheatError where its rates are others."""
    low, high, updates = rates
    table = logged.tables().get("")
    steps, losses = (table.steps, table.columns.get(_LOSS, ())) if table else ((), ())
    own = table.columns.get(_RATE, ()) if table else ()
    smoother, found, at = Smoother(), list[float](), list[float]()
    for place, (step, loss) in enumerate(zip(steps, losses, strict=False)):
        if step >= updates or (found and smoother.diverged):
            break
        rate = low * (high / low) ** (step / updates)
        if own and not math.isnan(own[place]):
            _check_rate(step, own[place], rate, (high / low) ** (1 / updates))
        at.append(rate)
        found.append(loss)
        smoother.add(loss)
    return Sweep(tuple(at), tuple(found), updates, bool(found) and smoother.diverged)


def _check_rate(step: int, own: float, meant: float, ratio: float) -> None:
    """Refuse a rate that is not the sweep's; scripts log that of the update before or after too."""
    if not meant / ratio * 0.99 <= own <= meant * ratio * 1.01:
        raise PreheatError(
            f"at update {step} the script trained at {own:.3g}, and the sweep is at {meant:.3g}",
            write="let it follow preheat.from_env(), one step for each update",
        )
