"""`preheat export` prints what `preheat.export` gives, and refuses in the words of the command line."""

import subprocess
import sys

import pytest

import preheat
from preheat.core.codegen.export import FORMS

RUN = preheat.Run(total=1000)


@pytest.mark.parametrize("to", FORMS)
def test_it_prints_what_the_library_gives(ask, to):
    answer = ask("export", "warmup(5%) >> decay()", "--total", "1000", "--peak", "0.1", "--to", to, "--name", "rate")
    expected = preheat.export("warmup(5%) >> decay()", to, run=RUN, peak=0.1, name="rate")
    assert (answer.code, answer.out, answer.err) == (0, expected, "")


def test_what_it_prints_is_a_program(ask):
    text = ask("export", "cosine()", "--total", "1000").out
    ran = subprocess.run([sys.executable, "-I", "-c", f"{text}\nprint(schedule(250))"], capture_output=True, text=True)
    assert float(ran.stdout) == preheat.cosine().bind(RUN)(250)


def test_a_preset_is_exported_at_the_rates_of_its_source(ask):
    scope: dict = {}
    exec(ask("export", "--preset", "llama2_7b").out, scope)
    assert scope["schedule"](2000) == preheat.presets["llama2_7b"].peak_lr


def test_of_a_plan_each_line_is_a_function(ask):
    out = ask("export", '{"lr": "decay()", "head/lr": "decay().scaled(10)"}', "--total", "9").out
    assert "def schedule_lr(t)" in out
    assert "def schedule_head_lr(t)" in out


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (
            ("decay()",),
            "how long ramp(1.0, 0.0, 'rest') lasts is not known; add --total, for example --total 10_000, or give it a span",
        ),
        (("decay('2 epochs')", "--total", "10"), "what one epoch is worth; add --steps-per-epoch N"),
        (("decay(5)", "--to", "optax"), "not factors: ramp(1.0, 0.0, 5); add --peak, for example --peak 3e-4"),
        (("decay(5)", "--peak", "-1"), "--peak must be"),
        (("decay(5)", "--name", "for"), "the name of a function is needed, not 'for'"),
        (("decay(5)", "--to", "rust"), "rust"),
        (("decay(5)", "--preset", "gpt3"), "--preset stands instead of a schedule"),
        (("decay(5)", "--total", "0"), "--total must be above 0"),
        ((), "SPEC requires an argument"),
    ],
)
def test_refusals_say_which_option(ask, tokens, said):
    answer = ask("export", *tokens)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
