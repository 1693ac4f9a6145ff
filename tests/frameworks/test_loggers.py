"""Every scheduled value in a logger, at every update: what each wrote is read back and compared with the schedule."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import preheat as ph
from preheat.torch import Scheduler

PLAN = ph.Plan(
    {
        "lr": ph.warmup("10%") >> ph.decay(),
        "head/lr": (ph.warmup("20%") >> ph.decay()).scaled(3),
        "weight_decay": ph.absolute(ph.ramp(0.0, 0.1, 7) >> ph.hold(0.1)),
        "clip_norm": ph.absolute(ph.ramp(1.0, 0.5, 20)),
    }
)
RUN, RATES = ph.Run(total=20), {"body": 0.01, "head": 0.1}
BLOCK = 32_768  # bytes, of the records that wandb writes offline

Log = Callable[[int, dict[str, float]], Any]


def expected(update: int) -> dict[str, float]:
    bound = PLAN.bind(RUN)
    own = {"clip_norm": bound["clip_norm"](update)}
    for name, rate in RATES.items():
        line = bound["head/lr" if name == "head" else "lr"]
        own |= {f"{name}/lr": rate * line(update), f"{name}/weight_decay": bound["weight_decay"](update)}
    return own


def train(log: Log, until: int = 20, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """A training of two groups that logs before every update; the values are those that the update is made with."""
    model = torch.nn.Linear(4, 1)
    groups = [{"params": [model.weight], "name": "body"}, {"params": [model.bias], "name": "head", "lr": RATES["head"]}]
    optimizer = torch.optim.AdamW(groups, lr=RATES["body"])
    scheduler = Scheduler(optimizer, PLAN, run=RUN)
    if state:
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
    for step in range(scheduler.last_epoch, until):
        values = scheduler.values()
        log(step, values)
        model(torch.ones(2, 4)).square().mean().backward()
        for group in optimizer.param_groups:
            assert (group["lr"], group["weight_decay"]) == (
                values[f"{group['name']}/lr"],
                values[f"{group['name']}/weight_decay"],
            )
        optimizer.step()
        scheduler.step()
    return {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}


def check(found: dict[str, dict[int, float]], close: float = 1e-15) -> None:
    assert set(found) == set(expected(0))
    for name, values in found.items():
        assert sorted(values) == list(range(20))
        for update, value in values.items():
            assert value == pytest.approx(expected(update)[name], rel=close, abs=0), (name, update)


def test_values_at_every_update_also_after_a_resume() -> None:
    found: dict[str, dict[int, float]] = {}

    def log(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            found.setdefault(name, {})[step] = value

    train(log, state=train(log, until=9))
    check(found)


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        train(lambda step, values: [writer.add_scalar(name, value, step) for name, value in values.items()])
    found: dict[str, dict[int, float]] = {}
    for event in EventFileLoader(str(next(tmp_path.iterdir()))).Load():
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value or value.tensor.float_val[0]
    check(found, close=1e-7)  # it writes 32 bits


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    with mlflow.start_run() as run:
        train(lambda step, values: mlflow.log_metrics(values, step=step))
    client = mlflow.MlflowClient()
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in expected(0)}
    check({name: {one.step: one.value for one in history} for name, history in histories.items()})
    with mlflow.start_run(), pytest.raises(mlflow.MlflowException, match="may only contain"):
        mlflow.log_metrics({"body/betas[0]": 0.9})
    with mlflow.start_run() as run:
        mlflow.log_metrics({name.translate({91: 46, 93: None}): 0.9 for name in ("body/betas[0]",)})
    assert client.get_run(run.info.run_id).data.metrics == {"body/betas.0": 0.9}


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb = pytest.importorskip("wandb")
    with wandb.init(project="schedules", dir=str(tmp_path)) as run:
        train(lambda step, values: run.log(values, step=step))
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    until = time.monotonic() + 20
    while len([*history(file.read_bytes())]) < 20 and time.monotonic() < until:  # another process writes it
        time.sleep(0.1)
    found: dict[str, dict[int, float]] = {}
    for step, values in history(file.read_bytes()):
        for name, value in values.items():
            found.setdefault(name, {})[step] = value
    check(found)


def history(data: bytes) -> Iterator[tuple[int, dict[str, float]]]:
    """The logged values in what wandb writes offline: records in blocks, as LevelDB's logs are."""
    from wandb.proto.wandb_internal_pb2 import Record

    at, whole = 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole, at = whole + data[at + 7 : at + 7 + size], at + 7 + size
        if kind in (1, 4):  # whole, or the last piece
            record, whole = Record.FromString(whole), b""
            if record.WhichOneof("record_type") == "history":
                items = {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item
                }
                yield items["_step"], {name: value for name, value in items.items() if not re.match("_", name)}
