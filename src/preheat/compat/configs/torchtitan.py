"""torchtitan's TOML, with the sections training, optimizer and lr_scheduler, or a Python config of its version 0.3."""

from __future__ import annotations

import ast
from typing import Any

from preheat.compat import torchtitan
from preheat.compat.configs.files import Config
from preheat.compat.configs.literals import literal
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.compat.configs.said import agreed, assumed
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run

SECTIONS = {
    "training",
    "optimizer",
    "lr_scheduler",
    "job",
    "model",
    "metrics",
    "parallelism",
    "checkpoint",
    "profiling",
}
PYTHON = "LRSchedulersContainer.Config("
OPTIMIZER = {
    *("name", "eps", "beta1", "beta2", "weight_decay", "implementation", "fused", "early_step_in_backward"),
    "swap_lr_mults",
}


def recognises(config: Config) -> bool:
    """TOML with a section training and two more of torchtitan's, or Python that builds its scheduler's config."""
    if config.kind == "python":
        return PYTHON in config.text
    return config.kind == "toml" and "training" in config.data and len(SECTIONS & set(config.data)) >= 3


def read(config: Config, given: Given) -> Reading:
    """The rates; the total is training.steps."""
    keys = Keys(_python(config.text) if config.kind == "python" else config.data)
    training, optimizer, scheduler = (keys.section(name) for name in ("training", "optimizer", "lr_scheduler"))
    findings: list[Finding] = []
    steps = agreed("the steps of the run", training.whole("steps", None), given.total)
    if steps is None:
        steps = assumed(training, "steps", 10_000, findings)
    peak = agreed("the learning rate", optimizer.number("lr", None), given.base_lr)
    if peak is None:
        peak = assumed(optimizer, "lr", 8e-4, findings)
    warm = training.whole("warmup_steps", None)  # where releases before the section had it
    said: dict[str, Any] = {"warmup_steps": scheduler.whole("warmup_steps", warm)}
    if said["warmup_steps"] is None:
        said["warmup_steps"] = assumed(scheduler, "warmup_steps", 200, findings)
    floor = agreed(
        "min_lr_factor, once lr_min", scheduler.number("min_lr_factor", None), scheduler.number("lr_min", None)
    )
    more = {"total_steps": scheduler.whole("total_steps", None), "decay_ratio": scheduler.number("decay_ratio", None)}
    more |= {"decay_type": scheduler.get("decay_type"), "min_lr_factor": floor}
    said |= {key: value for key, value in more.items() if value is not None}
    findings += [*scheduler.left(), *optimizer.left(OPTIMIZER)]
    restated = torchtitan.lr_schedulers_container(training_steps=steps, base_lr=peak, **said)
    batch, length = training.whole("global_batch_size", None), training.whole("seq_len", None)
    tokens = batch * length if batch and length and batch > 0 else None
    return Reading.of(restated, Run(total=steps, tokens_per_step=tokens), findings, "torchtitan")


def _python(text: str) -> dict[str, Any]:
    """The three sections of the one `Trainer.Config(…)` in a file, or among several of none."""
    built = [call for call in ast.walk(ast.parse(text)) if _is(call, "Trainer.Config")]
    if len(built) != 1:
        what = f"the file builds {len(built)} Trainer.Config, and which of them is meant is not said"
        raise PreheatError(what, write="give a file with one of them")
    found: dict[str, Any] = {}
    for pair in built[0].keywords:  # type: ignore[attr-defined]
        if pair.arg in ("training", "optimizer", "lr_scheduler") and isinstance(pair.value, ast.Call):
            found[pair.arg] = _literals(pair.value)
    return found


def _literals(call: ast.Call) -> dict[str, Any]:
    found = {}
    for pair in call.keywords:
        try:
            found[str(pair.arg)] = literal(pair.value, {})
        except ValueError:
            raise PreheatError(
                f"{pair.arg} is no literal, and a config is not run", given=ast.unparse(pair.value)
            ) from None
    return found


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith(name)
