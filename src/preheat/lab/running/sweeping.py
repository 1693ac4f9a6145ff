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
from preheat.measure.rates.suggesters import Smoother, Sweep, check_loss

_LOSS, _RATE = "loss", "lr"
_SHIFTS = (1, -1, 2, -2, 3, -3)  # by how many updates a script may be beside the sweep and be told so
_LATE = "log lr before scheduler.step(), with the loss of the same update"
_EARLY = "count updates from 0: write preheat.log(step - 1, …) where the first is 1"
_CALL = "call preheat.log(step, loss=…, lr=…) at every update, counted from 0"
_NEAR = 1e-6  # relative, between a rate that was logged and the sweep's: what single precision leaves
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
            if self._smoother.diverged or line[_LOSS] < 0 or step >= self._updates - 1:
                raise _EnoughError

    @property
    def last(self) -> int:
        return self._rows[-1][0] if self._rows else -1

    def logged(self) -> Logged:
        """What a command that has ended well logged. Raises PreheatError where no loss is in it."""
        found = Logged(self._rows)
        table = found.tables().get("")
        if table is None or _LOSS not in table.columns:
            names = f", but {', '.join(table.columns)}" if table and table.columns else ""
            raise PreheatError(f"the script logged no loss{names}", write=_CALL)
        return found

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
    updates = rates[2]
    table = logged.tables().get("")
    steps, losses = (table.steps, table.columns.get(_LOSS, ())) if table else ((), ())
    own = table.columns.get(_RATE, ()) if table else ()
    smoother, found, at = Smoother(), list[float](), list[float]()
    trained = dict[int, float]()
    for place, (step, loss) in enumerate(zip(steps, losses, strict=False)):
        if step >= updates or (found and smoother.diverged):
            break
        if own and not math.isnan(own[place]):
            trained[step] = own[place]
        check_loss(loss, smoother.add(loss), len(found))
        at.append(_meant(rates, step))
        found.append(loss)
    _check_rates(trained, rates)
    if at and not trained and at[0] > rates[0]:
        raise PreheatError(
            f"the first update that the script logged is {next(iter(steps))}, and the first of a sweep is 0",
            write=_CALL,
        )
    return Sweep(tuple(at), tuple(found), updates, bool(found) and smoother.diverged, bool(trained))


def _meant(rates: tuple[float, float, int], step: int) -> float:
    low, high, updates = rates
    return low * (high / low) ** (step / updates)


def _check_rates(trained: Mapping[int, float], rates: tuple[float, float, int]) -> None:
    """Refuse rates that are not the sweep's, and name the shift where they are those of other updates."""

    def agree(shift: int) -> bool:
        return all(math.isclose(own, _meant(rates, step + shift), rel_tol=_NEAR) for step, own in trained.items())

    if agree(0):
        return
    if (shift := next((one for one in _SHIFTS if agree(one)), 0)) != 0:
        what = f"the script logged the rate of update i {'+' if shift > 0 else '−'} {abs(shift)} at update i"
        raise PreheatError(what, write=_LATE if shift > 0 else _EARLY)
    step, own = next(
        (step, own) for step, own in trained.items() if not math.isclose(own, _meant(rates, step), rel_tol=_NEAR)
    )
    raise PreheatError(
        f"at update {step} the script trained at {own:.9g}, and the sweep is at {_meant(rates, step):.9g}",
        write="let it follow preheat.from_env(), one step for each update, and log lr as it is, not rounded",
    )
