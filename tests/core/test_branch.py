"""Cooling down and warming up again, as operations on values."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.session import Session

BASES = [
    ph.warmup(10) >> ph.hold(1.0, 30) >> ph.decay(20, shape="cosine"),
    ph.warmup(10) >> ph.hold(),
    ph.decay(7, to=0.2).repeated(),
    ph.warmup(5) * ph.decay(50),
    ph.hold(0.5, 3),
    ph.steps([1.0, 0.5, 0.25], [7.5, 10, "rest"]),
    ph.warmup(10) >> ph.invsqrt(10),
    (ph.warmup(10) >> ph.saturating(20)).scaled(0.3) + ph.rectified(0.99),
    (ph.warmup(5) >> ph.decay(9, shape="rex").repeated(shrink=0.9)).stepwise(3),
]
bases = st.sampled_from(BASES)
moments = st.integers(0, 100)
shapes = st.sampled_from(["linear", "cosine", "sqrt", "square"])


def same(a: ph.Schedule, b: ph.Schedule, times: range) -> bool:
    """Whether both have the same values, asked for one by one: in an array some are a last digit apart."""
    return all(a(t) == b(t) for t in times)


@settings(max_examples=150)
@given(bases, moments, st.integers(1, 40), shapes, st.floats(0, 0.1))
def test_a_cooldown_leaves_the_past_and_goes_down_from_there(
    base: ph.Schedule, at: int, span: int, shape: str, to: float
) -> None:
    cooled = base.cooldown_from(at, span, shape, to=to)
    assert same(cooled, base, range(at + 1))
    assert cooled(at + span) == cooled(at + span + 1000) == to
    assert cooled.length == at + span
    assert (np.diff(cooled(np.arange(at, at + span + 1))) <= 0).all() or base(at) < to
    assert ph.parse(repr(cooled)) == cooled
    assert same(cooled.bind(ph.Run()), cooled, range(200))


@settings(max_examples=150)
@given(bases, moments, st.integers(1, 40), st.floats(0, 1))
def test_a_new_warmup_leaves_the_past_and_comes_back_to_the_plan(
    base: ph.Schedule, at: int, span: int, start: float
) -> None:
    warmed = base.rewarmed(at, span, start=start)
    assert same(warmed, base, range(at))
    assert warmed(at) == pytest.approx(start * base(at))
    assert same(warmed, base, range(at + span, at + span + 200))
    assert ph.parse(repr(warmed)) == warmed


def test_many_changes_one_after_another() -> None:
    s = ph.hold()
    for i in range(1, 8):
        s = s.cooldown_from(100 * i, 50, to=0.5**i).rewarmed(100 * i + 50, 20)
    assert s(10_000) == 0.5**7
    assert ph.parse(repr(s)) == s


@pytest.mark.parametrize("total", [None, 20_000])
def test_a_decay_that_needs_no_end_goes_on_after_a_new_warmup(total: int | None) -> None:
    session = Session(ph.warmup(100) >> ph.invsqrt(100), ph.Run(total=total))
    session.move_to(1000)
    session.rewarm(100)
    for at, expected in {1000: 0.0, 1050: 0.5 * math.sqrt(100 / 1050), 1100: math.sqrt(100 / 1100), 9999: 0.1}.items():
        session.move_to(at)
        assert session.values()["lr"] == pytest.approx(expected, rel=1e-3)


CHANGES = {
    "scaled": lambda s: s.scaled(0.5),
    "shifted": lambda s: s.shifted(5),
    "clipped": lambda s: s.clipped(0.1, 0.9),
    "product": lambda s: s * ph.warmup(7),
    "sum": lambda s: ph.hold(0.1, 3) + s.scaled(2),
    "stepwise": lambda s: s.stepwise(4),
    "truncated": lambda s: s.truncated(60),
    "nested": lambda s: ph.lower((ph.hold(1, 3) >> s).scaled(2), ph.hold(0.7)).shifted(-1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_before_the_end_is_known_a_run_follows_what_is_known(change: str) -> None:
    """A 'rest' in the middle goes on until the end is said, whatever was made of the sequence."""
    s = CHANGES[change](ph.warmup(10) >> ph.hold() >> ph.decay(20))
    session, known = Session(s), s.bind(ph.Run(total=100))
    for at in range(75):
        session.move_to(at)
        assert session.values()["lr"] == known(at)
    session.extend(100)
    for at in (75, 80, 85, 99):
        session.move_to(at)
        assert session.values()["lr"] == known(at)


@pytest.mark.parametrize("s", [ph.warmup(3) >> ph.decay(), (ph.hold() >> ph.decay(5)).repeated(3)])
def test_what_is_not_known_before_the_end_is_refused(s: ph.Schedule) -> None:
    with pytest.raises(ph.BindError, match="is not known"):
        Session(s.scaled(2) + ph.hold(1))


@pytest.mark.parametrize("change", ["cooldown_from", "rewarmed"])
@pytest.mark.parametrize("at", [-1, True, float("nan"), "10"])
def test_a_moment_is_a_position(change: str, at: object) -> None:
    with pytest.raises(ph.PreheatError, match="a position"):
        getattr(ph.hold(), change)(at, 10)


@pytest.mark.parametrize("word", ["cooldown_from", "rewarmed"])
def test_a_bare_length_below_one_tick_may_be_meant_as_a_share_and_is_refused(word: str) -> None:
    for s in (ph.hold(1.0, 100), ph.absolute(ph.hold(0.1, 100))):
        with pytest.raises(ph.PreheatError, match=r"=0\.2 is less than one update; write '20%' for a share of the run"):
            getattr(s, word)(50, 0.2)
        assert getattr(s, word)(50, "20%").bind(ph.Run(total=100)) == getattr(s, word)(50, 20)
        assert getattr(s, word)(50, "0.2 ticks")(50.2) == (0 if word == "cooldown_from" else s(50))
