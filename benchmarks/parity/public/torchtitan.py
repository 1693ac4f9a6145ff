"""A torchtitan preset, beside its own scheduler."""

from __future__ import annotations

from benchmarks.parity.case import Public
from benchmarks.parity.peers.torchtitan import PEER, VERSION, run

__all__ = ["PEER", "PUBLIC", "VERSION"]
_PRESETS = "https://github.com/pytorch/torchtitan/blob/01424cb254492cd6f5924e26d28227d75913e122/torchtitan/models/llama3/train_configs/"
PUBLIC = [
    Public(
        "torchtitan_llama3_8b.toml",
        _PRESETS + "llama3_8b.toml",
        {},
        lambda n: run({"training_steps": 1000, "warmup_steps": 200, "base_lr": 3e-4}, n),
        1000,
    )
]
