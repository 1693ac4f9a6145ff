"""Batch sizes that change while a run goes on, and the rates that go with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from preheat.core.checks import counted
from preheat.core.constructors import hold, steps
from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.nodes.sequence import sequence
from preheat.core.plan import BATCH, RATE, Plan
from preheat.core.sampling import edges, highest, sampled
from preheat.core.spans import Run, SpanLike, lasting
from preheat.core.stated import Absolute, Relative, Sizes, plain
from preheat.core.text.words import Source, learn, target
from preheat.recipes.arguments import spanned

_UNITS = {"": 0, "step": 0, "sample": 0, "token": 0}
_MOST_SIZES = 1000
_LOOKS = 2000  # updates that are looked at to see that a schedule falls, those around its edges aside
_ROUNDING = 1e-12


def batch_ramp(start: int, to: int, over: SpanLike, *, increment: int, rule: str | None = None) -> Schedule | Absolute:
    """A batch that grows in equal steps: the line `"batch"` of a plan, or, with `rule`, what its rate is to be multiplied with.

        s(t) = start + increment · ⌊t · n/over⌋ up to `to`,   n = (to − start)/increment

    start, to: the first and the last batch, whole, ≥ 1, in any unit: samples, sequences, accumulated batches.
    over: after how much the last is reached: a number of ticks, samples, tokens or steps, such as "5859375 samples".
    increment: whole, ≥ 1; it divides to − start.
    rule: None for the batch itself, which no rate may follow or be multiplied with; "linear" for the factor s/to, "sqrt" for
    √(s/to), to couple a rate to it: as in scaled_peak. Starts at start, ends at to; as a factor it ends at 1, so the rate is
    the one for the last batch.

    The batch changes at the first tick at which so much has been seen, as in Megatron's --rampup-batch-size. DeepSeek-V3 went
    from 3072 to 15360 over the first 469B tokens; in which steps is not published. Count on a clock of samples or tokens,
    `Run(total="300B tokens", clock="token")`, and say with `scheduler.step(advance=…)` what each update has seen.

    >>> batch_ramp(16, 48, 100, increment=16).table(101)[[0, 49, 50, 99, 100]].tolist()
    [16.0, 16.0, 32.0, 32.0, 48.0]
    >>> batch_ramp(16, 64, 300, increment=16, rule="sqrt")(0)
    0.5

    Raises PreheatError for sizes that are not whole, an increment that does not divide their distance, more than 1,000 sizes,
    an unknown rule, an `over` in other units. NVIDIA, Megatron-LM (num_microbatches_calculator); DeepSeek-AI 2024,
    arXiv:2412.19437 (§4.2).
    """
    from preheat.recipes.scaling import scaled_peak

    sizes = _sizes(_whole(start, "start"), _whole(to, "to"), _whole(increment, "increment"))
    spans = [*_shares(over, len(sizes) - 1), "rest"]
    if rule is None:
        return Sizes(steps(sizes, spans))
    return steps([scaled_peak(1.0, sizes[-1], size, rule) for size in sizes], spans)


def seesaw(schedule: Source, run: Run, *, batch: int = 1, most: int, factor: int = 2) -> Plan:
    """A plan of "lr" and "batch": where the rate would halve, it falls by √2 and the batch doubles.

        lr(t) = peak · f^(−k/2),  batch(t) = B · fᵏ     after the kth of the moments t_k at which s first is ≤ peak · f⁻ᵏ
        lr(t) = s(t) · f^(K/2),   batch(t) = B · f^K    from t_K on, the last that `most` allows

    schedule: s, rates or factors, on `run`; up to its peak it stays as it is, and from there on it may not rise.
    run: a Run with a total on a clock of tokens or samples.   batch: B, the batch before, whole, ≥ 1, in any unit
    (samples, accumulated batches).   most: the largest batch, in the same unit.   factor: f, whole, ≥ 2.

    s ≤ lr/√(batch/B) < f · s after the peak: by the paper's argument for Adam, as normalised SGD, runs with equal
    lr/√batch learn alike per token, so this one does in fewer updates what steps of 1/f would. It holds where the noise
    of the gradient outweighs its mean, and below the critical batch size, which `most` has to respect: from there on
    the rate falls alone.

    >>> plan = seesaw("warmup(10) >> decay(shape=cosine)", Run(total=110, clock="token"), most=4)
    >>> [(plan["batch"](t), round(plan["lr"](t), 3)) for t in (0, 10, 59, 60, 76, 77, 110)]
    [(1.0, 0.0), (1.0, 1.0), (1.0, 1.0), (2.0, 0.707), (2.0, 0.707), (4.0, 0.491), (4.0, 0.0)]

    Raises PreheatError for a run on another clock or without a total, a schedule that rises after its peak or never falls
    to peak/f, sizes that are not whole, a `most` below f · B. Meterez et al. 2025, arXiv:2510.14717.
    """
    stated = target(schedule)
    f, first = _whole(factor, "factor", 2), _whole(batch, "batch")
    total, s = _on_data(run), plain(stated).bind(run)
    value, top = s.function, _peak(s, total)
    levels = range(1, _doublings(first, _whole(most, "most"), f) + 1)
    cuts = [_first_at_most(value, value(top) / f**k, top, total) for k in levels]
    cuts = [cut for cut in cuts if cut < total]
    if not cuts:
        raise PreheatError(
            f"the rates never fall to 1/{f} of their peak", given=stated, write="write a decay that does"
        )
    lengths = [b - a for a, b in pairwise([top, *cuts])]
    held = [hold(value(top) / math.sqrt(f**k), length) for k, length in enumerate(lengths)]
    rates = sequence([s.truncated(top), *held, s.shifted(-cuts[-1]).scaled(math.sqrt(f ** len(cuts)))])
    sizes = steps([float(first * f**k) for k in range(len(cuts) + 1)], [top + lengths[0], *lengths[1:], "rest"])
    own = Absolute if isinstance(stated, Absolute) else Relative  # a bound on the shifted tail is above its peak
    return Plan({RATE: own(rates), BATCH: Sizes(sizes)}).bind(run)


def _whole(value: object, what: str, least: int = 1) -> int:
    return counted(value, f"{what} must be a whole number of at least {least}", least)


def _sizes(start: int, to: int, increment: int) -> list[float]:
    steps_up, left = divmod(to - start, increment)
    if to < start or left:
        what = f"a batch cannot go from {start} to {to} in steps of {increment}"
        raise PreheatError(what, write=f"write an increment that divides {to - start}" if to > start else "let it grow")
    if steps_up >= _MOST_SIZES:
        raise PreheatError(
            f"a batch has at most {_MOST_SIZES} sizes, not {steps_up + 1}", write="write a larger increment"
        )
    return [float(start + k * increment) for k in range(steps_up + 1)]


def _shares(over: SpanLike, n: int) -> list[int | str]:
    """A length in n parts that differ by one tick at most; each begins at the first tick of its share."""
    span = spanned(lasting("over", over))
    amount, unit = (None, "rest") if span.is_rest else span.parts
    if amount is None or unit not in _UNITS or amount.denominator != 1:
        what = "over is a whole number of ticks, samples, tokens or steps"
        raise PreheatError(what, given=over, write="write for example '469B tokens'")
    ends = [math.ceil(amount * k / n) for k in range(n + 1)] if n else []
    return [f"{b - a} {unit}s" if unit else b - a for a, b in pairwise(ends)]


def _on_data(run: object) -> int:
    """The total of a run that counts what is seen."""
    if not isinstance(run, Run) or run.clock not in ("token", "sample"):
        what = "updates with other batches are not alike, so count what they see"
        raise PreheatError(what, given=run, write="write Run(total='10B tokens', clock='token')")
    if run.total is None:
        raise PreheatError("seesaw needs the end of the run", given=run, write="write Run(total=…)")
    return run.total


def _peak(s: Schedule, total: int) -> int:
    """The first tick with the highest value; refused where it rises after that."""
    looks = sampled(total, edges(s, total), _LOOKS)
    top = highest(s.function, looks)
    after = [(t, s.function(t)) for t in (top, *looks) if t >= top]
    for (_, before), (t, now) in pairwise(after):
        if now > before + _ROUNDING * abs(before):
            what = f"the rates rise again after their peak at {top}, to {now:g} at {t}"
            raise PreheatError(what, given=s, write="write a schedule that only falls from its peak on")
    if not s.function(top) > 0:
        raise PreheatError("the rates are 0 everywhere", given=s)
    return top


def _doublings(batch: int, most: int, f: int) -> int:
    """How often a batch may be multiplied by f."""
    found = 0
    while batch * f ** (found + 1) <= most:
        found += 1
    if not found:
        raise PreheatError(f"most={shown(most)} leaves no room above {batch}", write=f"write most={batch * f} or more")
    return found


def _first_at_most(value: Callable[[float], float], level: float, low: int, high: int) -> int:
    """The first tick after `low` at which a falling schedule is at most `level`; `high` if there is none before."""
    bar = level + _ROUNDING * level
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if value(middle) <= bar else (middle, high)
    return high


learn(batch_ramp)
