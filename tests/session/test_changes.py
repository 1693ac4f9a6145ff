"""Two plans compared by their values: the first update that differs, whatever they are written as."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import shallow

import preheat as ph
from preheat.session import Session
from preheat.session.bases import SAME_BASE
from preheat.session.changes import first_change

REWRITTEN = {
    "itself": lambda s, at: s,
    "scaled by one": lambda s, at: s.scaled(1.0),
    "times one": lambda s, at: s * ph.hold(1.0, s.length if s.length < math.inf else "rest"),
    "raised by what is below it": lambda s, at: ph.upper(
        s, ph.hold(-1e300, s.length if s.length < math.inf else "rest")
    ),
    "cut": lambda s, at: s.truncated(at),
    "cooled down": lambda s, at: s.cooldown_from(at, 5),
    "warmed up again": lambda s, at: s.rewarmed(at, 7),
    "later": lambda s, at: s.shifted(at),
    "repeated": lambda s, at: s.repeated(2),
    "followed": lambda s, at: s >> ph.ramp(0.5, 0.25, 3),
}


@given(shallow, shallow, st.sampled_from(sorted(REWRITTEN)), st.integers(0, 40), st.integers(0, 60))
def test_the_first_update_that_differs_is_found_or_there_is_none(
    s: ph.Schedule, other: ph.Schedule, change: str, at: int, position: int
) -> None:
    """The right answer: every update's two values, one by one."""
    try:
        old = s.bind(ph.Run())
        new = (REWRITTEN[change](s, at) if at % 4 else other).bind(ph.Run())
    except ph.PreheatError:
        assume(False)
    found = first_change(ph.Plan(old), ph.Plan(new), position, position + 400, 1)
    updates = range(position, position + 401)
    apart = [t for t in updates if not math.isclose(old(t), new(t), rel_tol=1e-12, abs_tol=1e-300)]
    if found is None:
        assert apart == []
    else:
        moment = int(found.split("differ is ")[1].split(",")[0])
        assert moment in updates
        assert old(moment) != new(moment)
        assert not apart or moment <= apart[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ph.hold(), ph.warmup(5) >> ph.hold()),
        (ph.warmup(5) >> ph.hold() * ph.hold(1.0), ph.hold(1.0, 20) >> ph.hold(1.0, 30)),
        (ph.ramp(0, 1, 10) >> ph.invsqrt(100), ph.ramp(1, 1, 10) >> ph.invsqrt(100, 10**6) >> ph.hold(ph.invsqrt(100)(10**6))),
        ((ph.ramp(0, 1, 40) >> ph.hold()).scaled(0.5), ph.ramp(0, 0.25, 20) >> ph.ramp(0.25, 0.5, 20) >> ph.hold(0.5)),
    ],
    ids=str,
)  # fmt: skip
def test_plans_of_other_kinds_with_the_same_values_from_now_on_are_the_same(old: ph.Schedule, new: ph.Schedule) -> None:
    assert first_change(ph.Plan(old), ph.Plan(new), 10, 10**6, tick=1) is None


def test_an_open_stable_phase_may_be_finished_and_loaded_into_another_plan() -> None:
    session = Session(ph.hold() >> ph.decay(20))
    for _ in range(10):
        session.advance()
    state = session.state_dict()
    session.finish_in(50)
    assert session.plan == ph.Plan(ph.hold(1.0, 40) >> ph.decay(20))
    other = Session(ph.warmup(5) >> ph.hold())
    other.load_state_dict(state)
    assert (other.position, other.values()) == (10, {"lr": 1.0})


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: s.scaled(0.5), lambda s: s * ph.decay(10**9), lambda s: s.shifted(3)]
)
def test_one_update_beyond_all_that_could_be_computed_is_found(wrap: object) -> None:
    flat = ph.hold(1.0, 3 * 10**8)
    notched = ph.hold(1.0, 10**8) >> ph.hold(0.5, 1) >> ph.hold(1.0, 2 * 10**8 - 1)
    found = first_change(ph.Plan(wrap(flat)), ph.Plan(wrap(notched)), 0, tick=1)
    assert "first update to differ is 10000000" in found


def test_what_would_take_too_long_to_know_is_a_change_and_says_so() -> None:
    s = ph.decay(10**9)
    found = first_change(ph.Plan(s), ph.Plan(ph.upper(s, ph.hold(-1.0))), 0, tick=1)
    assert "would take more than 16,777,216 values to know" in found


def test_a_long_curve_written_in_two_ways_is_known_to_be_the_same() -> None:
    half = ph.ramp(0.0, 0.5, 10**9) >> ph.ramp(0.5, 1.0, 10**9)
    assert first_change(ph.Plan(ph.ramp(0.0, 1.0, 2 * 10**9)), ph.Plan(half), 0, tick=1) is None


@pytest.mark.parametrize("tick", [None, 4_000_000])
def test_only_updates_count_where_it_is_known_when_they_come(tick: int | None) -> None:
    tokens = ph.ramp(1.0, 0.0, 8_000_000) >> ph.hold(0.0)
    steps = ph.steps([1.0, 0.5, 0.0], [4_000_000, 4_000_000, "rest"])
    found = first_change(ph.Plan(tokens), ph.Plan(steps), 0, tick=tick)
    assert found is None if tick else "first update to differ is 1," in found


def test_lines_that_came_or_went_are_a_change() -> None:
    one, two = ph.Plan(ph.hold()), ph.Plan({"lr": ph.hold(), "weight_decay": ph.hold()})
    assert first_change(one, two, 0) == "the lines were lr and are lr, weight_decay"


# -- factors and rates ---------------------------------------------------------------------------------------------

FACTORS, RATES = ph.Plan(ph.warmup(10) >> ph.decay(90)), ph.absolute(ph.ramp(0, 0.1, 10) >> ph.ramp(0.1, 0, 90))


def test_factors_and_rates_differ_unless_the_base_is_known() -> None:
    assert "was ramp(0.0, 1.0, 10)" in first_change(FACTORS, ph.Plan(RATES), 0, tick=1)
    for base in (0.1, 0.1 * (1 + 1e-8)):  # one that comes from a tensor of 32 bits
        assert first_change(FACTORS, ph.Plan(RATES), 0, tick=1, gains={"lr": (base, 1.0)}) is None
        assert first_change(ph.Plan(RATES), FACTORS, 0, tick=1, gains={"lr": (1.0, base)}) is None
    found = first_change(FACTORS, ph.Plan(RATES), 20, tick=1, gains={"lr": (0.2, 1.0)})
    assert (
        found == f"the first update to differ is 20, where 'lr' was {0.2 * (1 - 10 / 90)} and is {0.1 * (1 - 10 / 90)}"
    )


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.integers(0, 100))
def test_the_same_factors_of_two_bases_are_the_same_where_the_bases_are(old: float, new: float, position: int) -> None:
    found = first_change(FACTORS, FACTORS, position, tick=1, gains={"lr": (old, new)})
    same = abs(old - new) <= SAME_BASE * max(old, new) or position == 100
    assert (found is None) == same
