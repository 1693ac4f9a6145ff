"""What is drawn: every edge in view, a staircase as one; what is wrong, and where it stands; nothing that is not a number."""

import json
import time

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preheat import parse
from preheat.core.spans import Run
from preheat.studio.service import answer

RUN = {"total": "10_000", "clock": "step"}


def document(*texts, run=RUN, **more):
    schedules = [{"name": "", "text": text, "peak": "", "run": None} for text in texts]
    return {"schedules": schedules, "run": run, "peak": "", "line": "", "view": None} | more


def drawn(*texts, points=100, **more):
    return answer("draw", {"document": document(*texts, **more), "points": points})


def curve(*texts, **more):
    found = drawn(*texts, **more)["curves"][0]
    assert "error" not in found, found
    return found


def problem(text, **more):
    return drawn(text, **more)["curves"][0]["error"]


# -- curves -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", [None, [0, 10_000], [700, 1300], [-5, 1e9], [3.5, 4.5], [9999, 9999]])
@pytest.mark.parametrize(
    "text", ["warmup(5%) >> hold() >> decay(20%, shape=cosine)", "(warmup(10) >> decay(90)).repeated(20)", "noam(512)"]
)
def test_the_values_are_those_of_the_schedule_at_rising_times_in_view(text, view):
    found = curve(text, view=view)
    low, high = view or (0, 10_000)
    at = numpy.asarray(found["at"])
    assert (numpy.diff(at) > 0).all()
    assert len(at) <= 100 + 2 * 40 + 2
    assert at[0] <= max(0, low)
    assert at[-1] >= min(high, 10_000)
    bound = parse(text).bind(Run(total=10_000))
    assert found["values"] == [bound(t) for t in found["at"]]


def test_as_many_points_whatever_the_length_of_the_run():
    long = {"total": "1_000_000_000", "clock": "step"}
    assert 1000 <= len(curve("warmup(5%) >> decay()", run=long, points=1000)["at"]) <= 1010
    assert len(curve("warmup(5%) >> decay()", run=long, points=10**9)["at"]) <= 4010
    assert curve("warmup(5) >> decay(5)", run={"total": ""}, points=1000)["at"] == list(range(11))


@pytest.mark.parametrize(
    ("text", "edges"),
    [
        ("steps([3, 2, 1], [10%, 5%, rest])", [1000, 1500]),
        ("decay().stepwise(1000)", range(1000, 10_000, 1000)),
        ("(hold(1, 10) >> decay(990)).repeated(10)", range(1000, 10_000, 1000)),
        ("steps([3, 2], [3.5, rest])", [3.5]),
    ],
)
def test_a_staircase_is_a_staircase(text, edges):
    found = curve(text, points=50)
    at = found["at"]
    values = dict(zip(at, found["values"], strict=True))
    for edge in edges:
        before = at[at.index(edge) - 1]
        assert edge - before < 1e-9
        assert abs(values[edge] - values[before]) > 0.05
    assert sum(t != round(t) and t not in edges for t in at) == len(edges)


def test_edges_deep_in_a_long_run_are_hit_too():
    found = curve("(warmup(100) >> decay(900)).repeated(1000)", run={"total": "1_000_000"}, view=[900_000, 905_000])
    assert {900_100, 901_000, 901_100, 902_000, 902_100} <= set(found["at"])


def test_a_frame_of_a_million_updates_is_quick():
    held = document("warmup(5%) >> hold() >> decay(20%, shape=cosine)", run={"total": "1_000_000"})
    frames = []
    for k in range(5):
        begin = time.process_time()
        answer("draw", {"document": held | {"view": [k, 900_000]}, "points": 1500})
        frames.append(time.process_time() - begin)
    assert min(frames) < 0.04


def test_what_never_ends_is_drawn_wherever_one_looks():
    found = curve("warmup(100) >> invsqrt(100)", run={"total": ""})
    assert not found["ends"]
    assert found["phases"][-1]["end"] is None
    assert curve("warmup(100) >> invsqrt(100)", run={"total": ""}, view=[1e6, 2e6])["at"][-1] >= 2e6


def test_beside_its_run_a_curve_has_no_values():
    assert curve("warmup(100) >> decay(100)", run={"total": ""}, view=[500, 600])["at"] == []


def test_each_is_drawn_on_its_own_run_and_the_axis_is_as_long_as_the_longest():
    held = document("warmup(5%) >> decay()", "warmup(5%) >> decay()")
    held["schedules"][1]["run"] = {"total": "20_000"}
    found = answer("draw", {"document": held, "points": 10})
    assert [one["total"] for one in found["curves"]] == [10_000, 20_000]
    assert found["total"] == 20_000


def test_runs_that_count_something_else_do_not_share_an_axis():
    held = document("warmup(5%) >> decay()", "warmup(5%) >> decay()")
    held["schedules"][1]["run"] = {"total": "1B tokens", "clock": "token"}
    found = answer("draw", {"document": held, "points": 10})["curves"]
    assert "error" not in found[0]
    assert found[1]["error"]["field"] == "run"
    assert "tokens" in found[1]["error"]["message"]
    assert found[1]["error"]["write"].endswith("remove one of them")  # each has a button for that


def test_the_position_of_a_run_under_way_is_shown():
    held = document("warmup(5%) >> decay()")
    held["schedules"][0]["position"] = 1234
    assert answer("draw", {"document": held, "points": 10})["curves"][0]["position"] == 1234
    assert curve("warmup(5%) >> decay()")["position"] is None


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("warmup(5%) >> hold() >> decay(20%)", ["warmup(5%)", "hold()", "decay(20%)"]),
        ("warmup(0%) >>hold()>> decay(20%)", ["hold()", "decay(20%)"]),
        ("absolute((ramp(0,1, 10) >> hold(1)).scaled(2))", ["ramp(0,1, 10)", "hold(1)"]),
        ("cosine(warmup_ratio=0.1)", ["cosine(warmup_ratio=0.1)"] * 2),
        ("hold(1, 10) >> decay(90).scaled(1)", ["hold(1, 10)", "decay(90)"]),
        ('{"lr": "warmup(\\"5%\\") >> decay()"}', ['warmup(\\"5%\\")', "decay()"]),
        ("hold() * decay()", ["hold() * decay()"]),
    ],
)
def test_a_phase_knows_where_its_call_stands(text, sources):
    found = [phase["source"] for phase in curve(text)["phases"]]
    assert [text[start:stop] for start, stop in found] == sources


# -- axes and differences -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"total": "100"}, {"updates": 1}),
        ({"total": "2 epochs", "steps_per_epoch": "50"}, {"updates": 1, "epochs": 0.02}),
        (
            {"total": "100", "samples_per_step": "8", "tokens_per_step": "4k"},
            {"updates": 1, "samples": 8, "tokens": 4000},
        ),
        ({"total": "100", "seconds_per_step": "36"}, {"updates": 1, "hours": 0.01, "minutes": 0.6, "seconds": 36}),
        ({"total": "100", "seconds_per_step": "soon"}, {"updates": 1}),
        ({"total": "1M tokens", "clock": "token"}, {"tokens": 1}),
        ({"total": "1M tokens", "clock": "token", "tokens_per_step": "1000"}, {"updates": 0.001, "tokens": 1}),
        ({"total": "6 h", "clock": "second"}, {"hours": 1 / 3600, "minutes": 1 / 60, "seconds": 1}),
        ({"total": "6", "clock": "epoch", "steps_per_epoch": "50"}, {"updates": 50, "epochs": 1}),
    ],
)
def test_the_axis_counts_whatever_has_a_known_worth(run, expected):
    found = {axis["id"]: axis["worth"] for axis in drawn("warmup(5%) >> decay()", run=run)["axes"]}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("run", "first"),
    [
        ({"total": "100", "tokens_per_step": "4M", "seconds_per_step": "1"}, "updates"),
        ({"total": "20", "clock": "token", "tokens_per_step": "4M"}, "tokens"),
        ({"total": "10k", "clock": "sample", "samples_per_step": "256"}, "samples"),
        ({"total": "3", "clock": "epoch", "steps_per_epoch": "50"}, "epochs"),
        ({"total": "6 h", "clock": "second"}, "hours"),
        ({"total": "90", "clock": "second"}, "minutes"),
        ({"total": "4", "clock": "second"}, "seconds"),
    ],
)
def test_the_axis_is_by_default_what_the_run_counts(run, first):
    assert drawn("warmup(3) >> decay()", run=run)["axes"][0]["id"] == first


@pytest.mark.parametrize("view", [None, [0.4, 9.7], [3210.5, 3877.25], [9990, 10_400]])
def test_law_a_row_of_the_table_has_the_values_of_its_own_time(view):
    texts = (
        "warmup(251) >> hold(7%) >> decay()",
        "steps([1, 0.1, 0.01], [33%, 12, rest])",
        "wrong",
        "warmup(3) >> hold(1, 20)",
    )
    found = drawn(*texts, view=view)["rows"]
    assert found["at"] == sorted(set(found["at"]))
    for index, text in enumerate(texts):
        bound = None if text == "wrong" else parse(text).bind(Run(total=10_000))
        assert found["values"][index] == [None if bound is None else bound(at) for at in found["at"]]
    if view is None:
        assert {0, 251, 951, 1000, 3300, 10_000} <= set(found["at"])


def test_a_difference_is_where_both_are_and_says_the_first_update_that_differs():
    found = drawn("warmup(10%) >> decay()", "warmup(20%) >> decay()", difference=True)["differences"]
    assert found[0] is None
    assert found[1]["first"] == 1
    assert found[1]["says"] == "2 differs from 1 first at update 1: 0.0005, not 0.001"
    one, two = (
        dict(zip(c["at"], c["values"], strict=True))
        for c in drawn("warmup(10%) >> decay()", "warmup(20%) >> decay()")["curves"]
    )
    values = dict(zip(found[1]["at"], found[1]["values"], strict=True))
    assert {0, 1000, 2000, 10_000} <= set(values)
    assert all(values[t] == pytest.approx(two[t] - one[t], abs=1e-15) for t in set(one) & set(two))


def test_a_difference_beyond_what_a_float_holds_is_a_gap():
    found = drawn("absolute(hold(1e308))", "absolute(hold(-1e308))", difference=True)
    assert set(found["differences"][1]["values"]) == {None}
    assert json.dumps(found, allow_nan=False)


def test_equal_curves_and_those_that_cannot_be_compared_say_so():
    found = drawn("warmup(10%) >> decay()", "ramp(0, 1, 1000) >> decay(9000)", "absolute(hold(1))", difference=True)
    assert found["differences"][1]["first"] is None
    assert "equal" in found["differences"][1]["says"]
    assert set(found["differences"][1]["values"]) == {0}
    assert found["differences"][2]["at"] == []
    says = found["differences"][2]["says"]
    assert "the first is factors" in says
    assert says.index("1 and 3: ") == 0  # so that the first is the one that is named first
    assert drawn("hold(", "hold()", difference=True)["differences"] == [None, None]


# -- what is wrong --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("warmup(5%) >> hld()", "hld()"),
        ("warmup(5%) > hold()", "> hold()"),
        ("warmup(5%", ""),
        ("warmup(5 parsecs)", "5 parsecs)"),
        ("hold() >> hold()", "hold() >> hold()"),
        ('{"lr": "warmup(\\"5%\\") >> hld()"}', 'hld()"}'),
        ('{"lr": "hold()", "w": "hld()"}', 'hld()"}'),
        ('{"lr": 5', ""),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_in_its_column(text, at):
    error = problem(text)
    assert error["field"] == "text"
    assert text[error["column"] :] == at


@pytest.mark.parametrize(
    ("text", "at", "field", "run", "says"),
    [
        ("warmup(60%) >> hold() >> decay(60%)", "decay(60%)", "run", RUN, "the first that does not fit is decay(60%)"),
        (
            "hold(1, 5) >> warmup(1 epoch) >> decay()",
            "warmup(1 epoch) >> decay()",
            "steps_per_epoch",
            RUN,
            "“updates per epoch”",
        ),
        ("warmup(5%) >> decay()", "warmup(5%) >> decay()", "total", {"total": ""}, "fill in “total”"),
        ("decay()", None, "total", {"total": "soon"}, "soon"),
        (
            "decay()",
            None,
            "tokens_per_step",
            RUN | {"tokens_per_step": "lots"},
            "tokens per update is a number, not 'lots'",
        ),
        ("decay()", None, "seconds_per_step", RUN | {"seconds_per_step": "1/3"}, "seconds per update is a number"),
        ("decay()", None, "seconds_per_step", RUN | {"seconds_per_step": "-2"}, "seconds per update"),
        ("decay()", None, "clock", RUN | {"clock": "day"}, "clock"),
        ("decay()", None, "steps_per_epoch", {"total": "3 epochs"}, "fill in “updates per epoch”"),
    ],
)
def test_what_does_not_fit_the_run_says_which_phase_and_what_to_fill_in(text, at, field, run, says):
    error = problem(text, run=run)
    assert (error["field"], None if error["column"] is None else text[error["column"] :]) == (field, at)
    assert says in error["message"]
    assert "Run(" not in error["message"]


def test_a_peak_that_is_none_is_refused_in_its_field():
    assert problem("warmup(5%) >> decay()", peak="high")["field"] == "peak"


# -- whatever comes -------------------------------------------------------------------------------------------------------

anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
words = st.lists(
    st.sampled_from(
        [
            "warmup",
            "(",
            ")",
            "5%",
            ">>",
            "hold",
            "1e308",
            "9" * 30,
            "rest",
            ",",
            "decay",
            "steps",
            "[",
            "]",
            "*",
            ".scaled",
            "{",
            '"lr"',
            ":",
        ]
    ),
    max_size=12,
).map(" ".join)
FIELDS = ("total", "clock", "steps_per_epoch", "samples_per_step", "tokens_per_step", "seconds_per_step")
odd = st.sampled_from(
    ["", "0", "-1", "nan", "inf", "1e400", "1e-320", "9" * 400, "5%", "rest", "1_0", "٣", "1e15", "3 epochs", "token"]
)
runs = st.dictionaries(st.sampled_from(FIELDS), odd)
some = settings(max_examples=max(50, settings().max_examples // 4))


def answered(question, given):
    found = answer(question, given)
    json.dumps(found, allow_nan=False)
    return found


@some
@given(held=anything, points=anything, key=st.sampled_from(["schedules", "run", "view", "peak", "line"]))
def test_whatever_is_sent_is_answered(held, points, key):
    answered("draw", {"document": held, "points": points})
    answered("draw", {"document": document("warmup(5%) >> decay()") | {key: held}, "points": 10})
    answered(
        "edit",
        {"document": document("warmup(5%) >> decay()") | {key: held}, "schedule": points, "handle": held, "at": points},
    )


@some
@given(
    text=st.one_of(words, st.text(max_size=20)), run=runs, peak=odd, view=st.lists(st.floats(), min_size=2, max_size=2)
)
def test_whatever_is_typed_is_answered(text, run, peak, view):
    held = document(text, "warmup(5%) >> decay()", run=run, peak=peak, difference=True)
    answered("draw", {"document": held, "points": 20})
    answered("draw", {"document": held | {"view": view}, "points": 20})


@pytest.mark.parametrize(
    "text",
    [
        " >> ".join(["ramp(0, 1, 10)"] * 3000),
        "steps([" + "1, " * 3000 + "1], [" + "1, " * 3000 + "1])",
        "table([" + "1, " * 80_000 + "1])",
        "(" * 100_000,
        "x" * 262_144,
        '{"lr": "' + "\\u0020" * 40_000 + 'hold()"}',
        '{"a":' * 50_000,
    ],
)
def test_as_much_text_as_may_be_read_is_answered_in_bounded_time(text):
    begin = time.process_time()
    answered("draw", {"document": document(text[: 256 * 1024], run={"total": ""}), "points": 1500})
    assert time.process_time() - begin < 10
