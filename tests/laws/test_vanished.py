"""Parts that a run has no update of: found in any schedule that binds, and just those that binding leaves out."""

import pytest
from hypothesis import given
from strategies import growing, runs, written_spans

from preheat import PreheatError, Run, parse
from preheat.core.vanished import vanished


@given(growing(written_spans), runs())
def test_any_schedule_that_fits_can_be_asked(schedule, run):
    try:
        schedule.bind(run)
    except PreheatError:
        return
    for one in vanished(schedule, run):
        assert one.words
        assert one.exact < 1


@pytest.mark.parametrize("updates", range(1, 60))
def test_a_first_part_vanishes_where_binding_leaves_it_out(updates):
    schedule, run = parse("warmup(3%) >> decay()"), Run(total=updates)
    gone = [one for one in vanished(schedule, run) if one.is_warmup]
    assert bool(gone) == (schedule.bind(run)(0) == 1.0)


def test_where_the_end_is_not_known_what_comes_before_it_is_asked():
    assert list(vanished(parse("warmup(5) >> hold() >> decay(100)"), Run())) == []
    (one,) = vanished(parse("warmup('0.1 epochs') >> hold() >> decay(100)"), Run(steps_per_epoch=4))
    assert one.exact == 0.4


def test_an_end_of_no_length_and_a_rest_without_room_are_no_part_that_was_rounded():
    for text in ("warmup(10) >> hold() >> decay(90)", "hold(1.0, 100) >> hold(0.1, 0)"):
        assert not [one for one in vanished(parse(text), Run(total=100)) if one.exact]
