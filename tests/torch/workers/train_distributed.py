"""What test_distributed.py runs: `train_distributed.py <folder>`.

Trains with DDP and with FSDP2 as 2 processes, which save distributed checkpoints on the way; then goes on from these as 1
and as 4 processes. Every update uses the same sixteen rows, shared among the processes, so that the gradient is the same
for any number of them. Each process writes what it saw to `<folder>/<ddp or fsdp>-<number of processes>-<rank>.json`.

The processes are started by what torchrun is made of, `elastic_launch`, and forked, so that torch is imported once.
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.nn.parallel import DistributedDataParallel

import preheat as ph
from preheat.session import Plateau
from preheat.torch import Scheduler

OPTIONS = StateDictOptions(flatten_optimizer_state_dict=True)
PLAN = ph.Plan(
    {
        "lr": ph.warmup("30%", start=0.1) >> ph.decay(shape="cosine"),
        "head/lr": ph.warmup("10%") >> ph.hold(),
        "weight_decay": ph.absolute(ph.ramp(0.0, 0.1, "100%")),
    }
)


def build(kind: str) -> tuple[nn.Module, torch.optim.Optimizer, Scheduler]:
    """The same model, optimizer and scheduler in every process."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    body, head = model[0], model[2]
    if kind == "fsdp":
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        for layer in (body, head):
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    groups = [
        {"params": list(body.parameters()), "name": "body"},
        {"params": list(head.parameters()), "name": "head", "lr": 0.003},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.01, foreach=False)
    rules = [Plateau("loss", factor=0.8, patience=1, threshold=0.02)]
    scheduler = Scheduler(optimizer, PLAN, run=ph.Run(total=20), rules=rules)
    return (DistributedDataParallel(model) if kind == "ddp" else model), optimizer, scheduler


def train(model: nn.Module, optimizer: torch.optim.Optimizer, scheduler: Scheduler, updates: int) -> list[list[float]]:
    """The rates, the weight decay and the mean loss of every update."""
    generator = torch.Generator().manual_seed(1)
    rows, targets = torch.randn(16, 8, generator=generator), torch.randn(16, 4, generator=generator)
    mine = slice(dist.get_rank(), None, dist.get_world_size())
    seen = []
    for _ in range(updates):
        used = [float(group[key]) for group in optimizer.param_groups for key in ("lr", "weight_decay")]
        optimizer.zero_grad()
        loss = (model(rows[mine]) - targets[mine]).square().mean()
        loss.backward()
        optimizer.step()
        mean = loss.detach().clone()
        dist.all_reduce(mean)
        mean /= dist.get_world_size()
        scheduler.step(metrics={"loss": mean})
        seen.append([*used, mean.item()])
    return seen


def resume(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, scheduler: Scheduler) -> None:
    """Load the checkpoint, whatever the number of processes that saved it."""
    weights, moments = get_state_dict(model, optimizer, options=OPTIONS)
    dcp.load({"model": weights, "optimizer": moments, "scheduler": scheduler}, checkpoint_id=folder)
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments, options=OPTIONS)


def save(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, scheduler: Scheduler) -> None:
    """Save a checkpoint, every process its part."""
    weights, moments = get_state_dict(model, optimizer, options=OPTIONS)
    dcp.save({"model": weights, "optimizer": moments, "scheduler": scheduler}, checkpoint_id=folder)


def work(folder: Path, updates: int, save_at: int) -> None:
    """What each process does: both ways of sharing the work, one after the other."""
    dist.init_process_group("gloo")
    for kind in ("ddp", "fsdp"):
        parts = build(kind)
        if (checkpoint := folder / kind).exists():
            resume(checkpoint, *parts)
        seen = train(*parts, save_at)
        if save_at:
            save(checkpoint, *parts)
        seen += train(*parts, updates - save_at)
        report = folder / f"{kind}-{dist.get_world_size()}-{dist.get_rank()}.json"
        report.write_text(json.dumps({"seen": seen, "state": parts[-1].state_dict()}), encoding="utf-8")
    dist.destroy_process_group()


def launch(processes: int, *arguments: object) -> None:
    """`work` in so many processes, at a rendezvous on a free port."""
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="preheat",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="fork",
        max_restarts=0,
        monitor_interval=0.05,
    )
    elastic_launch(config, work)(*arguments)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.optim.AdamW([nn.Parameter(torch.ones(1))])  # imports a good second's worth of modules, here only once
    launch(2, Path(sys.argv[1]), 12, 7)
    launch(1, Path(sys.argv[1]), 5, 0)
    launch(4, Path(sys.argv[1]), 5, 0)
