"""A model that was trained to the end is to learn on: how high does its loss jump when the rate is raised again?

    python examples/rewarm.py --out runs/rewarm

The rate decays to a hundredth of its peak, then returns to it at once, or over a warmup, and decays to 0. This is how one's
own training function is compared: `train(schedule, seed, log)`, which returns what it measured.
"""

import argparse
import math
from itertools import islice

import torch

import preheat as ph
from preheat.lab.tasks import BytesOptions, load
from preheat.lab.tasks.training import build_optimizer, evaluate, fit
from preheat.torch import Scheduler

FIRST, TOTAL = 500, 1300  # updates until the rate has decayed, and in all
MODEL = BytesOptions(norm="pre", depth=4, optimizer="adamw", peak=1e-2)
EVERY = 10  # updates from one look at the validation loss to the next, once the rate rises


def rewarmed(span: int) -> ph.Schedule:
    """Up, down, and after `FIRST` updates up again over `span` and down to 0."""
    first = ph.warmup(50) >> ph.decay(FIRST - 50, to=0.01)
    return first >> ph.ramp(0.01, 1.0, span) >> ph.decay() if span else first >> ph.decay()


def train(schedule: ph.Schedule, seed: int, log) -> dict[str, float]:
    """The final validation loss, and the jump: the highest one after the rise began minus the one before it."""
    seen: list[float] = []

    def noted(step: int, **metrics: float) -> None:
        if step >= FIRST and (step - FIRST) % EVERY == 0:  # before this update
            seen.append(evaluate(model, *task.validation())[0])
            metrics["now"] = seen[-1]
        log(step, **metrics)

    task = load(MODEL)
    torch.manual_seed(seed)
    model = task.model()
    scheduler = Scheduler(build_optimizer(MODEL, model.parameters()), schedule, run=ph.Run(total=TOTAL))
    _, finite = fit(model, islice(task.batches(seed), TOTAL), scheduler, noted)
    loss = evaluate(model, *task.validation())[0] if finite else math.nan
    return {"jump": max(seen) - seen[0], "val_loss": loss}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--out", default="runs/rewarm")
    given = arguments.parse_args()
    arms = {"at once": rewarmed(0), "over 50": rewarmed(50), "over 300": rewarmed(300)}
    metric = ("jump", "val_loss")
    ph.compare(train, arms=arms, seeds=given.seeds, metric=metric, steps=TOTAL, title="rewarming", out=given.out)
