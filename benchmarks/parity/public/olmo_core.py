"""OLMo 2 7B, stage 1, beside the scheduler as OLMo-core has it: the same formula, and the same count of tokens."""

from __future__ import annotations

from benchmarks.parity.case import Public
from benchmarks.parity.peers.olmo_core import PEER, VERSION, run

__all__ = ["PEER", "PUBLIC", "VERSION"]
_SAID = {"warmup": 8388608000, "t_max": 5 * 10**12, "alpha_f": 0.1, "units": "tokens", "base_lr": 3e-4}
_TRAINER = {"tokens_per_step": 1024 * 4096, "max_tokens": 10_000 * 1024 * 4096}
PUBLIC = [
    Public(
        "olmo_core_olmo2_7b_stage1.yaml",
        "https://github.com/allenai/OLMo/blob/main/configs/official-1124/OLMo2-7B-stage1.yaml",
        {"total": 10_000},
        lambda n: run("cos_with_warmup", {**_SAID, **_TRAINER}, n),
        10_000,
    )
]
