"""The state_dict of a torch scheduler: which scheduler it is of, told by its keys, and that one restated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat.compat import peer
from preheat.compat.parts.restated import Restated, within
from preheat.core.errors import PreheatError, shown
from preheat.core.findings import Finding

# what a state of each holds beside what all hold, and which of it is an argument
KEYS: dict[str, tuple[str, ...]] = {
    "LinearLR": ("start_factor", "end_factor", "total_iters"),
    "ConstantLR": ("factor", "total_iters"),
    "PolynomialLR": ("total_iters", "power"),
    "ExponentialLR": ("gamma",),
    "StepLR": ("step_size", "gamma"),
    "MultiStepLR": ("milestones", "gamma"),
    "CosineAnnealingLR": ("T_max", "eta_min"),
    "CosineAnnealingWarmRestarts": ("T_0", "T_mult", "eta_min", "T_i", "T_cur"),
    "OneCycleLR": ("total_steps", "_schedule_phases", "_anneal_func_type", "cycle_momentum", "use_beta1"),
    "CyclicLR": ("max_lrs", "total_size", "step_ratio", "mode", "gamma", "scale_mode", "cycle_momentum"),
    "SWALR": ("anneal_epochs", "_anneal_strategy"),
    "LambdaLR": ("lr_lambdas",),
    "MultiplicativeLR": ("lr_lambdas",),
    "ReduceLROnPlateau": ("factor", "patience", "threshold", "cooldown", "min_lrs", "best", "num_bad_epochs"),
    "SequentialLR": ("_schedulers", "_milestones"),
    "ChainedScheduler": ("_schedulers",),
}
_ALL = {"base_lrs", "last_epoch", "_step_count", "_get_lr_called_within_step", "_last_lr", "_is_initial", "verbose"}
_MOMENTUM = {"use_beta1", "base_momentums", "max_momentums", "_scale_fn_custom"}


def is_state(given: Any) -> bool:
    """Whether a mapping looks like the state of a torch scheduler."""
    return isinstance(given, Mapping) and ("base_lrs" in given or "_schedulers" in given or "num_bad_epochs" in given)


def restated_from(state: Mapping[str, Any], scheduler: str | None = None, total: int | None = None) -> Restated:
    """The schedule that a state was saved under, from its beginning, as rates.

    scheduler: which it is of, where several have the same keys.   total: updates of the run, where that is longer.
    Raises PreheatError where one of them is needed, and for a function, which no state holds.
    """
    name = scheduler or _only(state)
    if name not in KEYS:
        raise PreheatError(f"no torch scheduler {shown(name)}", write=f"write one of {', '.join(KEYS)}")
    if missing := [key for key in KEYS[name] if key not in state and key not in _MOMENTUM]:
        raise PreheatError(f"the state of a {name} has {missing[0]!r}, and this has not")
    if name in ("LambdaLR", "MultiplicativeLR"):
        write = "give the scheduler itself, and total="
        raise PreheatError(f"a {name} keeps its function out of its state", write=write)
    if name in ("SequentialLR", "ChainedScheduler"):
        return within(total, peer("torch")[name], _holding(name, state))
    return within(total, peer("torch")[name], _arguments(name, state))


def _only(state: Mapping[str, Any]) -> str:
    """The one scheduler whose keys these are."""
    own = {key for key in state if isinstance(key, str)} - _ALL
    if own == {"lr_lambdas"}:
        what = "a LambdaLR or MultiplicativeLR keeps its function out of its state"
        raise PreheatError(what, write="give the scheduler itself, and total=")
    fits = [name for name, keys in KEYS.items() if own - _MOMENTUM == set(keys) - _MOMENTUM]
    fits = fits or [name for name, keys in KEYS.items() if set(keys) - _MOMENTUM <= own and len(keys) > 2]
    if len(fits) != 1:
        what = f"a state with {', '.join(sorted(own)) or 'no keys of its own'} may be of {' or '.join(fits) or 'no scheduler'}"
        raise PreheatError(what, write=f"say whose it is: scheduler={fits[0]!r}" if fits else "")
    return fits[0]


def _arguments(name: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a state tells."""
    base = _one(state.get("base_lrs", [1.0]))
    if name == "MultiStepLR":
        milestones = [m for m, times in dict(state["milestones"]).items() for _ in range(times)]
        return {"milestones": sorted(milestones), "gamma": state["gamma"], "base_lr": base}
    if name == "CosineAnnealingWarmRestarts":
        return {key: state[key] for key in ("T_0", "T_mult", "eta_min")} | {"base_lr": base}
    if name == "CyclicLR":
        return _cyclic(state, base)
    if name == "OneCycleLR":
        raise PreheatError("a OneCycleLR keeps its rates in the optimizer's groups", write="give the scheduler itself")
    if name == "SWALR":
        raise PreheatError("a SWALR keeps swa_lr in the optimizer's groups", write="give the scheduler itself")
    if name == "ReduceLROnPlateau":
        return {key: state[key] for key in ("factor", "patience", "threshold", "cooldown")} | {"base_lr": base}
    return {key: state[key] for key in KEYS[name]} | {"base_lr": base}


def _cyclic(state: Mapping[str, Any], base: float) -> dict[str, Any]:
    up = state["total_size"] * state["step_ratio"]
    found = {key: state[key] for key in ("mode", "gamma", "cycle_momentum")}
    found |= {
        "base_lr": base,
        "max_lr": _one(state["max_lrs"]),
        "step_size_up": up,
        "step_size_down": state["total_size"] - up,
    }
    if state["cycle_momentum"]:
        found |= {"use_beta1": state["use_beta1"], "base_momentum": _one(state["base_momentums"])}
        found |= {"max_momentum": _one(state["max_momentums"])}
    return found


def _holding(name: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a scheduler of schedulers, its members read each by itself."""
    members = {"schedulers": [restated_from(one) for one in state["_schedulers"]]}
    return members if name == "ChainedScheduler" else {**members, "milestones": list(state["_milestones"])}


def _one(values: Any) -> float:
    """The first group's, as a number; the others are multiples of it, or schedules of their own."""
    return float(values[0])


def of_groups(state: Mapping[str, Any]) -> list[Finding]:
    """A finding where groups have different rates: the schedule is the first group's."""
    bases = [float(one) for one in state.get("base_lrs", ())]
    if len(set(bases)) < 2:
        return []
    what = f"{len(bases)} groups have rates of their own, {min(bases):g} to {max(bases):g}: this is the first group's"
    return [Finding("not-carried", "base_lrs", what, "give each group its own rate, and the schedule as factors")]
