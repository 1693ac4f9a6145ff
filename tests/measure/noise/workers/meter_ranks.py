"""What test_meter.py runs: `meter_ranks.py <folder>`: two processes whose meter is compared with gradients taken apart."""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.nn.parallel import DistributedDataParallel

from preheat import PreheatError
from preheat.measure import NoiseMeter
from preheat.measure.noise.two_batch import TwoBatch

UPDATES, ROWS = 20, 8


def built(metered: bool) -> tuple[DistributedDataParallel, torch.optim.Optimizer, NoiseMeter | None]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 300), nn.Tanh(), nn.Linear(300, 1))
    ddp = DistributedDataParallel(model, bucket_cap_mb=0.02)  # several buckets
    return ddp, torch.optim.SGD(model.parameters(), lr=0.05), NoiseMeter(ddp, decay=1.0) if metered else None


def apart(ddp: DistributedDataParallel, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """This rank's own gradient, computed beside DDP."""
    found = torch.autograd.grad((ddp.module(batch[0]) - batch[1]).square().mean(), list(ddp.module.parameters()))
    return torch.cat([one.flatten() for one in found])


def work(folder: Path) -> None:
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    report: dict[str, object] = {}
    weights = []
    for metered in (True, False):
        ddp, optimizer, meter = built(metered)
        expected = TwoBatch()
        generator = torch.Generator().manual_seed(rank)
        for _ in range(UPDATES):
            x, y = torch.randn(ROWS, 6, generator=generator), torch.randn(ROWS, 1, generator=generator)
            optimizer.zero_grad()
            if meter is not None:
                own = apart(ddp, (x, y))
                all_own = [torch.empty_like(own) for _ in range(ranks)]
                dist.all_gather(all_own, own)
                small = sum(one.double().square().sum().item() for one in all_own) / ranks
                big = torch.stack(all_own).double().mean(0).square().sum().item()
                expected.add(small, big, ROWS, ROWS * ranks)
            half = ROWS // 2
            with ddp.no_sync():
                ((ddp(x[:half]) - y[:half]).square().mean() / 2).backward()
            ((ddp(x[half:]) - y[half:]).square().mean() / 2).backward()
            if meter is not None:
                meter.update(ROWS)
            optimizer.step()
        weights.append([one.detach().clone() for one in ddp.module.parameters()])
        if meter is not None:
            report |= {
                "draws": expected.draws,
                "expected": [expected.trace, expected.squared_gradient],
                "text": str(meter),
            }
            report["found"] = [meter.found.trace, meter.found.squared_gradient]
            report["twice"] = refused(ddp, meter, (x, y))
    report["same"] = all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
    report["plain"] = refused_plain(built(False)[0].module)
    (folder / f"{rank}.json").write_text(json.dumps(report), encoding="utf-8")
    dist.destroy_process_group()


def refused(ddp: DistributedDataParallel, meter: NoiseMeter, batch: tuple[torch.Tensor, torch.Tensor]) -> str:
    """What is said where every micro-batch is averaged."""
    for _ in range(2):
        (ddp(batch[0]) - batch[1]).square().mean().backward()
    try:
        meter.update(ROWS)
    except PreheatError as error:
        return str(error)
    return ""


def refused_plain(model: nn.Module) -> str:
    try:
        NoiseMeter(model)
    except PreheatError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.optim.SGD([nn.Parameter(torch.ones(1))])
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        run_id="preheat",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="fork",
        max_restarts=0,
        monitor_interval=0.05,
    )
    elastic_launch(config, work)(Path(sys.argv[1]))
