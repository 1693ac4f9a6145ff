"""What a check finds where one part ends and the next begins: a jump, and a decay whose clock counts the warmup."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from preheat.core.checks import Number
from preheat.core.findings import Finding
from preheat.core.nodes.leaves import Table
from preheat.core.nodes.repeated import Repeated
from preheat.core.nodes.wrapped import Scaled, Shifted
from preheat.review.checking.look import NOTICED, Look, folded

_TENFOLD = 10.0 * (1 + 1e-9)
_FLAT = 1e-15  # of the highest value: a hold is exactly flat, a slow curve is not
_MOST = 5  # of a kind, in one line


def joints(look: Look) -> Iterator[Finding]:
    """Findings of the edges inside the run."""
    counted = {phase.start: phase for phase in look.phases if _counts_from_the_start(phase.part, phase.start)}
    found: list[Finding] = []
    for edge, before, after in look.seams():
        update = math.ceil(edge / look.tick)
        if edge in counted:
            if after < 0.999 * before or look.value(look.top) < 0.999 * before:
                yield _counting(look, update, before, after)
        elif abs(after - before) > NOTICED * look.high and not _is_meant(look, edge, before, after):
            found.append(_jump(look, update, before, after))
    if look.has(Table):
        found += _tenfold(look)
    yield from found[:_MOST]
    if len(found) > _MOST:
        yield found[-1]._replace(what=f"{found[-1].what}; and {len(found) - _MOST - 1} more before it")


def _counts_from_the_start(part: object, start: Number) -> bool:
    """Whether a part that begins later counts its time from update 0."""
    while isinstance(part, Scaled):
        part = part.base
    return start > 0 and isinstance(part, Shifted) and part.ticks == -start


def _counting(look: Look, update: int, before: float, after: float) -> Finding:
    what = f"the decay counts its time from {look.word} 0, not from the end of the warmup: at the {look.noun} "
    what += f"{look.said(before)} it goes on from {look.said(after)}, and the highest is {look.said(look.value(look.top))}, at "
    what += f"{look.word} {look.top:,}"
    return Finding("decay-clock", f"{look.word} {update:,}", what, _APART)


_APART = "count the decay from the end of the warmup: warmup(…) >> decay(…), warmup_prefix=True in timm"


def _is_meant(look: Look, edge: Number, before: float, after: float) -> bool:
    """A restart of a cycle, or a step of a staircase."""
    if look.has(Repeated):
        return True
    half = look.tick / 2
    around = ((max(0, edge - half), before), (edge + half, after))
    steady, flat = (abs(look.curve(at) - value) <= _FLAT * look.high for at, value in around)
    if after < before:
        return steady and flat
    first = next(look.seams())[0] == edge and 2 * after <= look.high  # of a warmup in steps
    return steady and (after <= _TENFOLD * before or first)


def _jump(look: Look, update: int, before: float, after: float) -> Finding:
    way = "rises" if after > before else "falls"
    times = after / before if after > before > 0 else before / after if after > 0 else math.inf
    fold = f", {folded(times)} times" if 1 < times < math.inf else ""
    what = f"the {look.noun} {way} at once from {look.said(before)} to {look.said(after)}{fold}"
    return Finding("jump", f"{look.word} {update:,}", what, "let the part before end where the next begins")


def _tenfold(look: Look) -> Iterator[Finding]:
    """From one update to the next more than ten times as much, where values are listed and there are no edges."""
    pairs = list(zip(look.at, look.values, strict=True))
    for (first, before), (second, after) in itertools.pairwise(pairs):
        if second == first + 1 and after > _TENFOLD * before and before > 1e-3 * look.high:
            yield _jump(look, second, before, after)
