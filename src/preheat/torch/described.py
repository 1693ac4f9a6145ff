"""An optimizer's parameter groups, shown as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from preheat.core.errors import PreheatError, shown
from preheat.torch.wrapped import layers


class _Table(str):
    """Text that a prompt shows as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def describe(optimizer: Optimizer | Sequence[Optimizer]) -> str:
    """The groups of an optimizer, or of several, as a table: name, parameters, and every number that a plan can drive.

    >>> from torch import nn, optim
    >>> print(describe(optim.SGD([nn.Parameter(nn.init.zeros_(nn.Linear(2, 3).weight))], lr=0.1, momentum=0.9)))
    SGD: 1 group
    0                         6 parameters  lr=0.1  momentum=0.9  dampening=0  weight_decay=0

    Raises PreheatError for what is not an optimizer.
    """
    several, rows = check_optimizers(optimizer, "describe"), []
    names = iter([str(group.get("name", i)) for i, group in enumerate(_groups(several))])
    width = max([12, *(len(str(group.get("name", ""))) for group in _groups(several))])
    for one in several:
        groups = one.param_groups
        rows.append(f"{type(one).__name__}: {len(groups)} group{'s' * (len(groups) != 1)}")
        rows += [_row(f"{next(names):<{width}}", group) for group in groups]
    return _Table("\n".join(rows))


def _groups(optimizers: Sequence[Optimizer]) -> list[dict[str, Any]]:
    return [group for one in optimizers for group in one.param_groups]


def _row(name: str, group: dict[str, Any]) -> str:
    size = sum(parameter.numel() for parameter in group["params"])
    left_out = ("params", "name", "initial_lr")
    cells = [f"{key}={_shown(value)}" for key, value in group.items() if key not in left_out and _drives(value)]
    return f"{name} {size:>14,} parameters  {'  '.join(cells)}"


def _drives(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_drives, value))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or (isinstance(value, torch.Tensor) and value.numel() == 1)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_shown, value))})"
    return f"{float(value):g}"


def check_optimizers(optimizers: object, who: str = "Scheduler") -> tuple[Optimizer, ...]:
    """One optimizer or several, as a tuple; refuses anything else, and groups that two of them share. who: what asks for it."""
    several = tuple(optimizers) if isinstance(optimizers, list | tuple) else (optimizers,)
    for optimizer in several:
        if not any(isinstance(layer, Optimizer) for layer in layers(optimizer)) or not _has_groups(optimizer):
            raise PreheatError(f"{who} takes a torch optimizer, or a list of them, first; not {shown(optimizer)}")
    found = [id(layer) for optimizer in several for layer in layers(optimizer)]
    if not several or len(set(found)) != len(found):
        raise PreheatError(f"{who} takes one optimizer or several different ones; not an empty or repeated list")
    return several  # pyrefly: ignore[bad-return]


def _has_groups(optimizer: object) -> bool:
    groups = getattr(optimizer, "param_groups", None)
    return isinstance(groups, list) and all(isinstance(group, dict) for group in groups)
