"""`preheat presets` lists the published runs, and `--preset` draws and prints one."""

import re
import shlex

import pytest

from preheat import Run, presets

RUN = ("--total", "2_100_000", "--steps-per-epoch", "1250", "--tokens-per-step", "8388608")
TOKENS = ("--total", "300B tokens", "--clock", "token")


def test_the_list_names_every_preset_with_its_peak_how_far_it_was_checked_and_its_source(ask):
    answer = ask("presets")
    lines = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "")
    assert lines[0].split() == ["name", "peak", "checked", "source"]
    assert [line.split()[0] for line in lines[1:]] == list(presets)
    assert re.search(r"^gpt3 +6e-05 +verified +arXiv:2005.14165, table", answer.out, re.MULTILINE)
    assert re.search(r"^clip_vit_b32 +0.0005 +recalled +arXiv:2103.00020$", answer.out, re.MULTILINE)
    assert re.search(r"^dit +0.0001 +verified +arXiv:2212.09748; github", answer.out, re.MULTILINE)
    assert re.search(r"^lora_without_regret +- +verified ", answer.out, re.MULTILINE)
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("name", presets)
def test_one_is_shown_whole_with_the_command_that_draws_it(ask, name):
    answer = ask("presets", name)
    preset = presets[name]
    words = " ".join(answer.out.split())
    facts = (repr(preset.schedule), preset.source, preset.note, preset.batch or "batch -", preset.total or "total -")
    for fact in (name, *facts):
        assert " ".join(fact.split()) in words
    assert ("checked verified" in words) == preset.verified
    command = shlex.split(answer.out.splitlines()[-1].removeprefix("draw it"))
    numbers = {"--total": "2_100_000", "--steps-per-epoch": "1250", "--tokens-per-step": "8388608"}
    said = [numbers[option] if word == "N" else word for option, word in zip(["", *command], command, strict=False)]
    drawn = ask(*said[1:])
    assert (drawn.code, drawn.err) == (0, "")


def test_a_preset_is_drawn_at_its_own_peak_or_at_another(ask):
    out = ask("show", "--preset", "gpt3", *TOKENS).out
    assert out.startswith("ramp(0.0, 1.0, '375M tokens') >> ramp(1.0, 0.1, '259.625B tokens', shape='cosine') >> ")
    assert "times the peak, 6e-05" in out
    assert "times the peak, 0.5" in ask("show", "--preset", "gpt3", *TOKENS, "--peak", "0.5").out
    assert "times the peak" not in ask("show", "--preset", "torchtitan_default", *RUN).out


def test_a_preset_is_printed_as_it_is_drawn(ask):
    bound = presets["mae"].schedule.bind(Run(total=2_100_000, steps_per_epoch=1250))
    rows = ask("table", "--preset", "mae", *RUN, "--every", "700_000").out.splitlines()
    assert rows == ["step,value", *(f"{t},{bound.scaled(2.4e-3).function(t)!r}" for t in (0, 700_000, 1_400_000))]


@pytest.mark.parametrize("name", ["gpt3", "llama2_7b", "transformer_base", "bloom_176b"])
def test_a_preset_alone_is_drawn_on_the_run_that_was_published(ask, name):
    """Its total, clock and batch are known: none of them is asked for, and no other is put in their place."""
    preset = presets[name]
    run = preset.run()
    out = ask("show", "--preset", name).out
    assert f"on {run.total:,} {'update' if run.clock == 'step' else run.clock}s: {preset.schedule.bind(run)!r}" in out
    said = ask("show", "--preset", "gpt3", "--clock", "step", "--total", "94k").out
    assert "on 94,000 updates: ramp(0.0, 1.0, 117) >> " in said
