"""`preheat advise` on a model of one's own: what it prints, and what it refuses."""

import json

import pytest

import preheat

TRAINING = """
import torch

def build(seed=0):
    model = torch.nn.Linear(3, 1)
    x = torch.randn(160, 3)
    batches = list(zip(x.split(16), x.sum(1, keepdim=True).split(16)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return model, optimizer, lambda batch: (model(batch[0]) - batch[1]).square().mean(), batches
"""


@pytest.fixture
def module(tmp_path):
    (tmp_path / "train.py").write_text(TRAINING)
    return f"{tmp_path / 'train.py'}:build"


def test_the_verdict_comes_first_and_the_schedule_can_be_pasted(ask, module, tmp_path):
    answer = ask("advise", "--module", module, "--steps", "100", "--trial", "20", "--svg", str(tmp_path / "a.svg"))
    assert (answer.code, answer.err) == (0, "")
    first, _, schedule, *_ = answer.out.splitlines()
    assert first.startswith("no warmup needed (probability")
    assert "What points to why" not in answer.out
    preheat.parse(schedule.strip())
    for words in ("other rules", "1 % linear", "valley of a range test", "Cost:", "It rests on"):
        assert words in answer.out
    assert (tmp_path / "a.svg").read_text().startswith("<svg")


KEPT = """
from train import build as new

def tuned(seed=0):
    model, optimizer, loss, batches = new(seed)
    return dict(
        model=model, optimizer=optimizer, loss=loss, batches=batches, kept_loss=loss, kept_batches=batches[:8]
    )

def half(seed=0):
    given = tuned(seed)
    del given["kept_loss"]
    return given
"""


def test_a_model_that_is_fine_tuned_is_asked_what_it_forgets(ask, module, tmp_path):
    (tmp_path / "tune.py").write_text(KEPT)
    asked = ("--steps", "0.1k", "--trial", "0", "--peak", "0.01")
    answer = ask("advise", "--module", f"{tmp_path / 'tune.py'}:tuned", *asked)
    assert (answer.code, answer.err) == (0, "")
    assert "One update of the new task changes the old loss by" in answer.out
    refused = ask("advise", "--module", f"{tmp_path / 'tune.py'}:half", *asked)
    assert (refused.code, "gives one of kept_loss and kept_batches" in refused.err) == (2, True)


def test_json_holds_everything(ask, module):
    answer = ask("advise", "--module", module, "--steps", "100", "--trial", "0", "--peak", "50", "--json")
    found = json.loads(answer.out)
    assert found["needed"] is None
    assert found["facts"]["peak"] == 50
    assert {"verdict", "schedule", "confidence", "rules", "mechanisms", "cost", "race"} <= set(found)


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ((), "nothing to measure was given"),
        (("digit",), "did you mean 'digits'"),
        (("--module", "train.py:build"), "add --steps"),
        (("--module", "nowhere.py:build", "--steps", "100"), "there is no file"),
        (("digits", "--race-budget", "5000"), "add --out"),
        (("digits", "--out", "x"), "add --race-budget"),
        (("digits", "--trial", "3"), "trial is how many"),
        (("digits", "--steps", "3"), "steps is how many"),
        (("digits", "--steps", "0.5k", "--trial", "501"), "to the run's 500"),
        (("digits", "--steps", "1.5"), "--steps takes a whole number, not '1.5'"),
        (("digits", "--steps", "1.0001k"), "--steps takes a whole number, such as 10k, not '1.0001k'"),
        (("digits", "--svg", "a.png"), "--svg writes SVG, and a.png is named otherwise; write a.svg, or --png a.png"),
        (("show", "--png", "a.SVG"), "--png writes PNG, and a.SVG is named otherwise"),
    ],
)
def test_what_cannot_be_advised_is_refused(ask, tokens, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = ask(*(() if tokens[:1] == ("show",) else ("advise",)), *tokens)
    assert answer.code == 2
    assert words in answer.err
