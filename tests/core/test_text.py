"""Text as it is written in shells and YAML, and everything else that can be meant by a schedule."""

import json
import re
from collections import UserDict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import shallow

import preheat as ph
from preheat import ParseError, PreheatError

# what is written, and what it is with quotes
SAME = {
    "warmup(5%) >> hold(rest) >> decay(20%, shape=cosine)": "warmup('5%') >> hold(1.0, 'rest') >> decay('20%', shape='cosine')",
    # lengths
    "ramp(0, 1, 5%)": "ramp(0, 1, '5%')",
    "ramp(0, 1, 5 %)": "ramp(0, 1, '5%')",
    "ramp(0, 1, 33.3%)": "ramp(0, 1, '33.3%')",
    "ramp(0, 1, .5%)": "ramp(0, 1, '0.5%')",
    "ramp(0, 1, '.5%')": "ramp(0, 1, '0.5%')",
    "ramp(0, 1, 5.%)": "ramp(0, 1, '5%')",
    "ramp(0, 1, 2 epochs)": "ramp(0, 1, '2 epochs')",
    "ramp(0, 1, 2epochs)": "ramp(0, 1, '2 epochs')",
    "ramp(0, 1, 1 epoch)": "ramp(0, 1, '1 epoch')",
    "ramp(0, 1, 0.5 epochs)": "ramp(0, 1, '0.5 epochs')",
    "ramp(0, 1, .5 epochs)": "ramp(0, 1, '0.5 epochs')",
    "ramp(0, 1, 1.5B tokens)": "ramp(0, 1, '1.5B tokens')",
    "ramp(0, 1, 1.5 B tokens)": "ramp(0, 1, '1.5B tokens')",
    "ramp(0, 1, 10 k steps)": "ramp(0, 1, '10k steps')",
    "ramp(0, 1, 10k steps)": "ramp(0, 1, '10k steps')",
    "ramp(0, 1, 1_000 steps)": "ramp(0, 1, '1000 steps')",
    "ramp(0, 1, 1e3 steps)": "ramp(0, 1, '1000 steps')",
    "ramp(0, 1, 10k)": "ramp(0, 1, 10000)",
    "ramp(0, 1, 2 M)": "ramp(0, 1, 2000000)",
    "ramp(0, 1, 1e3)": "ramp(0, 1, 1000)",
    "ramp(0, 1, .5)": "ramp(0, 1, 0.5)",
    "ramp(0, 1, 6 h)": "ramp(0, 1, '6 h')",
    "ramp(0, 1, 90 min)": "ramp(0, 1, '90 min')",
    "ramp(0, 1, 1d)": "ramp(0, 1, '1 d')",
    "ramp(0, 1, 30s)": "ramp(0, 1, '30 s')",
    "ramp(0, 1, 512 samples)": "ramp(0, 1, '512 samples')",
    "ramp(0, 1, span=5%)": "ramp(0, 1, '5%')",
    "ramp(0, 1, 5%, shape=cosine)": "ramp(0, 1, '5%', 'cosine')",
    "ramp(0, 1, 2 k, shape=cosine)": "ramp(0, 1, 2000, 'cosine')",
    "hold(20%)": "hold(1.0, '20%')",
    "hold(rest)": "hold(1.0, 'rest')",
    "hold('20%')": "hold(1.0, '20%')",
    "hold(10 epochs)": "hold(1.0, '10 epochs')",
    "hold(10k)": "hold(1.0, 10000)",
    "hold(0.5)": "hold(0.5, 'rest')",
    "hold(1, 0.5 ticks)": "ramp(0, 0, 1) >> hold(1, '0.5 ticks')",
    "warmup(.5 ticks)": "ramp(0, 1, 0.5)",
    "warmup(10 ticks)": "warmup(10)",
    "warmup(1e-9 ticks)": "ramp(0, 1, 1e-9)",
    "steps([1, 0.1], [30 epochs, rest])": "steps([1, 0.1], ['30 epochs', 'rest'])",
    "multistep([30 epochs, 60 epochs])": "multistep(['30 epochs', '60 epochs'])",
    "decay(10).truncated(50%)": "decay(10).truncated('50%')",
    "invsqrt(10k steps)": "invsqrt('10k steps')",
    "cosine(10k, warmup_steps=1k)": "cosine(10000, warmup_steps=1000)",
    # names
    "decay(shape=cosine)": "decay(shape='cosine')",
    "decay(shape=mirror-cosine)": "decay(shape='mirror-cosine')",
    "decay(shape=1-sqrt)": "decay(shape='sqrt')",
    "decay(shape = smooth )": "decay(shape='smooth')",
    "ramp(1, 0, rest, sqrt)": "ramp(1, 0, 'rest', 'sqrt')",
    "decay(shape=reverse(sqrt))": "decay(shape=reverse('sqrt'))",
    "decay(shape=power(2))": "decay(shape=power(2))",
    "wsd(shape=linear)": "wsd(shape='linear')",
    "cosine()": "cosine(None)",
    "cosine(None)": "cosine()",
    "absolute(hold(3e-4, 5%))": "absolute(hold(3e-4, '5%'))",
    "relative(ramp(10, 1, 5%))": "relative(ramp(10, 1, '5%'))",
}

# what is written, and words of the refusal
REFUSED = {
    "warmup(5e)": "column 8: unknown unit 'e'",
    "warmup(5 m)": "column 8: unknown unit 'm'",
    "warmup(2 K)": "column 8: unknown unit 'K'",
    "warmup(5 epoches)": "did you mean 'epoch",
    "warmup(10ksteps)": "unknown unit 'ksteps'",
    "warmup(-5%)": "column 8: cannot read the span '-5%'",
    "warmup(+5 steps)": "column 8: cannot read the span '[+]5steps'",
    "warmup(5%%)": "column 10: ',' or '[)]' must stand here, not '%'",
    "warmup(5 steps steps)": "column 16: ',' or '[)]' must stand here, not 'steps'",
    "warmup(5 start=0.1)": "column 10: ',' or '[)]' must stand here, not 'start'",
    "warmup(5 k start=0.1)": "column 12: ',' or '[)]' must stand here, not 'start'",
    "warmup(1e400 steps)": "column 8: the span '1e400steps' cannot be read|too many digits",
    "warmup(10 20)": "',' or '[)]' must stand here, not '20'",
    "warmup(3": r"column 9: '\)' must stand here, not the end",
    "steps([1, 2": "column 12: '\\]' must stand here, not the end",
    "decay(10]": r"column 9: ',' or '\)' must stand here, not '\]'",
    "warmup(": "column 8: an argument of warmup must stand here, not the end; warmup takes span, start, shape",
    "decay(": r"column 7: an argument of decay or '\)' must stand here, not the end; decay takes span, to, shape",
    "decay().clipped(": r"an argument of clipped or '\)' must stand here, not the end; clipped takes low, high",
    "decay(to=0.1,": r"column 14: an argument of decay or '\)' must stand here, not the end",
    "decay(to=": "column 10: the value of to must stand here, not the end",
    "decay(t": "column 7: unknown name 't'; did you mean 'to='",
    "decay(to": "column 7: to is an argument of decay, and has no value here; write to=…",
    "decay(shape)": "column 7: shape is an argument of decay, and has no value here; write shape=…",
    "decay().clipped(low": "low is an argument of clipped, and has no value here; write low=…",
    "wsd(warmup_st)": "unknown name 'warmup_st'; did you mean 'warmup_steps='",
    "decay(foo)": "column 7: unknown name 'foo'; decay takes span, to, shape",
    "decay(shape=foo)": "column 13: unknown name 'foo'; known: 1-sqrt",
    "warmup(rest%)": "must stand here, not '%'",
    "warmup(0.05)": r"warmup=0.05 is less than one update; write '5%' for a share of the run, or '0.05 ticks'",
    "warmup('0.05')": r"warmup=0.05 is less than one update; write '5%'",
    "hold('0.5')": r"hold=0.5 is less than one update; write '50%'",
    "restarts(0.25)": "cycle_steps=0.25 is less than one update; write '25%'",
    "step_decay(0.3)": "hold=0.3 is less than one update; write '30%'",
    "multistep([0.5, 0.75])": "milestones=0.5 is less than one update; write '50%'",
    "decay(0.2)": r"write '20%' for a share of the run, or '0.2 ticks'",
    "hold(1, 0.3)": r"hold=0.3 is less than one update; write '30%'",
    "ramp(5%, 1, 10)": "the start of a ramp must be a number, not '5%'",
    "ph.warmup('5%') >> ph.decay()": r"column 1: words stand here without their module, ph; write warmup;",
    "warmup(10) >> preheat.decay()": r"column 15: words stand here without their module, preheat; write decay;",
    "lower(ph.decay(5), hold(1))": r"column 7: words stand here without their module, ph; write decay;",
    "decay(shape=nn.cosine)": "column 13: words stand here without their module, nn; write cosine;",
    "decay(10, shape=cosin)": "column 17: unknown name 'cosin'; did you mean 'cosine'",
    "decay(10, shape=power)": "column 17: power must be followed by '[(]'",
    "decay(k)": "column 7: unknown name 'k'",
    "cosine": r"'cosine' is not a schedule; as a schedule write cosine\(\)",
    "linear >> decay()": r"column 8: '>>' follows a schedule, and linear is none; write linear\(\)",
    "decay(5) >> cosine": r"column 13: cosine must be followed by '\('; write cosine\(",
    "warmup >> decay()": r"column 1: warmup must be followed by '\('; write warmup\(",
    "sqrt": "'sqrt' is not a schedule",
    "rest": "'rest' is not a schedule",
    "5%": "'5%' is not a schedule",
    "0.1": "'0.1' is not a schedule",
    "0.1 >> decay()": r"column 5: '>>' follows a schedule, and 0.1 is none; write hold\(0.1\)",
    "decay(5) >> 0.1": r"column 13: a schedule must stand here, not '0.1'; write hold\(0.1\)",
    "warmup(10) > decay()": "column 12: '>' has no meaning here; write >> for what follows",
    "decay(5) - decay(6)": r"column 10: '-' has no meaning here; write a \+ b.scaled\(-1\)",
    "5 % decay()": "'decay' is left over",
    "decay(5).scaled": r"scaled must be followed by '\('",
    "'warmup(5)'": "is not a schedule",
    "absolute(0.1)": r"column 1: a schedule is needed, and 0.1 is a number; write absolute\(hold\(0.1\)\)",
    "absolute(relative(decay()))": "write one of them",
    "lower(absolute(hold(1)), hold(1))": "factors or rates, not both",
}


@pytest.mark.parametrize("text", SAME)
def test_what_stands_bare_is_what_it_is_in_quotes(text):
    expected = ph.parse(SAME[text])
    found = ph.parse(text)
    if text == "hold(1, 0.5 ticks)":  # a length below one tick has its unit
        expected = expected.parts[1]
    assert found == expected
    assert type(found) is type(expected)
    assert ph.parse(repr(found)) == found


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_meant_is_refused_with_its_column(text):
    with pytest.raises(ParseError, match=REFUSED[text]):
        ph.parse(text)


@given(
    st.one_of(st.integers(1, 10**6), st.floats(0.01, 1e6).map(lambda x: round(x, 3))),
    st.sampled_from(["%", " epochs", "k", "M steps"]),
)
def test_a_bare_length_is_the_quoted_one(amount, unit):
    assert ph.parse(f"ramp(0, 1, {amount}{unit})") == ph.ramp(0, 1, f"{amount}{unit}")


@pytest.mark.parametrize(
    "word", [ph.warmup, ph.decay, lambda span: ph.hold(1, span), lambda span: ph.steps([1, 2], [span, 5])]
)
@pytest.mark.parametrize(
    "span", [0.05, 0.5, 0.999, 1e-9, np.float32(0.05), np.float64(0.5), Fraction(1, 20), "0.05", " .5 "]
)
def test_a_share_as_a_bare_number_is_refused(word, span):
    with pytest.raises(PreheatError, match=r"is less than one update; write '.*%' for a share of the run"):
        word(span)
    assert word(f"{float(span)} ticks").bind(ph.Run(total=100))
    assert word(ph.Span(span)).bind(ph.Run(total=100))
    assert word(1.5).bind(ph.Run(total=100))
    assert ph.ramp(0, 1, span).length == pytest.approx(float(span))


PLAN = ph.Plan(
    {"lr": ph.warmup(10) >> ph.decay(), "weight_decay": ph.absolute(ph.hold(0.1)), "head/lr": ph.relative(ph.hold(3))}
)
LINES = {"lr": "warmup(10) >> decay()", "weight_decay": "absolute(hold(0.1))", "head/lr": "relative(hold(3))"}


@pytest.mark.parametrize(
    "given",
    [
        PLAN,
        LINES,
        json.dumps(LINES),
        UserDict(LINES),
        dict(PLAN),
        ph.to_dict(PLAN),
        json.dumps(ph.to_dict(PLAN)),
        PLAN.to_text(),
        UserDict({key: UserDict(value) for key, value in ph.to_dict(PLAN).items()}),
        "\n  " + json.dumps(LINES, indent=1),
    ],
)
def test_a_plan_is_read_from_all_that_can_mean_it(given):
    assert ph.parse(given) == PLAN
    assert ph.Plan(given) == PLAN
    assert repr(ph.parse(given)) == repr(PLAN)
    assert ph.from_dict(ph.to_dict(PLAN)) == PLAN


@pytest.mark.parametrize(
    "given", ["warmup(10)", ph.warmup(10), ph.to_dict(ph.warmup(10)), json.dumps(ph.to_dict(ph.warmup(10)))]
)
def test_one_schedule_is_read_from_all_that_can_mean_it(given):
    assert ph.parse(given) == ph.warmup(10)
    assert ph.Plan(given) == ph.Plan(ph.warmup(10))
    assert ph.Plan({"lr": given}) == ph.Plan(ph.warmup(10))


@given(shallow)
def test_parse_is_idempotent(s):
    for value in (s, ph.absolute(s), ph.relative(s), ph.Plan(s)):
        assert ph.parse(value) is value
        assert ph.parse(ph.parse(ph.to_dict(value))) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"lr": "decay(5)", "lr": "decay(6)"}', "'lr' stands twice in one object; keep one of them"),
        ('{"lr": {"kind": "hold", "value": 1, "value": 2, "span": 5}}', "'value' stands twice"),
        ('{"lr": {"lr": "decay(5)"}}', "the line 'lr': one schedule is needed here, not a plan's lines by name"),
        ('{"lr": "warmup(10) > decay()"}', "the line 'lr': column 12: '>' has no meaning here; write >>"),
        ('{"lr": 3}', r"the line 'lr': a schedule is needed, and 3 is a number; write absolute\(hold\(3\)\)"),
        ('{"lr": null}', "the line 'lr': a schedule is needed, or its text, not None"),
        ("{}", "a plan is a mapping from hyper-parameters to schedules"),
        ("{", "cannot read '{' as JSON"),
        ('{"lr": NaN}', "nan is a number"),
        ('{"kind": "plan"}', "unknown kind 'plan'"),
        ('{"kind": 3}', "a schedule as data is a mapping with a 'kind'"),
        ('{"kind": "absolute"}', "absolute lacks schedule"),
        ('{"kind": "hold", "value": 1}', "hold lacks span; write for example span: 100, '5%' or 'rest'"),
        ('{"kind": "absolute", "schedule": "decay()"}', "a schedule as data is a mapping"),
        ('{"kind": "absolute", "schedule": {"kind": "relative", "schedule": {}}}', "stands outside of it"),
        ('{"kind": "scaled", "factor": 2, "base": {"kind": "absolute", "schedule": {}}}', "stands outside of it"),
        ('{"lr": "decay(' + " " * 300_000 + ')"}', "the text has 300017 characters; at most 262144"),
        ("{" * 100_000, "as JSON"),
    ],
)
def test_data_that_cannot_be_meant_is_refused(text, words):
    with pytest.raises(PreheatError, match=words):
        ph.parse(text)


def test_a_word_that_is_not_called_is_told():
    with pytest.raises(PreheatError, match=r"cosine is the function that makes a schedule; call it: cosine\("):
        ph.Plan({"lr": ph.cosine})


def test_the_deepest_schedule_is_read_in_what_states_it():
    s = ph.warmup(10)
    for _ in range(30):
        s = s.repeated(2).scaled(0.5) if s._depth < 31 else s
    while s._depth < 32:
        s = s.shifted(1)
    for value in (ph.absolute(s), ph.relative(s)):
        assert ph.parse(repr(value)) == value
        assert ph.from_dict(ph.to_dict(value)) == value


@pytest.mark.parametrize(
    "joined",
    [
        lambda s: s >> "decay(5)",
        lambda s: "decay(5)" >> s,
        lambda s: s * "decay(5)",
        lambda s: ph.absolute(s) >> "decay(5)",
    ],
)
def test_operators_take_no_text_and_say_what_reads_it(joined):
    with pytest.raises(PreheatError, match=r"write .*parse\('decay\(5\)'\)"):
        joined(ph.warmup(10))


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("warmup(1,000) >> decay()", "write 1000 or 1_000"),
        ("warmup(007)", "write 7;"),
        ("ramp(0, 00.5, 10)", r"write 0\.5;"),
        ("warmup(05%)", "write 5;"),
        ("warmup('0100')", "write '100'"),
        ("warmup('00.5%')", r"write '0\.5%'"),
    ],
)
def test_a_number_does_not_begin_with_a_zero(text: str, write: str) -> None:
    with pytest.raises(ph.ParseError, match=f"begins with a 0.*{write}"):
        ph.parse(text)


def test_a_difference_and_a_percentage_for_a_value_are_told_what_to_write() -> None:
    with pytest.raises(ph.ParseError, match=r"there is no minus.*write hold\(1\) \+ decay\(…\)\.scaled\(-1\)"):
        ph.parse("1-decay()")
    with pytest.raises(ph.ParseError, match=r"must be a number, not '10%'; write 0\.1: a percentage is a length"):
        ph.parse("decay(to=10%)")


def test_updates_are_steps() -> None:
    assert ph.parse("warmup(100 updates) >> hold(1, 1k updates)") == ph.parse("warmup(100 steps) >> hold(1, 1k steps)")
    assert ph.Span("1 update") == ph.Span("1 step")


def test_an_argument_that_is_not_known_is_named() -> None:
    with pytest.raises(ph.ParseError, match=r"warmup has no argument 'length'.*known: shape, span, start"):
        ph.parse("warmup(length=5%)")


@pytest.mark.parametrize(
    "text", ["warmup(5%) >> decay(to=0.1, shape=power(2))", "steps([1, 0.1], [5%, rest]).clipped(0.2)", "wsd()"]
)
def test_a_bracket_that_is_said_to_be_missing_goes_on_when_it_is_written(text):
    """While a text is typed: whoever writes the sign that must stand at the end comes to a schedule, or to another lack."""
    for end in range(1, len(text)):
        typed = text[:end]
        while (wanted := _missing(typed)) and len(typed) < end + 4:
            typed += wanted
        assert _missing(typed) == ""


def _missing(text: str) -> str:
    try:
        ph.parse(text)
    except PreheatError as error:
        found = re.search(r"column \d+: '(.)' must stand here, not the end", str(error))
        return found[1] if found else ""
    return ""
