"""What explain says is true: its phases tile the run, its sums are sums, its shares of the final weights are those of AdamW."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import callable_trees, lay, ready, runs, written

import preheat as ph
from preheat import explain
from preheat.core.findings import Finding
from preheat.review.explaining.phases import phases_of
from preheat.review.explaining.sentences import share
from preheat.review.explaining.weights import kept
from preheat.review.laid_out import MOST
from preheat.review.subject import Subject

RUN = ph.Run(total=1000)
fewer = settings(max_examples=settings().max_examples // 8)  # each of them computes whole runs


def only(*args, **more):
    (line,) = explain(*args, **more).lines
    return line


# -- laws -------------------------------------------------------------------------------------------------------------


@fewer
@given(written, runs())
def test_the_phases_tile_the_run_and_their_sums_are_those_of_the_table(schedule, run):
    bound = lay(schedule, run)
    one = only(ph.absolute(bound), run=run)
    table = bound.table(run.total)
    assert [phase.first for phase in one.phases] == [0, *(phase.stop for phase in one.phases[:-1])]
    assert one.phases[-1].stop == one.line.updates == run.total
    assert [phase.start for phase in one.phases] == [0, *(phase.end for phase in one.phases[:-1])]
    near = 1e-12 * (np.abs(table).sum() + 1e-300)
    assert abs(one.all.area - math.fsum(table)) <= near
    for phase, summed in zip(one.phases, one.summed, strict=True):
        assert abs(summed.area - math.fsum(table[phase.first : phase.stop])) <= near
    assert (one.first, one.last, one.peak) == (table[0], table[-1], table.max())
    assert table[one.peak_at] == one.peak > (table[: one.peak_at].max(initial=-math.inf))


@fewer
@given(callable_trees)
def test_what_a_phase_does_is_what_its_values_do(schedule):
    schedule = ready(schedule)
    total = 1 + (200 if schedule.length == math.inf else min(math.ceil(schedule.length), 2000))
    one = only(ph.absolute(schedule.truncated(total)), run=ph.Run(total=total))
    for phase in one.phases:
        values = one.line.curve.table(total)[phase.first : phase.stop]
        slack = 1e-9 * max(np.abs(values).max(initial=0), abs(phase.begins), abs(phase.ends))
        rise = np.diff(values)
        if phase.does.startswith("rises"):
            assert (rise >= -slack).all()
            assert phase.begins <= phase.ends
        elif phase.does.startswith("falls"):
            assert (rise <= slack).all()
            assert phase.begins >= phase.ends
        elif not phase.does.startswith("moves"):
            assert (np.abs(values - phase.begins) <= slack).all()


rates = st.lists(st.floats(0, 3), min_size=1, max_size=60).map(np.array)


@fewer
@given(rates, st.floats(0.001, 0.3))
def test_the_shares_of_the_final_weights_are_those_of_the_updates_run_one_by_one(rates, decay):
    shares, first = kept(rates, decay)
    weights = np.zeros(len(rates) + 1)  # how much of each origin is in the weights
    weights[-1] = 1.0
    for t, rate in enumerate(rates):
        weights *= 1 - rate * decay
        weights[t] += rate * decay
    np.testing.assert_allclose([*shares, first], weights, rtol=1e-12, atol=1e-300)
    assert math.isclose(shares.sum() + first, 1.0, rel_tol=1e-12)


# -- closed forms -----------------------------------------------------------------------------------------------------


def test_a_constant_rate_keeps_what_a_geometric_series_says():
    one = only("absolute(hold(0.01))", run=RUN, weight_decay=0.1)
    assert math.isclose(one.initial, 0.999**1000, rel_tol=1e-12)
    assert math.isclose(one.all.kept, 1 - 0.999**1000, rel_tol=1e-12)
    halves = only(
        "absolute(ramp(0.01, 0.01, 400)) >> absolute(ramp(0.01, 0, 0) >> hold(0.01))", run=RUN, weight_decay=0.1
    )
    assert len(halves.phases) == 1, "a constant that goes on is one phase"


def test_a_linear_rate_keeps_what_the_product_of_its_factors_says():
    """∏ (1 − a·k/n) over k = 1 … n is Γ(m + n)/(Γ(m)·mⁿ)-like: in logs, with m = n/a."""
    n, a = 1000, 0.4
    one = only(f"absolute(ramp(0.5, 0, {n}))", run=ph.Run(total=n), weight_decay=a / 0.5)
    m = Fraction(n) / Fraction(a).limit_denominator()
    log = math.lgamma(m) - math.lgamma(m - n) - n * math.log(m)  # ∏_{k=0}^{n−1}(1 − (k+1)/m)
    assert math.isclose(math.log(one.initial), log, rel_tol=1e-9)


def test_the_area_of_a_warmup_and_a_decay_in_closed_form():
    one = only("warmup(5%) >> decay()", run=ph.Run(total=10_000), peak=3e-4)
    assert math.isclose(one.all.area, 3e-4 * (499 / 2 + 9501 / 2), rel_tol=1e-12)
    assert (one.peak, one.peak_at, one.at_peak, one.first, one.after) == (3e-4, 500, 1, 0, 0)
    assert one.half == (250, 5250)
    assert one.above_half == 5001


# -- sentences --------------------------------------------------------------------------------------------------------

PRINTED = """\
ramp(0.0, 1.0, '5%') >> ramp(1.0, 0.1, 'rest', shape='cosine'), on a run of 10,000 updates.

updates        share  rate            mean       area    final weights
0 … 499        5 %    0 → 0.0003      0.0001497  4.56 %  0.638 %
500 … 9,999    95 %   0.0003 → 3e-05  0.000165   95.4 %  14.5 %
first weights                                            84.9 %

The rate rises linearly from 0 to 0.0003 over 500 updates (5 %).
Then it falls along a half cosine from 0.0003 to 3e-05 over 9,500 updates (95 %).
It is highest at update 500, 0.0003, there only (0.01 %).
Half of the peak or more is at 5,337 updates (53.4 %), the first of them 250, the last 5,586.
Update 0 uses 0, so it does not move the weights.
The last update, 9,999, uses 3e-05; after the run it keeps 3e-05.
Rate × updates is 1.64248 in all, a mean of 0.000164248, 54.7 % of what a constant at the peak would
have.
Under AdamW with a weight decay of 0.1, which multiplies the weights by 1 − rate × decay at every
update, 84.9 % of the final weights are what they began with, and 15.1 % are what the updates wrote;
half of that is written from update 3,266 on."""


def test_it_is_read_at_once():
    text = "warmup(5%) >> decay(to=0.1, shape=cosine)"
    found = explain(text, run=ph.Run(total=10_000), peak=3e-4, weight_decay=0.1)
    assert str(found) == PRINTED
    assert repr(found) == PRINTED


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "warmup(10, shape=exponential, start=0.01)",
            "rises from 0.01 to 1, exponentially, by the same factor at every update, over 10 updates (1 %).",
        ),
        ("decay(100, shape='1-sqrt')", "falls from 1 to 0, fast at first, then ever more slowly (shape sqrt), over"),
        ("decay(100, shape=reverse(square))", "falls from 1 to 0, fast at first"),
        ("decay(100, shape=power(3))", "falls from 1 to 0, slowly at first"),
        ("warmup(100, shape=reverse(power(0.5)))", "rises from 0 to 1, slowly at first"),
        ("warmup(100, shape=power(1))", "rises linearly"),
        ("warmup(100) >> invsqrt(100)", "falls as the inverse square root of time from 1 to"),
        ("warmup(10) >> decay(30).repeated(3)", "3 times, in cycles of 30 updates"),
        ("decay(100).stepwise(10)", "falls from 1 to 0, in steps, one every 10 updates, over 100 updates"),
        ("table([0, 1, 0.5]) >> hold(1, 5)", "moves between 0 and 1 from one value of a table to the next"),
        ("warmup(2.5) >> hold(1, '0.2 ticks') >> decay(30)", "stays at 1 over less than one update"),
        ("ramp(0, 1, 10)", "keeps its last value, 1, over 990 updates (99 %)."),
        ("rectified(0.999)", "rises as RAdam's rectification does"),
    ],
)
def test_every_kind_of_curve_has_its_words(text, said):
    sentences = explain(f"absolute({text})", run=RUN).sentences
    assert any(said in sentence for sentence in sentences), sentences


def test_factors_say_so_and_that_rates_would_say_more():
    assert any("These are factors: 1 is the rate" in text for text in explain("warmup(9) >> decay(91)").sentences)
    as_rates = explain("ramp(0.01, 0.1, 10) >> hold(0.1)", run=RUN).sentences
    assert any("write absolute(ramp(0.01, 0.1, 10) >> hold(0.1, 'rest'))" in text for text in as_rates)


def test_what_never_ends_is_looked_at_for_a_while_and_says_so():
    found = explain("warmup(4000) >> invsqrt(4000)")
    assert "which never ends; looked at are the first 16,000 updates." in found.sentences[0]
    assert "and it goes on." in " ".join(found.sentences)


def test_a_plan_is_told_line_by_line_and_its_weight_decay_is_the_one_that_counts():
    plan = {"lr": "absolute(hold(0.01))", "weight_decay": "absolute(ramp(0, 0.1, 1000))"}
    found = explain(plan, run=RUN)
    rate = found.lines[0]
    log = sum(math.log1p(-0.01 * 0.1 * t / 1000) for t in range(1000))
    assert math.isclose(rate.initial, math.exp(log), rel_tol=1e-10)
    assert "the plan's weight decay" in " ".join(found.sentences)
    assert [one.line.key for one in found.lines] == ["lr", "weight_decay"]
    assert found.rows("weight_decay")[0][:3] == ("updates", "share", "weight decay")
    with_factors = {"lr": "absolute(hold(0.01))", "weight_decay": "hold()"}
    factors = explain(with_factors, run=RUN, weight_decay=0.1).lines[0]
    assert math.isclose(factors.initial, 0.999**1000, rel_tol=1e-12)
    own = {"lr": "absolute(hold(0.01))", "head/lr": "absolute(hold(0.01))", "head/weight_decay": "absolute(hold(0.1))"}
    kept_by = {one.line.key: one.initial for one in explain(own, run=RUN).lines}
    assert kept_by["lr"] is None
    assert math.isclose(kept_by["head/lr"], 0.999**1000, rel_tol=1e-12)


def test_a_run_under_way_says_where_it_stands_and_what_is_left():
    schedule = ph.absolute(ph.ramp(0.01, 0.0, 1000))
    found = explain(Subject("run 7", schedule, RUN, position=400))
    assert "It stands at update 400: 40 % of the run has passed, and 600 updates are left." in found.sentences
    assert "The next update, 400, uses 0.006; 36 % of rate × updates is still to come." in found.sentences
    assert math.isclose(found.lines[0].left.area, 0.01 * 600 * 601 / 2000, rel_tol=1e-12)


def test_what_a_source_says_of_itself_is_told():
    finding = Finding("ignored-argument", "num_warmup_steps", "constant has no warmup", "write constant_with_warmup")
    found = explain(Subject("a.json", ph.hold(), RUN, (finding,), "transformers"))
    assert "What transformers does by itself, and what could not be carried over:" in found.sentences
    assert f"- {finding}" in found.sentences


def test_a_preset_has_its_own_run_and_peak():
    found = explain("gpt3")
    assert math.isclose(found.lines[0].peak, 6e-5, rel_tol=1e-6), "between two updates it is a token's worth higher"
    assert "93,750 updates (300,000,000,000 tokens)" in found.sentences[0]


def test_a_clock_that_knows_no_update_is_told_in_its_ticks():
    found = explain("warmup('30 min') >> decay()", run=ph.Run(total="6 h", clock="second"))
    assert "21,600 seconds" in found.sentences[0]
    assert "The factor rises linearly from 0 to 1 over 1,800 seconds (8.33 %)." in found.sentences


def test_all_of_it_is_data_for_a_program_and_a_picture_for_a_notebook():
    found = explain("warmup(9) >> decay(91)", peak=0.1, weight_decay=0.1)
    read = json.loads(json.dumps(found.to_dict()))
    assert read["lines"][0]["phases"][0]["does"] == "rises linearly"
    assert read["lines"][0]["run"]["area"] == found.lines[0].all.area
    page = found._repr_html_()
    assert "<svg" in page
    assert "The rate rises linearly from 0 to 0.1 over 9 updates (9 %)." in page


@pytest.mark.parametrize(
    ("given", "more", "what"),
    [
        ("absolute(hold(0.1))", {"peak": 1.0}, "these are rates"),
        ("hold()", {"weight_decay": 0.1}, "give peak="),
        ("absolute(hold(0.1))", {"weight_decay": 0}, "must be above 0"),
        ("absolute(hold(0.1))", {"weight_decay": 10.0}, "rate × weight decay is 1 or more at update 0"),
        ("absolute(ramp(0, -1, 9))", {"weight_decay": 0.1}, "is below 0 at update 1"),
        (
            '{"lr": "absolute(hold(0.1))", "weight_decay": "absolute(hold(0.1))"}',
            {"weight_decay": 0.1},
            "the weight decay itself",
        ),
        ('{"lr": "hold()", "weight_decay": "warmup(5000)"}', {}, "the line 'weight_decay'"),
        (f"hold(1, {MOST + 1})", {"run": None}, "at most 16,777,216"),
        (
            "absolute(hold(0.1))",
            {"weight_decay": 0.1, "run": ph.Run(total=90, clock="epoch")},
            "how many updates one epoch has is not known",
        ),
        ("no_such_preset", {}, "no_such_preset"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_refused_with_what_to_write(given, more, what):
    with pytest.raises(ph.PreheatError, match=what.replace("(", r"\(")):
        explain(given, **({"run": RUN} | more))


def test_shares_are_written_with_three_digits():
    assert [share(x) for x in (0, 0.5, 1, 1 / 3, 0.00012345)] == ["0 %", "50 %", "100 %", "33.3 %", "0.0123 %"]
    assert share(1, 0) == "–"


def test_phases_of_a_long_list_are_cut_in_the_table_and_kept_in_the_numbers():
    found = explain("steps([" + ", ".join(map(str, range(1, 31))) + "], [" + "3, " * 29 + "3])")
    assert len(found.lines[0].phases) == 30
    assert found.rows()[-1][0] == "and 18 more"
    assert "And so on: 24 more phases." in found.sentences
    assert phases_of(found.lines[0].line, found.lines[0].line.values()) == found.lines[0].phases


@pytest.mark.parametrize(
    "text", ["hold(0, 10)", "hold(-1, 10)", "hold(1e308, 100)", "ramp(-1, 1, 7)", "hold(1, 1)", "hold()"]
)
def test_odd_values_are_told_too(text):
    assert "in all, a mean of" in " ".join(explain(f"absolute({text})").sentences)


def test_the_sentences_of_a_constant_and_of_a_sum_without_end():
    assert "It has the value 0.1 throughout." in explain("absolute(hold(0.1, 10))").sentences
    assert only("absolute(hold(1e308, 100))").all.area == math.inf


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("warmup(5) >> hold(1, 0.4 ticks) >> decay()", 10),
        ("lower(warmup(10), decay(100))", 100),
        ("(warmup(10) >> decay()) * (hold(1, 50) >> decay())", 100),
        ("(warmup(10) >> decay()) * hold(3e-4)", 100),
    ],
)
def test_a_phase_ends_where_the_next_begins_unless_the_value_jumps(text, total):
    one = only(text, run=ph.Run(total=total))
    assert one.phases[-1].ends == one.after == 0
    for phase, following in zip(one.phases, one.phases[1:], strict=False):
        assert phase.ends == following.begins


def test_a_jump_is_no_rounding():
    assert only("hold(1, 5) >> hold(0.9999999, 5)").phases[0].ends == 1
    assert only("ramp(0, 1, 5) >> hold(0.5, 5)").phases[0].ends == 1


def test_what_goes_up_and_down_has_its_least_and_greatest_value_in_the_table():
    found = explain("(warmup(10) >> decay(90)).repeated(3)", peak=0.1)
    assert found.rows()[1][:3] == ("0 … 299", "100 %", "0 to 0.1")
    assert "moves between 0 and 0.1" in " ".join(found.sentences)


def test_a_run_of_no_update_is_refused():
    with pytest.raises(ph.PreheatError, match="give a total of at least 1"):
        ph.explain("decay()", run=ph.Run(total=0))
