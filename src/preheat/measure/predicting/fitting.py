"""Laws fitted to runs: every exponent of a grid, and for each the linear parts exactly, none below 0 (variable projection)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preheat.measure.predicting.blocks import Blocks, Floats
from preheat.measure.predicting.laws import ALPHAS, Law, Scale

PASSES = 4  # of reweighting: losses that stand out count less (Huber)
_HUBER = 1.345  # standard deviations from which on they do; 95 % efficient on normal noise


@dataclass(frozen=True, eq=False)
class Columns:
    """What a law is linear in, at some times of some runs: S^−α (alphas, times) and f (exponents, times)."""

    powers: Floats
    features: Floats

    @classmethod
    def of(cls, law: Law, rates: Floats, times: Floats, scale: Scale) -> Columns:
        """The columns of one run with these rates."""
        blocks = Blocks.of(rates / scale.rate)
        area = np.maximum(blocks.area(times) / scale.area, 1e-12)
        return cls(area ** -ALPHAS[:, None], law.features(blocks, times, scale))

    @classmethod
    def joined(cls, parts: Sequence[Columns]) -> Columns:
        """Those of several runs, one after another."""
        powers, features = ([getattr(one, name) for one in parts] for name in ("powers", "features"))
        return cls(np.concatenate(powers, axis=1), np.concatenate(features, axis=1))

    def at(self, chosen: NDArray[np.bool_]) -> Columns:
        """Those of some of the times."""
        return Columns(self.powers[:, chosen], self.features[:, chosen])


@dataclass(frozen=True, eq=False)
class Fit:
    """A law fitted to sets of losses, which are the last axis. parts: (L₀, A, B).   alpha, exponent: places on the grids."""

    parts: Floats
    alpha: NDArray[np.intp]
    exponent: NDArray[np.intp]
    weights: Floats

    def losses(self, columns: Columns) -> Floats:
        """What the law says at the times of `columns`: (sets, times)."""
        level, power, decay = (part[:, None] for part in self.parts)
        return level + power * columns.powers[self.alpha] + decay * columns.features[self.exponent]


def fitted(columns: Columns, losses: Floats) -> Fit:
    """The law that is nearest to the losses, relative to their size and robustly."""
    fit = searched(columns, losses[:, None], 1 / losses**2)
    for _ in range(PASSES - 1):
        off = np.abs(fit.losses(columns)[0] / losses - 1)
        beyond = _HUBER * 1.4826 * np.median(off)
        robust = np.where(off <= max(beyond, 1e-9), 1.0, max(beyond, 1e-9) / np.maximum(off, 1e-300))
        fit = searched(columns, losses[:, None], robust / losses**2)
    return fit


def resampled(columns: Columns, fit: Fit, losses: Floats, lengths: Sequence[int], *, seed: int, times: int) -> Fit:
    """The law fitted to `times` sets of losses: what it says, with its errors drawn anew in blocks, run by run."""
    random = np.random.default_rng(seed)
    said = fit.losses(columns)[0]
    errors, drawn, first = losses / said - 1, [], 0
    for length in lengths:
        drawn.append(_shuffled(errors[first : first + length], random, times))
        first += length
    lost = np.sqrt(
        len(losses) / max(1, len(losses) - 5)
    )  # a fit has about five degrees of freedom, its errors are smaller
    return searched(columns, said[:, None] * (1 + lost * np.concatenate(drawn)), fit.weights)


def _shuffled(errors: Floats, random: np.random.Generator, times: int) -> Floats:
    """The errors in blocks from anywhere, in a ring: (errors, times). Where neighbours are not alike a block is one error: a
    fit follows the slow part of its errors, so that what is left of independent ones has smaller sums than they had.
    """
    size, centred = len(errors), errors - errors.mean()
    alike = (centred[1:] @ centred[:-1]) / max(centred @ centred, 1e-300)
    block = round(1.5 * size ** (1 / 3)) if alike > 2 / np.sqrt(size) else 1
    starts = random.integers(size, size=(-(-size // block), times))
    places = (starts[:, None, :] + np.arange(block)[None, :, None]) % size
    return errors[places.reshape(-1, times)[:size]]


def searched(columns: Columns, losses: Floats, weights: Floats) -> Fit:
    """The best grid point and linear parts of every set of losses (times, sets), by weighted least squares."""
    with_level = _best(columns, losses, weights, level=True)
    without = _best(columns, losses, weights, level=False)
    better = without[0] < with_level[0]
    parts = np.where(better, without[1], with_level[1])
    place = np.where(better, without[2], with_level[2])
    alpha, exponent = np.unravel_index(place, (len(columns.powers), len(columns.features)))
    return Fit(parts, alpha, exponent, weights)


def _best(columns: Columns, losses: Floats, weights: Floats, *, level: bool) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """The least error, its parts and its place on the grid, by set; L₀ is free, and refused below 0, or it is 0.

    With a level every column stands around its mean, so that columns which hardly move lose no digits. A and B are those of
    the one of four cases (both, either, none above 0) with the least error that breaks no bound.
    """
    share = weights / weights.sum()
    means = [one @ share if level else np.zeros(one.shape[:-1]) for one in (columns.powers, columns.features, losses.T)]
    p, f = columns.powers - means[0][:, None], columns.features - means[1][:, None]
    y = losses - means[2]
    pp, ff, pf = (p**2 @ weights)[:, None, None], (f**2 @ weights)[None, :, None], ((p * weights) @ f.T)[:, :, None]
    py, fy = ((p * weights) @ y)[:, None, :], ((f * weights) @ y)[None, :, :]
    yy = weights @ y**2
    nothing, shape = np.zeros((1, 1, 1)), np.broadcast_shapes(pf.shape, py.shape, fy.shape)
    determinant = pp * ff - pf**2
    both = determinant > 1e-13 * pp * ff
    safe = np.where(both, determinant, 1.0)
    cases = [
        (np.where(both, (py * ff - fy * pf) / safe, -1.0), np.where(both, (fy * pp - py * pf) / safe, -1.0)),
        (py / np.maximum(pp, 1e-300), nothing),
        (nothing, fy / np.maximum(ff, 1e-300)),
        (nothing, nothing),
    ]
    least, chosen = np.full(shape, np.inf), (np.zeros(shape), np.zeros(shape))
    for a, b in cases:
        error = yy - 2 * (a * py + b * fy) + a**2 * pp + b**2 * ff + 2 * a * b * pf
        base = means[2] - a * means[0][:, None, None] - b * means[1][None, :, None] if level else nothing
        error = np.where((a >= 0) & (b >= 0) & (base >= 0), error, np.inf)
        better = error < least
        least = np.where(better, error, least)
        chosen = tuple(np.where(better, new, old) for new, old in zip((a, b), chosen, strict=True))
    flat = least.reshape(-1, losses.shape[1])
    place = flat.argmin(axis=0)
    every = np.arange(losses.shape[1])
    a, b = (one.reshape(flat.shape)[place, every] for one in chosen)
    at_p, at_f = np.unravel_index(place, shape[:2])
    base = means[2] - a * means[0][at_p] - b * means[1][at_f] if level else np.zeros_like(a)
    return flat[place, every], np.array([base, a, b]), place
