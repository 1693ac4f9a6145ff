"""What both recipes use: a text cut into batches, byte-level models with transformers' own classes, and one training loop.

Everything random in an update is drawn from (seed, update, process). So a checkpoint holds no generator and no place in the
data: the number of updates done says it all, and the run goes on as if nothing had happened.
"""

import argparse
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.fsdp import FSDPModule
from torch.nn import functional as F  # noqa: N812  torch's own name for it
from torch.nn.parallel import DistributedDataParallel

import preheat as ph
from preheat.core.errors import PreheatError
from preheat.lab.tasks import corpus
from preheat.torch import Scheduler

MASK = 256  # the byte that BERT is to guess; GPT never sees it
MODELS = {
    "gpt1": "post-norm, causal: each byte from those before it",
    "gpt2": "pre-norm, causal",
    "bert": "post-norm, masked: the hidden bytes from all others",
    "bert-pre": "pre-norm, masked",
}
NO_LABEL = -100
WINDOWS = 256  # windows of held-out text: the same in every run, so their sampling error cancels in a difference
FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)  # a checkpoint does not depend on who shared the work

# the options that say what the model is, and how it learns, as far as a recipe has them
SHAPE = ("model", "depth", "width", "heads", "context")
METHOD = (
    "optimizer",
    "peak",
    "scale",
    "base_batch",
    "betas",
    "weight_decay",
    "clip",
    "dropout",
    "method",
    "rank",
    "start",
)

RANK, PROCESSES = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
DEVICE = (
    torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else torch.device("cpu")
)

Batch = tuple[Tensor, Tensor]


def say(*words: object) -> None:
    """Print, in the first process only."""
    if RANK == 0:
        print(*words, flush=True)


def seeded(*numbers: int) -> int:
    """One seed out of several numbers; different numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


@cache
def part(name: str, side: str) -> Tensor:
    """One side of a text, training or held_out, as numbers from 0 to 255."""
    return torch.frombuffer(bytearray(getattr(corpus.read(name), side)), dtype=torch.uint8)


@dataclass(frozen=True)
class Text:
    """Windows of a text: GPT predicts each next byte, BERT (`masked`) the 15 % that it is asked for."""

    name: str
    context: int
    masked: bool

    def __post_init__(self) -> None:
        corpus.read(self.name)  # refused now, not after a minute

    def batch(self, seed: int, update: int, rows: int) -> Batch:
        """Inputs and labels of one update, over all processes: the same for the same numbers."""
        text = part(self.name, "training")
        generator = torch.Generator().manual_seed(seeded(seed, update))
        return self.cut(text, torch.randint(len(text) - self.context, (rows,), generator=generator), generator)

    def validation(self) -> Batch:
        """Windows spread evenly over the held-out text: always the same, and as many for each process."""
        text = part(self.name, "held_out")
        starts = torch.linspace(0, len(text) - self.context - 1, WINDOWS - WINDOWS % PROCESSES, dtype=torch.float64)
        return self.cut(text, starts.long(), torch.Generator().manual_seed(0))

    def cut(self, text: Tensor, starts: Tensor, generator: torch.Generator) -> Batch:
        """The windows from each start, with their labels."""
        window = text[starts[:, None] + torch.arange(self.context + 1)].long()
        inputs, following = window[:, :-1], window[:, 1:]
        if not self.masked:
            return inputs, following
        chance, other = (torch.rand(inputs.shape, generator=generator) for _ in range(2))
        random = torch.randint(256, inputs.shape, generator=generator)
        asked = chance < 0.15  # of these 80 % are hidden, 10 % replaced by any byte, 10 % left (Devlin et al. 2018)
        seen = torch.where(other < 0.8, MASK, torch.where(other < 0.9, random, inputs))
        return torch.where(asked, seen, inputs), torch.where(asked, inputs, NO_LABEL)


def build_model(o: argparse.Namespace) -> nn.Module:
    """A transformer over bytes with transformers' own class, initialised by it from `o.seed`: see MODELS."""
    try:
        import transformers as hf
    except ImportError as error:
        raise PreheatError('this recipe needs transformers; run pip install "preheat[recipes]"') from error
    causal = {"n_embd": o.width, "n_layer": o.depth, "n_head": o.heads, "n_positions": o.context, "vocab_size": 256}
    causal |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), o.dropout)
    masked = {"hidden_size": o.width, "num_hidden_layers": o.depth, "num_attention_heads": o.heads}
    masked |= {"intermediate_size": 4 * o.width, "vocab_size": 264, "type_vocab_size": 1}
    masked |= dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), o.dropout)
    none = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    torch.manual_seed(seeded(o.seed))
    match o.model:
        case "gpt1":
            return hf.OpenAIGPTLMHeadModel(hf.OpenAIGPTConfig(**causal, **none))
        case "gpt2":
            return hf.GPT2LMHeadModel(hf.GPT2Config(use_cache=False, **causal, **none))
        case "bert":
            return hf.BertForMaskedLM(hf.BertConfig(max_position_embeddings=o.context, **masked, **none))
        case _:  # its positions are counted from after the padding's number, which no byte has
            none["pad_token_id"] = 257
            config = hf.RobertaPreLayerNormConfig(max_position_embeddings=o.context + 258, **masked, **none)
            return hf.RobertaPreLayerNormForMaskedLM(config)


def blocks(model: nn.Module) -> nn.ModuleList:
    """The transformer's layers, the lowest first."""
    base = model.base_model
    return base.h if hasattr(base, "h") else base.encoder.layer


def summed_loss(model: nn.Module, inputs: Tensor, labels: Tensor, dtype: torch.dtype) -> Tensor:
    """The sum, over the bytes that were asked for, of −log of the probability given to them."""
    with torch.autocast(DEVICE.type, dtype, enabled=dtype != torch.float32):
        logits = model(input_ids=inputs.to(DEVICE)).logits
    return F.cross_entropy(
        logits.float().flatten(0, 1), labels.to(DEVICE).flatten(), ignore_index=NO_LABEL, reduction="sum"
    )


def train(model: nn.Module, scheduler: Scheduler, batch: Callable[[int], Batch], o: argparse.Namespace) -> bool:
    """Updates until the end of the scheduler's run, from wherever it stands; False if a loss was not finite.

    The scheduler alone knows the position: it counts updates, and so it is saved and loaded with the weights.
    """
    optimizer, total = scheduler.optimizer, scheduler.run.total
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.train()
    while (step := scheduler.last_epoch) < total:
        rate = float(scheduler.get_last_lr()[0])
        torch.manual_seed(seeded(o.seed, step, RANK))  # for dropout
        loss = backward(model, *batch(step), o)
        norm = nn.utils.clip_grad_norm_(learning, o.clip or math.inf)
        norm = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
        ph.log(step, loss=loss, lr=rate, grad_norm=norm)
        if not math.isfinite(loss):
            say(f"update {step:5d}   the loss is {loss}: stopped")
            return False
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        if step % max(1, total // 20) == 0 or step == total - 1:
            say(f"update {step:5d}   lr {rate:.3e}   loss {loss:.4f}   gradient {norm:.3f}")
        if o.checkpoint and (scheduler.last_epoch % o.every == 0 or scheduler.last_epoch == total):
            save(Path(o.checkpoint), model, scheduler, o)
    return True


def backward(model: nn.Module, inputs: Tensor, labels: Tensor, o: argparse.Namespace) -> float:
    """The gradient of the mean loss over the whole batch: each process takes its share, `o.micro` rows at a time.

    Each part's sum is divided by the number of labels in the *whole* batch. A mean of the parts' means would be another
    loss wherever the parts have unequally many, as with masks.
    """
    asked = max(1, (labels != NO_LABEL).sum().item())
    mine = (half.chunk(PROCESSES)[RANK].split(o.micro) for half in (inputs, labels))
    parts = list(zip(*mine, strict=True))
    total = torch.zeros((), device=DEVICE)
    for i, (few, their) in enumerate(parts):
        with gathering(model, last=i == len(parts) - 1):
            loss = summed_loss(model, few, their, o.dtype) / asked
            (loss * PROCESSES).backward()  # DDP and FSDP average over the processes
        total += loss.detach()
    return summed(total).item()


@contextmanager
def gathering(model: nn.Module, last: bool) -> Iterator[None]:
    """Exchange gradients with the other processes after the last part of a batch only."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(last)
    with model.no_sync() if isinstance(model, DistributedDataParallel) and not last else nullcontext():
        yield


def summed(value: Tensor) -> Tensor:
    """The sum of a number over the processes."""
    if dist.is_initialized():
        dist.all_reduce(value)
    return value


@torch.no_grad()
def evaluate(model: nn.Module, text: Text, o: argparse.Namespace) -> float:
    """The mean loss on the held-out part of a text."""
    training = model.training
    model.eval()
    inputs, labels = text.validation()
    mine = (half.chunk(PROCESSES)[RANK].split(o.micro) for half in (inputs, labels))
    total = sum(summed_loss(model, few, their, o.dtype) for few, their in zip(*mine, strict=True))
    model.train(training)
    return summed(total).item() / (labels != NO_LABEL).sum().item()


def save(folder: Path, model: nn.Module, scheduler: Scheduler, o: argparse.Namespace) -> None:
    """Replace the checkpoint in one move: a kill at any moment leaves a whole one."""
    weights, moments = get_state_dict(model, scheduler.optimizer, options=FULL)
    if RANK != 0:
        return
    folder.mkdir(parents=True, exist_ok=True)
    state = {"model": weights, "optimizer": moments, "scheduler": scheduler.state_dict(), "options": identity(o)}
    with open(folder / "checkpoint.tmp", "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(folder / "checkpoint.tmp", folder / "checkpoint.pt")


def load(folder: Path, model: nn.Module, scheduler: Scheduler, o: argparse.Namespace) -> bool:
    """Go on from the folder's checkpoint, if it has one; refuses one of another run."""
    if not (folder / "checkpoint.pt").exists():
        return False
    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    for name, value in identity(o).items():
        if state["options"].get(name) != value:
            raise PreheatError(
                f"the checkpoint in {folder} is of a run with {name} {state['options'].get(name)!r}, not {value!r}; "
                "give the command that began it, or another --checkpoint"
            )
    set_state_dict(
        model, scheduler.optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"], options=FULL
    )
    scheduler.load_state_dict(state["scheduler"])
    return True


def identity(o: argparse.Namespace) -> dict[str, object]:
    """What decides the end of a run besides its schedule, which the scheduler checks itself."""
    given = {name: getattr(o, name) for name in (*SHAPE, "text", "batch", "seed", *METHOD) if hasattr(o, name)}
    return given | {"data": corpus.read(o.text).fingerprint}


def precision(word: str) -> torch.dtype:
    """The type that matrices are multiplied in: `auto` is bfloat16 on a GPU that has it."""
    good = DEVICE.type == "cuda" and torch.cuda.is_bf16_supported()
    return getattr(torch, ("bfloat16" if good else "float32") if word == "auto" else word)
