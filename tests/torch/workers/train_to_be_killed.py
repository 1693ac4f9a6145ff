"""What test_kill.py runs: `train_to_be_killed.py <folder> <kills>`.

Trains once without disturbance in `<folder>/whole`, then in `<folder>/0`, `<folder>/1`, … in processes that are killed at
random moments, until there were so many kills; the last run is let finish. A new process goes on from `checkpoint.pt`,
which is replaced every few updates in one move, so that a kill at any moment leaves a whole one. Every update is a line of
`log.txt`, its values in full; updates that were done and not saved are done, and logged, again.

Each process is forked from one that has imported everything and done nothing.
"""

import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import torch
from torch import nn

import preheat as ph
from preheat.session import Plateau, Rewarm
from preheat.torch import Scheduler

UPDATES = 400
EVERY = 3  # updates from one checkpoint to the next
PLAN = ph.Plan(
    {
        "lr": ph.warmup("10%") >> ph.hold(span="rest") >> ph.decay("40%", shape="cosine"),
        "head/lr": ph.warmup("5%", start=0.1) >> ph.decay(shape="sqrt"),
        "betas[0]": ph.absolute(ph.ramp(0.85, 0.95, "30%")),
        "weight_decay": ph.absolute(ph.ramp(0.1, 0.01, "100%", shape="exponential")),
    }
)
RULES = [Plateau("loss", factor=0.9, patience=60), Rewarm("loss", span=15, threshold=3.0, settle=10)]


def build() -> tuple[nn.Module, torch.optim.Optimizer, Scheduler]:
    """A small net with dropout, so that the generator's state counts, under a plan of four lines and two rules."""
    torch.manual_seed(0)
    body, head = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2)), nn.Linear(16, 4)
    groups = [{"params": body.parameters(), "name": "body"}, {"params": head.parameters(), "name": "head", "lr": 0.02}]
    optimizer = torch.optim.AdamW(groups, lr=0.01, foreach=False)
    return nn.Sequential(body, head), optimizer, Scheduler(optimizer, PLAN, run=ph.Run(total=UPDATES), rules=RULES)


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, scheduler: Scheduler) -> None:
    """Everything that the next update depends on, in one move."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "generator": torch.get_rng_state(),
    }
    unfinished = path.with_suffix(".tmp")
    torch.save(state, unfinished)
    os.replace(unfinished, path)


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, scheduler: Scheduler) -> None:
    """The reverse of `save`."""
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["generator"])


def train(folder: Path) -> None:
    """Train to the end, from wherever it was left."""
    model, optimizer, scheduler = build()
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        load(checkpoint, model, optimizer, scheduler)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while scheduler.last_epoch < UPDATES:
        rows = torch.randn(16, 8)
        optimizer.zero_grad()
        loss = (model(rows) - rows[:, :4].sin()).square().mean()
        loss.backward()
        used = [*scheduler.values().values(), *(float(group["lr"]) for group in optimizer.param_groups), loss.item()]
        optimizer.step()
        os.write(log, f"{scheduler.last_epoch} {' '.join(map(float.hex, used))}\n".encode())  # whole, or not at all
        scheduler.step(metrics={"loss": loss})
        if scheduler.last_epoch % EVERY == 0 or scheduler.last_epoch == UPDATES:
            save(checkpoint, model, optimizer, scheduler)


def life(folder: Path, seconds: float | None = None) -> bool:
    """One process that trains, killed after so many seconds; whether it was killed before it was done."""
    folder.mkdir(exist_ok=True)
    child = os.fork()
    if not child:
        try:
            train(folder)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, -signal.SIGKILL):
        raise SystemExit(f"training ended with {status}; what it printed is above")
    return status != 0


def main(folder: Path, kills: int) -> None:
    """Undisturbed, then with so many kills."""
    began = time.monotonic()
    life(folder / "whole")
    whole = time.monotonic() - began
    moments, run = random.Random(0), 0
    while kills:
        if life(folder / str(run), moments.uniform(0, whole / 2)):
            kills -= 1
        else:
            run += 1
    life(folder / str(run))


if __name__ == "__main__":
    torch.set_num_threads(1)
    build()  # torch imports a good second's worth of modules for the first optimizer, here only once
    main(Path(sys.argv[1]), int(sys.argv[2]))
