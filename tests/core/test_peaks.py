"""How far the values of a schedule reach, and the refusal of factors that may be meant as rates."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_tree, bound, lay, leaf_count, runs, written

import preheat as ph
from preheat import PreheatError, absolute, relative
from preheat.core.node import KINDS
from preheat.core.peaks import peak_of, refuse_unclear
from preheat.recipes import RECIPES

REQUIRED = {"noam": "512", "step_decay": "100", "multistep": "[300, 600]", "restarts": "100"}


def sampled(s: ph.Schedule) -> np.ndarray:
    """Values by brute force: every whole tick near the start, many moments between, and beside each edge of a part."""
    length = s.length if s.length < math.inf else 1e6
    times = [np.arange(min(length, 3000) + 1), np.linspace(0, length, 3000), np.geomspace(1, max(length, 2), 500)]
    return s(np.unique(np.concatenate(times)))


@given(st.one_of(any_tree, bound()))
def test_every_bound_is_a_bound(s: ph.Schedule) -> None:
    low, high, *_ = peak_of(s)
    try:
        found = sampled(s)
    except ph.BindError:
        return
    slack = 1e-12 * leaf_count(s) * max(1e-300, s._ready._magnitude())
    assert found.min() >= low - slack
    assert found.max() <= high + slack


@given(written, runs())
def test_the_bounds_of_a_text_hold_on_every_run(s: ph.Schedule, run: ph.Run) -> None:
    on_run = lay(s, run)
    low, high, *_ = peak_of(s)
    slack = 1e-12 * leaf_count(on_run) * max(1e-300, on_run._magnitude())
    found = sampled(on_run)
    assert found.min() >= low - slack
    assert found.max() <= high + slack


plain = st.sampled_from(["linear", "cosine", "smooth", "square", "mirror-cosine"])
levels = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, -1.0, 3e-4])
ramps = st.builds(ph.ramp, levels, levels, st.integers(1, 400), plain)
parts = st.one_of(
    ramps, ramps, st.builds(ph.hold, levels, st.integers(1, 50)), st.builds(ph.table, st.lists(levels, min_size=1))
)
numbers = st.floats(-3, 3)
phases = st.lists(parts, min_size=1, max_size=4).map(lambda found: found[0] if len(found) == 1 else _chain(found))
changed = st.one_of(
    phases,
    st.builds(lambda s, k: s.scaled(k), phases, numbers),
    st.builds(lambda s, n, k: s.repeated(n, 1.0, k), phases, st.integers(1, 4), st.floats(-1.5, 1.5)),
    st.builds(lambda s, k: s * ph.hold(k), phases, numbers),
    st.builds(lambda s, k: ph.lower(s, ph.hold(k)), phases, numbers),
    st.builds(lambda s, k: ph.upper(s, ph.hold(k)), phases, numbers),
    st.builds(lambda s, n: s.shifted(n), phases, st.integers(0, 30)),
)


def _chain(found: list[ph.Schedule]) -> ph.Schedule:
    schedule = found[0]
    for part in found[1:]:
        schedule = schedule >> part
    return schedule


@given(changed)
def test_where_it_says_so_the_ends_are_reached(s: ph.Schedule) -> None:
    low, high, exact, _ = peak_of(s)
    assert exact
    length = s.length if s.length < math.inf else 2000
    edges = np.arange(length + 1)
    found = s(np.unique(np.concatenate([edges, edges - 1e-9])))  # the end of a part is the start of the next
    scale = max(1.0, abs(low), abs(high))
    assert found.max() == pytest.approx(high, abs=1e-6 * scale)
    assert found.min() == pytest.approx(low, abs=1e-6 * scale)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_without_a_peak_peak_at_one(name):
    if name == "noam":
        return
    for options in (
        "",
        ", warmup_steps=10",
        ", min_lr_ratio=0.1",
        ", warmup_ratio=0.1, start_ratio=0.01",
        ", shrink=0.5, cycles=3",
    ):
        try:
            s = ph.parse(f"{name}({REQUIRED.get(name, '')}{options if name in REQUIRED else options[2:]})")
        except PreheatError:  # it has no such argument
            continue
        assert peak_of(s).high == pytest.approx(1.0, abs=1e-9)
        refuse_unclear(ph.Plan(s), lambda line: None)


@pytest.mark.parametrize("name", sorted(ph.presets))
def test_presets_peak_at_one(name):
    assert peak_of(ph.presets[name].schedule).high == pytest.approx(1.0, abs=1e-9)


def test_a_plan_of_the_recipes_is_clear():
    refuse_unclear(ph.yolo_warmup(), lambda line: 0.01)


CLEAR = [
    "warmup(10) >> decay()",
    "hold()",
    "hold(0)",
    "ramp(0, 2, 10).scaled(0.5)",
    "cosine().scaled(0.5)",
    "cosine().scaled(100)",
    "cosine().scaled(0.01) >> hold(0, 5).scaled(0.01)",
    "cosine(60).scaled(0.5) >> decay().scaled(0.5)",
    "cosine(60).scaled(0.5) >> hold(0)",
    "saturating(1000) * cosine()",
    "warmup(10) >> invsqrt(10)",
    "cosine(100).scaled(0.1).repeated(3, shrink=0.5)",
    "cosine().clipped(0.1)",
    "relative(ramp(10, 1, 100))",
    "absolute(ramp(0.01, 0.1, 1000))",
    "noam(512)",
]
UNCLEAR = [
    "ramp(0.01, 0.1, 1000)",
    "hold(0.1)",
    "hold(3)",
    "cosine().scaled(3e-4)",
    "cosine().scaled(101)",
    "cosine().scaled(-1)",
    "decay(60).scaled(0.5) >> decay().scaled(0.25)",
    "ramp(0.01, 0.1, 1000) * warmup(10)",
    "upper(decay(), hold(1.1))",
    "ramp(10, 1, 100)",
    "warmup(10) >> hold(1) >> ramp(1, 1.5, 10)",
    "decay(10).repeated(3, shrink=2)",
    "cosine(100).scaled(0.5).clipped(0.01)",
]


@pytest.mark.parametrize("text", CLEAR)
def test_a_peak_of_one_or_what_is_said_is_clear(text):
    refuse_unclear(ph.Plan(text), lambda line: 0.1)


@pytest.mark.parametrize("text", UNCLEAR)
def test_factors_that_may_be_meant_as_rates_are_refused(text):
    with pytest.raises(PreheatError, match=r"write absolute\(.*relative\(.*peak="):
        refuse_unclear(ph.Plan(text), lambda line: 0.1)
    refuse_unclear(ph.Plan(absolute(text)), lambda line: 0.1)
    refuse_unclear(ph.Plan(relative(text)), lambda line: 0.1)


def test_a_line_that_names_a_group_takes_any_constant():
    for k in (3e-4, 1000, -1, 0):
        refuse_unclear(ph.Plan({"lr": ph.cosine(), "head/lr": ph.cosine().scaled(k)}), lambda line: None)
    with pytest.raises(
        PreheatError, match=r"the factors of 'head/lr' reach up to 10, not 1.*, or s\.scaled\(k\), where s peaks at 1$"
    ):
        refuse_unclear(ph.Plan({"lr": ph.cosine(), "head/lr": ph.ramp(10, 1, 100)}), lambda line: None)


def test_the_message_shows_what_the_rate_would_have_been():
    with pytest.raises(PreheatError) as refusal:
        refuse_unclear(ph.Plan("ramp(0, 3e-4, 10) >> hold(3e-4)"), lambda line: 3e-4)
    assert str(refusal.value) == (
        "the factors reach up to 0.0003, not 1: times 0.0003, which it was given, the rate would reach 9e-08; write "
        "absolute(ramp(0.0, 0.0003, 10) >> hold(0.0003, 'rest')) if these are the values themselves, "
        "relative(ramp(0.0, 0.0003, 10) >> hold(0.0003, 'rest')) if they are meant as factors, "
        "or a schedule that peaks at 1, with peak= for the rate there"
    )


def test_other_hypers_are_refused_alike():
    plan = ph.Plan({"lr": ph.cosine(), "momentum": ph.ramp(0.8, 0.937, 100)})
    with pytest.raises(
        PreheatError,
        match=r"factors of 'momentum' reach up to 0.937, not 1: times 0.9, .* the momentum would reach 0.8433; .* meant "
        r"as factors, or a schedule that peaks at 1$",
    ):
        refuse_unclear(plan, lambda line: 0.9)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_says_how_far_it_reaches(kind):
    assert kind._bounds is not ph.Schedule._bounds


def test_a_kind_that_does_not_say_how_far_it_reaches_must_be_stated():
    assert ph.Schedule._bounds(ph.hold()).high == math.inf
