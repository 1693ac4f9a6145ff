"""What is told of runs that fail, and when a comparison is given up because all of them would."""

import io
import shlex
import signal
import sys

import pytest
from fake_runs import LINEAR, NONE, experiment_of
from rich.console import Console

from preheat.lab.driver import run_experiment
from preheat.lab.experiment import Experiment, Study
from preheat.lab.naming import printable
from preheat.lab.running.command import TRAINER, LaunchOptions
from preheat.lab.running.worker import Event

pytestmark = pytest.mark.usefixtures("no_pictures")


def run(experiment, out, **more):
    page = io.StringIO()
    settings = {"engine": "inline", **more}
    return run_experiment(experiment, out, console=Console(file=page, width=200), **settings), page.getvalue()


def launch(command, seeds=(0, 1, 2), arms=(NONE, LINEAR)):
    return Experiment(
        "A launch", (Study("launch", "launch", LaunchOptions(command=command), arms, seeds, None, TRAINER),)
    )


@pytest.mark.parametrize("settings", [{}, {"engine": "processes", "jobs": 1, "gpus": 0}], ids=["inline", "processes"])
def test_leaving_by_sys_exit_or_keyboard_interrupt_is_that_runs_failure_and_its_traceback_is_kept(tmp_path, settings):
    arms = (NONE, LINEAR)
    own = experiment_of(arms, (0,), trainer="fake_exits:interrupted", fault="own")
    summary, _ = run(own, tmp_path, **settings)
    assert len(summary.failures) == 2
    for failure in summary.failures:
        assert failure.message.startswith("the training raised KeyboardInterrupt itself (fake_exits.py, line ")
        assert failure.message.endswith(f"; see runs/{failure.run}.txt")
        trace = (tmp_path / "runs" / f"{failure.run}.txt").read_text().splitlines()
        assert trace[0] == "Traceback (most recent call last):"
        assert "raise KeyboardInterrupt" in trace[-2]
    summary, _ = run(experiment_of(arms, (0,), trainer="fake_exits:leaves", fault="zero"), tmp_path / "b", **settings)
    assert [failure.message.partition(" (")[0] for failure in summary.failures] == [
        "the training ended its process by sys.exit(0)"
    ] * 2


def test_the_traceback_goes_when_the_run_succeeds(tmp_path):
    once = experiment_of(seeds=(0,), trainer="fake_exits:fails_once", marks=str(tmp_path))
    first, _ = run(once, tmp_path / "out")
    assert [failure.run for failure in first.failures] == ["fake-study-none-seed0"]
    left = tmp_path / "out" / "runs" / "fake-study-none-seed0.txt"
    assert "in fails_once\n    raise RuntimeError" in left.read_text()
    again, _ = run(once, tmp_path / "out")
    assert again.failures == ()
    assert not left.exists()


@pytest.mark.parametrize("fault", ["", "caught"])
def test_ctrl_c_stops_a_comparison_in_this_process_also_where_the_training_catches_it(tmp_path, fault):
    experiment = experiment_of(trainer="fake_exits:interrupted", fault=fault)
    before = signal.getsignal(signal.SIGINT)
    page = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment, tmp_path, engine="inline", console=Console(file=page, width=200))
    assert "Stopped. 0 of 4 runs are finished and kept" in page.getvalue()
    assert list((tmp_path / "runs").iterdir()) == []
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_the_caller_and_an_ignored_signal_stay_theirs(tmp_path):
    seen = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        summary, _ = run(experiment_of((NONE,), (0,), trainer="fake_exits:signalled"), tmp_path)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert summary.failures == ()
    assert seen == [signal.SIGTERM]


@pytest.mark.parametrize(
    "settings", [{}, {"race": True}, {"engine": "processes", "jobs": 1, "gpus": 0}], ids=["inline", "race", "processes"]
)
def test_where_every_first_run_fails_at_once_the_rest_is_not_tried(tmp_path, settings):
    (tmp_path / "marks").mkdir()
    experiment = experiment_of(seeds=(0, 1, 2, 3), trainer="fake_exits:leaves", marks=str(tmp_path / "marks"))
    summary, text = run(experiment, tmp_path / "out", **settings)
    assert [failure.run for failure in summary.failures] == ["fake-study-none-seed0", "fake-study-linear-seed0"]
    assert summary.records == ({},)
    assert "The first run of every arm failed at once, so 6 more were not tried." in text
    assert text.count("The last lines of fake-study-none-seed0:") == 1
    assert text.count("SystemExit: 3") == 1


def test_the_end_of_what_a_command_printed_is_shown_once_and_cannot_rule_the_terminal(tmp_path):
    code = "import sys; print(*range(99), sep='\\n'); print('\\33[31mred\\33[0m \\33]0;title\\7'); sys.exit(3)"
    summary, text = run(launch(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}", arms=(NONE,)), tmp_path)
    assert len(summary.failures) == 1
    assert "so 2 more were not tried" in text
    shown = text.partition("The last lines of launch-none-seed0:")[2].split()
    assert shown[:15] == [*map(str, range(85, 99)), "red"]
    assert shown[15] == r"\x1b]0;title\x07"
    assert "\33" not in text


def test_it_goes_on_where_one_run_has_trained_or_one_arm_is_sound(tmp_path):
    late = experiment_of((NONE,), (0, 1), fault="raise", fault_seed=0)  # after half of its updates
    summary, _ = run(late, tmp_path / "late")
    assert (len(summary.failures), len(summary.records[0])) == (1, 1)
    code = "import preheat, os; preheat.log(0, val_loss=1.0 if os.environ['PREHEAT_ARM'] == 'linear' else None)"
    summary, text = run(launch(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"), tmp_path / "sound")
    assert (len(summary.failures), len(summary.records[0])) == (3, 3)
    assert "not tried" not in text


def test_what_was_finished_before_speaks_for_the_training(tmp_path):
    run(experiment_of((NONE,), (0,)), tmp_path)
    broken = experiment_of((NONE,), (0, 1, 2))
    summary, text = run(broken, tmp_path, engine=AllFail())
    assert len(summary.failures) == 2
    assert "not tried" not in text


class AllFail:
    """An engine on which everything fails at once."""

    def threads(self, runs):
        return 1

    def run(self, jobs):
        for job in jobs:
            yield Event(job, "started")
            yield Event(job, "failed", message="as always")


def test_text_is_made_harmless():
    assert printable("a\tb\nc") == "a\tb\nc"
    assert printable("\33[1;31mred\33[0m\r\7\ud800é") == r"red\r\x07\ud800é"
