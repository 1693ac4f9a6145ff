"""Student's quantile against scipy's, and intervals against what they promise."""

import math
import random
from itertools import pairwise

import pytest

from preheat.measure.intervals import geometric, interval, student


@pytest.mark.parametrize("freedom", [0.7, 1, 2, 2.5, 3, 4.75, 9, 30, 151.2, 2_000])
def test_students_quantiles(freedom):
    stats = pytest.importorskip("scipy.stats")
    for level in (0.5, 0.95, 0.999):
        assert student(freedom, level) == pytest.approx(stats.t.ppf((1 + level) / 2, freedom), rel=1e-9)


def test_an_interval_holds_the_mean_as_often_as_it_says():
    numbers = random.Random(3)
    inside = 0
    for _ in range(1000):
        low, high = interval([numbers.gauss(0, 1) for _ in range(3)])
        inside += low < 0 < high
    assert 930 <= inside <= 970
    assert all(a > b for a, b in pairwise(map(student, range(1, 20))))


def test_an_interval_of_few_values():
    half = student(2) / math.sqrt(3)
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2 - half, 2 + half))
    assert interval([1.0]) == (-math.inf, math.inf)


def test_a_geometric_mean_has_the_interval_of_the_logarithms():
    mean, low, high = geometric([1e-3, 1e-2, 1e-1])
    assert (mean, low * high) == pytest.approx((1e-2, 1e-4))
    assert high / mean == pytest.approx(math.exp(student(2) * math.log(10) / math.sqrt(3)))
    assert geometric([0.3]) == pytest.approx((0.3, 0.0, math.inf))
    assert geometric([1e-200, 1e200]) == pytest.approx((1.0, 0.0, math.inf))
