"""Cooling down and warming up again, as operations on values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph

BASES = [
    ph.warmup(10) >> ph.hold(1.0, 30) >> ph.decay(20, shape="cosine"),
    ph.warmup(10) >> ph.hold(),
    ph.decay(7, to=0.2).repeated(),
    ph.warmup(5) * ph.decay(50),
    ph.hold(0.5, 3),
    ph.steps([1.0, 0.5, 0.25], [7.5, 10, "rest"]),
]
bases = st.sampled_from(BASES)
moments = st.integers(0, 100)
shapes = st.sampled_from(["linear", "cosine", "sqrt", "square"])


@settings(max_examples=150)
@given(bases, moments, st.integers(1, 40), shapes, st.floats(0, 0.1))
def test_a_cooldown_leaves_the_past_and_goes_down_from_there(
    base: ph.Schedule, at: int, span: int, shape: str, to: float
) -> None:
    cooled = base.cooldown_from(at, span, shape, to=to)
    past = np.arange(at + 1)
    assert (cooled(past) == base(past)).all()
    assert cooled(at + span) == cooled(at + span + 1000) == to
    assert cooled.length == at + span
    assert (np.diff(cooled(np.arange(at, at + span + 1))) <= 0).all() or base(at) < to
    assert ph.parse(repr(cooled)) == cooled
    assert (cooled.bind(ph.Run())(np.arange(200)) == cooled(np.arange(200))).all()


@settings(max_examples=150)
@given(bases, moments, st.integers(1, 40), st.floats(0, 1))
def test_a_new_warmup_leaves_the_past_and_comes_back_to_the_plan(
    base: ph.Schedule, at: int, span: int, start: float
) -> None:
    warmed, past, future = base.rewarmed(at, span, start=start), np.arange(at), np.arange(at + span, at + span + 200)
    assert (warmed(past) == base(past)).all()
    assert warmed(at) == pytest.approx(start * base(at))
    assert (warmed(future) == base(future)).all()
    assert ph.parse(repr(warmed)) == warmed


def test_many_changes_one_after_another() -> None:
    s = ph.hold()
    for i in range(1, 8):
        s = s.cooldown_from(100 * i, 50, to=0.5**i).rewarmed(100 * i + 50, 20)
    assert s(10_000) == 0.5**7
    assert ph.parse(repr(s)) == s


@pytest.mark.parametrize("change", ["cooldown_from", "rewarmed"])
@pytest.mark.parametrize("at", [-1, True, float("nan"), "10"])
def test_a_moment_is_a_position(change: str, at: object) -> None:
    with pytest.raises(ph.PreheatError, match="a position"):
        getattr(ph.hold(), change)(at, 10)
