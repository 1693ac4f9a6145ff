"""On a clock of samples or tokens, what is told in updates is the same at every update."""

import math
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import bound, ramps, shared

import preheat as ph
from preheat.core.updates import in_updates, ticks_per_update

WORTHS = st.integers(1, 12)
SCHEDULES = shared(bound())


@given(SCHEDULES, WORTHS, st.none() | st.integers(0, 2000))
def test_every_update_has_its_value(s: ph.Schedule, worth: int, later: int | None) -> None:
    total = None if later is None else later + (1000 if s.length == math.inf else max(1, math.ceil(s.length)))
    run = ph.Run(total=total, clock="token", tokens_per_step=worth)
    try:
        told, on = in_updates(s, run)
    except ph.BindError:
        assume(s.length != math.inf)  # how much one that never ends needs is not asked here
        raise
    except ph.PreheatError:
        assert worth > 1
        # what counts ticks, a repetition whose beginnings no update meets to the digit, and '1e-09 ticks'
        assert re.search(r"rectified|table|'log'|repeated|e-\d+ ticks", repr(s)), s
        return
    assert on.clock == "step"
    ends = total if s.length == math.inf else s.length
    until = 2000 if ends is None else min(2000, math.ceil(ends / worth) + (0 if s.length == math.inf else 2))
    ours, most = [s(update * worth) for update in range(until)], max(abs(s(t)) for t in range(0, until * worth, worth))
    assert told.table(until).tolist() == pytest.approx(ours, rel=1e-12, abs=1e-12 * most)
    assert ph.parse(repr(told)) == told


@given(st.lists(ramps(spans=st.integers(1, 500)), min_size=1, max_size=6), WORTHS)
def test_ramps_of_any_length_can_be_told(parts: list[ph.Schedule], worth: int) -> None:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole >> part
    assume("'log'" not in repr(whole))  # the one shape that counts ticks
    total = int(whole.length)
    told, run = in_updates(ph.absolute(whole), ph.Run(total=total, clock="sample", samples_per_step=worth))
    assert run == ph.Run(total=math.ceil(total / worth), samples_per_step=worth)
    most = max(abs(whole(t)) for t in range(total + 1))
    ours = [whole(update * worth) for update in range(run.total + 1)]
    assert told.table(run.total + 1).tolist() == pytest.approx(ours, rel=1e-11, abs=1e-12 * most)


@given(st.integers(1, 10**7), st.integers(1, 10**6))
def test_the_longest_runs_too(updates: int, worth: int) -> None:
    assume(updates * worth < 2**53)
    run = ph.Run(total=updates * worth, clock="token", tokens_per_step=worth)
    told, on = in_updates(ph.warmup("10%") >> ph.decay(to=0.1, shape="cosine"), run)
    assert on.total == updates
    assert told.length == pytest.approx(updates)


def test_a_table_keeps_the_values_of_updates() -> None:
    run = ph.Run(clock="token", tokens_per_step=3)
    told, _ = in_updates(ph.table([0.0, 0.9, 0.1, 0.5, 0.2, 0.8, 1.0]), run)
    assert told == ph.table([0.0, 0.5, 1.0])


def test_a_table_that_becomes_longer_is_seen_after_the_end() -> None:
    """It has whole updates only: what follows in steps may end on another step, which nothing shows before."""
    schedule = ph.parse("(table([1, 1, 1, 1, 1]) >> hold(1.0, 3) >> ramp(1.0, 0.0, '0.5 ticks')).stepwise(3.5)")
    with pytest.raises(ph.PreheatError, match="would differ at update 3"):
        in_updates(schedule, ph.Run(clock="token", tokens_per_step=7))


@pytest.mark.parametrize(
    ("schedule", "run", "said"),
    [
        ("rectified(0.999)", ph.Run(total=90, clock="token", tokens_per_step=3), "leave clock= out"),
        ("hold(1.0, 1) >> table([1, 0, 1, 0, 1, 0, 1])", ph.Run(clock="token", tokens_per_step=3), "would differ at"),
        ("decay(9)", ph.Run(clock="token"), "tokens_per_step=…"),
        ("decay(9)", ph.Run(clock="sample", samples_per_step=1.5), "as a whole number"),
        ("decay(9)", ph.Run(clock="epoch", steps_per_epoch=3), "leave clock= out"),
        ("decay(9)", ph.Run(clock="second"), "leave clock= out"),
    ],
)
def test_what_cannot_be_told_is_refused(schedule: str, run: ph.Run, said: str) -> None:
    with pytest.raises(ph.PreheatError, match=said):
        in_updates(ph.parse(schedule), run)


def test_of_a_plan_every_line() -> None:
    plan = ph.Plan({"lr": "warmup(20) >> decay()", "weight_decay": "absolute(hold(0.1))"})
    told, run = in_updates(plan, ph.Run(total=100, clock="token", tokens_per_step=10))
    assert told == ph.Plan({"lr": "ramp(0.0, 1.0, 2) >> ramp(1.0, 0.0, 8)", "weight_decay": "absolute(hold(0.1, 10))"})
    assert run.total == 10
    assert ticks_per_update(run) == 1
