"""Pre-train under the arm, then fine-tune under a schedule that is always the same: which pre-training serves better?

    preheat compare --launch "python examples/stages.py --seed {seed}" \\
        --arm decay='warmup("10%") >> decay()' --arm hold='warmup("10%") >> hold()' --arm none='decay()' \\
        --metric stage2/val_loss --metric val_loss --seeds 5 --jobs 2 --out runs/stages

A small transformer learns the source of the standard library, and then the English text behind Python's `help`. The first
stage logs under plain names. What the second one logs has its name before a "/": stage2/loss, stage2/val_loss. Each
stage counts its updates from 0.
"""

import argparse
import math
from itertools import islice

import torch

import preheat as ph
from preheat.lab.tasks import BytesOptions, corpus, load
from preheat.lab.tasks.training import build_optimizer, evaluate, fit
from preheat.torch import Scheduler

MODEL = BytesOptions(norm="pre", depth=4, optimizer="adamw", peak=1e-2)
FINETUNING = ph.warmup("5%") >> ph.decay()  # in every arm
SHARE = 0.3  # of the peak: what fine-tuning begins from is trained


def text(name: str):
    """The task of the bytes of one text of Python's own: library, docs or tests."""
    task, found = load(MODEL), corpus.read(name)
    task.training, task.held_out = (
        torch.frombuffer(bytearray(side), dtype=torch.uint8) for side in (found.training, found.held_out)
    )
    return task


def stage(model, task, schedule, peak: float, steps: int, seed: int, prefix: str) -> bool:
    """One stage, with an optimizer of its own; False where a loss was not finite."""
    optimizer = build_optimizer(MODEL, model.parameters())
    for group in optimizer.param_groups:
        group["lr"] = peak
    scheduler = Scheduler(optimizer, schedule, run=ph.Run(total=steps))

    def log(step: int, **metrics: float) -> None:
        ph.log(step, **{prefix + name: value for name, value in metrics.items()})

    model.train()
    _, finite = fit(model, islice(task.batches(seed), steps), scheduler, log)
    loss = evaluate(model, *task.validation())[0] if finite else math.nan
    log(steps, val_loss=loss)
    print(f"{prefix}validation loss {loss:.4f}")
    return finite


def main() -> None:
    """The command: two stages of one model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the batches of both stages")
    parser.add_argument("--steps", type=int, default=600, help="updates of the pre-training (default: 600)")
    parser.add_argument("--finetune", type=int, default=200, help="updates of the fine-tuning (default: 200)")
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    first, second = text("library"), text("docs")
    model = first.model()
    arm = ph.from_env(default="warmup('10%') >> decay()")
    if not stage(model, first, arm, MODEL.peak, given.steps, given.seed, ""):
        ph.log(0, **{"stage2/val_loss": math.nan})
        return
    stage(model, second, FINETUNING, SHARE * MODEL.peak, given.finetune, given.seed + 1_000_000, "stage2/")


if __name__ == "__main__":
    main()
