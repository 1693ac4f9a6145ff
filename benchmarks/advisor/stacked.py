"""Many trainings of one model at once: their weights stacked, one vectorised update for all.

Each run is what `preheat.lab.tasks.training.train` would have trained with the same seed, peak and schedule, to the rounding
of float32: the same initial weights, the same batches, the rates of the same schedule. A run that is not finite stays so.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

import preheat as ph
from preheat.core.errors import PreheatError
from preheat.lab.tasks.options import TrainingOptions
from preheat.lab.tasks.training import Task, cross_entropy

_EPS = 1e-8  # Adam's, torch's default
_PART = 64  # validation examples at once: the logits of all runs and examples would not fit into a small memory


@dataclass(frozen=True)
class Cell:
    """One run: its peak rate, its updates of warmup, its seed."""

    peak: float
    warmup: int
    seed: int


@dataclass(frozen=True)
class Outcome:
    """Validation loss (nan where a loss was not finite) and accuracy of a run."""

    loss: float
    accuracy: float


def schedule(warmup: int) -> ph.Schedule:
    """Linear warmup over so many updates, then a linear decay to 0 over the rest."""
    return ph.warmup(warmup) >> ph.decay() if warmup else ph.decay()


def train_cells(options: TrainingOptions, cells: Sequence[Cell], steps: int, device: str = "cpu") -> list[Outcome]:
    """Train all cells of the task that `options` describe at once, and evaluate each.

    Raises PreheatError where the options ask for an optimizer or a weight decay that is not written here.
    """
    task = options.load()
    weights = _Weights(task, [cell.seed for cell in cells], device)
    update = _optimizer(options, weights.flat)
    rates = torch.tensor(_rates(cells, steps), dtype=torch.float32, device=device)
    seeds, batches = _batches(task, cells, steps, device)
    gradient = vmap(grad_and_value(weights.loss))
    finite = torch.ones(len(cells), dtype=torch.bool, device=device)
    # The fused attention kernels have no rule for vmap; the plain one is made of matrix products, which have.
    with sdpa_kernel(SDPBackend.MATH):
        for step in range(steps):
            inputs, targets = (part[step][seeds] for part in batches)
            gradients, losses = gradient(weights.parts(), inputs, targets)
            finite &= losses.isfinite()
            update(weights.joined(gradients), rates[:, step, None], step + 1)
        return _evaluated(task, weights, finite, device)


class _Weights:
    """The weights of all runs as one matrix, a row for each run: an optimizer is then a few operations on it."""

    def __init__(self, task: Task, seeds: Sequence[int], device: str) -> None:
        models = {seed: _initial(task, seed) for seed in dict.fromkeys(seeds)}
        self.model = models[seeds[0]].to(device)
        if any(True for _ in self.model.buffers()):
            raise PreheatError("a model with buffers (running statistics) cannot be stacked here")
        self.shapes = {name: part.shape for name, part in self.model.named_parameters()}
        flat = {
            seed: torch.cat([part.detach().flatten() for part in model.parameters()]).to(device)
            for seed, model in models.items()
        }
        self.flat = torch.stack([flat[seed] for seed in seeds])

    def parts(self) -> dict[str, Tensor]:
        """The parameters by name, each with the runs as its first dimension: views of the matrix."""
        cuts = self.flat.split([shape.numel() for shape in self.shapes.values()], dim=1)
        return {
            name: cut.view(len(self.flat), *shape) for (name, shape), cut in zip(self.shapes.items(), cuts, strict=True)
        }

    def joined(self, parts: dict[str, Tensor]) -> Tensor:
        """Gradients by name as one matrix."""
        return torch.cat([parts[name].flatten(1) for name in self.shapes], dim=1)

    def loss(self, parts: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        """The training loss of one run."""
        return cross_entropy(functional_call(self.model, parts, (inputs,)), targets)

    def judged(self, parts: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The loss and the accuracy of one run."""
        logits = functional_call(self.model, parts, (inputs,))
        return cross_entropy(logits, targets), (logits.argmax(-1) == targets).float().mean()


def _initial(task: Task, seed: int) -> torch.nn.Module:
    """The weights that `train` starts from with this seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_states(seed)[0])
        return task.model()


def _states(seed: int) -> list[int]:
    """What `train` seeds the weights and the order of the data with."""
    return [int(state) for state in np.random.SeedSequence(seed).generate_state(2)]


def _batches(task: Task, cells: Sequence[Cell], steps: int, device: str) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The row of each cell's seed, and (inputs, targets) as (step, seed, …): read once, and moved at once."""
    rows = {seed: row for row, seed in enumerate(dict.fromkeys(cell.seed for cell in cells))}
    drawn = [list(islice(task.batches(_states(seed)[1]), steps)) for seed in rows]
    parts = [torch.stack([torch.stack([batch[i] for batch in run]) for run in drawn], dim=1) for i in (0, 1)]
    return torch.tensor([rows[cell.seed] for cell in cells], device=device), (parts[0].to(device), parts[1].to(device))


def _rates(cells: Sequence[Cell], steps: int) -> np.ndarray:
    """The rate of each cell at each update."""
    tables = {
        warmup: schedule(warmup).bind(ph.Run(total=steps)).table(steps) for warmup in {cell.warmup for cell in cells}
    }
    return np.stack([cell.peak * tables[cell.warmup] for cell in cells])


def _optimizer(options: TrainingOptions, flat: Tensor) -> Callable[[Tensor, Tensor, int], None]:
    """`update(gradients, rates, count)` of torch's SGD with momentum, or Adam, on the matrix of all runs."""
    if options.weight_decay or options.optimizer not in ("sgd", "adam"):
        raise PreheatError(
            "the stacked optimizers are sgd and adam without weight decay",
            given=f"{options.optimizer} with {options.weight_decay}",
        )
    mean, square = torch.zeros_like(flat), torch.zeros_like(flat)

    def sgd(gradients: Tensor, rates: Tensor, _count: int) -> None:
        mean.mul_(options.momentum).add_(gradients)
        flat.sub_(rates * mean)

    def adam(gradients: Tensor, rates: Tensor, count: int) -> None:
        mean.lerp_(gradients, 1 - options.beta1)
        square.mul_(options.beta2).addcmul_(gradients, gradients, value=1 - options.beta2)
        below = square.sqrt().div_(math.sqrt(1 - options.beta2**count)).add_(_EPS)
        flat.sub_(rates / (1 - options.beta1**count) * mean / below)

    return sgd if options.optimizer == "sgd" else adam


@torch.no_grad()
def _evaluated(task: Task, weights: _Weights, finite: Tensor, device: str) -> list[Outcome]:
    """Each run on the held-out data, in parts of equal weight for each example."""
    inputs, targets = (part.to(device) for part in task.validation())
    judge = vmap(weights.judged, in_dims=(0, None, None))
    loss = accuracy = torch.zeros((), device=device)
    for start in range(0, len(inputs), _PART):
        part = slice(start, start + _PART)
        share = len(inputs[part]) / len(inputs)
        losses, hits = judge(weights.parts(), inputs[part], targets[part])
        loss, accuracy = loss + share * losses, accuracy + share * hits
    loss = torch.where(finite, loss, math.nan)
    return [Outcome(*pair) for pair in zip(loss.tolist(), accuracy.tolist(), strict=True)]
