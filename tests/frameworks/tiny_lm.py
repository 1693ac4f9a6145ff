"""A language model of a few thousand parameters on the source text of Python's own library, for trainers."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from transformers import GPT2Config, GPT2LMHeadModel, TrainerCallback

LENGTH = 8
TEXT = Path(textwrap.__file__).read_bytes()


class Pieces(torch.utils.data.Dataset):
    """So many pieces of text, one byte a token."""

    def __init__(self, count: int) -> None:
        self.tokens = torch.tensor(list(TEXT[: count * LENGTH])).view(count, LENGTH) % 64

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.tokens[i], "labels": self.tokens[i]}


def model(seed: int = 0) -> GPT2LMHeadModel:
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"vocab_size": 64, "n_positions": LENGTH, "n_embd": 8, "n_layer": 1, "n_head": 2}
    dropouts = dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), 0.0)
    return GPT2LMHeadModel(
        GPT2Config(**sizes, **dropouts, bos_token_id=None, eos_token_id=None, loss_type="ForCausalLM")
    )


class Recorder(TrainerCallback):
    """Keeps the groups' rates at the moment when the optimizer is stepped; stops after `stop` updates of the run."""

    def __init__(self, stop: int | None = None, key: str = "lr") -> None:
        self.rates: list[list[float]] = []
        self.stop, self.key = stop, key

    def on_train_begin(self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
        while hasattr(optimizer, "optimizer"):  # accelerate's and DeepSpeed's wrap the one that applies the updates
            optimizer = optimizer.optimizer
        self.hook = optimizer.register_step_pre_hook(self._record)

    def _record(self, optimizer: Optimizer, *_: Any) -> None:
        self.rates.append([float(group[self.key]) for group in optimizer.param_groups])

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop |= state.global_step == self.stop

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.hook.remove()

    @property
    def first(self) -> list[float]:
        """The rates of the first group."""
        return [rates[0] for rates in self.rates]
