"""Configs of DeepSpeed, Megatron and Composer: what is read, what is named, what is refused."""

import json

import pytest

import preheat as ph
from preheat import PreheatError, compat
from preheat.compat.configs import Config, Given, read_config

WARMUP = {"type": "WarmupDecayLR", "params": {"total_num_steps": 100, "warmup_num_steps": 10, "warmup_max_lr": 1e-3}}
DEEPSPEED = {"train_batch_size": 32, "scheduler": WARMUP, "optimizer": {"type": "AdamW", "params": {"lr": 5e-4}}}


def deepspeed(changes: dict, **given):
    return read_config(Config("ds_config.json", json.dumps(DEEPSPEED | changes)), Given(**given))


def scheduler(kind: str, **params):
    return {"scheduler": {"type": kind, "params": params}}


def codes(reading) -> list[tuple[str, str]]:
    return [(one.code, one.place) for one in reading.findings]


def test_deepspeeds_scheduler_and_batch() -> None:
    reading = deepspeed({})
    assert reading.library == "deepspeed"
    assert reading.run == ph.Run(total=100, samples_per_step=32)
    expected = compat.deepspeed.warmup_decay_lr(**WARMUP["params"])
    assert reading.target == expected.target.truncated(100)  # at 0 one update after the run
    assert codes(reading) == [("ignored-argument", "base_lr")]  # 5e-4, of which the scheduler makes 1e-3
    same = {"optimizer": {"type": "AdamW", "params": {"lr": 1e-3}}}
    assert codes(deepspeed(same)) == []


def test_the_optimizers_rate_where_the_scheduler_has_none() -> None:
    reading = deepspeed(scheduler("WarmupLR", warmup_num_steps=10, warmup_type="linear"), total=50)
    assert reading.target(20) == 5e-4
    assert deepspeed(scheduler("WarmupCosineLR", total_num_steps=50, warmup_num_steps=5)).target(5) == 5e-4


def test_a_default_that_replaces_the_optimizers_rate_is_told() -> None:
    reading = deepspeed(scheduler("WarmupDecayLR", total_num_steps=50, warmup_num_steps=5))
    assert ("assumed", "scheduler.params.warmup_max_lr") in codes(reading)
    assert max(reading.target.table(50)) == 1e-3


def test_auto_is_named_and_never_guessed() -> None:
    left = scheduler("WarmupDecayLR", total_num_steps="auto", warmup_max_lr="auto", warmup_num_steps="auto")
    with pytest.raises(PreheatError, match="warmup_num_steps of the scheduler"):
        deepspeed(left, total=100)
    left["scheduler"]["params"]["warmup_num_steps"] = 10
    reading = deepspeed(left, total=100)
    assert reading.target(11) == 5e-4
    assert codes(reading)[:2] == [
        ("assumed", "scheduler.params.total_num_steps"),
        ("assumed", "scheduler.params.warmup_max_lr"),
    ]
    with pytest.raises(PreheatError, match="total_num_steps"):
        deepspeed(left)


def test_keys_that_deepspeed_does_not_know_are_named() -> None:
    found = [str(one) for one in deepspeed({"zero_optimisation": {}}).findings]
    assert any("zero_optimisation" in one and "did you mean 'zero_optimization'" in one for one in found)


def test_no_scheduler_is_a_rate_that_stays() -> None:
    config = {key: value for key, value in DEEPSPEED.items() if key != "scheduler"}
    reading = read_config(Config("ds.json", json.dumps(config)))
    assert reading.target(1000) == 5e-4
    assert codes(reading) == [("assumed", "scheduler")]
    with pytest.raises(PreheatError, match="no scheduler"):
        read_config(Config("ds.json", '{"train_batch_size": 3}'))
    with pytest.raises(PreheatError, match="no scheduler 'OneCycleLR'"):
        deepspeed(scheduler("OneCycleLR"))


SCRIPT = """
#!/bin/bash
# --lr 99 is no option here
BATCH=$((8 * 16))
ITERS=${ITERS:-1000}
ARGS=(
  --global-batch-size $BATCH --lr=3e-4
  --min-lr 3e-5   # a floor
  --lr-decay-style "cosine"
)
torchrun pretrain.py "${ARGS[@]}" \\
  --train-iters $ITERS --lr-warmup-iters $((ITERS / 10))
"""


def megatron(text: str = SCRIPT, **given):
    return read_config(Config("train.sh", text), Given(**given))


def test_options_of_a_script_are_followed_as_text() -> None:
    reading = megatron()
    assert reading.library == "megatron"
    assert reading.run == ph.Run(total=1000, samples_per_step=128)
    assert reading.target(100) == 3e-4
    assert reading.target(1000) == pytest.approx(3e-5)
    assert {one.place for one in reading.findings} == {"--train-iters", "--lr-warmup-iters"}


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("--lr=3e-4", "--lr=$PEAK", "the script does not assign"),
        ("--lr=3e-4", "--lr=3e-4 --lr 1e-4", "said differently"),
        ("BATCH=$((8 * 16))", "BATCH=1\nBATCH=2", "assigns differently"),
        ("BATCH=$((8 * 16))", "BATCH=$((__import__('os')))", "must be a number"),
        ("--lr-decay-style", "--rampup-batch-size 16 16 5859375 --lr-decay-style", "needs lengths in samples"),
        ("--min-lr 3e-5", "--min-lr 3e-3", "at least min_lr"),
    ],
)
def test_what_cannot_be_known_of_a_script_is_refused(old, new, match) -> None:
    with pytest.raises(PreheatError, match=match):
        megatron(SCRIPT.replace(old, new))


def test_what_a_script_moves_besides_is_named() -> None:
    more = "--lr=3e-4 --decoupled-lr 1e-3 --lr-warmup-step 7"
    found = codes(megatron(SCRIPT.replace("--lr=3e-4", more)))
    assert ("not-carried", "--decoupled-lr") in found
    assert ("unknown-key", "--lr-warmup-step") in found
    with pytest.raises(PreheatError, match="trains for 1000"):
        megatron(total=999)


def test_a_batch_that_grows_is_named() -> None:
    samples = SCRIPT.replace(
        "--train-iters $ITERS --lr-warmup-iters $((ITERS / 10))",
        "--train-samples 128000 --rampup-batch-size 16 16 1000",
    )
    reading = megatron(samples)
    assert reading.run.total == 1000
    assert ("not-carried", "rampup_batch_size") in codes(reading)


FOUNDRY = """
variables:
  rate: 2.0e-4
max_seq_len: 2048
max_duration: 2ep
global_train_batch_size: 100
scheduler:
  name: linear_decay_with_warmup
  t_warmup: 10ba
  alpha_f: 0
optimizer: {name: decoupled_adamw, lr: '${variables.rate}'}
"""


def foundry(text: str = FOUNDRY, **given):
    return read_config(Config("mpt.yaml", text), Given(**given))


def test_llm_foundrys_yaml_and_what_an_epoch_is_worth() -> None:
    with pytest.raises(PreheatError, match="an epoch"):
        foundry()
    reading = foundry(samples=10_000)
    assert reading.library == "composer"
    assert reading.run == ph.Run(total=200, steps_per_epoch=100, samples_per_step=100, tokens_per_step=204_800)
    assert reading.target(10) == 2e-4
    assert foundry(steps_per_epoch=50).run.total == 100


def test_tokens_are_those_of_full_batches_and_that_is_told() -> None:
    reading = foundry(FOUNDRY.replace("2ep", "2048000tok").replace("10ba", "204800tok"))
    assert reading.run.total == 10
    assert ("assumed", "max_seq_len") in codes(reading)
    assert reading.target(1) == 2e-4


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("linear_decay_with_warmup", "linear_decay_with_warmups", "did you mean"),
        ("  alpha_f: 0", "  alpha_g: 0", "alpha_g"),
        ("optimizer:", "optimiser:", "optimizer.lr"),
        ("2ep", "2 fortnights", "a time is a number"),
    ],
)
def test_what_composer_would_not_take_is_refused(old, new, match) -> None:
    with pytest.raises(PreheatError, match=match):
        foundry(FOUNDRY.replace(old, new), steps_per_epoch=100)
