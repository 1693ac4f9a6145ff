"""LLaMA-Factory: the schedulers of transformers, and its own lengths for warmup_stable_decay."""

from __future__ import annotations

from typing import Any

from preheat.compat import transformers
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated
from preheat.core.checks import counted

PEER = Peer("llama_factory", "0.9.5", "llamafactory/train/trainer_utils.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


for _function in transformers.PEER.functions.values():
    if _function.__name__ != "warmup_stable_decay":
        PEER.restates()(_function)


@PEER.restates("create_custom_scheduler")
def warmup_stable_decay(
    *,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    num_stable_steps: int | None = None,
    num_decay_steps: int | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
    **lr_scheduler_kwargs: Any,
) -> Restated:
    """As in transformers; where it is not said, a third of what the warmup leaves is stable and the rest the decay."""
    total = counted(num_training_steps, "num_training_steps is a number of updates", least=1)
    left = max(0, total - counted(num_warmup_steps, "num_warmup_steps is a number of updates"))
    lengths = {
        "num_stable_steps": left // 3 if num_stable_steps is None else num_stable_steps,
        "num_decay_steps": left - left // 3 if num_decay_steps is None else num_decay_steps,
    }
    common = {"num_warmup_steps": num_warmup_steps, "base_lr": base_lr, "faithful": faithful}
    return transformers.warmup_stable_decay(**common, **lengths, **lr_scheduler_kwargs)
