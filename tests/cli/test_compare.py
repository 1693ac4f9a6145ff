"""`preheat compare` turns its options into an experiment, and refuses what cannot run before anything starts."""

import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from preheat.lab.demo import NONE, SHORT, demo_experiment
from preheat.lab.experiment import Arm, Metric, TargetValue
from preheat.lab.tasks import TASKS


@pytest.fixture
def experiment(ask, monkeypatch):
    """The experiment that a command line stands for, without running it."""

    def read(*tokens: str):
        seen = []
        monkeypatch.setattr("preheat.cli.compare._run", lambda *given: seen.append(given) or 0)
        answer = ask("compare", *tokens)
        assert (answer.code, answer.err) == (0, "")
        return seen[0]

    return read


def test_options_become_an_experiment(experiment):
    arms = ("--arm", "none=decay()", "--arm", "warm=warmup('33%', start=0.1) >> decay()")
    made, machine, out, race = experiment(
        "bytes", *arms, "--seeds", "4", "--steps", "50", "--norm", "pre", "--peak", "1e-3", "--jobs", "2", "--out", "x"
    )
    (study,) = made.studies
    assert [arm.name for arm in study.arms] == ["none", "warm"]
    assert study.arms[1] == Arm("warm", "ramp(0.1, 1, '33%') >> decay()")
    assert (study.task, study.seeds, study.steps) == ("bytes", (0, 1, 2, 3), 50)
    assert (study.options.norm, study.options.peak, study.options.depth) == ("pre", 1e-3, 8)
    assert (machine.jobs, machine.engine, out, race) == (2, "processes", Path("x"), False)
    assert made.title == "bytes: none vs warm"


def test_without_arms_no_warmup_is_compared_with_some(experiment):
    made, _, out, _ = experiment("digits", "--init-gain", "3")
    assert made.studies[0].arms == (NONE, SHORT)
    assert made.studies[0].options.init_gain == 3
    assert out == Path("runs/digits")


def test_the_command_that_is_reported_makes_the_same_experiment(experiment):
    first = experiment(
        "digits", "--weight-decay", "0.1", "--arm", "a=decay()", "--arm", "b = warmup(9)", "--out", "runs/y"
    )
    words = shlex.split(shlex.join(first[0].command))
    assert words[:3] == ["preheat", "compare", "digits"]
    again = experiment(*words[2:])
    assert again[0] == first[0]
    assert again[2] == first[2]


def test_peaks_and_warmups_make_a_grid(experiment):
    made, _, _, race = experiment("digits", "--warmups", "0, 50,5%", "--peaks", "0.01,0.02", "--race")
    (study,) = made.studies
    assert [arm.name for arm in study.arms] == [
        *("none @ 0.01", "none @ 0.02", "warmup 50 @ 0.01", "warmup 50 @ 0.02", "warmup 5% @ 0.01", "warmup 5% @ 0.02")
    ]
    assert study.is_grid
    assert race
    again = experiment(*shlex.split(shlex.join(made.command))[2:])
    assert (again[0], again[3]) == (made, True)


@pytest.mark.parametrize("task", [("digits",), ("--launch", "python train.py")])
def test_a_target_is_asked_of_every_arm_and_is_in_the_command_that_is_reported(experiment, task):
    made = experiment(*task, "--target", "3.28", "--target-sd", "0.0013", "--target-level", "0.01")[0]
    assert made.studies[0].target == TargetValue(3.28, 0.0013, 0.01)
    assert experiment(*shlex.split(shlex.join(made.command))[2:])[0] == made
    below = experiment(*task, "--target=-0.5")[0]
    assert below.studies[0].target == TargetValue(-0.5, None, 0.05)
    assert experiment(*shlex.split(shlex.join(below.command))[2:])[0] == below
    assert experiment(*task)[0].studies[0].target is None


def test_a_command_of_ones_own_becomes_an_experiment(experiment):
    words = (
        "--metric",
        "accuracy:max",
        "--metric",
        "loss",
        "--arms",
        "a=decay()",
        "b=warmup('200k tokens') >> decay()",
    )
    made, _, out, race, usual = experiment("--launch", "python train.py --seed {seed}", *words)
    (study,) = made.studies
    assert study.options.command == "python train.py --seed {seed}"
    assert study.metrics == (Metric("accuracy", "max"), Metric("loss"))
    assert [arm.name for arm in study.arms] == ["a", "b"]
    assert (study.steps, out, race, usual) == (None, Path("runs/launch"), False, {"jobs": 1, "gpus": 0})
    again = experiment(*shlex.split(shlex.join(made.command))[2:])
    assert again[0] == made


def test_the_demo_is_the_demo(experiment):
    made, _, out = experiment("demo", "--out", "z")
    assert (made.title, made.studies) == (demo_experiment().title, demo_experiment().studies)
    assert made.command == ("preheat", "compare", "demo", "--out", "z")
    assert out == Path("z")


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("--arm", "x=rampp(1)"), "--arm 'x=rampp(1)': column 1: unknown word 'rampp'"),
        (("--arm", "warmup(5)"), "an arm needs a name and a schedule"),
        (("--arm", "x=warmup(500)"), "arm 'x' cannot run for 400 steps"),
        (("--arm", "x=warmup(500)"), "give a longer --steps"),
        (("--arm", "x=decay()", "--arm", "x=hold(1)"), "two arms are called 'x'"),
        (("--seeds", "0"), "--seeds must be at least 1, not 0"),
        (("--steps", "0"), "steps must be a whole number of at least 1, not 0"),
        (("--jobs", "0"), "--jobs must be at least 1, not 0"),
        (("--depth", "0"), "depth must be a whole number of at least 1"),
        (("--width", "33"), "width 33 cannot be shared among 2 heads"),
        (("--peak", "-1"), "peak must be a number > 0"),
        (("--peaks", "1e-3,low"), "--peaks are numbers such as 1e-3,3e-3, not 'low'"),
        (("--peaks", "0"), "a peak must be above 0"),
        (("--warmups", "5", "--arm", "a=decay()"), "--warmups stands instead of --arm"),
        (("--target-sd", "0.1"), "without a target; give the target too"),
        (("--target-level", "0.01"), "without a target; give the target too"),
        (("--target", "nan"), "a target must be finite, not nan"),
        (("--target", "3", "--target-sd", "0"), "the standard deviation for a target must be above 0, not 0.0"),
        (("--target", "3", "--target-level", "0.95"), "a false claim, below 0.5, not 0.95; write 0.05, or 0.01"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_starts(ask, monkeypatch, tmp_path, tokens, words):
    monkeypatch.chdir(tmp_path)
    answer = ask("compare", "bytes", *tokens)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert not list(tmp_path.iterdir())


def test_every_registered_task_has_a_command_with_its_options(ask, experiment):
    for name, options in TASKS.items():
        made, _, out, _ = experiment(name, "--batch", "7")
        assert made.studies[0].options == options(batch=7)
        assert (made.studies[0].task, out) == (name, Path(f"runs/{name}"))
    assert set(TASKS) == {name for name in ask("compare", "--help").out.split() if name in TASKS}


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("warmup('2 epochs')", "arm 'x' cannot run for 400 steps: this run does not know what one epoch is worth; "),
        ("warmup('2 h')", "arm 'x' cannot run for 400 steps: 'h' cannot be told on a clock of steps; "),
    ],
)
def test_a_unit_that_no_task_knows_is_refused_without_an_option_that_is_not_there(ask, arm, words):
    answer = ask("compare", "bytes", "--arm", f"x={arm}")
    assert answer.code == 2
    assert f"{words}a task counts updates: write a number of them, or '5%'" in answer.err
    assert "--clock" not in answer.err
    assert "--steps-per-epoch" not in answer.err


def test_what_is_not_installed_is_named_with_how_to_install_it(ask, monkeypatch):
    monkeypatch.setattr(
        "preheat.cli.compare.find_spec", lambda name: None if name in ("torch", "sklearn") else object()
    )
    answer = ask("compare", "demo")
    assert answer.code == 2
    assert 'needs torch, scikit-learn; pip install "preheat[lab]"' in answer.err


def test_reading_the_command_line_loads_no_torch():
    code = "import sys; from preheat.cli import compare; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_title_is_what_was_given_else_what_is_compared(experiment):
    launched = experiment("--launch", "python3 scripts/train.py --lr 1", "--warmups", "0,5%")[0]
    assert launched.title == launched.studies[0].title == "train.py: none vs warmup 5%"
    own = ("--title", "Is it -- needed?", "--out", "x")
    for task in (("bytes",), ("--launch", "python3 train.py"), ("demo",)):
        made = experiment(*task, *own)[0]
        assert made.title == "Is it -- needed?"
        again = experiment(*shlex.split(shlex.join(made.command))[2:])[0]
        assert (again, again.command) == (made, made.command)
    assert len(experiment("bytes", "--arm", f"{'a' * 50}=decay()", "--arm", "b=decay()")[0].title) <= 60


def test_another_title_finds_the_same_runs(experiment):
    for task in (("bytes",), ("--launch", "python3 train.py"), ("demo",)):
        plain, titled = (experiment(*task, *more)[0] for more in ((), ("--title", "Another name")))
        assert [run.name for run in plain.trials()] == [run.name for run in titled.trials()]
        assert plain.title != titled.title


def test_where_the_runs_are_made_is_in_the_command_too(experiment):
    made = experiment("bytes", "--jobs", "2", "--patience", "90", "--out", "x")[0]
    assert made.command[-6:] == ("--jobs", "2", "--patience", "90", "--out", "x")


def test_the_last_line_can_be_pasted_and_a_new_title_finds_the_runs(ask, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "preheat.lab.report.figure.save_figure", lambda studies, records, *paths: [path.touch() for path in paths]
    )
    Path("my train.py").write_text(
        "import os\n"
        "worse = 'none' in os.environ['PREHEAT_ARM']\n"
        "value = 2 + worse + int(os.environ['PREHEAT_SEED']) / 10 * (1 + worse / 9)\n"
        "open(os.environ['PREHEAT_LOG'], 'a').write('{\"step\": 0, \"val_loss\": %s}\\n' % value)\n"
    )
    launch = shlex.join([sys.executable, "my train.py"])
    words = ("--launch", launch, "--warmups", "0,5%", "--seeds", "1", "--engine", "inline", "--out", "my runs")
    first = ask("compare", *words, "--title", "Isn't it?")
    assert first.code == 0, first.err
    *_, said, report, why, pasted = first.out.splitlines()
    assert said == "One seed cannot tell warmup 5% from none."
    assert report == f"Report: {Path('my runs/report.html')}"
    assert why.endswith(":")
    words = shlex.split(pasted)
    assert "Isn't it?" in words
    again = ask(*("Another title" if word == "Isn't it?" else word for word in words[1:]))
    assert again.code == 0, again.err
    assert "2 of 6 runs were finished before and are kept." in again.out
    assert "Warm up: warmup 5% ends 1.0 lower than none, in all 3 seeds." in again.out
    assert "<title>Another title</title>" in Path("my runs/report.html").read_text()
    assert len(list(Path("my runs/runs").glob("*.jsonl"))) == 6


def test_markdown_alone_is_printed_where_it_is_asked_for(ask, monkeypatch, tmp_path):
    def run(experiment, out, *, console, **more):
        console.print("tables and verdicts")
        return SimpleNamespace(failures=(), to_markdown=lambda: "# The card\n")

    monkeypatch.setattr("preheat.lab.driver.run_experiment", run)
    monkeypatch.setattr("preheat.cli.compare.find_spec", lambda name: object())
    answer = ask("compare", "demo", "--out", str(tmp_path), "--markdown")
    assert (answer.code, answer.out, answer.err) == (0, "# The card\n", "tables and verdicts\n")


@pytest.mark.parametrize(("failures", "code"), [((), 0), (("one",), 1)])
def test_the_exit_code_says_whether_runs_failed(ask, monkeypatch, tmp_path, failures, code):
    monkeypatch.setattr("preheat.lab.driver.run_experiment", lambda *given, **named: SimpleNamespace(failures=failures))
    monkeypatch.setattr("preheat.cli.compare.find_spec", lambda name: object())
    assert ask("compare", "demo", "--out", str(tmp_path)).code == code


def test_ctrl_c_while_runs_are_on_their_way_ends_with_130(ask, monkeypatch, tmp_path):
    def stopped(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("preheat.lab.driver.run_experiment", stopped)
    monkeypatch.setattr("preheat.cli.compare.find_spec", lambda name: object())
    answer = ask("compare", "demo", "--out", str(tmp_path))
    assert (answer.code, answer.out, answer.err) == (130, "", "")
