"""`python -m benchmarks.predictor [FILE]`: what was predicted, and what came. Runs that FILE holds are not made again.

Thresholds, written down before the first run: over the nine schedules at 2.4 times the horizon, of every one of three seeds,
the rank correlation of the predicted and the actual final loss is at least 0.9, and the schedule that is predicted to be
best is at most 0.005 nats worse than the one that was best.
"""

import sys
from pathlib import Path

import torch

from benchmarks.predictor.runs import made

CORRELATION, REGRET = 0.9, 0.005


def main() -> None:
    """Train what is missing, then judge."""
    torch.set_num_threads(1)
    made(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/predictor.jsonl"))


if __name__ == "__main__":
    main()
