"""`python -m benchmarks.predictor [FILE]`: what was predicted, and what came. Runs that FILE holds are not made again.

Thresholds, written down before the first run: over the nine schedules at 2.4 times the horizon, of every one of three seeds,
the rank correlation of the predicted and the actual final loss is at least 0.9, and the schedule that is predicted to be
best is at most 0.005 nats worse than the one that was best.
"""

import os
import platform
import sys
import time
from pathlib import Path

import torch

from benchmarks.predictor.judged import judged
from benchmarks.predictor.runs import LONG, SCHEDULES, SEEDS, SHORT, made

CORRELATION, REGRET = 0.9, 0.005


def main() -> int:
    """Train what is missing, then judge: 0 if the thresholds hold, else 1."""
    torch.set_num_threads(1)
    lines = made(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/predictor.jsonl"))
    day = time.strftime("%d %B %Y")
    print(
        f"\n{day}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}"
    )
    print(f"\nFrom two runs of {SHORT} updates, nine of {LONG}: correlation of ranks, regret, spread (nats)\n")
    scores = {seed: judged(lines, [seed])[2] for seed in SEEDS}
    _, actual, together = judged(lines, SEEDS)
    print("| |", " | ".join([*(f"seed {seed}" for seed in SEEDS), "mean of the seeds"]), "|")
    print("|---|" + "---|" * (len(SEEDS) + 1))
    for place, one in enumerate(together):
        cells = (
            f"{s.correlation:.2f}, {s.regret:.4f}, {s.spread:.4f}" for s in (*(scores[k][place] for k in SEEDS), one)
        )
        print(f"| {one.name} |", " | ".join(cells), "|")
    found = judged(lines, SEEDS)[0]
    print(f"\n{found}\n\n| schedule | predicted less the first | interval | came |\n|---|---|---|---|")
    for one, name, loss in sorted(zip(found.schedules, SCHEDULES, actual, strict=True), key=lambda row: row[2]):
        came = f"{loss - actual[0]:+.4f} ({loss:.4f})"
        print(f"| {name} | {one.difference:+.4f} | {one.low:+.4f} to {one.high:+.4f} | {came} |")
    missed = [k for k in SEEDS if scores[k][0].correlation < CORRELATION or scores[k][0].regret > REGRET]
    print(f"\nThresholds (≥ {CORRELATION}, ≤ {REGRET} nats): " + (f"missed by seeds {missed}" if missed else "hold"))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
