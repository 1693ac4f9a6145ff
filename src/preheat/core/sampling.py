"""Where to look at a schedule, so that nothing of it is missed: its edges, its phases, its peak."""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import NamedTuple

from preheat.core.checks import Number
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Rectified
from preheat.core.nodes.pointwise import Pointwise
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.sequence import Sequence
from preheat.core.nodes.wrapped import Scaled, Shifted, Stepwise, Wrapped
from preheat.core.spans import Span

MOST_EDGES = 1000
_FINE, _GOLDEN = 1024, 633  # the golden ratio: multiples of it fill an interval evenly and never cycle


class Phase(NamedTuple):
    """A part of a bound schedule and where it lies: from tick `start` up to, not including, `end`."""

    start: Number
    end: Number
    part: Schedule


def phases(bound: Schedule) -> list[Phase]:
    """The parts of a bound schedule, one after another; a schedule that is no sequence is its own only part."""
    if isinstance(bound, Scaled) and isinstance(bound.base, Sequence):
        return [Phase(p.start, p.end, p.part.scaled(bound.factor)) for p in phases(bound.base)]
    found, at = list[Phase](), 0
    for part in bound.parts if isinstance(bound, Sequence) else (bound,):
        found.append(Phase(at, at + part.length, part))
        at += part.length
    return found


def edges(
    bound: Schedule, until: Number, since: Number = 0, *, steps: bool = False, most: int = MOST_EDGES
) -> list[Number]:
    """Where one part of a bound schedule, however deep inside, ends and the next begins; after `since` and before `until`.

    At most the first `most`.   steps: also where the value of `stepwise` changes.
    """
    found, window = set[Number](), _Window(since, until, steps)
    for edge in _edges(bound, 0, window):
        if since < edge < until:
            found.add(edge)
        if len(found) == most:
            break
    return sorted(found)


class _Window(NamedTuple):
    """Between which times edges are wanted, and whether those of steps are too."""

    since: Number
    until: Number
    steps: bool


def _edges(node: Schedule, begin: Number, window: _Window) -> Iterator[Number]:
    if isinstance(node, Repeated):
        yield from _repeated_edges(node, begin, window)
    elif isinstance(node, Sequence):
        for phase in phases(node):
            if begin + phase.end > window.since:
                yield from _edges(phase.part, begin + phase.start, window)
            elif phase.end != math.inf:
                yield begin + phase.end
    else:
        later = node.ticks if isinstance(node, Shifted) else 0
        within = window._replace(until=min(window.until, begin + node.length))
        for child in _inside(node):
            yield from (edge for edge in _edges(child, begin + later, within) if edge < within.until)
        if isinstance(node, Stepwise) and window.steps:
            yield from _steps(begin, node.span.value, within)  # type: ignore[arg-type]  bound, it is in ticks
    if node.length != math.inf:
        yield begin + node.length


def _steps(begin: Number, span: Number, window: _Window) -> Iterator[Number]:
    first = max(1, math.floor((window.since - begin) / span))
    for k in count(first):
        if begin + k * span >= window.until:
            return
        yield begin + k * span


def _inside(node: Schedule) -> tuple[Schedule, ...]:
    """The schedules that a node is made of."""
    if isinstance(node, Sequence):
        return node.parts
    if isinstance(node, Pointwise):
        return node.operands
    return (node.base,) if isinstance(node, Wrapped) else ()


def _repeated_edges(node: Repeated, begin: Number, window: _Window) -> Iterator[Number]:
    if not node.base.length:
        return
    inner = edges(node.base, math.inf, steps=window.steps)
    scale: Number = 1
    first = max(0, math.floor((window.since - begin) / node.base.length)) if node.stretch == 1 else 0
    first = first if node.times is None else min(first, node.times)
    begin += first * node.base.length
    for k in count(first):
        if begin >= window.until or k == node.times:
            return
        yield begin
        yield from (begin + edge * scale for edge in inner)
        begin += node.base.length * scale
        scale *= node.stretch if node.stretch != 1 else 1


def horizon(bound: Schedule) -> int:
    """How much of a schedule that never ends is worth a look: four times the longest time that is written in it."""
    return max(100, 4 * math.ceil(_longest(bound)))


def _longest(node: Schedule) -> Number:
    times = [_longest(child) for child in _inside(node)]
    if isinstance(node, Sequence):
        times.append(phases(node)[-1].start)
    if node.length != math.inf:
        times.append(node.length)
    if isinstance(node, Rectified):
        times.append(1 / (1 - node.beta2))
    lengths = (getattr(node, name) for name in node.__match_args__)
    return max([*times, *(s.value for s in lengths if isinstance(s, Span) and s.is_bare)], default=0)  # type: ignore[type-var]


def sampled(total: int, around: Iterable[Number], points: int) -> list[int]:
    """About `points` of the updates 0 … total − 1, with the first, the last, and those around each edge in `around`.

    All of them where there are no more. The gaps between them are uneven: even ones would hide a cycle of equal length.
    """
    if total <= points:
        return list(range(total))
    spread = {(k * _FINE + k * _GOLDEN % _FINE) * total // (points * _FINE) for k in range(points)}
    close = {math.ceil(edge) + near for edge in around for near in (-1, 0, 1)}
    return sorted({0, total - 1} | {t for t in spread | close if 0 <= t < total})


def highest(value: Callable[[int], float], at: list[int]) -> int:
    """The first update with the highest value: the best of `at`, made exact between its neighbours."""
    while True:
        best = max(range(len(at)), key=lambda i: value(at[i]))
        low, high = at[max(0, best - 1)], at[min(len(at) - 1, best + 1)]
        if high - low <= len(at[max(0, best - 1) : best + 2]) - 1:
            return at[best]
        at = sorted({low, at[best], high, *(low + (high - low) * k // 32 for k in range(33))})
