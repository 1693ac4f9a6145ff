"""`preheat find`: what is drawn and listed, the same as JSON and as pictures, and what is refused."""

import json
import sys

import pytest

FAST = ("--updates", "30", "--repeats", "2", "--low", "1e-5")
SMALL = ("digits", "--depth", "1", "--width", "8", "--batch", "64", *FAST)
MODULE = """
import torch

def build(seed):
    model = torch.nn.Linear(4, 1)
    batches = [(torch.randn(16, 4), torch.randn(16, 1)) for _ in range(60)]
    loss = lambda batch: (model(batch[0]) - batch[1]).square().mean()
    return model, torch.optim.SGD(model.parameters(), lr=0.1), loss, batches
"""
SCRIPT = """
import preheat
rate = preheat.from_env(run=preheat.Run(total=1000))
for step in range(1000):
    preheat.log(step, loss=2 - step / 40 if step < 25 else 90.0, lr=rate(step))
"""


def test_a_task_is_drawn_listed_and_said(ask, tmp_path):
    answer = ask("find", *SMALL, "--svg", str(tmp_path / "found.svg"))
    assert (answer.code, answer.err) == (0, "")
    for words in ("smoothed loss of the first sweep", "rate: ", "95 % interval", "valley", "slide", "minimum", "steep"):
        assert words in answer.out
    joined = " ".join(answer.out.split())
    assert "2 sweeps of other initialisations, 30 updates from 1e-05 upwards" in joined
    assert "nothing follows about how long to warm up." in joined
    assert "<svg" in (tmp_path / "found.svg").read_text()
    assert ask("find", *SMALL).out.split("Wrote")[0].strip() == answer.out.split("Wrote")[0].strip()


def test_json_has_everything(ask):
    found = json.loads(ask("find", *SMALL, "--json", "--micro-batches", "2").out)
    assert set(found["suggestions"]) == {"valley", "slide", "minimum", "steep"}
    assert [len(sweep["losses"]) for sweep in found["sweeps"]] == [len(sweep["rates"]) for sweep in found["sweeps"]]
    assert found["varied"] == "initialisations"
    assert found["sweeps"][0]["losses"] != found["sweeps"][1]["losses"]


def test_a_function_of_ones_own(ask, tmp_path):
    (tmp_path / "own.py").write_text(MODULE)
    answer = ask("find", "--module", f"{tmp_path / 'own.py'}:build", *FAST, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert len(json.loads(answer.out)["sweeps"]) == 2


def test_a_script_of_ones_own(ask, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    answer = ask("find", "--launch", f"{sys.executable} {script}", *FAST, "--json", "--out", str(tmp_path / "out"))
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out)
    assert found["varied"] == "seeds"
    assert all(sweep["stopped"] for sweep in found["sweeps"])
    assert "the sweeps are the same" in found["suggestions"]["valley"]["reason"]


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ((), "nothing to train was given; write digits, --module"),
        (("--module", "a.py:f", "--launch", "x"), "--module and --launch were both given"),
        (("digts",), "there is no task 'digts'; did you mean 'digits'?"),
        (("--module", "nowhere.py:build"), "there is no file 'nowhere.py'"),
        (("--launch", "python x.py", "--micro-batches", "2"), "--micro-batches is for --module"),
        (("--launch", "python x.py", "--low", "3", "--high", "1"), "the highest rate, 1, must be above the lowest, 3"),
        (("digits", "--repeats", "0"), "--repeats must be at least 1, not 0"),
        (("digits", "--updates", "5"), "a sweep has a whole number of updates, at least 16, not 5"),
        (("digits", "--depth", "0"), "depth must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_found_is_refused_in_one_line(ask, tokens, words):
    answer = ask("find", *tokens)
    assert answer.code == 2
    assert answer.err.startswith("preheat: ")
    assert answer.err.count("\n") == 1
    assert words in answer.err
