"""DeepSpeed's engine on a CPU: the scheduler as an object and as a callable, under ZeRO 0 to 2, in its own checkpoints."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("deepspeed")
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

import preheat as ph
from preheat.torch import Scheduler

PLAN = ph.Plan(
    {
        "lr": ph.warmup("50%", start=0.1) >> ph.decay(shape="cosine"),
        "head/lr": ph.warmup(2, start=0.5) >> ph.hold(),
        "weight_decay": ph.absolute(ph.ramp(0.1, 0.0, "100%")),
    }
)
UPDATES, ACCUMULATED = 6, 2
RUN = ph.Run(total=UPDATES)
BOUND = PLAN.bind(RUN)
ALONE = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}


@pytest.fixture(scope="module", autouse=True)
def _one_process() -> Iterator[None]:
    """A process group of one; without DeepSpeed's own collectives, which it would compile first."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ALONE, "DS_ACCELERATOR": "cpu"}.items():
            patch.setitem(os.environ, name, value)
        import deepspeed.ops

        patch.setitem(deepspeed.ops.__compatible_ops__, "deepspeed_shm_comm", False)
        torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=torch.distributed.HashStore())
        yield
        torch.distributed.destroy_process_group()


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    body, head = model[0], model[2]  # type: ignore[index]
    groups = [
        {"params": list(body.parameters()), "name": "body"},
        {"params": list(head.parameters()), "name": "head", "lr": 0.03},
    ]
    return torch.optim.AdamW(groups, lr=0.01)


def engine_with(scheduler: Any, stage: int = 0, /, **config: Any) -> tuple[Any, torch.optim.Optimizer, Any]:
    """The engine, the optimizer that applies the updates, and the scheduler as the engine has it.

    scheduler: called with the optimizer for an object, or wrapped in `AsCallable` for the engine to call.
    """
    import deepspeed

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10))
    optimizer = optimizer_of(model)
    given = scheduler.make if isinstance(scheduler, AsCallable) else scheduler(optimizer)
    base = {
        "train_micro_batch_size_per_gpu": 4,
        "gradient_accumulation_steps": ACCUMULATED,
        "zero_optimization": {"stage": stage},
        "zero_allow_untested_optimizer": True,
    }
    engine, _, _, attached = deepspeed.initialize(
        model=model, optimizer=optimizer, lr_scheduler=given, config=base | config, dist_init_required=False
    )
    return engine, optimizer, attached


class AsCallable:
    """A scheduler that the engine is to make."""

    def __init__(self, make: Any) -> None:
        self.make = make


def train(engine: Any, optimizer: torch.optim.Optimizer, updates: int, **step: Any) -> list[list[float]]:
    """What every update used; ZeRO steps the optimizer once for each group, with that group alone in it."""
    images, labels = load_digits(return_X_y=True)
    used: list[list[float]] = []
    found: dict[str, list[float]] = {}

    def note(*_: Any) -> None:
        for group in optimizer.param_groups:
            found[group["name"]] = [float(group["lr"]), float(group["weight_decay"])]

    handle, dtype = optimizer.register_step_pre_hook(note), next(engine.parameters()).dtype
    for i in range(updates * ACCUMULATED):
        rows = slice(4 * i, 4 * i + 4)
        out = engine(torch.tensor(images[rows] / 16, dtype=dtype))
        engine.backward(nn.functional.cross_entropy(out.float(), torch.tensor(labels[rows])))
        engine.step(**step)
        if found:
            used.append([*found["body"], *found["head"]])
            found.clear()
    handle.remove()
    return used


def expected(first: int = 0, last: int = UPDATES) -> list[Any]:
    lr, head, decay = (BOUND[key] for key in ("lr", "head/lr", "weight_decay"))
    return [pytest.approx([0.01 * lr(t), decay(t), 0.03 * head(t), decay(t)], rel=1e-12) for t in range(first, last)]


MAKE = functools.partial(Scheduler, schedule=PLAN, run=RUN)


@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("scheduler", [MAKE, AsCallable(MAKE)], ids=["object", "callable"])
def test_every_update_uses_the_plan_and_the_engines_checkpoint_resumes(
    scheduler: Any, stage: int, bf16: bool, tmp_path: Path
) -> None:
    used = []
    for half in range(2):
        engine, optimizer, attached = engine_with(scheduler, stage, bf16={"enabled": bf16})
        if half:
            engine.load_checkpoint(str(tmp_path))
        used += train(engine, optimizer, UPDATES // 2)
        engine.save_checkpoint(str(tmp_path))
        assert attached.audit().findings == ()
    assert used == expected()
    assert (attached.position, engine.get_lr()) == (UPDATES, [pytest.approx(0.0, abs=1e-12), 0.03])


def test_another_loading_order_and_a_second_load_change_nothing(tmp_path: Path) -> None:
    """The optimizer's state alone, then everything, twice."""
    engine, optimizer, _ = engine_with(MAKE, 1)
    train(engine, optimizer, 3)
    engine.save_checkpoint(str(tmp_path))
    engine, optimizer, _ = engine_with(MAKE, 1)
    engine.load_checkpoint(str(tmp_path), load_lr_scheduler_states=False)
    for _ in range(2):
        engine.load_checkpoint(str(tmp_path))
    assert train(engine, optimizer, 3) == expected(3)


@pytest.mark.parametrize("scheduler", [MAKE, AsCallable(MAKE)], ids=["object", "callable"])
def test_a_checkpoint_of_before_the_first_update_is_one_of_update_0(scheduler: Any, tmp_path: Path) -> None:
    """In bfloat16 without ZeRO the engine takes an update with gradients of 0 while it is made."""
    engine, _, _ = engine_with(scheduler, bf16={"enabled": True})
    engine.save_checkpoint(str(tmp_path))
    engine, optimizer, _ = engine_with(scheduler, bf16={"enabled": True})
    engine.load_checkpoint(str(tmp_path))
    assert train(engine, optimizer, 3) == expected(0, 3)


def test_a_changed_plan_is_refused_when_a_checkpoint_is_loaded(tmp_path: Path) -> None:
    engine, optimizer, _ = engine_with(MAKE, 1)
    train(engine, optimizer, 3)
    engine.save_checkpoint(str(tmp_path))
    longer = functools.partial(MAKE, run=ph.Run(total=60))
    engine, _, _ = engine_with(longer, 1)
    with pytest.raises(ph.StateError, match="the plan has changed since this state was saved"):
        engine.load_checkpoint(str(tmp_path))
    engine, optimizer, _ = engine_with(functools.partial(longer, on_change="keep"), 1)
    engine.load_checkpoint(str(tmp_path))
    assert train(engine, optimizer, 3) == expected(3)


def test_metrics_reach_the_rules_through_the_engine() -> None:
    rules = [ph.Plateau("loss", factor=0.5, patience=1)]
    make = functools.partial(Scheduler, schedule=ph.hold(), rules=rules)
    engine, optimizer, scheduler = engine_with(make)
    used = train(engine, optimizer, 6, lr_kwargs={"metrics": {"loss": 1.0}})
    assert [rates[0] for rates in used] == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.005, 0.0025])
    assert scheduler.position == 6


def test_other_keyword_arguments_are_refused_and_jump_torchs() -> None:
    """DeepSpeed answers their TypeError by step(train_batch_size)."""
    engine, optimizer, scheduler = engine_with(MAKE)
    with pytest.raises(ph.PreheatError, match=r"step\(\) takes no epoch, not 8; write step\(metrics="):
        train(engine, optimizer, 1, lr_kwargs={"loss": 1.0})
    assert scheduler.position == 0
    engine, optimizer, peer = engine_with(functools.partial(LambdaLR, lr_lambda=_falling))
    train(engine, optimizer, 1, lr_kwargs={"loss": 1.0})
    assert peer.last_epoch == 8


def _falling(update: int) -> float:
    return 1 - update / 100


def test_the_section_of_the_json_is_ignored_beside_ours() -> None:
    section = {"type": "WarmupLR", "params": {"warmup_max_lr": 1.0, "warmup_num_steps": 3}}
    engine, optimizer, scheduler = engine_with(MAKE, scheduler=section)
    assert train(engine, optimizer, 3) == expected(0, 3)
    assert isinstance(scheduler, Scheduler)


@pytest.mark.parametrize("kind", ["log", "linear"])
def test_deepspeeds_own_warmup_wastes_two_updates_and_takes_another_length_in_silence(
    kind: str, tmp_path: Path
) -> None:
    """What the page says of it."""
    from deepspeed.runtime.lr_schedules import WarmupDecayLR

    def make(optimizer: Any, total: int) -> Any:
        return WarmupDecayLR(optimizer, total, warmup_max_lr=0.01, warmup_num_steps=2, warmup_type=kind)

    engine, optimizer, _ = engine_with(functools.partial(make, total=6))
    rates = [update[0] for update in train(engine, optimizer, 4)]
    assert rates[:2] == [0.0, 0.0]
    assert max(rates) > 0
    engine.save_checkpoint(str(tmp_path))
    engine, optimizer, _ = engine_with(functools.partial(make, total=600))
    engine.load_checkpoint(str(tmp_path))
    resumed = [update[0] for update in train(engine, optimizer, 2)]
    assert resumed[1] > 0.0099  # of six updates the sixth would be far down


def test_a_schedule_in_place_of_a_scheduler_is_refused() -> None:
    """DeepSpeed calls whatever is callable with the optimizer."""
    with pytest.raises(
        ph.PreheatError, match=r"(?s)called with a time, not with AdamW.*write preheat\.torch\.Scheduler\(optimizer"
    ):
        engine_with(AsCallable(ph.warmup(3) >> ph.hold()))
