"""An average of a model's weights whose decay follows a schedule, over torch's own AveragedModel."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from preheat.core.checks import one_of
from preheat.core.errors import PreheatError, PreheatWarning, StateError, shown
from preheat.core.peaks import peak_of
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.text.words import Source, absolute
from preheat.session.clock import tick_of
from preheat.session.session import Session

_LINE, _STATE = "decay", "_extra_state"  # torch's own name of what a module saves beside its tensors
_FAR = 10**6  # calls
_MUCH = 0.5  # a decay that never reaches it forgets nearly everything within two updates


class ScheduledAverage(AveragedModel):
    """What `average` gives: call `update_parameters(model)` after every update, and the average itself as the model."""

    def __init__(self, model: nn.Module, session: Session, device: Any, use_buffers: bool) -> None:
        super().__init__(model, device=device, use_buffers=use_buffers)
        self.session = session

    @property
    def decay(self) -> float:
        """The decay that the coming call of `update_parameters` uses."""
        return self._now().values()[_LINE]

    def update_parameters(self, model: nn.Module) -> None:
        """Let the average take in the model as it is now. The first call takes the model alone, as torch's does.

        Raises PreheatError, having changed nothing, for a decay outside of 0 to 1.
        """
        decay = self.decay
        if not 0 <= decay <= 1:
            raise PreheatError(f"the decay of call {self.session.updates} lies outside of 0 to 1", given=decay)
        self.multi_avg_fn = get_ema_multi_avg_fn(decay)
        try:
            super().update_parameters(model)
        finally:
            self.multi_avg_fn = None  # a closure, which would not pickle

    def get_extra_state(self) -> dict[str, Any]:
        """What `state_dict` holds beside the tensors: the schedule, and how many calls there were."""
        return self._now().state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Go on from there. Raises StateError where the schedule has changed (see on_change of `average`)."""
        self.session.load_state_dict(state)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As torch's. Raises StateError, having changed nothing, where the schedule has changed (see on_change), and, unless
        strict=False, for a state of torch's own AveragedModel."""
        if _STATE in state_dict:
            self.session.read(state_dict[_STATE])
        elif "n_averaged" in state_dict and not args and kwargs.get("strict", True):
            what = "the state is of torch's AveragedModel, which does not say with which decay it was made"
            raise StateError(
                what, write="write load_state_dict(state, strict=False) to go on from it with this schedule"
            )
        return super().load_state_dict(state_dict, *args, **kwargs)

    def _now(self) -> Session:
        """The session at the call that comes next: torch's own count of calls is the only one."""
        session, calls = self.session, int(self.n_averaged)
        session.updates = calls
        session.move_to(calls * (session.tick or 1))
        return session


def average(
    model: nn.Module,
    schedule: Source,
    *,
    run: Run | None = None,
    device: torch.device | str | int | None = None,
    use_buffers: bool = False,
    on_change: str = "refuse",
) -> ScheduledAverage:
    """An exponential moving average of a model's weights whose decay follows a schedule.

        average ← s(t) · average + (1 − s(t)) · model          in call t of update_parameters, from 0; in call 0 s is 0

    model: the model that is trained.   schedule: s, the decay itself, from 0 (the model alone) to 1 (nothing new).
    run: what gives lengths their worth; a step is one call of `update_parameters`.
    device, use_buffers: as in torch's AveragedModel, which this is.
    on_change: what loading does when the schedule differs from the saved one from the saved call on: "refuse", "adopt"
        the new one, or "keep" the saved one.

    Constant: "hold(0.999)". With the usual warmup min(d, (1 + t)/(10 + t)): "lower(hold(0.999), hold(1) +
    invsqrt(10, power=1).scaled(-0.9))". The mean of all: "hold(1) + invsqrt(1, power=1).scaled(-1)". Where you have 1 − d, not
    d, as a schedule w: hold(1) + w.scaled(-1).

    >>> model = torch.nn.Linear(2, 1)
    >>> mean = average(model, "lower(hold(0.999), hold(1) + invsqrt(10, power=1).scaled(-0.9))")
    >>> mean.update_parameters(model)
    >>> round(mean.decay, 4), mean.state_dict()["n_averaged"].item()
    (0.1818, 1)

    Raises PreheatError for values outside of 0 to 1, or a clock that calls do not tell. PreheatWarning where the decay stays
    below 0.5: it may be meant as 1 − d; and where it ends at 1: nothing is averaged from there on.
    Polyak & Juditsky 1992; TensorFlow, tf.train.ExponentialMovingAverage (the warmup); Busbridge et al. 2023,
    arXiv:2307.13813 (which decay for which batch).
    """
    one_of(on_change, "on_change", ("refuse", "adopt", "keep"))
    _refuse_number(schedule)
    session = Session(Plan({_LINE: absolute(schedule)}), run, on_change=on_change)
    if tick_of(session.run) is None or session.run.clock == "epoch":
        what = f"a call of update_parameters does not say how many {session.run.clock}s have passed"
        raise PreheatError(
            what, write="write run=Run(total=10_000), or Run(total='10 epochs', steps_per_epoch=…): it counts calls"
        )
    bounds = peak_of(session.plan[_LINE])
    if (bounds.exact or bounds.is_constant) and not 0 <= bounds.low <= bounds.high <= 1:
        what = f"a decay lies from 0 to 1, and this one goes from {bounds.low:g} to {bounds.high:g}"
        raise PreheatError(what, given=schedule, write="write for example 'hold(0.999)'")
    _warn_of(session, bounds.high, schedule)
    return ScheduledAverage(model, session, device, use_buffers)


def _refuse_number(decay: object) -> None:
    """Refuse a lone number, also as text: it is a constant decay, and has to be written as one."""
    try:
        number = float(decay)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return
    raise PreheatError("the decay is a schedule", given=decay, write=f"write 'hold({number:g})'")


def _frozen_from(session: Session) -> float | None:
    """From where on the decay is 1 for ever; None if it is not."""
    schedule, total = session.plan[_LINE].schedule, session.run.total  # type: ignore[union-attr]
    end = min(schedule.length, _FAR) if total is None else total
    if schedule.function(end) != 1:
        return None
    low, high = 0, math.ceil(end)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if schedule.function(middle) < 1 else (low, middle)
    return low


def _warn_of(session: Session, highest: float, schedule: Source) -> None:
    """Warn of a decay that averages nothing: none from some call on, or hardly at all."""
    if (frozen := _frozen_from(session)) is not None:
        what = f"from call {frozen:g} on the decay is 1, and the average takes in nothing new"
        warnings.warn(f"{what}; let it end below, at hold(0.999)", PreheatWarning, stacklevel=3)
    if highest < _MUCH:
        warnings.warn(
            f"the decay of the average stays at or below {highest:g}, so it is hardly one; if {shown(schedule, 60)} "
            "is what the model weighs, write hold(1) + s.scaled(-1)",
            PreheatWarning,
            stacklevel=3,
        )
