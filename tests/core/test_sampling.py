"""Where to look at a schedule so that nothing is missed."""

import math
from itertools import pairwise

import pytest

from preheat import Run, parse
from preheat.core.sampling import MOST_EDGES, edges, highest, horizon, phases, sampled


def bound(text: str, total: int | None = None):
    return parse(text).bind(Run(total=total))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hold(1, 9)", []),
        ("warmup(3) >> hold(1, 4) >> decay(5)", [3, 7]),
        ("(warmup(3) >> decay(5)).scaled(2).shifted(10)", [13]),
        ("(warmup(3) >> decay(5)) * ramp(1, 2, 6)", [3, 6]),
        ("lower(warmup(3) >> hold(1, 9), decay(12))", [3]),
        ("decay(4).repeated(3)", [4, 8]),
        ("(warmup(1) >> decay(3)).repeated(3, stretch=2)", [1, 4, 6, 12, 16]),
        ("hold(2, 5) >> decay(4).repeated(2) >> hold(0, 3)", [5, 9, 13]),
        ("(warmup(3) >> decay(50)).truncated(20) >> hold(1, 5)", [3, 20]),
        ("ramp(0, 1, 2.5) >> hold(1, 4)", [2.5]),
    ],
)
def test_edges_lie_where_one_part_ends_and_the_next_begins(text, found):
    schedule = bound(text)
    assert edges(schedule, schedule.length) == found


def test_edges_without_number_are_cut():
    assert edges(bound("decay(1).repeated(None)"), math.inf) == list(range(1, MOST_EDGES + 1))
    assert edges(bound("decay(10).repeated(None)"), 35) == [10, 20, 30]
    assert len(edges(bound("decay(1).repeated(1_000_000_000) * decay(5)"), math.inf)) <= MOST_EDGES


def test_phases_of_a_sequence_of_a_scaled_one_and_of_anything_else():
    def listed(text: str):
        return [(phase.start, phase.end, repr(phase.part)) for phase in phases(bound(text))]

    assert listed("warmup(3) >> hold(1, 4)") == [(0, 3, "ramp(0.0, 1.0, 3)"), (3, 7, "hold(1.0, 4)")]
    assert listed("(warmup(3) >> hold())") == [(0, 3, "ramp(0.0, 1.0, 3)"), (3, math.inf, "hold(1.0, 'rest')")]
    assert listed("(warmup(3) >> hold(1, 4)).scaled(2)")[1] == (3, 7, "hold(1.0, 4).scaled(2.0)")
    assert listed("warmup(3) * decay(5)") == [(0, 5, "ramp(0.0, 1.0, 3) * ramp(1.0, 0.0, 5)")]


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("hold()", 100),
        ("warmup(4000) >> hold()", 16_000),
        ("warmup(400) >> invsqrt(4000)", 16_000),
        ("decay(1000).repeated(None)", 4000),
        ("rectified(0.999)", 4000),
        ("(warmup(500) >> saturating(10)).scaled(0.1)", 2000),
    ],
)
def test_the_horizon_is_four_times_the_longest_time(text, ticks):
    assert horizon(bound(text)) == pytest.approx(ticks, abs=1)


def test_a_short_run_is_looked_at_everywhere():
    assert sampled(12, [3], 20) == list(range(12))


@pytest.mark.parametrize("total", [5000, 123_456, 10**9, 10**15])
def test_a_long_run_is_looked_at_from_end_to_end_and_at_every_edge(total):
    found = sampled(total, [0.5, 777, total - 0.5, total], 1000)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (0, total - 1)
    assert {0, 1, 776, 777, 778} <= set(found)
    assert 900 <= len(found) <= 1010
    gaps = [b - a for a, b in pairwise(found)]
    assert max(gaps) <= 3 * total / 1000


def test_a_cycle_as_long_as_a_gap_is_not_hidden():
    cycle = bound("decay(1000).repeated(4000)")
    seen = [cycle(t) for t in sampled(4_000_000, [], 4000)]
    assert min(seen) < 0.1
    assert max(seen) > 0.9


@pytest.mark.parametrize("total", [10, 4000, 10**7, 10**12])
def test_the_peak_between_two_looks_is_found(total):
    summit = total * 2 // 3
    at = sampled(total, [], 100)
    assert highest(lambda t: -abs(t - summit), at) == summit
    assert highest(lambda t: 1.0, at) == 0
    assert highest(lambda t: float(t), at) == total - 1
