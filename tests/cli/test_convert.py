"""`preheat convert`: the text alone on standard output, what one should know on standard error."""

import json
import shlex
import sys
from types import ModuleType

import pytest

import preheat
from preheat.compat.configs import Reading
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding

FINDINGS = [
    Finding("unknown-key", "z", "no key that is known here"),
    Finding("assumed", "epochs", "taken as 3", "say so"),
]


@pytest.fixture
def library(monkeypatch):
    """A library of which any file is a config: its text is the schedule, its run what stands beside it."""
    module = ModuleType("preheat.compat.configs.made_up")

    def read(config, given):
        if given.total is None:
            raise PreheatError("the config does not say how long the run is", write="give total=…")
        return Reading(preheat.parse(config.text), preheat.Run(total=given.total), FINDINGS, "made_up")

    module.recognises, module.read = lambda config: config.name.startswith("made"), read
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("preheat.compat.configs.READERS", ("made_up",))


@pytest.fixture
def config(library, tmp_path):
    """`config(text)`: the path of a config of that library."""

    def write(text, name="made.json"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_a_config_is_printed_as_text_that_needs_no_option_and_findings_beside_it(ask, config):
    answer = ask("convert", config("absolute(warmup(10%) >> hold(1, 20))"), "--total", "100")
    assert answer.code == 0
    assert answer.out == "absolute(ramp(0.0, 1.0, 10) >> hold(1.0, 20) >> hold(1.0, 70))\n"
    assert answer.err == ("epochs: taken as 3; say so (assumed)\nz: no key that is known here (unknown-key)\n")
    table = ask("table", answer.out.strip())
    assert (table.code, table.out.count("\n")) == (0, 101)


@pytest.mark.parametrize(
    "spec",
    [
        "warmup(5%) >> decay()",
        "relative(ramp(3, 2, 10))",
        "absolute(noam(512, 40))",
        "decay(3).repeated(5)",
        "invsqrt(7)",
        "warmup(300)",
    ],
)
@pytest.mark.parametrize("total", [1, 7, 100])
def test_the_text_is_as_long_as_the_run_and_gives_its_values(ask, config, spec, total):
    text = ask("convert", config(spec), "--total", str(total)).out.strip()
    found, expected = preheat.parse(text), preheat.parse(spec).bind(preheat.Run(total=total), truncate=True)
    assert found.length == total
    assert found.table(total).tolist() == expected.table(total).tolist()


def test_a_plan_is_printed_as_json_that_can_be_read_again(ask, config):
    plan = {"lr": "absolute(warmup(5%) >> decay())", "momentum": "absolute(hold(0.9, 10))"}
    out = ask("convert", config(json.dumps(plan)), "--total", "40").out
    found = preheat.parse(out)
    assert list(found) == ["lr", "momentum"]
    assert found["lr"] == preheat.parse(plan["lr"]).bind(preheat.Run(total=40))
    assert found["momentum"].length == 40
    assert ask("table", out.strip(), "--line", "momentum").out.count("\n") == 41


def test_for_machines(ask, config):
    answer = ask("convert", config("decay()"), "--total", "10", "--json")
    assert answer.err == ""
    assert json.loads(answer.out) == {
        "schedule": "ramp(1.0, 0.0, 10)",
        "run": {"total": 10, "clock": "step"},
        "library": "made_up",
        "findings": [finding._asdict() for finding in sorted(FINDINGS)],
    }
    plan = config('{"lr": "decay()"}')
    assert json.loads(ask("convert", plan, "--total", "10", "--json").out)["schedule"] == {"lr": "ramp(1.0, 0.0, 10)"}
    assert (
        "def lr(t)"
        in json.loads(ask("convert", config("decay(5)"), *shlex.split("--total 9 --json --to python --name lr")).out)[
            "text"
        ]
    )


def test_a_schedule_and_a_preset_are_sources_too(ask):
    assert ask("convert", "warmup(10%) >> hold()").out == "ramp(0.0, 1.0, '10%') >> hold(1.0, 'rest')\n"
    assert ask("convert", "warmup(10%) >> hold()", "--total", "1k").out == "ramp(0.0, 1.0, 100) >> hold(1.0, 900)\n"
    rates = preheat.parse(ask("convert", "decay()", "--total", "1k", "--base-lr", "0.1").out)
    assert rates.table(1000).tolist() == preheat.decay().bind(preheat.Run(total=1000), peak=0.1).table(1000).tolist()
    assert preheat.parse(ask("convert", "decay(5)", "--base-lr", "0.1").out)(0) == 0.1
    llama = preheat.parse(ask("convert", "llama2_7b").out)
    assert (llama(2000), llama.length) == (3e-4, 500_000)
    assert ask("convert", "gpt3").err == "its clock counts tokens: add --clock token\n"
    told = ask("convert", "gpt3", "--to", "python")
    assert told.err == "told in updates, of 3,200,000 tokens each\n"
    assert told.out.startswith("# t: updates, of 3,200,000 tokens each\n")
    scope: dict = {}
    exec(told.out, scope)
    gpt3 = preheat.presets["gpt3"]
    rates = gpt3.schedule.bind(gpt3.run(), peak=gpt3.peak_lr)
    for update in (0, 100, 1000, 93_749):
        assert scope["schedule"](update) == pytest.approx(rates(update * 3_200_000), rel=1e-12)


@pytest.mark.parametrize("to", ["python", "torch", "optax", "jax", "javascript", "latex"])
def test_it_is_exported(ask, to):
    spec, run = "warmup(10%) >> decay()", preheat.Run(total=50)
    answer = ask("convert", spec, "--total", "50", "--base-lr", "0.5", "--to", to, "--name", "rate")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == preheat.export(spec, to, run=run, peak=0.5, name="rate")


def test_it_is_written_as_another_librarys_config(ask, monkeypatch):
    module = ModuleType("preheat.compat.writers.made_up")
    module.write = lambda target, run, peak: f"{target!r} on {run!r} at {peak}\n"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for place in ("compat.writers", "cli.convert"):
        monkeypatch.setattr(f"preheat.{place}.WRITERS", ("made_up",))
    assert (
        ask("convert", "decay(5)", "--total", "9", "--to", "made_up").out
        == "ramp(1.0, 0.0, 5) on Run(total=9) at None\n"
    )
    assert "did you mean 'made_up'?" in ask("convert", "decay(5)", "--to", "madeup").err


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (("nosuch.json",), "there is no file, no preset and no schedule 'nosuch.json'"),
        (("warmpu(5)",), "unknown word 'warmpu'; did you mean 'warmup'?"),
        (("decay(5", "--to", "jax"), "column 8"),
        (("decay(5)", "--to", "latx"), "nothing is converted to 'latx'; did you mean 'latex'?"),
        (("decay()", "--to", "torch"), "is not known; add --total"),
        (("decay(5)", "--to", "optax"), "not factors: ramp(1.0, 0.0, 5); add --base-lr"),
        (("decay(5)", "--samples", "7"), "--samples is for a config, and this is a schedule"),
        (("gpt3", "--world-size", "7"), "--world-size is for a config, and this is a schedule"),
        (("decay('2 epochs')", "--total", "10"), "what one epoch is worth; add --steps-per-epoch N"),
        (("absolute(decay(5))", "--base-lr", "1"), "--base-lr makes rates of factors, and this schedule is rates"),
        (("ramp(0.01, 0.1, 5)", "--base-lr", "1"), "reach up to 0.1, not 1"),
        (("decay(5)", "--base-lr", "0"), "--base-lr must be"),
    ],
)
def test_refusals_say_which_option(ask, tokens, said):
    answer = ask("convert", *tokens)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_what_a_config_does_not_say_is_asked_for_as_an_option(ask, config):
    assert (
        ask("convert", config("decay()")).err
        == "preheat: the config does not say how long the run is; give --total …\n"
    )
    unknown = ask("convert", config("decay()", "other.json"), "--total", "5")
    assert "--library" in unknown.err
    assert "library=" not in unknown.err
    assert "no configs of 'x'" in ask("convert", config("decay()"), "--library", "x").err
