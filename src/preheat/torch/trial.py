"""A scheduler of another library tried out on a stand-in of its optimizer: the rates of every group, update by update."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from preheat.compat.parts.restated import curve_of
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.review.checking.look import NOTICED
from preheat.review.checkpoints.torch_states import TorchState, restated

_MOST = 1 << 16  # updates of another scheduler that are tried out
_AFTER = 3  # runs, where only trying tells what comes after the end
_FAR = 1000  # runs, where the scheduler can be asked for any update
_SAME = 1e-6  # of the largest rate


class Trial(NamedTuple):
    """What schedulers give on one optimizer.

    schedulers: they.   start: the updates that they had made.   n: updates of the run that were tried out.
    whole: whether these are the whole run.   rates: of each group, from `start` on, after the end too.
    failed: the update that the scheduler refuses to be stepped for, None for none.
    """

    schedulers: tuple[Any, ...]
    start: int
    n: int
    whole: bool
    rates: tuple[list[float], ...]
    failed: Finding | None = None

    def inside(self, group: int) -> list[float]:
        """The rates of updates 0 … n − 1 of a group; those before the start, which are past, are as the first."""
        known = self.rates[group][: self.n - self.start]
        return [known[0]] * self.start + known

    def groups(self) -> list[int]:
        """The groups to look at: the first, and each whose rates are no multiple of another's, nor all 0."""
        found: list[int] = []
        shapes: list[torch.Tensor] = []
        for group, rates in enumerate(self.rates):
            shape = torch.tensor(rates, dtype=torch.float64)
            if group and not shape.any():
                continue  # a group that is frozen
            shape = shape / max(1e-300, float(shape.abs().max()))
            if not any(torch.allclose(shape, one, rtol=0, atol=1e-9) for one in shapes):
                found.append(group)
                shapes.append(shape)
        return found


def tried_out(schedulers: Sequence[Any], total: int, per: str) -> Trial:
    """What schedulers give on a stand-in of their optimizer, which is not touched.

    Raises PreheatError for a scheduler that is at the end, that fails, or that gives what is no finite number.
    """
    start, n = max(map(_passed, schedulers)), min(total, _MOST)
    if start >= n:
        what = f"the scheduler stands at {per} {start:,}, and of the run the first {n:,} are looked at"
        raise PreheatError(what, write="give it as it is before the run, or a total= that counts what has passed too")
    own = schedulers[0].optimizer
    stand_in = SGD([{**_numbers(group), "params": [torch.nn.Parameter(torch.zeros(1))]} for group in own.param_groups])
    for group, real in zip(stand_in.param_groups, own.param_groups, strict=True):
        group["lr"] = float(real["lr"])
    copies = [copy.deepcopy(one, {id(own): stand_in}) for one in schedulers]
    rows, failed = [_rates(stand_in, schedulers, per, start)], None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no update is made: none is meant to be
        while len(rows) < (_AFTER * n if n == total else n) - start:
            update = start + len(rows)
            if (refused := _stepped(copies)) is not None:
                failed = _failed(*refused, f"{per} {update:,} of {n:,}", n) if update < n else None
                break
            rows.append(_rates(stand_in, schedulers, per, update))
    rates = tuple(map(list, zip(*rows, strict=True)))
    return Trial(tuple(schedulers), start, min(n, start + len(rows)), n == total, rates, failed)


def _passed(scheduler: Any) -> int:
    """The updates that a scheduler has made; a ChainedScheduler keeps none itself."""
    inside = getattr(scheduler, "_schedulers", ())
    return (
        max(0, getattr(scheduler, "last_epoch", 0), *map(_passed, inside)) if inside else max(0, scheduler.last_epoch)
    )


def _numbers(group: dict[str, Any]) -> dict[str, Any]:
    """A group's numbers, tensors as floats: what is moved in a stand-in must not move in the optimizer."""
    return {
        key: float(value) if isinstance(value, torch.Tensor) and value.numel() == 1 else value
        for key, value in group.items()
        if key != "params"
    }


def _rates(optimizer: Optimizer, schedulers: Sequence[Any], per: str, update: int) -> list[float]:
    found = [float(group["lr"]) for group in optimizer.param_groups]
    if wrong := [rate for rate in found if not math.isfinite(rate)]:
        raise PreheatError(
            f"{_names(schedulers)} gives a rate of {wrong[0]} at {per} {update:,}", write="mend it first"
        )
    return found


def _names(schedulers: Sequence[Any]) -> str:
    return ", ".join(type(one).__name__ for one in schedulers)


def _stepped(schedulers: Sequence[Any]) -> tuple[Any, Exception] | None:
    """Step them all; the first that fails, and how."""
    for one in schedulers:
        try:
            one.step()
        except Exception as error:  # a function of the user's raises anything
            return one, error
    return None


def _failed(scheduler: Any, error: Exception, when: str, n: int) -> Finding:
    """A finding where a scheduler says that it has no more updates; raises PreheatError where it simply fails."""
    name = type(scheduler).__name__
    if not isinstance(scheduler, OneCycleLR):
        what = f"{name} fails at {when}: {type(error).__name__}: {error}"
        raise PreheatError(what, write="mend it first") from None
    what = f"the scheduler raises an error when it is stepped for {when}"
    return Finding("raises-after-the-end", when.partition(" of ")[0], what, f"give it total_steps={n}")


def unfinished(trial: Trial, group: int, per: str) -> Iterator[Finding]:
    """A finding where the rates of a group are still on their way when the run ends."""
    inside = trial.inside(group)
    if trial.failed or not trial.whole or len(inside) < 2 or inside[-1] < 0:
        return
    n, last, peak = trial.n, inside[-1], max(map(abs, inside))
    rising = last == max(inside) > inside[0]
    asked = _asked(trial, group)
    value = asked or (lambda t: trial.rates[group][t - trial.start])
    tried = trial.start + len(trial.rates[group]) - 1
    most = _FAR * n if asked and not rising else tried
    to = lambda t: max(0.0, value(t))  # noqa: E731  0 is an end, whatever comes below
    turn = _turn(to, n, most, rising)
    later = 0.0 if abs(to(turn)) < 1e-9 * peak else to(turn)
    slower = turn == most and abs(to(turn) - to(turn - 1)) < abs(to(min(n, most)) - last) / 2
    if abs(later - last) <= NOTICED * peak or slower:  # slower and slower: without an end, such as 1/√t
        return
    way, place = "rising" if rising else "falling", f"{per} {n - 1:,}"
    goes = "it is still going on at" if turn == most else "it would go to"
    what = (
        f"the rate is still {way} when the run ends: the last is {last:.6g}, and {goes} {later:.6g} by {per} {turn:,}"
    )
    if rising:
        yield Finding("warmup-over-run", place, what, "write a shorter warmup")
    else:
        yield Finding("above-floor", place, what, "let the decay end with the run")


def _asked(trial: Trial, group: int) -> Callable[[int], float] | None:
    """What a scheduler gives at any update, where it has a function of it or is restated, and trying it out agrees."""
    if len(trial.schedulers) > 1:
        return None
    (one,) = trial.schedulers
    if type(one) is LambdaLR:
        function, base = one.lr_lambdas[group], float(one.base_lrs[group])
        value: Callable[[int], float] = lambda t: base * float(function(t))  # noqa: E731
    else:
        state = TorchState.of(one.state_dict(), [])
        mine = slice(group, group + 1)
        meant = restated(state._replace(bases=state.bases[mine], last=state.last[mine]))
        if meant is None:
            return None
        value = curve_of(meant)
    near = _SAME * max(map(abs, trial.rates[group]))
    try:
        tried = {trial.start, (trial.start + trial.n) // 2, trial.n - 1}
        agrees = all(abs(value(t) - trial.rates[group][t - trial.start]) <= near for t in tried)
        value(_FAR * trial.n)
    except Exception:  # a function of the user's, asked for what it was not written for
        return None
    return value if agrees else None


def _turn(value: Callable[[int], float], n: int, most: int, rising: bool) -> int:
    """The update up to which values go on in one direction after update n − 1, at most `most`."""

    def onward(update: int) -> bool:
        return value(update) > value(update - 1) if rising else value(update) < value(update - 1)

    low = n - 1
    while low < most:
        high = min(most, low + max(1, min(low // 8, low + 1 - n)))  # small steps first: short cycles turn soon
        if not (onward(high) and (value(high) > value(low)) == rising):
            break
        low = high
    else:
        return most
    while high - low > 1:
        middle = (low + high) // 2
        further = onward(middle) and (value(middle) > value(low)) == rising  # and not in a cycle that comes after
        low, high = (middle, high) if further else (low, middle)
    return low
