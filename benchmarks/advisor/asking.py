"""Ask the advisor about every configuration of the grid, one JSON line for each answer.

At each peak of the grid: does it need warmup, and how long a one? And once for each configuration without a peak: which peak,
which warmup, by a race that begins at the rate that people write down. The advisor sees what a user would hand over: a new
model, its optimizer, the loss, the batches, the held-out data. Its seed is none of the grid's. What it measured is kept beside
what it said, so that constants can be set without measuring again. What the file holds already is left out.
"""

import json
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from fnmatch import fnmatch
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.advisor import grid
from benchmarks.advisor.baselines import USUAL
from benchmarks.advisor.families import CONFIGURATIONS, Configuration
from benchmarks.advisor.truth import Trained
from preheat import measure
from preheat.core.errors import PreheatError
from preheat.lab.racing import race
from preheat.lab.tasks.training import begun, cross_entropy

SEED = 100
BUDGET = 8_000
"""Updates of a race."""

_BATCHES = 1500  # more than an answer takes
_PARTS = 8  # batches of held-out data
_NAMED = {one.name: one for one in CONFIGURATIONS}


def run(path: Path, results: Path, jobs: int, only: str = "*", races: bool = True) -> None:
    """Ask what `path` does not hold yet, in so many processes at once: the peaks at which the grid, `results`, is decided.

    Raises PreheatError where the grid lacks a configuration.
    """
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(one["more"]["key"], one["peak"]) for one in lines}
    chosen = sorted((one for one in CONFIGURATIONS if fnmatch(one.name, only)), key=lambda one: one.split)
    known = grid.results(results)
    if missing := [one.name for one in chosen if one.key not in known]:
        raise PreheatError(f"the grid is not complete: {', '.join(missing)}")
    verdicts = {one.name: Trained(known[one.key]).verdicts for one in chosen}
    peaks = [
        (one, peak)
        for one in chosen
        for peak, verdict in zip(one.peaks, verdicts[one.name], strict=True)
        if verdict.needed is not None
    ]
    asked = [
        (one.name, peak)
        for one, peak in [*peaks, *((one, None) for one in chosen if races)]
        if (one.key, peak) not in done
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool, path.open("a") as file:
        waiting = {pool.submit(answered, *one): one for one in asked}
        for place, one in enumerate(as_completed(waiting), start=1):
            file.write(json.dumps(one.result()) + "\n")
            file.flush()
            print(f"{place} of {len(asked)}: {waiting[one]}", flush=True)


def answered(name: str, peak: float | None) -> dict[str, Any]:
    """The advisor's answer about a configuration, at a peak or with one of its own, with all that it measured."""
    torch.set_num_threads(1)
    started, configuration = time.perf_counter(), _NAMED[name]
    said: dict[str, Any] = {"config": name, "seed": SEED, "peak": peak}
    try:
        found, more = _raced(configuration) if peak is None else _at(configuration, peak)
    except PreheatError as error:
        found, more = {}, {"refused": str(error)}
    seconds = round(time.perf_counter() - started, 2)
    return {**said, **found, "more": {"key": configuration.key, "seconds": seconds, **more}}


def _at(configuration: Configuration, peak: float) -> tuple[dict[str, Any], dict[str, Any]]:
    *four, held_out = handed_over(configuration.name, SEED)
    advice = measure.advise(*four, held_out=held_out, steps=configuration.steps, peak=peak)
    known, facts = advice.decision.verdict != "not known", advice.facts.to_dict()
    found = {
        "probability": advice.decision.probability if known else None,
        "warmup": advice.warmup,
        "advised_peak": peak,
        "cost": advice.cost,
    }
    return found, {"facts": _rounded(facts)}


def _rounded(value: Any) -> Any:
    """Nested values with six digits: a file of them is kept."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _raced(configuration: Configuration) -> tuple[dict[str, Any], dict[str, Any]]:
    usual, steps = USUAL[configuration.options.optimizer], configuration.steps
    *four, held_out = handed_over(configuration.name, SEED)
    facts = measure.advise(*four, held_out=held_out, steps=steps, peak=usual, trial=0).facts
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        found = race(
            partial(handed_over, configuration.name),
            facts,
            budget=BUDGET,
            out=folder,
            seed=SEED,
            engine="inline",
            console=Console(file=nowhere),
        )
    peak, warmup = found.winner or (None, None)
    rungs = [{"updates": r.updates, "losses": [(*arm, loss) for arm, loss in r.losses.items()]} for r in found.rungs]
    cost = facts.cost.in_updates + found.spent
    return {"advised_peak": peak, "warmup": warmup, "cost": cost}, {"rungs": rungs}


def handed_over(name: str, seed: int) -> tuple[Any, ...]:
    """(model, optimizer, loss, batches, held_out), as a user would hand them over."""
    options = _NAMED[name].options
    task = options.load()
    model, optimizer, batches = begun(task, options, seed)
    inputs, targets = task.validation()
    held_out = list(zip(inputs.chunk(_PARTS), targets.chunk(_PARTS), strict=True))
    return (
        model,
        optimizer,
        lambda batch: cross_entropy(model(batch[0]), batch[1]),
        list(islice(batches, _BATCHES)),
        held_out,
    )
