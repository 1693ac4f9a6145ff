"""A training function as people write them: plain Python, a seed, a schedule, a log."""

import random
import time
from pathlib import Path

import preheat

STEPS = 30


def train(schedule, seed, log):
    """Ends lower where the schedule starts low; everything depends on the schedule and the seed alone."""
    bound = getattr(schedule, "schedule", schedule).bind(preheat.Run(total=STEPS))
    noise = random.Random(f"{seed} {schedule!r}")
    loss = 4.0 + random.Random(seed).gauss(0, 0.1)
    for step in range(STEPS):
        loss -= 0.05 * (bound(0) < bound(STEPS // 2)) + noise.gauss(0, 0.002)
        log(step, loss=loss, lr=bound(step))
    return {"val_loss": loss + 0.1, "accuracy": 1 / loss, "parameters": 7, "data": "own"}


def only_logs(schedule, seed, log):
    """Returns nothing."""
    train(schedule, seed, log)


def returns_a_number(schedule, seed, log):
    """Returns the deciding metric."""
    return train(schedule, seed, log)["val_loss"]


def blows_up(schedule, seed, log):
    """Ends in a loss that is not finite."""
    log(0, loss=float("nan"))


def fills_the_disk(schedule, seed, log):
    """Writes more than the test allows a file to hold, for one of the arms."""
    for step in range(20_000 if "0.0, 1.0" in repr(schedule) else STEPS):
        log(step, loss=1.0)


def waits(schedule, seed, log):
    """Goes on until a file appears, for one of the arms."""
    log(0, loss=1.0)
    Path("started").touch()
    while not Path("go").exists():
        time.sleep(0.02)
    log(1, loss=0.5)


def watched(schedule, seed, log):
    """A training under a monitor; without a warmup its loss is not a number at update 6."""
    import math

    import torch

    from preheat.measure import Monitor

    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with Monitor(model, optimizer, log=log, limits={"loss spike": 100}) as monitor:
        for step in range(9):
            loss = model(torch.ones(2)).square().mean()
            monitor.loss(math.nan if step == 6 and "0.0, 1.0" not in str(schedule) else loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            log(step, loss=1.0)
    return 1.0
