"""Every shape against 50-digit arithmetic, and monotone over a million steps."""

import itertools
import math
import random
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import preheat as ph

mpmath.mp.dps = 120  # 50 where nothing cancels: from 1e30 to 1e-30 takes 60
EXPONENTS = (0.01, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 10.0, 100.0)
NAMES = ("linear", "cosine", "sqrt", "square", "smooth", "mirror-cosine", "rex", "log")
SHAPES = [ph.ramp(0, 1, 1, shape).shape for shape in (*NAMES, *map(ph.power, EXPONENTS))]
SHAPES = list(dict.fromkeys([*SHAPES, *map(ph.reverse, SHAPES)]))
ENDS = [(0, 1), (1, 0), (1, 0.1), (1e-6, 3e-4), (3e-4, 1e-30), (1, 1 - 1e-9), (1e-30, 1e30), (-1, -0.25), (7.5, 7.5)]
RATIOS = [(1, 0.1), (1e-6, 3e-4), (1e-7, 1e-2), (1e-30, 1e30), (1e30, 1e-30), (1, 1 - 1e-9), (5, 5), (1e-12, 1)]
LENGTHS = (1, 3, 10, 997, 10**6, 2**33 + 1, 2.5, 123.456)


def weight(shape: ph.Shape, t: mpf, n: mpf) -> mpf:
    """w as `DESIGN.md` §3 writes it: of a composed shape outer's at inner's, run backwards 1 − w(n − t)."""
    if shape.inner is not None:
        t = n * weight(shape.inner, t, n)
    if shape.mirrored:
        return 1 - weight(ph.Shape(shape.name, shape.exponent), n - t, n)
    u = t / n
    if shape.exponent is not None:
        return u ** mpf(shape.exponent) if u else mpf(0)
    wave = mpmath.sin(mpmath.pi * u / 2) ** 2
    return {
        "linear": u,
        "cosine": wave,
        "sqrt": mpmath.sqrt(u),
        "square": u**2,
        "smooth": u**2 * (3 - 2 * u),
        "mirror-cosine": 2 * u - wave,
        "rex": u / (2 - u),
        "log": mpmath.log(1 + t) / mpmath.log(1 + n),
    }[shape.name]


def exact(s: ph.Schedule, t: float) -> mpf:
    a, b, n, t = mpf(s.start), mpf(s.end), mpf(s.length), mpf(t)
    if s.shape.name == "exponential":
        return a * (b / a) ** (t / n)
    if s.shape.mirrored and s.shape.inner is None:
        return b + (a - b) * weight(ph.reverse(s.shape), n - t, n)  # where 1 − w would need hundreds of digits
    return a + (b - a) * weight(s.shape, t, n)


def relative_error(found: float, truth: mpf) -> float:
    return float(abs(mpf(found) - truth) / max(abs(truth), mpf("1e-300")))  # below that, floats themselves lose digits


def times(n: float) -> list[float]:
    """The first and last ticks, and some between, on both sides of every seam."""
    pick = random.Random(0)
    some = [*range(4), *(math.ceil(n) - 1 - k for k in range(4)), *(pick.uniform(0, n) for _ in range(12))]
    some += [int(pick.uniform(0, n)) for _ in range(12)]
    return sorted({t for t in some if 0 <= t <= n})


def worst(s: ph.Schedule, whole: bool = False) -> float:
    return max(relative_error(s(t), exact(s, t)) for t in times(s.length) if not whole or t == int(t))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_shape_is_within_2e_15_of_50_digits_whatever_its_ends_and_length(shape: ph.Shape) -> None:
    most = 2e-15
    if shape.mirrored and shape.exponent == 100:
        most = 1.2e-14  # n − t is rounded where t is a fraction, and the power multiplies that by 100
    assert max(worst(ph.ramp(a, b, n, shape)) for (a, b), n in itertools.product(ENDS, LENGTHS)) <= most
    assert max(worst(ph.ramp(a, b, n, shape), whole=True) for (a, b), n in itertools.product(ENDS, LENGTHS)) <= 2e-15


def test_an_exponential_ramp_is_within_2e_15_of_50_digits_however_far_its_ends_are_apart() -> None:
    ramps = [ph.ramp(a, b, n, "exponential") for (a, b), n in itertools.product(RATIOS, LENGTHS)]
    assert max(map(worst, ramps)) <= 2e-15


COMPOSED = [
    ph.compose(outer, inner)
    for outer in ("cosine", "sqrt", "smooth", "rex", "log", ph.reverse("log"), ph.power(0.5), ph.power(1.5))
    for inner in ("cosine", "square", "rex", "log", ph.reverse("sqrt"), ph.power(0.5), ph.reverse(ph.power(3)))
]


@pytest.mark.parametrize("shape", COMPOSED, ids=str)
def test_a_composed_shape_is_within_2e_15_and_runs_backwards(shape: ph.Shape) -> None:
    for (a, b), n in itertools.product([(0, 1), (1, 0), (1, 0.1), (1e-6, 3e-4)], (3, 997, 10**6, 123.456)):
        s, back = ph.ramp(a, b, n, shape), ph.ramp(b, a, n, ph.reverse(shape))
        assert (s(0), s(n)) == (a, b)
        assert worst(s) <= 2e-15
        assert all(
            back(t) == pytest.approx(s(n - t), rel=1e-9, abs=1e-300) for t in times(n) if t == int(t) and n == int(n)
        )


@pytest.mark.parametrize("power", [0.01, 0.25, 0.75, 1, 2, 3, 10, 100])
def test_powers_of_inverse_time_are_as_exact_as_they_say(power: float) -> None:
    for tau, t in itertools.product([1, 10, 4000, 0.5, 1e9], [0, 1, 7, 100, 12345, 10**6]):
        truth = (mpf(tau) / (mpf(tau) + t)) ** mpf(power)
        assert relative_error(ph.invsqrt(tau, power=power)(t), truth) <= max(1e-15, power * 4e-16)


@pytest.mark.parametrize("tau", [1, 10, 4000, 0.5, 1e9])
def test_invsqrt_and_saturating_are_within_1e_15(tau: float) -> None:
    for t in times(10 * tau):
        assert relative_error(ph.invsqrt(tau)(t), mpmath.sqrt(mpf(tau) / (mpf(tau) + mpf(t)))) <= 1e-15
        assert relative_error(ph.saturating(tau)(t), -mpmath.expm1(-mpf(t) / mpf(tau))) <= 1e-15


def rho_above_4(beta2: float) -> Callable[[int], mpf]:
    beta = mpf(repr(beta2))
    return lambda k: 2 / (1 - beta) - 5 - 2 * k * beta**k / (1 - beta**k)


def rectified(beta2: float, t: int) -> mpf:
    excess = rho_above_4(beta2)
    first = next(k for k in itertools.count(1) if excess(k) > 0)
    rho, limit = excess(first + t) + 4, 2 / (1 - mpf(repr(beta2))) - 1
    return mpmath.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))


@pytest.mark.parametrize("beta2", [0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999, 0.999999])
def test_rectified_is_within_2e_15_for_every_beta_in_use(beta2: float) -> None:
    some = sorted({int(f / (1 - beta2)) + k for f in (0, 0.1, 1, 1.9, 2, 2.1, 10, 59, 60, 61, 1000) for k in range(8)})
    assert max(relative_error(ph.rectified(beta2)(t), rectified(beta2, t)) for t in some) <= 2e-15


@pytest.mark.parametrize("shape", [*SHAPES, ph.Shape("exponential")], ids=str)
def test_a_ramp_is_monotone_at_every_one_of_a_million_steps_and_exact_at_both_ends(shape: ph.Shape) -> None:
    n = 10**6
    for a, b in [(1e-3, 1.0), (1.0, 0.1), (1.0, 1 + 1e-9)]:
        values = ph.ramp(a, b, n, shape).table(n + 1)
        steps = np.diff(values)
        assert (values[0], values[-1]) == (a, b)
        assert (steps >= 0).all() if b > a else (steps <= 0).all()


@pytest.mark.parametrize("start", [0.0, 1e-30])
def test_the_last_steps_of_a_long_cosine_keep_their_digits(start: float) -> None:
    s = ph.ramp(1, start, 10**6, "cosine")
    assert relative_error(s(10**6 - 1), exact(s, 10**6 - 1)) <= 1e-15
