"""Writes the checkpoint file of this release, which every later release must load: `python write_checkpoint.py`.

Each case is saved after SAVED_AFTER updates, with what the updates after that used and did. A released file is never
written again; a case is never changed, only added.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

import preheat as ph
from preheat.session import HoldUntil, Plateau, Rewarm
from preheat.torch import Scheduler

SAVED_AFTER, FOLLOWED_BY = 25, 20
Built = tuple[list[Optimizer], Scheduler]
Build = Callable[[Callable[[list[Optimizer]], None]], Built]  # calls what it is given before the scheduler is built

USUAL = ph.warmup("10%", start=0.1) >> ph.decay(to=0.1, shape="cosine")
SHAPES = ["linear", "cosine", "sqrt", "square", ph.power(1.5), "smooth", "mirror-cosine", "log", "exponential"]
EVERY_KIND = {
    **{f"shape_{i}": ph.ramp(1.0, 0.1, 60, shape) for i, shape in enumerate(SHAPES)},
    "shape_reversed": ph.ramp(1.0, 0.1, 60, ph.reverse("sqrt")),
    "part_hold": ph.hold(0.5),
    "part_steps": ph.steps([1.0, 0.5, 0.25], [15, 15, "rest"]),
    "part_invsqrt": ph.warmup(10) >> ph.invsqrt(10),
    "part_saturating": ph.saturating(20.5),
    "part_rectified": ph.rectified(0.95),
    "part_table": ph.table([0.1, 0.3, 0.2]),
    "part_product": (ph.warmup(30) >> ph.hold()) * ph.decay(),
    "part_lower": ph.lower(ph.warmup(40), ph.hold(0.6)),
    "part_upper": ph.upper(ph.decay(), ph.hold(0.6)),
    "part_scaled": ph.decay().scaled(3e-4),
    "part_repeated": ph.decay(10, to=0.1).repeated(3, stretch=1.5, shrink=0.5),
    "part_shifted": ph.warmup(20).shifted(10),
    "part_truncated": ph.decay(200).truncated(30),
}

LATER_KINDS = {
    "shape_rex": ph.ramp(1.0, 0.1, 60, "rex"),
    "shape_composed": ph.ramp(1.0, 0.1, 60, ph.compose(ph.power(1.5), "cosine")),
    "part_invsqrt_of_a_power": ph.warmup(10) >> ph.invsqrt(10, power=0.8),
    "part_sum": ph.decay(60, to=0.1) + ph.hold(0.25, 60),
    "part_stepwise": ph.decay(60, to=0.1, shape="cosine").stepwise(7),
}


def group(lr: Any = 0.1, **more: Any) -> dict[str, Any]:
    """A group of two parameters."""
    return {"params": [nn.Parameter(torch.ones(2)), nn.Parameter(torch.tensor(0.5))], "lr": lr, **more}


def case(optimizers: Callable[[], list[Optimizer]], schedule: Any, run: Any = None, **options: Any) -> Build:
    """How to build the optimizers and the scheduler of a case, anew."""

    def build(before: Callable[[list[Optimizer]], None] = lambda made: None) -> Built:
        made = optimizers()
        before(made)
        return made, Scheduler(made, schedule, run=run, **options)

    return build


def sgd(**options: Any) -> Callable[[], list[Optimizer]]:
    """One group, with momentum."""
    return lambda: [SGD([group()], **{"momentum": 0.9, **options})]


CASES: dict[str, Build] = {
    "factors": case(lambda: [AdamW([group(0.3), group(0.07)], foreach=False)], USUAL, ph.Run(total=100)),
    "tensors": case(
        lambda: [Adam([group(torch.tensor(0.3)), group(torch.tensor(0.07))], lr=torch.tensor(1.0), foreach=False)],
        USUAL,
        ph.Run(total=100),
    ),
    "plan": case(
        lambda: [AdamW([group(name="body", lr_scale=0.5), group(name="head")], foreach=False)],
        ph.Plan(
            {
                "lr": USUAL,
                "head/lr": USUAL.scaled(10.0),
                "weight_decay": ph.absolute(ph.ramp(0.0, 0.1, "50%")),
                "betas[0]": ph.absolute(ph.ramp(0.8, 0.95, "30%")),
                "clip_norm": ph.absolute(ph.ramp(10.0, 1.0, "30%", shape="exponential")),
            }
        ),
        ph.Run(total=100),
    ),
    "peak": case(lambda: [SGD([group(0.3), group(0.07)], momentum=0.9)], USUAL, ph.Run(total=100), peak=0.5),
    "stateless": case(lambda: [SGD([group(0.3), group(0.07)])], USUAL, ph.Run(total=100)),
    "several": case(lambda: [*sgd()(), AdamW([group(0.01)], foreach=False)], USUAL, ph.Run(total=100)),
    "rules": case(
        sgd(),
        ph.warmup(5) >> ph.hold(1.0, 20) >> ph.decay("rest"),
        ph.Run(total=60),
        rules=[
            Plateau("loss", factor=0.5, patience=8, after=5),
            HoldUntil("loss", at=22, patience=6),
            Rewarm("loss", span=12, settle=5),
        ],
    ),
    "epochs": case(sgd(), USUAL, ph.Run(total="3 epochs", steps_per_epoch=20)),
    "per epoch": case(sgd(), USUAL, ph.Run(total="60 epochs", clock="epoch")),
    "samples": case(sgd(), USUAL, ph.Run(total="1k samples", clock="sample", samples_per_step=16)),
    "tokens": case(
        sgd(), ph.warmup("5k tokens") >> ph.decay(), ph.Run(total="60k tokens", clock="token", tokens_per_step=1000)
    ),
    "seconds": case(sgd(), USUAL, ph.Run(total="60 s", clock="second")),
    "endless": case(sgd(), ph.warmup(10) >> ph.hold(), ph.Run()),
    "every kind": case(
        sgd(), ph.Plan({key: ph.absolute(schedule) for key, schedule in EVERY_KIND.items()}), ph.Run(total=60)
    ),
    "later kinds": case(
        sgd(), ph.Plan({key: ph.absolute(schedule) for key, schedule in LATER_KINDS.items()}), ph.Run(total=60)
    ),
}


def parameters(optimizers: list[Optimizer]) -> list[nn.Parameter]:
    """All of them, in order."""
    return [p for optimizer in optimizers for rows in optimizer.param_groups for p in rows["params"]]


def weights(optimizers: list[Optimizer]) -> list[Any]:
    """Their values, as plain numbers."""
    return [p.tolist() for p in parameters(optimizers)]


def train(optimizers: list[Optimizer], scheduler: Scheduler, updates: int) -> list[dict[str, float]]:
    """So many updates, with gradients that depend on nothing but the weights; what each of them used."""
    used = []
    for _ in range(updates):
        used.append(scheduler.values())
        for p in parameters(optimizers):
            p.grad = p.detach() - 0.25
        for optimizer in optimizers:
            optimizer.step()
        t = scheduler.last_epoch
        loss = 9.0 if t in (21, 38) else 2.0 - 0.02 * min(t, 20) + t % 3 / 10
        metrics = {"loss": loss} if scheduler.session.rules else None
        scheduler.step(metrics=metrics, advance=0.75 if scheduler.run.clock == "second" else None)
    return used


def saved(build: Build) -> dict[str, Any]:
    """One case, after the first updates, and what followed."""
    optimizers, scheduler = build(lambda made: None)
    train(optimizers, scheduler, SAVED_AFTER)
    state = {
        "weights": weights(optimizers),
        "optimizers": [copy.deepcopy(optimizer.state_dict()) for optimizer in optimizers],
        "scheduler": scheduler.state_dict(),
    }
    return {**state, "used": train(optimizers, scheduler, FOLLOWED_BY), "after": weights(optimizers)}


def main() -> None:
    """The file of this release, beside this one."""
    path = Path(__file__).with_name(f"checkpoint-{ph.__version__}.pt")
    if path.exists():
        raise SystemExit(f"{path.name} is there: a released checkpoint is never written again")
    torch.save({name: saved(build) for name, build in CASES.items()}, path)


if __name__ == "__main__":
    main()
