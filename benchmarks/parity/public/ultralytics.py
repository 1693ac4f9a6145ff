"""A YOLO training, by ultralytics' own trainer."""

from __future__ import annotations

from benchmarks.parity.case import Public
from benchmarks.parity.peers.ultralytics import PEER, VERSION, trained

__all__ = ["PEER", "PUBLIC", "VERSION"]
_BATCHES = 20  # of an epoch here, so that the trainer's own loop takes seconds


def _rates(n: int) -> dict[str, list[float]]:
    facts = {"epochs": 35, "lr0": 0.001, "lrf": 0.01, "momentum": 0.9, "warmup_epochs": 3, "warmup_bias_lr": 0.01}
    return trained(facts | {"nb": _BATCHES, "optimizer": "SGD"}, n)


PUBLIC = [
    Public(
        "configs/yolo11_safety_equipment.yaml",
        "https://huggingface.co/luisarizmendi/yolo11-safety-equipment",
        {"steps_per_epoch": _BATCHES},
        _rates,
        35 * _BATCHES,
    )
]
