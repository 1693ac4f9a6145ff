"""The example of one's own training function: its schedules, and what it returns."""

import math

import pytest
import rewarm

import preheat as ph
from preheat.lab.tasks import BytesOptions


@pytest.mark.parametrize("span", [0, 50, 300])
def test_the_rate_has_decayed_when_it_is_raised_again_and_ends_at_0(span):
    bound = rewarm.rewarmed(span).bind(ph.Run(total=rewarm.TOTAL))
    assert bound(rewarm.FIRST - 1) == pytest.approx(0.01, abs=0.01)
    assert bound(rewarm.FIRST + span) == 1.0
    assert bound(rewarm.TOTAL) == 0.0


def test_the_jump_is_measured_from_before_the_rise_to_its_top(monkeypatch):
    monkeypatch.setattr(rewarm, "MODEL", BytesOptions(norm="pre", depth=1, width=16, context=16, batch=4, peak=0.1))
    monkeypatch.setattr(rewarm, "FIRST", 120)
    monkeypatch.setattr(rewarm, "TOTAL", 160)
    rows = []
    found = rewarm.train(rewarm.rewarmed(0), 0, lambda step, **metrics: rows.append(metrics))
    assert len(rows) == 160
    looks = [row["now"] for row in rows if "now" in row]
    assert len(looks) == 4
    assert found["jump"] == max(looks) - looks[0] >= 0
    assert math.isfinite(found["val_loss"])
