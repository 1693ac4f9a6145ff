"""`preheat check`: exit codes, and findings for people and for machines."""

import json

import pytest
import torch
from torch.optim import AdamW

import preheat as ph
from preheat.core.findings import CODES
from preheat.torch import Scheduler

LONG = ("check", "warmup(50%) >> decay()", "--total", "20k")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (("check", "warmup(5%) >> decay()", "--total", "20k"), 0),
        (LONG, 1),
        ((*LONG, "--ignore", "warmup-share"), 0),
        (("check", "gpt3"), 0),
        (("check", "bert_base"), 1),
        (("check", "--list"), 0),
        (("check", "warmup(5%) >> decay()"), 2),
        (("check", "no such thing"), 2),
        (("check",), 2),
        ((*LONG, "--ignore", "warmup"), 2),
        ((*LONG, "--beta2", "2"), 2),
        ((*LONG, "--plan", "hold()"), 2),
        ((*LONG, "--loader", "1.5"), 2),
        ((*LONG, "--library", "pytorch"), 2),
        ((*LONG, "--optimizer", "nosuch"), 2),
        ((*LONG, "--peak", "nan"), 2),
        (("check", ""), 2),
    ],
)
def test_the_exit_code_says_whether_something_was_found(ask, line, code):
    answer = ask(*line)
    assert answer.code == code
    assert bool(answer.err) == (code == 2)
    assert code == 2 or answer.out


def test_for_people_findings_stand_under_their_code_with_place_and_cure(ask):
    out = ask(*LONG).out
    assert out.startswith(
        f"warmup-share: {CODES['warmup-share']}\n  update 10,000: the warmup of 10,000 updates is 50 %"
    )
    assert "\n    → " in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert ask("check", "warmup(5%) >> decay()", "--total", "20k").out == "nothing found\n"


def test_for_machines_a_line_for_each_finding_or_sarif(ask):
    (line,) = ask(*LONG, "--json").out.splitlines()
    assert json.loads(line).keys() == {"source", "code", "place", "what", "write"}
    assert ask(*LONG, "--format", "json").out == line + "\n"
    told = json.loads(ask(*LONG, "--format", "sarif").out)
    (run,) = told["runs"]
    assert (told["version"], [rule["id"] for rule in run["tool"]["driver"]["rules"]]) == ("2.1.0", ["warmup-share"])
    assert [result["ruleId"] for result in run["results"]] == ["warmup-share"]
    assert run["results"][0]["locations"][0].keys() == {"logicalLocations"}  # a schedule is no file
    assert ask("check", "gpt3", "--json").out == ""
    assert ask(*LONG, "--json", "--format", "sarif").code == 2


def test_the_list_has_every_code(ask):
    out = ask("check", "--list").out
    assert all(f"\n{code} " in f"\n{out}" for code in CODES)


def test_facts_are_taken_from_the_options(ask):
    line = ("check", "warmup(5%) >> decay()", "--total", "3000", "--epochs", "3", "--loader", "1000")
    assert ask(*line).code == 0
    answer = ask(*line, "--accumulation", "4", "--world-size", "2")
    assert "make 375: the accumulation and the processes were not counted" in " ".join(answer.out.split())
    line = ("check", "warmup(5%) >> decay()", "--total", "20k", "--optimizer", "adamw", "--parameters", "7e9", "--peak")
    assert (ask(*line, "3e-4").code, ask(*line, "3e-2").code) == (0, 1)


def test_a_checkpoint_says_where_it_stands_and_what_another_plan_changes(ask, tmp_path):
    optimizer = AdamW([torch.nn.Parameter(torch.zeros(2))], lr=3e-4)
    scheduler = Scheduler(optimizer, "warmup(5%) >> decay()", run=ph.Run(total=1000))
    scheduler.go_to(500)
    path = tmp_path / "last.pt"
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, path)
    answer = ask("check", str(path))
    assert answer.code == 0
    assert answer.out.startswith("last.pt stands at update 500 of 1,000\n")
    assert f"         500  {3e-4 * 500 / 950:.6g}\n" in answer.out
    answer = ask("check", str(path), "--plan", "warmup(5%) >> decay()", "--total", "2000")
    assert answer.code == 1
    assert "resume-differs" in answer.out
    assert ask("check", str(path), "--plan", "warmup(50) >> decay(950)").code == 0


def test_a_name_of_nothing_is_told_so(ask):
    assert "there is no file missing.pt" in ask("check", "missing.pt").err
