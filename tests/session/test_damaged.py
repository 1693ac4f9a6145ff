"""A checkpoint is data from outside: whatever stands in it is refused with a reason, or is a state that trains on."""

import json
import math
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import preheat as ph
from preheat.core.checks import MOST_TICKS
from preheat.session import HoldUntil, Plateau, Rewarm, Session

PLAN = ph.Plan({"lr": ph.warmup(4) >> ph.hold() >> ph.decay("20%"), "weight_decay": ph.absolute(ph.ramp(0, 1, "50%"))})
RULES = [
    Plateau("loss", patience=1, after="5%", min=0.1, min_lr={"head": 1e-3}),
    HoldUntil("val_loss", at="20%", patience=1),
    Rewarm("loss", span=4, settle=2),
]
JUNK = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            False,
            -1,
            0,
            1,
            2,
            0.5,
            -0.5,
            2**52,
            2**53 + 1,
            10**400,
            1e308,
            -1e308,
            5e-324,
            math.nan,
            math.inf,
        ]
    ),
    st.sampled_from(["", "5%", "rest", "2 epochs", "inf", "-inf", "nan", "1", "x", "loss", [], [1.0], {}, {"a": 1}]),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)
METRICS = st.lists(st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 1.0, 1e308, -1.797e308]), max_size=12)


def session(**options: str) -> Session:
    return Session(PLAN, ph.Run(total=100), rules=RULES, **options)


def trained() -> dict[str, Any]:
    here = session()
    for i in range(30):
        here.observe({"loss": 2.0 + 0.1 * (i % 2), "val_loss": 1.0})
        here.advance()
    here.observe({"loss": math.inf})
    return here.state_dict()


STATE = trained()


def places(data: Any, path: tuple = ()) -> list[tuple]:
    """Every place in nested data."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def changed(data: Any, place: tuple, value: Any, how: str) -> Any:
    """The data with what stands at one place replaced, left out, or given a key more."""
    if not place:
        return value
    data = deepcopy(data)
    at = data
    for key in place[:-1]:
        at = at[key]
    if how == "replace":
        at[place[-1]] = value
    elif how == "leave out":
        del at[place[-1]]
    elif isinstance(at, dict):
        at[str(value)] = value
    else:
        at.append(value)
    return data


def trains_or_is_refused(state: Any, metrics: list[float]) -> None:
    here = session(on_change="keep")
    before = here.state_dict()
    try:
        here.load_state_dict(state)
    except ph.StateError:
        assert here.state_dict() == before
        return
    for metric in [1.0, *metrics]:
        here.observe({rule.metric: metric for rule in here.rules})
        here.advance()
        assert 0 <= here.gain <= 1
        assert all(map(math.isfinite, here.values().values()))
    if here.position > MOST_TICKS:
        return
    again = session(on_change="keep")
    again.load_state_dict(json.loads(json.dumps(here.state_dict(), allow_nan=False)))
    assert (again.values(), again.states) == (here.values(), here.states)


INSIDE = {key: json.loads(STATE[key]) for key in ("plan", "run", "rules")}
PLACES = [(key, place) for key, data in INSIDE.items() for place in places(data)] + [(None, (key,)) for key in STATE]
HOW = st.sampled_from(["replace", "replace", "replace", "leave out", "add"])


@given(st.sampled_from(PLACES), JUNK, HOW, METRICS)
@example(("rules", (0, "rule", "after")), "5%", "replace", [])
@example(("rules", (0, "rule", "after")), "rest", "replace", [])
@example(("rules", (2, "rule", "settle")), 0, "replace", [])
@example(("rules", (1, "state", "released")), 2, "replace", [])
@example(("rules", (0, "rule", "group")), "x", "replace", [])
@example((None, ("position",)), 10**400, "replace", [])
def test_whatever_stands_in_a_checkpoint_is_refused_or_trains_on(
    place: tuple, value: Any, how: str, metrics: list[float]
) -> None:
    key, path = place
    if key is None:
        trains_or_is_refused(changed(STATE, path, value, how), metrics)
    else:
        trains_or_is_refused({**STATE, key: json.dumps(changed(INSIDE[key], path, value, how))}, metrics)


@pytest.mark.parametrize("metric", [-1.797e308, -1.7976931348623157e308, 1.7976931348623157e308])
def test_the_largest_number_is_not_infinite(metric: float) -> None:
    """A best value of it can still be improved on, or not, as of any other."""
    rule = Plateau("loss", mode="min" if metric < 0 else "max", patience=0, threshold_mode="abs", threshold=0.0)
    state = rule.observe(rule.start(), metric, 0)
    infinite = math.copysign(math.inf, metric)
    assert rule.checked(json.loads(json.dumps(state))) == state
    assert rule.observe(state, infinite, 0)["bad"] == 0
    assert rule.observe(rule.observe(state, infinite, 0), infinite, 0)["gain"] == pytest.approx(0.1)


# -- a lone number -----------------------------------------------------------------------------------------------------


def test_a_lone_number_is_what_all_rules_listen_to() -> None:
    here = Session(PLAN, ph.Run(total=100), rules=[Plateau("loss"), Rewarm("loss")])
    assert here.named(2) == {"loss": 2.0}
    assert here.named({"loss": 1, "accuracy": "?"}) == {"loss": 1, "accuracy": "?"}


@pytest.mark.parametrize(
    ("rules", "metric", "message"),
    [
        ([], 0.5, r"a metric is for rules, and there is none, not 0\.5; write step\(\), or pass rules="),
        (RULES, 0.5, r"listen to 'loss', 'val_loss', and it is not known which .* write step\(metrics=\{'loss': …\}\)"),
        (RULES[:1], "0.5", "'loss' must be one number"),
        (RULES[:1], 10**400, "beyond what a float holds"),
    ],
)
def test_a_lone_number_that_may_mean_several_things_is_refused(rules: list, metric: object, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        Session(PLAN, ph.Run(total=100), rules=rules).named(metric)
