"""The features of the laws are the sums that their formulas say, update by update, for whatever rates."""

import numpy as np
import pytest

import preheat as ph
from preheat.measure.predicting.blocks import Blocks
from preheat.measure.predicting.laws import CONTROL, LAWS, Annealing, Convex, Forgetting, MultiPower, Scale, digamma

TOTAL = 300
SCALE = Scale(1.0, 200.0, TOTAL)
SCHEDULES = {
    "staircase": "steps([1, 0.4, 0.1], [150, 100, 50])",
    "a rise": "steps([0.5, 0.2, 1, 0.3, 0.6], [60, 60, 60, 60, 60])",
    "hold and decay": "warmup(20) >> hold() >> decay(100)",
    "cosine": "warmup(20) >> decay(shape=cosine)",
    "cosine to a tenth": "decay(to=0.1, shape=cosine)",
}
EXACT = ("staircase", "a rise")  # constant stretches: no rate is averaged


def rates_of(name: str) -> np.ndarray:
    return np.asarray(ph.relative(ph.parse(SCHEDULES[name])).bind(ph.Run(total=TOTAL)).table(TOTAL))


def by_hand(law, rates: np.ndarray, t: int) -> list[float]:
    """Every feature after t updates, as its formula is written."""
    eta, exponents = rates[:t], law.exponents(SCALE)
    since = np.array([eta[k:].sum() for k in range(t)])
    falls = np.concatenate([[0.0], -np.diff(eta)])
    falls[: int(np.argmax(rates >= rates.max())) + 1] = 0.0
    if isinstance(law, Annealing):
        found = []
        for (decay,) in exponents:
            m = total = 0.0
            for fall in falls:
                m = decay * m + fall
                total += m
            found.append(-total / SCALE.updates)
        return found
    if isinstance(law, MultiPower):
        drops, rest = np.maximum(falls, 0), np.maximum(eta, 1e-9)
        return [-(drops * (1 - (1 + c * since / SCALE.area / rest**g) ** -b)).sum() for b, g, c in exponents]
    if isinstance(law, Forgetting):
        fine = (np.arange(200) + 0.5) / 200  # the integral, each update in 200 pieces
        back = (since[:, None] - eta[:, None] * fine) / SCALE.area
        return [((1 + back / c) ** -nu * eta[:, None] ** 2).sum() / 200 / SCALE.area for nu, c in exponents]
    if isinstance(law, Convex):
        squares = np.array([(eta[k:] ** 2).sum() for k in range(t)])
        noise = squares[0] / (2 * since[0])
        noise += 0.5 * sum((1 / since[k + 1] - 1 / since[k]) * squares[k] for k in range(t - 1) if since[k + 1] > 0)
        return [noise**kappa for (kappa,) in exponents]
    return [0.0]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("law", [*LAWS, CONTROL], ids=lambda law: law.name)
def test_features_are_what_the_formula_says(law, name):
    rates = rates_of(name)
    times = np.array([30.0, 151.0, 260.0, 300.0])
    found = law.features(Blocks.of(rates), times, SCALE)
    expected = np.array([by_hand(law, rates, int(t)) for t in times]).T
    assert found.shape == expected.shape
    near = 1e-6 if name in EXACT and not isinstance(law, Forgetting) else 0.01
    largest = np.abs(expected).max(axis=1, keepdims=True)
    assert (np.abs(found - expected) <= near * largest + 1e-15).all()


@pytest.mark.parametrize("name", SCHEDULES)
def test_blocks_hold_every_update_and_the_area(name):
    rates = rates_of(name)
    blocks = Blocks.of(rates)
    assert blocks.counts.sum() == TOTAL
    assert blocks.area(np.array([300.0]))[0] == pytest.approx(rates.sum(), rel=1e-12)
    if name in EXACT:
        assert len(blocks.rates) == len(set(rates))


def test_a_long_run_has_few_blocks():
    million = np.asarray(ph.parse("warmup(1%) >> hold() >> decay(20%)").bind(ph.Run(total=1_000_000)).table(1_000_000))
    assert len(Blocks.of(million).rates) < 600


def test_digamma():
    import mpmath

    xs = np.array([1e-3, 0.5, 1.0, 3.7, 250.0, 1e7])
    assert digamma(xs) == pytest.approx([float(mpmath.digamma(x)) for x in xs], rel=1e-12)
