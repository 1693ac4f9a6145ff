"""Laws of loss curves: how the loss after t updates depends on all the rates until then.

Each is L(t) = L₀ + A · S(t)^−α + B · f(t), with S = Σ η and L₀, A, B ≥ 0; what differs is f, which has exponents of its own.
Rates are in units of the largest that was seen, and S in units of the longest run's, so that exponents have one range for
every model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import product

import numpy as np

from preheat.measure.predicting.blocks import Blocks, Floats

ALPHAS = np.round(np.arange(0.1, 1.21, 0.02), 2)
"""The exponents α that are tried."""

_EULER = 0.5772156649015329
_LONG = 10_000  # updates from which on the published λ of the annealing law holds


@dataclass(frozen=True)
class Scale:
    """What rates are in units of, and then their sums. updates: of the longest run."""

    rate: float
    area: float
    updates: int


class Law(ABC):
    """One law. `feature` is f for each of `exponents(scale)`."""

    name: str
    source: str

    @abstractmethod
    def exponents(self, scale: Scale) -> list[tuple[float, ...]]:
        """The exponents of f that are tried."""

    @abstractmethod
    def features(self, blocks: Blocks, times: Floats, scale: Scale) -> Floats:
        """f at the times: an array (exponents, times). The rates of the blocks are in units of the scale's."""


class Power(Law):
    """f = 0: the loss depends on the area alone, and no decay helps. The control."""

    name, source = "no decay", "a power law of the area"

    def exponents(self, scale: Scale) -> list[tuple[float, ...]]:
        return [()]

    def features(self, blocks: Blocks, times: Floats, scale: Scale) -> Floats:
        return np.zeros((1, len(times)))


class Annealing(Law):
    """f = −Σᵢ mᵢ with mᵢ = λ mᵢ₋₁ + (ηᵢ₋₁ − ηᵢ): what the rate has fallen by, after a delay of 1/(1 − λ) updates."""

    name, source = "annealing", "Tissue et al. 2024, arXiv:2408.11029"

    def exponents(self, scale: Scale) -> list[tuple[float, ...]]:
        # λ is not known from one or two short decays of a long run: there it is the published one
        return (
            [(0.999,)]
            if scale.updates >= _LONG
            else [(v,) for v in (0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)]
        )

    def features(self, blocks: Blocks, times: Floats, scale: Scale) -> Floats:
        since, drops = np.maximum(times[:, None] - blocks.starts, 0.0), blocks.drops()
        rows = [((1 - decay**since) / (1 - decay)) @ drops for (decay,) in self.exponents(scale)]
        return -np.array(rows) / scale.updates


class MultiPower(Law):
    """f = −Σₖ (ηₖ₋₁ − ηₖ)₊ (1 − (1 + C ηₖ^−γ Sₖ(t))^−β): each fall of the rate pays off as a power law of the area since."""

    name, source = "multi-power", "Luo et al. 2025, arXiv:2503.12811"

    def exponents(self, scale: Scale) -> list[tuple[float, ...]]:
        return list(product((0.4, 0.6, 0.8), (0.4, 0.65, 0.9), (3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4)))

    def features(self, blocks: Blocks, times: Floats, scale: Scale) -> Floats:
        drops = np.maximum(blocks.drops(), 0.0)
        falls = drops > 0
        since = blocks.area_since(times)[:, falls] / scale.area
        rates = np.maximum(blocks.rates[falls], 1e-9)  # at rate 0 nothing is learned, and 0^−γ · 0 is no number
        rows = [
            (1 - (1 + c * since / rates**gamma) ** -beta) @ drops[falls] for beta, gamma, c in self.exponents(scale)
        ]
        return -np.array(rows)


class Forgetting(Law):
    """f = ∫ η(s) (1 + (S − s)/c)^−ν ds: each update leaves noise ∝ η², forgotten as a power law of the area since."""

    name, source = "forgetting", "Li et al. 2025, arXiv:2509.19189"

    def exponents(self, scale: Scale) -> list[tuple[float, ...]]:
        return list(product((0.5, 0.75, 1.25, 1.5, 2.0), (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)))

    def features(self, blocks: Blocks, times: Floats, scale: Scale) -> Floats:
        begun = blocks.area_since(times) / scale.area
        ended = np.maximum(begun - blocks.counts * blocks.rates / scale.area, 0.0)
        rows = []
        for nu, c in self.exponents(scale):
            kernel = c / (1 - nu) * ((1 + begun / c) ** (1 - nu) - (1 + ended / c) ** (1 - nu))  # ∫ over the block
            rows.append(kernel @ blocks.rates)
        return np.array(rows)


class Convex(Law):
    """f = N(t)^κ, the noise terms of the bound for the last iterate of SGD on a convex function, with gradients of norm 1.

    N = Σ η²/(2 Σ η) + ½ Σₖ (1/βₖ₊₁ − 1/βₖ) γₖ, with βₖ and γₖ the sums of η and η² from update k to the last.
    """

    name, source = "convex", "the bound of Schaipp et al. 2025, arXiv:2501.18965, as a law"

    def exponents(self, scale: Scale) -> list[tuple[float, ...]]:
        return [(0.5,), (0.75,), (1.0,), (1.25,)]

    def features(self, blocks: Blocks, times: Floats, scale: Scale) -> Floats:
        noise = convex_noise(blocks, times)
        return np.array([noise**kappa for (kappa,) in self.exponents(scale)])


CONTROL = Power()
LAWS: tuple[Law, ...] = (Annealing(), MultiPower(), Forgetting(), Convex())
"""The laws that predict; the control stands beside them."""


def convex_noise(blocks: Blocks, times: Floats) -> Floats:
    """N(t) of the law `Convex`; within a block of equal rates the sum over updates is one of the digamma function."""
    done, rates = blocks.done(times), blocks.rates
    areas, squares = done * rates, done * rates**2
    beta_a, gamma_a = (np.cumsum(one[:, ::-1], axis=1)[:, ::-1] for one in (areas, squares))
    beta_b = np.concatenate([beta_a[:, 1:], np.zeros((len(times), 1))], axis=1)
    gamma_b = np.concatenate([gamma_a[:, 1:], np.zeros((len(times), 1))], axis=1)
    moves = areas > 0
    inner, last = moves & (beta_b > 0), moves & (beta_b <= 0)
    terms, every = np.zeros_like(areas), np.broadcast_to(rates, areas.shape)
    eta, n, low, high = every[inner], done[inner], beta_b[inner], beta_a[inner]
    harmonic = digamma(low / eta + n) - digamma(low / eta)
    terms[inner] = gamma_b[inner] * (1 / low - 1 / high) + eta * (harmonic - n * eta / high)
    terms[last] = every[last] * np.maximum(digamma(done[last]) + _EULER, 0.0)  # its last update has none after it
    area = areas.sum(axis=1)
    return np.divide(squares.sum(axis=1), 2 * area, out=np.zeros_like(area), where=area > 0) + terms.sum(axis=1) / 2


def digamma(x: Floats) -> Floats:
    """ψ(x) for x > 0: the recurrence up to where the asymptotic series has 14 digits."""
    x, below = np.asarray(x, dtype=float), 0.0
    for place in range(8):
        below = below + 1 / (x + place)
    x = x + 8
    y = 1 / x**2
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132)))))
    return np.log(x) - 0.5 / x - series - below
