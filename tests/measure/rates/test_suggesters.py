"""The suggesters are fastai's on every curve; what is no suggestion is "none"."""

import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preheat.measure.rates import suggesters
from preheat.measure.rates.suggesters import BETA, SUGGESTERS, Smoother, Sweep, longest_valley, suggested

NAMES = ("valley", "slide", "minimum", "steep")
GOLDEN = json.loads((Path(__file__).parent / "fastai_suggestions.json").read_text())  # fastai 2.8.12's own functions
CURVES = st.lists(st.integers(-20, 20).map(lambda n: n / 8), min_size=16, max_size=80)


def rates(count: int) -> list[float]:
    return [1e-7 * 1e8 ** (i / count) for i in range(count)]


def sweep(losses: list[float], stopped: bool) -> Sweep:
    return Sweep(tuple(rates(len(losses))), tuple(losses), len(losses), stopped)


def dip(count: int = 100, noise: float = 0.0, seed: int = 0, deep: float = 1.5) -> list[float]:
    """A loss that is level, falls at about 1e-3, and explodes at about 1."""
    numbers = random.Random(seed)
    at = [i / count for i in range(count)]
    return [
        2.3 + numbers.gauss(0, noise) - deep / (1 + math.exp(30 * (0.5 - u))) + math.exp(min(50, 40 * (u - 0.85)))
        for u in at
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_suggestions_are_those_of_fastai(name):
    for row in GOLDEN:
        assert getattr(suggesters, name)(rates(len(row["losses"])), row["losses"]) == pytest.approx(
            row[name], rel=1e-12
        )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy of a tensor, in fastai
def test_the_suggestions_are_those_of_the_installed_fastai():
    torch, numpy = pytest.importorskip("torch"), pytest.importorskip("numpy")
    stubbed = pytest.importorskip("benchmarks.parity.stubbed")
    around = {"np": numpy, "to_np": lambda tensor: tensor.numpy()}
    try:
        peer = stubbed.definitions_from("fastai", "callback/schedule.py", NAMES, around)
    except ImportError:
        pytest.skip("fastai is not installed")
    numbers = random.Random(7)
    for _ in range(60):
        count = numbers.randint(16, 120)
        losses = [round(numbers.gauss(0, 1), numbers.choice([0, 1, 6])) for _ in range(count)]
        tensors = [torch.tensor(one, dtype=torch.float64) for one in (rates(count), losses)]
        for name in NAMES:
            assert getattr(suggesters, name)(rates(count), losses) == pytest.approx(peer[name](*tensors, count)[0])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_the_valley_is_the_first_longest_of_all(losses):
    lengths: list[int] = []
    for place, loss in enumerate(losses):
        lengths.append(1 + max((lengths[j] for j in range(place) if losses[j] > loss), default=0))
    longest = max(lengths)
    end = lengths.index(longest)
    assert longest_valley(losses) == ((end - longest, end) if longest > 1 else (0, 0))


@given(CURVES, st.sampled_from([0.25, 2.0, 64.0]), st.sampled_from([-4.0, 0.0, 8.0]))
def test_scale_and_shift_of_the_loss(losses, scale, shift):
    """They move nothing; of slide, whose threshold is a difference of losses, if that is scaled too."""
    at, other = rates(len(losses)), [scale * loss + shift for loss in losses]
    for name in ("valley", "minimum", "steep"):
        assert getattr(suggesters, name)(at, other) == getattr(suggesters, name)(at, losses)
    assert suggesters.slide(at, other, threshold=scale * 0.125) == suggesters.slide(at, losses, threshold=0.125)


@given(CURVES, st.floats(0.01, 100.0))
def test_a_sweep_of_other_rates_scales_the_suggestions(losses, factor):
    at = rates(len(losses))
    for name in ("valley", "slide", "minimum"):  # steep divides by differences of logarithms, which round
        function = getattr(suggesters, name)
        assert function([factor * rate for rate in at], losses) == pytest.approx(factor * function(at, losses))


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=60))
def test_the_smoothed_loss_is_the_mean_with_falling_weights(losses):
    smoother, count = Smoother(), len(losses)
    found = [smoother.add(loss) for loss in losses]
    weights = [BETA ** (count - 1 - i) for i in range(count)]
    expected = math.fsum(w * x for w, x in zip(weights, losses, strict=True)) / math.fsum(weights)
    assert found[-1] == pytest.approx(expected, rel=1e-9)
    assert found[0] == pytest.approx(losses[0])


def test_a_sweep_stops_above_four_times_its_best_and_where_nothing_is_finite():
    smoother = Smoother()
    smoother.add(1.0)
    while not smoother.diverged:
        before = smoother.value
        smoother.add(60.0)
    assert before <= 4.0 < smoother.value
    for value in (math.nan, math.inf):
        smoother = Smoother()
        smoother.add(value)
        assert smoother.diverged


def test_what_is_asked_is_without_the_first_tenth_and_the_last_five():
    curve = sweep(dip(50), True).kept()
    assert list(curve.rates) == rates(50)[5:45]
    assert curve.losses == sweep(dip(50), True).smoothed[5:45]
    lost = sweep([*dip(50)[:40], math.nan, *dip(50)[41:]], True)
    assert list(lost.kept().rates) == rates(50)[5:40]


def test_a_dip_has_suggestions_in_order():
    found = suggested(sweep(dip(), True))
    assert all(isinstance(one, float) for one in found.values()), found
    assert 1e-4 < found["valley"] < found["minimum"] * 10 < 1
    plain = sweep(dip(), True).kept()
    assert {name: getattr(suggesters, name)(plain.rates, plain.losses) for name in NAMES} == found


@pytest.mark.parametrize(
    ("losses", "stopped", "names", "words"),
    [
        (
            [2.0 - 0.01 * i for i in range(100)],
            False,
            ("valley", "minimum", "slide"),
            "still falls where the sweep ends",
        ),
        ([2.0] * 100, False, NAMES, "does not fall at any rate"),
        ([2.0 + 0.01 * i for i in range(100)], False, NAMES, "does not fall at any rate"),
        ([2.0, 1e5], True, NAMES, "after 2 updates: begin lower"),
        (dip(15), False, NAMES, "only 9 points are left"),
    ],
)
def test_what_is_not_there_is_none_and_never_the_edge(losses, stopped, names, words):
    planned = 100 if len(losses) < 10 else len(losses)
    one = Sweep(tuple(rates(planned)[: len(losses)]), tuple(losses), planned, stopped)
    found = suggested(one)
    assert set(found) == set(SUGGESTERS)
    for name in names:
        assert isinstance(found[name], str), (name, found[name])
        assert words in found[name]


def test_noise_suggests_nothing():
    """In 2 of 100 sweeps at most: measured 0.75 % of 400."""
    false = 0
    for seed in range(100):
        numbers = random.Random(seed)
        losses = [2.3 + numbers.gauss(0, 0.2) for _ in range(100)]
        false += any(isinstance(one, float) for one in suggested(sweep(losses, False)).values())
    assert false <= 2
    control = [suggested(sweep(dip(noise=0.2, seed=seed), True)) for seed in range(20)]
    assert all(isinstance(one["valley"], float) for one in control)
