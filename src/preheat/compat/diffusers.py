"""diffusers: its own schedules, of which most are those that transformers has too, restated there."""

from __future__ import annotations

from typing import Any

from preheat.compat import transformers
from preheat.compat.parts.curves import stairs
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors, ignored, resumed
from preheat.core.checks import counted, finite_number
from preheat.core.constructors import decay, hold, ramp, warmup
from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule

PEER = Peer("diffusers", "0.42.1", "diffusers/optimization.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("get_constant_schedule")
def constant(*, last_epoch: int = -1, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """The optimizer's own rate."""
    return factors(hold(), base_lr, resumed(last_epoch))


@PEER.restates("get_constant_schedule_with_warmup")
def constant_with_warmup(
    *, num_warmup_steps: int, last_epoch: int = -1, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """t/W up to W, then 1."""
    return transformers.constant_with_warmup(num_warmup_steps=num_warmup_steps, last_epoch=last_epoch, base_lr=base_lr)


@PEER.restates("get_piecewise_constant_schedule")
def piecewise_constant(
    *, step_rules: str, last_epoch: int = -1, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """step_rules: "1:10,0.1:20,0.01" is 1 before update 10, 0.1 before 20, then 0.01: factors of the optimizer's rate."""
    edges: dict[int, float] = {}
    *rules, last = str(step_rules).split(",")
    try:
        for rule in rules:
            value, edge = rule.split(":")
            edges[int(edge)] = float(value)
        final = float(last)
    except ValueError:
        write = "write '1:10,0.1:20,0.01': factor:update, and at the end a factor alone"
        raise PreheatError(f"step_rules cannot be read: {shown(step_rules)}", write=write) from None
    order = sorted(edges)
    values = [finite_number(edges[edge], "a factor") for edge in order]
    curve = stairs([*values, finite_number(final, "the last factor")], [max(0, edge) for edge in order])
    return factors(curve, base_lr, resumed(last_epoch))


@PEER.restates("get_linear_schedule_with_warmup")
def linear(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    last_epoch: int = -1,
    f_min: float = 0.0,
    f_max: float = 1.0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """f_max·t/W up to W, then from f_max to f_min at T."""
    warm = counted(num_warmup_steps, "num_warmup_steps is a number of updates")
    total = counted(num_training_steps, "num_training_steps is a number of updates", least=1)
    low, high = finite_number(f_min, "f_min"), finite_number(f_max, "f_max")
    left = max(0, total - warm)
    if (low, high) == (0.0, 1.0):
        return factors(warmup(warm) >> decay(left), base_lr, resumed(last_epoch))
    curve: Schedule = ramp(0.0, high, warm) >> ramp(high, low, left)
    return factors(curve, base_lr, resumed(last_epoch))


@PEER.restates("get_cosine_schedule_with_warmup")
def cosine(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then (1 + cos(2π·c·p))/2, which goes on after T."""
    return transformers.cosine(
        num_warmup_steps=num_warmup_steps,
        num_training_steps=num_training_steps,
        num_cycles=num_cycles,
        last_epoch=last_epoch,
        base_lr=base_lr,
        faithful=faithful,
    )


@PEER.restates("get_cosine_with_hard_restarts_schedule_with_warmup")
def cosine_with_restarts(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: int = 1,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then num_cycles times half a cosine; 0 after T."""
    return transformers.cosine_with_restarts(
        num_warmup_steps=num_warmup_steps,
        num_training_steps=num_training_steps,
        num_cycles=num_cycles,
        last_epoch=last_epoch,
        base_lr=base_lr,
    )


@PEER.restates("get_polynomial_decay_schedule_with_warmup")
def polynomial(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    lr_end: float = 1e-7,
    power: float = 1.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """t/W up to W, then lr_end + (1 − lr_end)·(1 − p)ᵖᵒʷᵉʳ, lr_end a rate."""
    return transformers.polynomial(
        num_warmup_steps=num_warmup_steps,
        num_training_steps=num_training_steps,
        lr_end=lr_end,
        power=power,
        last_epoch=last_epoch,
        base_lr=base_lr,
    )


@PEER.restates("get_scheduler")
def get_scheduler(
    *,
    name: str,
    step_rules: str | None = None,
    num_warmup_steps: int | None = None,
    num_training_steps: int | None = None,
    num_cycles: int = 1,
    power: float = 1.0,
    last_epoch: int = -1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """One door to them by name. num_cycles reaches cosine_with_restarts alone, power polynomial alone; constant no warmup."""
    given = {"num_warmup_steps": num_warmup_steps, "num_training_steps": num_training_steps}
    taken = {
        "constant": (),
        "piecewise_constant": ("step_rules",),
        "constant_with_warmup": ("num_warmup_steps",),
        "cosine_with_restarts": (*given, "num_cycles"),
        "polynomial": (*given, "power"),
    }.get(str(name), tuple(given))
    every: dict[str, Any] = {**given, "step_rules": step_rules, "num_cycles": num_cycles, "power": power}
    defaults: dict[str, Any] = {"num_cycles": 1, "power": 1.0}
    own = {key: every[key] for key in taken if every[key] is not None}
    found = PEER[name](**own, last_epoch=last_epoch, base_lr=base_lr, faithful=faithful)
    unused = [key for key in every if key not in taken and key != "num_training_steps"]
    return found.having(
        *(one for key in unused for one in ignored(key, every[key], defaults.get(key), f"{name} does not take it"))
    )
