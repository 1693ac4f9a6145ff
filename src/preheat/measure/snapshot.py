"""Whatever a measurement touches, put back bit for bit, also when it raises or is interrupted."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from preheat.core.extras import needed

with needed("preheat.measure", "torch"):
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

_Undo = Callable[[], None]
_OWN_BOOKS = (
    "torch.nn.parallel",
    "torch.distributed",
    "torch._dynamo",
    "deepspeed",
)  # wrappers that set up at a first pass
_PLAIN = (Tensor, int, float, complex, str, bytes, list, tuple, dict, set, deque, type(None))


@contextmanager
def restored(model: nn.Module, optimizer: Optimizer, scaler: Any = None) -> Iterator[None]:
    """A block that may train, and after which nothing of it is left.

    Put back, into the same objects: parameters and buffers of the model, and parameters that only the optimizer has; their
    gradients; the optimizer's state, groups and attributes; the grad scaler; which modules are in training mode, and what
    they hold as plain attributes; the random generators of Python, numpy and torch, those of the devices too. Of attributes
    it is numbers, texts, tensors, arrays and generators, and lists, dicts, sets and tuples of them. It costs a copy of these.

    Not seen: what the loss keeps elsewhere, objects of other kinds in attributes, and iterators that have been drawn from.
    """
    parameters = _all_parameters(model, optimizer)
    seen = set(map(id, parameters))
    undo = [_modules(model, seen), _optimizer(optimizer, seen), _tensors(parameters), _scaler(scaler), _generators()]
    with _afterwards(undo):
        yield


@contextmanager
def undrawn(*sources: object) -> Iterator[None]:
    """A block that draws batches, and after which the random generators are as they were: those of Python, numpy and torch,
    and those that a DataLoader, its samplers and its data set hold. An iterator has been drawn from, and keeps its own.
    """
    holders = [one for one in sources if not isinstance(one, Iterator)]
    for name in ("batch_sampler", "sampler", "dataset"):
        holders += [getattr(one, name, None) for one in holders]
    kept = [_generator(value) for one in holders for value in list(getattr(one, "__dict__", {}).values())]
    with _afterwards([_generators(), *(one for one in kept if one is not None)]):
        yield


@contextmanager
def _afterwards(undo: list[_Undo]) -> Iterator[None]:
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


def _modules(model: nn.Module, seen: set[int]) -> _Undo:
    """Which parameters and buffers each module has, the values of the buffers, and its plain attributes."""
    modules = list(model.modules())
    held = [(dict(one._parameters), dict(one._buffers)) for one in modules]
    values = _kept([buffers for _, buffers in held], seen)
    attributes = [_attributes(one, seen) for one in modules if not type(one).__module__.startswith(_OWN_BOOKS)]
    training = [one.training for one in modules]

    def put_back() -> None:
        values()
        for one in attributes:
            one()
        for one, (parameters, buffers), was in zip(modules, held, training, strict=True):
            one._parameters.update(parameters)
            one._buffers.clear()
            one._buffers.update(buffers)
            one.training = was

    return put_back


def _attributes(module: nn.Module, seen: set[int]) -> _Undo:
    """What a module holds beside parameters, buffers and modules; objects of other kinds stay whoever set them."""
    kinds = (*_PLAIN, numpy.ndarray) if (numpy := sys.modules.get("numpy")) else _PLAIN
    before = {name: one for name, one in _of(module).items() if isinstance(one, kinds)}
    values = _kept([_of(module)], seen)

    def put_back() -> None:
        values()
        for name in [name for name, one in _of(module).items() if name not in before and isinstance(one, kinds)]:
            del vars(module)[name]
        vars(module).update(before)

    return put_back


def _of(holder: object) -> dict[str, Any]:
    """The attributes of a module or an optimizer that are kept by nothing else; hooks are nobody's to undo."""
    others = ("state", "param_groups", "_parameters", "_buffers", "_modules")
    return {name: one for name, one in vars(holder).items() if name not in others and not name.endswith("_hooks")}


def _optimizer(optimizer: Optimizer, seen: set[int]) -> _Undo:
    """The optimizer's groups, states and attributes."""
    states = {one: dict(state) for one, state in optimizer.state.items()}
    groups = [(group, dict(group), list(group["params"])) for group in optimizer.param_groups]
    attributes = _of(optimizer)
    values = _kept([attributes, *states.values(), *(was for _, was, _ in groups)], seen)

    def put_back() -> None:
        values()
        for name in _of(optimizer).keys() - attributes.keys():
            delattr(optimizer, name)
        vars(optimizer).update(attributes)
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
    values = _kept([attributes], set())

    def put_back() -> None:
        values()
        vars(scaler).clear()
        vars(scaler).update(attributes)

    return put_back


def _kept(mappings: list[dict[Any, Any]], known: set[int]) -> _Undo:
    """What the values of some mappings hold, put back into the same objects: tensors, arrays and generators, also inside lists,
    dicts, sets and tuples. known: the ids of what is kept elsewhere.
    """
    undo: list[_Undo] = []
    seen = set(known)

    def visit(value: Any) -> None:
        if id(value) in seen:
            return
        seen.add(id(value))
        if (kept := _value(value) or _generator(value) or _items(value)) is not None:
            undo.append(kept)
        if isinstance(value, dict):
            value = tuple(value.values())
        if isinstance(value, list | tuple | set | deque):
            for one in value:
                visit(one)

    for mapping in mappings:
        for value in mapping.values():
            visit(value)

    def put_back() -> None:
        for one in undo:
            one()

    return put_back


def _value(value: Any) -> _Undo | None:
    """The numbers of a tensor or an array."""
    if isinstance(value, Tensor):
        was = value.detach().clone()

        @torch.no_grad()
        def put_back() -> None:
            if (value.grad_fn is None and not value.is_inference()) or not torch.equal(value, was):
                value.copy_(was)

        return put_back
    if (numpy := sys.modules.get("numpy")) is not None and isinstance(value, numpy.ndarray) and value.flags.writeable:
        numbers = value.copy()

        def refill() -> None:
            value[...] = numbers

        return refill
    return None


def _items(value: Any) -> _Undo | None:
    """Which objects a list, dict, set or deque holds; where these are still the same it is left alone."""
    if isinstance(value, dict):
        pairs = list(value.items())

        def put_back() -> None:
            if [(id(key), id(one)) for key, one in value.items()] != [(id(key), id(one)) for key, one in pairs]:
                value.clear()
                value.update(pairs)

        return put_back
    if isinstance(value, list | set | deque):
        was = list(value)

        def refill() -> None:
            if list(map(id, value)) != list(map(id, was)):
                value.clear()
                value.update(was) if isinstance(value, set) else value.extend(was)

        return refill
    return None


def _generator(value: Any) -> _Undo | None:
    """The state of a random generator that somebody holds."""
    if isinstance(value, torch.Generator):
        state = value.get_state()

        def put_back() -> None:
            value.set_state(state)

        return put_back
    if isinstance(value, random.Random):
        held = value.getstate()
        return lambda: value.setstate(held)
    if (numpy := sys.modules.get("numpy")) is not None and isinstance(value, numpy.random.Generator):
        bits = value.bit_generator.state
        return lambda: setattr(value.bit_generator, "state", bits)
    return None


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
