"""How two schedules differ on their runs: the first update, the largest difference, the areas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from preheat.core.checks import counted
from preheat.core.errors import PreheatError
from preheat.core.plan import RATE
from preheat.core.spans import Run
from preheat.review.explaining.sentences import called, number, share, wrapped
from preheat.review.explaining.sentences import counted as said
from preheat.review.held import held, of_the_first, with_rates
from preheat.review.laid_out import MOST, Laid, area_of, has_factors, laid_out, on_its_run
from preheat.review.opened import subject_of
from preheat.review.subject import Subject
from preheat.session.comparison import ROUNDING, Comparison

_STRETCHED = 1e-9  # of the largest value: rounding of what is stretched to another length
_NEARBY = 1e-12  # of a time: rounding, too, which takes one side of a jump for the other


class Point(NamedTuple):
    """An update, or a place in percent of the run, and both values there."""

    at: float
    a: float
    b: float

    @property
    def difference(self) -> float:
        """b − a."""
        return self.b - self.a


class Differing(NamedTuple):
    """How one line differs over the updates that both runs have.

    start: the first update that is compared: where a run under way stands, else 0.   updates: how many are, from there on.
    first: the first update whose values differ, of what never ends however late it comes; None where none does.
    largest: the one where they differ most, None where none does.   areas: the sum of the values of each.   highest: the
    largest absolute value of both.   These three are of `updates`, which of what never ends are the first ones.
    asked: at the update asked for.   shares: the same as first and largest, compared at equal shares of the runs; None where
    that was not asked for.   unknown: the update from which on it is not known whether they differ; None where it is known.
    """

    key: str
    lines: tuple[Laid, Laid]
    start: int
    updates: int
    first: Point | None
    largest: Point | None
    areas: tuple[float, float]
    highest: float
    asked: Point | None = None
    shares: tuple[Point | None, Point | None] | None = None
    unknown: int | None = None

    @property
    def ends(self) -> bool:
        """Whether one of the two has an end."""
        return any(line.ends for line in self.lines)


@dataclass(frozen=True, repr=False)
class Difference:
    """How `b` differs from `a`; false where it does not. Printed, it is sentences.

    Of a run under way, a checkpoint's, only what is to come is compared.
    lines: one Differing for each line that both have.   only: the lines that only a has, and only b.
    totals: the updates of each run; None of what never ends.

    >>> from preheat import diff
    >>> print(diff("warmup(10) >> decay(90)", "warmup(20) >> decay(80)").lines[0].first)
    Point(at=1, a=0.1, b=0.05)
    """

    a: Subject
    b: Subject
    lines: tuple[Differing, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    totals: tuple[int | None, int | None]
    as_factors: bool = False

    @property
    def is_equal(self) -> bool:
        """Whether both have the same lines, runs of the same length, and the same value at every update."""
        same = self.totals[0] == self.totals[1] and not any(self.only)
        return same and all(one.first is None for one in self.lines)

    def __bool__(self) -> bool:
        return not self.is_equal

    @property
    def sentences(self) -> list[str]:
        """All that it says."""
        several = len(self.lines) > 1
        return [*_heading(self), *(text for one in self.lines for text in _line(one, several))]

    def to_dict(self) -> dict[str, Any]:
        """All its numbers and sentences as plain data, for JSON."""
        return {
            "a": self.a.name,
            "b": self.b.name,
            "equal": self.is_equal,
            "totals": list(self.totals),
            "only": [list(keys) for keys in self.only],
            "lines": [_data(one) for one in self.lines],
            "sentences": self.sentences,
        }

    def __str__(self) -> str:
        return "\n".join(wrapped(self.sentences))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(text)}</p>" for text in self.sentences)


def diff(
    a: Any,
    b: Any,
    at: int | None = None,
    *,
    run: Run | None = None,
    peak: float | None = None,
    by_share: bool = False,
) -> Difference:
    """How two schedules differ: the first update whose values do, where they differ most, and their areas.

    a, b: a schedule, rates, a plan, text, a preset's name, or the path of a config or a checkpoint. What has no run of its own
    is bound to the other's.   at: an update whose values are shown, too.   run: of those that do not say it.
    peak: the rate that factor 1 stands for, of factors that hold none, as those of a checkpoint do.   by_share: also compare
    them at equal shares of their runs, at those of every update of either.

    Of a run under way, a checkpoint's, what is to come is compared. Where neither ends all time is, by the formulas.
    Values are the same where they differ by rounding only (1e-14 of their own size), as they are when a run is resumed.
    Raises PreheatError where one cannot be read or bound, for factors against rates without a peak, for two clocks,
    and where it is not to be known whether what never ends is equal.
    """
    first, second = subject_of(a, run), subject_of(b, run)
    return compared(first, second, None if at is None else counted(at, "at= takes an update"), peak, by_share)


def compared(
    a: Subject, b: Subject, at: int | None = None, peak: float | None = None, by_share: bool = False
) -> Difference:
    """The same of two subjects."""
    a, b = on_its_run(a, b), on_its_run(b, a)
    without = [one for one in (a, b) if has_factors(one) and not held(one)]
    if peak is not None and not without:
        what = "peak= (--peak) makes rates of factors whose rate is not known, and both are rates or hold theirs"
        raise PreheatError(what, given=peak, write="leave it out")
    as_factors = peak is None and has_factors(a) and has_factors(b) and any(one.peak is None for one in without)
    if as_factors:
        a, b = a._replace(peak=None), b._replace(peak=None)
    else:
        a, b = (with_rates(one, peak if one in without else None) for one in (a, b))
    ours, theirs = _paired(*({line.key: line for line in laid_out(one)} for one in (a, b)))
    position = max(a.position, b.position)
    lines = [_differing((ours[key], theirs[key]), position, at, by_share) for key in ours if key in theirs]
    only = tuple(key for key in ours if key not in theirs), tuple(key for key in theirs if key not in ours)
    lengths = [one.updates if one.ends else None for one in (next(iter(ours.values())), next(iter(theirs.values())))]
    totals = lengths[0] or lengths[1], lengths[1] or lengths[0]  # what never ends goes on as long as the other
    found = Difference(a, b, tuple(lines), only, totals, as_factors)
    if found.is_equal:
        _check_known(found)
    return found


def _paired(ours: dict[str, Laid], theirs: dict[str, Laid]) -> tuple[dict[str, Laid], dict[str, Laid]]:
    """Both by their lines; a rate of all groups beside one for each stands for each of them."""
    for one, other in ((ours, theirs), (theirs, ours)):
        if RATE in one and RATE not in other and (groups := [key for key in other if other[key].is_rate]):
            line = one.pop(RATE)
            one |= {key: line for key in groups if key not in one}
    return ours, theirs


def _check_known(found: Difference) -> None:
    """Refuse to call equal what was not decided."""
    for one in found.lines:
        if one.unknown is not None:
            what = f"whether they differ from {one.lines[0].unit} {one.unknown:,} on is not known: before it they are equal"
            raise PreheatError(what, write="give a run, total= (--total), up to whose end they are compared")


def _differing(lines: tuple[Laid, Laid], position: float, at: int | None, by_share: bool) -> Differing:
    """How one line differs from a position on, in ticks. Of a run that is over, what its next update would use."""
    a, b = lines
    comparable(a, b)
    import numpy

    ends = [line.updates for line in lines if line.ends]
    start, stop = math.ceil(position / a.tick), min(ends) if ends else max(a.updates, b.updates)
    stop = max(stop, start + 1)
    first, unknown = first_apart(a, b, start, stop if a.ends and b.ends else None)
    if first is not None and first.at >= stop:
        stop = int(first.at) + 1
    ours, theirs = (line.values(start, min(stop, start + MOST)) for line in lines)
    largest = None if first is None else _point(a, b, start + int(numpy.argmax(numpy.abs(ours - theirs))))
    if first is not None and largest is not None and abs(first.difference) > abs(largest.difference):
        largest = first
    return Differing(
        key=a.key if "/" in a.key else b.key,
        lines=lines,
        start=start,
        updates=len(ours),
        first=first,
        largest=largest,
        areas=(area_of(ours), area_of(theirs)),
        highest=float(max(numpy.abs(ours).max(), numpy.abs(theirs).max())),
        asked=None if at is None else _point(a, b, at),
        shares=_by_share(a, b) if by_share else None,
        unknown=unknown,
    )


def comparable(a: Laid, b: Laid) -> None:
    """Refuse two that have nothing to compare."""
    if a.rates != b.rates:
        which = ("the first", "the second") if b.rates else ("the second", "the first")
        what = f"{which[0]} is factors of a {'rate' if a.is_rate else 'value'} that is not known, and {which[1]} is the value"
        where = "" if a.key == "lr" else f"the line {a.key!r}: "
        write = "give peak= (--peak), the rate that factor 1 stands for" if a.is_rate else "write both as absolute(…)"
        raise PreheatError(where + what + " itself", write=write)
    if (a.run.clock, a.tick) != (b.run.clock, b.tick):
        what = f"one run counts {a.run.clock}s, an update being {a.tick:,}, and the other {b.run.clock}s, {b.tick:,}"
        raise PreheatError(what, write="give both one clock, and what an update is worth on it")


def first_apart(a: Laid, b: Laid, start: int, stop: int | None) -> tuple[Point | None, int | None]:
    """The first update whose values differ by more than rounding, found as it is when a run is resumed; or since when that is
    not known. stop: None for all time."""
    comparison, begin = Comparison(a.curve, b.curve, (1.0, 1.0), ROUNDING, a.tick), start * a.tick
    change = comparison.first(begin, math.inf if stop is None else (stop - 1) * a.tick)
    if change is None:
        return None, None
    update = int(change.time) // a.tick
    exact = change  # of long curves it is told only that they are apart
    if not change.is_first:
        exact = comparison.among(begin, a.tick, min(update - start + 1, MOST))
    found = update if exact is None else int(exact.time) // a.tick
    return (None, update) if exact is None and change.is_unknown else (_point(a, b, found), None)


def _point(a: Laid, b: Laid, update: int) -> Point:
    return Point(update, a.at(update), b.at(update))


def _by_share(a: Laid, b: Laid) -> tuple[Point | None, Point | None]:
    """The first and the largest difference at equal shares of the runs, at those of each update of either."""
    import numpy

    here, there = _at_updates(a, b), _at_updates(b, a)
    ours, theirs = numpy.concatenate([here[0], there[1]]), numpy.concatenate([here[1], there[0]])
    shares = numpy.concatenate([numpy.arange(line.updates) * (100 * line.tick / line.total) for line in (a, b)])
    order = numpy.argsort(shares, kind="stable")
    shares, ours, theirs = shares[order], ours[order], theirs[order]
    apart = numpy.abs(ours - theirs)
    found = numpy.flatnonzero(apart > _STRETCHED * max(numpy.abs(ours).max(), numpy.abs(theirs).max()))
    if not len(found):
        return None, None
    first, largest = (
        Point(float(shares[i]), float(ours[i]), float(theirs[i])) for i in (found[0], int(numpy.argmax(apart)))
    )
    return first, largest


def _at_updates(line: Laid, other: Laid) -> tuple[Any, Any]:
    """A line's values at its updates, and another's at the same shares of its run: on that side of a jump which is nearer."""
    import numpy

    own, times = line.values(), numpy.arange(line.updates, dtype=numpy.float64) * line.tick * other.total / line.total
    found = other.curve.along(times)
    for way in (1 - _NEARBY, 1 + _NEARBY):
        beside = other.curve.along(times * way)
        found = numpy.where(numpy.abs(beside - own) < numpy.abs(found - own), beside, found)
    return own, found


def _heading(found: Difference) -> list[str]:
    """What is compared."""
    text = [f"A is {called(found.a)}.", f"B is {called(found.b)}."]
    text += [sentence for one in (found.a, found.b) for sentence in of_the_first(one)]
    if found.as_factors:
        text.append(
            "Compared are factors of the rate at the peak, which is not known of both (peak= in Python, --peak)."
        )
    if found.totals[0] != found.totals[1]:
        a, b = (said(total or 0, "update") for total in found.totals)
        text.append(f"The run of A has {a}, that of B {b}; compared are the updates that both have.")
        if len(found.lines) == 1 and found.lines[0].first is None:
            text.append("At all of these they are equal.")
    for name, other, keys in (("A", "B", found.only[0]), ("B", "A", found.only[1])):
        if keys:
            text.append(
                f"Only {name} has the {'lines' if len(keys) > 1 else 'line'} {', '.join(keys)}; {other} has none."
            )
    if found.lines and (start := found.lines[0].start):
        text.append(_to_come(found.lines[0], start))
    if found.is_equal:
        text.append("They are equal at every update.")
    return text


def _to_come(one: Differing, start: int) -> str:
    """From where on is compared, of a run under way or over."""
    over = [name for name, line in zip("AB", one.lines, strict=True) if line.ends and start >= line.updates]
    if not over:
        return f"Compared is what is to come, from {one.lines[0].unit} {number(start)} on."
    which = "Both runs are" if len(over) == 2 else f"The run of {over[0]} is"
    return f"{which} over; compared is {one.lines[0].unit} {number(start)}, the next if training went on."


def _line(one: Differing, several: bool) -> list[str]:
    """What there is to say of one line."""
    line = one.lines[0]
    where, unit, text = f"{one.key}: " if several else "", line.unit, list[str]()
    over = said(one.updates, unit) if one.ends else f"the first {said(one.updates, unit)}; neither ends"
    if one.first is None:
        if one.unknown is not None:
            text.append(f"{where}equal before {unit} {number(one.unknown)}; from there on it is not known.")
        elif several:
            text.append(f"{where}equal at {f'all {over}' if one.ends else f'every {unit}'}.")
    else:
        text.append(f"{where}The first {unit} that differs is {_values(one.first)}.")
        text.append(f"{where}{_largest(one, unit)}")
        a, b = one.areas
        more = f", {share(abs(b - a), a)} {'more' if b > a else 'less'}" if a > 0 and a != b else ""
        text.append(f"{where}{line.quantity.capitalize()} × {unit}s: A {a:.6g}, B {b:.6g}{more}, over {over}.")
    if one.asked is not None:
        text.append(f"{where}At {unit} {_values(one.asked)}, a difference of {one.asked.difference:.6g}.")
    return text + _shares(one, where)


def _largest(one: Differing, unit: str) -> str:
    point = one.largest or Point(0, 0.0, 0.0)
    size = abs(point.difference)
    return (
        f"The largest difference is {size:.6g}, at {unit} {_values(point)}; "
        f"that is {share(size, one.highest)} of the largest value."
    ).replace(" 0 % of", " less than 1e-10 % of")


def _values(point: Point) -> str:
    a, b = f"{point.a:.6g}", f"{point.b:.6g}"
    if a == b and point.a != point.b:
        a, b = repr(point.a), repr(point.b)
    return f"{number(point.at)}: A {a}, B {b}"


def _shares(one: Differing, where: str) -> list[str]:
    if one.shares is None:
        return []
    first, largest = one.shares
    if first is None or largest is None:
        return [f"{where}At equal shares of their runs they have the same values."]
    return [
        f"{where}At equal shares of their runs they differ first at {first.at:.6g} %: A {first.a:.6g}, B {first.b:.6g}, "
        f"and most at {largest.at:.6g} %: A {largest.a:.6g}, B {largest.b:.6g}."
    ]


def _data(one: Differing) -> dict[str, Any]:
    def plain(point: Point | None) -> dict[str, float] | None:
        return None if point is None else {**point._asdict(), "difference": point.difference}

    found = {
        "key": one.key,
        "start": one.start,
        "updates": one.updates,
        "ends": one.ends,
        "first": plain(one.first),
        "largest": plain(one.largest),
    }
    found |= {"areas": list(one.areas), "highest": one.highest, "at": plain(one.asked)}
    return found | {"shares": None if one.shares is None else [plain(point) for point in one.shares]}
