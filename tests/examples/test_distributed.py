"""Pre-training on two processes: what one process with twice the accumulation does, killed or not."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import preheat as ph

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pretrain = pytest.importorskip("pretrain", reason="the examples are not part of this distribution")

import torch.distributed as dist  # noqa: E402

WORKER = Path(__file__).parent / "workers" / "pretrain_shared_out.py"
OPTIONS = ["--depth=2", "--width=16", "--heads=2", "--context=16", "--batch=8", "--total=12", "--every=5"]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")  # a free port of its own

pytestmark = pytest.mark.skipif(not (dist.is_available() and dist.is_gloo_available()), reason="torch without gloo")


def weights(folder: Path) -> dict:
    return torch.load(folder / "checkpoint.pt", weights_only=True)["model"]


def losses(folder: Path) -> dict[int, float]:
    rows = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return {row["step"]: row["loss"] for row in rows if "loss" in row}


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
def test_two_processes_do_what_one_does_with_twice_the_accumulation_even_if_one_of_them_is_killed(
    tmp_path: Path, run: Callable
) -> None:
    """DDP to the last bit; FSDP2, which cuts the sums of a gradient elsewhere, up to rounding; a killed run to the bit."""
    run(WORKER, tmp_path, *OPTIONS, TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1")  # or torch 2.13 restarts at stale addresses
    one = weights(tmp_path / "one")
    assert equal(weights(tmp_path / "ddp"), one)
    assert losses(tmp_path / "ddp") == pytest.approx(losses(tmp_path / "one"), rel=1e-6)
    assert losses(tmp_path / "fsdp") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    sharded = weights(tmp_path / "fsdp")
    assert sharded.keys() == one.keys(), "a checkpoint does not depend on who shared the work"
    for kind in ("ddp", "fsdp"):
        killed = tmp_path / f"{kind}-killed"
        assert (killed / "died").exists()
        assert equal(weights(killed), weights(tmp_path / kind))
        assert losses(killed) == losses(tmp_path / kind)


def test_torchrun_scales_the_peak_with_the_batch_and_warms_up_to_it(run: Callable) -> None:
    script = Path(pretrain.__file__)
    scaled = ["--scale=linear", "--base-batch=4", "--peak=0.001", "--warmup=25%", "--decay=linear"]
    lines = run(*TORCHRUN, script, *OPTIONS, *scaled).stdout.splitlines()
    assert lines[0] == "8 windows an update, 2 × 4; peak rate 0.002"
    rows = [line.split() for line in lines if line.startswith("update")]
    schedule = (ph.warmup(3) >> ph.decay(9)).scaled(0.002)
    assert [float(row[3]) for row in rows] == pytest.approx(schedule.table(12).tolist(), rel=1e-3)
    assert float(rows[-1][5]) < float(rows[0][5])
    assert lines[-1].startswith("validation loss")
    assert len(lines) == 2 + 12 + 1, "only the first process prints"
