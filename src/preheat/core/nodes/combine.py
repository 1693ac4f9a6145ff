"""What joins and transforms schedules: then, product, lower and upper, scaled, shifted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, reduce
from itertools import accumulate
from typing import Any

from preheat.core.checks import Number, finite_number, int_if_whole, round_half_up, ticks
from preheat.core.errors import BindError, PreheatError, shown
from preheat.core.namespaces import Scalars
from preheat.core.node import Schedule, nested
from preheat.core.nodes.leaves import _put
from preheat.core.spans import Edge, Run


def sequence(parts: Iterable[Schedule]) -> Schedule:
    """The parts one after another; a lone one is itself."""
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else Sequence(parts)


@dataclass(eq=False, repr=False)
class Sequence(Schedule):
    """`a >> b`: one after another. Sequences inside are flattened, so `>>` is associative as a value."""

    parts: tuple[Schedule, ...]
    _once = ("_starts", "_edges", "_whole")

    def __post_init__(self) -> None:
        parts = _flat(self.parts, Sequence)
        if sum(part._grows for part in parts) > 1:
            raise PreheatError(f"a sequence has at most one 'rest', and this has more: {_cut(parts)}; give spans")
        if any(part._endless for part in parts[:-1]):
            raise PreheatError(f"what follows a part that never ends would never come: {_cut(parts)}; give repeated(n)")
        if parts[-1]._endless and any(part._grows for part in parts):
            raise PreheatError(f"'rest' before a part that never ends would be nothing: {_cut(parts)}; give it a span")
        _put(self, parts=parts, _children=parts, _depth=nested(*parts), _endless=parts[-1]._endless)

    @cached_property
    def _grows(self) -> bool:  # type: ignore[override]
        return any(part._grows for part in self.parts)

    def _exact(self, run: Run | None) -> Fraction | float:
        return sum((part._exact(run) for part in self.parts), Fraction(0))

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        grower = next((i for i, part in enumerate(self.parts) if part._grows), len(self.parts))
        laid, edge = _row(self.parts[:grower], run, begin)
        if grower < len(self.parts):
            laid += _grown(self.parts[grower], self.parts[grower + 1 :], run, edge, end)
        return sequence([part for part in laid if part._length != 0] or laid[-1:])

    @cached_property
    def _starts(self) -> list[Number]:
        """Where each part begins, and after the last the end of all."""
        lengths = (part._length if part._length == math.inf else Fraction(part._length) for part in self.parts)
        return [int_if_whole(at) if at != math.inf else math.inf for at in accumulate(lengths, initial=Fraction(0))]

    @property
    def _length(self) -> Number:
        return self._starts[-1]

    @cached_property
    def _edges(self) -> list[Number]:
        """The inner edges; the end too where fractions could leave the last part short of it by a rounding."""
        return self._starts[1:-1] if self._whole else self._starts[1:]

    @cached_property
    def _whole(self) -> bool:
        return all(isinstance(start, int) for start in self._starts if start != math.inf)

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


class Pointwise(Schedule):
    """Several schedules at the same time: it lasts as long as the longest, and grows only if all of them do."""

    operands: tuple[Schedule, ...]
    _once = ("_length",)

    def _prepare(self, operands: tuple[Schedule, ...]) -> None:
        endless = any(operand._endless for operand in operands)
        _put(self, operands=operands, _children=operands, _depth=nested(*operands), _endless=endless)

    @cached_property
    def _grows(self) -> bool:  # type: ignore[override]
        return all(operand._grows for operand in self.operands)

    def _exact(self, run: Run | None) -> Fraction | float:
        return max(operand._exact(run) for operand in self.operands)

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        laid = {i: s._laid(run, begin, None) for i, s in enumerate(self.operands) if not s._grows}
        if laid:
            needed, longest = self._exact(run), max(operand._length for operand in laid.values())
            if needed < math.inf and longest < int_if_whole(needed):  # it is one that grows
                longest = max(longest, round_half_up(begin.exact + Fraction(needed)) - begin.actual)
            end = None if longest == math.inf else _edge(begin, needed, longest)
        operands = (laid[i] if i in laid else s._laid(run, begin, end) for i, s in enumerate(self.operands))
        return replace(self, operands=tuple(operands))  # type: ignore[type-var]

    @cached_property
    def _length(self) -> Number:  # type: ignore[override]
        return max(operand._length for operand in self.operands)

    def _formula(self, t: Any, xp: Any) -> Any:
        values = (s._formula(t, xp) if s._length == self._length else s._at(t, xp) for s in self.operands)
        return reduce(lambda a, b: self._merge(a, b, xp), values)

    def _merge(self, a: Any, b: Any, xp: Any) -> Any:
        raise NotImplementedError

    def _last(self) -> float:
        return reduce(lambda a, b: self._merge(a, b, Scalars), (operand._last() for operand in self.operands))

    def _magnitude(self) -> float:
        return max(operand._magnitude() for operand in self.operands)


@dataclass(eq=False, repr=False)
class Product(Pointwise):
    """`a * b`: the product at every time; products inside are flattened."""

    operands: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        self._prepare(_flat(self.operands, Product))

    def _merge(self, a: Any, b: Any, xp: Any) -> Any:
        return a * b

    def _magnitude(self) -> float:
        return math.prod(max(1.0, operand._magnitude()) for operand in self.operands)


@dataclass(eq=False, repr=False)
class Lower(Pointwise):
    """The least of several at every time."""

    operands: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        self._prepare(_several(self.operands, "lower"))

    def _merge(self, a: Any, b: Any, xp: Any) -> Any:
        return xp.minimum(a, b)


@dataclass(eq=False, repr=False)
class Upper(Pointwise):
    """The greatest of several at every time."""

    operands: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        self._prepare(_several(self.operands, "upper"))

    def _merge(self, a: Any, b: Any, xp: Any) -> Any:
        return xp.maximum(a, b)


class Wrapped(Schedule):
    """One schedule, changed; what is not said otherwise is as it is in that one."""

    base: Schedule

    def _prepare(self, **values: object) -> None:
        if not isinstance(self.base, Schedule):
            raise PreheatError(f"{type(self).__name__.lower()} takes a schedule, not {shown(self.base)}")
        _put(self, _children=(self.base,), _depth=nested(self.base), _endless=self.base._endless, **values)

    @property
    def _grows(self) -> bool:
        return self.base._grows

    def _exact(self, run: Run | None) -> Fraction | float:
        return self.base._exact(run)

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        return replace(self, base=self.base._laid(run, begin, end))  # type: ignore[type-var]

    @property
    def _length(self) -> Number:
        return self.base._length

    def _magnitude(self) -> float:
        return self.base._magnitude()


@dataclass(eq=False, repr=False)
class Scaled(Wrapped):
    """k · s."""

    base: Schedule
    factor: float

    def __post_init__(self) -> None:
        self._prepare(factor=finite_number(self.factor, "the factor of scaled(k)"))

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.base._formula(t, xp) * self.factor

    def _last(self) -> float:
        return self.base._last() * self.factor

    def _magnitude(self) -> float:
        return self.base._magnitude() * max(1.0, abs(self.factor))


@dataclass(eq=False, repr=False)
class Shifted(Wrapped):
    """s(t − n): later, or earlier if n < 0."""

    base: Schedule
    ticks: Number

    def __post_init__(self) -> None:
        self._prepare(ticks=ticks(self.ticks, "the ticks of shifted(n)"))

    def _exact(self, run: Run | None) -> Fraction | float:
        return max(Fraction(0), self.base._exact(run) + Fraction(self.ticks))

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        later = Fraction(self.ticks)
        return super()._laid(run, Edge(begin.exact + later, begin.actual + later), end)

    @property
    def _length(self) -> Number:
        length = self.base._length
        return length if length == math.inf else int_if_whole(max(Fraction(0), Fraction(length) + Fraction(self.ticks)))

    def _formula(self, t: Any, xp: Any) -> Any:
        return self.base._at(xp.since(t, self.ticks), xp)


def _flat(parts: Iterable[Schedule], kind: type) -> tuple[Schedule, ...]:
    """The parts, with the parts of those of the same kind in their place."""
    flat: list[Schedule] = []
    for part in parts:
        flat += part._children if isinstance(part, kind) else (part,)
    return _several(flat, kind.__name__.lower())


def _several(parts: Iterable[Schedule], word: str) -> tuple[Schedule, ...]:
    parts = tuple(parts)
    if len(parts) < 2 or not all(isinstance(part, Schedule) for part in parts):
        raise PreheatError(f"{word} takes two or more schedules, not {shown(parts)}")
    return parts


def _cut(parts: tuple[Schedule, ...]) -> str:
    return shown(" >> ".join(map(repr, parts[-3:])), 200)


def _edge(begin: Edge, exact: Fraction | float, length: Fraction | float) -> Edge:
    return Edge(begin.exact + Fraction(exact), begin.actual + Fraction(length))


def _row(parts: Iterable[Schedule], run: Run | None, edge: Edge) -> tuple[list[Schedule], Edge]:
    """Parts that do not grow, laid one after another from `edge`, and the edge they reach."""
    laid = []
    for part in parts:
        laid.append(part._laid(run, edge, None))
        if laid[-1]._length != math.inf:
            edge = _edge(edge, part._exact(run), laid[-1]._length)
    return laid, edge


def _grown(part: Schedule, after: tuple[Schedule, ...], run: Run | None, begin: Edge, end: Edge | None) -> list[Any]:
    """The part that grows and those after it, so that all of them reach `end`."""
    if end is None:
        if after and math.inf == (open_ended := part._laid(run, begin, None))._length:
            what = f"how long {open_ended!r} lasts before {_cut(after)} is not known"
            raise BindError(what, write="bind to a Run(total=…)", hint="total")
        return [part._laid(run, begin, None), *_row(after, run, begin)[0]]
    start = Fraction(max(begin.exact, end.exact - sum(s._exact(run) for s in after)))
    tail, _ = _row(after, run, Edge(start, Fraction(round_half_up(start))))
    taken = sum((Fraction(s._length) for s in tail), Fraction(0))
    room = max(Fraction(0), end.actual - begin.actual - taken)
    return [part._laid(run, begin, Edge(start, begin.actual + room)), *tail]
