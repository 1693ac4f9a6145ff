"""Compiled training stepped by the host: one compilation, and no graph break of ours."""

from collections.abc import Callable

import pytest
import torch
from tensor_groups import groups, rates
from torch import tensor
from torch._dynamo.testing import CompileCounter
from torch.optim import SGD, AdamW, Optimizer, RMSprop

import preheat as ph
from preheat.torch import Scheduler

pytestmark = pytest.mark.usefixtures("fresh_compiler")
SCHEDULE = ph.warmup(5) >> ph.hold(1.0, 5) >> ph.decay(10, shape="cosine")
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": lambda groups: SGD(groups, lr=tensor(0.1), foreach=True),
    "momentum": lambda groups: SGD(groups, lr=tensor(0.1), momentum=0.9, weight_decay=0.01),
    "adamw": lambda groups: AdamW(groups, lr=tensor(0.1), capturable=True, foreach=True),
    "rmsprop": lambda groups: RMSprop(groups, lr=tensor(0.1)),
}
if hasattr(torch.optim, "Muon"):
    OPTIMIZERS["muon"] = lambda groups: torch.optim.Muon(groups, lr=tensor(0.1))


def compilations(optimizer: Optimizer, after: Callable[[], object]) -> list[int]:
    """How often optimizer.step() has been compiled, after each update."""
    counter = CompileCounter()
    step = torch.compile(optimizer.step, backend=counter)
    counts = []
    for _ in range(8):
        step()
        after()
        counts.append(counter.frame_count)
    return counts


def test_a_compiled_step_compiles_once_for_every_kind_of_schedule(schedule: ph.Schedule) -> None:
    """pytorch#107076, #120934, #130467, #163093, #162359, #126854: one graph, whatever the rate does."""
    optimizer = OPTIMIZERS["sgd"](groups())
    scheduler = Scheduler(optimizer, schedule)
    assert compilations(optimizer, scheduler.step) == [1] * 8
    assert scheduler.audit().applied == 8, "the compiled step sets the flag too"
    assert rates(optimizer) == pytest.approx([0.1 * schedule(8)] * 2, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_scheduler_adds_no_compilation_and_no_graph_break(name: str) -> None:
    """torch#163103, torchtune#2263: the same graphs as without one, for every optimizer that takes a tensor rate."""
    plain, ours = OPTIMIZERS[name](groups()), OPTIMIZERS[name](groups())
    before = ours.step.__func__
    scheduler = Scheduler(ours, SCHEDULE)
    assert ours.step.__func__ is before, "no wrapper round step"
    alone = compilations(plain, lambda: plain.param_groups[0]["lr"].mul_(0.9))
    assert compilations(ours, scheduler.step) == alone
    torch._dynamo.reset()
    counts = [torch._dynamo.explain(optimizer.step)() for optimizer in (plain, ours)]
    assert counts[0].graph_break_count == counts[1].graph_break_count
    assert counts[0].graph_count == counts[1].graph_count


def test_betas_as_tensors_compile_once() -> None:
    """pytorch#133898: OneCycleLR recompiles AdamW at every step, because it replaces its betas by floats."""
    betas = (tensor(0.9), tensor(0.99))
    optimizer = AdamW(groups(), lr=tensor(0.1), betas=betas, capturable=True, foreach=True)
    plan = ph.Plan({"lr": ph.warmup(6), "betas[0]": ph.absolute(ph.ramp(0.95, 0.85, 6))})
    scheduler = Scheduler(optimizer, plan)
    held = [group["betas"][0] for group in optimizer.param_groups]
    assert compilations(optimizer, scheduler.step) == [1] * 8
    assert all(group["betas"][0] is mine for group, mine in zip(optimizer.param_groups, held, strict=True))
    assert [float(beta) for beta in held] == pytest.approx([0.85] * 2)


def test_weight_decay_and_eps_as_tensors_are_not_compiled_again() -> None:
    """torch itself breaks the graph at `weight_decay != 0`; nothing is compiled again."""
    optimizer = AdamW(groups(), lr=tensor(0.1), weight_decay=tensor(0.1), eps=tensor(1e-8), foreach=False)
    plan = ph.Plan({"lr": ph.warmup(6), "weight_decay": ph.decay(6, to=0.5), "eps": ph.decay(6, to=0.1)})
    counts = compilations(optimizer, Scheduler(optimizer, plan).step)
    assert counts == counts[:1] * 8
    assert float(optimizer.param_groups[0]["weight_decay"]) == pytest.approx(0.05)


def test_loading_a_state_and_changing_the_plan_keep_the_tensors() -> None:
    """What was compiled or captured before goes on reading the same memory."""
    optimizer = OPTIMIZERS["sgd"](groups())
    scheduler = Scheduler(optimizer, ph.hold())
    assert compilations(optimizer, scheduler.step) == [1] * 8
    held, state = [group["lr"] for group in optimizer.param_groups], scheduler.state_dict()
    scheduler.load_state_dict(state)
    scheduler.cooldown(10)
    counter = CompileCounter()
    step = torch.compile(optimizer.step, backend=counter)
    step()
    scheduler.step()
    scheduler.rewarm(9)  # what the cooldown leaves of the run
    assert all(group["lr"] is mine for group, mine in zip(optimizer.param_groups, held, strict=True))
