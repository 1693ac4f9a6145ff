"""Presets whose source is a program, against what that program computes, restated here with its own counting."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from preheat import presets
from preheat.core.sampling import edges

ImageNet = {"steps_per_epoch": 313}  # updates in an epoch of ImageNet-1k at batches of 4096

# Each: the run, what the program gives update t as a factor of its peak, and how far the preset may be from it.
# EXACT: the same at every update. A warmup that differs by part of an update differs by that part of a step of it.
EXACT = 1e-12
Source = tuple[dict[str, object], Callable[[int, int], float], float]


def cosine(share: float, low: float) -> float:
    """From 1 to low over share 0 to 1."""
    return low + (1 - low) * (1 + math.cos(math.pi * share)) / 2


def bert(t: int, total: int) -> float:
    """optimization.py: a decay that counts from the first update, and before 10,000 the warmup in its place."""
    return t / 10_000 if t < 10_000 else 1 - t / total


def megatron(t: int, _: int) -> float:
    """AnnealingLR, in samples: the decay of 200,000,000 has the warmup of 183,105 inside, and then stays at a tenth."""
    if t <= 183_105:
        return t / 183_105
    return 0.1 if t > 200_000_000 else cosine((t - 183_105) / (200_000_000 - 183_105), 0.1)


def gpt_neox(t: int, total: int) -> float:
    """megatron/learning_rates.py, v1.0: the cosine is as long as the run, though it begins after the warmup."""
    warm = 0.01 * total
    if t <= warm:
        return t / warm
    return max(0.1, (1 + math.cos(math.pi * (min(t, total - warm) - warm) / total)) / 2)


def nanogpt(t: int, total: int) -> float:
    """get_lr: the first update is at 1/2001 of the peak."""
    return (t + 1) / 2001 if t < 2000 else cosine((t - 2000) / (total - 2000), 0.1)


def nanochat(t: int, total: int) -> float:
    """get_lr_multiplier: the first update is at 1/40 of the peak, the fortieth at the peak."""
    down = round(0.65 * total)
    if t < 40:
        return (t + 1) / 40
    left = (total - t) / down
    return 1.0 if t <= total - down else left + (1 - left) * 0.05


def modded_nanogpt(t: int, total: int) -> float:
    """get_lr, no warmup; the last update is at 1/1450."""
    return 1.0 if t < total - 1450 else (total - t) / 1450


def torchtitan(t: int, total: int) -> float:
    """linear_warmup_stable_decay: update t counts as t + 1, and one update more than the run has is planned."""
    warm, down = 200, total - 200
    if t < warm:
        return (t + 1) / warm
    return 1.0 if t < warm + 1 else 1 - (t + 1 - (warm + 1)) / down


def nanotron(warm: int, start: int, down: int) -> Callable[[int, int], float]:
    """lr_scheduler_builder, linear: the first update is at 0."""
    return lambda t, _: t / warm if t <= warm else 1.0 if t < start else (down - (t - start)) / down


def olmo(warm: float, end: float, each: int = 1) -> Callable[[int, int], float]:
    """CosWithWarmup, to a tenth at `end`, whether or not the run gets there; t times `each` is what is counted."""
    return lambda t, _: t * each / warm if t * each < warm else cosine((t * each - warm) / (end - warm), 0.1)


def olmo3(t: int, _: int) -> float:
    """Two scripts: a cosine over 5T tokens, and from its middle on the second half of one that ends at 7T.

    Left out: the thousand updates before the middle, which the second script climbs in a line from 0.549 to 0.55.
    """
    first, second, middle = math.ceil(5e12 / 4_194_304), math.ceil(7e12 / 4_194_304), 597_046
    if t < 2000:
        return t / 2000
    return cosine((t - 2000) / (first - 2000) if t < middle else (1 + (t - middle) / (second - middle)) / 2, 0.1)


def olmo_sft(t: int, total: int) -> float:
    """LinearWithWarmup, a warmup of round(0.03 T)."""
    warm = round(0.03 * total)
    return t / warm if t < warm else 1 - (t - warm) / (total - warm)


def detectron2(t: int, _: int) -> float:
    """WarmupMultiStepLR: from a thousandth, linear over 1000 updates."""
    return 0.1 if t >= 30_000 else 0.001 * (1 - t / 1000) + t / 1000 if t < 1000 else 1.0


def mae(t: int, total: int) -> float:
    """adjust_learning_rate, per update, in epochs with a fraction."""
    epoch = t / 313
    return epoch / 40 if epoch < 40 else cosine((epoch - 40) / (800 - 40), 0.0)


def swin(t: int, total: int) -> float:
    """timm's CosineLRScheduler, in updates, warmup_prefix. The program sets it after update t, so it is used one later."""
    warm = 20 * 313
    return 0.001 + t * (1 - 0.001) / warm if t < warm else cosine((t - warm) / (total - warm), 0.01)


def linspace(warm: int, low: float) -> Callable[[int, int], float]:
    """cosine_scheduler of ConvNeXt and DINOv2: a table of the warmup that ends at the peak, one update sooner."""
    return lambda t, total: t / (warm - 1) if t < warm else cosine((t - warm) / (total - warm), low)


def latent_diffusion(t: int, _: int) -> float:
    """LambdaLinearScheduler with f_start 1e-6 and f_max = f_min = 1."""
    return (1.0 - 1e-6) / 10_000 * t + 1e-6 if t < 10_000 else 1.0


PROGRAMS: dict[str, Source] = {
    "bert_base": ({}, bert, EXACT),
    "bloom_176b": ({}, megatron, EXACT),
    "pythia_1.4b": ({}, gpt_neox, EXACT),
    "nanogpt": ({}, nanogpt, EXACT),
    "nanochat": ({"total": 2205}, nanochat, EXACT),  # 0.65 · 2205 = 1433.25, and both decay over 1433
    "modded_nanogpt": ({}, modded_nanogpt, EXACT),
    "torchtitan_default": ({"total": 10_000}, torchtitan, EXACT),
    "smollm2_135m": ({}, nanotron(2000, 1_600_000, 400_000), EXACT),
    "smollm3_3b": ({}, nanotron(2000, 4_198_001, 522_000), 1.001 / 522_000),  # it would end one update after the run
    "olmo2_7b": ({}, olmo(2000 * 4_194_304, 5e12, each=4_194_304), 1e-6),  # its end is not a whole number of updates
    "olmo2_32b": ({}, olmo(2000, math.ceil(65 * 10**11 / 8_388_608)), EXACT),
    "olmo3_7b": ({}, olmo3, EXACT),
    "olmo3_32b": ({}, olmo(2000 * 8_388_608, 5.93e12, each=8_388_608), 1e-6),
    "olmo_sft": ({"total": 20_000}, olmo_sft, EXACT),
    "detectron2": ({}, detectron2, EXACT),
    "mae": (ImageNet, mae, EXACT),
    "swin": (ImageNet, swin, EXACT),
    "convnext": (ImageNet, linspace(20 * 313, 2.5e-4), 1 / (20 * 313 - 1)),
    "dinov2": ({}, linspace(80 * 1250, 1e-6 / 3.5e-4), 1 / (80 * 1250 - 1)),
    "stable_diffusion_v1": ({}, latent_diffusion, EXACT),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_preset_follows_its_program(name: str) -> None:
    """At the first 3000 updates, around every edge, at the last, and at some ten thousand between them."""
    known, program, tolerance = PROGRAMS[name]
    run = presets[name].run(**known)
    bound = presets[name].schedule.bind(run)
    around = [math.ceil(edge) + near for edge in edges(bound, run.total) for near in range(-2, 3)]
    at = np.unique([*range(3000), *range(0, run.total, run.total // 10_000 or 1), *around, run.total - 1])
    at = at[(at >= 0) & (at < run.total)]
    theirs = np.array([program(int(t), run.total) for t in at])
    assert np.abs(bound(at) - theirs).max() <= tolerance


def test_gpt3_warms_up_over_5300_updates_when_its_batch_grows() -> None:
    b = presets["gpt3"].schedule.bind(presets["gpt3"].run())
    tokens, updates, last = 0.0, 0, -1.0
    while last < (last := b(int(tokens))):  # as long as it rises
        tokens += min(3.2e6, 32e3 + (3.2e6 - 32e3) * tokens / 12e9)
        updates += 1
    assert 5250 < updates < 5400


def test_pythia_is_at_its_floor_from_the_update_that_its_note_names() -> None:
    rates = presets["pythia_1.4b"].schedule.bind(presets["pythia_1.4b"].run()).table(143_000)
    assert rates[115_138] > 0.1 == rates[115_139]
    assert "115,139" in presets["pythia_1.4b"].note
