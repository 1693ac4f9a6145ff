"""The rate rises as the loss falls, as the curvature that it stands for allows."""

import json
import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.session import LossWarmup, Session
from preheat.session.rules import rule_from_data, rules_from_text, rules_to_text


def gains(rule: LossWarmup, losses: list[float]) -> list[float]:
    """The gain after each loss, the state through JSON every time."""
    state, found = rule.start(), []
    for loss in losses:
        state = rule.checked(json.loads(json.dumps(rule.observe(state, loss, 0), allow_nan=False)))
        found.append(rule.gain(state, 0))
    return found


@given(
    st.floats(0, 10), st.floats(0.01, 10), st.floats(0.1, 3), st.floats(0.1, 10), st.lists(st.floats(0, 1), min_size=1)
)
def test_it_is_the_rate_that_the_curvature_allows(flat, steep, least, height, shares) -> None:
    """η = c/(H₀ + H₁(L − L*)), given only two of its values."""

    def rate(loss: float) -> float:
        return 2.0 / (flat + steep * (loss - least + 1e-3))

    until, first = least, least + height
    rule = LossWarmup("loss", until=until, start_ratio=rate(first) / rate(until), keep=0.0, monotone=False)
    losses = [first, *(until + share * height for share in shares)]
    assert gains(rule, losses) == pytest.approx([rate(loss) / rate(until) for loss in losses], rel=1e-6)


LOSSES = st.lists(st.floats(-5, 5) | st.sampled_from([math.nan, math.inf, 1e308, -1e308]), max_size=30)


@given(LOSSES, st.booleans(), st.sampled_from([0.0, 0.5, 0.99]))
def test_it_lies_between_0_and_1_and_where_asked_never_falls(losses, monotone, keep) -> None:
    rule = LossWarmup("loss", until=1.0, start_ratio=0.2, first=3.0, monotone=monotone, keep=keep)
    found = [0.2, *gains(rule, losses)]
    assert all(0 <= one <= 1 for one in found)
    if monotone:
        assert found == sorted(found)


def test_before_a_loss_was_seen_the_rate_is_that_of_the_start_and_a_noisy_loss_does_not_lower_it() -> None:
    session = Session(
        ph.Plan({"lr": ph.hold(1.0)}), ph.Run(total=9), rules=[LossWarmup("loss", until=1, start_ratio=0.25)]
    )
    used = []
    for loss in (5.0, 4.0, 6.0, math.nan, 1.0, -90.0, 9.0):
        used.append(session.gain)
        session.observe({"loss": loss})
        session.advance()
    assert used[:2] == [0.25, 0.25]
    assert used == sorted(used)
    assert session.gain == 1.0


def test_without_monotone_it_follows_the_mean() -> None:
    rule = LossWarmup("loss", until=0.0, start_ratio=0.5, keep=0.5, monotone=False)
    assert gains(rule, [4.0, 0.0, 0.0, 7.0]) == pytest.approx([0.5, 1 / 1.5, 1 / 1.25, 1 / 2])


def test_a_first_loss_that_is_not_above_the_last_is_refused_before_anything_is_told() -> None:
    with pytest.raises(ph.PreheatError, match="nothing is left to warm up; write a lower until="):
        LossWarmup("loss", until=2.0, start_ratio=0.1, first=2.0)
    session = Session(
        ph.Plan({"lr": ph.hold(1.0)}), ph.Run(total=9), rules=[LossWarmup("loss", until=2.0, start_ratio=0.1)]
    )
    before = list(session.states)
    with pytest.raises(ph.PreheatError, match=r"ends at the loss 2\.0, and the first is 1\.5"):
        session.observe({"loss": 1.5})
    assert session.states == before


@settings(max_examples=50)
@given(LOSSES, st.integers(0, 30))
def test_saving_anywhere_changes_nothing(losses, cut) -> None:
    rule = LossWarmup("loss", until=-1e308 / 2, start_ratio=0.1)
    try:
        whole = gains(rule, losses)
    except ph.PreheatError:
        return  # its first loss was the lowest
    assert rule_from_data(json.loads(json.dumps(rule.to_data()))) == rule
    state = rule.start()
    for place, loss in enumerate(losses):
        state = rule.observe(state, loss, 0)
        if place == cut:
            (read,), (state,) = rules_from_text(rules_to_text([rule], [state]))
            assert read == rule
        assert rule.gain(state, 0) == whole[place]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start_ratio": 0.0}, "start_ratio"),
        ({"start_ratio": 1.0}, "start_ratio"),
        ({"keep": 1.0}, "keep"),
        ({"monotone": 1}, "monotone"),
        ({"until": math.nan}, "until"),
        ({"first": "4"}, "first"),
        ({"group": ""}, "group"),
    ],
)
def test_what_is_out_of_range_is_refused(options, words) -> None:
    with pytest.raises(ph.PreheatError, match=words):
        LossWarmup("loss", **{"until": 1.0, "start_ratio": 0.1, **options})


@pytest.mark.parametrize(
    "change",
    [{"gain": 1.5}, {"gain": None}, {"first": 0.5}, {"first": "4"}, {"mean": 2.0}, {"mean": math.inf}, {"more": 1}],
)
def test_a_damaged_state_is_refused(change) -> None:
    rule = LossWarmup("loss", until=1.0, start_ratio=0.1)
    with pytest.raises(ph.StateError):
        rule.checked({**rule.start(), **change})


def test_gradient_descent_on_such_a_curvature_descends_where_the_peak_alone_does_not() -> None:
    """f = cosh(k·x) − 1: its curvature is k²(1 + f), so H₀ = H₁ = k² exactly. The peak 1/k² diverges from x₀ = 6/k; with the
    rule, whose start is what the start stands, every step descends."""
    k, x0 = 3.0, 2.0

    def run(rules: list) -> list[float]:
        session = Session(ph.Plan({"lr": ph.absolute(ph.hold(1 / k**2))}), ph.Run(total=400), rules=rules)
        x, losses = x0, []
        for _ in range(400):
            loss = math.cosh(min(k * abs(x), 300.0)) - 1
            losses.append(loss)
            session.observe({"loss": loss})
            x -= session.gain / k**2 * k * math.sinh(max(-300.0, min(k * x, 300.0)))
        return losses

    first = math.cosh(k * x0) - 1
    rule = LossWarmup("loss", until=0.0, start_ratio=1 / (1 + first), keep=0.0)
    with_rule = run([rule])
    assert (numpy.diff(with_rule) <= 0).all()
    assert with_rule[-1] < 1e-6
    assert max(run([])) > 1e6
