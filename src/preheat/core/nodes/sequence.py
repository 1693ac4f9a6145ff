"""`a >> b`: one after another."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import accumulate
from typing import Any

from preheat.core.checks import Number, int_if_whole, round_half_up
from preheat.core.errors import BindError, PreheatError, shown
from preheat.core.node import Schedule, nested
from preheat.core.nodes.leaves import Hold
from preheat.core.nodes.operands import flat
from preheat.core.peaks import Bounds, in_turn
from preheat.core.spans import ROUNDED_DOWN, Edge, Run


def sequence(parts: Iterable[Schedule]) -> Schedule:
    """The parts one after another; a lone one is itself."""
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else Sequence(parts)


class Sequence(Schedule, infix=("sequence", ">>")):
    """One after another. Sequences inside are flattened, so `>>` is associative as a value."""

    __slots__ = ("_children", "_edges", "_endless", "_exact_starts", "_grows", "_starts", "_whole", "parts")

    parts: tuple[Schedule, ...]
    _exact_starts: list[Fraction | float]
    _starts: list[Number]
    _edges: list[Number]
    _whole: bool
    _computed = ("_exact_starts", "_starts", "_edges", "_whole")

    def __init__(self, parts: Iterable[Schedule]) -> None:
        every = flat(parts, Sequence)
        growing = sum(part._grows for part in every)
        if growing > 1:
            what = f"a sequence has at most one 'rest', and this has more: {_ending(every)}"
            raise PreheatError(what, write="give spans")
        if any(part._endless for part in every[:-1]):
            what = f"what follows a part that never ends would never come: {_ending(every)}"
            raise PreheatError(what, write="give repeated(n)")
        if every[-1]._endless and any(part._grows for part in every[:-1]):
            what = f"'rest' before a part that never ends would be nothing: {_ending(every)}"
            raise PreheatError(what, write="give it a span")
        self._set(parts=every, _children=every, _depth=nested(*every), _endless=every[-1]._endless, _grows=growing == 1)

    @property
    def _moves(self) -> bool:
        return self._grows and (not self.parts[-1]._grows or self.parts[-1]._moves)

    def _exact(self, run: Run | None) -> Fraction:
        return sum((part._exact(run) for part in self.parts), Fraction(0))

    def _over(self, children: list[Schedule]) -> Schedule:
        return sequence(children)

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        return sequence(_lasting(_every(self.parts, run, begin, end)))

    @property
    def _lasts(self) -> Fraction | float:
        return self._exact_starts[-1]

    def _compute_exact_starts(self) -> list[Fraction | float]:
        """Where each part begins, and after the last the end of all, exactly."""
        return list(accumulate((part._lasts for part in self.parts), initial=Fraction(0)))

    def _compute_starts(self) -> list[Number]:
        return [int_if_whole(at) for at in self._exact_starts]

    def _compute_edges(self) -> list[Number]:
        """The inner edges; the end too, if it ends, where fractions could leave the last part short of it by a rounding."""
        return self._starts[1:-1] if self._whole or self._starts[-1] == math.inf else self._starts[1:]

    def _compute_whole(self) -> bool:
        return all(at == math.inf or at.denominator == 1 for at in self._exact_starts)  # type: ignore[union-attr]

    def _formula(self, t: Any, xp: Any) -> Any:
        return xp.choose(t, self._edges, lambda i, t: self._part(i, t, xp))

    def _part(self, i: int, t: Any, xp: Any) -> Any:
        if i == len(self.parts):
            return self._last()
        local = xp.since(t, self._starts[i])
        part = self.parts[i]
        return part._formula(local if self._whole else xp.within(local, 0, part._length), xp)

    def _last(self) -> float:
        return self.parts[-1]._last()

    def _magnitude(self) -> float:
        return max(part._magnitude() for part in self.parts)

    def _bounds(self) -> Bounds:
        return in_turn(part._bounds() for part in self.parts)


def laid_parts(schedule: Schedule, run: Run, begin: Number = 0, lasting: Number | None = None) -> list[Schedule]:
    """Every part of a schedule with its spans in ticks, from `begin` on, those too that last for none, which `bind` leaves out.

    lasting: how many ticks all of it has, where that is not up to the end of the run: of one repetition.

    >>> from preheat import Run, hold, warmup
    >>> laid_parts(warmup("0%") >> hold(), Run(total=10))
    [hold(1.0, 0), hold(1.0, 10)]
    """
    parts = schedule.parts if isinstance(schedule, Sequence) else (schedule,)
    stop = run.total if lasting is None else begin + lasting
    end = Edge(Fraction(stop), Fraction(stop)) if stop is not None and schedule._grows else None
    repeated = lasting is not None and end is None
    return _every(parts, run, ROUNDED_DOWN if repeated else Edge(Fraction(begin), Fraction(begin)), end)


def up_to_rest(schedule: Schedule) -> Schedule:
    """What of a schedule is known before the end of the run is: each sequence in it up to and including its 'rest'."""
    parts = schedule._children
    if isinstance(schedule, Sequence) and schedule._moves:
        parts = parts[: next(i for i, part in enumerate(parts) if part._grows) + 1]
    return schedule._over([up_to_rest(part) for part in parts])


def _every(parts: tuple[Schedule, ...], run: Run | None, begin: Edge, end: Edge | None) -> list[Schedule]:
    """Each part resolved from `begin` on, so that one which grows reaches `end` with those after it."""
    growing = next((i for i, part in enumerate(parts) if part._grows), len(parts))
    resolved, edge = _in_a_row(parts[:growing], run, begin)
    if growing < len(parts):
        resolved += _filling(parts[growing], parts[growing + 1 :], run, edge, end)
    return resolved


def _lasting(resolved: list[Schedule]) -> list[Schedule]:
    """The parts that last; of a last one that does not, the end, as the value after the end, where it differs."""
    lasting = [part for part in resolved if part._lasts != 0] or resolved[-1:]
    end = resolved[-1]._last() if resolved[-1]._lasts != math.inf else None
    return lasting if end is None or lasting[-1]._last() == end else [*lasting, Hold(end, 0)]


def _ending(parts: tuple[Schedule, ...]) -> str:
    """The last parts, for a message."""
    return shown(" >> ".join(map(repr, parts[-3:])), 200)


def _in_a_row(parts: Iterable[Schedule], run: Run | None, edge: Edge) -> tuple[list[Schedule], Edge]:
    """Parts that do not grow, resolved one after another from `edge`, and the edge they reach."""
    resolved = []
    for part in parts:
        resolved.append(part._resolved(run, edge, None))
        if resolved[-1]._lasts != math.inf:
            edge = edge.later(part._exact(run), resolved[-1]._lasts)
    return resolved, edge


def _filling(part: Schedule, after: tuple[Schedule, ...], run: Run | None, begin: Edge, end: Edge | None) -> list[Any]:
    """The part that grows and those after it, so that all of them reach `end`."""
    if end is None:
        if after and math.inf == (open_ended := part._resolved(run, begin, None))._lasts:
            raise BindError(
                f"how long {open_ended!r} lasts before {_ending(after)} is not known",
                write="bind to a Run(total=…)",
                hint="total",
            )
        return [part._resolved(run, begin, None), *_in_a_row(after, run, begin)[0]]
    start = Fraction(max(begin.exact, end.exact - sum(s._exact(run) for s in after)))
    tail, _ = _in_a_row(after, run, Edge(start, Fraction(round_half_up(start))))
    taken = sum((Fraction(s._lasts) for s in tail), Fraction(0))
    room = max(Fraction(0), end.actual - begin.actual - taken)
    return [part._resolved(run, begin, Edge(start, begin.actual + room)), *tail]
