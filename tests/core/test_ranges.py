"""What a hyper-parameter can be: whatever leaves it is refused, before anything is written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.core.ranges import BELOW_ONE, NOT_BELOW_ZERO, refuse_impossible
from preheat.session import Session

ENDS = st.sampled_from([-1.0, -0.1, 0.0, 0.3, 0.9, 0.999, 1.0, 1.2, 5.0])
PARTS = st.builds(ph.ramp, ENDS, ENDS, st.integers(1, 9)) | st.builds(ph.hold, ENDS, st.integers(1, 9))


@st.composite
def schedules(draw: st.DrawFn) -> ph.Schedule:
    made = [draw(PARTS) >> draw(PARTS) for _ in range(2)]
    join = draw(st.sampled_from(["one", "product", "sum", "scaled", "repeated"]))
    return {
        "one": made[0],
        "product": made[0] * made[1],
        "sum": made[0] + made[1],
        "scaled": made[0].scaled(draw(ENDS)),
        "repeated": made[0].repeated(3),
    }[join]


@settings(max_examples=300)
@given(st.sampled_from(NOT_BELOW_ZERO), schedules())
def test_what_is_bound_never_leaves_it_and_only_that_is_refused(hyper: str, schedule: ph.Schedule) -> None:
    used, between = [schedule(t) for t in range(80)], [schedule(t / 8) for t in range(640)]
    is_wrong, may_be = (min(values) < 0 or (hyper in BELOW_ONE and max(values) >= 1) for values in (used, between))
    try:
        Session({hyper: ph.absolute(schedule)})
    except ph.PreheatError:
        assert may_be
    else:
        assert not is_wrong


def test_factors_are_looked_at_with_what_they_multiply() -> None:
    plan = ph.Plan({"momentum": ph.relative(ph.hold(1.2))}).bind(ph.Run())
    refuse_impossible(plan)
    refuse_impossible(plan, lambda line: [0.5, 0.8])
    with pytest.raises(ph.PreheatError, match=r"the values of 'momentum' reach 1\.08, and they must stay below 1"):
        refuse_impossible(plan, lambda line: [0.5, 0.9])


def test_a_quantity_of_ones_own_may_be_anything() -> None:
    Session({"temperature": ph.absolute(ph.ramp(-3.0, 40.0, 10))})


@pytest.mark.parametrize("position", ["50%", "5%", "500"])
def test_a_position_is_in_updates_and_a_share_is_none(position: str) -> None:
    s = ph.hold(1.0, 1000)
    for change in (
        lambda: s.cooldown_from(position, 100),
        lambda: s.rewarmed(position, 3),
        lambda: s.shifted(position),
    ):
        with pytest.raises(ph.PreheatError, match=r"takes? a number of ticks|is a number of ticks") as error:
            change()
        assert error.value.write == "write for example 500"


def test_a_position_below_one_update_may_be_meant_as_a_share() -> None:
    s = ph.hold(1.0, 1000)
    for change in (lambda at: s.cooldown_from(at, 100), lambda at: s.rewarmed(at, 3)):
        with pytest.raises(ph.PreheatError, match=r"a position of 0\.5 is less than one update.*such as 500"):
            change(0.5)
        change(ph.Span("0.5 ticks"))
        change(0)


@pytest.mark.parametrize(
    "made",
    [
        lambda: ph.Shape("foo"),
        lambda: ph.Shape("power"),
        lambda: ph.Shape("power", 1000),
        lambda: ph.Shape("cosine", exponent=3),
        lambda: ph.Shape("exponential", mirrored=True),
        lambda: ph.Shape("cosine", inner="sqrt"),
        lambda: ph.Run().worth("parsec"),
        lambda: ph.Run(total=5).replace(totl=6),
        lambda: ph.decay(10).table(10**15),
    ],
)
def test_what_is_none_is_refused_where_it_is_made(made: object) -> None:
    with pytest.raises(ph.PreheatError):
        made()
