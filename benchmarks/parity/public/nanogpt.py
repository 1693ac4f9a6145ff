"""A nanoGPT config, beside get_lr."""

from __future__ import annotations

from benchmarks.parity.case import Public
from benchmarks.parity.peers.nanogpt import PEER, VERSION, run

__all__ = ["PEER", "PUBLIC", "VERSION"]
_SAID = {"learning_rate": 1e-3, "warmup_iters": 100, "lr_decay_iters": 5000, "min_lr": 1e-4, "base_lr": 1.0}
PUBLIC = [
    Public(
        "scripts/nanogpt_train_shakespeare_char.py",  # not beside: it is no module of ours
        "https://github.com/karpathy/nanoGPT/blob/3adf61e154c3fe3fca428ad6bc3818b27a3b8291/config/train_shakespeare_char.py",
        {},
        lambda n: run(_SAID, n),
        5001,
    )
]
