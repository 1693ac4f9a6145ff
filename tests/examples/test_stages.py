"""The example of a second stage: it begins where the first one ended, is the same in every arm, and has its own updates."""

import json
import sys

import pytest
import stages

from preheat.lab.tasks import BytesOptions


@pytest.fixture
def rows(monkeypatch, tmp_path):
    """What the script logs under a schedule, with a model that is quickly trained."""
    monkeypatch.setattr(stages, "MODEL", BytesOptions(norm="pre", depth=1, width=16, context=16, batch=4, peak=0.01))
    monkeypatch.setattr(stages.ph, "log", lambda step, **metrics: seen.append({"step": step, **metrics}))
    monkeypatch.setattr(sys, "argv", ["stages.py", "--steps", "20", "--finetune", "10"])
    seen = []

    def logged(schedule):
        seen.clear()
        monkeypatch.setenv("PREHEAT_SCHEDULE", schedule)
        stages.main()
        return json.loads(json.dumps(seen))

    return logged


def test_the_second_stage_counts_from_0_and_follows_the_same_schedule_whatever_the_arm(rows):
    slow, fast = rows("warmup(15) >> decay()"), rows("decay()")
    first, second = [[row for row in slow if ("stage2/" in "".join(row)) is late] for late in (False, True)]
    assert [row["step"] for row in first] == list(range(21))
    assert [row["step"] for row in second] == list(range(11))
    assert first[-1].keys() == {"step", "val_loss"}
    assert second[-1].keys() == {"step", "stage2/val_loss"}
    rates = [row["stage2/lr"] for row in slow if "stage2/lr" in row]
    assert rates == [row["stage2/lr"] for row in fast if "stage2/lr" in row]
    assert max(rates) == pytest.approx(stages.SHARE * 0.01)
    assert slow[-1]["stage2/val_loss"] != fast[-1]["stage2/val_loss"]  # it goes on from the weights of the arm
    assert slow[0]["loss"] == fast[0]["loss"]  # which began alike


def test_a_first_stage_that_ends_without_a_number_ends_the_second_too(rows):
    lost = rows("relative(hold(1e38))")
    assert str(lost[-1]["stage2/val_loss"]) == "nan"
    assert lost[-1]["step"] == 0
