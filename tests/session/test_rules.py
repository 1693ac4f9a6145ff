"""HoldUntil and Rewarm, rules as data, and what no checkpoint can make of their states."""

import json
import math
from collections import UserDict, UserList
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.session import HoldUntil, Plateau, Rewarm, Rule
from preheat.session.rules import KINDS, bound_rules, read_rules, rule_from_data, rules_from_text, rules_to_text
from preheat.session.session import Session

RULES = [
    Plateau("loss", factor=0.5, patience=1, after=3),
    HoldUntil("val_loss", at=5, patience=1, mode="max"),
    Rewarm("loss", span=4, settle=3, threshold=3.0),
]
PLAN = ph.Plan(ph.warmup(4) >> ph.hold(1.0, 10) >> ph.decay(20))


def session(*rules: Rule) -> Session:
    return Session(PLAN, ph.Run(total=34), rules=rules)


def observed(rule: Rule, values: list[float], position: float = 0) -> dict:
    state = rule.start()
    for value in values:
        state = rule.observe(state, value, position)
    return state


def test_time_stands_still_until_the_metric_stalls() -> None:
    run = session(HoldUntil("loss", at=5, patience=2))
    positions = []
    for loss in [9.0] * 5 + [3.0, 2.0, 2.0, 2.0, 2.0, 2.0]:
        run.observe({"loss": loss})
        run.advance(1)
        positions.append(run.position)
    assert positions == [1, 2, 3, 4, 5, 5, 5, 5, 5, 6, 7]


def test_a_span_of_a_rule_is_measured_on_the_run() -> None:
    (rule,) = bound_rules([HoldUntil("loss", at="50%")], ph.Run(total=34))
    assert rule.at == ph.Span(17)
    with pytest.raises(ph.BindError, match="share of the run's total"):
        bound_rules([HoldUntil("loss", at="50%")], ph.Run())


def test_after_a_spike_the_gain_starts_anew() -> None:
    rule = Rewarm("loss", span=10, backoff=0.2, settle=5).bind(ph.Run())
    state = observed(rule, [2.0, 2.1] * 5, 50)
    assert rule.gain(state, 50) == 1.0
    state = rule.observe(state, 8.0, 50)
    assert [rule.gain(state, t) for t in (50, 55, 59, 60, 1000)] == pytest.approx([0.2, 0.6, 0.92, 1.0, 1.0])


def test_what_is_not_finite_is_always_a_spike() -> None:
    rule = Rewarm("loss", span=10).bind(ph.Run())
    for value in (math.nan, math.inf, -math.inf):
        assert rule.gain(rule.observe(rule.start(), value, 7), 7) == pytest.approx(0.1)


def test_a_metric_that_stays_high_is_not_a_spike_for_ever() -> None:
    """A change of data moves the loss for good: one new warmup, not a rate that stays down."""
    rule = Rewarm("loss", span=100).bind(ph.Run())
    state = observed(rule, [2.0, 2.1] * 20)
    gains = []
    for position in range(400):
        state = rule.observe(state, 9.0 + position % 2 / 10, position)
        gains.append(rule.gain(state, position))
    assert gains[0] == pytest.approx(0.1)
    assert gains[50] == pytest.approx(0.55)
    assert gains[110:] == [1.0] * 290


def test_a_new_warmup_goes_on_while_another_rule_holds_the_position() -> None:
    run = session(HoldUntil("val_loss", at=5), Rewarm("loss", span=10, backoff=0.0))
    for _ in range(6):
        run.advance(1)
    run.observe({"loss": math.nan})
    gains = []
    for _ in range(12):
        gains.append(run.gain)
        run.advance(1)
    assert run.position == 5
    assert gains == pytest.approx([0.1 * i for i in range(10)] + [1.0, 1.0])


def test_gains_multiply_and_are_for_rates_only() -> None:
    plan = ph.Plan({"lr": ph.hold(1.0), "momentum": ph.hold(1.0)})
    run = Session(plan, rules=bound_rules([Plateau("loss", factor=0.5, patience=0), Rewarm("loss", span=10)], ph.Run()))
    for loss in (1.0, math.nan):
        run.observe({"loss": loss})
    assert [run.value(line) for line in plan.lines] == pytest.approx([0.05, 1.0])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_rule_survives_as_data(rule: Rule) -> None:
    for one in (rule, rule.bind(ph.Run(total=100))):
        assert rule_from_data(json.loads(json.dumps(one.to_data()))) == one


@pytest.fixture
def halve() -> Iterator[type[Rule]]:
    """A rule of one's own: half the rate once the metric has been seen more than `after` times."""

    @dataclass(frozen=True)
    class Halve(Rule):
        after: int = 0

        def start(self) -> dict:
            return {"seen": 0}

        def observe(self, state: dict, value: float, position: float) -> dict:
            return {"seen": state["seen"] + 1}

        def gain(self, state: dict, position: float) -> float:
            return 0.5 if state["seen"] > self.after else 1.0

    yield Halve
    del KINDS["Halve"]


def test_a_rule_of_ones_own_is_saved_and_read_like_any_other(halve: type[Rule]) -> None:
    run = session(halve("loss", after=1))
    for _ in range(2):
        run.observe({"loss": 0.0})
    rules, states = rules_from_text(rules_to_text(run.rules, run.states))
    assert (tuple(rules), states) == (run.rules, [{"seen": 2}])
    assert run.gain == 0.5


def test_what_only_other_rules_build_on_is_no_kind_of_rule() -> None:
    assert {"Plateau", "HoldUntil", "Rewarm"} <= set(KINDS)
    assert not {"Rule", "StallRule"} & set(KINDS)
    with pytest.raises(ph.StateError):
        rules_from_text('[{"rule": {"kind": "StallRule", "metric": "loss"}, "state": {}}]')


NUMBERS = st.floats(-5, 5) | st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308])
EVENTS = st.lists(st.tuples(st.none() | NUMBERS, st.none() | NUMBERS, st.booleans()), max_size=60)


@settings(max_examples=150)
@given(EVENTS)
def test_saving_and_loading_anywhere_changes_nothing(events: list) -> None:
    """Uninterrupted, or through its own text whenever an event says so: the same positions and gains, bit for bit."""
    whole, pieces = session(*RULES), session(*RULES)
    for loss, val_loss, saved in events:
        metrics = {key: value for key, value in (("loss", loss), ("val_loss", val_loss)) if value is not None}
        if saved:
            text, position = rules_to_text(pieces.rules, pieces.states), pieces.position
            json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
            pieces = session(*RULES)
            rules, pieces.states = rules_from_text(text)
            assert tuple(rules) == pieces.rules
            pieces.position = position
        for run in (whole, pieces):
            run.observe(metrics)
            run.advance(1)
        assert (pieces.position, pieces.gain, pieces.states) == (whole.position, whole.gain, whole.states)
        assert 0 <= whole.gain <= 1


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"vall_loss": 1.0}, "no rule listens to 'vall_loss'; did you mean 'val_loss'"),
        ({"accuracy": 1.0}, "no rule listens to 'accuracy'; known: loss, val_loss"),
        ({"loss": "1.0"}, "'loss' must be one number"),
        ({"loss": True}, "'loss' must be one number"),
        ({"loss": None}, "'loss' must be one number"),
        ({"loss": 10**400}, "'loss' is beyond what a float holds"),
        ({"loss": 1j}, "'loss' must be one number"),
        (0.5, "given by name"),
        ([("loss", 0.5)], "given by name"),
    ],
)
def test_metrics_that_nobody_can_use_are_refused_and_none_is_told(metrics: object, message: str) -> None:
    run = session(*RULES)
    before = rules_to_text(run.rules, run.states)
    with pytest.raises(ph.PreheatError, match=message):
        run.observe(metrics)
    assert rules_to_text(run.rules, run.states) == before


def test_what_no_rule_listens_to_may_be_anything() -> None:
    run = session(*RULES)
    run.observe({"loss": 1, "confusion": [[1, 0], [0, 1]], "note": "fine"})
    run.observe({})
    assert run.states[2]["seen"] == 1
    session().observe({"loss": 2.3})


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{}",
        "[1]",
        '[{"rule": 1, "state": {}}]',
        '[{"rule": {"kind": []}, "state": {}}]',
        '[{"rule": {"kind": "Rule", "metric": "loss"}, "state": {}}]',
        '[{"rule": {"kind": "Plateau"}, "state": {}}]',
        '[{"rule": {"kind": "Plateau", "metric": "loss", "color": 1}, "state": {}}]',
        '[{"rule": {"kind": "Plateau", "metric": "loss"}, "state": {}}]',
        "[" * 100_000,
    ],
)
def test_damaged_rules_are_refused(text: object) -> None:
    with pytest.raises(ph.StateError):
        rules_from_text(text)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        (RULES[0], {"bad": None}),
        (RULES[0], {"bad": -1}),
        (RULES[0], {"bad": 0.5}),
        (RULES[0], {"bad": True}),
        (RULES[0], {"bad": "1"}),
        (RULES[0], {"best": [1.0]}),
        (RULES[0], {"best": math.nan}),
        (RULES[0], {"gain": 2.0}),
        (RULES[0], {"gain": -0.1}),
        (RULES[0], {"gain": None}),
        (RULES[0], {"gain": 10**400}),
        (RULES[0], {"more": 1}),
        (RULES[1], {"released": -1}),
        (RULES[2], {"variance": -1.0}),
        (RULES[2], {"mean": None}),
        (RULES[2], {"since": "now"}),
    ],
)
def test_damaged_states_of_rules_are_refused(rule: Rule, change: dict) -> None:
    with pytest.raises(ph.StateError):
        rule.checked({**rule.start(), **change})
    assert rule.checked(rule.start()) == rule.start()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rewarm("loss", span=0), "must be above 0"),
        (lambda: Rewarm("loss", span="rest"), "cannot be 'rest'"),
        (lambda: Rewarm("loss", backoff=1.0), "below 1"),
        (lambda: Rewarm("loss", threshold=0), "above 0"),
        (lambda: Rewarm("loss", settle=1), "at least 2"),
        (lambda: HoldUntil("loss", at=-1), "cannot be negative"),
        (lambda: read_rules(Plateau("loss")), r"list of rules, such as \[Plateau"),
        (lambda: read_rules([Plateau]), "list of rules"),
        (lambda: read_rules(["Plateau"]), "list of rules"),
    ],
)
def test_what_is_no_rule_is_refused(make: object, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        make()


# -- one group, floors, rules as data ---------------------------------------------------------------------------------


def test_what_a_rule_leaves_of_a_rate_is_bounded_for_each_group() -> None:
    plan = ph.Plan({"lr": ph.hold(0.5), "head/lr": ph.absolute(ph.hold(0.5)), "momentum": ph.hold()})
    run = Session(plan, rules=[Plateau("loss", patience=0, min_lr={"head": 0.2, "a": 0.01}), Rewarm("loss", span=10)])
    for _ in range(4):
        run.observe({"loss": 1.0})
    lr, head = run.plan.lines[1], run.plan.lines[0]
    assert (head.key, lr.key) == ("head/lr", "lr")
    assert run.rate(lr, 10.0) == pytest.approx(10 * 0.5 * 1e-3)
    assert run.rate(lr, 10.0, ("a", "0")) == 0.01
    assert run.rate(lr, 0.001, ("a", "0")) == 0.0005
    assert run.rate(head, 1.0, ("head",)) == run.value(head) == run.values()["head/lr"] == 0.2
    assert run.rate(run.plan.lines[2], 0.9) == 0.9
    run.observe({"loss": math.nan})  # the new warmup goes below the floor, which is that of the other rule
    assert run.rate(lr, 10.0, ("a", "0")) == pytest.approx(0.01)
    assert run.value(head) == pytest.approx(0.05)


@pytest.mark.parametrize("floors", [0.0, 1e-6, [1e-6, 0.0], {"head": 1e-6, "body": 0}, {}, []])
def test_floors_survive_as_data(floors: object) -> None:
    rule = Plateau("loss", min_lr=floors, group="head").bind(ph.Run())
    assert rule_from_data(json.loads(json.dumps(rule.to_data()))) == rule
    assert hash(rule) == hash(rule_from_data(rule.to_data()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_lr": -1}, "min_lr is a rate of at least 0"),
        ({"min_lr": "1e-6"}, "min_lr must be a number"),
        ({"min_lr": [1e-6, None]}, "a rate of min_lr must be a number"),
        ({"min_lr": {"head": math.inf}}, "min_lr of 'head' must be finite"),
        ({"min_lr": {0: 1e-6}}, "a group is named as in a plan, not 0; write its name, or its place such as '0'"),
        ({"group": 0}, "a group is named as in a plan"),
    ],
)
def test_floors_and_groups_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        Plateau("loss", **options)


def test_rules_are_taken_as_data() -> None:
    data = [
        UserDict(kind="Plateau", metric="loss", patience=3, min_lr=UserDict(head=1e-6)),
        {"kind": "HoldUntil", "metric": "loss", "at": "50%"},
    ]
    expected = (Plateau("loss", patience=3, min_lr={"head": 1e-6}), HoldUntil("loss", at=17))
    assert session(*data).rules == expected
    assert Session(PLAN, ph.Run(total=34), rules=UserList(data)).rules == expected


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            [{"kind": "Plataeu", "metric": "loss"}],
            "a rule as data is a mapping with a 'kind', not .*; write 'Plateau' or 'GreedyLR' or 'HoldUntil'",
        ),
        (
            [{"kind": "Plateau", "metric": "loss", "patiense": 3}],
            "Plateau takes no 'patiense'; did you mean 'patience'",
        ),
        ([{"kind": "Plateau"}], "Plateau lacks metric"),
        ({"kind": "Plateau", "metric": "loss"}, "rules= takes a list of rules"),
        ("Plateau", "rules= takes a list of rules"),
    ],
)
def test_data_that_is_no_rule_is_refused(rules: object, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        Session(PLAN, ph.Run(total=34), rules=rules)


@pytest.mark.parametrize(("kind", "name"), [(Rewarm, "span"), (HoldUntil, "at"), (Plateau, "after")])
def test_a_bare_length_below_one_tick_may_be_meant_as_a_share_and_is_refused(kind: type[Rule], name: str) -> None:
    data = {"kind": kind.__name__, "metric": "loss"}
    for make in (lambda span: kind("loss", **{name: span}), lambda span: rule_from_data(data | {name: span})):
        with pytest.raises(ph.PreheatError, match=f"{name}=0.05 is less than one update; write '5%' for a share"):
            make(0.05)
        rule = make("0.05 ticks")
        assert getattr(rule, name) == ph.Span(0.05)
        assert rule_from_data(json.loads(json.dumps(rule.to_data()))) == rule
        assert rules_from_text(rules_to_text([rule], [rule.start()]))[0] == [rule]


@dataclass(frozen=True)
class Said(Rule):
    """Whatever the metric was is the gain."""

    floor_too: bool = False

    def start(self) -> dict:
        return {"gain": 1.0}

    def observe(self, state: dict, value: float, position: float) -> dict:
        return {"gain": ODD[int(value)]}

    def gain(self, state: dict, position: float) -> float:
        return 1.0 if self.floor_too else state["gain"]

    @property
    def has_floor(self) -> bool:
        return self.floor_too

    def floor(self, called: object, place: int | None) -> float:
        return ODD[0] if self.floor_too else 0.0


ODD = [math.nan, math.inf, -0.5, None, "x", True, -math.inf]
KINDS.pop("Said")  # no other test reads it from data


@pytest.mark.parametrize("odd", range(len(ODD)))
def test_a_gain_that_is_none_is_refused_and_changes_nothing(odd: int) -> None:
    one = session(Said("loss"))
    before = one.state_dict()
    with pytest.raises(ph.PreheatError, match="the gain of Said must be"):
        one.observe({"loss": odd})
    assert one.state_dict() == before
    one.advance(1)
    assert one.values() == {"lr": 0.25}


def test_a_floor_that_is_none_is_refused_and_so_is_what_overflows() -> None:
    with pytest.raises(ph.PreheatError, match="the floor of Said must be finite"):
        session(Said("loss", floor_too=True)).rate(PLAN.lines[0], 1.0)
    one = session(Said("loss"), Said("other"))
    one.states = [{"gain": 1e200}, {"gain": 1e200}]
    with pytest.raises(ph.PreheatError, match="the product of the rules' gains must be finite"):
        one.values()
