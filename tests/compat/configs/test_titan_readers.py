"""Configs of torchtitan, nanoGPT, OLMo, axolotl and LLaMA-Factory: what they say, what they do not, what they contradict."""

import pytest

from preheat import PreheatError, compat
from preheat.compat.configs import Config, Given, read_config


def _codes(reading):
    return [(one.code, one.place) for one in reading.findings if one.code != "after-the-end"]


def _read(name, text, **given):
    return read_config(Config(name, text), Given(**given))


TITAN = "[job]\n[training]\nsteps = 100\n[optimizer]\nlr = 1e-3\n[lr_scheduler]\nwarmup_steps = 10\n"


def test_torchtitan_toml() -> None:
    reading = _read("a.toml", TITAN + "decay_ratio = 0.2\ndecay_type = 'sqrt'\nlr_min = 0.1\n")
    assert reading.library == "torchtitan"
    assert reading.run.total == 100
    expected = compat.torchtitan.lr_schedulers_container(
        training_steps=100, warmup_steps=10, decay_ratio=0.2, decay_type="sqrt", min_lr_factor=0.1, base_lr=1e-3
    )
    assert reading.target == expected.target
    assert _codes(reading) == []


def test_torchtitan_toml_that_says_little_says_what_is_taken() -> None:
    reading = _read("a.toml", "[job]\n[training]\nseq_len = 8\n[lr_scheduler]\ndecay_tipe = 'linear'\n")
    assert _codes(reading) == [
        ("assumed", "training.steps"),
        ("assumed", "optimizer.lr"),
        ("assumed", "lr_scheduler.warmup_steps"),
        ("unknown-key", "lr_scheduler.decay_tipe"),
    ]
    assert reading.run.total == 10_000


def test_a_total_that_contradicts_the_file_is_refused() -> None:
    with pytest.raises(PreheatError, match="the config says 100"):
        _read("a.toml", TITAN, total=200)


PYTHON = """
def tiny():
    return Trainer.Config(
        optimizer=default_adamw(lr=8e-4),
        lr_scheduler=LRSchedulersContainer.Config(warmup_steps=2, decay_ratio=0.8, decay_type="linear"),
        training=TrainingConfig(local_batch_size=8, seq_len=2048, steps=10),
    )
"""


def test_torchtitan_python_is_read_and_not_run() -> None:
    reading = _read("config.py", PYTHON)
    expected = compat.torchtitan.lr_schedulers_container(
        training_steps=10, warmup_steps=2, decay_ratio=0.8, base_lr=8e-4
    )
    assert reading.target == expected.target
    with pytest.raises(PreheatError, match=r"builds 2 Trainer\.Config"):
        _read("config.py", PYTHON + PYTHON.replace("tiny", "small"))
    with pytest.raises(PreheatError, match="no literal"):
        _read("config.py", PYTHON.replace("steps=10", "steps=count()"))


def test_nanogpt_is_silent_where_train_py_speaks() -> None:
    reading = _read("a.py", "max_iters = 50\nlr_decay_iters = 50\nwarmup_iters = 5\nlerning_rate = 1\n")
    assert reading.run.total == 51
    assert reading.target == compat.nanogpt.get_lr(max_iters=50, lr_decay_iters=50, warmup_iters=5).target
    assert _codes(reading) == [("assumed", "learning_rate"), ("assumed", "min_lr"), ("unknown-key", "lerning_rate")]


OLMO = """
scheduler: {name: cosine_with_warmup, t_warmup: 10, alpha_f: 0.2}
optimizer: {learning_rate: 1e-3}
max_duration: 100
"""


def test_olmo_begins_at_a_tenth_of_the_rate_unless_told() -> None:
    reading = _read("a.yaml", OLMO)
    expected = compat.olmo_core.cos_with_warmup(warmup=10, alpha_f=0.2, max_steps=100, base_lr=1e-3, warmup_min_lr=1e-4)
    assert reading.target == expected.target
    assert _codes(reading) == [("assumed", "scheduler.warmup_min_lr")]


def test_olmo_core_with_tokens() -> None:
    text = """
train_module: {optim: {lr: 2e-4}, scheduler: {_CLASS_: olmo_core.optim.scheduler.WSD, warmup: 4000, units: tokens}}
trainer: {max_duration: {value: 100000, unit: tokens}}
data_loader: {global_batch_size: 1000}
"""
    reading = _read("a.yaml", text)
    expected = compat.olmo_core.wsd(warmup=4000, units="tokens", max_tokens=100_000, tokens_per_step=1000, base_lr=2e-4)
    assert reading.target == expected.target
    assert (reading.run.total, reading.run.tokens_per_step) == (100, 1000)


AXOLOTL = "base_model: m\ndatasets: []\nmicro_batch_size: 2\n"
AXOLOTL += "gradient_accumulation_steps: 4\nlearning_rate: 1e-4\nnum_epochs: 2\n"


def test_axolotl_takes_a_warmup_of_3_percent_where_nothing_is_said() -> None:
    reading = _read("a.yml", AXOLOTL, samples=800, world_size=1)
    assert reading.run.total == 200
    assert reading.target == compat.axolotl.cosine(num_warmup_steps=6, num_training_steps=200, base_lr=1e-4).target
    assert _codes(reading) == [("assumed", "warmup_steps")]


@pytest.mark.parametrize(
    ("lines", "name", "arguments"),
    [
        ("cosine_min_lr_ratio: 0.1", "get_cosine_schedule_with_min_lr", {"min_lr_ratio": 0.1}),
        ("lr_quadratic_warmup: true", "get_cosine_schedule_with_quadratic_warmup", {}),
        ("lr_scheduler: linear", "linear", {}),
        (
            "cosine_min_lr_ratio: 0.1\ncosine_constant_lr_ratio: 0.5",
            "get_cosine_schedule_with_warmup_decay_constant",
            {"min_lr_ratio": 0.1, "constant_lr_ratio": 0.5},
        ),
    ],
)
def test_axolotl_chooses_as_its_trainer_does(lines, name, arguments) -> None:
    reading = _read("a.yml", f"{AXOLOTL}warmup_steps: 1\n{lines}\n", total=100)
    expected = compat.axolotl.PEER[name](num_warmup_steps=2, num_training_steps=100, **arguments, base_lr=1e-4)
    assert reading.target == expected.target  # one update of warmup is made two there


def test_axolotl_rex_and_what_it_ignores() -> None:
    reading = _read("a.yml", f"{AXOLOTL}warmup_ratio: 0.1\nlr_scheduler: rex\n", total=100)
    expected = compat.axolotl.rex_lr(max_lr=1e-4, min_lr=0.0, total_steps=100, num_warmup_steps=10, base_lr=1e-4)
    assert reading.target == expected.target
    ignored = _read("a.yml", f"{AXOLOTL}warmup_steps: 3\nlr_scheduler: linear\ncosine_min_lr_ratio: 0.1\n", total=100)
    assert _codes(ignored) == [("ignored-argument", "cosine_min_lr_ratio")]


def test_without_a_total_the_epochs_are_not_enough() -> None:
    with pytest.raises(PreheatError, match="how long one is it does not say"):
        _read("a.yml", AXOLOTL)


FACTORY = "stage: sft\nfinetuning_type: full\ntemplate: x\nlearning_rate: 2.0e-5\nnum_train_epochs: 5\n"


def test_llama_factory_has_its_own_stable_phase() -> None:
    text = FACTORY + "lr_scheduler_type: warmup_stable_decay\nwarmup_ratio: 0.1\n"
    reading = _read("a.yaml", text, total=100)
    expected = compat.llama_factory.warmup_stable_decay(num_warmup_steps=10, num_training_steps=100, base_lr=2e-5)
    assert reading.target == expected.target
    assert reading.target.schedule.parts[1].span.value == 30


def test_llama_factory_counts_updates_as_the_trainer_does() -> None:
    text = FACTORY + "lr_scheduler_type: cosine\nper_device_train_batch_size: 1\ngradient_accumulation_steps: 2\n"
    assert _read("a.yaml", text, samples=101, world_size=2).run.total == 5 * 26  # 51 batches a process, 26 updates


def test_what_lasts_longer_than_the_run_is_cut_with_it() -> None:
    reading = _read(
        "a.py", "max_iters = 49\nlr_decay_iters = 100\nwarmup_iters = 5\nlearning_rate = 1e-3\nmin_lr = 0\n"
    )
    bound = reading.target.bind(reading.run)
    assert bound.length == 50
    assert (
        bound(60)
        == bound(50)
        == compat.nanogpt.get_lr(learning_rate=1e-3, lr_decay_iters=100, warmup_iters=5, min_lr=0)(50)
    )
