"""Composer's schedulers, their file alone with that of its times; llm-foundry's where it is installed too."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from

try:
    PEER, VERSION = "composer", version("mosaicml")
except PackageNotFoundError as error:
    raise ImportError("mosaicml is not installed") from error
TRAINER = ("max_duration", "dataloader_len", "scale_schedule_ratio", "batch_size", "tokens_per_batch")
_enum = module_from("composer", "utils/string_enum.py")
_around: dict[str, Any] = {
    "composer": SimpleNamespace(),
    "composer.core": SimpleNamespace(),
    "composer.core.serializable": SimpleNamespace(Serializable=object),
    "composer.utils": SimpleNamespace(StringEnum=_enum.StringEnum),
}
times = module_from("composer", "core/time.py", _around)
_around["composer.core"] = SimpleNamespace(State=SimpleNamespace, Time=times.Time, TimeUnit=times.TimeUnit)
scheduler = module_from("composer", "optim/scheduler.py", _around)
foundry = None
with suppress(ImportError):
    _around |= {"composer.optim": scheduler, "composer.optim.scheduler": scheduler}
    _around["llmfoundry"] = _around["llmfoundry.utils"] = SimpleNamespace()
    _around["llmfoundry.utils.warnings"] = SimpleNamespace(experimental_class=lambda name: lambda made: made)
    foundry = module_from("llmfoundry", "optim/scheduler.py", _around)


def ran(name: str, given: dict[str, Any], n: int) -> list[float]:
    """The rates of updates 0 … n − 1, one batch each, as the Trainer gives its state to a scheduler of this name."""
    own = {key: value for key, value in given.items() if key not in (*TRAINER, "base_lr")}
    made = getattr(foundry if name.startswith("InverseSquareRoot") else scheduler, name)(**own)
    ratio, length = given.get("scale_schedule_ratio", 1.0), given.get("dataloader_len") or 10**9
    samples, tokens = given.get("batch_size") or 1, given.get("tokens_per_batch") or 1
    duration = times.Time.from_timestring(given["max_duration"]) * ratio
    state, found = SimpleNamespace(max_duration=duration, dataloader_len=length), []
    for t in range(n):
        state.timestamp = times.Timestamp(batch=t, epoch=t // length, sample=t * samples, token=t * tokens)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(given.get("base_lr", 1.0) * made(state, ratio))
    return found


class _Drawn:
    """A Trainer, and times that it takes."""

    def __init__(self, r: random.Random) -> None:
        self.r, self.unit = r, r.choice(["ba", "ep", "sp", "tok"])
        self.length, self.worth = r.randint(1, 40), r.choice([1, r.randint(1, 64)]) if self.unit in ("sp", "tok") else 1
        self.total = r.choice([1, 2, r.randint(2, 80)])
        if self.unit == "ep":
            self.total = self.length * max(1, self.total // self.length)
        self.trainer = {"max_duration": self.time(self.total), "base_lr": r.choice([1.0, r.uniform(1e-4, 1)])}
        self.trainer |= {"dataloader_len": self.length} if self.unit in ("ep", "ba") else {}
        self.trainer |= {"batch_size": self.worth} if self.unit == "sp" else {}
        self.trainer |= {"tokens_per_batch": self.worth} if self.unit == "tok" else {}
        self.ratio = 1.0
        if r.random() < 0.4 and self.unit != "ep" and self.total > 4:
            self.ratio = r.choice([0.5, 2.0, r.uniform(0.5, 2)])
            self.trainer["scale_schedule_ratio"] = self.ratio

    def time(self, updates: int, odd: bool = False) -> str:
        """So many updates, or nearly so."""
        if self.unit == "ep":
            return f"{updates // self.length}ep"
        many = updates * (1 if self.unit == "ba" else self.worth)
        return f"{max(1, many - self.r.randint(0, self.worth - 1)) if odd else many}{self.unit}"

    def length_of(self, least: int = 1, most: int | None = None) -> str:
        """A random time of at least so many updates."""
        most = self.total if most is None else most
        if self.unit == "ep":
            return (
                f"{self.r.randint(1, 3)}ep" if self.r.random() < 0.5 else f"{self.r.randint(least, max(least, most))}ba"
            )
        return self.time(self.r.randint(least, max(least, most)), self.r.random() < 0.5 and least > 0)

    def warmup(self) -> str:
        """A warmup: none, a share, longer than the run, anything."""
        if self.r.random() < 0.3:
            return f"{self.r.choice([0.0, 0.1, 1.0, self.r.random()])}dur"
        unit = "ba" if self.unit == "ep" else None
        updates = self.r.choice([0, 1, self.r.randint(0, self.total), self.total + 3])
        return f"{updates}ba" if unit else self.time(updates)


def updates(given: dict[str, Any]) -> int:
    """Batches in the run."""
    duration = times.Time.from_timestring(given["max_duration"]) * given.get("scale_schedule_ratio", 1.0)
    unit = str(duration.unit.value)
    worth = {"ba": 1, "sp": given.get("batch_size"), "tok": given.get("tokens_per_batch")}
    return duration.value * given["dataloader_len"] if unit == "ep" else -(-duration.value // worth[unit])


def _case(own: str, name: str, draw: Callable[[random.Random, _Drawn], dict[str, Any]], after: int = 7) -> Case:
    def arguments(r: random.Random) -> dict[str, Any]:
        drawn = _Drawn(r)
        return drawn.trainer | draw(r, drawn)

    return Case(name, arguments, lambda given, n: ran(own, given, n), updates, after)


def _warmed(**more: Callable[[random.Random], float]) -> Any:
    def draw(r: random.Random, drawn: _Drawn) -> dict[str, Any]:
        found: dict[str, Any] = {"t_warmup": drawn.warmup()} | {key: value(r) for key, value in more.items()}
        later = f"{drawn.total + 9}ba" if drawn.unit == "ep" else drawn.time(drawn.total + 9)
        found |= {"t_max": later} if r.random() < 0.3 else {}
        scaled = drawn.ratio != 1 and r.random() < 0.5 and scheduler_lasts(found["t_warmup"], drawn.ratio)
        return found | ({"scale_warmup": True} if scaled else {})

    return draw


def scheduler_lasts(time: str, ratio: float) -> bool:
    """Whether something is left of a time that is stretched."""
    parsed = times.Time.from_timestring(time)
    return str(parsed.unit.value) != "dur" and (parsed.value == 0 or int(parsed.value * ratio) > 0)


def _level(r: random.Random) -> float:
    return r.choice([0.0, 1.0, r.random()])


def _power(r: random.Random) -> float:
    return r.choice([1.0, 2.0, r.uniform(0.3, 4)])


def _gamma(r: random.Random) -> float:
    return r.choice([0.1, 0.5, r.uniform(0.1, 1.1)])


def _t_max(r: random.Random, drawn: _Drawn) -> dict[str, Any]:
    return {} if r.random() < 0.5 else {"t_max": drawn.length_of(2)}


def _milestones(r: random.Random, drawn: _Drawn) -> dict[str, Any]:
    return {"gamma": _gamma(r), "milestones": [drawn.length_of() for _ in range(r.randint(0, 4))]}


def _restarts(r: random.Random, drawn: _Drawn) -> dict[str, Any]:
    times_longer = r.choice([1.0, 2.0, 3.0, r.uniform(1.1, 2.5)])
    size = f"{r.randint(4, 30)}ba" if drawn.unit == "ep" else drawn.time(r.randint(4, 30))
    return {"t_0": size, "t_mult": times_longer, "alpha_f": _level(r)}


def _inverse(r: random.Random, drawn: _Drawn) -> dict[str, Any]:
    far, floor = sorted([r.random(), _level(r)], reverse=True)
    found = {"t_warmup": drawn.time(r.randint(0, drawn.total)), "t_scale": drawn.time(r.randint(2, 99) * drawn.length)}
    return found | {
        "t_cooldown": drawn.time(r.randint(0, drawn.total)),
        "alpha_f_decay": far,
        "alpha_f_cooldown": floor,
    }


CASES = [
    _case("ConstantScheduler", "constant_scheduler", lambda r, drawn: {"alpha": _level(r), **_t_max(r, drawn)}),
    _case("StepScheduler", "step_scheduler", lambda r, drawn: {"step_size": drawn.length_of(2), "gamma": _gamma(r)}),
    _case("MultiStepScheduler", "multi_step_scheduler", _milestones),
    _case(
        "MultiStepWithWarmupScheduler",
        "multi_step_with_warmup_scheduler",
        lambda r, drawn: {
            key: value for key, value in (_warmed()(r, drawn) | _milestones(r, drawn)).items() if key != "t_max"
        },
    ),
    _case(
        "LinearScheduler",
        "linear_scheduler",
        lambda r, drawn: {"alpha_i": _level(r), "alpha_f": _level(r), **_t_max(r, drawn)},
    ),
    _case("LinearWithWarmupScheduler", "linear_with_warmup_scheduler", _warmed(alpha_i=_level, alpha_f=_level)),
    _case("ConstantWithWarmupScheduler", "constant_with_warmup_scheduler", _warmed(alpha=_level)),
    _case(
        "ExponentialScheduler",
        "exponential_scheduler",
        lambda r, drawn: {"gamma": r.uniform(0.1, 1.1), "decay_period": drawn.length_of(2)},
    ),
    _case(
        "CosineAnnealingScheduler",
        "cosine_annealing_scheduler",
        lambda r, drawn: {"alpha_f": _level(r), **_t_max(r, drawn)},
    ),
    _case("CosineAnnealingWithWarmupScheduler", "cosine_annealing_with_warmup_scheduler", _warmed(alpha_f=_level)),
    _case("CosineAnnealingWarmRestartsScheduler", "cosine_annealing_warm_restarts_scheduler", _restarts, 1),
    _case(
        "PolynomialScheduler",
        "polynomial_scheduler",
        lambda r, drawn: {"power": _power(r), "alpha_f": _level(r), **_t_max(r, drawn)},
    ),
    _case("PolynomialWithWarmupScheduler", "polynomial_with_warmup_scheduler", _warmed(power=_power, alpha_f=_level)),
]
if foundry is not None:
    CASES.append(_case("InverseSquareRootWithWarmupScheduler", "inverse_square_root_with_warmup_scheduler", _inverse))
