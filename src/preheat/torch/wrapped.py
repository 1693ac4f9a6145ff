"""Optimizers that wrap others, followed down to those that apply the updates: accelerate's, Lookahead, SAM, sharded ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.optim import Optimizer

_OF_TORCH = ("state", "param_groups", "defaults")  # in every optimizer, large, and never a wrapped one


def layers(optimizer: Any) -> list[Any]:
    """The optimizer and all that it wraps, under whatever names: outermost first, each once.

    Most are torch Optimizers; a plain object with `param_groups` and `step` counts too.
    """
    found: list[Any] = []

    def visit(one: Any) -> None:
        if not any(one is other for other in found):
            found.append(one)
            for inner in _held(one):
                visit(inner)

    visit(optimizer)
    return found


def is_watchable(layer: Any) -> bool:
    """Whether a hook on it is called after its `step()`: torch sees to that in `Optimizer.__init__`, which wrappers skip."""
    hooks = getattr(layer, "__dict__", {}).get("_optimizer_step_post_hooks")
    return hooks is not None and getattr(type(layer).step, "hooked", False) is True


def watched(optimizer: Any) -> tuple[list[Optimizer], list[Optimizer]]:
    """The layers with a working hook: the innermost ones, which apply the updates, and those around them."""
    able = [layer for layer in layers(optimizer) if is_watchable(layer)]
    around = [layer for layer in able if any(map(is_watchable, layers(layer)[1:]))]
    return [layer for layer in able if not any(layer is outer for outer in around)], around


def _held(optimizer: Any) -> Iterator[Any]:
    """The optimizers that one keeps in its attributes, alone or in a list, tuple or dict."""
    for name, value in list(getattr(optimizer, "__dict__", {}).items()):
        if name in _OF_TORCH:
            continue
        several = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
        yield from (one for one in several if _is_optimizer(one))


def _is_optimizer(value: Any) -> bool:
    if isinstance(value, type):
        return False
    return isinstance(value, Optimizer) or (
        isinstance(getattr(value, "param_groups", None), list) and callable(getattr(value, "step", None))
    )
