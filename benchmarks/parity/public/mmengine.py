"""mmdetection's 1x schedule; an epoch of 7330 iterations is COCO's 117,266 images in batches of 16."""

from __future__ import annotations

from benchmarks.parity.case import Public
from benchmarks.parity.peers.mmengine import PEER, VERSION, stepped

__all__ = ["PEER", "PUBLIC", "VERSION"]
_SHORTER = 61  # updates of an epoch here, so that the library's own loop takes seconds


def _rates(n: int) -> list[float]:
    schedulers = [
        {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": 500},
        {"type": "MultiStepLR", "begin": 0, "end": 12, "by_epoch": True, "milestones": [8, 11], "gamma": 0.1},
    ]
    return stepped({"schedulers": schedulers, "epoch_length": _SHORTER, "base_lr": 0.02}, n)["lr"]


PUBLIC = [
    Public(
        "configs/mmdetection_1x.py",
        "https://github.com/open-mmlab/mmdetection/blob/main/configs/_base_/schedules/schedule_1x.py",
        {"steps_per_epoch": _SHORTER},
        _rates,
        12 * _SHORTER,
    )
]
