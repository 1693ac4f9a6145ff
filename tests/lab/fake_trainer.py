"""A trainer that costs nothing and behaves as its options say; spawned workers import it by name."""

import math
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import preheat


@dataclass(frozen=True, kw_only=True)
class FakeOptions:
    """`faults` maps "arm text|seed" to what goes wrong there; `marks` is a folder that gets one file per training."""

    peak: float = 3e-3
    benefit: float = 0.3
    noise: float = 0.02
    pause: float = 0.0
    fault: str = ""
    fault_seed: int = -1
    marks: str = ""


def train(options, schedule, seed, log, *, steps):
    """Loss falls from 5.6 towards 2; warmed schedules end `benefit` lower."""
    if options.marks:
        Path(options.marks, f"{seed}-{time.time_ns()}-{os.getpid()}").touch()
    bound = schedule.bind(preheat.Run(total=steps))
    warmed = bound(0) < 0.5
    chance = random.Random(seed)
    offset = chance.gauss(0, 0.1)
    noise = random.Random(f"{seed}{schedule!r}")
    final = 2.4 + offset + noise.gauss(0, options.noise) - options.benefit * warmed
    fault = options.fault if seed == options.fault_seed and not warmed else ""
    for step in range(steps):
        time.sleep(options.pause)
        u = step / steps
        loss = final + 3.2 * math.exp(-9 * u) + noise.gauss(0, 0.12)
        if step == steps // 2 and fault:
            if fault == "raise":
                raise RuntimeError(f"the disk /secret/place is full at seed {seed}")
            if fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == "exit":
                os._exit(3)
            if fault == "nan":
                log(step, loss=math.nan, lr=bound(step) * options.peak, grad_norm=math.inf)
                return result(None, True, f"non-finite loss at step {step}", step)
        if fault == "chance":
            loss = 3.2 + noise.gauss(0, 0.1)
        norm = 0.2 + 3 * math.exp(-6 * u) * noise.uniform(0.8, 1.2)
        log(step, loss=loss, lr=bound(step) * options.peak, grad_norm=norm)
    if fault == "chance":
        return result(3.21, True, "validation loss 3.21 is at or above chance 3.2", steps)
    return result(final, False, "", steps)


def result(loss, diverged, reason, steps):
    return {
        "val_loss": loss,
        "val_accuracy": 0.3,
        "chance_loss": 3.2,
        "diverged": diverged,
        "reason": reason,
        "steps": steps,
        "parameters": 12345,
        "data": "fake-1",
    }


def wrong(options, schedule, seed, log, *, steps):
    """Returns what is not a result."""
    return {"final": 1.0}
