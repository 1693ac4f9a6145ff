"""Two processes train one model, with the linear scaling rule and a warmup. Half a minute on two cores, no download.

    torchrun --standalone --nproc-per-node 2 examples/ddp_bytes.py

Each process reads its own batches and DDP averages the gradients, so an update sees as many times the batch as there are
processes. The rate that suits one process is scaled with it (Goyal et al. 2017, arXiv:1706.02677), and reached by a warmup.

Nothing about the scheduler is distributed: it counts updates, which all processes apply together, so every process holds
the same rates. A metric for a rule must be the same everywhere too: reduce it first, as the loss is here.
"""

import argparse
import os
from itertools import islice

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

import preheat as ph
from preheat.lab.tasks import BytesOptions, load
from preheat.lab.tasks.training import build_optimizer, cross_entropy, evaluate
from preheat.torch import Scheduler

# the task of `preheat compare bytes`, smaller, and with an optimizer and a rate that suit one process
ONE = BytesOptions(optimizer="sgd", peak=0.2, norm="pre", depth=2, batch=16)


def main(steps: int) -> None:
    """Train for so many updates; the first process prints."""
    rank, processes = dist.get_rank(), dist.get_world_size()
    task = load(ONE)
    torch.manual_seed(0)  # DDP starts every process from the weights of the first
    model = DistributedDataParallel(task.model())
    optimizer = build_optimizer(ONE, model.parameters())
    peak = ph.scaled_peak(ONE.peak, base_batch=ONE.batch, batch=ONE.batch * processes, rule="linear")
    schedule = ph.cosine(warmup_ratio=0.1, peak_lr=peak, min_lr_ratio=0.1)
    scheduler = Scheduler(optimizer, ph.absolute(schedule), run=ph.Run(total=steps))
    if rank == 0:
        print(f"{processes} × {ONE.batch} examples an update, peak rate {ONE.peak:g} × {processes} = {peak:g}")
    for step, (inputs, targets) in enumerate(islice(task.batches(seed=rank), steps)):
        rate = scheduler.get_last_lr()[0]
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % max(1, steps // 20) == 0 or step == steps - 1:
            mean = averaged(loss)
            if rank == 0:
                print(f"update {step:4d}   rate {rate:.5f}   loss {mean:.3f}")
    if rank == 0:
        loss, accuracy = evaluate(model.module, *task.validation())
        print(f"validation loss {loss:.3f} (chance {task.chance_loss():.3f}), accuracy {accuracy:.1%}")


def averaged(value: Tensor) -> float:
    """The mean of a number over the processes."""
    total = value.detach().clone()
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()


if __name__ == "__main__":
    if "RANK" not in os.environ:
        raise SystemExit("start it with: torchrun --standalone --nproc-per-node 2 examples/ddp_bytes.py")
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--steps", type=int, default=600, help="updates (default: 600)")
    dist.init_process_group("gloo")
    main(arguments.parse_args().steps)
    dist.destroy_process_group()
