"""Every recipe against its formula and against what other libraries compute (PEERS.md §2.0)."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import preheat as ph
from preheat import recipes

T, W = 1000, 130
TIMES = [0, 1, 7, 64, 129, 130, 131, 350, 564, 565, 566, 800, 998, 999, 1000]


def warming(t: float, start: float, peak: float) -> float:
    return start + (peak - start) * t / W


@pytest.mark.parametrize("peak", [1.0, 3e-4])
@pytest.mark.parametrize(("start", "floor"), [(0.0, 0.0), (0.25, 0.1)])
@pytest.mark.parametrize(
    ("name", "options", "fall"),
    [
        ("linear", {}, lambda x: 1 - x),
        ("cosine", {}, lambda x: math.cos(math.pi * x / 2) ** 2 if x < 1 else 0.0),
        ("polynomial", {}, lambda x: (1 - x) ** 2),
        ("polynomial", {"power": 0.9}, lambda x: (1 - x) ** 0.9),
        ("polynomial", {"power": 3}, lambda x: (1 - x) ** 3),
        ("wsd", {}, lambda x: 1 - math.sqrt(max(0.0, (x * (T - W) - (T - W - 200)) / 200))),
        ("wsd", {"decay_steps": 100, "shape": "linear"}, lambda x: 1 - max(0.0, (x * (T - W) - (T - W - 100)) / 100)),
    ],
)
def test_a_decay_is_its_formula(name, options, fall, start, floor, peak) -> None:
    s = getattr(recipes, name)(
        T, warmup_steps=W, start_ratio=start, min_lr_ratio=floor, peak_lr=None if peak == 1.0 else peak, **options
    )
    for t in TIMES:
        wanted = warming(t, start * peak, peak) if t < W else peak * (floor + (1 - floor) * fall((t - W) / (T - W)))
        assert s(t) == pytest.approx(wanted, rel=1e-12, abs=1e-17), t
    assert s(5 * T) == s(T) == pytest.approx(floor * peak, rel=1e-15)


def test_constant_is_its_formula() -> None:
    s = recipes.constant(T, warmup_steps=W, peak_lr=0.3, start_lr=0.1)
    for t in TIMES:
        assert s(t) == pytest.approx(warming(t, 0.1, 0.3) if t < W else 0.3, rel=1e-15)


@pytest.mark.parametrize("floor", [0.01, 0.5])
def test_exponential_decay_is_its_formula(floor) -> None:
    s = recipes.exponential_decay(T, warmup_steps=W, min_lr_ratio=floor)
    for t in TIMES[5:]:
        assert s(t) == pytest.approx(floor ** ((t - W) / (T - W)), rel=1e-13)
    ratios = s.table(T)[W + 1 :] / s.table(T)[W:-1]
    assert ratios == pytest.approx(floor ** (1 / (T - W)), rel=1e-12)


def test_exponential_decay_ends_at_one_per_cent_unless_told() -> None:
    assert recipes.exponential_decay(T)(T) == 0.01
    assert recipes.exponential_decay(T, peak_lr=0.2)(T) == 0.002
    assert recipes.exponential_decay(T, peak_lr=0.2, min_lr=0.1)(T) == 0.1


def test_the_never_ending_decay_that_the_docstring_of_exponential_decay_gives() -> None:
    s = ph.ramp(1, 0.5, 10, shape="exponential").repeated(shrink=0.5)
    for t in (0, 3, 10, 11, 25, 100):
        assert s(t) == pytest.approx(0.5 ** (t / 10), rel=1e-13)


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0])
def test_step_decay_is_its_formula(factor) -> None:
    s = recipes.step_decay(100, factor=factor, warmup_steps=W, peak_lr=0.4, start_lr=0.1)
    for t in TIMES:
        rise = warming(t, 0.25, 1.0) if t < W else 1.0
        assert s(t) == pytest.approx(0.4 * factor ** (t // 100) * rise, rel=1e-13), t


def test_multistep_is_its_formula() -> None:
    s = recipes.multistep([300, 600, 800], warmup_steps=W, peak_lr=0.4, start_ratio=0.25)
    for t in (*TIMES, 299, 300, 599, 600, 799, 800, 5000):
        passed = sum(t >= milestone for milestone in (300, 600, 800))
        rise = warming(t, 0.25, 1.0) if t < W else 1.0
        assert s(t) == pytest.approx(0.4 * 0.1**passed * rise, rel=1e-13), t


def test_the_values_of_multistep_are_decimals() -> None:
    assert recipes.multistep([1, 2, 3], peak_lr=0.3).table(4).tolist() == [0.3, 0.03, 0.003, 0.0003]


@pytest.mark.parametrize(
    ("milestones", "text"),
    [
        (["80%", "90%"], "hold(1.0, '80%') >> hold(0.1, '10%') >> hold(0.01, 'rest')"),
        (["10k steps", "20k steps"], "hold(1.0, '10000 steps') >> hold(0.1, '10000 steps') >> hold(0.01, 'rest')"),
        (["0.3B tokens", "1.5B tokens"], "hold(1.0, '300000000 tokens') >> hold(0.1, '1200000000 tokens')"),
        (["33.3%", "66.7%"], "hold(1.0, '33.3%') >> hold(0.1, '33.4%') >> hold(0.01, 'rest')"),
        (np.array([2, 5]), "hold(1.0, 2) >> hold(0.1, 3) >> hold(0.01, 'rest')"),
    ],
)
def test_milestones_keep_their_unit_and_their_digits(milestones, text) -> None:
    assert repr(recipes.multistep(milestones)).startswith(text)


def test_milestones_fall_where_they_are_written() -> None:
    s = recipes.multistep(["33.3%", "66.7%"], warmup_ratio=0.05).bind(ph.Run(total=9_999))
    table = s.table(9_999)
    assert [i for i in range(1000, 9_999) if table[i] != table[i - 1]] == [3330, 6669]


def test_noam_is_the_transformers_schedule() -> None:
    s = recipes.noam(512)
    assert [round(s(t), 6) for t in (0, 4000, 16000)] == [0.0, 0.000699, 0.000349]
    for t in (1, 10, 3999, 4000, 4001, 100_000):
        assert s(t) == pytest.approx(512**-0.5 * min(t**-0.5, t * 4000**-1.5), rel=1e-14)


def test_inverse_sqrt_is_its_formula() -> None:
    s = recipes.inverse_sqrt(W, peak_lr=0.3, start_lr=0.1)
    for t in TIMES:
        assert s(t) == pytest.approx(warming(t, 0.1, 0.3) if t < W else 0.3 * math.sqrt(W / t), rel=1e-14)
    shifted = recipes.inverse_sqrt(W, timescale=500)
    assert shifted(700) == pytest.approx(1 / math.sqrt((700 + 500 - W) / 500), rel=1e-14)  # transformers, timescale=500


def test_one_cycle_is_its_formula() -> None:
    s = recipes.one_cycle(T, peak_lr=0.1)
    for t in TIMES:
        a, b, u = (0.004, 0.1, t / 300) if t < 300 else (0.1, 4e-7, (t - 300) / 700)
        assert s(t) == pytest.approx(b + (a - b) * (1 + math.cos(math.pi * u)) / 2, rel=1e-9), t


@pytest.mark.parametrize("pct", [0.3, 0.4])
def test_torchs_one_cycle_is_the_composition_that_the_docstring_gives(pct) -> None:
    total = 50
    up = pct * total - 1
    s = ph.ramp(1 / 25, 1, up, "cosine") >> ph.ramp(1, 4e-6, (1 - pct) * total, "cosine")
    for t in range(total):
        a, b, u = (0.04, 1.0, t / up) if t <= up else (1.0, 4e-6, (t - up) / (total - 1 - up))
        assert s(t) == pytest.approx(b + (a - b) / 2 * (1 + math.cos(math.pi * u)), abs=1e-15)


@pytest.mark.parametrize("stretch", [1, 2, 1.5])
@pytest.mark.parametrize("shrink", [1.0, 0.5])
def test_restarts_are_sgdr(stretch, shrink) -> None:
    s = recipes.restarts(100, stretch=stretch, shrink=shrink, warmup_steps=W)
    for t in (0, 64, 130, 131, 229, 230, 231, 400, 429, 430, 999, 5000):
        if t < W:
            assert s(t) == t / W
            continue
        k, begin, period = 0, W, 100.0
        while t >= begin + period:
            k, begin, period = k + 1, begin + period, period * stretch
        assert s(t) == pytest.approx(shrink**k * (1 + math.cos(math.pi * (t - begin) / period)) / 2, rel=1e-9), t


def test_restarts_that_are_counted_keep_the_last_value() -> None:
    s = recipes.restarts(10, cycles=3, min_lr_ratio=0.2)
    assert (s(0), s(10), s(20), s(30), s(1000)) == (1.0, 1.0, 1.0, 0.2, 0.2)
    assert recipes.restarts("rest", cycles=3).bind(ph.Run(total=30)) == ph.parse("restarts(10, cycles=3)")


@given(st.integers(1, 3000), st.integers(1, 13), st.sampled_from([1, 1.0, 2, 1.5]), st.booleans())
def test_restarts_fill_the_run_and_leave_no_update_at_the_floor(
    total: int, cycles: int, stretch: float, share: bool
) -> None:
    """Each update is where the exact lengths put it, of cycles that need not be whole updates."""
    assume(total >= 2 * sum(Fraction(stretch) ** k for k in range(cycles)))
    if share:
        assume(stretch == 1 and 100 % cycles == 0)
    s = recipes.restarts(f"{100 // cycles}%" if share else "rest", cycles=cycles, stretch=stretch).bind(
        ph.Run(total=total)
    )
    assert s.length == total
    lengths = [Fraction(stretch) ** k for k in range(cycles)]
    edges = [0, *itertools.accumulate(length * total / sum(lengths) for length in lengths)]
    for t in {0, total // 3, total // 2, total - 1, *(math.ceil(edge) for edge in edges[:-1])}:
        k = max(i for i, edge in enumerate(edges[:-1]) if edge <= t)
        u = (t - edges[k]) / (edges[k + 1] - edges[k])
        assert s(t) == pytest.approx((1 + math.cos(math.pi * u)) / 2, rel=1e-9, abs=1e-12)
        assert s(t) > 0


def test_a_step_decay_in_shares_of_the_run_drops_where_they_end() -> None:
    s = recipes.step_decay("25%", factor=0.5).bind(ph.Run(total=1003))
    drops = [t for t in range(1, 1003) if s(t) != s(t - 1)]
    assert drops == [251, 502, 753]  # after 250.75, 501.5 and 752.25 updates, and none at 1000


@pytest.mark.parametrize(
    ("beta2", "w"), [(0.999, 2000), (0.99, 200), (0.98, 100), (0.95, 40), (0.9999, 20_000), (0, 2)]
)
def test_the_untuned_warmups_take_their_length_from_the_decimal(beta2, w) -> None:
    assert recipes.untuned_linear(beta2) == ph.ramp(1 / w, 1, w - 1) >> ph.hold()
    assert recipes.untuned_exponential(beta2) == ph.saturating(w // 2).shifted(-1)
    for t in (0, 1, w // 2, w - 2, w - 1, w, 3 * w):
        n = t + 1  # the paper counts from 1: ωₙ = min(1, (1 − β₂)/2 · n), and 1 − exp(−(1 − β₂) · n)
        assert recipes.untuned_linear(beta2)(t) == pytest.approx(min(1, (1 - beta2) / 2 * n), rel=1e-12)
        assert recipes.untuned_exponential(beta2)(t) == pytest.approx(1 - math.exp(-(1 - beta2) * n), rel=1e-11)


def test_untuned_exponential_is_pytorch_warmups() -> None:
    s = recipes.untuned_exponential(1 - 1 / 3)
    assert s.table(3) == pytest.approx([0.283469, 0.486583, 0.632121], abs=1e-6)


def test_radam_is_the_rectification() -> None:
    limit = 2 / (1 - 0.999) - 1
    rho = [limit - 2 * k * 0.999**k / (1 - 0.999**k) for k in range(1, 3000)]
    wanted = [math.sqrt((r - 4) * (r - 2) * limit / ((limit - 4) * (limit - 2) * r)) for r in rho if r > 4]
    assert recipes.radam().table(2000) == pytest.approx(wanted[:2000], rel=1e-9)
    assert recipes.radam().table(6).round(6).tolist() == [0.017312, 0.025821, 0.032739, 0.038738, 0.044105, 0.048998]


GOLDEN = [
    (
        "HF linear",
        "linear(10, warmup_steps=3)",
        "0 .333333 .666667 1 .857143 .714286 .571429 .428571 .285714 .142857 0",
    ),
    ("HF cosine", "cosine(10, warmup_steps=3)", "0 .333333 .666667 1 .950484 .811745 .61126 .38874 .188255 .049516 0"),
    (
        "HF polynomial",
        "polynomial(10, warmup_steps=3, power=2)",
        "0 .333333 .666667 1 .734694 .510204 .326531 .183673 .081633 .020408 0",
    ),
    ("HF constant_with_warmup", "constant(10, warmup_steps=3)", "0 .333333 .666667 1 1 1 1 1 1 1 1"),
    (
        "HF inverse_sqrt",
        "inverse_sqrt(3)",
        "0 .333333 .666667 1 .866025 .774597 .707107 .654654 .612372 .57735 .547723",
    ),
    (
        "HF cosine_with_min_lr",
        "cosine(10, warmup_steps=3, min_lr_ratio=0.1)",
        "0 .333333 .666667 1 .955436 .83057 .650134 .449866 .26943 .144564 .1",
    ),
    (
        "HF cosine_with_restarts",
        "restarts(3.5, cycles=2, warmup_steps=3)",
        "0 .333333 .666667 1 .811745 .38874 .049516 .950484 .61126 .188255 0",
    ),
    (
        "HF warmup_stable_decay",
        "wsd(10, warmup_steps=3, decay_steps=4, shape='cosine')",
        "0 .333333 .666667 1 1 1 1 .853553 .5 .146447 0",
    ),
    (
        "HF warmup_stable_decay 1-sqrt",
        "wsd(10, warmup_steps=3, decay_steps=4, min_lr_ratio=0.1, start_ratio=0.1)",
        ".1 .4 .7 1 1 1 1 .55 .363604 .220577 .1",
    ),
    (
        "optax, timm, Keras, Megatron cosine",
        "cosine(10, warmup_steps=3, start_ratio=0.1)",
        ".1 .4 .7 1 .950484 .811745 .61126 .38874 .188255 .049516 0",
    ),
    (
        "timm WSD",
        "wsd(10, warmup_steps=3, decay_steps=4, start_ratio=0.1, shape='linear')",
        ".1 .4 .7 1 1 1 1 .75 .5 .25 0",
    ),
    (
        "optax warmup_exponential_decay",
        "exponential_decay(11, warmup_steps=3, min_lr_ratio=0.0625, start_ratio=0.1)",
        ".1 .4 .7 1 .707107 .5 .353553 .25 .176777 .125 .088388",
    ),
    (
        "torch OneCycleLR",
        "one_cycle(9, pct_start=0.2222222222)",
        ".04 .52 1 .950485 .811746 .611262 .388742 .188258 .049519 4e-06 4e-06",
    ),
    (
        "nanoGPT",
        "cosine(10, warmup_steps=3, start_ratio=0.25)",
        ".25 .5 .75 1 .950484 .811745 .61126 .38874 .188255 .049516 0",
    ),
    (
        "nanochat",
        "wsd(10, warmup_steps=2, start_ratio=0.3333333333333333, decay_steps=4, shape='linear')",
        ".333333 .666667 1 1 1 1 1 .75 .5 .25 0",
    ),
]


@pytest.mark.parametrize(("text", "values"), [row[1:] for row in GOLDEN], ids=[row[0] for row in GOLDEN])
def test_what_a_peer_computes(text, values) -> None:
    assert ph.parse(text).table(11) == pytest.approx([float(value) for value in values.split()], abs=1.5e-6)
