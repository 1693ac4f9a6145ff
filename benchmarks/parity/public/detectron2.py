"""A schedule of detectron2's configs, computed by fvcore's classes."""

from __future__ import annotations

from benchmarks.parity.case import Public
from benchmarks.parity.peers.detectron2 import PEER, VERSION, solver

__all__ = ["PEER", "PUBLIC", "VERSION"]


def _rates(n: int) -> list[float]:
    facts = {"lr_scheduler_name": "WarmupMultiStepLR", "max_iter": 6000, "base_lr": 0.02, "steps": [5500, 5800]}
    return solver(facts | {"warmup_factor": 0.3333333, "warmup_iters": 100}, n)


PUBLIC = [
    Public(
        "configs/detectron2_training_acc_test.yaml",
        "https://github.com/facebookresearch/detectron2/blob/main/configs/quick_schedules/mask_rcnn_R_50_FPN_training_acc_test.yaml",
        {},
        _rates,
        6000,
    )
]
