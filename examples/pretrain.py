"""Train a GPT or a BERT on bytes from scratch, under any schedule. Nothing is downloaded: the text is Python's own.

    python examples/pretrain.py                                                        # a small GPT-2, a minute or two
    python examples/pretrain.py --model bert --peak 2e-3 --warmup 0 --decay wsd        # what happens without a warmup?
    python examples/pretrain.py --total "2M tokens" --warmup "200k tokens"             # lengths in tokens
    python examples/pretrain.py --checkpoint runs/gpt --every 50                       # killed? The same command goes on
    torchrun --standalone --nproc-per-node 2 examples/pretrain.py --batch 64 --base-batch 16 --scale linear
    preheat compare --launch "python examples/pretrain.py --seed {seed}" \\
        --arm none='decay()' --arm linear='warmup("10%") >> decay()' --seeds 5 --metric val_loss --out runs/pretrain

--model has both tasks with both places of the norm: gpt1 and bert normalise after each residual sum, gpt2 and bert-pre before
each sublayer. The first kind is the one that is said to need a warmup (Xiong et al. 2020, arXiv:2002.04745).

Under torchrun each process reads its share of the same batch, so one process with twice the accumulation does the same.
"""

import argparse
import math
import os
from pathlib import Path

import torch
import torch.distributed as dist
from shared import (
    DEVICE,
    MODELS,
    PROCESSES,
    RANK,
    Text,
    blocks,
    build_model,
    evaluate,
    load,
    precision,
    say,
    train,
)
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import preheat as ph
from preheat.core.errors import PreheatError
from preheat.torch import Scheduler

DECAYS = {
    "cosine": ph.decay(to=0.1, shape="cosine"),
    "wsd": ph.hold() >> ph.decay("20%", shape="1-sqrt"),
    "linear": ph.decay(),
    "none": ph.hold(),
}


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, completed and checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", choices=MODELS, default="gpt2", help="; ".join(f"{name}: {what}" for name, what in MODELS.items()))
    for name, size in (("depth", 8), ("width", 64), ("heads", 4), ("context", 64)):
        add(f"--{name}", type=int, default=size, help=f"of the model (default: {size})")
    add("--dropout", type=float, default=0.0, help="of the model (default: 0)")
    add("--text", default="library", help="library, docs or tests (default: library)")
    add("--seed", type=int, default=0, help="of the weights and the batches")
    add("--total", default="600", help='updates, or "2M tokens"')
    add("--batch", type=int, default=16, help="windows of text an update, over all processes (default: 16)")
    add("--micro", type=int, help="windows that a process takes at once; the rest is accumulated (default: all)")
    add("--peak", type=float, default=3e-3, help="the peak rate (default: 3e-3)")
    add("--base-batch", type=int, help="the batch for which --peak was found; --scale says how the peak follows")
    add("--scale", choices=("none", "linear", "sqrt", "adam"), default="none", help="adam: betas and eps too")
    add("--optimizer", choices=("adamw", "sgd"), default="adamw", help="sgd has a momentum of 0.9")
    add("--betas", type=float, nargs=2, default=(0.9, 0.95), help="of AdamW (default: 0.9 0.95)")
    add("--weight-decay", type=float, default=0.1, help="of the matrices (default: 0.1)")
    add("--clip", type=float, default=1.0, help="the largest norm of the gradient; 0: any (default: 1)")
    add("--schedule", help="the whole schedule as text; else the next three say it")
    add("--warmup", default="5%", help='a length such as 100, "5%%" or "200k tokens" (default: 5%%)')
    add("--warmup-shape", choices=("linear", "exponential", "cosine"), default="linear")
    add("--decay", choices=DECAYS, default="cosine", help="what follows (default: cosine, to a tenth)")
    add("--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help="auto: bfloat16 on a GPU that has it")
    add("--parallel", choices=("ddp", "fsdp"), default="ddp", help="under torchrun: replicas, or sharded (FSDP2)")
    add("--checkpoint", help="a folder; the run goes on from what is there")
    add("--every", type=int, default=100, help="updates from one checkpoint to the next (default: 100)")
    return completed(parser.parse_args(arguments))


def completed(o: argparse.Namespace) -> argparse.Namespace:
    """What follows from other options, filled in; refuses what cannot be shared out."""
    if o.batch % PROCESSES:
        raise PreheatError(f"a batch of {o.batch} cannot be shared by {PROCESSES} processes; write a multiple")
    if (o.scale == "none") != (o.base_batch is None):
        raise PreheatError("--scale and --base-batch belong together; write --base-batch 16 --scale linear")
    o.micro = o.micro or o.batch // PROCESSES
    o.dtype = precision(o.dtype)
    return o


def schedule(o: argparse.Namespace) -> ph.Schedule:
    """The warmup and the decay that the options ask for."""
    start = 0.01 if o.warmup_shape == "exponential" else 0.0  # a geometric rise cannot begin at 0
    return ph.warmup(o.warmup, start=start, shape=o.warmup_shape) >> DECAYS[o.decay]


def build_optimizer(model: nn.Module, o: argparse.Namespace) -> torch.optim.Optimizer:
    """AdamW that decays the matrices and leaves biases and norms alone; its rate is the peak, scaled with the batch."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "name": "matrices", "weight_decay": o.weight_decay},
        {"params": vectors, "name": "vectors", "weight_decay": 0.0},
    ]
    peak, betas, eps = o.peak, o.betas, 1e-8
    if o.scale == "adam":
        scaled = ph.scaled_adam(peak, betas, eps, base_batch=o.base_batch, batch=o.batch)
        peak, betas, eps = scaled.lr, scaled.betas, scaled.eps
    elif o.scale != "none":
        peak = ph.scaled_peak(peak, o.base_batch, o.batch, rule=o.scale)
    say(f"{o.batch} windows an update, {PROCESSES} × {o.batch // PROCESSES}; peak rate {peak:g}")
    if o.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=peak, momentum=0.9)
    return torch.optim.AdamW(groups, lr=peak, betas=tuple(betas), eps=eps)


def shared_out(model: nn.Module, o: argparse.Namespace) -> nn.Module:
    """The model as each process is to hold it: whole by itself or under DDP, a shard under FSDP2."""
    if not dist.is_initialized():
        return model
    if o.parallel == "ddp":
        return DistributedDataParallel(model)
    mesh = init_device_mesh(DEVICE.type, (PROCESSES,))
    for block in blocks(model):
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def pretrain(o: argparse.Namespace) -> float:
    """Train to the end and return the validation loss."""
    plan = ph.from_env(default=o.schedule or schedule(o))
    run = ph.Run(total=o.total, tokens_per_step=o.batch * o.context, samples_per_step=o.batch)
    text = Text(o.text, o.context, masked=o.model.startswith("bert"))
    model = shared_out(build_model(o).to(DEVICE), o)
    scheduler = Scheduler(build_optimizer(model, o), plan, run=run)
    size = sum(parameter.numel() for parameter in model.parameters())
    say(
        f"{o.model} of {size:,} parameters, {run.total} updates of {o.batch * o.context:,} tokens of {o.text}, {o.dtype}"
    )
    if o.checkpoint and load(Path(o.checkpoint), model, scheduler, o):
        say(f"goes on from update {scheduler.last_epoch}")
    finite = train(model, scheduler, lambda step: text.batch(o.seed, step, o.batch), o)
    loss = evaluate(model, text, o) if finite else math.nan
    ph.log(scheduler.last_epoch, val_loss=loss)
    say(f"validation loss {loss:.4f}")
    return loss


def main(arguments: list[str] | None = None) -> None:
    """The command: joins the other processes where torchrun has started some."""
    try:
        o = options(arguments)
        if "RANK" in os.environ:
            if DEVICE.type == "cuda":
                torch.cuda.set_device(DEVICE)
            dist.init_process_group("nccl" if DEVICE.type == "cuda" else "gloo")
        pretrain(o)
    except PreheatError as error:
        raise SystemExit(f"pretrain.py: {error}" if RANK == 0 else 1) from None
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


if __name__ == "__main__":
    main()
