"""The one training loop: every arm of a comparison goes through `train`, and differs in the schedule alone."""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  torch's own name for it

import preheat
from preheat.core.checks import counted
from preheat.lab.tasks import load
from preheat.lab.tasks.options import TrainingOptions
from preheat.torch import Scheduler

MARGIN = 0.01
"""A validation loss above (1 − MARGIN) × chance is at chance level: a run that learned nothing ends a little to either
side of the best constant predictor, and a run that learned anything is further below it than that."""

Log = Callable[..., None]
"""Called as `log(step, loss=…, lr=…, grad_norm=…)`, once per update."""


class Task(Protocol):
    """What the loop asks of a task; `fingerprint` names its data."""

    fingerprint: str

    def model(self) -> nn.Module:
        """A new model, initialised from torch's global generator."""
        ...

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless (inputs, targets) of the training part; the same for the same seed."""
        ...

    def validation(self) -> tuple[Tensor, Tensor]:
        """The (inputs, targets) that are never trained on: always the same."""
        ...

    def chance_loss(self) -> float:
        """Validation loss of the best predictor that does not look at its input, fitted on the training part."""
        ...


def train(options: TrainingOptions, schedule: preheat.Schedule, seed: int, log: Log, *, steps: int) -> dict[str, Any]:
    """Train once and evaluate on the held-out data.

    `schedule` is in factors of `options.peak`. `seed` alone fixes the initial weights and the order of the data: two
    schedules with the same seed see the same batches. `log(step, loss=…, lr=…, grad_norm=…)` is called once per update.
    Training stops at the first loss that is not finite; that is a result and not an error.

    Returns a dict that JSON can hold: val_loss (None where not finite), val_accuracy, chance_loss, diverged, reason,
    steps (updates applied), parameters, data (the fingerprint of the data).
    """
    task = load(options)
    model, optimizer, batches = begun(task, options, seed)
    scheduler = Scheduler(optimizer, schedule, run=preheat.Run(total=steps))
    done, finite = fit(model, islice(batches, steps), scheduler, log)
    chance = task.chance_loss()
    loss, accuracy = evaluate(model, *task.validation()) if finite else (math.nan, math.nan)
    reason = divergence(loss, chance) if finite else f"non-finite loss at step {done}"
    return {
        "val_loss": loss if math.isfinite(loss) else None,
        "val_accuracy": accuracy if math.isfinite(loss) else None,
        "chance_loss": chance,
        "diverged": bool(reason),
        "reason": reason,
        "steps": done,
        "parameters": sum(p.numel() for p in model.parameters()),
        "data": task.fingerprint,
    }


def begun(
    task: Task, options: TrainingOptions, seed: int
) -> tuple[nn.Module, torch.optim.Optimizer, Iterator[tuple[Tensor, Tensor]]]:
    """A model, its optimizer at the peak rate, and endless batches: `seed` alone fixes the weights and the order."""
    counted(seed, "a seed must be a whole number of at least 0")
    initial, order = (int(state) for state in np.random.SeedSequence(seed).generate_state(2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(initial)
        model = task.model()
    return model, build_optimizer(options, model.parameters()), task.batches(order)


def fit(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], scheduler: Scheduler, log: Log) -> tuple[int, bool]:
    """One update per batch until a loss is not finite: (updates applied, whether all losses were finite)."""
    done = 0
    for inputs, targets in batches:
        rate = float(scheduler.get_last_lr()[0])
        loss = cross_entropy(model(inputs), targets)
        value = loss.item()
        if not math.isfinite(value):
            log(done, loss=value, lr=rate)
            return done, False
        scheduler.optimizer.zero_grad()
        loss.backward()
        log(done, loss=value, lr=rate, grad_norm=_grad_norm(model))
        scheduler.optimizer.step()
        scheduler.step()
        done += 1
    return done, True


def divergence(loss: float, chance: float) -> str:
    """Why a finished run counts as diverged; empty where it does not."""
    if not math.isfinite(loss):
        return "non-finite validation loss"
    if loss >= (1 - MARGIN) * chance:
        return f"validation loss {loss:.3g} is at or above chance {chance:.3g}"
    return ""


def build_optimizer(options: TrainingOptions, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer that `options` name, at the peak rate."""
    common: dict[str, Any] = {"lr": options.peak, "weight_decay": options.weight_decay}
    betas = (options.beta1, options.beta2)
    match options.optimizer:  # fused: a step of these small models costs half as much; rmsprop has no fused form
        case "adam":
            return torch.optim.Adam(parameters, betas=betas, fused=True, **common)
        case "adamw":
            return torch.optim.AdamW(parameters, betas=betas, fused=True, **common)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, alpha=options.beta2, foreach=True, **common)
        case _:
            return torch.optim.SGD(parameters, momentum=options.momentum, fused=True, **common)


def _grad_norm(model: nn.Module) -> float:
    """The Euclidean norm of the whole gradient."""
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm().item()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean negative log-likelihood in nats, over examples and positions."""
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy."""
    logits = model.eval()(inputs)
    return cross_entropy(logits, targets).item(), (logits.argmax(-1) == targets).double().mean().item()
