"""The JSON Schema of schedules, plans and rules as data: what it accepts and refuses, beside what `from_dict` does."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import growing, trees, written_spans

import preheat as ph
from preheat.cli import main
from preheat.core.node import KINDS
from preheat.core.text.schema import schema
from preheat.session.rules import read_rules
from preheat.session.schema import rules_schema

jsonschema = pytest.importorskip("jsonschema")
SCHEDULES = jsonschema.Draft202012Validator(schema())
RULES = jsonschema.Draft202012Validator(rules_schema())
written = st.one_of(trees(written_spans, 2), growing(depth=2))
few = settings(max_examples=min(50, settings().max_examples))  # jsonschema takes its time


def reads(data: Any) -> bool:
    try:
        ph.from_dict(data)
    except ph.PreheatError:
        return False
    return True


def inside(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of data: what holds it, and its key."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from inside(value[key])


def test_the_schemas_are_schemas() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator.check_schema(rules_schema())
    assert json.loads(json.dumps(schema())) == schema()
    assert set(KINDS) < set(schema()["$defs"])
    for word, kind in KINDS.items():
        fields = schema()["$defs"][word]["properties"]
        assert [*fields] == ["kind", *kind.__match_args__]
        assert all(fields.values()), f"a field of {word} has a type that the schema does not know"


@few
@given(written)
def test_what_to_dict_gives_is_valid(s: ph.Schedule) -> None:
    for value in (s, ph.Plan({"lr": ph.relative(s), "head/betas[0]": ph.absolute(s)})):
        SCHEDULES.validate(json.loads(json.dumps(ph.to_dict(value))))


JUNK = [True, "junk!", {}, [], [[]], [None], {"kind": "junk"}, {"lr": "hold()"}]


@few
@given(written, st.data())
def test_damage_of_keys_kinds_and_types_is_refused_by_both(s: ph.Schedule, draw: st.DataObject) -> None:
    data = ph.to_dict(draw.draw(st.sampled_from([s, ph.absolute(s)])))
    holder, key = draw.draw(st.sampled_from([*inside(data)]))
    damage = draw.draw(st.sampled_from(["lost", "added", "renamed", "junk"]))
    if damage == "junk":
        holder[key] = copy.deepcopy(draw.draw(st.sampled_from(JUNK)))
    elif isinstance(holder, dict):
        kind = KINDS.get(holder["kind"])
        if damage == "renamed" and key == "kind":
            holder[key] += "s"
        elif damage == "added":
            holder[f"{key}_"] = holder[key]
        elif holder is data and key == "kind":
            return  # then it is a plan
        elif key == "kind" or kind is None or key not in kind._defaults:
            del holder[key]
        else:
            return
    else:
        return
    assert not reads(data)
    assert not SCHEDULES.is_valid(data)


@few
@given(written, st.data())
def test_whatever_from_dict_takes_is_valid(s: ph.Schedule, draw: st.DataObject) -> None:
    """The schema is never the stricter one, also with another value, kind or order in a random place."""
    data = ph.to_dict(s)
    for _ in range(draw.draw(st.integers(1, 2))):
        places = [*inside(data)]
        holder, key = draw.draw(st.sampled_from(places))
        other, place = draw.draw(st.sampled_from(places))
        values = [*JUNK, None, 0, 1, -1, 0.5, 2**53, "rest", "5 %", " 2epochs ", "10 k steps", "1-sqrt", "power( 2 )"]
        new = draw.draw(st.sampled_from([*values, *KINDS, other[place]]))
        if isinstance(holder, dict) and draw.draw(st.integers(0, 5)) == 0:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(new)
    assert SCHEDULES.is_valid(data) or not reads(data)


@pytest.mark.parametrize(
    "span",
    ["rest", " rest ", "5%", "5 %", ".5%", "5.%", "1_000 steps", "2epochs", "1.5B tokens", "10 k steps", "10k", "1e3",
     "6 h", "1 d", "3 updates", "1 tick", "2 M", "10"],
)  # fmt: skip
def test_lengths_that_are_read_are_valid(span: str) -> None:
    data = {"kind": "hold", "value": 1.0, "span": span}
    assert reads(data)
    SCHEDULES.validate(data)


@pytest.mark.parametrize(
    "span", ["", "5 parsecs", "-5%", "5%%", "steps", "5 m", "k", "rest 5", "5 5", "1,000", None, -1, True]
)
def test_lengths_that_are_not_read_are_not_valid(span: Any) -> None:
    data = {"kind": "hold", "value": 1.0, "span": span}
    assert not reads(data)
    assert not SCHEDULES.is_valid(data)


@pytest.mark.parametrize("shape", ["cosine", "1-sqrt", "power(2)", "reverse('sqrt')", "compose(power(2), cosine)"])
def test_shapes_that_are_read_are_valid(shape: str) -> None:
    data = {"kind": "ramp", "start": 0, "end": 1, "span": 5, "shape": shape}
    assert reads(data)
    SCHEDULES.validate(data)
    damaged = {**data, "shape": shape.replace("s", "z").replace("power", "powre").replace("revers", "rever")}
    assert not reads(damaged)
    assert not SCHEDULES.is_valid(damaged)


@pytest.mark.parametrize(
    ("plan", "is_read"),
    [
        ({"lr": "warmup(5%) >> decay()", "head/lr": {"kind": "hold", "value": 1.0, "span": "rest"}}, True),
        ({"a/b/betas[0]": "absolute(hold(0.1))"}, True),
        ({}, False),
        ({"0lr": "hold()"}, False),
        ({"lr": 0.1}, False),
        ({"lr": {"lr": "hold()"}}, False),
        ({"_target_": "preheat.cosine"}, False),
        ({"class_path": "preheat.cosine"}, False),
        ([], False),
    ],
)
def test_plans(plan: Any, is_read: bool) -> None:
    assert reads(plan) is is_read
    assert SCHEDULES.is_valid(plan) is is_read


def test_what_a_schema_cannot_say_is_left_to_from_dict() -> None:
    rest = {"kind": "hold", "value": 1.0, "span": "rest"}
    for data in (
        {"kind": "sequence", "parts": [rest, rest]},
        {"kind": "ramp", "start": 0.0, "end": 1.0, "span": 5, "shape": "exponential"},
        {"kind": "invsqrt", "tau": 0, "span": "rest"},
        {"lr": "hold(0.1"},
    ):
        assert SCHEDULES.is_valid(data)
        assert not reads(data)


@pytest.mark.parametrize(
    "rule",
    [
        ph.Plateau("loss", min_lr=[1e-3, 0.0], after="5%"),
        ph.Plateau("loss", min_lr={"head": 1e-3}, group="head"),
        ph.HoldUntil("loss", at=100, mode="max"),
        ph.Rewarm("loss", span="0.5 ticks"),
    ],
)
def test_rules(rule: Any) -> None:
    data = json.loads(json.dumps(rule.to_data()))
    RULES.validate([data])
    assert read_rules([data]) == (rule,)
    for key in data:
        for damaged in ({**data, f"{key}_": 1}, {**data, key: [True]}, {name: data[name] for name in ("kind", key)}):
            try:
                read_rules([damaged])
            except ph.PreheatError:
                continue
            RULES.validate([damaged])
    for damaged in ({**data, "kind": "Rewram"}, {**data, "patiense": 1}, {"kind": data["kind"]}, {"metric": "loss"}, 1):
        assert not RULES.is_valid([damaged])
        with pytest.raises(ph.PreheatError):
            read_rules([damaged])
    assert not RULES.is_valid(data)


def test_the_command_prints_them(capsys: pytest.CaptureFixture) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()
    assert main(["schema", "rules"]) == 0
    assert json.loads(capsys.readouterr().out) == rules_schema()
    assert main(["schema", "plan"]) == 2
    assert "preheat schema --help" in capsys.readouterr().err
