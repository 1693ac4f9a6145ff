"""kohya's sd-scripts: `--lr_scheduler` with its options, over transformers' and diffusers' schedules.

Steps are updates of the run; with several processes sd-scripts plans max_train_steps · num_processes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat.compat import diffusers, transformers
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, ignored
from preheat.core.checks import Number, counted, finite_number
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding

PEER = Peer("kohya", "sd-scripts 0.9", "library/train_util.py")
_TAKES = {  # which options reach which scheduler
    "constant": (),
    "piecewise_constant": (),
    "constant_with_warmup": ("warmup",),
    "inverse_sqrt": ("warmup", "timescale"),
    "linear": ("warmup",),
    "cosine": ("warmup",),
    "cosine_with_restarts": ("warmup", "num_cycles"),
    "polynomial": ("warmup", "power"),
    "cosine_with_min_lr": ("warmup", "num_cycles", "min_lr_ratio"),
    "warmup_stable_decay": ("warmup", "decay", "num_cycles", "min_lr_ratio"),
}


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("get_scheduler_fix", "lr_scheduler")
def get_scheduler_fix(
    *,
    lr_scheduler: str = "constant",
    max_train_steps: int = 1600,
    lr_warmup_steps: Number = 0,
    lr_decay_steps: Number = 0,
    lr_scheduler_num_cycles: int = 1,
    lr_scheduler_power: float = 1.0,
    lr_scheduler_timescale: int | None = None,
    lr_scheduler_min_lr_ratio: float | None = None,
    lr_scheduler_args: Mapping[str, Any] | None = None,
    lr_scheduler_type: str = "",
    num_processes: int = 1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The options of the command line, or of a config.

    lr_warmup_steps, lr_decay_steps: a whole number of steps, or a float, which is a share of the run.
    lr_scheduler_num_cycles: half of it reaches cosine_with_min_lr and warmup_stable_decay. cosine and linear do not take it.
    lr_scheduler_args: further arguments of the scheduler, by name.
    """
    name = _named(str(lr_scheduler), lr_scheduler_type)
    total = counted(max_train_steps, "max_train_steps is a number of updates", least=1) * num_processes
    warm, down = _steps(lr_warmup_steps, total, "lr_warmup_steps"), _steps(lr_decay_steps, total, "lr_decay_steps")
    if name == "constant" and warm:
        raise PreheatError(
            "sd-scripts raises ValueError: constant has no warmup", given=lr_warmup_steps, write="write 0"
        )
    options: dict[str, tuple[Any, Any]] = {
        "warmup": (warm, 0),
        "decay": (down, 0),
        "num_cycles": (lr_scheduler_num_cycles, 1),
    }
    options |= {"power": (lr_scheduler_power, 1.0), "timescale": (lr_scheduler_timescale, None)}
    options["min_lr_ratio"] = (lr_scheduler_min_lr_ratio, None)
    more = dict(lr_scheduler_args or {}) | _own(name, total, {key: value for key, (value, _) in options.items()})
    library = diffusers if name == "piecewise_constant" else transformers
    found = library.PEER[name](**more, base_lr=base_lr, faithful=faithful)
    return found.having(*_unused(name, options), *_shorter(name, num_processes))


def _named(name: str, lr_scheduler_type: str) -> str:
    """The name, if it is one of those that are restated."""
    if lr_scheduler_type:
        what = (
            f"lr_scheduler_type={lr_scheduler_type!r} is a class of another library, built with lr_scheduler_args alone"
        )
        raise PreheatError(what, write="restate it by that library's name, such as compat.restate('torch', …)")
    if name.startswith("adafactor"):
        raise PreheatError(
            "adafactor's schedule is decided inside its optimizer", given=name, write="write another one"
        )
    if name not in _TAKES:
        raise PreheatError(f"kohya has no lr_scheduler {name!r}", write=f"write one of {', '.join(_TAKES)}")
    return name


def _own(name: str, total: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that reach the scheduler, under its names."""
    takes, cycles, ratio = _TAKES[name], options["num_cycles"], options["min_lr_ratio"]
    own: dict[str, Any] = {"num_warmup_steps": options["warmup"]} if "warmup" in takes else {}
    if name not in ("constant", "piecewise_constant", "constant_with_warmup", "inverse_sqrt", "warmup_stable_decay"):
        own["num_training_steps"] = total
    if "num_cycles" in takes:
        own["num_cycles"] = cycles if name == "cosine_with_restarts" else cycles / 2
    if "power" in takes:
        own["power"] = options["power"]
    if "timescale" in takes and options["timescale"] is not None:
        own["timescale"] = options["timescale"]
    if name == "cosine_with_min_lr" and ratio is not None:
        own["min_lr_rate"] = ratio
    if name == "warmup_stable_decay":
        stable = total - options["warmup"] - options["decay"]
        own |= {"num_decay_steps": options["decay"], "num_stable_steps": stable, "min_lr_ratio": ratio or 0.0}
    return own


def _steps(value: Number, total: int, name: str) -> int:
    """A whole number of steps as it is; a float is a share of the run."""
    if isinstance(value, float):
        return int(finite_number(value, name) * total)
    return counted(value, f"{name} is a number of updates, or a share of the run as a float")


def _unused(name: str, options: Mapping[str, tuple[Any, Any]]) -> list[Finding]:
    """A finding for each option that was given, and that the scheduler does not take."""
    found: list[Finding] = []
    for key, (value, default) in options.items():
        place = f"lr_{key}_steps" if key in ("warmup", "decay") else f"lr_scheduler_{key}"
        found += [] if key in _TAKES[name] else ignored(place, value, default, f"it does not reach {name}")
    return found


def _shorter(name: str, processes: int) -> list[Finding]:
    if processes == 1:
        return []
    what = f"planned for {processes} times max_train_steps, since Accelerate steps it once for each process"
    return [Finding("assumed", "num_processes", what)]
