"""What test_distributed.py runs: `pretrain_shared_out.py <folder> <options of pretrain.py>…`.

Pre-trains in one process that accumulates two parts, and in two processes that take one part each: DDP and FSDP2. Then both
again, where the second process kills itself with SIGKILL in an update and the launcher starts all of them once more, as
`torchrun --max-restarts 1` does. The processes are started by what torchrun is made of, `elastic_launch`, and forked, so
that what is slow is imported once.
"""

import io
import os
import signal
import sys
from contextlib import redirect_stdout
from pathlib import Path

import torch
import torch.distributed.checkpoint.state_dict
import torch.distributed.fsdp
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from transformers import GPT2LMHeadModel  # noqa: F401  imported here, once

EXAMPLES = Path(__file__).parents[3] / "examples"


def work(folder: Path, arguments: list[str], update: int | None) -> None:
    """What each process does; the one of rank 1 dies in that update unless it has done so before."""
    import pretrain
    import shared

    log, died = shared.ph.log, folder / "died"

    def logged(step: int, **metrics: float) -> None:
        if step == update and shared.RANK == 1 and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        log(step, **metrics)

    shared.ph.log = logged
    with redirect_stdout(io.StringIO()):
        pretrain.main([*arguments, "--checkpoint", str(folder)])


def launch(processes: int, folder: Path, arguments: list[str], update: int | None = None) -> None:
    """`work` in so many processes, at a rendezvous on a free port."""
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=folder.name,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="fork",
        max_restarts=0 if update is None else 1,
        monitor_interval=0.05,
    )
    folder.mkdir()
    os.environ["PREHEAT_LOG"] = str(folder / "log.jsonl")
    elastic_launch(config, work)(folder, arguments, update)


def main(folder: Path, arguments: list[str]) -> None:
    """One process, two, and two that are killed."""
    launch(1, folder / "one", [*arguments, "--micro=4"])
    for kind in ("ddp", "fsdp"):
        launch(2, folder / kind, [*arguments, "--parallel", kind])
        launch(2, folder / f"{kind}-killed", [*arguments, "--parallel", kind], update=8)


if __name__ == "__main__":
    sys.path.insert(0, str(EXAMPLES))
    torch.set_num_threads(1)
    torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))])  # imports a good second's worth of modules, here only once
    main(Path(sys.argv[1]), sys.argv[2:])
