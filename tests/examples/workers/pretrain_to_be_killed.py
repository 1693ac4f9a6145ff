"""What test_resuming.py runs: `pretrain_to_be_killed.py <folder> <options of pretrain.py>…`.

Pre-trains a causal and a masked model, each once without disturbance in `<folder>/<model>/whole`; then in `…/killed`, in
processes that kill themselves with SIGKILL in the middle of an update, or between writing a checkpoint and putting it in its
place, each going on from what the one before it left. Each process is forked from one that has imported what is slow and
done nothing.
"""

import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import torch
from transformers import BertForMaskedLM, GPT2LMHeadModel  # noqa: F401  imported here, once

EXAMPLES = Path(__file__).parents[3] / "examples"
KILLED_IN = (1, 5, 6, 11)  # updates, with a checkpoint every 5
KILLED_SAVING = (3,)  # checkpoints


def die(*_: object, **__: object) -> None:
    """What `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def train(folder: Path, arguments: list[str], update: int | None, checkpoint: int | None) -> None:
    """`pretrain.py` with its log in the folder; dies in that update, or as it puts that checkpoint in its place."""
    os.environ["PREHEAT_LOG"] = str(folder / "log.jsonl")
    log, replace = shared.ph.log, os.replace
    shared.ph.log = lambda step, **metrics: die() if step == update else log(step, **metrics)
    saved = iter(range(1, 1000))
    shared.os.replace = lambda *paths: die() if next(saved) == checkpoint else replace(*paths)
    with redirect_stdout(io.StringIO()):
        pretrain.main([*arguments, "--checkpoint", str(folder)])


def life(work: Callable[[], None]) -> int:
    """How a forked process that does this ended: minus the signal that killed it."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: Path, arguments: list[str]) -> list[int]:
    """Undisturbed; then killed at each place, and let finish. How each process ended."""
    whole, killed = folder / "whole", folder / "killed"
    for each in (whole, killed):
        each.mkdir(parents=True)
    ends = [life(lambda: train(whole, arguments, None, None))]
    ends += [life(lambda update=update: train(killed, arguments, update, None)) for update in KILLED_IN]
    ends += [life(lambda number=number: train(killed, arguments, None, number)) for number in KILLED_SAVING]
    return ends + [life(lambda: train(killed, arguments, None, None)) for _ in range(2)]  # the second finds it finished


if __name__ == "__main__":
    sys.path.insert(0, str(EXAMPLES))
    torch.set_num_threads(1)
    torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))])  # imports a good second's worth of modules, here only once
    import pretrain
    import shared

    for model in ("gpt2", "bert"):
        print(main(Path(sys.argv[1]) / model, [*sys.argv[2:], "--model", model]))
