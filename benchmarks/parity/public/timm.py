"""Runs of timm's documentation, by epochs; what they do not say is as the present train.py has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.parity.case import Public
from benchmarks.parity.peers.timm import PEER, rates, timm

__all__ = ["PEER", "PUBLIC"]


def _run(lr: float, **arguments: Any) -> Callable[[int], list[float]]:
    given = {"warmup_epochs": 5} | arguments
    return lambda n: rates(lambda o: timm.create_scheduler_v2(o, **given)[0], lr, n)


PUBLIC = [
    Public(
        "timm-efficientnet-b2.yaml",
        "https://github.com/huggingface/pytorch-image-models/blob/main/hfdocs/source/training_script.mdx",
        {},
        _run(0.016, sched="step", num_epochs=450, decay_epochs=2.4, decay_rate=0.97, warmup_lr=1e-6),
        450,
    ),
    Public(
        "timm-seresnet34.yaml",
        "https://huggingface.co/docs/timm/training_script",
        {},
        _run(0.4, sched="cosine", num_epochs=150),
        150,
    ),
]
