"""A range test of a command: its rates are the sweep's, it is ended with the sweep, and what cannot be one is refused."""

import sys

import pytest

from preheat import PreheatError
from preheat.lab.running.command import LaunchOptions
from preheat.lab.running.sweeping import swept_command
from preheat.measure.rates.swept import RangeTest

SCRIPT = """
import math, os, struct, sys, time
import preheat
torch_like = lambda one: struct.unpack("f", struct.pack("f", one))[0]  # in single precision
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


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lr": "rate(step + 1)"}, "the rate of update i \\+ 1 at update i; log lr before scheduler.step"),
        ({"steps": "1, 21", "lr": "rate(step - 1)"}, "update i − 1 at update i; count updates from 0"),
        ({"lr": "rate(step) * 1.41"}, "at update 0 the script trained at 0.00141, and the sweep is at 0.001"),
        ({"lr": "rate(step) * (1 + 1e-5 * (step == 7))"}, "at update 7 .* log lr as it is, not rounded"),
        ({"steps": "1, 21", "lr": "math.nan"}, "the first update that the script logged is 1, .*counted from 0"),
        ({"loss": "1 - step / 5"}, "the loss is -0.2, .* needs a loss above 0; add a constant"),
        ({"loss": "math.nan"}, "the first loss, before any update, and its gradient must be finite, not nan"),
    ],
)
def test_rates_and_losses_that_are_no_sweep_are_refused(swept, given, words):
    with pytest.raises(PreheatError, match=words):
        swept(**given)


def test_whether_rates_were_logged_is_known(swept):
    assert swept(lr="torch_like(rate(step))").known
    found = swept(lr="math.nan")
    assert not found.known
    assert "No lr was logged" in RangeTest((found,), "seeds").sentence


def test_a_script_that_logs_no_loss_is_refused(swept):
    with pytest.raises(PreheatError, match=r"the script logged no loss; call preheat.log\(step, loss="):
        swept(steps="0")


@pytest.mark.parametrize("given", [{"steps": "10"}, {"steps": "0, 20, 2"}])
def test_a_script_that_ends_early_or_logs_seldom_is_refused(swept, given):
    with pytest.raises(
        PreheatError, match="logged the loss of 10 of the 20 updates of the sweep; let it log every update"
    ):
        swept(**given)
