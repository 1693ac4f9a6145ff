"""The published runs: each can be read, bound on its own run and trusted as far as it says."""

import copy
import math
import pickle
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import preheat as ph
from preheat.recipes import Preset, presets

each = pytest.mark.parametrize("preset", presets.values(), ids=list(presets))

# What the sources leave open, and one user or another would say: epochs of ImageNet-1k at 4096, a length.
OPEN = {"steps_per_epoch": 313, "total": 20_000}


def own_run(preset: Preset) -> ph.Run:
    """The run of a preset, with what its source leaves open from OPEN."""
    text = f"{preset.schedule!r} {preset.total}"
    known = {} if preset.total else {"total": OPEN["total"]}
    if "epoch" in text and preset.steps_per_epoch is None:
        known["steps_per_epoch"] = OPEN["steps_per_epoch"]
    return preset.run(**known)


def moments(run: ph.Run) -> np.ndarray:
    """Up to 20,001 moments of a run, ends included."""
    return np.unique(np.linspace(0, run.total, 20_001).astype(np.int64))


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


# The published figures, written down from the sources and not from the file: the peak rate, the moment at which the peak
# is first used (None: never), the end of the run with the value there, and further moments with theirs.
FIGURES = {
    "alpaca": (2e-5, 28, "3 epochs", 0, {}),
    "apertus_8b": (1.1e-4, "16.8B tokens", "15T tokens", 0.1, {0: 0.1, "13.5T tokens": 1, "13.875T tokens": 0.55}),
    "axolotl_lora": (2e-4, 2000, 20_000, 0, {11_000: 0.5}),
    "bert_base": (1e-4, None, "1M steps", 0, {5000: 0.5, 9999: 0.9999, 10_000: 0.99, 500_000: 0.5}),
    "bloom_176b": (6e-5, 183_105, 220_000_000, 0.1, {200_000_000: 0.1, 199_999_999: 0.1, 100_091_552.5: 0.55}),
    "clip_vit_b32": (5e-4, 2000, "32 epochs", 0, {1000: 0.5}),
    "convnext": (4e-3, "20 epochs", "300 epochs", 1e-6 / 4e-3, {"10 epochs": 0.5, "160 epochs": 0.500125}),
    "deepseek_v2_lite": (
        4.2e-4,
        2000,
        "5.7T tokens",
        0.316**2,
        {"4T tokens": 1, "5T tokens": 0.316, "5.2T tokens": 0.099856},
    ),
    "deepseek_v3": (
        2.2e-4,
        "25.2B tokens",
        "14.8T tokens",
        7.3e-6 / 2.2e-4,
        {
            "10T tokens": 1,
            "12.15T tokens": 0.55,
            "14.3T tokens": 0.1,
            "14.632T tokens": 0.1,
            "14.634T tokens": 7.3e-6 / 2.2e-4,
        },
    ),
    "detectron2": (1e-3, 1000, "40k steps", 0.1, {0: 0.001, 500: 0.5005, 29_999: 1, 30_000: 0.1}),
    "dinov2": (3.5e-4, 100_000, "625k steps", 1e-6 / 3.5e-4, {50_000: 0.5}),
    "dinov3_7b": (4e-4, 100_000, "1M steps", 1, {50_000: 0.5, 999_999: 1}),
    "dit": (1e-4, 0, 20_000, 1, {}),
    "goyal_resnet50": (
        3.2,
        "5 epochs",
        "90 epochs",
        1e-3,
        {0: 0.1 / 3.2, "29.9 epochs": 1, "30 epochs": 0.1, "60 epochs": 0.01, "80 epochs": 1e-3},
    ),
    "gpt3": (6e-5, "375M tokens", "300B tokens", 0.1, {"187.5M tokens": 0.5, "260B tokens": 0.1, "280B tokens": 0.1}),
    "kimi_k2": (2e-4, 500, "15.5T tokens", 2e-5 / 2e-4, {250: 0.5, "10T tokens": 1, "12.75T tokens": 0.55}),
    "llama2_7b": (3e-4, 2000, "2T tokens", 0.1, {1000: 0.5, 251_000: 0.55}),
    "llama3_405b": (8e-5, 8000, "1.2M steps", 0, {4000: 0.5, 1_199_997: 8e-7 / 8e-5}),
    "llamafactory_lora": (1e-4, 2000, 20_000, 0, {11_000: 0.5}),
    "lora_without_regret": (None, 0, 20_000, 1, {}),
    "mae": (1.5e-4 * 4096 / 256, "40 epochs", "800 epochs", 0, {"20 epochs": 0.5, "420 epochs": 0.5}),
    "marin_8b_cooldowns": (
        1.7e-3,
        0,
        "8.66T tokens",
        0.01,
        {"1T tokens": 0.1, "1012.6B tokens": 0.55, "1025.2B tokens": 1, "7.32T tokens": 1, "7.99T tokens": 0.505},
    ),
    "modded_nanogpt": (3.6e-3, 0, 5100, 0, {3650: 1, 4375: 0.5}),
    "moonlight_16b": (
        4.2e-4,
        "33B tokens",
        "5.7T tokens",
        0,
        {"2616.5B tokens": 0.55, "5.2T tokens": 0.1, "5203.36B tokens": 1e-4 / 4.2e-4},
    ),
    "nanochat": (0.02, 39, 20_000, 0.05, {0: 1 / 40, 19: 0.5, 7000: 1, 13_500: 0.525}),
    "nanogpt": (6e-4, 2000, "600k steps", 0.1, {0: 1 / 2001, 999: 1000 / 2001}),
    "nemotron3_nano": (
        1e-3,
        "8.4B tokens",
        "25T tokens",
        0.01,
        {"20T tokens": 1, "22.5T tokens": 0.505},  # 333.8 updates of warmup are 334
    ),
    "nemotron3_super": (
        4.5e-4,
        "200B tokens",
        "25T tokens",
        0.01,
        {"100B tokens": 0.5, "20T tokens": 1, "21.25T tokens": 0.505},
    ),
    "olmo2_7b": (3e-4, 2000, 928_646, 0.2045, {1000: 0.5}),
    "olmo2_32b": (6e-4, 2000, 721_901, 0.1104, {1000: 0.5}),
    "olmo3_7b": (3e-4, 2000, 1_413_814, 0.1311, {1000: 0.5, 597_046: 0.55}),
    "olmo3_32b": (6e-4, 2000, 656_000, 0.1115, {1000: 0.5}),
    "olmo3_midtraining": (2.0712352850360292e-4, 0, "100B tokens", 0, {"50B tokens": 0.5}),
    "olmo_sft": (None, 600, 20_000, 0, {}),
    "opt_175b": (1.2e-4, 2000, "300B tokens", 0.1, {1000: 0.5, 76_000: 0.55}),
    "pythia_1.4b": (2e-4, 1430, 143_000, 0.1, {715: 0.5, 72_930: 0.5, 115_139: 0.1, 142_999: 0.1}),
    "roberta_base": (5e-4, 10_000, "125k steps", 0, {5000: 0.5, 67_500: 0.5}),
    "smollm1_135m": (3e-3, 5000, "600k steps", 0, {500_000: 1, 525_000: 0.5}),
    "smollm2_1.7b": (5e-4, 2000, "11T tokens", 0, {"9.9T tokens": 1, "10.45T tokens": 0.5}),
    "smollm2_135m": (3e-3, 2000, "2M steps", 0, {1_600_000: 1, 1_800_000: 0.5}),
    "smollm3_3b": (2e-4, 2000, 4_720_000, 0, {4_198_000: 1, 4_459_000: 0.5}),
    "stable_diffusion_v1": (1e-4, 10_000, 237_000 + 194_000, 1, {0: 1e-6}),
    "swin": (1e-3, "20 epochs", "300 epochs", 5e-6 / 5e-4, {0: 5e-7 / 5e-4}),
    "t5": (0.01, 0, 2**19, 100 / 2**9.5, {9999: 1, 40_000: 0.5}),
    "torchtitan_default": (None, 199, 20_000, 0, {0: 1 / 200, 99: 0.5, 200: 1, 10_100: 0.5}),
    "torchtune_lora_8b": (3e-4, 100, "1 epoch", 0, {50: 0.5}),
    "transformer_base": (512**-0.5 * 4000**-0.5, 4000, "100k steps", 0.2, {2000: 0.5, 16_000: 0.5}),
    "vit_b16_imagenet21k": (1e-3, 10_000, "90 epochs", 0, {5000: 0.5}),
    "vit_imagenet": (3e-3, 10_000, "300 epochs", 0, {5000: 0.5}),
    "whisper_large": (1.75e-4, 2048, 2**20, 0, {1024: 0.5, 525_312: 0.5}),
}


@each
def test_a_preset_has_the_figures_of_its_source_on_its_own_run(preset: Preset) -> None:
    rate, first, end, last, further = FIGURES[preset.name]
    run = own_run(preset)
    b = preset.schedule.bind(run)

    def tick(moment: object) -> float:
        return float(ph.Span(moment).exact(run)) if isinstance(moment, str) else moment

    assert preset.peak_lr == (rate if rate is None else pytest.approx(rate, rel=1e-12))
    assert run.total == math.ceil(tick(end))
    assert b(run.total) == pytest.approx(last, abs=5e-5)
    for moment, value in further.items():
        assert b(tick(moment)) == pytest.approx(value, abs=5e-5), moment
    if first is None:
        assert b.table(run.total).max() < 1
    else:
        peak = math.floor(tick(first) + 0.5)  # edges are rounded half up
        assert b(peak) == 1.0
        assert peak == 0 or b(peak - 1) < 1


@each
def test_a_preset_fills_its_own_run_and_stays_between_0_and_its_peak(preset: Preset) -> None:
    run = own_run(preset)
    b = preset.schedule.bind(run)
    values = b(moments(run))
    assert run.total - 1 <= b.length <= run.total
    assert values.min() >= 0
    assert values.max() <= 1
    assert b.bind(run) == b
    if run.clock == "step":
        assert b.table(run.total).max() == (1.0 if preset.name != "bert_base" else 0.9999)


def test_what_a_source_leaves_open_is_refused_until_it_is_said() -> None:
    with pytest.raises(ph.PreheatError, match="steps_per_epoch"):
        presets["mae"].run()
    assert presets["mae"].run(steps_per_epoch=313, total="2 epochs") == ph.Run(
        total=626, steps_per_epoch=313, samples_per_step=4096
    )
    assert presets["dit"].run() == ph.Run(samples_per_step=256)


@pytest.mark.parametrize(
    "name", ["gpt3", "bloom_176b", "deepseek_v3", "moonlight_16b", "apertus_8b", "marin_8b_cooldowns"]
)
def test_a_batch_that_grows_is_told_by_its_clock_and_its_note(name: str) -> None:
    preset = presets[name]
    assert preset.clock in ("token", "sample")
    assert f"count {preset.clock}s, not updates" in preset.note


# The last rate where the source names one, in the rates of its own peak.
ENDS_AT = {
    "apertus_8b": 1.1e-5,
    "bloom_176b": 6e-6,
    "convnext": 1e-6,
    "deepseek_v3": 7.3e-6,
    "detectron2": 1e-4,
    "dinov2": 1e-6,
    "dinov3_7b": 4e-4,
    "dit": 1e-4,
    "goyal_resnet50": 3.2e-3,
    "gpt3": 6e-6,
    "kimi_k2": 2e-5,
    "llama2_7b": 3e-5,
    "marin_8b_cooldowns": 1.7e-5,
    "nanogpt": 6e-5,
    "nemotron3_nano": 1e-5,
    "nemotron3_super": 4.5e-6,
    "opt_175b": 1.2e-5,
    "pythia_1.4b": 2e-5,
    "stable_diffusion_v1": 1e-4,
    "swin": 1e-5,
    "smollm1_135m": 0,
    "smollm2_135m": 0,
    "smollm3_3b": 0,
    "mae": 0,
}


@pytest.mark.parametrize("name", ENDS_AT)
def test_times_its_peak_it_ends_at_the_published_rate(name: str) -> None:
    preset = presets[name]
    run = own_run(preset)
    rates = preset.schedule.bind(run, peak=preset.peak_lr)
    assert rates(run.total) == pytest.approx(ENDS_AT[name], rel=1e-9, abs=1e-18)


@pytest.mark.parametrize("name", [name for name, figures in FIGURES.items() if figures[0] is not None])
def test_its_rates_are_its_factors_times_its_peak(name: str) -> None:
    preset = presets[name]
    run = own_run(preset)
    at = moments(run)[::20]
    rates = preset.schedule.bind(run, peak=preset.peak_lr)(at)
    assert rates == pytest.approx(preset.peak_lr * preset.schedule.bind(run)(at), rel=1e-12, abs=1e-30)
    assert rates.max() <= preset.peak_lr


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
    places = ("arXiv:", "github.com/", "huggingface.co/", "thinkingmachines.ai/", "research.nvidia.com/")
    assert any(place in preset.source for place in places)
    assert preset.note.endswith(".")
    assert preset.model
    assert preset.verified in (True, False)
    papers = re.findall(r"arXiv:(\d\d)\d\d\.", preset.source)
    assert 2017 <= preset.year <= 2026
    assert not papers or preset.year in {2000 + int(year) for year in papers}
    assert preset.verified != ("memory" in preset.note or "not read" in preset.note)


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


def test_the_front_page_counts_them() -> None:
    readme = Path(__file__).parents[2] / "README.md"
    assert f"preheat presets lists {len(presets)} published runs" in readme.read_text(encoding="utf-8")


def test_the_file_is_read_when_a_preset_is_asked_for() -> None:
    asked = "print('tomllib' in sys.modules)"
    code = f"import sys, preheat; {asked}; preheat.presets['gpt3']; {asked}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\nTrue\n"
