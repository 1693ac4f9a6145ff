"""A schedule as TrainingArguments: the scheduler types are tried, the plainest first, each with what it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from preheat.compat.parts.tried import rate_alone
from preheat.compat.transformers import PEER
from preheat.core.errors import PreheatError
from preheat.core.spans import Run
from preheat.core.stated import Absolute, plain

CLOSE = 1e-9  # of the peak: what counts as equal
_DECAYS = ("linear", "cosine", "1-sqrt")


class _Rates(NamedTuple):
    """The values of a run as shares of their peak: where that is first reached, and where last."""

    values: list[float]
    first: int
    last: int

    @property
    def total(self) -> int:
        return len(self.values)


def write(target: Any, run: Run, peak: float | None) -> str:
    """The arguments that make the Trainer follow it, as JSON: learning_rate, lr_scheduler_type, its kwargs, warmup, max_steps.

    Raises PreheatError where no type of transformers' does, with the update at which the nearest one differs.
    """
    rates, base = _rates(target, run, peak)
    nearest, until = "", -1
    for kind, warm, kwargs in _candidates(rates):
        try:
            own = PEER[kind](num_warmup_steps=warm, num_training_steps=rates.total, **kwargs)
        except PreheatError:
            continue
        off = _first_difference(plain(own.schedule).table(rates.total).tolist(), rates.values)
        if off is None:
            said = {"learning_rate": base, "lr_scheduler_type": kind}
            said |= {"lr_scheduler_kwargs": _of_rates(kwargs, base)} if kwargs else {}
            said |= {"warmup_steps": warm} if warm else {}
            return json.dumps(said | {"max_steps": rates.total}, indent=2)
        if off > until:
            nearest, until = kind, off
    raise PreheatError(
        f"no lr_scheduler_type of transformers follows this; the nearest, {nearest}, differs from update {until} on",
        write="pass a preheat Scheduler to the Trainer: optimizers=(optimizer, scheduler)",
    )


def _rates(target: Any, run: Run, peak: float | None) -> tuple[_Rates, float]:
    """The values of every update, and the rate at their peak."""
    target = rate_alone(target, "transformers")
    if not isinstance(run.total, int):
        raise PreheatError(
            "TrainingArguments say how many updates a run has", write="give the run's total in updates", hint="total"
        )
    bound = target.bind(run) if peak is None or isinstance(target, Absolute) else target.bind(run, peak=peak)
    if not isinstance(bound, Absolute):
        raise PreheatError(
            "TrainingArguments hold a rate, and these are factors",
            write="give peak=, the rate at the peak",
            hint="peak",
        )
    values = bound.table(run.total).tolist()
    top = max(values)
    if top <= 0 or min(values) < 0:
        raise PreheatError("transformers' rates are above 0 at their peak, and never below it", given=min(values))
    shares = [value / top for value in values]
    highest = [t for t, share in enumerate(shares) if share >= 1 - CLOSE]
    return _Rates(shares, highest[0], highest[-1]), float(f"{top:.15g}")


def _candidates(rates: _Rates) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Types with what they would be given to agree at one update or two, the plainest first."""
    warm, total, last = rates.first, rates.total, rates.values[-1]
    if not warm:
        yield "constant", 0, {}
    yield from ((kind, warm, {}) for kind in ("constant_with_warmup", "linear", "cosine", "inverse_sqrt"))
    yield from (("cosine_with_restarts", warm, {"num_cycles": cycles}) for cycles in range(2, 21))
    if warm + 1 < total and 0 < rates.values[warm + 1] < 1:
        square = rates.values[warm + 1] ** 2
        yield "inverse_sqrt", warm, {"timescale": max(1, round(square / (1 - square)))}
    for kind, begin in (("cosine_with_min_lr", warm), ("cosine_warmup_with_min_lr", warm + 1)):
        if (floor := _floor(kind, begin, rates)) is not None:
            start = {"warmup_lr_rate": rates.values[0]} if kind != "cosine_with_min_lr" and warm else {}
            yield kind, begin, {"min_lr_rate": floor}
            if start:
                yield kind, begin, {"min_lr_rate": floor} | start
    for power in (1.0, 2.0, 0.5, 3.0, 0.9, 1.5, 4.0):
        left = (1 - (total - 1 - warm) / (total - warm)) ** power if total > warm else 1.0
        if left < 1:
            yield "polynomial", warm, {"power": power, "lr_end": max(0.0, _rounded((last - left) / (1 - left)))}
    yield from _stable(rates)


def _stable(rates: _Rates) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Warmup, hold and decay by every pair of types, the floor as the first value, or as the decay would have it."""
    down = rates.total - rates.last
    floors = [rates.values[0]] if rates.first else [0.0]
    for decay in _DECAYS:
        zero = PEER["warmup_stable_decay"](
            num_warmup_steps=0, num_stable_steps=0, num_decay_steps=down, decay_type=decay
        ).schedule(down - 1)
        fitted = [_rounded((rates.values[-1] - zero) / (1 - zero))] if zero < 1 else []
        for floor in dict.fromkeys([*floors, *(max(0.0, one) for one in fitted)]):
            for warmup in _DECAYS if rates.first else _DECAYS[:1]:
                kwargs: dict[str, Any] = {"num_decay_steps": down}
                kwargs |= {"decay_type": decay} if decay != "cosine" else {}
                kwargs |= {"warmup_type": warmup} if warmup != "linear" else {}
                yield "warmup_stable_decay", rates.first, kwargs | ({"min_lr_ratio": floor} if floor else {})


def _floor(kind: str, warm: int, rates: _Rates) -> float | None:
    """The floor with which the cosine would end as these do."""
    if warm >= rates.total:
        return None
    zero = PEER[kind](num_warmup_steps=warm, num_training_steps=rates.total, min_lr_rate=0.0).schedule(rates.total - 1)
    return max(0.0, _rounded((rates.values[-1] - zero) / (1 - zero))) if zero < 1 else None


def _first_difference(ours: list[float], given: list[float]) -> int | None:
    return next((t for t, (a, b) in enumerate(zip(ours, given, strict=True)) if abs(a - b) > CLOSE), None)


def _of_rates(kwargs: dict[str, Any], base: float) -> dict[str, Any]:
    """lr_end is a rate, and was tried as a share of a peak of 1."""
    return {key: value * base if key == "lr_end" else value for key, value in kwargs.items()}


def _rounded(value: float) -> float:
    """Without the last digits, which are those of the fit."""
    return float(f"{value:.12g}")
