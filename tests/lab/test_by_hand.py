"""A script that writes its rates by hand takes part in a comparison as one with a Scheduler does, at the same rates."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import preheat
from preheat import PreheatError
from preheat.cli import main
from preheat.lab.records.record import read_record

SCRIPT = Path(__file__).with_name("trainer_by_hand.py")
COMMAND = f"{shlex.quote(sys.executable)} {shlex.quote(str(SCRIPT))}"
RUN = preheat.Run(total=20)
WARM = preheat.warmup("50%") >> preheat.decay()


pytestmark = pytest.mark.usefixtures("no_pictures")


def rates_of(out):
    """The rates that each run has trained at, by its name."""
    return {path.stem: read_record(path).column("lr") for path in (out / "runs").glob("*.jsonl")}


@pytest.mark.parametrize("way", ["", " --scheduler"], ids=["by hand", "with a Scheduler"])
def test_both_ways_train_at_the_peak_that_was_asked_for(tmp_path, way):
    arms = ["--arm", "warm=warmup(50%) >> decay()", "--peaks", "0.125", "--seeds", "1"]
    assert main(["compare", "--launch", COMMAND + way, *arms, "--engine", "inline", "--out", str(tmp_path)]) == 0
    assert list(rates_of(tmp_path).values()) == [WARM.bind(RUN, peak=0.125).table(20).tolist()]


@pytest.mark.parametrize("way", ["", " --scheduler"], ids=["by hand", "with a Scheduler"])
def test_both_ways_follow_factors_rates_and_stated_factors(tmp_path, way):
    arms = {
        "factors": "warmup(50%) >> decay()",
        "rates": "absolute(ramp(0.01, 0.1, 10) >> hold(0.1))",
        "stated": "relative(ramp(2, 1, 10))",
    }
    words = [word for name, text in arms.items() for word in ("--arm", f"{name}={text}")]
    command = [
        "compare",
        "--launch",
        COMMAND + way,
        *words,
        "--seeds",
        "1",
        "--engine",
        "inline",
        "--out",
        str(tmp_path),
    ]
    assert main(command) == 0
    found = rates_of(tmp_path)
    assert found["launch-factors-seed0"] == WARM.bind(RUN, peak=0.5).table(20).tolist()
    assert (
        found["launch-rates-seed0"] == (preheat.ramp(0.01, 0.1, 10) >> preheat.hold(0.1)).bind(RUN).table(20).tolist()
    )
    assert found["launch-stated-seed0"] == preheat.ramp(1.0, 0.5, 10).table(20).tolist()


def test_the_script_also_runs_by_itself_and_without_a_peak_says_what_to_write():
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PREHEAT_")}
    assert subprocess.run([sys.executable, SCRIPT], env=alone).returncode == 0
    ended = subprocess.run([sys.executable, SCRIPT, "--no-peak"], env=alone, capture_output=True, text=True)
    assert "is factors, and a rate is asked for; write from_env(run=…, peak=3e-4)" in ended.stderr


def test_an_arm_that_may_be_meant_as_rates_is_refused_before_anything_runs(tmp_path, capsys):
    words = ["--arm", "ramp=ramp(0.01, 0.1, 10)", "--out", str(tmp_path)]
    assert main(["compare", "--launch", COMMAND, *words]) == 2
    said = capsys.readouterr().err
    assert "arm 'ramp': the factors reach up to 0.1, not 1; write absolute(ramp(0.01, 0.1, 10))" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arm", "given", "words"),
    [
        ("decay(5)", {"run": RUN}, "is factors, and a rate is asked for"),
        ("relative(hold(2))", {"run": RUN}, "is factors, and a rate is asked for"),
        ("ramp(0.01, 0.1, 9)", {"run": RUN, "peak": 0.1}, "the factors reach up to 0.1, not 1"),
        (
            '{"lr": "decay()", "weight_decay": "absolute(hold(0.1))"}',
            {"run": RUN, "peak": 0.1},
            "a plan for lr, weight_decay",
        ),
        ('{"head/lr": "decay()"}', {"peak": 0.1}, "a plan for head/lr, and one rate is asked for"),
        ("decay('5%')", {"peak": 0.1}, "has no length until the run is known"),
    ],
)
def test_where_no_rate_is_known_none_is_given(monkeypatch, arm, given, words):
    monkeypatch.setenv("PREHEAT_SCHEDULE", arm)
    with pytest.raises(PreheatError, match=words):
        preheat.from_env(**given)


def test_whichever_the_arm_is_a_rate_is_given(monkeypatch):
    for arm, rate in {
        "decay(10)": 0.05,
        '{"lr": "decay(10)"}': 0.05,
        "absolute(hold(0.3))": 0.3,
        "cosine(10, peak_lr=0.2)": 0.1,
        "relative(hold(3))": 0.3,
    }.items():
        monkeypatch.setenv("PREHEAT_SCHEDULE", arm)
        assert preheat.from_env(run=RUN, peak=0.1)(5) == pytest.approx(rate)
        assert preheat.from_env(peak=0.1).bind(RUN).table(20).shape == (20,)
