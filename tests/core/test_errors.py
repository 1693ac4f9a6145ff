"""A refusal is its parts: what is wrong, what was given, what to write instead; and its text is made of them."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from preheat import (
    BindError,
    ParseError,
    Plan,
    PreheatError,
    Run,
    StateError,
    absolute,
    from_dict,
    hold,
    parse,
    recipes,
)
from preheat.core.errors import on_one_line, plural, shown
from preheat.core.shapes import power
from preheat.session import Plateau, Rewarm, Session
from preheat.session.rules import rule_from_data
from preheat.torch import Scheduler

KINDS = (PreheatError, ParseError, BindError, StateError)
TEXT = st.text(max_size=20)
GIVEN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT, st.lists(TEXT, max_size=9))


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1)], lr=0.1)


REFUSALS: list[tuple[Callable[[], Any], object, str]] = [
    (lambda: from_dict([1]), [1], ""),
    (lambda: power(1000), 1000, ""),
    (lambda: hold().repeated(2**60), 2**60, "write a number up to 2^53"),
    (lambda: parse("hold() >> hold()"), None, "give spans; in 'hold() >> hold()'"),
    (lambda: recipes.wsd(decay_ratio=2), 2, "write decay_ratio=0.05, or decay_steps=2000"),
    (lambda: recipes.multistep(7), 7, "write [7]"),
    (lambda: recipes.scaled_adam(0.1, 0.9, base_batch=1, batch=2), 0.9, "write betas=(0.9, 0.999)"),
    (lambda: Rewarm("loss", backoff=1), 1, ""),
    (lambda: rule_from_data([]), [], "write 'Plateau' or "),
    (lambda: Session(hold(), rules=[Plateau("loss")]).observe(0.5), 0.5, "write for example {'loss': 0.1}"),
    (lambda: Session(hold(1.0, 9)).extend(20), None, "write what is to come: s >> …"),
    (lambda: Scheduler(optimizer(), hold()).step(3), 3, "write step(metrics={'loss': …}) for a metric; load_state"),
    (lambda: Scheduler(optimizer(), hold(), scaler=5), 5, ""),
    (lambda: Scheduler(optimizer(), hold(), on_device=True), None, "write torch.tensor(0.1) on the device"),
]


def refusal(act: Callable[[], Any]) -> PreheatError:
    with pytest.raises(PreheatError) as caught:
        act()
    return caught.value


def parts(error: PreheatError) -> tuple[object, ...]:
    return type(error), str(error), error.what, error.given, error.write, error.hint


@given(kind=st.sampled_from(KINDS), what=TEXT, value=GIVEN, write=TEXT, hint=TEXT)
def test_the_text_is_made_of_the_parts_and_copies_keep_them(kind, what, value, write, hint):
    for values in ({}, {"given": value}):
        error = kind(what, **values, write=write, hint=hint)
        assert error.reason == what + "".join(f", not {shown(given)}" for given in values.values())
        assert str(error) == error.reason + (f"; {write}" if write else "")
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert parts(again) == parts(error)


@pytest.mark.parametrize(("act", "value", "write"), REFUSALS, ids=range(len(REFUSALS)))
def test_a_refusal_carries_what_was_given_and_what_to_write(act, value, write):
    error = refusal(act)
    assert error.given == value
    assert error.write.startswith(write) if write else error.write == ""
    assert str(error) == error.reason + (f"; {error.write}" if error.write else "")
    assert error.reason.endswith(f", not {shown(value)}") or value is None


SAVED = [
    ("plan", '{"lr": "table([])"}', "write table([0.1, 0.2]); in 'table([])'", ""),
    ("run", '{"total": "5%"}', "write Run(total=10_000)", "fixed_total"),
    ("rules", '[{"rule": 1, "state": {}}]', "write 'Plateau' or ", ""),
    ("last_epoch", -2, "", ""),
]


@pytest.mark.parametrize(("key", "value", "write", "hint"), SAVED)
def test_the_parts_survive_a_state_around_them(key, value, write, hint):
    session = Session(hold())
    error = refusal(lambda: session.load_state_dict(session.state_dict() | {key: value}))
    assert (type(error), error.hint) == (StateError, hint)
    assert error.write.startswith(write) if write else error.write == ""
    assert str(error) == error.reason + (f"; {error.write}" if error.write else "")


def test_what_was_given_need_not_travel() -> None:
    error = pickle.loads(pickle.dumps(refusal(lambda: hold(lambda: 1))))
    assert str(error).startswith("the value of a hold must be a number, not <function")
    assert str(error.given).startswith("<function")


def test_one_is_one_and_all_else_is_several():
    assert [plural(count, "update") for count in (0, 1, 2, 2000)] == [
        "0 updates",
        "1 update",
        "2 updates",
        "2,000 updates",
    ]
    assert plural(3, "loss") == "3 losses"


@given(st.text())
def test_text_of_elsewhere_moves_no_cursor(text):
    assert on_one_line(text).isprintable()
    assert len(on_one_line(text)) == len(text)


LONG = " >> ".join(
    ["(warmup(500) >> decay()).clipped(0.1, 0.9)".replace("decay()", f"decay({n})") for n in range(101, 104)]
)
WRITTEN: list[Callable[[], Any]] = [
    lambda: Scheduler(optimizer(), "(warmup(500) >> decay()).clipped(0.1, 0.9)", run=Run(total=10_000)),
    lambda: Scheduler(optimizer(), LONG, run=Run(total=10_000)),
    lambda: Scheduler(optimizer(), Plan({"lr": "decay()", "weight_decay": LONG}), run=Run(total=10_000)),
    lambda: parse(LONG).bind(Run(total=10_000), peak=3e-4),
    lambda: parse(LONG) >> absolute(LONG),
    lambda: absolute(LONG) + parse(LONG),
    lambda: parse(LONG) >> LONG,
    lambda: LONG >> parse(LONG),
    lambda: parse(LONG) * LONG,
    lambda: LONG * parse(LONG),
    lambda: LONG + parse(LONG),
    lambda: LONG - parse(LONG),
    lambda: parse(LONG) - LONG,
    lambda: recipes.multistep(LONG),
    lambda: recipes.wsd(f"{'1' * 90} tokens"),
    lambda: Scheduler(optimizer(), f"{LONG} >> ramp(1, -1, 50)", run=Run(total=10_000)),
]


@pytest.mark.parametrize("act", WRITTEN)
def test_what_is_to_be_written_instead_is_never_cut(act):
    """Every bracket and quote in it closes; where the text is too long it is spoken of, not begun."""
    write = refusal(act).write
    assert write
    assert "…" not in write.replace("(…)", "()").replace(", …)", ")")
    assert write.count("'") % 2 == 0
    for opening, closing in ("()", "[]"):
        assert write.count(opening) == write.count(closing)


def test_a_schedule_that_is_too_long_to_be_repeated_is_put_in_brackets():
    write = refusal(
        lambda: parse("(warmup(500) >> decay()).clipped(0.1, 0.9)").bind(Run(total=10_000), peak=3e-4)
    ).write
    assert write.startswith("write absolute(…) around all of it if these are the values themselves, relative(…) if")


@pytest.mark.parametrize(
    "value",
    [
        *(
            [],
            [1],
            (),
            (1,),
            {},
            {"a": [1, (2,), {3}]},
            set(),
            {1},
            frozenset([1]),
            frozenset(),
            "it's",
            b"x",
            "x" * 500,
        ),
        *(10**50, 10**200, -(10**200), 3**4000, True, None, 1.5, [[["deep"] * 50] * 50]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_quoted_is_the_beginning_of_its_repr(value):
    text = repr(value)
    assert shown(value) == (text if len(text) <= 80 else text[:79] + "…")


def test_what_holds_itself_or_one_thing_often_is_quoted_at_once():
    often: list = ["x"] * 9
    for _ in range(40):
        often = [often] * 9
    assert len(shown(often)) == len(shown({"a": (often,)}, 200)) - 120 == 80
    own: list = []
    own.append(own)
    pair: dict = {1: own}
    pair[2] = pair
    assert (shown(own), shown(pair)) == (repr(own), repr(pair))
    assert shown(10**5000).startswith("1000")
