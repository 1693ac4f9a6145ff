"""Recipes of the alignment handbook, run by transformers' own arguments and schedulers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers
import yaml
from transformers.optimization import get_scheduler

from benchmarks.parity.case import Public
from benchmarks.parity.torch_loop import rates

PEER, VERSION = "transformers", transformers.__version__
BOOK = "https://github.com/huggingface/alignment-handbook/blob/19f03455e1b7c0450db769f841ced8e650610c06/recipes"


def _own(file: str, updates: int) -> Callable[[int], Any]:
    def run(n: int) -> Any:
        said = yaml.safe_load((Path(__file__).parent / file).read_text(encoding="utf-8"))
        warm = said.get("warmup_steps") or math.ceil(updates * said["warmup_ratio"])
        kwargs = said.get("lr_scheduler_kwargs", {})
        kind = said["lr_scheduler_type"]
        base = float(said["learning_rate"])
        return rates(lambda optimizer: get_scheduler(kind, optimizer, warm, updates, kwargs), base, n)

    return run


def _public(file: str, source: str, updates: int, **beside: Any) -> Public:
    return Public(file, f"{BOOK}/{source}", beside, _own(file, updates), updates)


PUBLIC = [
    _public("zephyr_7b_dpo.yaml", "zephyr-7b-beta/dpo/config_full.yaml", 478, samples=61135, world_size=8),
    _public("zephyr_141b_orpo.yaml", "zephyr-141b-A35b/orpo/config_full.yaml", 711, samples=7563, world_size=32),
    _public("smollm3_sft.yaml", "smollm3/sft/sft.yaml", 5 * 1200, steps_per_epoch=1200),
]
