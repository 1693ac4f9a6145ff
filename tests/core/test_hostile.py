"""Whatever comes in is answered by a schedule or a PreheatError: never a crash, a hang or an evaluation."""

import json
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import written

import preheat as ph

TEXTS = [
    "",
    " ",
    "\0",
    "hold(1)\0",
    "\ud800",
    "hold(٣)",  # an Arabic digit
    "hold(１)",  # a full-width digit
    "hοld(1)",  # a Greek o
    "hold(nan)",
    "hold(inf)",
    "hold(-inf)",
    "hold(Infinity)",
    "hold(1e999)",
    "hold(1_)",
    "hold(True)",
    "hold(None)",
    "hold(1j)",
    "hold(0x10)",
    "hold(1) >>",
    ">> hold(1)",
    "hold(1) hold(1)",
    "hold(1,,2)",
    "hold(1",
    "hold 1)",
    "hold(value=1, value=2)",
    "hold(value=1, 2)",
    "hold(1, 2, 3)",
    "hold(novalue=1)",
    "hold(1).__class__",
    "hold(1).__reduce__()",
    "hold(1).bind(1)",
    "hold(1).scaled",
    "hold(1).scaled(hold(1))",
    "hold(1) * 2",
    "2 * hold(1)",
    "3",
    "[1]",
    "'rest'",
    "power(2)",
    "__import__('os').system('true')",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "lambda: 1",
    "hold(1) if 1 else hold(2)",
    "(lambda: hold(1))()",
    "hold(1); hold(2)",
    "hold(1) # comment",
    "hold('one')",
    "hold(1, '5 parsecs')",
    "hold(1, '-5%')",
    "hold(1, '1e99 steps')",
    "hold(1, '5%%')",
    "hold(1, '٣ steps')",
    "hold(1, '5%\\n')",
    'hold(1, "5%\n")',
    "ramp(0, 1, 5, shape='linaer')",
    "ramp(0, 1, 5, shape=hold(1))",
    "ramp(0, 1, 5, shape='hold(1)')",
    "ramp(0, 1, 5, 'exponential')",
    "ramp(0, 1, 5, power(1e9))",
    "reverse('exponential')",
    "table([])",
    "table([[1]])",
    "table([hold(1)])",
    "table('abc')",
    "steps([1], [])",
    "steps([1, 2], ['rest', 'rest'])",
    "lower(hold(1))",
    "upper()",
    "hold(1).repeated(0)",
    "hold(1, 5).repeated(1.5)",
    "hold(1).repeated()",
    "hold(1, 5).repeated(10000000, stretch=2)",
    "hold(1, 5).repeated(5, stretch=0)",
    "hold(1, 5).repeated(shrink=-2)",
    "hold(1, 5).repeated() >> hold(1)",
    "hold(1) >> hold(1, 5).repeated()",
    "hold(1).truncated('rest')",
    "hold(1).clipped(2, 1)",
    "hold(1) >> hold(2)",
    "hold(1, 1e300)",
    "hold(1, -1)",
    "invsqrt(0)",
    "invsqrt('rest')",
    "rectified(0.5)",
    "rectified(1)",
    "(" * 10_000,
    "(" * 10_000 + "hold(1)" + ")" * 10_000,
    "[" * 10_000,
    "lower(" * 10_000,
    "hold(1)" + ".scaled(2)" * 10_000,
    "hold(1)" + ".scaled(2" * 10_000,
    "hold(" + "9" * 100_000 + ")",
    "hold(1e" + "9" * 100_000 + ")",
    "hold(0." + "9" * 100_000 + ")",
    "a" * 200_000,
    "'" * 100_001,
    "hold(1, '" + "5" * 100_000 + "')",
    ">" * 100_000,
    "hold(1) >> " * 50_000,
    "x" * 5_000_000,
    " " * 5_000_000,
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:40]))
def test_hostile_text_is_refused_quickly_with_a_sentence(text: str) -> None:
    start = time.process_time()
    with pytest.raises(ph.PreheatError) as refusal:
        ph.parse(text)
    assert time.process_time() - start < 2
    assert 10 < len(str(refusal.value)) < 2000


@pytest.mark.parametrize("value", [None, 1, 0.1, b"hold(1)", ["hold(1)"], {}, Path("hold(1)"), ph.cosine, ph.Run(9)])
def test_what_cannot_be_a_schedule_is_refused(value: object) -> None:
    with pytest.raises(ph.PreheatError, match=r"a schedule|a plan is a mapping"):
        ph.parse(value)


@given(st.text(max_size=60))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    _either(ph.parse, text)
    _either(ph.Span, text)


@given(written, st.data())
def test_a_schedule_with_a_slip_of_the_pen_is_a_schedule_or_refused(s: ph.Schedule, data: st.DataObject) -> None:
    text = repr(s)
    at = data.draw(st.integers(0, len(text) - 1))
    slip = data.draw(st.sampled_from(["", "(", ")", "'", ",", ".", ">>", "*", "9", "e", "-", "\0", "é", " ", "=", "["]))
    _either(ph.parse, text[:at] + slip + text[at + data.draw(st.integers(0, 2)) :])


def test_the_column_and_the_nearest_word_are_named() -> None:
    with pytest.raises(ph.ParseError, match=r"column 14: unknown word 'hodl'; did you mean 'hold'\?"):
        ph.parse("warmup(5) >> hodl()")
    with pytest.raises(ph.ParseError, match=r"unknown unit 'epcohs'.*did you mean 'epochs'\?"):
        ph.Span("5 epcohs")
    with pytest.raises(ph.PreheatError, match=r"unknown shape 'cosin'; did you mean 'cosine'\?"):
        ph.decay(5, shape="cosin")


DATA = [
    None,
    3,
    "hold(1)",
    [],
    {},
    {"kind": None},
    {"kind": []},
    {"kind": "warmup"},
    {"kind": "__class__"},
    {"kind": "hold"},
    {"kind": "hold", "value": 1.0, "span": 5, "extra": 1},
    {"kind": "hold", "value": 1.0, "span": 5, 7: 1},
    {"kind": "hold", "value": True, "span": 5},
    {"kind": "hold", "value": "1", "span": 5},
    {"kind": "hold", "value": float("nan"), "span": 5},
    {"kind": "hold", "value": 10**400, "span": 5},
    {"kind": "hold", "value": 1.0, "span": [5]},
    {"kind": "hold", "value": 1.0, "span": {}},
    {"kind": "hold", "value": 1.0, "span": float("inf")},
    {"kind": "hold", "value": 1.0, "span": 10**400},
    {"kind": "hold", "value": 1.0, "span": True},
    {"kind": "ramp", "start": 0, "end": 1, "span": 5, "shape": []},
    {"kind": "ramp", "start": 0, "end": 1, "span": 5, "shape": "(" * 10_000},
    {"kind": "ramp", "start": 0, "end": 1, "span": 5, "shape": "reverse(" * 10_000},
    {"kind": "sequence", "parts": 5},
    {"kind": "sequence", "parts": []},
    {"kind": "sequence", "parts": [{"kind": "hold", "value": 1, "span": 5}]},
    {"kind": "sequence", "parts": [None, None]},
    {"kind": "sequence", "parts": {"a": 1}},
    {"kind": "product", "operands": "ab"},
    {"kind": "scaled", "base": None, "factor": 2},
    {"kind": "scaled", "base": {"kind": "hold", "value": 1, "span": 5}, "factor": None},
    {"kind": "repeated", "base": {"kind": "hold", "value": 1, "span": 5}, "times": 1e300},
    {"kind": "repeated", "base": {"kind": "hold", "value": 1, "span": 5}, "times": "5"},
    {"kind": "repeated", "base": {"kind": "hold", "value": 1, "span": 5}, "times": 10**400},
    {"kind": "table", "values": {"1": 2}},
    {"kind": "table", "values": [None]},
    {"kind": "table", "values": "123"},
    {"kind": "table", "values": [0.1] * 200_000},
]


@pytest.mark.parametrize("data", DATA, ids=lambda data: repr(data)[:50])
def test_hostile_data_is_refused_with_a_sentence(data: object) -> None:
    start = time.process_time()
    with pytest.raises(ph.PreheatError) as refusal:
        ph.from_dict(data)
    assert time.process_time() - start < 2
    assert len(str(refusal.value)) < 2000


def test_data_nested_too_deep_is_refused() -> None:
    data = {"kind": "hold", "value": 1, "span": 5}
    for _ in range(500):
        data = {"kind": "scaled", "base": data, "factor": 2}
    with pytest.raises(ph.PreheatError, match="at most 32"):
        ph.from_dict(data)
    with pytest.raises(ph.PreheatError, match="a mapping"):
        ph.from_dict(json.loads("[" * 500 + "]" * 500))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(written, st.data())
def test_data_with_one_value_replaced_is_a_schedule_or_refused(s: ph.Schedule, data: st.DataObject) -> None:
    node = whole = ph.to_dict(s)
    while True:
        key = data.draw(st.sampled_from(sorted(node)))
        below = node[key][0] if isinstance(node[key], list) and node[key] else node[key]
        if not isinstance(below, dict) or data.draw(st.booleans()):
            break
        node = below
    node[key] = data.draw(json_values)
    _either(ph.from_dict, whole)


@pytest.mark.parametrize("values", [iter(int, 1), {1.0: 2.0}, {1.0, 2.0}, np.array(1.0), np.eye(2), None, 5])
def test_a_table_needs_a_list_of_values(values: object) -> None:
    with pytest.raises(ph.PreheatError):
        ph.table(values)


class Evil:
    """An object whose every protocol raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no eq")

    __hash__ = None


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ph.ramp(x, 1, 5),
        lambda x: ph.ramp(0, 1, x),
        lambda x: ph.ramp(0, 1, 5, x),
        lambda x: ph.hold(1, 5).scaled(x),
        lambda x: ph.hold(1, 5).repeated(x),
        lambda x: ph.hold(1, 5) >> x,
        lambda x: ph.hold(1, 5) * x,
        lambda x: x * ph.hold(1, 5),
        lambda x: x >> ph.hold(1, 5),
        lambda x: ph.hold(1, 5).bind(x),
        lambda x: ph.hold(1, 5).table(x),
        lambda x: ph.hold(1, 5)(x),
        lambda x: ph.Run(total=x),
        lambda x: ph.Run(clock=x),
        lambda x: ph.Run(steps_per_epoch=x),
        lambda x: ph.power(x),
        lambda x: ph.lower(x, x),
        lambda x: ph.parse(x),
        lambda x: ph.from_dict(x),
        lambda x: ph.to_dict(x),
        lambda x: ph.steps(x, x),
        lambda x: ph.rectified(x),
    ],
)
def test_a_foreign_object_is_refused_in_our_own_words(call) -> None:
    with pytest.raises(ph.PreheatError):
        call(Evil())


def _either(read, value: object) -> None:
    try:
        result = read(value)
    except ph.PreheatError as refusal:
        assert str(refusal)  # noqa: PT017
    else:
        assert read(result if isinstance(result, ph.Span) else value) == result


@pytest.mark.parametrize(
    "part",
    ["ramp(1e-300, 1e300, 400, 'exponential')", "decay(7).repeated(9000, 1.001)", "decay(7).repeated(2000, 1.01)"],
)
def test_little_text_that_stands_for_much_work_is_refused_with_a_number(part: str) -> None:
    s = ph.parse(" >> ".join([part] * 1000))
    for act in (lambda: s.bind(ph.Run(total=2**53)), lambda: s(0), lambda: s.length):
        with pytest.raises(ph.BindError, match="made of more than 60000 pieces"):
            act()
    assert ph.parse(part).length > 0


def test_a_staircase_of_as_many_milestones_as_fit_into_a_text() -> None:
    s = ph.parse(f"multistep([{', '.join(map(str, range(1, 30_001)))}], factor=0.999)").bind(ph.Run(total=30_010))
    for t in (0, 1, 17, 5_000, 29_999, 30_000):
        assert s(t) == s.function(t) == float(Fraction(999, 1000) ** t)


def test_many_operands_that_only_hold_are_laid_out_once() -> None:
    s = ph.lower(ph.decay(7), *[ph.hold(1)] * 5_000).bind(ph.Run(total=100))
    assert s.length == 7
    assert s.operands[-1] == ph.hold(1, 7)
