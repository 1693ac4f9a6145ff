"""What `preheat explain` prints, refuses and loads."""

import json
import subprocess
import sys
import time

import pytest

EXAMPLE = ("explain", "warmup(5%) >> decay(shape=cosine)", "--total", "10k", "--peak", "3e-4", "--weight-decay", "0.1")
PRINTED = """\
ramp(0.0, 1.0, '5%') >> ramp(1.0, 0.0, 'rest', shape='cosine'), on a run of
  10,000 updates.

updates        share  rate        mean       area    final weights
0 … 499        5 %    0 → 0.0003  0.0001497  4.99 %  0.647 %
500 … 9,999    95 %   0.0003 → 0  0.00015    95 %    13.3 %
first weights                                        86.1 %

The rate rises linearly from 0 to 0.0003 over 500 updates (5 %).
Then it falls along a half cosine from 0.0003 to 0 over 9,500 updates (95 %).
It is highest at update 500, 0.0003, there only (0.01 %).
Half of the peak or more is at 5,000 updates (50 %), the first of them 250, the
  last 5,249.
Update 0 uses 0, so it does not move the weights.
The last update, 9,999, uses 8.20189e-12; after the run it keeps 0.
Rate × updates is 1.5 in all, a mean of 0.00015, 50 % of what a constant at the
  peak would have.
Under AdamW with a weight decay of 0.1, which multiplies the weights by 1 −
  rate × decay at every update, 86.1 % of the final weights are what they began
  with, and 13.9 % are what the updates wrote; half of that is written from
  update 2,978 on.
"""


def test_the_example_of_its_help(ask):
    answer = ask(*EXAMPLE)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == PRINTED


def test_a_plan_is_told_line_by_line(ask):
    out = ask(
        "explain", '{"lr": "absolute(hold(0.01))", "momentum": "absolute(warmup(100, start=0.85))"}', "--total", "1k"
    ).out
    assert "the plan, 2 lines: lr, momentum, on a run of 1,000 updates." in out
    assert "The momentum rises linearly from 0.85 to 1 over 100 updates (10 %)." in out


def test_a_preset_has_its_run_and_its_peak_unless_others_are_given(ask):
    assert "500,000 updates" in ask("explain", "llama2_7b").out
    out = ask("explain", "llama2_7b", "--total", "10k", "--peak", "1e-4").out
    assert "10,000 updates" in out
    assert "rises linearly from 0 to 0.0001 over 2,000 updates (20 %)" in out


def test_json_holds_all_numbers(ask):
    read = json.loads(ask(*EXAMPLE, "--json").out)
    (line,) = read["lines"]
    assert [(phase["first"], phase["stop"]) for phase in line["phases"]] == [(0, 500), (500, 10_000)]
    assert line["run"]["kept"] + line["initial"] == pytest.approx(1)
    assert read["sentences"][1] == "The rate rises linearly from 0 to 0.0003 over 500 updates (5 %)."


@pytest.mark.parametrize(
    ("tokens", "what"),
    [
        (("warmup(5%) >> decay()",), "add --total"),
        (("warmup(5 epochs) >> decay()", "--total", "90"), "add --steps-per-epoch N"),
        (("hold(1, 10)", "--weight-decay", "0.1"), "--peak"),
        (("absolute(hold(0.1, 10))", "--peak", "0.1"), "--peak"),
        (("wramup(10)",), "did you mean 'warmup'"),
        (("lama2_7b",), "there is no file lama2_7b, and no preset of that name; did you mean 'llama2_7b'?"),
        (("runs/training_args.json",), "there is no file runs/training_args.json, and no preset of that name\n"),
        ((), "requires an argument"),
        (
            ("",),
            "a schedule is named by some text, not ''; write a schedule in quotes, a preset's name, or the path of",
        ),
    ],
)
def test_what_is_refused_says_what_to_type(ask, tokens, what):
    answer = ask("explain", *tokens)
    assert (answer.code, answer.out) == (2, "")
    assert what in answer.err


def test_a_terminal_without_unicode_gets_ascii(command):
    answer = command(*EXAMPLE, PYTHONIOENCODING="ascii")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.isascii()


def test_a_million_updates_take_less_than_two_seconds(ask):
    ask(*EXAMPLE)  # what is imported once
    begin = time.process_time()
    ask("explain", "warmup(5%) >> decay(shape=cosine)", "--total", "1M", "--peak", "3e-4", "--weight-decay", "0.1")
    assert time.process_time() - begin < 2


def test_it_loads_neither_torch_nor_what_draws():
    code = "import sys; from preheat.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    answer = subprocess.run([sys.executable, "-c", code, *EXAMPLE], capture_output=True, text=True, encoding="utf-8")
    loaded = {name.split(".")[0] for name in answer.stderr.split()}
    assert "numpy" in loaded
    assert not loaded & {"torch", "matplotlib", "jax", "scipy", "yaml"}
