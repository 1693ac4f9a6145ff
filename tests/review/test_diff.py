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
    assert (first.at, largest.at) == (0.025, 10)
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


def test_it_is_said_in_full_digits_where_six_would_look_equal():
    found = diff("hold(1, 10)", "hold(1.000000000001, 10)")
    assert "A 1.0, B 1.000000000001" in " ".join(found.sentences)


def test_what_differs_is_not_called_rounding_and_what_is_rounding_does_not_differ():
    assert "rounding" not in " ".join(diff("hold(1, 10)", "hold(1.0000000000001, 10)").sentences)
    assert not diff("hold(1, 10)", "hold(1.000000000000001, 10)")


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


# -- what never ends --------------------------------------------------------------------------------------------------

ENDLESS = [
    ("hold()", "hold(1, 5000) >> hold(0.5)", 5000),
    ("warmup(10).repeated()", "warmup(10).repeated(500) >> hold(0)", 5001),
    ("restarts(10)", "restarts(10, cycles=30)", 300),
    ("warmup(4000) >> invsqrt(4000)", "warmup(4000) >> invsqrt(4000) * (hold(1, 100000) >> hold(0.5))", 104_000),
    ("hold()", "(hold(1, 999) >> hold(0.5, 1)).repeated()", 999),
]


@pytest.mark.parametrize(("a", "b", "first"), ENDLESS)
def test_what_never_ends_is_compared_for_all_time(a, b, first):
    for one in (only(a, b), only(b, a)):
        assert one.first.at == first
        assert abs(one.largest.difference) >= abs(one.first.difference)
    assert not diff({"lr": "hold()", "momentum": a}, {"lr": "hold()", "momentum": a})
    changed = diff({"lr": "hold()", "momentum": a}, {"lr": "hold()", "momentum": b}).lines[1]
    assert changed.first.at == first


def test_endless_cycles_are_equal_where_one_common_period_is():
    found = diff("warmup(10).repeated()", "(ramp(0, 0.5, 5) >> ramp(0.5, 1, 5)).repeated() * hold(1)")
    assert not found
    assert only("decay(10).repeated()", "(decay(10) >> decay(9) >> hold(0, 1)).repeated()").first.at == 11
    assert found.to_dict()["lines"][0]["ends"] is False


def test_endless_ones_are_not_called_equal_where_that_is_not_known(monkeypatch):
    monkeypatch.setattr("preheat.session.comparison.MOST", 1000)
    one = "warmup(10).repeated(stretch=2)"
    with pytest.raises(ph.PreheatError, match=r"from update 1,000 on is not known: .* give a run"):
        diff(one, f"lower({one}, hold(2))")
    assert not diff(one, f"lower({one}, hold(2))", run=ph.Run(total=900))


def test_at_equal_shares_every_update_of_either_is_looked_at():
    dip = only("hold(1, 5003) >> hold(0.5, 2) >> hold(1, 4995)", "hold(1, 20000)", by_share=True)
    assert dip.shares[0] == pytest.approx((50.03, 0.5, 1.0))
    assert only("hold(1, 3)", "hold(1, 7) >> hold(0.5, 1)", by_share=True).shares[0] == (87.5, 1.0, 0.5)
    text = "hold(1, '33%') >> hold(0.5, 'rest')"
    one, other = (Subject(str(n), ph.parse(text), ph.Run(total=n)) for n in (100, 3300))
    assert only(one, other, by_share=True).shares == (None, None)


def test_runs_of_another_length_have_a_verdict_of_their_common_updates():
    assert "At all of these they are equal." in diff("table([1, 0.5])", "table([1, 0.5, 0.4])").sentences
    assert "At all of these they are equal." not in diff("table([1, 0.6])", "table([1, 0.5, 0.4])").sentences


def test_of_runs_that_are_over_the_next_update_is_compared():
    over = Subject("over", ph.parse("warmup(10) >> decay(90)"), ph.Run(total=100), position=120)
    found = diff(over, "warmup(10) >> decay(to=0.5)")
    assert found.lines[0].first == (120, 0, 0.5)
    assert "Both runs are over; compared is update 120, the next if training went on." in found.sentences
    assert not diff(over, "warmup(10) >> decay()")
