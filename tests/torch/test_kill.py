"""kill -9 at random moments of a training run, then resumed: the same rates and weights as without, bit for bit.

PREHEAT_KILLS says how often: 5 unless it is set, 50 in `make soak`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

KILLS = int(os.environ.get("PREHEAT_KILLS", "5"))
TRAIN = Path(__file__).parent / "workers" / "train_to_be_killed.py"


def logged(folder: Path) -> dict[str, set[str]]:
    """What was logged for each update, over all the processes that did it."""
    seen: dict[str, set[str]] = {}
    for line in (folder / "log.txt").read_text(encoding="utf-8").splitlines():
        update, _, values = line.partition(" ")
        seen.setdefault(update, set()).add(values)
    return seen


def same(a: object, b: object) -> bool:
    """Equal to the last bit, all the way down."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
def test_a_run_killed_at_random_moments_and_resumed_is_the_run_that_was_not_bit_for_bit(tmp_path: Path) -> None:
    """A plan of four lines, two rules, dropout; weights, moments, scheduler, generator and every logged rate and loss."""
    command = [sys.executable, str(TRAIN), str(tmp_path), str(KILLS)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=120 + 10 * KILLS)
    assert done.returncode == 0, done.stderr
    truth = logged(tmp_path / "whole")
    last = torch.load(tmp_path / "whole" / "checkpoint.pt", weights_only=True)
    assert len(truth) == last["scheduler"]["last_epoch"]
    runs = [folder for folder in tmp_path.iterdir() if folder.name != "whole"]
    assert runs
    for run in runs:
        assert logged(run) == truth
        assert same(torch.load(run / "checkpoint.pt", weights_only=True), last)
