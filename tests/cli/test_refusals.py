"""Refused input: one clear line on stderr in the words of the command line, exit code 2, never a traceback."""

import signal
import time
from pathlib import Path

import pytest

REFUSED = [
    (("show", "rampp(1, 2, 3)"), "column 1: unknown word 'rampp'; did you mean 'ramp'?"),
    (("show", ""), "column 1: a schedule must stand here, not the end"),
    (("show", "ramp(1, 2, '5%')"), "add --total, for example --total 10_000"),
    (("show", "warmup(500) >> decay()"), "add --total, for example --total 10_000"),
    (("show", "hold() >> decay(5)"), "add --total, for example --total 10_000"),
    (("show", "warmup('2 epochs')"), "what one epoch is worth; add --steps-per-epoch N"),
    (("show", "warmup(5)", "--total", "2B tokens"), "what one token is worth; add --tokens-per-step N"),
    (("show", "warmup('2 h')"), "add --clock second and a --total such as '6 h'"),
    (("show", "warmup(5)", "--total", "5%"), "the total of a run cannot be '5%'; write --total 10_000"),
    (("show", "warmup(5)", "--total", "soon"), "cannot read the span 'soon'"),
    (("show", "warmup(5)", "--steps-per-epoch", "-1"), "--steps-per-epoch must be above 0, not -1.0"),
    (("show", "warmup(5)", "--peak", "nan"), "--peak must be finite, not nan"),
    (("show", "warmup(500)", "--total", "100"), "or give a longer --total"),
    (("show", "hold(1, 8e15)"), "a run of more than 1,000,000,000,000,000 ticks"),
    (("table", "hold()"), "this schedule never ends; add --total, for example --total 10_000"),
    (("table", "hold(1, 9)", "--every", "0"), "--every must be at least 1, not 0"),
    (("table", "hold(1, 9)", "--format", "xml"), 'Choose from: "csv", "json"; see preheat table --help'),
    (("show",), "SPEC requires an argument; see preheat show --help"),
    (("show", "warmup(5)", ">>", "decay(5)"), "put the schedule in quotes, and see preheat show --help"),
    (("show", "warmup(5)", "--pea", "3"), "Unknown option: --pea. Did you mean --peak?; see preheat show --help"),
    (("shw", "warmup(5)"), 'Did you mean "show"?'),
    (("show", "--preset", "gtp3"), "no preset 'gtp3'; did you mean 'gpt3'?"),
    (("table", "--preset", "gtp3"), "no preset 'gtp3'; did you mean 'gpt3'?"),
    (("presets", "gtp3"), "no preset 'gtp3'; did you mean 'gpt3'?"),
    (("show", "warmup(5)", "--preset", "gpt3"), "--preset stands instead of a schedule; write one of them"),
    (("show", "--preset", "mae"), "one epoch is worth; add --steps-per-epoch N; see preheat presets mae"),
    (("show", "warmup(5)", "--tokens-per-step", "1e300"), "--tokens-per-step is at most 2^53 ticks, not 1e+300"),
    (("compare", "dgits"), "did you mean 'digits'"),
    (("compare", "bytes", "--norm", "mid"), "see preheat compare bytes --help"),
]
HOSTILE = [
    "__import__('os').system('true')",
    "warmup(5).__class__()",
    "hold(1, 1).scaled(" * 2000,
    "(" * 200_000,
    "hold(9e999)",
    "ramp(0, 1, -5)",
    "hold(True)",
    "\x1b[31mwarmup(5)",
    "warmup(5)\udcff",
    "table([])",
    "hold(1, 1).repeated(9999999999999999999999)",
    "ramp(1, 2, 1e308) >> ramp(1, 2, 1e308)",
    "hold(1, '9" + "9" * 5000 + " steps')",
]


@pytest.mark.parametrize(("tokens", "words"), REFUSED, ids=[" ".join(tokens) for tokens, _ in REFUSED])
def test_a_refusal_is_one_line_that_says_what_to_write(ask, tokens, words):
    answer = ask(*tokens)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("preheat: ")
    assert answer.err.count("\n") == 1
    assert words in answer.err
    assert "Run(" not in answer.err, "that is Python, and this is a prompt"


@pytest.mark.parametrize("spec", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("word", ["show", "table"])
def test_hostile_text_is_refused_like_any_other(ask, word, spec):
    answer = ask(word, spec)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err) < 1500
    assert answer.err.rstrip("\n").isprintable(), "nothing that a terminal would obey comes back"


def test_ctrl_c_ends_it_with_130_and_without_a_traceback(start):
    process = start("table", "hold()", "--total", "1T")
    assert process.stdout.readline() == "step,value\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_a_reader_that_stops_reading_is_no_error(start):
    process = start("table", "hold()", "--total", "1T")
    assert process.stdout.readline() == "step,value\n"
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said_in_one_line(start):
    with Path("/dev/full").open("w") as full:
        process = start("table", "hold()", "--total", "100_000", stdout=full)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert err.startswith("preheat: ")
    assert err.count("\n") == 1


def test_bad_options_are_seen_before_anything_slow(ask):
    began = time.process_time()
    assert ask("compare", "bytes", "--arm", "x=rampp(1)").code == 2
    assert time.process_time() - began < 2
