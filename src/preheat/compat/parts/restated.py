"""What another library's scheduler computes, as a value: the schedule, what else it moves, and what to know about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from preheat.compat.parts.curves import multiplied
from preheat.core.checks import Number, positive_number
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.meant import Meant
from preheat.core.node import Schedule
from preheat.core.peaks import peaks_at_one
from preheat.core.plan import RATE, Plan
from preheat.core.spans import Run
from preheat.core.stated import Absolute, Evaluated, Relative, plain
from preheat.core.text.language import parse

Curve = Schedule | Absolute | Relative


class Restated(Meant, Evaluated):
    """A scheduler of another library, restated: its values at every update, equal to what that library computes.

    schedule: the learning rate: factors where `base_lr` was left at 1, else rates.
    others: what else it moves, as pairs of a plan's key and its schedule: momentum, weight decay, the rate of one group.
    findings: what that library does that one should know; see Finding.
    base_lr: the optimizer's rate, which the factors have been multiplied by; None where it is not said, or not used.

    It is called, tabled, measured and bound like its schedule, and whatever takes a schedule takes it.

    >>> from preheat import compat
    >>> s = compat.transformers.linear(num_warmup_steps=2, num_training_steps=6)
    >>> s, s.table(6).tolist()
    (ramp(0.0, 1.0, 2) >> ramp(1.0, 0.0, 4), [0.0, 0.5, 1.0, 0.75, 0.5, 0.25])
    >>> compat.transformers.constant(num_warmup_steps=2).findings[0].code
    'ignored-argument'
    """

    __slots__ = ("base_lr", "findings", "others", "schedule")

    schedule: Curve
    others: tuple[tuple[str, Curve], ...]
    findings: tuple[Finding, ...]
    base_lr: float | None

    def __init__(
        self,
        schedule: Curve,
        others: Mapping[str, Curve] | Iterable[tuple[str, Curve]] = (),
        findings: Iterable[Finding] = (),
        base_lr: float | None = None,
    ) -> None:
        pairs = others.items() if isinstance(others, Mapping) else others
        self._set(schedule=schedule, others=tuple(pairs), findings=tuple(findings), base_lr=base_lr)

    @classmethod
    def of(cls, target: Any, run: Run | None = None) -> Restated:
        """A schedule, rates or a plan with a line "lr", bound to a run where one is given."""
        bound = target if run is None else target.bind(run)
        if not isinstance(bound, Plan):
            return cls(bound)
        return cls(bound[RATE], {key: bound[key] for key in bound if key != RATE})

    @property
    def target(self) -> Curve | Plan:
        """What a Scheduler follows: the schedule alone, or a plan where it moves more than the rate."""
        return Plan({RATE: self.schedule} | dict(self.others)) if self.others else self.schedule

    @property
    def plan(self) -> Plan:
        """The same as a plan, with the line "lr"."""
        return Plan({RATE: self.schedule} | dict(self.others))

    def bind(self, run: Run | None = None, **kwargs: Any) -> Any:
        """The schedule, or the plan where it moves more than the rate, bound to a run: see Schedule.bind and Plan.bind."""
        target: Any = self.target if run is None else self.within(run)
        return target.bind(run, **kwargs)

    def within(self, run: Run) -> Curve | Plan:
        """The target; cut at the end of the run where the library goes on for ever, and only the schedule ends."""
        if run.total is None or not any(finding.code == "no-end" for finding in self.findings):
            return self.target
        return self.target.bind(run, truncate=True)

    def having(self, *findings: Finding) -> Restated:
        """The same with further findings."""
        return Restated(self.schedule, self.others, (*self.findings, *findings), self.base_lr)

    def __repr__(self) -> str:
        """The text of what it stands for, which `parse` reads: a plan's as JSON."""
        return self.target.to_text() if self.others else repr(self.schedule)


def factors(curve: Schedule, base_lr: float = 1.0, findings: Iterable[Finding] = ()) -> Restated:
    """What multiplies the optimizer's own rate: factors while that rate is 1, which is "not said"; else the rates."""
    base = positive_number(base_lr, "base_lr")
    if base != 1.0:
        return Restated(Absolute(multiplied(curve, base)), findings=findings, base_lr=base)
    return Restated(curve if peaks_at_one(curve) else Relative(curve), findings=findings)


def rates(curve: Schedule, base_lr: float = 1.0, findings: Iterable[Finding] = ()) -> Restated:
    """What the other library is given as rates, and writes over the optimizer's own: base_lr is not used, and told."""
    why = "the values are rates already, whatever the optimizer was built with"
    unused = ignored("base_lr", positive_number(base_lr, "base_lr"), 1.0, why)
    return Restated(Absolute(curve), findings=[*findings, *unused])


def values(curve: Schedule, base_lr: float = 1.0, findings: Iterable[Finding] = ()) -> Restated:
    """What is rates by itself, and what multiplies the optimizer's rate where that is said, as its users have it both ways."""
    return rates(curve, findings=findings) if base_lr == 1.0 else factors(curve, base_lr, findings)


def around(
    inner: Iterable[Any], made: Callable[..., Schedule], base_lr: float = 1.0, findings: Iterable[Finding] = ()
) -> Restated:
    """What a scheduler makes of others: of rates rates, of factors the factors that multiply the optimizer's rate.

    inner: restatements, rates, schedules or their text.   made: the curve, of their curves.
    Raises PreheatError where they contradict each other on the optimizer's rate, or need it and do not say it.
    """
    given = list(inner)
    known = [one for one in given if isinstance(one, Restated)]
    bases = {base_lr, *(one.base_lr for one in known if one.base_lr is not None)} - {1.0}
    if len(bases) > 1:
        raise PreheatError("all schedulers are on one optimizer, with one base_lr", given=sorted(bases))
    absolute, base = [is_rates(one) for one in given], bases.pop() if bases else 1.0
    found = [*(finding for one in known for finding in one.findings), *findings]
    if not any(absolute):
        if base != 1.0 and any(finding.code == "rate-argument" for finding in found):
            raise PreheatError(
                "a scheduler inside has a rate among its arguments", write=f"give it base_lr={base!r} too"
            )
        return factors(made(*map(curve_of, given)), base, found)
    if not all(absolute) and base == 1.0:
        what = "some of the schedulers are rates, and others factors of the optimizer's rate, which is not said"
        raise PreheatError(what, write="give base_lr=, the rate that the optimizer was built with")
    parts = [
        curve_of(one) if rate else multiplied(curve_of(one), base) for one, rate in zip(given, absolute, strict=True)
    ]
    if all(absolute) and not any(one.base_lr for one in known):
        return rates(made(*parts), 1.0 if any(finding.place == "base_lr" for finding in found) else base, found)
    return Restated(Absolute(made(*parts)), findings=found, base_lr=base)


def ignored(place: str, value: object, default: object, why: str, write: str = "") -> list[Finding]:
    """A finding where an argument that is not used was given another value than its default."""
    return [] if value == default else [Finding("ignored-argument", place, f"{value!r} is not used: {why}", write)]


def rate_argument(place: str, value: float | None, base_lr: float) -> list[Finding]:
    """A finding where an argument is a rate and the base is not said: the factors are those of a base rate of 1."""
    if base_lr != 1.0 or not value:
        return []
    what = f"{value!r} is a rate, and what it is of the peak depends on the optimizer's own rate, taken as 1 here"
    return [Finding("rate-argument", place, what, "give base_lr=, the rate that the optimizer was built with")]


def resumed(last_epoch: int) -> list[Finding]:
    """A finding where a position was given: a schedule has none, and the library's own way of resuming is often off."""
    why = "a schedule has no position; resume with the Scheduler's state"
    return ignored("last_epoch", last_epoch, -1, why)


def held(curve: Schedule, total: Number, faithful: bool, what: str) -> tuple[Schedule, list[Finding]]:
    """A curve that goes on after the run of `total` updates: as it is if faithful, else cut there, with a finding.

    what: what the other library does after the end, as a sentence.
    """
    if faithful:
        return curve, []
    cut = curve if curve.length == total else curve.truncated(total)
    return cut, [Finding("after-the-end", f"update {total}", f"{what}; here the last value is kept")]


def within(total: int | None, function: Callable[..., Restated], arguments: Mapping[str, Any]) -> Restated:
    """A restatement, which until the end of a run of `total` updates does what the library does.

    Raises PreheatError where the library itself fails before that.
    """
    found = function(**arguments)
    late = [one for one in found.findings if one.code in ("after-the-end", "raises-after-the-end")]
    if total is None or total - 1 <= found.length or not late:
        return found
    if late[0].code == "raises-after-the-end":
        what = f"the run has {total} updates, and the scheduler ends before it: {late[0].what.partition(';')[0]}"
        raise PreheatError(what, write=f"make the scheduler as long as the run, or the run {found.length + 1}")
    return function(**{**arguments, "faithful": True})


def cut(curve: Schedule, what: str = "it grows until it overflows") -> list[Finding]:
    """A finding where a curve ends that has no end in the other library."""
    if curve.length == math.inf:
        return []
    return [Finding("no-end", f"update {curve.length}", f"{what}; here the last value is kept")]


def curve_of(value: Any) -> Schedule:
    """The bare schedule of a restatement, of rates, of a schedule or its text: to compose one library's schedulers."""
    return plain(value.schedule if isinstance(value, Restated) else parse(value))


def is_rates(value: Any) -> bool:
    """Whether a restatement, a schedule or its text is said to be rates, and not factors."""
    return isinstance(value.schedule if isinstance(value, Restated) else parse(value), Absolute)
