"""A range test of a command: its rates are the sweep's, it is ended with the sweep, and what cannot be one is refused."""

import sys

import pytest

from preheat import PreheatError
from preheat.lab.running.command import LaunchOptions
from preheat.lab.running.sweeping import swept_command

SCRIPT = """
import math, os, sys, time
import preheat
rate = preheat.from_env(run=preheat.Run(total=10**6))
for step in range({steps}):
    loss = {loss}
    preheat.log(step, loss=loss, lr={lr})
    {after}
print("seed", os.environ["PREHEAT_SEED"])
"""
RATES = (1e-3, 10.0, 20)


@pytest.fixture
def swept(tmp_path):
    def run(steps="20", loss="2 - step / 100", lr="rate(step)", after="pass", seed=3):
        script = tmp_path / "train.py"
        script.write_text(SCRIPT.format(steps=steps, loss=loss, lr=lr, after=after))
        return swept_command(LaunchOptions(command=f"{sys.executable} {script}"), RATES, seed, tmp_path / "out")

    return run


def test_a_script_that_ends_with_the_sweep(swept, tmp_path):
    found = swept()
    assert found.rates == pytest.approx([1e-3 * 1e4 ** (i / 20) for i in range(20)])
    assert found.losses == pytest.approx([2 - i / 100 for i in range(20)])
    assert (found.planned, found.stopped) == (20, False)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["find-sweep-seed3.txt"]
    assert (tmp_path / "out" / "find-sweep-seed3.txt").read_text() == "seed 3\n"


def test_a_script_that_would_go_on_is_ended(swept):
    found = swept(steps="10**9", after="time.sleep(0.01)")
    assert len(found.losses) == 20


@pytest.mark.parametrize("after", ["pass", "if step == 12: sys.exit('loss is nan')"])
def test_a_loss_that_rises_ends_the_sweep_and_the_script_may_fail_then(swept, after):
    found = swept(loss="1.0 if step < 10 else 100.0 if step < 12 else math.nan", after=after)
    assert found.stopped
    assert len(found.losses) in (11, 12)


def test_a_script_that_fails_before_is_refused(swept):
    with pytest.raises(PreheatError, match="the command ended with exit code 1: no data"):
        swept(after="sys.exit('no data')")


def test_a_script_that_trains_at_other_rates_is_refused(swept):
    with pytest.raises(
        PreheatError, match=r"at update 0 the script trained at 0.3, and the sweep is at 0.001; let it follow"
    ):
        swept(lr="0.3")
    assert len(swept(lr="rate(step + 1)").losses) == 20  # the rate of the update after


def test_a_script_that_logs_no_loss_is_refused(swept):
    with pytest.raises(PreheatError, match="neither returned nor logged 'loss'"):
        swept(steps="0")


@pytest.mark.parametrize("given", [{"steps": "10"}, {"steps": "0, 20, 2"}])
def test_a_script_that_ends_early_or_logs_seldom_is_refused(swept, given):
    with pytest.raises(
        PreheatError, match="logged the loss of 10 of the 20 updates of the sweep; let it log every update"
    ):
        swept(**given)
