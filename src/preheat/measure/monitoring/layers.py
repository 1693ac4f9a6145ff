"""The layers of a model, and how far one update moves each: norms on the device, brought over together and late."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from preheat.core.errors import PreheatError, nearest
from preheat.core.extras import needed

with needed("preheat.measure", "torch"):
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

SHOWN = 3  # layers of a record, those that move most
_FEWEST = 4  # layers from which on the fastest is compared with the half of them
_SUMMED = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_AROUND = ("_orig_mod.", "module.")  # what torch.compile and DistributedDataParallel put around names


class Layers:
    """The modules that own parameters, by name, each parameter in the first that has it.

    Raises PreheatError for sharded parameters, of which each process has only a part.
    """

    def __init__(self, model: nn.Module, named: Sequence[str] = (), head: str | None = None) -> None:
        self.names: list[str] = []
        self.home: dict[int, int] = {}  # by the parameter's id, its layer
        self._held = list(model.parameters())  # so that no id comes again
        whole = {}
        for name, module in model.named_modules():
            own = [one for one in module._parameters.values() if one is not None]
            whole[plain_name(name)] = own
            new = [one for one in own if id(one) not in self.home]
            if new:
                self.names.append(plain_name(name))
                self.home |= {id(one): len(self.names) - 1 for one in new}
        _refuse_sharded(self._held)
        for name in (*named, *(() if head is None else (head,))):
            if name not in whole or not whole[name]:
                raise PreheatError(f"there is no layer {name!r}{nearest(name, self.names)}")
        self.named = tuple(self.names[self.home[id(whole[name][0])]] for name in named)
        self.head_parameters = whole[head] if head is not None else _last_linear(model)
        self.head = self.home[id(self.head_parameters[0])] if self.head_parameters else None

    def head_norm(self) -> float:
        """The norm of the output head now; waits for the device."""
        return math.hypot(*map(float, _norms([_plain(one.detach()) for one in self.head_parameters])))


def plain_name(name: str) -> str:
    """The name of a layer without what wrappers put around it."""
    for around in _AROUND:
        name = name.replace(around, "") if around in name else name
    return name.removesuffix("._orig_mod").removesuffix("_orig_mod").removesuffix(".module") or "model"


def _last_linear(model: nn.Module) -> list[Tensor]:
    """The parameters of the last linear layer, none where there is none."""
    linear = [one for one in model.modules() if isinstance(one, nn.Linear)]
    return [one for one in linear[-1]._parameters.values() if one is not None] if linear else []


def _refuse_sharded(parameters: Sequence[Tensor]) -> None:
    for one in parameters:
        if hasattr(one, "placements") or type(one).__name__ == "FlatParameter":
            raise PreheatError(
                "the parameters are sharded (FSDP), and the norm of a part is not that of the layer",
                write="attach a monitor where every process holds whole parameters, as under DistributedDataParallel",
            )


class Move(NamedTuple):
    """One parameter in one update: norms of the weights before and after, of their change, of the gradient; gᵀ(−Δw)."""

    before: float
    after: float
    change: float
    gradient: float
    product: float


class Shot:
    """One update of one optimizer: `before()` and `after()` it, then `numbers`, `len(Move._fields)` for each parameter.

    In between it holds a copy of the weights.
    """

    def __init__(self, optimizer: Optimizer, layers: Layers) -> None:
        found = [
            (one, layers.home[id(one)], _rate(group))
            for group in optimizer.param_groups
            for one in group["params"]
            if id(one) in layers.home
        ]
        self.parameters = [one for one, _, _ in found]
        self.places = [place for _, place, _ in found]
        self.rates: list[float | Tensor] = [rate for _, _, rate in found]
        self.numbers: list[Tensor] = []
        self.scale = getattr(optimizer, "grad_scale", None)  # a fused optimizer divides by it itself
        self._copies: list[Tensor] = []
        self._gradients: list[Tensor] = []

    @torch.no_grad()
    def before(self, with_gradient: bool) -> None:
        """Copy the weights, and take the norms of the gradients as step() gets them."""
        self._copies = [_plain(one.detach().clone()) for one in self.parameters]
        if with_gradient:
            self._gradients = self._gradient_norms()

    @torch.no_grad()
    def after(self) -> None:
        """Compare; the copies are used up."""
        now, copies = [_plain(one.detach()) for one in self.parameters], self._copies
        gradients = self._gradients or self._gradient_norms()
        was, is_now = _norms(copies), _norms(now)
        torch._foreach_sub_(copies, now)
        change = _norms(copies)
        # a fused optimizer may have left the gradient scaled or not, so that its product is of no known scale
        gradient = [None if self.scale is not None else one.grad for one in self.parameters]
        products = [_product(one, minus) for one, minus in zip(gradient, copies, strict=True)]
        self.numbers = [x for move in zip(was, is_now, change, gradients, products, strict=True) for x in move]
        self._copies = self._gradients = []

    def _gradient_norms(self) -> list[Tensor]:
        there = [_dense(one.grad) for one in self.parameters if one.grad is not None]
        norms = iter(_norms(there))
        found = [one.new_zeros((), dtype=torch.float32) if one.grad is None else next(norms) for one in self.parameters]
        return found if self.scale is None else [one / self.scale.to(one.device) for one in found]


def _rate(group: dict[str, Any]) -> float | Tensor:
    rate = group.get("lr", math.nan)
    return rate.detach().float().reshape(()).clone() if isinstance(rate, Tensor) else float(rate)


def _plain(tensor: Tensor) -> Tensor:
    """The numbers of a tensor as real ones, of whatever kind they are; integers and those of 8 bits in single precision."""
    if tensor.is_complex():
        return torch.view_as_real(tensor.resolve_conj())
    return tensor if tensor.dtype in _SUMMED else tensor.float()


def _dense(gradient: Tensor) -> Tensor:
    return _plain(gradient.detach().coalesce().values() if gradient.is_sparse else gradient.detach())


def _norms(tensors: list[Tensor]) -> list[Tensor]:
    """The norm of each, in single precision, of doubles in double: torch refuses to narrow."""
    if any(one.dtype == torch.float64 for one in tensors):
        return [torch.linalg.vector_norm(one, dtype=_wide(one)) for one in tensors]
    return list(torch._foreach_norm(tensors, 2, torch.float32)) if tensors else []


def _wide(tensor: Tensor) -> torch.dtype:
    """In what is summed."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def _product(gradient: Tensor | None, minus_change: Tensor) -> Tensor:
    """gᵀ(−Δw), which is above 0 where the update goes down the slope."""
    if gradient is None or gradient.is_sparse:  # not known
        return minus_change.new_zeros((), dtype=_wide(minus_change))
    gradient = _plain(gradient.detach())
    if gradient.dtype != minus_change.dtype:
        gradient = gradient.to(minus_change.dtype)
    return minus_change.mul_(gradient).sum(dtype=_wide(minus_change))


class LayerMove(NamedTuple):
    """One layer in one update."""

    relative: float  # ‖Δw‖ / ‖w‖, NaN where w was 0
    angular: float  # ∠(w_t, w_{t−1}), in radians
    rate: float


def layer_moves(moves: Sequence[Move], places: Sequence[int], rates: Sequence[float]) -> dict[int, LayerMove]:
    """Of each layer, from its parameters."""
    sums: dict[int, list[float]] = {}
    for move, place, rate in zip(moves, places, rates, strict=True):
        total = sums.setdefault(place, [0.0, 0.0, 0.0, 0.0])
        for k, value in enumerate((move.before, move.after, move.change)):
            total[k] = math.hypot(total[k], value)
        total[3] = max(total[3], rate)
    found = {}
    for place, (was, now, change, rate) in sums.items():
        found[place] = LayerMove(change / was if was > 0 else math.nan, turned(was, now, change), rate)
    return found


def turned(before: float, after: float, change: float) -> float:
    """∠(w, w′) in radians from ‖w‖, ‖w′‖ and ‖w′ − w‖; NaN where it is not known.

    The angle is 2·asin(½‖w/‖w‖ − w′/‖w′‖‖), and that norm √((‖Δw‖² − (‖w‖ − ‖w′‖)²) / (‖w‖‖w′‖)): no cosine near 1.
    """
    if not (before > 0 and after > 0 and math.isfinite(change) and math.isfinite(before * after)):
        return math.nan
    longer = abs(before - after)
    chord = math.sqrt(max(0.0, (change - longer) * (change + longer)) / (before * after))
    return 2 * math.asin(min(1.0, chord / 2))


def told(moves: dict[int, LayerMove], layers: Layers) -> dict[str, Any]:
    """What a record says of the layers: worst, median and named ones, and how far the fastest is ahead of half of them."""
    found: dict[str, Any] = {}
    for name in ("relative", "angular"):
        known = {layers.names[at]: v for at, one in moves.items() if math.isfinite(v := getattr(one, name))}
        worst = sorted(known.items(), key=lambda item: -item[1])[:SHOWN]
        found[name] = {
            "median": median(known.values()) if known else None,
            "worst": [list(one) for one in worst],
            "named": {one: known.get(one) for one in layers.named},
        }
    speeds = sorted(one.relative / one.rate for one in moves.values() if one.rate > 0 and math.isfinite(one.relative))
    middle = median(speeds) if len(speeds) >= _FEWEST else 0.0
    found["spread"] = speeds[-1] / middle if middle > 0 else None
    return found
