"""What `preheat diff` prints, draws and answers."""

import json
import time

import pytest

from preheat.plots.terminal import Terminal, braille

A, B = "warmup(5%) >> decay()", "warmup(5%) >> decay(shape=cosine)"
EXAMPLE = ("diff", A, B, "--total", "10k", "--peak", "3e-4", "--at", "2000")
SAID = """\
A is ramp(0.0, 1.0, '5%') >> ramp(1.0, 0.0, 'rest').
B is ramp(0.0, 1.0, '5%') >> ramp(1.0, 0.0, 'rest', shape='cosine').
The first update that differs is 501: A 0.000299968, B 0.0003.
The largest difference is 3.1577e-05, at update 7,913: A 6.59053e-05, B
  3.43282e-05; that is 10.5 % of the largest value.
Rate × updates: A 1.5, B 1.5, over 10,000 updates.
At update 2,000: A 0.000252632, B 0.000281921, a difference of 2.92895e-05.

A ⠤⠤⠤⠤⠤   B ⠤⠄⠠⠤⠄
0.0003 ┤"""


def test_the_example_of_its_help_and_what_the_exit_code_says(ask):
    answer = ask(*EXAMPLE)
    assert (answer.code, answer.err) == (1, "")
    assert answer.out.startswith(SAID)
    same = ask("diff", A, "linear(warmup_ratio=0.05)", "--total", "10k")
    assert (same.code, same.err) == (0, "")
    assert "They are equal at every update." in same.out
    assert "┤" not in same.out
    assert ask("diff", A, "no such thing").code == 2


def test_pictures_are_written_where_they_are_wanted(ask, tmp_path):
    pytest.importorskip("matplotlib")
    png, svg = tmp_path / "diff.png", tmp_path / "diff.svg"
    assert f"Wrote {png}\nWrote {svg}\n" in ask(*EXAMPLE, "--png", str(png), "--svg", str(svg)).out
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text(encoding="utf-8")
    assert text.count('class="line s') >= 2, "both curves"
    assert "A and B differ first at update 501" in text
    refused = ask(*EXAMPLE, "--svg", str(tmp_path / "no" / "such.svg"))
    assert (refused.code, refused.out) == (2, "")


def test_json_holds_all_numbers(ask):
    answer = ask(*EXAMPLE, "--json")
    read = json.loads(answer.out)
    assert answer.code == 1
    assert read["equal"] is False
    assert read["lines"][0]["first"]["at"] == 501
    assert read["lines"][0]["at"]["at"] == 2000


def test_the_line_that_differs_is_drawn_and_named(ask):
    out = ask(
        "diff", '{"lr": "decay(100)", "momentum": "decay(100)"}', '{"lr": "decay(100)", "momentum": "decay(50)"}'
    ).out
    assert "lr: equal at all 100 updates." in out
    assert "   momentum\n" in out


def test_runs_of_different_lengths_are_compared_on_shares_where_that_is_asked_for(ask):
    out = ask("diff", "warmup(10) >> decay(90)", "warmup(100) >> decay(900)", "--by-share").out
    assert "The run of A has 100 updates, that of B 1,000 updates" in out
    assert "At equal shares of their runs they have the same values." in out


@pytest.mark.parametrize(
    ("tokens", "what"),
    [
        ((A, B), "add --total"),
        ((A, "absolute(ramp(0, 3e-4, 100))", "--total", "100"), "give peak= (--peak)"),
        ((A,), "requires an argument"),
        ((A, B, "--total", "100", "--at", "-1"), "takes an update"),
    ],
)
def test_what_is_refused_says_what_to_type(ask, tokens, what):
    answer = ask("diff", *tokens)
    assert (answer.code, answer.out) == (2, "")
    assert what in answer.err


def test_a_million_updates_take_less_than_two_seconds(ask):
    ask(*EXAMPLE)  # what is imported once
    begin = time.process_time()
    ask("diff", A, B, "--total", "1M")
    assert time.process_time() - begin < 2


def test_two_curves_are_told_apart_in_colour_in_dashes_and_in_ascii():
    a, b = list(range(60)), [30] * 60
    plain = braille(a, beside=b, width=70, height=6)
    assert "\x1b" not in plain
    assert "⣀⡀ ⣀⡀ ⣀⡀" in plain, "the second curve is broken"
    coloured = braille(a, beside=b, width=70, height=6, terminal=Terminal(colour=True))
    assert "\x1b[36m" in coloured
    assert "\x1b[33m" in coloured
    letters = braille(a, beside=b, width=70, height=6, terminal=Terminal(70, unicode=False))
    assert "ooooo" in letters
    assert "***" in letters
    assert braille(a, width=70, height=6) == braille(a, beside=[], width=70, height=6)


def test_of_plans_the_picture_shows_the_line_that_differs_first_and_says_which(ask, tmp_path):
    a = '{"lr": "decay(100)", "weight_decay": "hold(1, 100)", "momentum": "hold(1, 100)"}'
    b = '{"lr": "hold(1, 10) >> decay(90)", "weight_decay": "hold(0.5, 100)", "momentum": "hold(1, 100)"}'
    svg = tmp_path / "diff.svg"
    out = ask("diff", a, b, "--svg", str(svg)).out
    assert "   weight_decay\n" in out
    assert "weight_decay, the first to differ: A and B differ first at update 0" in svg.read_text(encoding="utf-8")
    assert ask("diff", "decay(100)", "decay(100) >> hold(0, 10)", "--svg", str(svg)).code == 1
    assert "A and B are equal where both have values" in svg.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("tokens", "option"),
    [
        (("diff", "decay(10)", "decay(20)", "--at", "2.5"), "--at"),
        (("diff", "decay(10)", "decay(20)", "--at", "2.9"), "--at"),
        (("table", "decay(10)", "--every", "1.5"), "--every"),
        (("explain", "decay(10)", "--samples", "2.5"), "--samples"),
        (("convert", "decay(10)", "--world-size", "2.5"), "--world-size"),
        (("compare", "bytes", "--seeds", "1.5"), "--seeds"),
        (("compare", "bytes", "--steps", "1.5"), "--steps"),
        (("compare", "bytes", "--jobs", "1.5"), "--jobs"),
    ],
)
def test_a_count_is_not_rounded(ask, tokens, option):
    answer = ask(*tokens)
    assert (answer.code, answer.out) == (2, "")
    assert f"{option} takes a whole number, not '{tokens[-1]}'" in answer.err
    assert "At update 2:" in ask("diff", "decay(10)", "decay(20)", "--at", "2.0").out
