"""python -m benchmarks.parity.conformance [--write FILE]: the suites of preheat.testing on the libraries that are installed.

Prints, or writes into the marked part of a page, one row a scheduler with the laws that it breaks and how that shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.parity.pages import rewritten
from preheat.testing import LAWS, Broken, check_schedule, check_scheduler

N, WARM = 40, 10


class Suspect(NamedTuple):
    """A scheduler to point the suite at: its library, what it is called, and what runs the suite on it."""

    library: str
    name: str
    run: Callable[[], tuple[Broken, ...]]


def _objects(library: str, makes: dict[str, Callable[[Any], Any]], **more: Any) -> Iterator[Suspect]:
    for name, make in makes.items():
        yield Suspect(library, name, lambda make=make: check_scheduler(make, N, **more))


def _functions(library: str, schedules: dict[str, Callable[[Any], Any]]) -> Iterator[Suspect]:
    for name, schedule in schedules.items():
        yield Suspect(library, name, lambda schedule=schedule: check_schedule(schedule, N))


def of_preheat() -> Iterator[Suspect]:
    import preheat as ph
    from preheat.torch import Scheduler

    run = ph.Run(total=N)
    schedules = {
        "cosine after warmup": ph.cosine(warmup_steps=WARM),
        "wsd": ph.wsd(warmup_steps=WARM),
        "restarts": ph.restarts(cycle_steps=WARM),
        "inverse_sqrt": ph.inverse_sqrt(warmup_steps=WARM),
    }
    yield from _objects(
        "preheat", {f"Scheduler, {name}": lambda o, s=s: Scheduler(o, s, run=run) for name, s in schedules.items()}
    )
    yield from _functions("preheat", {name: s.bind(run) for name, s in schedules.items()})


def of_torch() -> Iterator[Suspect]:
    from torch.optim import lr_scheduler as torch

    def warm(optimizer: Any) -> Any:
        return torch.LinearLR(optimizer, 0.1, total_iters=WARM)

    yield from _objects(
        "torch",
        {
            "LinearLR": warm,
            "ConstantLR": lambda o: torch.ConstantLR(o, 0.5, total_iters=WARM),
            "ExponentialLR": lambda o: torch.ExponentialLR(o, 0.9),
            "PolynomialLR": lambda o: torch.PolynomialLR(o, N),
            "CosineAnnealingLR": lambda o: torch.CosineAnnealingLR(o, N),
            "CosineAnnealingWarmRestarts": lambda o: torch.CosineAnnealingWarmRestarts(o, WARM),
            "StepLR": lambda o: torch.StepLR(o, WARM),
            "MultiStepLR": lambda o: torch.MultiStepLR(o, [10, 30]),
            "OneCycleLR": lambda o: torch.OneCycleLR(o, 0.1, N),
            "CyclicLR": lambda o: torch.CyclicLR(o, 0.01, 0.1, 5),
            "LambdaLR": lambda o: torch.LambdaLR(o, _linear),
            "SequentialLR": lambda o: torch.SequentialLR(o, [warm(o), torch.CosineAnnealingLR(o, N - WARM)], [WARM]),
            "ChainedScheduler": lambda o: torch.ChainedScheduler([warm(o), torch.ExponentialLR(o, 0.9)]),
        },
    )


def _linear(t: int) -> float:
    return max(0.0, 1 - t / N)


def of_transformers() -> Iterator[Suspect]:
    from transformers.optimization import get_scheduler

    special = {
        "cosine_with_min_lr": {"min_lr_rate": 0.1},
        "cosine_warmup_with_min_lr": {"min_lr_rate": 0.1},
        "warmup_stable_decay": {"num_decay_steps": WARM},
    }
    names = ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant_with_warmup", "inverse_sqrt", *special)

    def make(name: str) -> Callable[[Any], Any]:
        return lambda optimizer: get_scheduler(name, optimizer, WARM, N, scheduler_specific_kwargs=special.get(name))

    yield from _objects("transformers", {name: make(name) for name in names})


def of_timm() -> Iterator[Suspect]:
    from benchmarks.parity.timm_alone import scheduler as timm

    def step(scheduler: Any, t: int) -> None:
        scheduler.step_update(t + 1)

    warm = {"warmup_t": WARM, "warmup_lr_init": 0.01, "t_in_epochs": False}
    yield from _objects(
        "timm",
        {
            "CosineLRScheduler": lambda o: timm.CosineLRScheduler(o, N - WARM, warmup_prefix=True, **warm),
            "PolyLRScheduler": lambda o: timm.PolyLRScheduler(o, N - WARM, warmup_prefix=True, **warm),
            "TanhLRScheduler": lambda o: timm.TanhLRScheduler(o, N - WARM, warmup_prefix=True, **warm),
            "StepLRScheduler": lambda o: timm.StepLRScheduler(o, WARM, 0.5, **warm),
        },
        step=step,
    )


def of_pytorch_warmup() -> Iterator[Suspect]:
    import pytorch_warmup
    from torch.optim.lr_scheduler import CosineAnnealingLR

    class Both:
        """The warmup and what it dampens, as one object, in the way that its documentation shows."""

        def __init__(self, optimizer: Any) -> None:
            self.scheduler = CosineAnnealingLR(optimizer, N)
            self.warmup = pytorch_warmup.LinearWarmup(optimizer, WARM)

        def step(self) -> None:
            with self.warmup.dampening():
                self.scheduler.step()

        def state_dict(self) -> dict[str, Any]:
            return {"scheduler": self.scheduler.state_dict(), "warmup": self.warmup.state_dict()}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.scheduler.load_state_dict(state["scheduler"])
            self.warmup.load_state_dict(state["warmup"])

    yield from _objects("pytorch_warmup", {"LinearWarmup of CosineAnnealingLR": Both})


def of_optax() -> Iterator[Suspect]:
    import optax

    yield from _functions(
        "optax",
        {
            "warmup_cosine_decay_schedule": optax.warmup_cosine_decay_schedule(0.0, 0.1, WARM, N),
            "linear_onecycle_schedule": optax.linear_onecycle_schedule(N, 0.1),
            "exponential_decay": optax.exponential_decay(0.1, 10, 0.5),
            "sgdr_schedule": optax.sgdr_schedule(
                [{"init_value": 0.0, "peak_value": 0.1, "decay_steps": 20, "warmup_steps": 5}] * 2
            ),
        },
    )


def of_keras() -> Iterator[Suspect]:
    from keras.optimizers import schedules as keras

    yield from _functions(
        "keras",
        {
            "CosineDecay": keras.CosineDecay(0.01, N - WARM, warmup_target=0.1, warmup_steps=WARM),
            "ExponentialDecay": keras.ExponentialDecay(0.1, 10, 0.5),
            "PolynomialDecay": keras.PolynomialDecay(0.1, N),
        },
    )


LIBRARIES = {
    "preheat": of_preheat,
    "torch": of_torch,
    "transformers": of_transformers,
    "timm": of_timm,
    "pytorch_warmup": of_pytorch_warmup,
    "optax": of_optax,
    "keras": of_keras,
}


def rows() -> Iterator[tuple[str, str, tuple[Broken, ...]]]:
    """Each scheduler of the libraries that are installed: the library with its version, its name, the laws that it breaks."""
    for library, suspects in LIBRARIES.items():
        try:
            found = list(suspects())
        except ImportError:
            continue
        yield from ((f"{library} {_version(library)}", suspect.name, suspect.run()) for suspect in found)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "as it is here"


def page() -> str:
    """The table, in Markdown."""
    lines = ["| library | scheduler | laws that it breaks, and how that shows |", "|---|---|---|"]
    for library, name, broken in rows():
        told = "<br>".join(f"*{one.law}*: {one.shown}" for one in broken) or "none"
        lines.append(f"| {library} | {name} | {told} |")
    laws = [f"* *{law}*: {text}" for law, text in LAWS.items()]
    return "\n".join([*laws, "", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity.conformance", description=__doc__)
    parser.add_argument("--write", type=Path, help="a page with a part between the marks of this command")
    options = parser.parse_args()
    if options.write:
        rewritten(options.write, "conformance", page())
    else:
        print(page())


if __name__ == "__main__":
    main()
