"""detectron2's YAML with a SOLVER; what stands in its _BASE_ is named, not read."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from preheat.compat import detectron2
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.core.errors import PreheatError, shown
from preheat.core.findings import Finding
from preheat.core.spans import Run

_HARMLESS = [
    "MOMENTUM",
    "NESTEROV",
    "WEIGHT_DECAY",
    "WEIGHT_DECAY_NORM",
    "WEIGHT_DECAY_BIAS",
    "CHECKPOINT_PERIOD",
    "CLIP_GRADIENTS",
    "AMP",
    "OPTIMIZER",
]
_DEFAULTS = {"MAX_ITER": 40000, "BASE_LR": 0.001, "STEPS": (30000,)}


def recognises(config: Config) -> bool:
    """Whether it has a section SOLVER."""
    return config.kind == "yaml" and isinstance(config.data.get("SOLVER"), Mapping)


def read(config: Config, given: Given) -> Reading:
    """The keys of SOLVER, those that it lacks as detectron2 has them by default, each with a finding."""
    solver = Keys(config.data).section("SOLVER")
    findings = _base(config.data.get("_BASE_"), solver)
    total, base = solver.whole("MAX_ITER", 40000), float(solver.number("BASE_LR", 0.001))
    steps = _numbers(solver.get("STEPS", (30000,)))
    warm, images = solver.whole("WARMUP_ITERS", 1000), solver.whole("IMS_PER_BATCH", 16)
    reference = solver.whole("REFERENCE_WORLD_SIZE", 0)
    if reference and given.world_size not in (None, reference):
        scale = given.world_size / reference  # type: ignore[operator]  it is no None
        base, images = base * scale, round(images * scale)
        total, warm, steps = round(total / scale), round(warm / scale), [round(step / scale) for step in steps]
        what = f"made for {reference} processes: on {given.world_size} the rate is {base:g}, the run {total} updates"
        findings.append(Finding("assumed", "SOLVER.REFERENCE_WORLD_SIZE", what))
    factor = solver.number("BIAS_LR_FACTOR", 1.0)
    if factor != 1.0:
        what = f"biases have {factor:g} times the rate"
        findings.append(Finding("not-carried", "SOLVER.BIAS_LR_FACTOR", what, "give their group a line of its own"))
    restated = detectron2.build_lr_scheduler(
        lr_scheduler_name=solver.get("LR_SCHEDULER_NAME", "WarmupMultiStepLR"),
        max_iter=_agreed(total, given.total),
        base_lr=base if given.base_lr is None else given.base_lr,
        base_lr_end=solver.number("BASE_LR_END", 0.0),
        gamma=solver.number("GAMMA", 0.1),
        steps=steps,
        num_decays=solver.whole("NUM_DECAYS", 3),
        warmup_factor=solver.number("WARMUP_FACTOR", 1.0 / 1000),
        warmup_iters=warm,
        warmup_method=solver.get("WARMUP_METHOD", "linear"),
        rescale_interval=bool(solver.get("RESCALE_INTERVAL", False)),
    )
    per_epoch = given.samples / images if given.samples else given.steps_per_epoch
    run = Run(total=total, steps_per_epoch=per_epoch, samples_per_step=images)
    return Reading.of(restated, run, [*findings, *solver.left(_HARMLESS)], "detectron2")


def _base(base: Any, solver: Keys) -> list[Finding]:
    """What another file says, and which of the numbers are therefore detectron2's defaults."""
    if base is None:
        return []
    taken = ", ".join(f"{key}={value!r}" for key, value in _DEFAULTS.items() if key not in solver)
    what = f"{base!r} is another file, which is not read"
    found = [Finding("not-carried", "_BASE_", what, "read that file, or put its SOLVER here")]
    return found + ([Finding("assumed", "SOLVER", f"detectron2's own defaults: {taken}")] if taken else [])


def _numbers(value: Any) -> list[int]:
    """A list, or a tuple written as text, as YAML has no tuples."""
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            raise PreheatError(f"SOLVER.STEPS cannot be read: {shown(value)}", write="write (60000, 80000)") from None
    return [int(one) for one in (value if isinstance(value, list | tuple) else [value])]


def _agreed(said: int, given: int | None) -> int:
    if given not in (None, said):
        raise PreheatError(f"SOLVER.MAX_ITER is {said}, and the total that was given {given}", write="leave total out")
    return said
