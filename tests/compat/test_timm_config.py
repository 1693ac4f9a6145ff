"""timm's args.yaml, read."""

import pytest

from preheat.compat.configs import Config, Given, read_config
from preheat.core.errors import PreheatError

pytest.importorskip("yaml")
ARGS = """
batch_size: 128
cooldown_epochs: 10
decay_rate: 0.1
epochs: 300
lr: 0.5
lr_cycle_limit: 1
lr_cycle_mul: 1.0
min_lr: 1.0e-05
model: resnet50
opt: sgd
sched: cosine
sched_on_updates: {updates}
warmup_epochs: 5
warmup_lr: 0.0001
"""


def test_by_epochs_a_tick_is_an_epoch_and_the_cooldown_belongs_to_the_run() -> None:
    reading = read_config(Config("args.yaml", ARGS.format(updates="false")))
    assert (reading.library, reading.run.total, reading.run.clock) == ("timm", 310, "epoch")
    assert reading.target(0) == pytest.approx(1e-4)
    assert reading.target(305) == pytest.approx(1e-5)
    assert "jump" in [finding.code for finding in reading.findings]


def test_by_updates_the_data_set_must_be_known() -> None:
    config = Config("args.yaml", ARGS.format(updates="true"))
    with pytest.raises(PreheatError, match="how many updates"):
        read_config(config)
    reading = read_config(config, Given(samples=1_280_000, world_size=8))
    assert reading.run.total == 310 * 1250
    assert reading.target(5 * 1250) < 0.5


def test_lr_base_is_scaled_to_the_batch_and_said() -> None:
    text = ARGS.format(updates="false").replace("lr: 0.5", "lr_base: 0.1\nlr_base_size: 256")
    sgd = read_config(Config("args.yaml", text), Given(world_size=8))
    adaptive = read_config(Config("args.yaml", text.replace("opt: sgd", "opt: adamw")), Given(world_size=8))
    assert (sgd.target(5) / adaptive.target(5)) == pytest.approx(2.0, rel=1e-3)
    assert any("lr_base 0.1" in finding.what for finding in sgd.findings)


def test_a_key_that_is_misspelt_is_named() -> None:
    reading = read_config(Config("args.yaml", ARGS.format(updates="false") + "warmup_epoch: 3\n"))
    assert [finding.place for finding in reading.findings if finding.code == "unknown-key"] == ["warmup_epoch"]
