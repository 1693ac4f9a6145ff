"""Positions that live on the device: a step that may stand inside a compiled or captured training step."""

import copy
import inspect
import io
import math
from collections.abc import Callable

import pytest
import torch
from tensor_groups import groups, rates
from torch import Tensor, tensor
from torch._dynamo.testing import CompileCounter
from torch.optim import SGD, AdamW, Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

import preheat as ph
from preheat.session import Plateau
from preheat.torch import Scheduler, device_clock

pytestmark = pytest.mark.usefixtures("fresh_compiler")
SCHEDULE = ph.warmup(5) >> ph.hold(1.0, 5) >> ph.decay(10, shape="cosine")
UPDATES = 26


def on_device(schedule: object, number: int = 2, **options: object) -> tuple[SGD, Scheduler]:
    optimizer = SGD(groups(number), lr=tensor(0.1, dtype=torch.float64))
    return optimizer, Scheduler(optimizer, schedule, on_device=True, **options)


def follows_the_host(schedule: ph.Schedule) -> None:
    optimizer, scheduler = on_device(schedule)
    counter = CompileCounter()
    step = torch.compile(scheduler.step, backend=counter, fullgraph=True)
    for t in range(UPDATES):
        assert rates(optimizer) == pytest.approx([0.1 * schedule(t)] * 2, rel=2e-15, abs=1e-17)
        step()
    assert counter.frame_count == 1
    assert (scheduler.position, scheduler.last_epoch) == (UPDATES, UPDATES)
    assert scheduler.get_last_lr() == pytest.approx(rates(optimizer), rel=2e-15, abs=1e-17)


def test_a_loop_may_end_by_the_count_of_updates() -> None:
    optimizer, scheduler = on_device(SCHEDULE)
    while scheduler.last_epoch < 11:
        optimizer.step()
        scheduler.step()
    scheduler.set_peak(0.2)
    assert (scheduler.position, scheduler.last_epoch) == (11, 11)
    assert "at update 11" in str(scheduler.audit())


def test_a_step_on_the_device_is_one_whole_graph_and_gives_the_hosts_values(schedule: ph.Schedule) -> None:
    follows_the_host(schedule)


@pytest.mark.parametrize(
    "schedule",
    [SCHEDULE, ph.steps([1.0, 0.5, 0.1], [6, 6, 6]), ph.table([0.5, 1.0, 0.1]), ph.decay(6).repeated(3, 1.5, 0.5)],
)
def test_what_is_too_long_for_a_table_is_computed(schedule: ph.Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_clock, "_LONGEST", 0)
    follows_the_host(schedule)


def raw_step(optimizer: Optimizer) -> None:
    """optimizer.step() without torch's own graph break, and with the hooks that follow it."""
    inspect.unwrap(type(optimizer).step)(optimizer)
    for hook in optimizer._optimizer_step_post_hooks.values():
        hook(optimizer, (), {})


def test_a_whole_update_with_the_hook_and_the_scheduler_is_one_graph() -> None:
    """Forward, gradient, optimizer, hook and scheduler, fullgraph=True, and equal to training by hand."""
    optimizer, scheduler = on_device(SCHEDULE, 1)
    (weight,) = optimizer.param_groups[0]["params"]
    x, expected = torch.arange(3.0).reshape(3, 1), torch.ones(3, 1)

    def update() -> Tensor:
        with torch.no_grad():
            error = x * weight - 1.0
            weight.grad.copy_(2.0 * x * error)
            raw_step(optimizer)
        scheduler.step()
        return (error * error).sum()

    counter = CompileCounter()
    compiled = torch.compile(update, backend=counter, fullgraph=True)
    for t in range(UPDATES):
        expected = expected - 0.1 * SCHEDULE(t) * 2.0 * x * (x * expected - 1.0)
        compiled()
        assert torch.allclose(weight, expected, rtol=1e-5)
    assert counter.frame_count == 1


def test_training_with_autograd_compiled_as_one_function() -> None:
    torch.manual_seed(0)
    model, twin = torch.nn.Linear(4, 1), torch.nn.Linear(4, 1)
    twin.load_state_dict(model.state_dict())
    ours, theirs = (SGD(m.parameters(), lr=tensor(0.1), momentum=0.9) for m in (model, twin))
    device = Scheduler(ours, SCHEDULE, on_device=True)
    host = Scheduler(theirs, SCHEDULE)
    counter = CompileCounter()

    def update(m: torch.nn.Module, optimizer: Optimizer, scheduler: Scheduler, x: Tensor) -> None:
        optimizer.zero_grad(set_to_none=False)
        m(x).square().mean().backward()
        optimizer.step()
        scheduler.step()

    compiled = torch.compile(update, backend=counter)
    counts = []
    for _ in range(UPDATES):
        x = torch.randn(8, 4)
        compiled(model, ours, device, x)
        update(twin, theirs, host, x)
        counts.append(counter.frame_count)
    assert torch.allclose(model.weight, twin.weight, rtol=1e-5)
    assert len(set(counts[4:])) == 1, "nothing is compiled again once the gradients and momenta exist"
    assert device.position == UPDATES


def test_a_skipped_update_leaves_the_position_without_asking_the_host() -> None:
    optimizer, scheduler = on_device(ph.warmup(10))
    counter = CompileCounter()
    step = torch.compile(lambda found: scheduler.step(found_inf=found), backend=counter, fullgraph=True)
    for found, expected in [(0.0, 1), (1.0, 1), (2.0, 1), (0.0, 2), (math.inf, 2), (0.0, 3)]:
        step(tensor([found]))
        assert scheduler.position == expected
        assert rates(optimizer) == pytest.approx([0.01 * expected] * 2)
    assert counter.frame_count == 1


class _NoReading(TorchDispatchMode):
    """Refuses what would make the host wait for the device, or copy to it."""

    def __torch_dispatch__(
        self, function: object, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        name = str(function)
        assert not any(word in name for word in ("_local_scalar_dense", "nonzero", "lift_fresh", "equal")), name
        return function(*args, **(kwargs or {}))


def test_a_step_on_the_device_never_reads_from_it(schedule: ph.Schedule) -> None:
    """What a captured CUDA graph could not contain: .item(), branches on values, tensors made of Python lists."""
    _, scheduler = on_device(schedule)
    with _NoReading():
        scheduler.step()
        scheduler.step(found_inf=torch.zeros(()))


def test_asking_never_waits_for_the_device() -> None:
    """Also of groups that are not scheduled, and of one that has just been added: their tensors are given as they are."""
    optimizer = SGD([{**group, "lr": tensor(0.1 * i)} for i, group in enumerate(groups(3), 1)], momentum=0.9)
    scheduler = Scheduler(optimizer, ph.Plan({"0/lr": ph.decay(4), "2/lr": ph.absolute(ph.ramp(0.3, 0.1, 4))}))
    optimizer.add_param_group({**groups(1)[0], "lr": tensor(0.4)})
    with _NoReading():
        last, values = scheduler.get_last_lr(), scheduler.values()
        assert (scheduler.position, scheduler.base_lrs[0]) == (0, pytest.approx(0.1))
    assert [float(rate) for rate in last] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert (type(last[0]), type(last[1])) == (float, torch.Tensor)
    assert values == {"0/lr": pytest.approx(0.1), "2/lr": pytest.approx(0.3)}


def test_several_lines_groups_and_optimizers() -> None:
    one = AdamW(groups(), lr=tensor(0.1), betas=(tensor(0.9), tensor(0.99)), capturable=True)
    two = SGD([{**group, "name": f"x{i}"} for i, group in enumerate(groups())], lr=tensor(0.2))
    lines = {
        "lr": ph.warmup(4),
        "x1/lr": ph.absolute(ph.decay(4)),
        "betas[0]": ph.absolute(ph.ramp(0.8, 0.9, 4)),
        "clip": ph.absolute(ph.decay(4)),
    }
    scheduler = Scheduler([one, two], ph.Plan(lines), on_device=True)
    step = torch.compile(scheduler.step, backend="eager", fullgraph=True)
    for _ in range(3):
        step()
    assert rates(one) + rates(two) == pytest.approx([0.075, 0.075, 0.15, 0.25])
    assert [float(group["betas"][0]) for group in one.param_groups] == pytest.approx([0.875] * 2)
    assert scheduler.value("clip") == 0.25


def test_a_clock_of_tokens() -> None:
    run = ph.Run(total=24_000, clock="token", tokens_per_step=1000)
    optimizer, scheduler = on_device(ph.warmup("50%") >> ph.decay(), run=run)
    for t in range(30):
        assert rates(optimizer)[0] == pytest.approx(0.1 * max(0.0, 1 - abs(1 - t / 12)), abs=1e-12)
        scheduler.step()
    assert (scheduler.position, scheduler.last_epoch) == (30_000, 30)


def test_a_position_between_updates_goes_on_from_there() -> None:
    """Saved by a run whose updates were of another size."""
    run = ph.Run(total=10_000, clock="token", tokens_per_step=1000)
    optimizer, scheduler = on_device(ph.warmup(10_000), run=run)
    scheduler.load_state_dict({**scheduler.state_dict(), "position": 2500, "last_epoch": 7, "_step_count": 8})
    assert rates(optimizer) == pytest.approx([0.025] * 2)
    scheduler.step()
    assert rates(optimizer) == pytest.approx([0.035] * 2)
    assert (scheduler.position, scheduler.last_epoch) == (3500, 8)
    for _ in range(9):
        scheduler.step()
    assert rates(optimizer) == pytest.approx([0.1] * 2)


@pytest.mark.parametrize("order", ["bos", "obs", "bso"])
@pytest.mark.parametrize("device", [True, False])
def test_a_state_goes_between_device_and_host_in_any_order(order: str, device: bool) -> None:
    optimizer, scheduler = on_device(SCHEDULE)
    for _ in range(12):
        optimizer.step()
        scheduler.step()
    buffer = io.BytesIO()
    torch.save((optimizer.state_dict(), scheduler.state_dict()), buffer)
    buffer.seek(0)
    states = torch.load(buffer, weights_only=True)
    other = SGD(groups(), lr=tensor(0.1, dtype=torch.float64))
    for act in order:
        if act == "b":
            resumed = Scheduler(other, SCHEDULE, on_device=device)
        elif act == "o":
            other.load_state_dict(states[0])
        else:
            resumed.load_state_dict(states[1])
    for _ in range(12):
        assert rates(other) == pytest.approx(rates(optimizer), rel=1e-15)
        for pair in ((optimizer, scheduler), (other, resumed)):
            pair[0].step()
            pair[1].step()
    assert resumed.state_dict() == scheduler.state_dict()


def test_what_was_compiled_goes_on_after_loading() -> None:
    """The same tensors, in place: a captured graph could be replayed."""
    optimizer, scheduler = on_device(SCHEDULE)
    counter = CompileCounter()
    step = torch.compile(scheduler.step, backend=counter, fullgraph=True)
    step()
    state = scheduler.state_dict()
    tensors = [scheduler._device_clock.position, *vars_of(scheduler)]
    for _ in range(5):
        step()
    scheduler.load_state_dict(state)
    assert all(
        now is then for now, then in zip([scheduler._device_clock.position, *vars_of(scheduler)], tensors, strict=True)
    )
    step()
    assert counter.frame_count == 1
    assert rates(optimizer) == pytest.approx([0.04] * 2)


def vars_of(scheduler: Scheduler) -> list[Tensor]:
    return [value for row in scheduler._device_clock.rows for value in vars(row).values() if isinstance(value, Tensor)]


def test_a_copy_and_a_group_added_later() -> None:
    optimizer, scheduler = on_device(ph.warmup(10))
    scheduler.step()
    other_optimizer, other = copy.deepcopy((optimizer, scheduler))
    other_optimizer.add_param_group({**groups(1)[0], "lr": tensor(1.0, dtype=torch.float64)})
    other.step()
    assert rates(other_optimizer) == pytest.approx([0.02, 0.02, 0.2])
    assert (rates(optimizer), scheduler.position) == (pytest.approx([0.01] * 2), 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Scheduler(SGD(groups(), lr=0.1), ph.warmup(4), on_device=True), r"write torch\.tensor\(0\.1\)"),
        (lambda: on_device(ph.warmup(4), rules=[Plateau("loss")]), "drop rules="),
        (lambda: on_device(ph.warmup("1 h"), run=ph.Run(clock="second", total="2 h")), "counts updates"),
        (lambda: on_device(ph.Plan({"lr": ph.warmup(4), "momentum": ph.warmup(4)})), "'momentum' of group 0"),
        (lambda: on_device(ph.Plan({"mine": ph.absolute(ph.warmup(4))})), "one device, not on none"),
        (lambda: on_device(ph.warmup(4))[1].step(metrics={"loss": 1.0}), "a step is one update"),
        (lambda: on_device(ph.warmup(4))[1].step(advance=2), "a step is one update"),
        (lambda: Scheduler(SGD(groups(), lr=0.1), ph.warmup(4)).step(found_inf=tensor(0.0)), "pass scaler="),
        (lambda: with_a_float_group()[1].step(), r"of group 2 is 0\.5"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        call()


def with_a_float_group() -> tuple[SGD, Scheduler]:
    optimizer, scheduler = on_device(ph.warmup(4))
    optimizer.add_param_group({**groups(1)[0], "lr": 0.5})
    return optimizer, scheduler


def test_replays_of_a_captured_update_count_although_they_run_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stepped by the host, beside an optimizer that a CUDA graph drives."""
    optimizer = SGD(groups(), lr=tensor(0.1))
    scheduler = Scheduler(optimizer, ph.warmup(10))
    for _ in range(3):  # the updates before a capture
        optimizer.step()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    monkeypatch.setattr(Optimizer, "_cuda_graph_capture_health_check", lambda self: None)
    optimizer.step()
    monkeypatch.undo()
    for replay in range(5):
        scheduler.step()
        assert scheduler.position == replay + 1
    assert rates(optimizer) == pytest.approx([0.05] * 2)
    assert "captured in a CUDA graph" in str(scheduler.audit())
