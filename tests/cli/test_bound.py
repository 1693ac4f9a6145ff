"""`preheat bound`: schedules side by side, and refusals in the words of the prompt."""

import json
import re

import pytest

import preheat as ph
from preheat.cli import main
from preheat.measure import bound, optimal_peak

TWO = ("hold() >> decay(20%)", "decay()", "--total", "10k")


def test_a_row_for_each_schedule(ask):
    answer = ask("bound", *TWO)
    head, first, second, *rest = answer.out.splitlines()
    assert head.split() == ["updates", "score", "against", "the", "first", "peak", "schedule"]
    run = ph.Run(total=10_000)
    assert first.split()[:5] == ["10,000", f"{bound(TWO[0], run).score:.3f}", "–", "×", "1"]
    assert second.split()[:6] == ["10,000", f"{bound(TWO[1], run).score:.3f}", "−7.4", "%", "×", "1.94"]
    assert first.endswith(f"  {TWO[0]}")
    assert "too short for their model" in " ".join(" ".join(rest).split())


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_name_is_cut(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    names = [f"warmup(10%) >> hold() >> decay({share}%, shape=cosine, to=0.01)" for share in (10, 20)]
    assert main(["bound", *names, "--total", "10k"]) == 0
    table = capsys.readouterr().out.partition("\n\nIt is proven")[0]
    assert "…" not in table
    assert all(len(line) <= width for line in table.splitlines())
    table = "".join(table.split())
    assert all("".join(one.split()) in "".join(re.findall(r"[a-z(].*", table)) for one in names)


def test_a_tuned_peak_is_carried_over(ask):
    run = ph.Run(total=10_000)
    expected = optimal_peak(TWO[0], 3e-4, TWO[1], run).peak
    assert f"{expected:.3g}" in ask("bound", *TWO, "--peak", "3e-4").out.splitlines()[2]
    data = json.loads(ask("bound", *TWO, "--peak", "3e-4", "--json").out)
    assert [one["peak"] for one in data["schedules"]] == [3e-4, expected]
    assert [one["score"] for one in data["schedules"]] == [bound(one, run).score for one in TWO[:2]]
    assert [one["schedule"] for one in data["schedules"]] == list(TWO[:2])
    assert data["holds"]


def test_rates_are_ranked_and_carry_no_peak(ask):
    rates = "absolute(ramp(0.3, 0, 10000))"
    assert ask("bound", rates, "decay()", "--total", "10k").out.count("2.001") == 2
    refused = ask("bound", rates, "decay()", "--total", "10k", "--peak", "0.1")
    assert refused.code == 2
    assert "factors are needed" in refused.err
    assert ask("bound", "decay()", rates, "--total", "10k", "--peak", "0.1").code == 0


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ((), "one schedule or more"),
        (("decay()",), "add --total"),
        (("hold()",), "add --total"),
        (("decay()", "--total", "10", "--peak", "0"), "--peak must be above 0"),
        (("ramp(1e-3, 0, 10)",), "absolute"),
    ],
)
def test_what_has_no_bound_is_refused(ask, tokens, words):
    answer = ask("bound", *tokens)
    assert answer.code == 2
    assert words in answer.err
    assert answer.out == ""
