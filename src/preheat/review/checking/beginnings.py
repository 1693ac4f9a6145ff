"""What a check finds of how rates begin: rate 0, the warmup's length, the peak."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

from preheat.core.findings import Finding
from preheat.core.nodes.leaves import Hold
from preheat.core.plan import Plan
from preheat.core.vanished import Vanished, vanished
from preheat.recipes.published import Preset, presets
from preheat.review.checking.facts import Facts
from preheat.review.checking.look import NEAR, Look

_COSTS = 1e-3  # of the run: updates at rate 0 below this share are the field's convention, and cost nothing to speak of
_LONG = 0.2  # of the run
STUCK = {
    "torch": "LinearLR(total_iters=0) and ConstantLR(total_iters=0) keep their first factor for good",
    "mmengine": "a warmup of begin=0, end=1 keeps its first value for good",
    "optax": "a linear schedule of 0 transitions keeps its first value for good",
}
"""What libraries do with a warmup of no update."""
_REFUSE = ("pytorch_warmup", "deepspeed", "ignite")  # those that refuse it


def beginning(look: Look, facts: Facts) -> Iterator[Finding]:
    """Findings of the first updates, the warmup and the peak."""
    yield from _at_zero(look)
    over = list(_warmup(look))
    yield from over
    if not any(finding.code == "warmup-over-run" for finding in over):
        yield from _peak(look)
    yield from _stuck(look, facts)


def _at_zero(look: Look) -> Iterator[Finding]:
    if not look.known or (look.line.group is not None and isinstance(look.phases[0].part, Hold)):
        return  # a group that is frozen at first
    zeros, is_zero = _zeros(look)
    if not zeros or (zeros == 1 and zeros < _COSTS * look.n):
        return
    if zeros == look.n:
        yield Finding("zero-start", f"{look.word} 0", f"every {look.word} of the run has rate 0: nothing is learned")
        return
    many = f"{zeros:,} {look.word}s of {look.n:,} run" if zeros > 1 else f"1 {look.word} of {look.n:,} runs"
    at = "at rate 0" if is_zero else "below 1e-12 of the peak"
    what = f"{many} {at} ({100 * zeros / look.n:.2g} %): nothing is learned there, while Adam's averages move on"
    width = max(2, round(look.warmup))
    yield Finding(
        "zero-start", f"{look.word} 0", what, _above_zero(look, width) if look.warmup else "leave the part at 0 out"
    )


def _above_zero(look: Look, width: int) -> str:
    """Where a warmup may begin: as its argument where the peak is a factor of 1, else as the value that it has there."""
    if look.line.is_absolute or abs(look.high - 1) > NEAR:
        return f"begin above 0: at the {look.noun} {look.said(look.high / width)}, one part in {width} of the peak"
    return f"begin above 0: start={1 / width:.3g}, one part in {width}"


def _zeros(look: Look) -> tuple[int, bool]:
    """How many first updates have a rate below 1e-12 of the peak, and whether all of those looked at are exactly 0."""
    least = 1e-12 * look.high
    first = next((i for i, value in enumerate(look.values) if abs(value) > least), None)
    if first is None:
        return look.n, True
    if first == 0:
        return 0, True
    low, high = look.at[first - 1], look.at[first]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if abs(look.value(middle)) > least else (middle, high)
    return high, not any(look.values[:first])


def _warmup(look: Look) -> Iterator[Finding]:
    warm = look.warmup
    if not warm or not look.known:
        return
    place = f"{look.word} {math.ceil(warm):,}"
    reached = f"the last reaches the {look.noun} {look.said(look.value(look.n - 1))}"
    if warm >= look.n:
        what = f"the warmup of {warm:,g} {look.word}s takes the whole run of {look.n:,}: {reached}"
        yield Finding("warmup-over-run", place, what, "write a shorter warmup, such as warmup('5%')")
    elif warm > _LONG * look.n:
        what = f"the warmup of {warm:,g} {look.word}s is {100 * warm / look.n:.3g} % of the run of {look.n:,}"
        yield Finding("warmup-share", place, what, f"{published_shares()} of theirs")


@cache
def published_shares() -> str:
    """Over how much of their runs published ones warm up, of the presets that say both."""
    found = [share for preset in presets.values() if (share := _share(preset))]
    return f"published runs warm up over {100 * min(found):.2g} % to {100 * max(found):.2g} %"


def _share(preset: Preset) -> float:
    """The warmup's share of a run; 0 where there is none, or where it is not said."""
    if preset.total is None:
        return 0
    open_epochs = "epoch" in preset.total and preset.steps_per_epoch is None
    if open_epochs and "step" in repr(preset.schedule):
        return 0
    (line,) = Plan(preset.schedule).lines
    look = Look(line, preset.run(**({"steps_per_epoch": 1000} if open_epochs else {})))  # the share is that of any
    return look.warmup / look.n


def _peak(look: Look) -> Iterator[Finding]:
    stated = look.stated_peak
    if not look.known or stated is None or stated <= 0:
        return
    reached = look.value(look.top)
    if reached < (1 - NEAR) * stated:
        what = f"the highest {look.noun} is {look.said(reached)} at {look.word} {look.top:,}, "
        what += f"{100 * reached / stated:.3g} % of the peak of {look.said(stated)} that is written"
        yield Finding("peak-not-reached", f"{look.word} {look.top:,}", what, _UP)


_UP = "let the decay begin where the warmup ends: warmup(…) >> decay(…)"


def _stuck(look: Look, facts: Facts) -> Iterator[Finding]:
    """What has no update, and what has been read from a library that keeps the start of such a warmup."""
    library = facts.library or ""
    flat = max(look.values) - min(look.values) <= 1e-12 * look.high and (look.line.is_relative or look.high < 1e-12)
    if library in STUCK and flat and look.value(0) < 1 and not look.line.is_absolute:
        what = f"the rate is {look.value(0):g} of the peak in every {look.word}: in {library}, {STUCK[library]}"
        yield Finding("zero-warmup", f"{look.word} 0", what, "leave the warmup out where it has no updates")
        return
    for one in vanished(look.line.schedule, look.run) if look.fits else ():
        if one.is_warmup:
            yield from _no_warmup(one, look, library)
        elif one.exact:
            yield Finding("no-update", "the run", one.words, "leave it out, or give it a length in updates")


def _no_warmup(one: Vanished, look: Look, library: str) -> Iterator[Finding]:
    """A first part that goes up and has no update: one of 0 is what a library that does without it is told to leave out."""
    if library in (*STUCK, *_REFUSE):
        does = STUCK.get(library, "it is refused")
        what, write = (
            f"the warmup has no update; in {library}, {does}",
            "leave the warmup out there, or give it one update",
        )
    elif one.exact or not library:
        two = ": warmup(2)" if look.run.clock == "step" else ""  # of any other clock, 2 is more than two updates
        what, write = one.words, f"leave the warmup out, or give it a length in updates{two}"
    else:
        return
    yield Finding("zero-warmup", f"{look.word} 0", what, write)


def below_zero(look: Look) -> Iterator[Finding]:
    """Rates below 0 inside the run."""
    lowest = min(range(len(look.at)), key=look.values.__getitem__)
    value = look.values[lowest]
    if value < -1e-12 * look.high:
        what = f"the {look.noun} is {look.said(value)}, and an update at a rate below 0 climbs"
        yield Finding(
            "negative", f"{look.word} {look.at[lowest]:,}", what, "write an end of 0 or above, or .clipped(0)"
        )
