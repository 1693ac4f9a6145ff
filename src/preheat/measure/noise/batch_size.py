"""The batch size beyond which more examples in a batch save few updates, measured in two ways."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import ASGD, SGD, Optimizer

from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError
from preheat.measure.evidence import Evidence
from preheat.measure.noise.scale import (
    NoiseScale,
    check_drawn,
    in_draws,
    norms_of_draw,
    refuse_few,
    size_of,
    squared_norm,
)
from preheat.measure.noise.two_batch import TwoBatch
from preheat.measure.training import Line, Probe, Training
from preheat.plots.panel import Curves, Series

_PROBES = 2  # batches of a draw on which the loss is computed, none of them part of a gradient
_STEP = 0.01  # of the loss: what the first step tried would take off, were the loss a plane
_ALIKE = 2.0  # the factor up to which the two ways are said to agree


@dataclass(frozen=True, repr=False)
class CriticalBatch(Evidence):
    """The critical batch size, in examples, as the best step says and as the gradient noise scale says.

    direct: tr(HΣ)/(GᵀHG), from the best steps along gradients of several batch sizes; None where GᵀHG cannot be told from
    0 or is negative.   low, high: its 95 % interval.   simple: the noise scale tr Σ/|G|² of the same draws.
    sizes, inverse_steps: batch sizes, and 1/ε_opt at each as a multiple of that at the largest; NaN where that is negative.
    optimizer: its name.   adaptive: whether it rescales the gradient, so that it does not step along it.
    """

    direct: float | None
    low: float
    high: float
    simple: NoiseScale
    sizes: tuple[int, ...]
    inverse_steps: tuple[float, ...]
    optimizer: str
    adaptive: bool

    @property
    def value(self) -> float | None:
        """The direct measurement, else the noise scale; None where neither is known."""
        return self.simple.value if self.direct is None else self.direct

    @property
    def disagreement(self) -> float | None:
        """The factor between the two ways, at least 1; None where one is not known."""
        if not self.direct or not self.simple.value:
            return None
        return max(self.direct / self.simple.value, self.simple.value / self.direct)

    def costs(self, batch: float) -> tuple[float, float]:
        """What a run with this batch size needs: updates ÷ the fewest, 1 + B_c/B, and examples ÷ the fewest, 1 + B/B_c.

        Raises PreheatError for a batch size that is not above 0, and where the critical one is not known.
        """
        positive_number(batch, "a batch size")
        if not self.value:
            raise PreheatError("the critical batch size is not known", write="measure it with more draws")
        return 1.0 + self.value / batch, 1.0 + batch / self.value

    @property
    def sentence(self) -> str:
        if self.direct is None:
            more = f"{self.low:.3g} examples or more" if self.low > 0 else "not known"
            direct = f"is {more} by the best steps: the loss curves too little along the gradient to tell"
        else:
            direct = (
                f"is {self.direct:.3g} examples by the best steps (95 % interval {self.low:.3g} to {self.high:.3g})"
            )
        told = [f"The critical batch size {direct}, by the gradient noise scale {self.simple.words}."]
        if (apart := self.disagreement) is not None:
            told.append(
                f"They disagree by a factor of {apart:.2g}: curvature differs among directions, and neither is more than an "
                "order of magnitude."
                if apart > _ALIKE
                else "They agree within a factor of 2."
            )
        if self.value:
            told.append(
                "With it a run needs twice the fewest updates and twice the fewest examples; with 4 × it 1.25 and 5 ×."
            )
        if self.adaptive:
            told.append(
                f"{self.optimizer} rescales the gradient, so that its step is another; for updates like the gradient's sign "
                "the best rate is highest at the batch size B_noise and falls beyond it (Li et al. 2024)."
            )
        told.append(
            "Good for: an order of magnitude, with these weights. Not good for: the rest of the run, in which it grows; the "
            "choice of a batch size without trying it, for which Merrill et al. 2025 found the noise scale unreliable."
        )
        return " ".join(told)

    def panel(self) -> Curves:
        xs = [1.0 / size for size in self.sizes]
        series = [Series("measured", xs, self.inverse_steps, style=0, dots=True)]
        for name, noise, style in (("best steps", self.direct, 1), ("noise scale", self.simple.value, 2)):
            if noise is not None:
                ys = [(1.0 + noise * x) / (1.0 + noise / self.sizes[-1]) for x in xs]
                series.append(Series(f"{name}: {noise:.3g} examples", xs, ys, style=style))
        return Curves(
            title="1/best step along gradients of batches",
            x_label="1/batch size",
            y_label="÷ that of the largest",
            caption=self.sentence,
            series=series,
        )


def critical_batch(
    model: nn.Module,
    optimizer: Optimizer,
    loss: Callable[[Any], Tensor],
    batches: Iterable[Any],
    *,
    micro_batches: int = 8,
    draws: int = 16,
    batch_size: int | None = None,
    scaler: Any = None,
) -> CriticalBatch:
    """The batch size from which on larger batches save few updates, in two ways, with their disagreement.

        E L(θ − ε g_B) = L − ε|G|² + ½ε²(GᵀHG + tr(HΣ)/B), so ε_opt(B) = ε_max/(1 + B_noise/B), B_noise = tr(HΣ)/(GᵀHG)

    The curvature along gradients of 1, 2, 4, … micro-batches is measured by the loss on other batches, a step ahead and a step
    back, and means are taken before the ratio; beside it stands tr Σ/|G|², which it is where H is a multiple of the identity.
    The updates S and examples E that a run needs follow as (S/S_min − 1)(E/E_min − 1) = 1.

    Arguments and batches as in `noise_scale`; a draw takes 2 batches more, on which the loss is computed. All is put back.
    Raises PreheatError as that does, for weights in half precision, and where the gradient is 0 or the loss not finite.
    McCandlish et al. 2018, arXiv:1812.06162; Li et al. 2024, arXiv:2405.14578; Merrill et al. 2025, arXiv:2505.23971.
    """
    training = Training(model, optimizer, loss, batches, scaler)
    check_drawn(model, micro_batches, draws)
    with training.undrawn(), training.opened() as probe:
        measured = _Curvatures(probe, micro_batches)
        for drawn in in_draws(training.batches, micro_batches + _PROBES, draws):
            measured.add(drawn, [size_of(one, batch_size) for one in drawn])
    refuse_few(len(measured.rows), micro_batches + _PROBES)
    return measured.found(training.optimizer)


class _Curvatures:
    """gᵀHg along gradients of growing batches, draw by draw."""

    def __init__(self, probe: Probe, micro_batches: int) -> None:
        self.probe = probe
        self.counts = sorted({micro_batches, *(2**power for power in range(micro_batches.bit_length()))})
        self.counts = [count for count in self.counts if count <= micro_batches]
        self.origin = [one.detach().clone() for one in probe.parameters]
        if any(one.dtype in (torch.float16, torch.bfloat16) for one in self.origin):
            raise PreheatError(
                "weights in half precision cannot be moved by so little", write="measure them in float32"
            )
        self.length = 0.0  # how far the weights are moved, the same in all draws
        self.curved, self.noise = TwoBatch(), TwoBatch()
        self.rows: list[tuple[float, float]] = []
        self.curves: list[list[float]] = []
        self.sizes: list[list[int]] = []
        self.drawn: list[Sequence[int]] = []  # examples of the micro-batches of each draw

    def add(self, drawn: Sequence[Any], sizes: Sequence[int]) -> None:
        """Measure one draw."""
        n = self.counts[-1]
        lone: list[float] = []  # along the gradient of each micro-batch
        curves: list[float] = []
        so_far = [sum(sizes[:count]) for count in range(n + 1)]

        def seen(count: int, sums: list[Tensor]) -> None:
            lone.append(self._along(self._gradient(), drawn[n:]))
            if count in self.counts[1:]:
                share = so_far[n] / so_far[count]
                curves.append(self._along([one * share for one in sums], drawn[n:]))

        self.length = self.length or self._first_length(drawn)
        self.drawn.append(sizes[:n])
        norms = norms_of_draw(self.probe, drawn[:n], sizes[:n], seen)
        self.rows.append(self.noise.add(*norms))
        small = math.fsum(lone) / n
        self.curved.add(small, curves[-1], *norms[2:])
        self.curves.append([small, *curves])
        self.sizes.append([round(norms[2]), *(so_far[count] for count in self.counts[1:])])

    def found(self, optimizer: Optimizer) -> CriticalBatch:
        """What all draws say together."""
        draws = len(self.rows)
        means = [math.fsum(column) / draws for column in zip(*self.curves, strict=True)]
        simple = NoiseScale.of(self.noise, self.rows, self.drawn)
        return CriticalBatch(
            self.curved.value,
            *self.curved.interval(),
            simple=simple,
            sizes=tuple(round(fmean(column)) for column in zip(*self.sizes, strict=True)),
            inverse_steps=tuple(mean / means[-1] if means[-1] > 0 else math.nan for mean in means),
            optimizer=type(optimizer).__name__,
            adaptive=not isinstance(optimizer, SGD | ASGD),
        )

    def _first_length(self, drawn: Sequence[Any]) -> float:
        """A length over which the loss is nearly a parabola: at most half the best step."""
        gradient_of, loss_of = drawn[: self.counts[-1]], drawn[self.counts[-1] :]
        loss = self.probe.gradient(gradient_of)
        gradient = [
            torch.zeros_like(one) if one.grad is None else one.grad.detach().clone() for one in self.probe.parameters
        ]
        squared = squared_norm(gradient).item()
        if not squared > 0 or loss == 0:
            raise PreheatError("the loss or its gradient is 0, so there is no step to measure", given=loss)
        rate = _STEP * abs(loss) / squared
        self.length = rate * math.sqrt(squared)
        curvature = self._along(gradient, loss_of)
        if curvature > 0:
            rate = min(rate, squared / curvature / 2)
        return rate * math.sqrt(squared)

    def _gradient(self) -> list[Tensor]:
        """The gradient that is there, for every parameter."""
        return [torch.zeros_like(one) if one.grad is None else one.grad.detach() for one in self.probe.parameters]

    def _along(self, direction: list[Tensor], batches: Sequence[Any]) -> float:
        """dᵀHd from the losses a step ahead and a step back."""
        rate = self.length / math.sqrt(squared_norm(direction).item())
        line = Line(self.probe.parameters, self.origin, direction, 0.0, 0.0)
        total = 0.0
        for step, weight in ((rate, 1.0), (-rate, 1.0), (0.0, -2.0)):
            line.move(step)
            total += weight * math.fsum(self.probe.loss(one) for one in batches)
        if not math.isfinite(total):
            raise PreheatError("the loss is not finite a small step away", write="measure before it diverges")
        return total / len(batches) / rate**2
