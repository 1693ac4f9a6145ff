"""The published runs: each can be read, bound on its own run and trusted as far as it says."""

import copy
import math
import pickle
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

# What the sources leave open, and one user or another would say: epochs of ImageNet-1k at 4096, a length, tokens at 16Mi.
OPEN = {"steps_per_epoch": 313, "total": 20_000, "tokens_per_step": 16_777_216}


def own_run(preset: Preset) -> ph.Run:
    """The run of a preset, with what its source leaves open from OPEN."""
    text = f"{preset.schedule!r} {preset.total}"
    known = {} if preset.total else {"total": OPEN["total"] if "T tokens" not in text else "8.66T tokens"}
    if "epoch" in text and preset.steps_per_epoch is None:
        known["steps_per_epoch"] = OPEN["steps_per_epoch"]
    if "token" in text and not (preset.batch or "").endswith("tokens"):
        known["tokens_per_step"] = OPEN["tokens_per_step"]
    return preset.run(**known)


def moments(run: ph.Run) -> np.ndarray:
    """Up to 200,001 moments of a run, ends included."""
    return np.unique(np.linspace(0, run.total, 200_001).astype(np.int64))


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
    "marin_8b_cooldowns": (1.7e-3, 0, "8.66T tokens", 0.01, {"1T tokens": 0.1, "2T tokens": 1, "7.32T tokens": 1}),
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
    "olmo3_midtraining": (2.0712352850360292e-4, 0, "100B tokens", 0, {"50B tokens": 0.5}),
    "olmo_sft": (None, 600, 20_000, 0, {}),
    "opt_175b": (1.2e-4, 2000, "300B tokens", 0.1, {1000: 0.5, 76_000: 0.55}),
    "pythia_1.4b": (2e-4, 1430, 143_000, 0.1, {715: 0.5, 72_930: 0.5, 115_139: 0.1, 142_999: 0.1}),
    "roberta_base": (5e-4, 10_000, "125k steps", 0, {5000: 0.5, 67_500: 0.5}),
    "smollm1_135m": (3e-3, 5000, "600k steps", 0, {500_000: 1, 525_000: 0.5}),
    "smollm2_1.7b": (5e-4, 2000, "11T tokens", 0, {"9.9T tokens": 1, "10.45T tokens": 0.5}),
    "smollm2_135m": (3e-3, 2000, "2M steps", 0, {1_600_000: 1, 1_800_000: 0.5}),
    "smollm3_3b": (2e-4, 2000, 4_720_000, 0, {4_198_000: 1, 4_459_000: 0.5}),
    "stable_diffusion_v1": (1e-4, 10_000, 20_000, 1, {0: 1e-6}),
    "swin": (1e-3, "20 epochs", "300 epochs", 5e-6 / 5e-4, {0: 5e-7 / 5e-4}),
    "t5": (0.01, 0, 2**19, 100 / 2**9.5, {9999: 1, 40_000: 0.5}),
    "torchtitan_default": (None, 199, 20_000, 0, {0: 1 / 200, 99: 0.5, 200: 1, 10_100: 0.5}),
    "torchtune_lora_8b": (3e-4, 100, 20_000, 0, {50: 0.5}),
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


@pytest.mark.parametrize("name", ["gpt3", "bloom_176b", "deepseek_v3", "moonlight_16b", "apertus_8b"])
def test_a_batch_that_grows_is_told_by_its_clock_and_its_note(name: str) -> None:
    preset = presets[name]
    assert preset.clock in ("token", "sample")
    assert f"count {preset.clock}s, not updates" in preset.note


def test_gpt3_warms_up_over_5300_updates_when_its_batch_grows() -> None:
    b = presets["gpt3"].schedule.bind(presets["gpt3"].run())
    tokens, updates, last = 0.0, 0, -1.0
    while last < (last := b(int(tokens))):  # as long as it rises
        tokens += min(3.2e6, 32e3 + (3.2e6 - 32e3) * tokens / 12e9)
        updates += 1
    assert 5250 < updates < 5400


def test_pythia_follows_gpt_neox_at_every_update() -> None:
    preset = presets["pythia_1.4b"]
    total, warm = 143_000, 1430
    theirs = [
        t / warm if t <= warm else max(0.1, (1 + math.cos(math.pi * (min(t, total - warm) - warm) / total)) / 2)
        for t in range(total)
    ]
    ours = preset.schedule.bind(preset.run()).table(total)
    assert np.abs(ours - np.array(theirs)).max() < 1e-12
    assert ours[115_138] > 0.1 == ours[115_139]


def test_bert_follows_its_own_code_at_every_update() -> None:
    preset = presets["bert_base"]
    t = np.arange(1_000_000)
    theirs = np.where(t < 10_000, t / 10_000, 1 - t / 1_000_000)
    assert np.abs(preset.schedule.bind(preset.run()).table(1_000_000) - theirs).max() < 1e-12


def test_olmo3_follows_both_of_its_scripts() -> None:
    preset = presets["olmo3_7b"]
    b = preset.schedule.bind(preset.run())
    first, second, middle = 5 * 10**12 // 4_194_304, 7 * 10**12 // 4_194_304, 597_046
    for t in range(2000, 1_413_814, 4999):
        u = (t - 2000) / (first - 2000) if t < middle else (1 + (t - middle) / (second - middle)) / 2
        assert b(t) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * u)) / 2, abs=1e-5)


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
