"""`preheat table` gives back the very numbers that the schedule gives."""

import csv
import io
import json

import pytest

import preheat
from preheat.cli import main

SPECS = [
    "ramp(0.01, 0.1, 1000) >> hold(0.1)",
    "warmup('5%', start=0.01, shape='exponential') >> decay(to=0.1, shape='cosine')",
    "invsqrt(100)",
    "decay(300, shape='sqrt').repeated(None, stretch=1.5, shrink=0.9)",
    "table([0.1, 0.3, -0.2]) >> rectified(0.999)",
]


def values(spec: str, peak: float = 1.0) -> list[float]:
    schedule = preheat.parse(spec).bind(preheat.Run(total=3000))
    return [schedule(t) * peak for t in range(3000)]


@pytest.mark.parametrize("spec", SPECS)
def test_csv_reads_back_exactly(ask, spec):
    answer = ask("table", spec, "--total", "3000")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert answer.code == 0
    assert [int(row["step"]) for row in rows] == list(range(3000))
    assert [float(row["value"]) for row in rows] == values(spec)


FACTORS = [
    "warmup(5%, start=0.01, shape=exponential) >> decay(to=0.1, shape=cosine)",
    "invsqrt(100)",
    "decay(300, shape='sqrt').repeated(None, stretch=1.5, shrink=0.9)",
    "table([0.1, 1, -0.2]) >> rectified(0.999)",
    "relative(ramp(10, 1, 300))",
]


@pytest.mark.parametrize("spec", FACTORS)
def test_json_reads_back_exactly(ask, spec):
    read = json.loads(ask("table", spec, "--total", "3000", "--format", "json", "--peak", "3e-4").out)
    assert list(read) == ["schedule", "peak", "steps", "values"]
    assert preheat.parse(read["schedule"]) == preheat.parse(spec).bind(preheat.Run(total=3000))
    assert read["peak"] == 3e-4
    assert read["steps"] == list(range(3000))
    assert read["values"] == values(spec, 3e-4)


@pytest.mark.parametrize("spec", ["absolute(ramp(0.01, 0.1, 1000))", "noam(512, 100)", "cosine(peak_lr=3e-4)"])
def test_rates_read_back_as_rates(ask, spec):
    read = json.loads(ask("table", spec, "--total", "3000", "--format", "json").out)
    assert preheat.parse(read["schedule"]) == preheat.parse(spec).bind(preheat.Run(total=3000))
    assert read["values"] == values(spec)
    refused = ask("table", spec, "--total", "3000", "--peak", "0.1")
    assert (refused.code, refused.err) == (
        2,
        "preheat: --peak makes rates of factors, and this schedule is rates; leave it out\n",
    )


def test_a_plan_is_printed_line_by_line(ask):
    plan = preheat.Plan(
        {"lr": "warmup(2) >> decay()", "weight_decay": "absolute(hold(0.5))", "head/lr": "relative(hold(3))"}
    )
    assert ask("table", plan.to_text(), "--total", "4").out == "step,value\n0,0.0\n1,0.5\n2,1.0\n3,0.5\n"
    assert ask("table", plan.to_text(), "--total", "1", "--line", "weight_decay").out == "step,value\n0,0.5\n"
    assert ask("table", plan.to_text(), "--total", "1", "--line", "head/lr", "--peak", "2").out == "step,value\n0,6.0\n"
    assert ask("table", '{"momentum": "hold(1, 1)"}').out == "step,value\n0,1.0\n"
    for text, line, words in [
        (plan.to_text(), "wieght_decay", "no line 'wieght_decay'; did you mean 'weight_decay'?"),
        ("decay(5)", "lr", "--line lr asks for a line of a plan, and this is one schedule"),
    ]:
        assert words in ask("table", text, "--total", "9", "--line", line).err
    assert "no line 'lr'" in ask("table", '{"a/lr": "decay(3)", "b/lr": "decay(3)"}').err


def test_what_a_comparison_gives_its_scripts_can_be_printed(ask):
    """`preheat table "$PREHEAT_SCHEDULE"`, as docs/compare.md promises, for every kind of arm."""
    from preheat.lab.experiment import Arm, Study, Trial, grid
    from preheat.lab.running.command import TRAINER, LaunchOptions

    plain = (Arm("a", "warmup(50%) >> decay()"), Arm("b", "relative(ramp(2, 1, 10))"))
    rates = (Arm("c", "cosine(peak_lr=0.1)"), Arm("d", '{"lr": "decay()", "momentum": "absolute(hold(0.9))"}'))
    for arms in (plain + rates, grid(plain, (0.1, 0.2))):
        study = Study("t", "launch", LaunchOptions(command="x"), arms, (0,), None, TRAINER)
        for arm in arms:
            answer = ask("table", preheat.core.text.language.to_text(Trial(study, arm, 0).target), "--total", "20")
            assert (answer.code, answer.out.count("\n")) == (0, 21)


def test_every_so_many(ask):
    assert ask("table", "warmup(3) >> decay(5)", "--every", "3").out == "step,value\n0,0.0\n3,1.0\n6,0.4\n"
    assert ask("table", "warmup(3) >> decay(5)", "--every", "99").out == "step,value\n0,0.0\n"


def test_more_rows_than_are_written_at_once(ask):
    out = ask("table", "hold(1)", "--total", "10_000").out
    assert out.count("\n") == 10_001
    assert out.endswith("\n9999,1.0\n")


def test_the_first_column_says_what_it_counts(ask):
    assert ask("table", "hold(1)", "--total", "2 min", "--clock", "second").out.startswith("second,value\n0,1.0\n")


def test_other_lines_of_a_plan_are_told_beside_the_values(capsys):
    assert main(["table", '{"lr": "decay()", "wd": "hold()"}', "--total", "2"]) == 0
    out, err = capsys.readouterr()
    assert out == "step,value\n0,1.0\n1,0.5\n"
    assert err == "preheat: the line lr; --line shows another: wd\n"


@pytest.mark.parametrize(
    ("total", "said"), [("0", "--total must be above 0, not '0'"), ("010", "begins with a 0; write '10'")]
)
def test_a_total_that_is_none_is_refused(total, said, capsys):
    assert main(["table", "decay()", "--total", total]) == 2
    assert said in capsys.readouterr().err


def test_a_part_that_rounds_to_nothing_is_told(capsys):
    assert main(["show", "warmup(1%) >> decay()", "--total", "10"]) == 0
    assert "ramp(0.0, 1.0, '1%') is less than half an update of this run: none" in capsys.readouterr().out
    assert main(["show", "warmup(1%) >> decay()", "--total", "100"]) == 0
    assert "none" not in capsys.readouterr().out


def test_an_environment_variable_that_is_no_schedule_is_named(monkeypatch):
    monkeypatch.setenv("PREHEAT_SCHEDULE", "")
    with pytest.raises(preheat.ParseError, match="environment variable PREHEAT_SCHEDULE: column 1"):
        preheat.from_env()
