"""`preheat predict`: logs in, differences out."""

import json
import re

import pytest
from benchmarks.predictor.exact import rates
from benchmarks.predictor.recursion import risks

NAMES = {"wsd": "hold, linear 20%", "cosine": "cosine to 0"}
ASKED = ("--schedule", "decay(shape=cosine)", "--schedule", "hold() >> decay(20%)", "--total", "700")


@pytest.fixture
def logs(tmp_path):
    """Two logs of a problem that is known exactly."""
    found = []
    for name, schedule in NAMES.items():
        (rate,) = rates(500, 0.05, (schedule,))
        rows = [f"{k},{r},{x}" for k, (r, x) in enumerate(zip(rate, risks(rate[None])[0][:-1], strict=True))]
        (path := tmp_path / f"{name}.csv").write_text("\n".join(["step,lr,loss", *rows]))
        found.append(str(path))
    return found


def test_it_says_differences_and_what_each_law_says(ask, logs):
    answer = ask("predict", *logs, *ASKED)
    assert (answer.code, answer.err) == (0, "")
    assert "Good for: the order of schedules" in " ".join(answer.out.split())
    for word in ("P(best)", "annealing", "multi-power", "forgetting", "convex", "control", "less A"):
        assert word in answer.out
    assert all(len(line) <= 80 for line in answer.out.splitlines())


def test_no_letter_is_without_its_schedule(ask, logs):
    names = [f"hold() >> decay({share}%)" for share in (10, 20, 30, 40, 50, 60)]
    answer = ask("predict", *logs, "--total", "700", *(word for name in names for word in ("--schedule", name)))
    assert "…" not in answer.out
    assert all(len(line) <= 80 for line in answer.out.splitlines())
    for letter, name in zip("ABCDEF", names, strict=True):
        assert re.search(rf"\n{letter}  .+  {re.escape(name)}\n", answer.out)
        assert f"{letter} less A" in answer.out


def test_json_and_a_picture(ask, logs, tmp_path):
    answer = ask("predict", *logs, *ASKED, "--json", "--svg", str(tmp_path / "p.svg"))
    found = json.loads(answer.out)
    assert [one["name"] for one in found["schedules"]] == ["decay(shape=cosine)", "hold() >> decay(20%)"]
    assert (tmp_path / "p.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda logs: (*logs[:1], *ASKED), "decay in different ways"),
        (lambda logs: (*logs, *ASKED[2:]), "write --schedule twice or more"),
        (lambda logs: (*logs, *ASKED[:-1], "9000"), "tried up to 8 times"),
        (lambda logs: (*logs, *ASKED, "--metric", "los"), "did you mean 'loss'"),
        (lambda logs: (*logs, *ASKED, "--seed", "-1"), "--seed is from 0 to"),
        (lambda logs: (*logs, *ASKED, "--seed", "1.5"), "--seed takes a whole number"),
        (lambda logs: ("missing.csv", *ASKED), "missing.csv cannot be read"),
    ],
)
def test_refusals(ask, logs, change, words):
    answer = ask("predict", *change(logs))
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert words in answer.err
