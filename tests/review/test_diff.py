"""What diff says is what a comparison of all values says."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import lay, runs, written

import preheat as ph
from preheat import diff
from preheat.review.subject import Subject
from preheat.session.comparison import ROUNDING

RUN = ph.Run(total=1000)
fewer = settings(max_examples=settings().max_examples // 8)  # each of them computes whole runs
pairs = st.tuples(written, written)


def only(*args, **more):
    (line,) = diff(*args, **more).lines
    return line


# -- laws -------------------------------------------------------------------------------------------------------------


@fewer
@given(written, runs())
def test_nothing_differs_from_itself(schedule, run):
    bound = lay(schedule, run)
    found = diff(bound, bound, run=run)
    assert not found
    assert found.is_equal
    assert found.lines[0].first is found.lines[0].largest is None


@fewer
@given(pairs, runs())
def test_the_first_and_the_largest_difference_are_those_of_brute_force(pair, run):
    a, b = (lay(one, run) for one in pair)
    one = only(a, b, run=run)
    ours, theirs = a.table(run.total), b.table(run.total)
    apart = np.abs(ours - theirs)
    differing = np.flatnonzero(apart > ROUNDING * np.maximum(np.abs(ours), np.abs(theirs)))
    if not len(differing):
        assert one.first is None
        return
    assert one.first == (differing[0], ours[differing[0]], theirs[differing[0]])
    assert abs(one.largest.difference) == apart.max()
    assert one.largest.at == apart.argmax()
    assert np.isclose(one.areas, [ours.sum(), theirs.sum()], rtol=1e-9, atol=1e-12 * run.total * one.highest).all()


@fewer
@given(pairs, runs())
def test_it_is_the_same_from_both_sides(pair, run):
    a, b = (lay(one, run) for one in pair)
    there, back = only(a, b, run=run), only(b, a, run=run)
    for one, other in ((there.first, back.first), (there.largest, back.largest)):
        assert (one is None and other is None) or (one.at, one.a, one.b) == (other.at, other.b, other.a)
    assert there.areas == back.areas[::-1]


@fewer
@given(written, runs())
def test_a_change_of_one_update_is_found_wherever_it_is(schedule, run):
    bound = lay(schedule, run)
    where = (run.total * 7) // 10
    bump = ph.hold(1.0, where) >> ph.hold(1.5, 1) >> ph.hold(1.0, run.total - where - 1)
    value = bound(where)
    if value:
        found = only(bound, bound * bump, run=run)
        assert (found.first.at, found.largest.at) == (where, where)
        assert found.first.b == pytest.approx(1.5 * value)


# -- what is compared -------------------------------------------------------------------------------------------------


def test_factors_against_rates_need_a_peak():
    rates = ph.absolute(ph.ramp(0, 3e-4, 50) >> ph.ramp(3e-4, 0, 950))
    with pytest.raises(ph.PreheatError, match=r"the first is factors .* give peak="):
        diff("warmup(5%) >> decay()", rates, run=RUN)
    assert not diff("warmup(5%) >> decay()", rates, run=RUN, peak=3e-4)
    assert only("warmup(5%) >> decay()", rates, run=RUN, peak=1e-4).first == pytest.approx((1, 2e-6, 6e-6))
    with pytest.raises(ph.PreheatError, match="both are rates"):
        diff(rates, rates, peak=3e-4)


def test_factors_of_which_one_peak_is_not_known_are_compared_as_factors():
    found = diff("gpt3", "warmup(375M tokens) >> decay(to=0.1)")
    assert found.lines[0].highest == pytest.approx(1)
    assert "Compared are factors" in " ".join(found.sentences)
    both = diff("llama2_7b", "warmup(2000) >> decay(to=0.1, shape=cosine)")
    assert not both


def test_what_has_no_run_of_its_own_is_bound_to_the_others():
    found = diff("warmup(10) >> decay(90)", "warmup(10%) >> decay()")
    assert not found
    assert diff("warmup(10) >> invsqrt(10)", "warmup(10) >> decay(90)").totals == (100, 100)


def test_ticks_are_not_taken_for_another_clocks():
    with pytest.raises(
        ph.PreheatError, match=r"has lengths in steps, and the other's run counts tokens; .*'500 steps'"
    ):
        diff("gpt3", "warmup(500) >> decay()")
    with pytest.raises(
        ph.PreheatError, match="one run counts tokens, an update being 3,200,000, and the other steps, 1"
    ):
        diff("gpt3", "warmup(500) >> decay(500)")


def test_runs_of_different_lengths_differ_and_are_compared_on_updates_and_on_shares():
    short, long = (
        Subject("short", ph.parse("warmup(10%) >> decay()"), RUN),
        Subject("long", ph.parse("warmup(10%) >> decay()"), ph.Run(total=4000)),
    )
    found = diff(short, long, by_share=True)
    assert found.totals == (1000, 4000)
    assert found.lines[0].updates == 1000
    assert found.lines[0].shares == (None, None)
    assert (
        "The run of A has 1,000 updates, that of B 4,000 updates; compared are the updates that both have."
        in found.sentences
    )
    assert "At equal shares of their runs they have the same values." in found.sentences
    steeper = diff(short, Subject("other", ph.parse("warmup(20%) >> decay()"), ph.Run(total=4000)), by_share=True)
    first, largest = steeper.lines[0].shares
    assert (first.at, largest.at) == (1, 100)
    longer = diff("decay(100)", "decay(100) >> hold(0, 10)")
    assert longer
    assert longer.lines[0].first is None


def test_plans_are_compared_line_by_line():
    a = {"lr": "warmup(10) >> decay(90)", "momentum": "absolute(hold(0.9, 100))", "x/lr": "decay(100)"}
    b = {"lr": "warmup(10) >> decay(90)", "weight_decay": "absolute(hold(0.1, 100))", "x/lr": "decay(100, to=0.5)"}
    found = diff(a, b)
    assert found.only == (("momentum",), ("weight_decay",))
    assert [(one.key, one.first is None) for one in found.lines] == [("lr", True), ("x/lr", False)]
    said = " ".join(found.sentences)
    assert "Only A has the line momentum; B has none." in said
    assert "lr: equal at all 100 updates." in said
    assert "x/lr: The first update that differs is 1: A 0.99, B 0.995." in said


def test_the_values_of_an_update_that_is_asked_for_also_after_the_end():
    assert only("decay(100)", "decay(50)", 60).asked == (60, 0.4, 0.0)
    assert only("decay(100)", "decay(100)", 500).asked == (500, 0.0, 0.0)
    with pytest.raises(ph.PreheatError, match="at= takes an update"):
        diff("decay(100)", "decay(50)", -1)


def test_long_smooth_curves_are_told_apart_at_the_very_update():
    a, b = ph.decay(3_000_000, shape="cosine"), ph.upper(ph.decay(3_000_000, shape="cosine"), ph.hold(1e-3))
    found = only(a, b)
    assert found.first.at == int(np.flatnonzero(a.table(3_000_000) < 1e-3)[0])


def test_it_is_said_in_full_digits_where_six_would_look_equal_and_rounding_is_called_rounding():
    found = diff("hold(1, 10)", "hold(1.000000000001, 10)")
    assert "A 1.0, B 1.000000000001" in " ".join(found.sentences)
    assert "nothing but rounding" in " ".join(diff("hold(1, 10)", "hold(1.0000000000001, 10)").sentences)


def test_it_is_data_and_html():
    found = diff("decay(100)", "decay(50)", 60)
    read = json.loads(json.dumps(found.to_dict()))
    assert read["equal"] is False
    assert read["lines"][0]["first"] == {"at": 1, "a": 0.99, "b": 0.98, "difference": pytest.approx(-0.01)}
    assert "<p>The first update that differs is 1" in found._repr_html_()


def test_of_a_run_under_way_only_what_is_to_come_is_compared():
    saved = Subject("saved", ph.parse("warmup(100) >> decay(900)"), RUN, position=150)
    assert not diff(saved, "hold(0, 100) >> decay(900)")
    changed = diff(saved, "warmup(100) >> decay(900) * (hold(1, 300) >> hold(0.5))", run=RUN)
    (line,) = changed.lines
    assert (line.start, line.updates, line.first.at) == (150, 850, 400)
    assert "Compared is what is to come, from update 150 on." in changed.sentences
    assert line.areas[0] == pytest.approx(sum((1000 - t) / 900 for t in range(150, 1000)))
