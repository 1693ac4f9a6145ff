"""The runs: a byte-level transformer, trained under each schedule; a JSON line per run, so that what is there is kept."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import preheat as ph
from preheat.lab.tasks import BytesOptions, load
from preheat.lab.tasks.training import build_optimizer, cross_entropy
from preheat.torch import Scheduler

OPTIONS = BytesOptions(norm="pre", depth=2, width=48, heads=4, context=32, batch=16, optimizer="adam", peak=4e-3)
SHORT, LONG = 500, 1200
EVERY = 20  # updates between two looks at the held-out text
SEEDS = (0, 1, 2)
_WARM = "warmup(40) >> "
SCHEDULES = {
    "constant": _WARM + "hold()",
    "cosine to 0": _WARM + "decay(shape=cosine)",
    "cosine to 10%": _WARM + "decay(to=0.1, shape=cosine)",
    "linear to 0": _WARM + "decay()",
    "hold, linear 10%": _WARM + "hold() >> decay(10%)",
    "hold, linear 20%": _WARM + "hold() >> decay(20%)",
    "hold, linear 40%": _WARM + "hold() >> decay(40%)",
    "hold, linear 60%": _WARM + "hold() >> decay(60%)",
    "hold, 1-sqrt 20%": _WARM + "hold() >> decay(20%, shape=1-sqrt)",
}
FITTED = ("hold, linear 20%", "cosine to 0")
"""What is run at the short horizon; all are run at the long one."""

Line = dict[str, Any]


def made(path: Path) -> list[Line]:
    """Every run as a line of `path`; those that are missing are trained now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    there = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {(one["schedule"], one["total"], one["seed"]) for one in there}
    for name, total, seed in _wanted():
        if (name, total, seed) not in known:
            there.append(line := trained(name, total, seed))
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{name}, {total} updates, seed {seed}: {line['losses'][-1]:.4f}", flush=True)
    return there


def _wanted() -> Iterator[tuple[str, int, int]]:
    for seed in SEEDS:
        yield from ((name, SHORT, seed) for name in FITTED)
        yield from ((name, LONG, seed) for name in SCHEDULES)


def trained(name: str, total: int, seed: int) -> Line:
    """One run: the held-out loss after every `EVERY` updates. The seed alone fixes weights and batches."""
    task = load(OPTIONS)
    torch.manual_seed(seed)
    model = task.model()
    optimizer = build_optimizer(OPTIONS, model.parameters())
    scheduler = Scheduler(optimizer, SCHEDULES[name], run=ph.Run(total=total))
    rates, steps, losses = [], [], []
    for step, (inputs, targets) in enumerate(islice(task.batches(seed), total), start=1):
        rates.append(float(scheduler.get_last_lr()[0]))
        optimizer.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        scheduler.step()
        if step % EVERY == 0:
            with torch.no_grad():
                inputs, targets = task.validation()
                steps.append(step)
                losses.append(cross_entropy(model(inputs), targets).item())
    return {"schedule": name, "total": total, "seed": seed, "rates": rates, "steps": steps, "losses": losses}
