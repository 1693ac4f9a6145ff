"""Whatever a measurement touches, put back bit for bit, also when it raises or is interrupted."""

from __future__ import annotations

import copy
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from preheat.core.extras import needed

with needed("preheat.measure", "torch"):
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

_Undo = Callable[[], None]


@contextmanager
def restored(model: nn.Module, optimizer: Optimizer, scaler: Any = None) -> Iterator[None]:
    """A block that may train, and after which nothing of it is left.

    Put back, into the same objects: parameters and buffers of the model, and parameters that only the optimizer has; their
    gradients; the optimizer's state, groups and attributes; the grad scaler; which modules are in training mode; the random
    generators of Python, numpy and torch, those of the devices too. It costs a copy of all these tensors.

    Not seen: what the loss keeps elsewhere, and iterators that have been drawn from.
    """
    undo = [_modules(model), _optimizer(optimizer), _tensors(_all_parameters(model, optimizer))]
    undo += [_scaler(scaler), _generators()]
    try:
        yield
    finally:
        with _uninterrupted():
            for put_back in undo:
                put_back()


def _all_parameters(model: nn.Module, optimizer: Optimizer) -> list[Tensor]:
    """The parameters of both, each once."""
    held = [one for group in optimizer.param_groups for one in group["params"]]
    return list({id(one): one for one in (*model.parameters(), *held)}.values())


@torch.no_grad()
def _tensors(parameters: list[Tensor]) -> _Undo:
    """The values and gradients of parameters."""
    values = [one.detach().clone() for one in parameters]
    gradients = [None if one.grad is None else (one.grad, one.grad.detach().clone()) for one in parameters]

    @torch.no_grad()
    def put_back() -> None:
        for one, value, gradient in zip(parameters, values, gradients, strict=True):
            one.copy_(value)
            one.grad = None if gradient is None else gradient[0].copy_(gradient[1])

    return put_back


def _modules(model: nn.Module) -> _Undo:
    """Which parameters and buffers each module has, the values of the buffers, and whether it is in training mode."""
    modules = list(model.modules())
    held = [(dict(one._parameters), dict(one._buffers), one.training) for one in modules]
    values = _kept([buffers for _, buffers, _ in held])

    def put_back() -> None:
        values()
        for one, (parameters, buffers, training) in zip(modules, held, strict=True):
            one._parameters.update(parameters)
            one._buffers.clear()
            one._buffers.update(buffers)
            one.training = training

    return put_back


def _optimizer(optimizer: Optimizer) -> _Undo:
    """The optimizer's groups, states and attributes."""
    states = {one: dict(state) for one, state in optimizer.state.items()}
    groups = [(group, dict(group), list(group["params"])) for group in optimizer.param_groups]
    attributes = {name: value for name, value in vars(optimizer).items() if name not in ("state", "param_groups")}
    values = [_kept([state]) for state in states.values()]
    values += [_kept([{name: value for name, value in was.items() if name != "params"}]) for _, was, _ in groups]

    def put_back() -> None:
        for one in values:
            one()
        vars(optimizer).update(attributes)
        for name in vars(optimizer).keys() - attributes.keys() - {"state", "param_groups"}:
            delattr(optimizer, name)
        for one in [one for one in optimizer.state if one not in states]:
            del optimizer.state[one]
        for one, state in states.items():
            optimizer.state[one].clear()
            optimizer.state[one].update(state)
        for group, was, parameters in groups:
            group.clear()
            group.update(was)
            group["params"][:] = parameters
        optimizer.param_groups[:] = [group for group, _, _ in groups]

    return put_back


def _scaler(scaler: Any) -> _Undo:
    """The grad scaler's attributes; it makes its tensors late."""
    if scaler is None:
        return lambda: None
    attributes = dict(vars(scaler))
    values = _kept([attributes])
    inner = copy.copy(attributes.get("_per_optimizer_states"))

    def put_back() -> None:
        values()
        vars(scaler).clear()
        vars(scaler).update(attributes)
        if inner is not None:
            attributes["_per_optimizer_states"].clear()
            attributes["_per_optimizer_states"].update(inner)

    return put_back


def _kept(mappings: list[dict[Any, Any]]) -> _Undo:
    """The values of the tensors in some mappings, written back into the same tensors; lists and dicts in them alike."""
    tensors: list[tuple[Tensor, Tensor]] = []
    holders: list[tuple[Any, Any]] = []

    def visit(value: Any) -> None:
        if isinstance(value, Tensor):
            tensors.append((value, value.detach().clone()))
        elif type(value) in (list, dict):
            holders.append((value, copy.copy(value)))
            for one in value.values() if isinstance(value, dict) else value:
                visit(one)

    for mapping in mappings:
        for value in mapping.values():
            visit(value)

    @torch.no_grad()
    def put_back() -> None:
        for holder, was in holders:
            holder.clear()
            holder.update(was) if isinstance(holder, dict) else holder.extend(was)
        for one, value in tensors:
            one.copy_(value)

    return put_back


def _generators() -> _Undo:
    """The states of the random generators."""
    python, here = random.getstate(), torch.get_rng_state()
    numpy = sys.modules.get("numpy")
    legacy = None if numpy is None else numpy.random.get_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None

    def put_back() -> None:
        random.setstate(python)
        torch.set_rng_state(here)
        if numpy is not None and legacy is not None:
            numpy.random.set_state(legacy)
        if devices is not None:
            torch.cuda.set_rng_state_all(devices)

    return put_back


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A block that Ctrl-C does not cut in two: it is raised at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *given: asked.append(given))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if asked and callable(before):
            before(*asked[0])
