"""The race for peak and warmup: what fits into a budget, what it finds, and that it goes on where it was ended."""

import io
import math

import pytest
import racing_subject
from rich.console import Console

from preheat import PreheatError
from preheat.lab.racing import FEWEST, arms_of, planned, race
from preheat.measure.advising.facts import Facts, OptimizerFacts

pytestmark = pytest.mark.usefixtures("no_pictures")

SGD = OptimizerFacts("SGD", "sgd", momentum=0.9)


def facts(**more):
    usual = {"steps": 400, "peak": 0.1, "loss": 10.0, "critical": (0.05,) * 4, "optimizer": SGD}
    return Facts(**{**usual, **more})


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Race in this process, with few arms; counts the runs that were begun."""
    monkeypatch.setattr("preheat.lab.racing.arms_of", lambda found: ([0.01, 0.1, 100.0], [0, 10]))
    monkeypatch.setenv("COUNTED_RUNS", str(tmp_path / "runs"))

    def raced(budget=2000, out=tmp_path / "race"):
        console = Console(file=io.StringIO())
        return race(racing_subject.made, facts(), budget=budget, out=out, engine="inline", console=console)

    raced.begun = lambda: (tmp_path / "runs").stat().st_size
    return raced


def test_the_better_half_goes_on_with_runs_of_twice_the_length(run):
    found = run()
    first, *later = found.rungs
    assert len(first.losses) == 6
    assert first.losses[100.0, 0] is first.losses[100.0, 10] is None
    for before, after in zip(found.rungs, later, strict=False):
        assert after.updates == min(400, 2 * before.updates)
        assert list(after.losses) == before.order[: (len(before.losses) + 1) // 2]
    assert found.winner in found.rungs[-1].losses
    assert found.winner[0] < 100
    assert 0 < found.spent <= 2000


def test_ended_it_goes_on_where_it_was(run, tmp_path, monkeypatch):
    whole = run(out=tmp_path / "whole")
    begun = run.begun()
    (tmp_path / "runs").unlink()
    monkeypatch.setenv("ENDED_AFTER", "3")
    with pytest.raises(PreheatError, match="the same call tries them again"):
        run()
    monkeypatch.delenv("ENDED_AFTER")
    assert run() == whole
    assert run.begun() == begun + 3  # the three that were ended began twice
    assert run() == whole
    assert run.begun() == begun + 3


@pytest.mark.parametrize("budget", [FEWEST * 200, 10_000, 123_456])
def test_it_stays_within_its_budget(budget):
    plan = planned([0.01 * 2**k for k in range(6)], [0, 10, 20, 5000], budget, 20_000)
    assert plan.cost <= budget
    assert plan.updates[0] >= FEWEST
    assert all(b == 2 * a for a, b in zip(plan.updates, plan.updates[1:], strict=False))
    assert max(warmup for _, warmup in plan.arms) <= plan.updates[0] // 2


def test_too_small_a_budget_is_refused_with_what_is_enough():
    with pytest.raises(PreheatError, match="write") as refusal:
        planned([0.1, 0.2], [0], 10, 400)
    enough = int("".join(filter(str.isdigit, refusal.value.write)))
    assert planned([0.1, 0.2], [0], enough, 400).cost <= enough


def test_peaks_go_up_from_the_safe_one_and_hold_the_one_that_was_asked_about():
    peaks, warmups = arms_of(facts())
    assert peaks == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 0.1])
    assert warmups == [0, 4, 8, 20, 40]
    unknown, _ = arms_of(facts(critical=(None,)))
    assert min(unknown) < 0.1 < max(unknown)
    adam = OptimizerFacts("Adam", "adaptive", beta2=0.9)
    assert 20 in arms_of(facts(optimizer=adam))[1]
    assert math.isclose(arms_of(facts(optimizer=adam))[0][0], 0.2)
