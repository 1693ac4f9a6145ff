"""MPT-1B, as llm-foundry published it."""

from benchmarks.parity.case import Public
from benchmarks.parity.peers.composer import PEER, VERSION, ran

GIVEN = {"t_warmup": "100ba", "alpha_f": 0.1, "max_duration": "24800ba", "base_lr": 2e-4}
COMMIT = "06560d59cb6e4788fe75d234748547334b88db2d"
PUBLIC = [
    Public(
        "llmfoundry-mpt-1b.yaml",
        f"https://github.com/mosaicml/llm-foundry/blob/{COMMIT}/scripts/train/yamls/pretrain/mpt-1b.yaml",
        {},
        lambda n: ran("CosineAnnealingWithWarmupScheduler", GIVEN, n),
        24_800,
    )
]
__all__ = ["PEER", "PUBLIC", "VERSION"]
