"""GreedyLR is that of transformers: the same rate on any stream of metrics, with all its arguments."""

import json
import math
import random
from itertools import pairwise

import pytest

import preheat as ph
from preheat.session import GreedyLR, Session
from preheat.session.rules import rule_from_data, rules_from_text, rules_to_text


def ours(rule: GreedyLR, stream: list[float], base: float) -> list[float]:
    """The rate after each value, the state through JSON every time."""
    rule, rates = rule.bind(ph.Run()), []
    state = rule.start()
    for value in stream:
        state = rule.checked(json.loads(json.dumps(rule.observe(state, value, 0), allow_nan=False)))
        rates.append(base * rule.gain(state, 0))
    return rates


def theirs(stream: list[float], base: float, **options: object) -> list[float]:
    torch = pytest.importorskip("torch")
    optimization = pytest.importorskip("transformers.optimization")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=base)
    scheduler, rates = optimization.GreedyLR(optimizer, **options), []
    for value in stream:
        scheduler.step(value)
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return rates


def drawn(seed: int) -> tuple[list[float], float, dict]:
    r = random.Random(seed)
    level, stream = 2.0, []
    for _ in range(150):  # falling, level and rising by turns
        level += r.choice([-0.1, -0.05, 0.0, 0.02]) if r.random() < 0.9 else r.uniform(-1, 1)
        stream.append(level)
    options = {
        "mode": r.choice(["min", "max"]),
        "factor": r.choice([0.5, 0.9, r.uniform(0.3, 0.99)]),
        "patience": r.choice([0, 1, r.randint(0, 6)]),
        "threshold": r.choice([0.0, 1e-6, 0.03]),
        "threshold_mode": r.choice(["abs", "rel"]),
        "cooldown": r.choice([0, r.randint(0, 4)]),
        "warmup": r.choice([0, r.randint(0, 4)]),
        "smooth": r.random() < 0.5,
        "window_size": r.choice([1, r.randint(1, 12)]),
        "reset_start": r.choice([0, 1, r.randint(0, 8), 500]),
    }
    return stream, r.choice([1.0, 0.25, 2e-3]), options


@pytest.mark.parametrize("seed", range(100))
def test_it_moves_when_theirs_moves(seed: int) -> None:
    stream, base, options = drawn(seed)
    r = random.Random(seed)
    low, high, eps = r.choice([0.0, 1e-3, 0.4, 1.5]), r.choice([1.0, 2.0, 8.0]), r.choice([0.0, 1e-8, 0.05])
    low = min(low, high)
    found = ours(GreedyLR("loss", min=low, max=high, eps=eps, **options), stream, base)
    assert found == pytest.approx(
        theirs(stream, base, min_lr=low * base, max_lr=high * base, eps=eps * base, **options), rel=1e-12
    )


def test_the_drawn_streams_raise_cut_and_begin_again() -> None:
    seen = [ours(GreedyLR("loss", min=0.4, max=8.0, **drawn(seed)[2]), drawn(seed)[0], 1.0) for seed in range(150)]
    assert sum(max(rates) > 1 for rates in seen) > 20
    assert sum(min(rates) < 1 for rates in seen) > 20
    assert sum(any(a == 0.4 and b == 1.0 for a, b in pairwise(rates)) for rates in seen) > 5


def test_its_defaults_are_theirs_but_for_the_bounds() -> None:
    import dataclasses
    import inspect

    own = pytest.importorskip("transformers.optimization").GreedyLR
    given = {name: one.default for name, one in inspect.signature(own).parameters.items()}
    fields = {field.name: field.default for field in dataclasses.fields(GreedyLR)}
    shared = set(given) & set(fields)
    assert set(given) - shared == {"optimizer", "min_lr", "max_lr", "verbose"}
    assert {name: fields[name] for name in shared} == {name: given[name] for name in shared}


def test_what_is_not_finite_is_no_better_and_does_not_stay() -> None:
    rule = GreedyLR("loss", patience=0, factor=0.5, smooth=True, window_size=2, max=4.0)
    assert ours(rule, [1.0, math.nan, math.inf, 0.5], 1.0) == [2.0, 1.0, 0.5, 1.0]


def test_as_data_and_in_a_session() -> None:
    rule = GreedyLR("loss", factor=0.5, patience=0, max=2.0, smooth=True, window_size=3)
    assert rule_from_data(json.loads(json.dumps(rule.to_data()))) == rule
    session = Session(ph.Plan({"lr": ph.hold(1.0)}), ph.Run(total=10), rules=[rule])
    for loss in (3.0, 2.0, 2.5, 9.0):
        session.observe({"loss": loss})
        session.advance()
    assert session.gain == 0.5
    rules, states = rules_from_text(rules_to_text(session.rules, session.states))
    assert (list(rules), states) == (list(session.rules), list(session.states))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"factor": 1.0}, "factor"),
        ({"min": 2.0}, "min and max"),
        ({"eps": -1.0}, "eps"),
        ({"window_size": 0}, "window_size"),
        ({"smooth": 1}, "smooth"),
        ({"reset_start": 1.5}, "reset_start"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict, said: str) -> None:
    with pytest.raises(ph.PreheatError, match=said):
        GreedyLR("loss", **options)


@pytest.mark.parametrize("window", [None, [1.0] * 4, [math.nan], ["1"], [True]])
def test_a_damaged_window_is_refused(window: object) -> None:
    rule = GreedyLR("loss", smooth=True, window_size=3)
    with pytest.raises(ph.StateError):
        rule.checked({**rule.start(), "window": window})
