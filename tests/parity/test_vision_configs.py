"""Configs of mmengine, detectron2, kohya and ultralytics: what they say, what they lack, and what is named."""

import pytest

from preheat import PreheatError, Run
from preheat.compat.configs import Config, Given, read_config


def test_a_base_of_detectron2_is_named_and_so_are_the_defaults_taken() -> None:
    text = "_BASE_: ../Base-RCNN-FPN.yaml\nSOLVER:\n  STEPS: (210000, 250000)\n  MAX_ITER: 270000\n  WARMUP_ITER: 3\n"
    reading = read_config(Config("faster_rcnn.yaml", text))
    assert reading.library == "detectron2"
    assert reading.run.total == 270000
    assert [finding.code for finding in reading.findings][:3] == ["not-carried", "assumed", "unknown-key"]
    assert reading.target(200000) == pytest.approx(0.001)


def test_a_config_for_other_processes_scales_rate_and_run() -> None:
    text = "SOLVER: {BASE_LR: 0.02, MAX_ITER: 1000, STEPS: [800], WARMUP_ITERS: 100, REFERENCE_WORLD_SIZE: 8}"
    reading = read_config(Config("a.yaml", text), Given(world_size=4))
    assert reading.run.total == 2000
    assert reading.target(1000) == pytest.approx(0.01)


MMENGINE = """
_base_ = ["../default_runtime.py"]
train_cfg = dict(max_epochs=10)
optim_wrapper = dict(optimizer=dict(type="AdamW", lr=1e-3))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=5),
    dict(type="CosineAnnealingLR", begin=0, convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=True, base_batch_size=16)
train_dataloader = dict(batch_size=4)
"""


def test_a_scheduler_of_mmengine_without_an_end_has_that_of_the_loop() -> None:
    reading = read_config(Config("a.py", MMENGINE), Given(steps_per_epoch=10, world_size=8))
    assert reading.run == Run(total=100, steps_per_epoch=10)
    assert [finding.place for finding in reading.findings] == ["_base_", "auto_scale_lr"]
    assert max(reading.target.table(100)) == pytest.approx(2e-3, rel=0.01)


def test_epochs_of_a_length_that_nobody_says_are_refused() -> None:
    with pytest.raises(PreheatError, match="steps_per_epoch"):
        read_config(Config("a.py", MMENGINE))


KOHYA = """
[training]
pretrained_model_name_or_path = "model"
max_train_steps = 400
learning_rate = 1e-4
unet_lr = 2e-4
lr_scheduler = "cosine_with_restarts"
lr_scheduler_num_cycles = 2
lr_warmup_steps = 0.1
"""


def test_a_share_is_a_warmup_in_kohyas_toml_and_other_rates_are_named() -> None:
    reading = read_config(Config("a.toml", KOHYA))
    assert reading.library == "kohya"
    assert reading.target(40) == reading.target(220) == pytest.approx(1e-4)
    assert [finding.place for finding in reading.findings] == ["unet_lr"]


def test_what_a_scheduler_of_kohya_does_not_take_is_a_finding() -> None:
    text = KOHYA.replace("cosine_with_restarts", "cosine")
    assert "lr_scheduler_num_cycles" in [finding.place for finding in read_config(Config("a.toml", text)).findings]


YOLO = "epochs: 10\nbatch: 16\nlr0: 0.01\nlrf: 0.01\nwarmup_epochs: 3.0\noptimizer: {}\nlr00: 3\n"


def test_an_optimizer_that_yolo_chooses_itself_ignores_lr0() -> None:
    config = Config("args.yaml", YOLO.format("auto"))
    with pytest.raises(PreheatError, match="size of the data set"):
        read_config(config, Given(steps_per_epoch=10))
    reading = read_config(config, Given(samples=2_000_000))
    assert max(reading.target["lr"].table(10)) < 0.01
    assert "ignored-argument" in [finding.code for finding in reading.findings]


def test_an_unknown_key_of_yolo_is_named() -> None:
    reading = read_config(Config("args.yaml", YOLO.format("SGD")), Given(steps_per_epoch=10))
    assert reading.run.total == 100
    assert ("unknown-key", "lr00") in [(finding.code, finding.place) for finding in reading.findings]
    assert set(reading.target) == {"lr", "bias/lr", "momentum"}
