"""How far the values of a schedule reach, told from its text alone, and the refusal of factors whose peak is not 1.

Every kind of node says its own bounds (`_bounds`), by interval arithmetic over those of its parts. They hold for every run: a
curve that comes ever closer to 1 has 1 as its bound, however short the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from preheat.core.errors import PreheatError, writable

if TYPE_CHECKING:
    from preheat.core.plan import Line, Plan

_NEAR = 1e-6  # how far from 1 a peak may be
_USUAL = 0.01, 100.0  # what a whole schedule of factors is scaled by; a group is given any multiple of the others' rate


class Bounds(NamedTuple):
    """The least and the greatest value of a schedule, whatever the run.

    exact: whether some moment comes as near as one likes to both; else they are only bounds.
    constant: what `.scaled(k)` multiplies all of it by, 1 where that is not said; None if it is 0 everywhere.
    """

    low: float
    high: float
    exact: bool = True
    constant: float | None = 1.0

    @property
    def is_constant(self) -> bool:
        """Whether it is one value."""
        return self.low == self.high

    def loosely(self) -> Bounds:
        """The same values as bounds only."""
        return self._replace(exact=False)

    def times(self, factor: float) -> Bounds:
        """Those of k · s."""
        low, high = sorted((_product(self.low, factor), _product(self.high, factor)))
        constant = None if self.constant is None or factor == 0 else self.constant * factor
        return Bounds(low, high, self.exact, constant)

    def at_most(self, factor: float) -> float:
        """The greatest value if a constant of the text is divided out."""
        return (self.high if factor > 0 else self.low) / factor


UNKNOWN = Bounds(-math.inf, math.inf, exact=False)


def between(low: float, high: float, exact: bool) -> Bounds:
    """Those of a part that takes values between two ends, given in any order."""
    low, high = min(low, high), max(low, high)
    return Bounds(low, high, exact, None if low == high == 0 else 1.0)


def in_turn(parts: Iterable[Bounds]) -> Bounds:
    """Those of what is one part now and another part then."""
    every = tuple(parts)
    low, high = min(one.low for one in every), max(one.high for one in every)
    return Bounds(low, high, all(one.exact for one in every), _common(every))


def lesser(operands: Iterable[Bounds]) -> Bounds:
    """Those of the least of several at the same time."""
    every = tuple(operands)
    return Bounds(min(one.low for one in every), min(one.high for one in every), _settled(every), _common(every))


def greater(operands: Iterable[Bounds]) -> Bounds:
    """Those of the greatest of several at the same time."""
    every = tuple(operands)
    return Bounds(max(one.low for one in every), max(one.high for one in every), _settled(every), _common(every))


def total(operands: Iterable[Bounds]) -> Bounds:
    """Those of a sum."""
    every = tuple(operands)
    return Bounds(sum(one.low for one in every), sum(one.high for one in every), _settled(every), _common(every))


def product(operands: Iterable[Bounds]) -> Bounds:
    """Those of a product."""
    every = tuple(operands)
    low, high, constant = 1.0, 1.0, 1.0
    for one in every:
        ends = [_product(a, b) for a in (low, high) for b in (one.low, one.high)]
        low, high = min(ends), max(ends)
        constant *= one.constant or 0.0
    return Bounds(low, high, _settled(every), constant or None)


def peak_of(schedule: Any) -> Bounds:
    """The least and the greatest value of a schedule, of rates or of factors, from its text alone.

    >>> from preheat import decay, warmup
    >>> peak_of((warmup("5%") >> decay(to=0.1)).scaled(0.5))[:2]
    (0.0, 0.5)
    """
    return getattr(schedule, "schedule", schedule)._bounds()


def refuse_unclear(plan: Plan, base: Callable[[Line], float | None]) -> None:
    """Refuse a line of factors whose peak is not 1, unless it says `relative(s)`: it may be meant as rates.

    base: what a line's factors multiply, None where that is not known. A constant k that `.scaled(k)` gives to all of a
    schedule is divided out: any on a line that names a group, from 0.01 to 100 on the others.

    Raises PreheatError that shows what the value would have been, and every way to write what was meant.
    """
    for line in plan.lines:
        if not line.is_absolute and not line.is_relative and not _peaks_at_one(peak_of(line.schedule), line.group):
            own, name = base(line), "rate" if line.is_rate else line.hyper
            would = "" if own is None else f": times {own:g}, which it was given, the {name} would reach {{:g}}"
            where = "" if tuple(plan) == ("lr",) else f" of {line.key!r}"
            raise _unclear(line.schedule, where, would, own or 0.0, _cure(line))


def peaks_at_one(schedule: Any) -> bool:
    """Whether the peak of a schedule is known to be 1, so that it can only be factors."""
    return _peaks_at_one(peak_of(schedule), None)


def refuse_unclear_peak(schedule: Any, peak: float) -> None:
    """The same for one schedule of factors that is to become rates, `peak` being what factor 1 stands for."""
    if not peaks_at_one(schedule):
        raise _unclear(schedule, "", f": with peak={peak:g} the rate would reach {{:g}}", peak, _AT_ONE)


_AT_ONE = ", or a schedule that peaks at 1, with peak= for the rate there"


def _cure(line: Line) -> str:
    """What else may be written: a peak is that of rates, and a group has a multiple of it."""
    if line.group is not None:
        return ", or s.scaled(k), where s peaks at 1"
    return _AT_ONE if line.is_rate else ", or a schedule that peaks at 1"


def _unclear(schedule: Any, where: str, would: str, own: float, cure: str) -> PreheatError:
    bounds, text = peak_of(schedule), writable(schedule, "…", 60)
    around = " around all of it" if text == "…" else ""
    if bounds.high == math.inf:
        what, would = f"how far the factors{where} reach is not known", ""
    else:
        what = f"the factors{where} reach up to {bounds.high:g}, not 1"
    return PreheatError(
        f"{what}{would.format(own * bounds.high)}",
        write=f"write absolute({text}){around} if these are the values themselves, relative({text}) if they are meant as "
        f"factors{cure}",
    )


def _peaks_at_one(bounds: Bounds, group: str | None) -> bool:
    if bounds.constant is None or bounds.low == bounds.high == 0 or abs(bounds.high - 1.0) <= _NEAR:
        return True
    k = bounds.constant
    allowed = group is not None or _USUAL[0] <= k <= _USUAL[1]
    return allowed and math.isfinite(k) and abs(bounds.at_most(k) - 1.0) <= _NEAR


def _common(parts: tuple[Bounds, ...]) -> float | None:
    """The constant that all parts share, those that are 0 aside."""
    found = [one.constant for one in parts if one.constant is not None]
    if not found:
        return None
    return found[0] if all(math.isclose(k, found[0], rel_tol=1e-12) for k in found) else 1.0


def _settled(operands: tuple[Bounds, ...]) -> bool:
    """Whether operands at the same time make exact ends: at most one of them moves, and its own are exact."""
    moving = [one for one in operands if not one.is_constant]
    return len(moving) <= 1 and all(one.exact for one in moving)


def _product(a: float, b: float) -> float:
    """0 · ∞ is 0 here: what is always 0 stays so."""
    return 0.0 if a == 0 or b == 0 else a * b
