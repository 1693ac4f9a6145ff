"""Optimizers inside others: what is applied counts, whoever is asked to apply it."""

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.amp import GradScaler
from torch.optim import SGD, Adam, Optimizer

import preheat as ph
from preheat.torch import Scheduler
from preheat.torch.wrapped import layers

CURVE = ph.warmup(10) >> ph.decay(90)
NAMES = ["optimizer", "optim", "_optimizer", "base_optimizer", "inner", "wrapped"]


def parameter() -> nn.Parameter:
    return nn.Parameter(torch.ones(3))


def backward(optimizer: Any) -> None:
    for group in optimizer.param_groups:
        sum((p * p).sum() for p in group["params"]).backward()


class Bare(Optimizer):
    """accelerate's kind: an Optimizer by name, whose __init__ is never called."""

    def __init__(self, optimizer: Optimizer, name: str = "optimizer") -> None:
        self.name = name
        setattr(self, name, optimizer)

    @property
    def inside(self) -> Optimizer:
        return getattr(self, self.name)

    @property
    def param_groups(self) -> list:
        return self.inside.param_groups

    @property
    def state(self) -> dict:
        return self.inside.state

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inside.zero_grad(set_to_none)

    def step(self, closure: Callable | None = None) -> None:
        self.inside.step(closure)


class Plain:
    """DeepSpeed's and apex' kind: no Optimizer at all."""

    def __init__(self, optimizer: Optimizer, name: str = "optimizer") -> None:
        setattr(self, name, optimizer)
        self.param_groups, self.step, self.zero_grad = optimizer.param_groups, optimizer.step, optimizer.zero_grad


class Around(Optimizer):
    """A whole Optimizer round another, with a hook of its own: `applied` inner updates in each of every `every` calls."""

    def __init__(self, optimizer: Optimizer, every: int = 1, applied: int = 1) -> None:
        super().__init__(optimizer.param_groups, {})
        self.base_optimizer, self.every, self.applied, self.called = optimizer, every, applied, 0
        self.param_groups = optimizer.param_groups

    def step(self, closure: Callable | None = None) -> None:
        self.called += 1
        if self.called % self.every == 0:
            for _ in range(self.applied):
                self.base_optimizer.step()


class ByItself(Around):
    """One that keeps another for its groups alone, and applies the updates itself."""

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad, alpha=float(group["lr"]))


class Copies(Bare):
    """Master copies: groups of its own, whose rate it hands to the inner ones before each update."""

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        self.groups = [{**group, "params": list(group["params"])} for group in optimizer.param_groups]

    param_groups = property(lambda self: self.groups)

    def step(self, closure: Callable | None = None) -> None:
        for mine, inner in zip(self.groups, self.inside.param_groups, strict=True):
            inner["lr"] = mine["lr"]
        self.inside.step(closure)


class Lightning(Bare):
    """Lightning's kind: a copy of the inner one's attributes, its hooks among them, and a step that no hook sees."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.__dict__.update({name: value for name, value in vars(optimizer).items() if name != "param_groups"})
        super().__init__(optimizer, "_optimizer")

    state = None
    __setstate__ = None


WRAPPERS: dict[str, Callable[[Optimizer], Any]] = {
    **{f"bare.{name}": (lambda o, name=name: Bare(o, name)) for name in NAMES},
    **{f"plain.{name}": (lambda o, name=name: Plain(o, name)) for name in NAMES},
    "twice": lambda o: Bare(Bare(o)),
    "around": Around,
    "sam": lambda o: Around(o, applied=2),
    "lookahead": lambda o: Bare(Around(o, applied=5)),
    "by itself": ByItself,
    "copies": Copies,
    "lightning": Lightning,
}


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("name", WRAPPERS)
def test_an_update_through_a_wrapper_counts_once(name: str, kind: type) -> None:
    wrapper = WRAPPERS[name](kind([parameter()], lr=0.1))
    scheduler = Scheduler(wrapper, CURVE)
    for i in range(20):
        assert float(wrapper.param_groups[0]["lr"]) == pytest.approx(0.1 * CURVE(i))
        wrapper.zero_grad()
        backward(wrapper)
        wrapper.step()
        scheduler.step()
        scheduler.step()
        assert scheduler.position == i + 1
    audit = scheduler.audit()
    assert (audit.applied, audit.surplus, audit.unseen) == (20, 20, 0)
    assert audit.findings == ("stepped 2 times per update; the surplus calls were ignored",)


@pytest.mark.parametrize("make", [lambda o: Around(o, every=4), lambda o: Bare(Around(o, every=4))])
def test_a_wrapper_that_accumulates_counts_what_it_applies(make: Callable) -> None:
    """Its own hook is called for every micro-batch, from the first on."""
    wrapper = make(SGD([parameter()], lr=0.1))
    scheduler = Scheduler(wrapper, CURVE)
    for i in range(40):
        backward(wrapper)
        wrapper.step()
        scheduler.step()
        assert scheduler.position == (i + 1) // 4


def test_layers_come_outermost_first_and_end_in_circles_too() -> None:
    inner, other = SGD([parameter()], lr=0.1), Adam([parameter()])
    outer = Bare(Bare(inner))
    assert layers(inner) == [inner]
    assert layers(outer) == [outer, outer.inside, inner]
    inner.outer = outer
    assert layers(outer) == [outer, outer.inside, inner]
    both = Bare(inner)
    both.others = {"a": other, "b": [1]}
    assert layers(both)[-1] is other


def test_of_several_inside_one_that_applies_an_update_is_enough() -> None:
    inside = [SGD([parameter()], lr=0.1), Adam([parameter()], lr=0.1)]

    class Both(Bare):
        param_groups = property(lambda self: [group for one in inside for group in one.param_groups])
        state = property(lambda self: {})

        def step(self, closure: Callable | None = None) -> None:
            for one in inside:
                one.step()

    both = Both(inside, "optimizers")  # pyrefly: ignore[bad-argument-type]
    scheduler = Scheduler(both, CURVE)
    for i in range(10):
        backward(both)
        (both if i % 2 else inside[1]).step()
        scheduler.step()
        assert scheduler.position == i + 1
        assert [group["lr"] for group in both.param_groups] == pytest.approx([0.1 * CURVE(i + 1)] * 2)


def test_what_cannot_be_watched_is_refused_and_may_count_calls() -> None:
    class Alone(Bare):
        param_groups = state = None

        def __init__(self) -> None:
            self.param_groups = [{"params": [parameter()], "lr": 0.1}]

    alone = Alone()
    with pytest.raises(ph.PreheatError, match=r"nothing in Alone tells when an update is applied.*counts='calls'"):
        Scheduler(alone, CURVE)
    scheduler = Scheduler(alone, CURVE, counts="calls")
    scheduler.step()
    assert (scheduler.position, alone.param_groups[0]["lr"]) == (1, pytest.approx(0.01))
    with pytest.raises(ph.PreheatError, match="takes a torch optimizer"):
        Scheduler(nn.Linear(1, 1), CURVE)
    inner = SGD([parameter()], lr=0.1)
    with pytest.raises(ph.PreheatError, match="several different ones"):
        Scheduler([Bare(inner), inner], CURVE)


SKIPS = [set(), {0}, {0, 1, 5}, {3, 4}]


@pytest.mark.parametrize("skips", SKIPS, ids=lambda skips: ",".join(map(str, skips)) or "none")
@pytest.mark.parametrize("fused", [False, True])
def test_what_accelerates_scaler_skips_does_not_count(fused: bool, skips: set[int]) -> None:
    """The scaler is inside its wrapper; nobody passes it."""
    accelerate = pytest.importorskip("accelerate")
    accelerate.Accelerator(cpu=True)
    optimizer = Adam([parameter()], lr=0.1, fused=fused)
    scaler = GradScaler("cpu", init_scale=64.0)
    wrapper = accelerate.optimizer.AcceleratedOptimizer(optimizer, scaler=scaler)
    scheduler = Scheduler(wrapper, CURVE)
    for i in range(10):
        optimizer.zero_grad()
        scaler.scale((optimizer.param_groups[0]["params"][0] ** 2).sum()).backward()
        if i in skips:
            optimizer.param_groups[0]["params"][0].grad.fill_(math.inf)
        wrapper.step()
        scheduler.step()
        assert scheduler.position == sum(j not in skips for j in range(i + 1))
    audit = scheduler.audit()
    assert (audit.skipped, audit.surplus, audit.findings) == (len(skips), 0, ())


def test_accelerate_accumulates_and_prepares_either() -> None:
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=4)
    model = nn.Linear(3, 3)
    prepared, optimizer = accelerator.prepare(model, SGD(model.parameters(), lr=0.1))
    scheduler = Scheduler(optimizer, CURVE)
    for i in range(24):
        with accelerator.accumulate(prepared):
            accelerator.backward(prepared(torch.ones(1, 3)).sum())
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        assert scheduler.position == (i + 1) // 4
    assert scheduler.state_dict()["position"] == 6


def test_a_copy_of_accelerates_wrapper_is_one_of_its_own() -> None:
    """It takes its attributes along when it is copied, ours among them."""
    accelerate = pytest.importorskip("accelerate")
    accelerate.state.GradientState._reset_state()  # which remembers loaders that were left in the middle
    accelerate.Accelerator(cpu=True)
    wrapper = accelerate.optimizer.AcceleratedOptimizer(SGD([parameter()], lr=0.1))
    scheduler = Scheduler(wrapper, CURVE)
    for copied in (copy.deepcopy(wrapper), pickle.loads(pickle.dumps(wrapper))):
        copied.add_param_group({"params": [parameter()]})
        assert (len(copied.param_groups), len(wrapper.param_groups)) == (2, 1)
    wrapper.add_param_group({"params": [parameter()], "lr": 0.2})
    assert [group["lr"] for group in wrapper.param_groups] == [0.1 * CURVE(0), 0.2 * CURVE(0)]
    assert pickle.loads(pickle.dumps(scheduler)).state_dict() == scheduler.state_dict()


@pytest.mark.parametrize("gradient", [0.0, 1.0])
def test_an_update_that_only_made_the_state_has_moved_nothing(gradient: float) -> None:
    """DeepSpeed takes one with gradients of 0 before it makes a scheduler from a callable."""
    optimizer = Adam([parameter()], lr=0.1)
    optimizer.param_groups[0]["params"][0].grad = torch.full_like(optimizer.param_groups[0]["params"][0], gradient)
    optimizer.step()
    scheduler = Scheduler(optimizer, CURVE)
    optimizer.param_groups[0]["params"][0].grad.fill_(1.0)
    if gradient:
        with pytest.raises(ph.PreheatError, match="the optimizer was moved before"):
            optimizer.step()
    else:
        optimizer.step()
        scheduler.step()
        assert (scheduler.position, scheduler.audit().findings) == (1, ())
