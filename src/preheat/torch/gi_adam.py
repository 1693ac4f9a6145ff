"""Adam whose second moment begins with the first gradients instead of with 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

from preheat.core.errors import PreheatError
from preheat.torch.wrapped import watched


@torch.no_grad()
def gi_adam_(optimizer: Optimizer, gradients: Iterable[Tensor | None] | None = None) -> None:
    """Begin Adam's second moment with the square of the first gradients, in place: GI-Adam.

        v₀ = g₀², so v̂₁ ≈ g²/(1 − β₂), and the first update is √(1 − β₂) of plain Adam's

    It acts as a warmup of the factor √(1 − β₂ᵗ), of effective length 613 updates at β₂ = .999, without a schedule, and may be
    combined with one. It is no measurement: what it changes stays, is saved with the optimizer, and counts as no update.

    optimizer: torch's Adam or AdamW before its first update; moments that a call before has left are replaced.
    gradients: one for each parameter in the order of the groups, None where there is none; by default each parameter's
    `.grad`, so call it once after the first backward(), after scaler.unscale_(optimizer) where gradients are scaled.
    Parameters without a gradient begin as in plain Adam.

    >>> weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    >>> optimizer = torch.optim.Adam([weight], lr=0.1, betas=(0.9, 0.99))
    >>> gi_adam_(optimizer, [torch.tensor([3.0, -4.0])])
    >>> weight.grad = torch.tensor([3.0, -4.0])
    >>> optimizer.step()
    >>> weight.detach()
    tensor([ 0.9900, -1.9900])

    Raises PreheatError for another optimizer, one that has applied updates, gradients that do not fit the parameters, or
    that or whose squares are not finite, and where there are none. Kalra and Barkeshli 2024, arXiv:2406.09405.
    """
    adam = _adam(optimizer)
    places = [(group, one) for group in adam.param_groups for one in group["params"]]
    given = [one.grad for _, one in places] if gradients is None else list(gradients)
    if len(given) != len(places):
        what = f"{len(places)} gradients are needed, one for each parameter, and there are {len(given)}"
        raise PreheatError(what, write="write None for a parameter that has none")
    found = [
        (one, group, _regularized(one, gradient, group))
        for (group, one), gradient in zip(places, given, strict=True)
        if gradient is not None
    ]
    if not found:
        raise PreheatError("no parameter has a gradient", write="call gi_adam_ after the first backward()")
    for one, group, gradient in found:
        adam.state[one] = _state(one, gradient, group)


def _adam(optimizer: Any) -> Adam:
    """The Adam that applies the updates, refused where it has."""
    able, _ = watched(optimizer)
    if len(able) != 1 or not isinstance(able[0], Adam | AdamW):
        what = "gi_adam_ begins the second moment of torch.optim.Adam or AdamW"
        raise PreheatError(what, given=optimizer if len(able) != 1 else type(able[0]).__name__)
    for held in able[0].state.values():
        if "step" in held and float(held["step"]) > 0:
            updates = f"{int(held['step'])} update{'s' * (held['step'] != 1)}"
            what = f"this optimizer has applied {updates}, and its moments are of gradients"
            raise PreheatError(what, write="call gi_adam_ before the first update")
    return able[0]


def _regularized(parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
    """The gradient that the moments are of: with the decay where it is a penalty, as in Adam, not decoupled, as in AdamW."""
    if not isinstance(gradient, Tensor) or gradient.shape != parameter.shape:
        raise PreheatError(f"a gradient has the shape of its parameter, {tuple(parameter.shape)}", given=gradient)
    if gradient.layout != torch.strided or gradient.is_complex():
        raise PreheatError("gi_adam_ takes dense gradients of real numbers", given=gradient)
    if not torch.isfinite(gradient).all():
        raise PreheatError("a gradient is not finite", write="take the first batch whose gradient is")
    gradient = gradient.to(parameter)
    if group["weight_decay"] and not group.get("decoupled_weight_decay", False):
        sign = -1.0 if group["maximize"] else 1.0
        gradient = gradient.add(parameter, alpha=sign * float(group["weight_decay"]))
    if not torch.isfinite(gradient.square()).all():
        what = f"the square of a gradient is beyond what {str(gradient.dtype).removeprefix('torch.')} holds"
        raise PreheatError(what, write="scale the loss down, or unscale the gradients before")
    return gradient


def _state(parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
    """What torch makes at the first update, before it, with v = g²."""
    counts = torch.float64 if torch.get_default_dtype() == torch.float64 and not group["fused"] else torch.float32
    device = parameter.device if group["capturable"] or group["fused"] else "cpu"
    zeros = torch.zeros_like(parameter, memory_format=torch.preserve_format)
    state = {"step": torch.zeros((), dtype=counts, device=device), "exp_avg": zeros}
    state["exp_avg_sq"] = torch.zeros_like(zeros).addcmul_(gradient, gradient)
    if group["amsgrad"]:
        state["max_exp_avg_sq"] = torch.zeros_like(zeros)
    return state
