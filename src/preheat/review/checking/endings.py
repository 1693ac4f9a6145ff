"""What a check finds of how rates end: above the floor, at it too early, in the middle of a phase."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from preheat.core.checks import Number
from preheat.core.findings import Finding
from preheat.core.nodes.repeated import Repeated
from preheat.core.sampling import edges, highest
from preheat.review.checking.look import NOTICED, SHORTEN, Look
from preheat.review.checking.traced import NOTHING

_EARLY = 0.2  # of the run at a floor above 0
_WASTED = 1e-3  # of the run at rate 0
_WHOLE = 0.99  # of a phase


class _Cut(NamedTuple):
    """The phase that the end of the run cuts, in ticks, and the value that it would have ended at."""

    start: Number
    end: Number
    floor: float


def ending(look: Look, foreign: bool) -> Iterator[Finding]:
    """Findings of the last updates.   foreign: whether another library runs it, which cuts what a Scheduler refuses."""
    if not look.known:
        return
    found = [] if (cut := _cut(look)) is None else [_in_the_middle(look, cut)]
    if foreign and abs(look.value(look.n - 1)) <= NOTICED * look.high:
        found = []  # at the end of a decay, whatever comes after
    if not look.fits and not foreign and not any(one.code == "decay-clock" for one in found):
        found = [Finding("does-not-fit", "the run", look.excess, SHORTEN)]
    yield from found or (list(_early(look)) or _vanished(look) if look.fits else ())


def _cut(look: Look) -> _Cut | None:
    inside = look.inside
    if inside.length <= look.total or look.warmup >= look.n:
        return None
    seams = [0, *edges(inside, 8 * look.total)]
    if inside.length <= 8 * look.total:
        seams.append(inside.length)
    after = [edge for edge in seams if edge > look.total]
    before = [edge for edge in seams if edge <= look.total - look.tick]
    if not after or not before:
        return None
    start, end = before[-1], after[0]
    floor = inside(end - min(1e-6 * look.tick, (end - start) / 2))
    floor = 0.0 if abs(floor) < 1e-5 * look.high else floor
    last = look.value(look.n - 1)
    whole = look.total - start >= _WHOLE * (end - start) or end - look.total < look.tick
    return None if whole or abs(last - floor) <= NOTICED * look.high else _Cut(start, end, floor)


def _in_the_middle(look: Look, cut: _Cut) -> Finding:
    last, share = look.value(look.n - 1), 100 * (look.total - cut.start) / (cut.end - cut.start)
    place = f"{look.word} {look.n - 1:,}"
    length, left = (cut.end - cut.start) / look.tick, (cut.end - look.total) / look.tick
    if look.warmup and abs(left - look.warmup) < 1.5:
        what = f"the {length:,g} {look.word}s of the decay are counted after the warmup of {look.warmup:,g}, and "
        what += f"the run of {look.n:,} ends {left:,g} before its end, at the {look.noun} {look.said(last)} instead of "
        what += look.said(cut.floor)
        write = f"write a decay of {look.n - look.warmup:,g} {look.word}s, or leave its length out"
        return Finding("decay-clock", place, what, write)
    at = f"the run ends {share:.3g} % into a phase of {length:,g} {look.word}s"
    if last > cut.floor:
        what = f"{at}: the last {look.noun} is {look.said(last)}, {last / look.high:.3g} of the peak, and the plan goes to "
        what += look.said(cut.floor)
        return Finding("above-floor", place, what, _FILL)
    what = f"{at}, which goes on to {look.said(cut.floor)}: the last {look.noun} is {look.said(last)}"
    return Finding("ends-mid-phase", place, what, "let the phases, or a whole number of cycles, fill the run")


def _early(look: Look) -> Iterator[Finding]:
    """A decay that is over before the run is."""
    floor = look.value(look.n - 1)
    since = next((i for i in range(len(look.at) - 1, -1, -1) if abs(look.values[i] - floor) > 1e-9 * look.high), None)
    if since is None or look.values[since] < floor or floor > 0.5 * look.high:
        return
    if abs(look.curve(look.total) - floor) > 1e-9 * look.high:
        return  # it is not over yet
    begin = next(
        (e / look.tick for e in edges(look.curve, look.total) if e / look.tick > look.at[since]), look.at[since] + 1
    )
    if look.curve(begin * look.tick - 1e-6 * look.tick) - floor > NOTICED * look.high:
        return  # the last step of a staircase
    left = look.n - math.ceil(begin)
    if left <= (max(1, _WASTED * look.n) if abs(floor) <= 1e-12 * look.high else _EARLY * look.n):
        return
    share = f"{left:,} of {look.n:,} {look.word}s ({100 * left / look.n:.3g} %)"
    what = f"the {look.noun} is at its floor of {look.said(floor)} from here on, for {share}"
    yield Finding("floor-early", f"{look.word} {math.ceil(begin):,}", what, _FILL)


def _vanished(look: Look) -> Iterator[Finding]:
    """A decay that never comes to a floor, and is next to nothing for much of the run."""
    if not any(look.values):
        return
    least = NOTHING * look.high
    since = next((i for i in range(len(look.at) - 1, -1, -1) if abs(look.values[i]) > least), 0)
    low, high = look.at[since], look.at[min(since + 1, len(look.at) - 1)]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if abs(look.value(middle)) > least else (low, middle)
    left = look.n - high
    if left > max(1, _EARLY * look.n):
        what = f"the rate is below a millionth of the peak from here on, for {left:,} of {look.n:,} {look.word}s "
        what += f"({100 * left / look.n:.3g} %)"
        yield Finding("floor-early", f"{look.word} {high:,}", what, _SLOWER)


_SLOWER = "let the decay last as long as the run; where its lengths are epochs, step it once an epoch"
_FILL = "leave the length of the decay out, so that it fills the run"


def climbing(look: Look, begun: bool = False) -> Iterator[Finding]:
    """A decay that turns inside the run, as another library's cosine does after its end: no cycle is written.

    begun: whether the training has begun, so that the peak may be past.
    """
    if look.has(Repeated):
        return
    lowest = top = _falling(look) if begun else _at_the_top(look)
    for i in range(top, len(look.at)):
        lowest = i if look.values[i] < look.values[lowest] else lowest
        if look.values[i] - look.values[lowest] > NOTICED * look.high:
            turn = highest(lambda update: -look.value(update), look.at[top : i + 1])
            what = (
                f"the {look.noun} falls to {look.said(look.value(turn))} and climbs again inside the run: the last is "
            )
            what += look.said(look.value(look.n - 1))
            yield Finding("rebound", f"{look.word} {turn:,}", what, f"let the decay last up to {look.word} {look.n:,}")
            return


def _at_the_top(look: Look) -> int:
    """The first of the updates looked at that is at the peak, but for rounding."""
    high = max(look.values)
    return next(i for i, value in enumerate(look.values) if value >= high - 1e-6 * abs(high))


def _falling(look: Look) -> int:
    """The first of the updates looked at whose rate has fallen from what was before; the last if none has."""
    before = look.values[0]
    for i, value in enumerate(look.values):
        if before - value > NOTICED * look.high:
            return i
        before = max(before, value)
    return len(look.values) - 1
