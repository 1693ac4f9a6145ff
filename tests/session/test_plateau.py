"""Plateau is torch's ReduceLROnPlateau: the same gain on any stream of metrics, NaN and infinities among them."""

import json
import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

import preheat as ph
from preheat.session import Plateau

METRICS = st.one_of(
    st.sampled_from([1.0, 0.9, 0.9999, 1.0001, 0.0, -1.0, math.nan, math.inf, -math.inf]),
    st.floats(-2, 2, width=32),
    st.floats(),
)
OPTIONS = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["min", "max"]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "threshold": st.sampled_from([0.0, 1e-4, 0.1, 0.5]),
        "patience": st.integers(0, 4),
        "cooldown": st.integers(0, 3),
        "factor": st.sampled_from([0.1, 0.5, 0.9]),
    }
)


def ours(rule: Plateau, stream: list[float]) -> list[float]:
    """The gain after each value, the state through JSON every time."""
    rule, gains = rule.bind(ph.Run()), []
    state = rule.start()
    for value in stream:
        state = rule.checked(json.loads(json.dumps(rule.observe(state, value, 0), allow_nan=False)))
        gains.append(rule.gain(state, 0))
    return gains


def torchs(stream: list[float], floor: float, **options: object) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, gains = ReduceLROnPlateau(optimizer, min_lr=floor, eps=0.0, **options), []
    for value in stream:
        scheduler.step(value)
        gains.append(optimizer.param_groups[0]["lr"])
    return gains


@settings(max_examples=400)
@given(st.lists(METRICS, max_size=60), OPTIONS, st.sampled_from([0.0, 0.3]))
@example([math.inf] * 6, {"mode": "min", "patience": 1}, 0.0)
@example([-math.inf] * 6, {"mode": "min", "patience": 1}, 0.0)
@example([-math.inf] * 6, {"mode": "max", "patience": 1}, 0.0)
@example([math.nan] * 6, {"mode": "max", "patience": 1}, 0.0)
@example([-1.0] * 6, {"mode": "min", "patience": 1}, 0.0)
def test_it_cuts_when_torch_cuts(stream: list[float], options: dict, floor: float) -> None:
    assert ours(Plateau("loss", min=floor, **options), stream) == torchs(stream, floor, **options)


def test_nothing_is_counted_before_after() -> None:
    rule = Plateau("loss", patience=0, factor=0.5, after="10%").bind(ph.Run(total=100))
    state = rule.start()
    for position in range(10):
        state = rule.observe(state, 1.0, position)
    assert state == rule.start()
    for position in (10, 11):
        state = rule.observe(state, 1.0, position)
    assert rule.gain(state, 12) == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": ""}, "by name"),
        ({"metric": 3}, "by name"),
        ({"factor": 1.0}, "between 0 and 1"),
        ({"factor": True}, "must be a number"),
        ({"patience": -1}, "at least 0"),
        ({"patience": 1.5}, "whole number"),
        ({"cooldown": None}, "whole number"),
        ({"min": 2.0}, "a factor from 0 to 1"),
        ({"mode": "minimum"}, "did you mean 'min'"),
        ({"threshold_mode": "abolute"}, "did you mean 'abs'|known: abs, rel"),
        ({"threshold": -0.1}, "cannot be negative"),
        ({"after": "rest"}, "cannot be 'rest'"),
        ({"after": "2 epoch s"}, "cannot read the span|unknown"),
    ],
)
def test_values_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        Plateau(**{"metric": "loss", **options})
