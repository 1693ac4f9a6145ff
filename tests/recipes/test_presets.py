"""The published runs: each can be read, bound and trusted as far as it says."""

import copy
import pickle
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from importlib.resources import files

import pytest

import preheat as ph
from preheat.recipes import Preset, presets

RUN = ph.Run(total=2_100_000, steps_per_epoch=1250, tokens_per_step=8_388_608)  # long enough for all: 17.6T tokens
each = pytest.mark.parametrize("preset", presets.values(), ids=list(presets))


def test_they_are_a_read_only_mapping_in_alphabetical_order() -> None:
    assert isinstance(presets, Mapping)
    assert list(presets) == sorted(presets)
    assert len(presets) == len(dict(presets)) >= 25
    with pytest.raises(TypeError):
        presets["mine"] = presets["gpt3"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        presets.mine = presets["gpt3"]  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        presets["gpt3"].peak_lr = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "words"), [("nanogtp", "did you mean 'nanogpt'?"), ("zzz", "known: alpaca, "), (3, "no preset 3")]
)
def test_an_unknown_name_is_refused_with_the_nearest(name, words) -> None:
    with pytest.raises(ph.PreheatError) as caught:
        presets[name]
    assert words in str(caught.value)


def test_asking_is_not_an_error() -> None:
    for absent in ("nope", 3, []):
        assert absent not in presets
    assert presets.get("nope") is None
    assert presets.get("nope", 7) == 7
    assert presets.get("gpt3") is presets["gpt3"]
    assert pickle.loads(pickle.dumps(presets)) == presets
    assert repr(presets).startswith("<presets: alpaca, ")


@each
def test_a_preset_binds_and_its_peak_is_one(preset: Preset) -> None:
    b = preset.schedule.bind(RUN)
    table = b.table(RUN.total)
    assert table.max() == 1.0
    assert table.min() >= 0
    assert b.bind(RUN) == b


@each
def test_a_preset_is_text_data_and_a_value(preset: Preset) -> None:
    s = preset.schedule
    assert ph.parse(repr(s)) == s == ph.from_dict(ph.to_dict(s))
    assert pickle.loads(pickle.dumps(preset)) == preset == copy.deepcopy(preset)
    assert hash(preset) == hash(copy.copy(preset))


@each
def test_a_preset_says_where_it_is_from(preset: Preset) -> None:
    assert preset.name == preset.name.lower()
    assert preset.peak_lr is None or 1e-6 < preset.peak_lr < 10
    assert any(mark in preset.source for mark in ("arXiv:", "github.com/", "huggingface.co/", "thinkingmachines.ai/"))
    assert preset.note.endswith(".")
    assert preset.verified or "memory" in preset.note
    assert not preset.verified or "memory" not in preset.note


@each
def test_a_batch_is_a_length_that_a_run_can_be_told(preset: Preset) -> None:
    assert preset.batch is None or ph.Span(preset.batch).value == preset.batch
    assert preset.batch is None or preset.batch.endswith((" samples", " tokens"))


def test_the_file_holds_nothing_that_is_not_read() -> None:
    rows = tomllib.loads(files("preheat.recipes").joinpath("presets.toml").read_text(encoding="utf-8"))
    assert sorted(rows) == list(presets)
    for name, row in rows.items():
        assert set(row) <= {field.name for field in fields(Preset)}
        assert ph.parse(row["schedule"]) == presets[name].schedule


def test_the_file_is_read_when_a_preset_is_asked_for() -> None:
    asked = "print('tomllib' in sys.modules)"
    code = f"import sys, preheat; {asked}; preheat.presets['gpt3']; {asked}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\nTrue\n"


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("transformer_base", 16_000, 0.5),
        ("bert_base", 5_000, 0.5),
        ("pythia_1.4b", 10_500, 0.5),
        ("t5", 40_000, 0.5),
        ("nanogpt", 0, 1 / 2001),
        ("nanogpt", 999, 1000 / 2001),
        ("nanochat", 19, 0.5),
        ("nanochat", 39, 1.0),
        ("torchtitan_default", 99, 0.5),
        ("torchtitan_default", 200, 1.0),
        ("deepseek_v2_lite", 1_700_000, 0.316),
        ("deepseek_v2_lite", 2_000_000, 0.099856),
        ("deepseek_v3", 1_192_000, 1.0),
        ("deepseek_v3", 1_740_000, 0.1),
        ("deepseek_v3", 2_000_000, 7.3e-6 / 2.2e-4),
        ("kimi_k2", 2_000_000, 0.1),
        ("goyal_resnet50", 0, 1 / 32),
        ("goyal_resnet50", 30 * 1250 - 1, 1.0),
        ("goyal_resnet50", 60 * 1250, 0.01),
        ("detectron2", 0, 0.001),
        ("detectron2", 30_000, 0.1),
        ("mae", 25_000, 0.5),
        ("dinov3_7b", 50_000, 0.5),
        ("stable_diffusion_v1", 0, 1e-6),
        ("dit", 0, 1.0),
        ("whisper_large", 1024, 0.5),
        ("marin_8b_cooldowns", 119_209, 0.1),
        ("marin_8b_cooldowns", 122_000, 1.0),
    ],
)
def test_a_preset_has_the_values_of_its_source(name, at, value) -> None:
    assert presets[name].schedule.bind(RUN)(at) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "last"), [("llama3_405b", 0.0), ("olmo2_7b", 0.1), ("dinov2", 2.5e-4), ("nanochat", 0.05), ("gpt3", 0.1)]
)
def test_a_preset_ends_where_its_source_does(name, last) -> None:
    assert presets[name].schedule.bind(RUN)(RUN.total) == last
