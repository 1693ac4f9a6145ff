"""An example of axolotl's, beside the scheduler of transformers that it takes."""

from __future__ import annotations

from transformers import get_scheduler

from benchmarks.parity.case import Public
from benchmarks.parity.peers.axolotl import PEER, VERSION
from benchmarks.parity.torch_loop import rates

__all__ = ["PEER", "PUBLIC", "VERSION"]


def _rates(n: int) -> list[float]:
    return rates(lambda optimizer: get_scheduler("cosine", optimizer, 10, 800), 2e-4, n)


PUBLIC = [
    Public(
        "axolotl_lora_1b.yml",
        "https://github.com/axolotl-ai-cloud/axolotl/blob/34d3c8dcfb3db152fce6b7eae7e9f6a60be14ce3/examples/llama-3/lora-1b.yml",
        {"total": 800},
        _rates,
        800,
    )
]
