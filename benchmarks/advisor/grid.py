"""Train the grid: each configuration at 8 peaks × 6 warmups × 3 seeds, one JSON line for each in a results file.

What the file holds already is left out, so an interrupted grid goes on; a changed configuration has another key and is trained
again. The loss is null where a training loss was not finite.
"""

import json
import math
import os
import platform
import time
from collections.abc import Iterable
from fnmatch import fnmatch
from itertools import product
from pathlib import Path
from typing import Any

import torch

from benchmarks.advisor.families import CONFIGURATIONS, SEEDS, Configuration
from benchmarks.advisor.stacked import Cell, Outcome, train_cells
from preheat.core.errors import PreheatError

CHUNK = {"cpu": 48, "cuda": 144}
"""Runs at once, by device: on a CPU more only fall out of its caches."""


def results(path: Path) -> dict[str, dict[str, Any]]:
    """The lines of a results file by key; empty where there is no file. A line that was cut off is left out."""
    lines = path.read_text().splitlines() if path.exists() else []
    read = []
    for line in lines:
        try:
            read.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return {one["key"]: one for one in read}


def run(path: Path, device: str = "cpu", only: str = "*", chunk: int | None = None) -> None:
    """Train what `path` does not hold, and append it line by line. Raises PreheatError where `only` names nothing."""
    chosen = [one for one in CONFIGURATIONS if fnmatch(one.name, only)]
    if not chosen:
        raise PreheatError(
            f"no configuration is called {only!r}; write one of {', '.join(c.name for c in CONFIGURATIONS)}"
        )
    torch.backends.cudnn.allow_tf32 = False  # a GPU's runs then differ from a CPU's by rounding alone
    done = results(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for configuration in chosen:
        if configuration.key in done:
            print(f"{configuration.name}: there already", flush=True)
            continue
        line = trained(configuration, device, chunk or CHUNK[torch.device(device).type])
        _append(path, line)
        print(f"{configuration.name}: {line['seconds']:.1f} s", flush=True)


def _append(path: Path, line: dict[str, Any]) -> None:
    """Add a line; a line before it that was cut off must not swallow it."""
    whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("a") as file:
        file.write(("" if whole else "\n") + json.dumps(line) + "\n")


def trained(configuration: Configuration, device: str, chunk: int) -> dict[str, Any]:
    """All runs of a configuration as the line of a results file: loss and accuracy as [peak][warmup][seed]."""
    started, task = time.perf_counter(), configuration.options.load()
    cells = [Cell(*one) for one in product(configuration.peaks, configuration.warmups, SEEDS)]
    outcomes: list[Outcome] = []
    for start in range(0, len(cells), chunk):
        outcomes += train_cells(configuration.options, cells[start : start + chunk], configuration.steps, device)
    losses = [one.loss if math.isfinite(one.loss) else None for one in outcomes]
    accuracies = [one.accuracy if math.isfinite(one.loss) else None for one in outcomes]
    return {
        "key": configuration.key,
        "name": configuration.name,
        "family": configuration.family,
        "split": configuration.split,
        "steps": configuration.steps,
        "peaks": configuration.peaks,
        "warmups": configuration.warmups,
        "seeds": SEEDS,
        "chance": task.chance_loss(),
        "loss": _shaped(losses, configuration),
        "accuracy": _shaped(accuracies, configuration),
        "seconds": round(time.perf_counter() - started, 2),
        "machine": _machine(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "data": task.fingerprint,
    }


def _shaped(values: Iterable[float | None], configuration: Configuration) -> list[list[list[float | None]]]:
    """Values in the order of the cells as [peak][warmup][seed]."""
    left = iter(values)
    return [[[next(left) for _ in SEEDS] for _ in configuration.warmups] for _ in configuration.peaks]


def _machine(device: str) -> str:
    """What it was trained on."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} cores"
