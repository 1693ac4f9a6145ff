"""The arguments that recipes share, resolved once: what is given in one of two ways, and how the parts fill a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from preheat.core.checks import Number, finite_number, int_if_whole, positive_number, ticks
from preheat.core.constructors import hold, ramp
from preheat.core.errors import BindError, PreheatError, shown, writable
from preheat.core.node import Schedule
from preheat.core.spans import Run, Span, SpanLike, lasting
from preheat.core.stated import Absolute


class Rates(NamedTuple):
    """The values a recipe moves between, all in one unit: rates if a peak_lr was given, else factors of the peak."""

    start: float | None  # None: not asked for, so 0
    peak: float
    floor: float
    absolute: bool  # whether a peak_lr was given

    def stated(self, schedule: Schedule) -> Schedule | Absolute:
        """What a recipe gives: rates if a peak_lr was given, else factors."""
        return Absolute(schedule) if self.absolute else schedule


def exact(value: object, what: str) -> Fraction:
    """A number as the decimal that it prints as: 0.999 is 999/1000, whatever the float is."""
    return Fraction(repr(finite_number(value, what)))


def rates(
    peak_lr: float | None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    start_lr: float | None = None,
    start_ratio: float | None = None,
) -> Rates:
    """The start, the peak and the floor, from rates (which need a peak_lr) or from ratios of the peak."""
    peak = 1.0 if peak_lr is None else positive_number(peak_lr, "peak_lr")
    start = _level("start_lr", start_lr, "start_ratio", start_ratio, peak_lr)
    floor = _level("min_lr", min_lr, "min_lr_ratio", min_lr_ratio, peak_lr)
    return Rates(start, peak, 0.0 if floor is None else floor, peak_lr is not None)


def length(phase: str, steps: SpanLike | None, ratio: float | None) -> Span | None:
    """The length of a phase, from `<phase>_steps` or `<phase>_ratio`; None if neither is given."""
    _one_of(f"{phase}_steps", steps, f"{phase}_ratio", ratio)
    if ratio is not None:
        return share(f"{phase}_ratio", ratio, f", or {phase}_steps=2000")
    if steps is None:
        return None
    span = spanned(steps)
    if span.is_rest:
        raise PreheatError(
            f"{phase}_steps cannot be 'rest'", write="write a length such as 2000, '500M tokens' or '5%'"
        )
    if span.is_bare and 0 < span.value < 1:  # type: ignore[operator]
        raise PreheatError(
            f"{phase}_steps={steps!r} is less than one update",
            write=f"for a share of the run write {phase}_ratio={steps!r}",
        )
    return span


def spanned(value: SpanLike) -> Span:
    """A length as a Span."""
    return value if isinstance(value, Span) else Span(value)


def share(name: str, ratio: float, instead: str = "") -> Span:
    """A share of the run as a span: 0.07 is '7%', never 7.000000000000001 %."""
    number = finite_number(ratio, name)
    if not 0 <= number <= 1:
        what = f"{name} is a share of the run, from 0 to 1"
        raise PreheatError(what, given=ratio, write=f"write {name}=0.05{instead}")
    return Span(f"{Decimal(repr(number)).scaleb(2):f}%")


def warmed(warm: Span | None, rate: Rates, main: Schedule) -> Schedule | Absolute:
    """`main` after its warmup, or alone if none was asked for."""
    _warmup_for_start(warm, rate)
    return rate.stated(main if warm is None else ramp(rate.start or 0.0, rate.peak, warm) >> main)


def dampened(warm: Span | None, rate: Rates, main: Schedule) -> Schedule | Absolute:
    """`main`, which counts from update 0, times its warmup; alone if none was asked for."""
    _warmup_for_start(warm, rate)
    if warm is None:
        return rate.stated(main)
    first = exact(rate.start or 0.0, "start") / exact(rate.peak, "peak")
    return rate.stated((ramp(float(first), 1.0, warm) >> hold()) * main)


def filled(
    schedule: Schedule | Absolute, total_steps: int | None, warm: Span | None = None, cool: Span | None = None
) -> Schedule | Absolute:
    """`schedule` bound to total_steps updates, if they are given; refused where its phases do not fit."""
    if total_steps is None:
        return schedule
    run = Run(total=_count(total_steps))
    spans = {word: span for word, span in (("warmup", warm), ("decay", cool)) if span is not None}
    needed = sum((_updates(span, run) for span in spans.values()), Fraction(0))
    if needed > run.total:  # type: ignore[operator]
        written = " and ".join(f"a {word} of {span}" for word, span in spans.items())
        raise PreheatError(
            f"{written} would take {float(needed):g} updates, more than the whole run of total_steps={run.total}",
            write="write fewer, a share such as warmup_ratio=0.05, or a larger total_steps",
        )
    return schedule.bind(run)


def gaps(milestones: Sequence[SpanLike]) -> list[Span]:
    """The lengths between milestones, which rise from 0 in one unit."""
    if isinstance(milestones, str) or not isinstance(milestones, Iterable):
        raise PreheatError(
            "milestones are a list", given=milestones, write=f"write [{writable(milestones, 'first, second')}]"
        )
    given = list(milestones)
    spans = [spanned(lasting("milestones", milestone)) for milestone in given]
    if any(span.is_rest for span in spans):
        what = f"a milestone is a moment of the run, not 'rest', in {shown(given)}"
        raise PreheatError(what, write="leave it out")
    read = [span.parts for span in spans]
    if len({unit for _, unit in read}) > 1:
        raise PreheatError("milestones need one unit", given=given, write="write ['30 epochs', '60 epochs']")
    edges = [Fraction(0), *(amount for amount, _ in read)]
    if not spans or any(a >= b for a, b in pairwise(edges)):
        raise PreheatError("milestones must rise from above 0", given=given, write="write [30_000, 60_000]")
    unit = read[0][1]
    return [_span(b - a, unit) for a, b in pairwise(edges)]


def updates(what: str, value: SpanLike) -> Number:
    """A length that must be a plain number of updates, because a value depends on it."""
    span = spanned(value)
    if isinstance(span.value, str) or span.value < 1:
        raise PreheatError(f"{what} must be a number of updates, 1 or more", given=value, write=f"write {what}=4000")
    return span.value


def time_constant(beta2: float, times: int) -> Number:
    """times/(1 − β₂) from the decimal that β₂ prints as: 0.999 gives exactly 1000 · times."""
    decimal = exact(beta2, "beta2")
    if not 0 <= decimal < 1:
        raise PreheatError("beta2 must lie in [0, 1)", given=beta2, write="Adam's default is 0.999")
    return int_if_whole(times / (1 - decimal))


def _level(name: str, rate: float | None, other: str, ratio: float | None, peak_lr: float | None) -> float | None:
    """A value given as a rate or as a ratio of the peak."""
    _one_of(name, rate, other, ratio)
    if ratio is not None:
        share = exact(ratio, other)
        if not 0 <= share <= 1:
            what = f"{other} is a share of the peak, from 0 to 1"
            raise PreheatError(what, given=ratio, write=f"write {other}=0.1")
        return float(share * (1 if peak_lr is None else exact(peak_lr, "peak_lr")))
    if rate is None:
        return None
    if peak_lr is None:
        raise PreheatError(
            f"{name}={rate!r} is a rate, and without peak_lr this schedule is a factor of the optimizer's own rate",
            write=f"write peak_lr=… too, or {other}=0.1",
        )
    if not 0 <= finite_number(rate, name) <= peak_lr:
        raise PreheatError(f"{name} must lie between 0 and peak_lr={peak_lr!r}", given=rate)
    return finite_number(rate, name)


def _one_of(a: str, first: object, b: str, second: object) -> None:
    if first is not None and second is not None:
        what = f"{a}={shown(first)} and {b}={shown(second)} say the same thing twice"
        raise PreheatError(what, write="keep one of them")


def _warmup_for_start(warm: Span | None, rate: Rates) -> None:
    if warm is None and rate.start is not None:
        what = "start_lr and start_ratio are where a warmup starts"
        raise PreheatError(what, write="give warmup_steps or warmup_ratio too")


def _updates(span: Span, run: Run) -> Fraction:
    try:
        return span.exact(run)
    except BindError as error:
        raise PreheatError(
            f"{span} cannot be told from total_steps={run.total} alone: {error}",
            write="leave total_steps out and bind the schedule to that Run",
        ) from None


def _count(total_steps: object) -> int:
    if isinstance(total_steps, str | Span) and not (span := spanned(total_steps)).is_bare:
        raise PreheatError(
            "total_steps is a number of updates",
            given=total_steps,
            write=f"leave it out and bind the schedule to Run(total={writable(total_steps, 'total')}, …)",
        )
    count = ticks(span.value if isinstance(total_steps, str | Span) else total_steps, "total_steps")
    if not isinstance(count, int) or count < 1:
        raise PreheatError("total_steps must be a whole number of updates above 0", given=total_steps)
    return count


def _span(amount: Fraction, unit: str) -> Span:
    """A length of a milestone's unit, exact: an amount that was read from decimals has a finite decimal."""
    if not unit:
        return Span(int_if_whole(amount))
    digits = Decimal(amount.numerator) / Decimal(amount.denominator)
    return Span(f"{digits:f}%" if unit == "%" else f"{digits:f} {unit}")
