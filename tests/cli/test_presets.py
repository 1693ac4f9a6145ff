"""`preheat presets` lists the published runs, and `--preset` draws and prints one."""

import re
import shlex
from pathlib import Path

import pytest

from preheat import Run, presets

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")

RUN = ("--total", "2_100_000", "--steps-per-epoch", "1250", "--tokens-per-step", "8388608")
TOKENS = ("--total", "300B tokens", "--clock", "token")


def test_the_list_names_every_preset_with_its_peak_its_year_how_far_it_was_checked_and_what_was_trained(ask):
    answer = ask("presets")
    lines = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "")
    assert lines[0].split() == ["name", "peak", "year", "checked", "what", "was", "trained"]
    assert [line.split()[0] for line in lines[1:]] == list(presets)
    assert re.search(r"^gpt3 +6e-05 +2020 +verified +GPT-3 175B$", answer.out, re.MULTILINE)
    assert re.search(r"^clip_vit_b32 +0.0005 +2021 +recalled +CLIP ViT-B/32$", answer.out, re.MULTILINE)
    assert re.search(r"^lora_without_regret +- +2025 +verified ", answer.out, re.MULTILINE)
    assert all(len(line) <= 80 and "…" not in line for line in lines)


@pytest.mark.parametrize("name", presets)
def test_one_is_shown_whole_with_the_command_that_draws_it(ask, name):
    answer = ask("presets", name)
    preset = presets[name]
    words = " ".join(answer.out.split())
    source = f"{preset.source} ({preset.year})"
    total, batch = preset.total or "total -", preset.batch or "batch -"
    facts = (preset.model, repr(preset.schedule), source, preset.note, batch, total)
    for fact in (name, *facts):
        assert " ".join(fact.split()) in words
    assert ("checked verified" in words) == preset.verified
    command = shlex.split(answer.out.splitlines()[-1].removeprefix("draw it"))
    numbers = {"--total": "2_100_000", "--steps-per-epoch": "1250", "--tokens-per-step": "8388608"}
    said = [numbers[option] if word == "N" else word for option, word in zip(["", *command], command, strict=False)]
    drawn = ask(*said[1:])
    assert (drawn.code, drawn.err) == (0, "")


def test_the_page_has_the_table_that_the_command_prints(ask):
    printed = ask("presets", "--markdown").out
    assert [line.split("`")[1] for line in printed.splitlines()[2:]] == list(presets)
    assert PAGE.count(printed) == 1
    assert ask("presets", "gpt3", "--markdown").out.splitlines()[2:] == [
        line for line in printed.splitlines() if line.startswith("| `gpt3` |")
    ]


def test_in_the_table_a_source_can_be_opened(ask):
    row = ask("presets", "swin", "--markdown").out.splitlines()[-1]
    assert "[arXiv:2103.14030](https://arxiv.org/abs/2103.14030), section 4.1; " in row
    assert (
        "[github.com/microsoft/Swin-Transformer](https://github.com/microsoft/Swin-Transformer), config.py (2021)"
        in row
    )


def test_the_page_shows_what_runs_and_names_what_there_is():
    scope: dict = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], scope)
    assert scope["theirs"](500_000) == pytest.approx(3e-5)
    assert [scope["mine"](t) for t in (2000, 200_000)] == pytest.approx([1e-3, 1e-4])
    changed = re.findall(r"^\| `(\w[\w.]*)`", PAGE.split("## What changed")[1], re.MULTILINE)
    assert {"smollm1_135m", "olmo2_7b", "kimi_k2", "bert_base", "gpt3", "dinov3_7b"} <= set(changed)
    assert set(changed) - {"yolo_warmup"} <= set(presets)
    assert "](docs/presets.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_preset_is_drawn_at_its_own_peak_or_at_another(ask):
    out = ask("show", "--preset", "gpt3", *TOKENS).out
    assert out.startswith("ramp(0.0, 1.0, '375M tokens') >> ramp(1.0, 0.1, '259.625B tokens', shape='cosine') >> ")
    assert "times the peak, 6e-05" in out
    assert "times the peak, 0.5" in ask("show", "--preset", "gpt3", *TOKENS, "--peak", "0.5").out
    assert "times the peak" not in ask("show", "--preset", "torchtitan_default", *RUN).out


def test_what_was_published_with_it_stands_above_its_curve(ask):
    heading = ask("show", "--preset", "deepseek_v3").out.split("\n\n")[0]
    published = "DeepSeek-V3 671B (2024), peak 0.00022, batch 62914560 tokens, total 14.8T tokens; verified"
    assert heading.splitlines()[-1] == published
    heading = ask("show", "--preset", "torchtitan_default", *RUN).out.split("\n\n")[0]
    assert heading.splitlines()[-1] == "the defaults of torchtitan (2024); verified"


def test_the_parts_of_a_run_of_trillions_can_be_read_in_a_terminal_of_80(ask):
    phases = ask("show", "--preset", "moonlight_16b").out.split("\n\n")[2].splitlines()
    assert phases[0].split() == ["from", "token", "length", "value", "part"]
    assert re.match(r"33,000,000,000 +5,167,000,000,000 +0.00042 → 4.2e-05 +ramp\(1.0,", phases[2])
    assert ask("show", "--preset", "nanogpt").out.split("\n\n")[2].startswith("updates ")


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
