"""What a comparison costs beyond the trainings themselves, as a ratio of CPU time.

    python -m benchmarks.overhead            # about ten minutes on two quiet cores

Ten trainings of the `bytes` task (2 schedules × 5 seeds, 400 updates) are made bare, each in a process of its own that calls
the training function and nothing else, and by `preheat compare` with records, statistics, pictures and report. Both kinds
use one thread a training and two processes at a time. They take turns; the figure is the median of the rounds' ratios. CPU
time is that of all children, user and system, as the kernel counts it.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ARMS = {"none": "decay()", "linear": 'warmup("50%") >> decay()'}
BARE = """
import torch
torch.set_num_threads(1)
import preheat
from preheat.lab.tasks import BytesOptions
from preheat.lab.tasks.training import train
train(BytesOptions(), preheat.parse({spec!r}), {seed}, lambda step, **metrics: None, steps={steps})
"""


def cpu_seconds() -> float:
    """User and system time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bare(seeds: int, steps: int) -> float:
    """CPU seconds of the trainings by themselves, two at a time."""
    before = cpu_seconds()
    codes = [BARE.format(spec=spec, seed=seed, steps=steps) for seed in range(seeds) for spec in ARMS.values()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda code: subprocess.run([sys.executable, "-c", code], env=one_thread(), check=True), codes))
    return cpu_seconds() - before


def compared(seeds: int, steps: int) -> float:
    """CPU seconds of `preheat compare` with the same trainings."""
    before = cpu_seconds()
    arms = [word for name, spec in ARMS.items() for word in ("--arm", f"{name}={spec}")]
    with tempfile.TemporaryDirectory() as folder:
        preheat = Path(sys.executable).with_name("preheat")
        size = ["--seeds", str(seeds), "--steps", str(steps), "--jobs", "2", "--out", folder]
        subprocess.run([preheat, "compare", "bytes", *arms, *size], stdout=subprocess.DEVNULL, check=True)
    return cpu_seconds() - before


def one_thread() -> dict[str, str]:
    """The environment in which a worker of the comparison trains too."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> None:
    """Measure in turns and print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("rounds", 5), ("seeds", 5), ("steps", 400)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    given = parser.parse_args()
    rows = []
    for turn in range(given.rounds):
        rows.append((bare(given.seeds, given.steps), compared(given.seeds, given.steps)))
        print(f"round {turn}: bare {rows[-1][0]:.1f} s, compared {rows[-1][1]:.1f} s of CPU", flush=True)
    alone, with_us = (statistics.median(column) for column in zip(*rows, strict=True))
    ratios = sorted(compared_s / bare_s for bare_s, compared_s in rows)
    print(f"ratio, median of the rounds: {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    print(f"medians: bare {alone:.1f} s, compared {with_us:.1f} s: {with_us / alone:.3f} times")


if __name__ == "__main__":
    main()
