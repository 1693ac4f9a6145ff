"""The state of one of torch's own schedulers: which class it is of, and through preheat.compat what it follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from preheat import compat
from preheat.compat.parts.restated import Restated
from preheat.core.errors import PreheatError

KINDS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("SequentialLR", ("_schedulers", "_milestones"), ()),
    ("ChainedScheduler", ("_schedulers",), ()),
    ("LambdaLR", ("lr_lambdas",), ()),
    ("LinearLR", ("start_factor", "end_factor", "total_iters"), ("start_factor", "end_factor", "total_iters")),
    ("ConstantLR", ("factor", "total_iters"), ("factor", "total_iters")),
    ("PolynomialLR", ("power", "total_iters"), ("power", "total_iters")),
    ("CosineAnnealingWarmRestarts", ("T_0", "T_mult"), ("T_0", "T_mult", "eta_min")),
    ("CosineAnnealingLR", ("T_max",), ("T_max", "eta_min")),
    ("StepLR", ("step_size", "gamma"), ("step_size", "gamma")),
    ("MultiStepLR", ("milestones", "gamma"), ("milestones", "gamma")),
    ("OneCycleLR", ("_schedule_phases",), ()),
    ("CyclicLR", ("total_size", "step_ratio"), ()),
    ("ReduceLROnPlateau", ("patience", "cooldown"), ()),
    ("ExponentialLR", ("gamma",), ("gamma",)),
)
"""Each class, the most telling first: the keys by which its state is known, and those that are its arguments."""
_MANY, _SAME = 100, 1e-6


class TorchState(NamedTuple):
    """The state of one of torch's schedulers.

    kind: its class, "" where that cannot be told.   arguments: as its class takes them, None where the state does not say.
    updates: how often it was stepped.   bases, last: rates that it multiplies, and those that it set last.
    members: of a SequentialLR or a ChainedScheduler.
    """

    kind: str
    arguments: dict[str, Any] | None
    updates: int
    bases: tuple[float, ...]
    last: tuple[float, ...]
    members: tuple[TorchState, ...] = ()

    @classmethod
    def of(cls, state: Mapping[str, Any], groups: list[Mapping[str, Any]]) -> TorchState:
        """From a state_dict, and the optimizer's groups beside it, none where there is no optimizer."""
        kind, names = next(((k, args) for k, needs, args in KINDS if all(key in state for key in needs)), ("", ()))
        members = tuple(
            cls.of(one, groups) for one in list(state.get("_schedulers", ()))[:_MANY] if isinstance(one, Mapping)
        )
        bases = _rates(state.get("base_lrs")) or next((one.bases for one in members if one.bases), ())
        bases = bases or tuple(rate for group in groups for rate in _rates([group.get("initial_lr")]))
        arguments = {name: _plain(state[name]) for name in names if name in state} if names else None
        if kind == "SequentialLR" and members:
            arguments = {"milestones": list(state["_milestones"])}
        if kind == "ChainedScheduler" and members:
            arguments = {}
        epoch = state.get("last_epoch", max((one.updates for one in members), default=0))
        return cls(
            kind, arguments, epoch if isinstance(epoch, int) else 0, bases, _rates(state.get("_last_lr")), members
        )


def restated(state: TorchState) -> Restated | None:
    """What it follows, rates of its first group where these are known; None where its state does not say."""
    meant = _factors(state)
    if meant is None:
        return None
    try:
        found = meant(state.bases[0] if state.bases else 1.0)
    except PreheatError:  # arguments that the library takes and that have no schedule
        return None
    if not state.bases or not state.last:
        return found
    off = abs(found(state.updates) - state.last[0])  # it may have been stepped otherwise, or edited by hand
    return found if off <= _SAME * max(map(abs, (*state.bases, *state.last))) else None


def _factors(state: TorchState) -> Callable[[float], Restated] | None:
    if state.arguments is None or "torch" not in compat.PEERS:
        return None
    arguments = state.arguments
    if not state.members:
        return lambda base: compat.restate("torch", state.kind, **arguments, base_lr=base)
    members = [_factors(member) for member in state.members]
    if None in members:
        return None

    def joined(base: float) -> Restated:
        return compat.restate("torch", state.kind, schedulers=[one(base) for one in members], **arguments, base_lr=base)  # type: ignore[misc]

    return joined


def _rates(values: Any) -> tuple[float, ...]:
    found = list(values) if isinstance(values, list | tuple) else []
    plain = [value.item() if hasattr(value, "item") else value for value in found]
    return tuple(float(value) for value in plain if isinstance(value, int | float) and not isinstance(value, bool))


def _plain(value: Any) -> Any:
    """MultiStepLR keeps its milestones as counts."""
    if isinstance(value, Mapping):
        return sorted(key for key, times in value.items() for _ in range(times))
    return value
