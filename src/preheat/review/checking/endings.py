"""What a check finds of how rates end: above the floor, at it too early, in the middle of a phase, and after the run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from preheat.core.checks import Number
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.nodes.repeated import Repeated
from preheat.core.sampling import edges
from preheat.review.checking.look import NOTICED, Look

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
    if not look.fits and not foreign and not any(one.code == "decay-clock" for one in found):
        write = "shorten them, give one of them 'rest', or give a larger total"
        found = [Finding("does-not-fit", "the run", look.excess, write)]
    yield from found or (_early(look) if look.fits else ())


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
        what += f"the run of {look.n:,} ends {left:,g} before its end, at {last:.6g} instead of {cut.floor:.6g}"
        write = f"write a decay of {look.n - look.warmup:,g} {look.word}s, or leave its length out"
        return Finding("decay-clock", place, what, write)
    at = f"the run ends {share:.3g} % into a phase of {length:,g} {look.word}s"
    if last > cut.floor:
        what = f"{at}: the last rate is {last:.6g}, {last / look.high:.3g} of the peak, and the plan goes to {cut.floor:.6g}"
        return Finding("above-floor", place, what, _FILL)
    what = f"{at}, which goes on to {cut.floor:.6g}: the last rate is {last:.6g}"
    return Finding("ends-mid-phase", place, what, "let the phases, or a whole number of cycles, fill the run")


def _early(look: Look) -> Iterator[Finding]:
    """A decay that is over before the run is."""
    floor = look.value(look.n - 1)
    since = next((i for i in range(len(look.at) - 1, -1, -1) if abs(look.values[i] - floor) > 1e-9 * look.high), None)
    if since is None or look.values[since] < floor or floor > 0.5 * look.high:
        return
    begin = next(
        (e / look.tick for e in edges(look.curve, look.total) if e / look.tick > look.at[since]), look.at[since] + 1
    )
    if look.curve(begin * look.tick - 1e-6 * look.tick) - floor > NOTICED * look.high:
        return  # the last step of a staircase
    left = look.n - math.ceil(begin)
    if left <= (max(1, _WASTED * look.n) if abs(floor) <= 1e-12 * look.high else _EARLY * look.n):
        return
    share = f"{left:,} of {look.n:,} {look.word}s ({100 * left / look.n:.3g} %)"
    what = f"the rate is at its floor of {floor:.6g} from here on, for {share}"
    yield Finding("floor-early", f"{look.word} {math.ceil(begin):,}", what, _FILL)


_FILL = "leave the length of the decay out, so that it fills the run"


def climbing(look: Look) -> Iterator[Finding]:
    """A decay that turns inside the run, as another library's cosine does after its end: no cycle is written."""
    if look.has(Repeated):
        return
    lowest, turn = look.high, look.top
    for update, value in zip(look.at, look.values, strict=True):
        if update >= look.top and value < lowest:
            lowest, turn = value, update
        if update >= look.top and value - lowest > NOTICED * look.high:
            last = look.value(look.n - 1)
            what = f"the rate falls to {lowest:.6g} and climbs again inside the run: the last is {last:.6g}"
            yield Finding("rebound", f"{look.word} {turn:,}", what, f"let the decay last up to {look.word} {look.n:,}")
            return


def afterwards(look: Look) -> Iterator[Finding]:
    """What another library would do if training went on after the end: the rates as its own, endless curve has them."""
    written = look.line.schedule
    try:
        if look.run.total is None or written.length <= look.run.total:
            return
    except PreheatError:  # lengths that only a run knows: nothing of another library's
        return
    last, total = look.value(look.n - 1), look.run.total
    later = [(k, written(total + k * look.tick)) for k in _spread(look.n)]
    up, down = max(later, key=lambda one: one[1]), min(later, key=lambda one: one[1])
    cure = "stop at the end of the run, or leave faithful=True out: then the last value is kept"
    if up[1] - last > NOTICED * look.high:
        what = f"after the end the rate climbs again, from {last:.6g} to {up[1]:.6g} in {up[0]:,} {look.word}s"
        yield Finding("rebound", f"{look.word} {look.n + up[0]:,}", what, cure)
    if down[1] < -1e-12 * look.high:
        what = f"after the end the rate falls below 0, to {down[1]:.6g} in {down[0]:,} {look.word}s"
        yield Finding("negative", f"{look.word} {look.n + down[0]:,}", what, cure)


def _spread(n: int) -> list[int]:
    """Updates after the end: the first ones, and half a run more."""
    return sorted({*range(1, 9), *(max(1, n * k // 64) for k in range(1, 33))})
