"""Pre-training, killed with SIGKILL anywhere and started again with the same command: the same weights, bit for bit."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("pretrain", reason="the examples are not part of this distribution")

WORKER = Path(__file__).parent / "workers" / "pretrain_to_be_killed.py"
OPTIONS = ["--depth=2", "--width=16", "--heads=2", "--context=16", "--batch=8", "--micro=4", "--every=5"]
OPTIONS += ["--total=3k tokens", "--warmup=640 tokens", "--decay=wsd", "--dropout=0.1", "--peak=0.003"]


def same(a: object, b: object) -> bool:
    """Equal to the last bit, all the way down."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def checkpoint(folder: Path) -> dict:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def logged(folder: Path) -> dict[tuple[int, str], set[float]]:
    """Everything that was logged for each update, over all the processes that did it."""
    seen: dict[tuple[int, str], set[float]] = {}
    for line in (folder / "log.jsonl").read_text().splitlines():
        row = json.loads(line)
        for name, value in row.items():
            seen.setdefault((row["step"], name), set()).add(value)
    return seen


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
def test_a_run_killed_in_updates_and_while_saving_ends_with_the_weights_of_one_that_was_not(
    tmp_path: Path, run: Callable
) -> None:
    """Dropout, masks, accumulation and lengths in tokens; weights, moments, schedule and every logged value."""
    assert run(WORKER, tmp_path, *OPTIONS).stdout.splitlines() == ["[0, -9, -9, -9, -9, -9, 0, 0]"] * 2
    for model in ("gpt2", "bert"):
        assert same(checkpoint(tmp_path / model / "killed"), checkpoint(tmp_path / model / "whole"))
        whole = logged(tmp_path / model / "whole")
        assert logged(tmp_path / model / "killed") == whole
        assert {len(values) for values in whole.values()} == {1}
        assert max(step for step, _ in whole) == 24, "3,000 tokens, of 8 × 16 an update"
        assert next(iter(whole[24, "val_loss"])) > 0
        assert [next(iter(whole[step, "lr"])) for step in range(6)] == pytest.approx([0.003 * k / 5 for k in range(6)])
