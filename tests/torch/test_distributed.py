"""Several processes over gloo on the CPU: equal rates, and checkpoints for any number of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

HERE = Path(__file__).parent
SECONDS = 240  # far more than is needed, so that only a hang runs into it

pytestmark = pytest.mark.skipif(not (dist.is_available() and dist.is_gloo_available()), reason="torch without gloo")


def printed(*arguments: object) -> str:
    """What Python prints with these arguments; fails with its output if it fails or hangs."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":
        environment["GLOO_SOCKET_IFNAME"] = "lo"  # whatever the machine's name resolves to
    command = [sys.executable, *map(str, arguments)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            out, err = started.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            started.terminate()  # it ends the processes that it has started
            pytest.fail(f"not done after {SECONDS} s: {started.communicate()[1][-4000:]}")
    assert started.returncode == 0, err[-4000:]
    return out


def reports(folder: Path, kind: str, processes: int) -> list[dict]:
    return [json.loads((folder / f"{kind}-{processes}-{rank}.json").read_text()) for rank in range(processes)]


def test_two_processes_hold_equal_rates_and_their_checkpoint_goes_on_as_one_and_as_four(tmp_path: Path) -> None:
    """DDP and FSDP2, saved by DCP with flattened optimizer states; a plan of three lines and a rule."""
    printed(HERE / "workers" / "train_distributed.py", tmp_path)
    for kind in ("ddp", "fsdp"):
        truth, other = reports(tmp_path, kind, 2)
        assert truth == other
        used, losses = [row[:4] for row in truth["seen"]], [row[4] for row in truth["seen"]]
        assert len({tuple(row) for row in used}) == 12, "the plan moves at every update"
        assert json.loads(truth["state"]["rules"])[0]["state"]["gain"] < 1, "the rule has acted"
        for resumed in [*reports(tmp_path, kind, 1), *reports(tmp_path, kind, 4)]:
            assert [row[:4] for row in resumed["seen"]] == used[7:]
            assert [row[4] for row in resumed["seen"]] == pytest.approx(losses[7:], rel=1e-5)
            assert {**resumed["state"], "rules": ""} == {**truth["state"], "rules": ""}
