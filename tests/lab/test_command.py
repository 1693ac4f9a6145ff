"""Commands as runs: what reaches them, what comes back, and what becomes of those that fail, hang or are killed."""

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import preheat
from preheat.core.errors import PreheatError
from preheat.lab.driver import run_experiment
from preheat.lab.experiment import Arm, Experiment, Study, grid
from preheat.lab.records.record import Record, late_beginning, read_record
from preheat.lab.running.command import TRAINER, LaunchOptions

SCRIPT = f"{shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).with_name('launched_script.py')))}"
ARMS = (Arm("none", "decay()"), Arm("warm", "warmup('50%') >> decay()"))


pytestmark = pytest.mark.usefixtures("no_pictures")


def experiment_of(command, arms=ARMS, seeds=(0,)):
    study = Study("launch", "launch", LaunchOptions(command=command), arms, seeds, None, TRAINER)
    return Experiment("A launch", (study,))


def run(experiment, out, **more):
    page = io.StringIO()
    settings = {"engine": "inline", **more}
    return run_experiment(experiment, out, console=Console(file=page, width=200), **settings), page.getvalue()


def test_a_script_gets_its_schedule_and_seed_and_its_numbers_come_back(tmp_path):
    summary, _ = run(experiment_of(f"{SCRIPT} --seed {{seed}}", seeds=(0, 3)), tmp_path)
    assert summary.failures == ()
    for arm in ARMS:
        bound = preheat.parse(arm.spec).bind(preheat.Run(total=30))
        for seed in (0, 3):
            record = summary.records[0][arm.name, seed]
            loss, losses = 5.0 + 0.1 * seed, []
            for step in range(30):
                loss -= 0.1 * bound(step)
                losses.append(loss)
            assert record.steps == list(range(30))
            assert record.column("lr") == [bound(step) for step in range(30)]
            assert record.column("loss") == losses
            assert record.result.metrics == {"val_loss": losses[-1]}
    runs = tmp_path / "runs"
    assert sorted(path.suffix for path in runs.iterdir()) == [".jsonl"] * 4 + [".txt"] * 4
    assert "ended with" in (runs / "launch-none-seed0.txt").read_text()


def test_peaks_reach_the_script_as_rates(tmp_path):
    summary, _ = run(experiment_of(SCRIPT, grid(ARMS, (0.5, 0.25))), tmp_path)
    bound = preheat.parse(ARMS[1].spec).scaled(0.25).bind(preheat.Run(total=30))
    found = summary.records[0]["warm @ 0.25", 0].column("lr")
    assert found == [bound(step) for step in range(30)]


def test_any_language_can_take_part(tmp_path):
    script = tmp_path / "train.sh"
    script.write_text(
        'echo "$PREHEAT_SCHEDULE" | grep -q ramp || exit 7\n'
        'printf \'{"step": 0, "loss": 5.5, "phase": "start", "lr": null}\\n\' >> "$PREHEAT_LOG"\n'
        'printf \'{"step": 1, "loss": NaN, "val_loss": %s.5}\\n\' "$PREHEAT_SEED" >> "$1"\n'
    )
    summary, _ = run(experiment_of(f"sh {shlex.quote(str(script))} {{log}}", seeds=(2,)), tmp_path / "out")
    assert summary.failures == ()
    record = summary.records[0]["none", 2]
    assert record.steps == [0, 1]
    assert record.result.metrics == {"val_loss": 2.5}
    assert "nan" in (tmp_path / "out" / "runs" / "launch-none-seed2.jsonl").read_text()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"{SCRIPT} --fault exit", "exit code 1: out of luck; see runs/launch-none-seed0.txt"),
        (f"{SCRIPT} --fault kill", "the command ended with SIGKILL"),
        ("no-such-command-anywhere", "cannot be started: No such file"),
        (f"{sys.executable} -c pass", "neither returned nor logged 'val_loss'"),
        ("sh -c 'echo nonsense >> {log}; sleep 60'", "line 1 of the metrics is 'nonsense'"),
        ("sh -c 'echo \"[1]\" >> {log}'", "line 1 of the metrics is '[1]'"),
        ("sh -c 'echo {\\\"step\\\": -1} >> {log}'", "line 1 of the metrics"),
    ],
)
def test_a_command_that_fails_is_a_failed_run_with_a_sentence(tmp_path, command, words):
    start = time.monotonic()
    summary, _ = run(experiment_of(command, ARMS[:1]), tmp_path)
    assert words in summary.failures[0].message
    assert not list((tmp_path / "runs").glob("*.jsonl"))
    assert time.monotonic() - start < 50, "what was started has been waited for"


def test_a_value_that_was_logged_and_forgotten_is_told_and_its_file_kept(tmp_path):
    rows = "".join(f'{{"step": {step}, "{name}": 1.0}}\n' for step, name in ((0, "loss"), (9, "val_loss"), (3, "loss")))
    command = shlex.join(["sh", "-c", f"printf '%s' {shlex.quote(rows)} >> {{log}}"])
    summary, _ = run(experiment_of(command, ARMS[:1]), tmp_path)
    assert "'val_loss' was logged at update 9 and then forgotten, because update 3 followed in row 3" in (
        summary.failures[0].message
    )
    assert (tmp_path / "runs" / "launch-none-seed0.metrics").read_text() == rows


RESUMES = """
at=0; [ -e $1 ] && at=4; touch $1
for step in $at $((at+1)) $((at+2)); do echo "{\\"step\\": $step, \\"val_loss\\": $step}" >> $PREHEAT_LOG; done
"""


def test_a_checkpoint_named_by_its_run_belongs_to_one_configuration(tmp_path):
    script, saved = tmp_path / "t.sh", shlex.quote(str(tmp_path / "{run}"))
    script.write_text(RESUMES)
    for lr in (1, 2):
        summary, page = run(experiment_of(f"sh {script} {saved} {lr}", ARMS[:1]), tmp_path / f"out{lr}")
        assert summary.records[0]["none", 0].steps == [0, 1, 2]
        assert "begins at" not in page
    assert len(list(tmp_path.glob("launch-none-seed0-*"))) == 2


def test_a_run_that_begins_in_the_middle_is_asked_about(tmp_path):
    script = tmp_path / "t.sh"
    script.write_text(RESUMES)
    (tmp_path / "ckpt").touch()
    experiment = experiment_of(f"sh {script} {tmp_path / 'ckpt'}", seeds=(0, 1))
    _, page = run(experiment, tmp_path / "out")
    asked = (
        "runs/launch-none-seed0 (and 3 more) begins at update 4: did the script go on from a checkpoint of another run?"
    )
    assert asked in page
    assert "begins at" not in run(experiment, tmp_path / "out")[1], "told once"


@pytest.mark.parametrize(("steps", "late"), [([0, 1], 0), ([9, 19, 29], 0), ([4, 5, 6], 4), ([6], 0), ([1, 2, 3], 0)])
def test_a_record_begins_late_where_its_first_distance_does_not_explain_it(steps, late):
    assert late_beginning(Record({}, steps, {}, None, 0.0)) == late


@pytest.mark.parametrize("resumes", [True, False], ids=["from its checkpoint", "from the start"])
def test_a_killed_script_that_goes_on_is_the_same_run(tmp_path, resumes):
    saved = shlex.quote(str(tmp_path / "{run}.json")) if resumes else ""
    command = f"{SCRIPT} --fault kill --once {shlex.quote(str(tmp_path / 'mark'))}"
    command += f" --checkpoint {saved}" if resumes else ""
    experiment = experiment_of(command, ARMS[1:])
    first, _ = run(experiment, tmp_path / "out")
    assert first.failures
    again, _ = run(experiment, tmp_path / "out")
    undisturbed, _ = run(experiment_of(SCRIPT, ARMS[1:]), tmp_path / "whole")
    ours, theirs = again.records[0]["warm", 0], undisturbed.records[0]["warm", 0]
    assert (ours.steps, ours.columns, ours.result) == (theirs.steps, theirs.columns, theirs.result)


def test_a_script_that_hangs_is_ended_and_the_others_go_on(tmp_path):
    once = shlex.quote(str(tmp_path / "mark"))
    experiment = experiment_of(f"{SCRIPT} --fault hang --once {once}")
    summary, _ = run(experiment, tmp_path / "out", engine="processes", jobs=1, gpus=0, patience=12.0)
    assert [failure.run for failure in summary.failures] == ["launch-none-seed0"]
    assert "nothing was logged for 12 s" in summary.failures[0].message
    assert summary.records[0].keys() == {("warm", 0)}
    assert not running("launched_script.py --fault hang")


def running(words):
    """Whether a process with these words in its command line lives."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in command and str(os.getpid()) != entry.parent.name:
            return True
    return False


DRIVER = """
from test_command import ARMS, experiment_of, run_experiment
from pathlib import Path
run_experiment(experiment_of({command!r}), Path({out!r}), jobs=1, gpus=0)
"""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to see the processes")
def test_a_killed_driver_leaves_no_script_behind_and_loses_nothing(tmp_path):
    once = tmp_path / "mark"
    command = f"{SCRIPT} --fault hang --once {shlex.quote(str(once))}"
    code = DRIVER.format(command=command, out=str(tmp_path / "out"))
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent, stdout=subprocess.DEVNULL)
    wait_until(once.exists)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    wait_until(lambda: not running("--once " + str(once)))
    summary, _ = run(experiment_of(command), tmp_path / "out")
    assert summary.failures == ()
    assert all(record.steps == list(range(30)) for record in summary.records[0].values())
    assert not list((tmp_path / "out").rglob("*.part"))


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_the_record_names_no_folder_of_this_machine(tmp_path):
    run(experiment_of(SCRIPT, ARMS[:1]), tmp_path / "out")
    text = next((tmp_path / "out" / "runs").glob("*.jsonl")).read_text()
    assert str(Path(__file__).parent) not in text
    assert "launched_script.py" in json.loads(text.splitlines()[0])["options"]["command"]
    read_record(next((tmp_path / "out" / "runs").glob("*.jsonl")))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "the command is empty"),
        ("python 'x", "cannot be split"),
        ("HF_TOKEN=Xq7 sh t.sh", "begins with HF_TOKEN=…, which only a shell reads.*write env HF_TOKEN=…"),
        ("LR=3 sh lr.sh", "begins with LR=…"),
        ("cd x && sh t.sh", "has '&&' in it, which only a shell reads.*write sh -c '…'"),
        ("sh t.sh > log", "has '>' in it"),
        ("sh t.sh 2>&1", "has '2>&1' in it"),
        ("sh t.sh | tee x", r"has '\|' in it"),
        ("cd x; sh t.sh", "has 'x;' in it"),
    ],
)
def test_a_command_that_is_none_is_refused(command, words):
    with pytest.raises(PreheatError, match=words) as refusal:
        LaunchOptions(command=command)
    assert "Xq7" not in str(refusal.value)


@pytest.mark.parametrize(
    "command", ["t '|' \"x;\" a\\;", "t --pad-token <pad>", "python -c 'x; y'", "env A=1 t", "t a=1"]
)
def test_what_only_looks_like_words_of_a_shell_is_none(command):
    LaunchOptions(command=command)
