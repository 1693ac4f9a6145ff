"""Llama 3 8B, an example among Megatron's own: lengths in samples. Its first 100,000 updates."""

from benchmarks.parity.case import Public
from benchmarks.parity.peers.megatron import PEER, VERSION, derived, ran

GIVEN = {
    "global_batch_size": 128,
    "train_samples": 1_953_125_000,
    "lr_decay_samples": 1_949_218_748,
    "lr_warmup_samples": 3_906_252,
    "lr": 0.00015,
    "min_lr": 0.00001,
    "lr_decay_style": "cosine",
    "weight_decay": 0.1,
}
COMMIT = "157006d6d9bf4f55c0d4d7dacbd2b65e7bd84dc9"


def _rates(n: int) -> dict[str, list[float]]:
    batch, given = derived(GIVEN)
    return ran(n, batch, **given)


PUBLIC = [
    Public(
        "megatron-llama3-8b.sh",
        f"https://github.com/NVIDIA/Megatron-LM/blob/{COMMIT}/examples/llama/train_llama3_8b_h100_fp8.sh",
        {},
        _rates,
        100_000,
    )
]
__all__ = ["PEER", "PUBLIC", "VERSION"]
