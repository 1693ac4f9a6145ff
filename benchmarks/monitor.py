"""What a monitor costs a training step, as a ratio in one process: `python -m benchmarks.monitor [--device cuda]`.

The same training with and without a monitor takes turns, `every` updates at a time, so that a busy machine slows both alike;
the figure is the median over turns of the time with it over the time without. On a CPU it is the time of the process, which
others on the machine do not lengthen. The step of a record is measured alone too: ten steps, each with a record.
"""

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from preheat.lab.tasks.bytes import BytesOptions
from preheat.lab.tasks.training import cross_entropy
from preheat.measure.monitoring.monitor import EVERY, Monitor

MODELS = {
    "byte transformer, 8 × 32, batch 32": BytesOptions(norm="pre", batch=32),
    "byte transformer, 6 × 256, batch 16 of 128": BytesOptions(
        norm="pre", depth=6, width=256, heads=4, context=128, batch=16
    ),
    "byte transformer, 24 × 1024, batch 16 of 512": BytesOptions(
        norm="pre", depth=24, width=1024, heads=16, context=512, batch=16
    ),
}


class Training:
    """A model, its optimizer and one batch."""

    def __init__(self, options: BytesOptions, device: str) -> None:
        from preheat.lab.tasks.models import Transformer

        torch.manual_seed(0)
        self.device = device
        self.model: nn.Module = Transformer(options).to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)
        tokens = torch.randint(256, (options.batch, options.context + 1), device=device)
        self.inputs, self.targets = tokens[:, :-1], tokens[:, 1:]

    def loss(self) -> Tensor:
        """Of its batch."""
        return cross_entropy(self.model(self.inputs), self.targets)

    def seconds(self, updates: int, monitor: Monitor | None) -> float:
        """The time of some updates."""
        clock = time.perf_counter if self.device == "cuda" else time.process_time
        self._wait()
        start = clock()
        for _ in range(updates):
            loss = self.loss()
            if monitor is not None:
                monitor.loss(loss)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self._wait()
        return clock() - start

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def cost(training: Training, folder: Path, every: int, updates: int, turns: int) -> tuple[float, float]:
    """The ratio of the time with a monitor to that without, and the seconds of a step without."""
    training.seconds(3, None)
    ratios, plain = [], []
    for turn in range(turns):
        took = {}
        for with_it in (False, True) if turn % 2 else (True, False):
            file = folder / f"{turn}.jsonl"
            monitor = Monitor(training.model, training.optimizer, file, every=every, update=0) if with_it else None
            took[with_it] = training.seconds(updates, monitor)
            if monitor is not None:
                monitor.close()
        ratios.append(took[True] / took[False])
        plain.append(took[False] / updates)
    return statistics.median(ratios), statistics.median(plain)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--models", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(1)
    name = torch.cuda.get_device_name() if given.device == "cuda" else platform.machine()
    print(f"{name}, torch {torch.__version__}; a record every {EVERY} updates\n")
    for model, options in list(MODELS.items())[: given.models]:
        training = Training(options, given.device)
        with tempfile.TemporaryDirectory() as folder:
            ratio, step = cost(training, Path(folder) / "usual", EVERY, EVERY, given.turns)
            single, _ = cost(training, Path(folder) / "each", 1, 10, given.turns)
        print(
            f"{model}: a step {step * 1e3:.2f} ms; with a monitor × {ratio:.4f}; the step of a record × {single:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
