"""What holds for every reading: it binds to its own run, its sizes are sizes, and what is near to a key is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from preheat import PreheatError, Run, export
from preheat.compat import read
from preheat.compat.configs import READERS
from preheat.compat.configs.reading import Given, Reading

KINDS = ["constant", "constant_with_warmup", "inverse_sqrt", "linear", "cosine", "cosine_with_restarts", "polynomial"]
KINDS += ["cosine_with_min_lr", "warmup_stable_decay", "cosine_warmup_with_min_lr"]
KWARGS = {
    "warmup_stable_decay": {"num_decay_steps": 10},
    "cosine_with_min_lr": {"min_lr_rate": 0.1},
    "cosine_warmup_with_min_lr": {"min_lr_rate": 0.1},
}
AXOLOTL = "base_model: x\nmicro_batch_size: 2\nnum_epochs: 1\nlearning_rate: 1.0e-4\n"
FACTORY = "stage: sft\nfinetuning_type: lora\nlearning_rate: 1.0e-4\nmax_steps: 100\n"
KOHYA = 'pretrained_model_name_or_path = "x"\nmax_train_steps = 100\nlearning_rate = 1e-4\nlr_scheduler = "cosine"\n'
TIMM = "epochs: 30\nwarmup_epochs: 5\nwarmup_lr: 1e-6\nlr: 0.1\nmin_lr: 1e-5\ncooldown_epochs: 2\nreprob: 0.1\nsched: "


def reading(folder: Path, name: str, text: str, **beside: Any) -> Reading:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read(path, **beside)


def told(found: Reading) -> set[str]:
    return {one.place for one in found.findings if one.code not in ("assumed", "after-the-end")}


@pytest.mark.parametrize("warm", [0, 1, 99, 100, 150])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_trainer_follows_binds_to_its_run(tmp_path: Path, kind: str, warm: int) -> None:
    if kind == "polynomial" and warm >= 100:  # transformers divides by zero
        warm = 98
    said = {"lr_scheduler_type": kind, "warmup_steps": warm, "max_steps": 100, "learning_rate": 1e-4}
    said |= {"lr_scheduler_kwargs": KWARGS[kind]} if kind in KWARGS else {}
    found = reading(tmp_path, "t.json", json.dumps(said))
    assert found.bind().table(100).tolist() == found.table(100).tolist()
    assert found(50) == found.table(51)[-1]
    assert "def schedule" in export(found, "python", run=found.run)


@pytest.mark.parametrize("warm", [0, 5, 100])
@pytest.mark.parametrize("style", ["constant", "linear", "cosine", "inverse-square-root"])
def test_what_megatron_follows_binds_to_its_run(tmp_path: Path, style: str, warm: int) -> None:
    text = f"--lr 1e-3 --train-iters 100 --lr-decay-style {style} --lr-warmup-iters {warm} --global-batch-size 8"
    try:
        found = reading(tmp_path, "train.sh", text)
    except PreheatError:  # Megatron's own checks
        return
    assert found.bind().table(100).tolist() == found.table(100).tolist()


PUBLIC = [file for file in sorted(Path("benchmarks/parity/public").glob("*.*")) if file.suffix != ".py"]


@pytest.mark.parametrize("file", PUBLIC, ids=str)
def test_published_configs_bind_to_their_runs(file: Path) -> None:
    try:
        found = read(file, steps_per_epoch=10)
    except PreheatError:
        found = read(file, total=100_000, base_lr=1e-3)
    if found.run.total is not None:
        assert len(found.table(10)) == 10


@pytest.mark.parametrize("field", Given._fields)
@pytest.mark.parametrize("value", [0, -2, float("nan"), float("inf")])
def test_sizes_are_above_0_and_finite(tmp_path: Path, field: str, value: float) -> None:
    with pytest.raises(PreheatError, match=f"{field}="):
        reading(tmp_path, "t.json", '{"lr_scheduler_type": "linear"}', **{field: value})


@pytest.mark.parametrize("said", [{"per_device_train_batch_size": 0}, {"num_train_epochs": 1e308}])
def test_a_number_that_nothing_can_be_counted_with_is_refused(tmp_path: Path, said: dict[str, Any]) -> None:
    with pytest.raises(PreheatError):
        reading(tmp_path, "t.json", json.dumps(said | {"lr_scheduler_type": "linear"}), samples=10**6)


def test_the_mark_that_windows_writes_is_no_part_of_a_config(tmp_path: Path) -> None:
    assert reading(tmp_path, "t.json", '\ufeff{"max_steps": 100, "lr_scheduler_type": "linear"}').run == Run(total=100)


@pytest.mark.parametrize(
    "typo", ["warmup_step", "lr_warmup_step", "warmup_ration", "lr_schedular", "learning_rat", "lr_x"]
)
def test_what_is_near_to_a_key_or_speaks_of_a_schedule_is_named(tmp_path: Path, typo: str) -> None:
    for name, text, mark in (("a.yml", AXOLOTL, ":"), ("f.yml", FACTORY, ":"), ("k.toml", KOHYA, "=")):
        assert typo in told(reading(tmp_path, name, f"{text}{typo}{mark} 1\n", total=100))


def test_what_says_nothing_of_the_schedule_is_not_named(tmp_path: Path) -> None:
    assert (
        told(reading(tmp_path, "a.yml", AXOLOTL + "eval_steps: 5\nsaves_per_epoch: 1\nbf16: true\n", total=100))
        == set()
    )
    assert told(reading(tmp_path, "f.yml", FACTORY + "save_steps: 5\nlogging_steps: 1\nbf16: true\n")) == set()
    assert told(reading(tmp_path, "k.toml", KOHYA + "save_every_n_epochs = 1\nmax_timestep = 1000\n")) == set()


def test_the_plugin_of_axolotl_is_followed(tmp_path: Path) -> None:
    own = "preheat_schedule: warmup(5%) >> decay()\n"
    found = reading(tmp_path, "a.yml", "base_model: x\nlearning_rate: 1.0e-4\n" + own, total=100)
    assert found.table(6).tolist()[-1] == 1e-4
    with pytest.raises(PreheatError, match="a second schedule beside preheat_schedule"):
        reading(tmp_path, "a.yml", AXOLOTL + own + "warmup_steps: 10\n", total=100)


def test_axolotls_schedulers_are_named_as_there(tmp_path: Path) -> None:
    with pytest.raises(PreheatError, match=r"'log_sweep'.*\brex\b"):
        reading(tmp_path, "a.yml", AXOLOTL + "lr_scheduler: log_sweep\n", total=100)


def test_what_decides_its_own_rates_is_refused_or_told(tmp_path: Path) -> None:
    with pytest.raises(PreheatError, match="Adafactor"):
        reading(tmp_path, "k.toml", KOHYA + 'optimizer_type = "Adafactor"\n')
    plain = 'optimizer_type = "Adafactor"\noptimizer_args = ["relative_step=False"]\n'
    assert reading(tmp_path, "k.toml", KOHYA + plain).table(1).tolist() == [1e-4]
    free = reading(tmp_path, "k.toml", KOHYA + 'optimizer_type = "AdamWScheduleFree"\nlr_warmup_steps = 10\n')
    assert free.table(100).tolist() == [1e-4] * 100
    assert told(free) == {"lr_scheduler"}


@pytest.mark.parametrize("sched", ["cosine", "step", "multistep", "tanh", "poly", "rsqrt", "wsd"])
def test_timms_epochs_are_told_in_updates_where_these_are_known(tmp_path: Path, sched: str) -> None:
    text = f"{TIMM}{sched}\ndecay_epochs: 10\ndecay_milestones: [10, 20]\n"
    epochs, updates = reading(tmp_path, "a.yaml", text), reading(tmp_path, "a.yaml", text, steps_per_epoch=7)
    assert updates.run == Run(total=7 * epochs.run.total, steps_per_epoch=7)
    for late in (0, 6):
        mine, theirs = updates.table(updates.run.total)[late::7], epochs.table(epochs.run.total)
        assert mine == pytest.approx(theirs, abs=1e-13)


def test_timms_other_rates_are_told(tmp_path: Path) -> None:
    text = f"{TIMM}cosine\nlayer_decay: 0.7\nopt_kwargs: {{lr: 0.5}}\n"
    assert {"layer_decay", "opt_kwargs.lr"} <= told(reading(tmp_path, "a.yaml", text))


def test_an_epoch_of_a_fraction_is_one(tmp_path: Path) -> None:
    text = "lr0: 0.01\nlrf: 0.1\nfraction: 0.5\nepochs: 10\noptimizer: SGD\nbatch: 10\nwarmup_epochs: 0\n"
    found = reading(tmp_path, "args.yaml", text, samples=1000)
    assert found.run.steps_per_epoch == 50
    assert "fraction" in {one.place for one in found.findings}


def test_a_scheduler_has_the_arguments_of_its_own(tmp_path: Path) -> None:
    text = "scheduler: {name: cosine_with_warmup, t_warmup: 10ba, %s}\noptimizer: {lr: 1.0e-3}\nmax_duration: 100ba\n"
    with pytest.raises(PreheatError, match="did you mean 'alpha_f'"):
        reading(tmp_path, "c.yaml", text % "alpha_ff: 0.1")
    with pytest.raises(PreheatError, match="t_max, 50ba, ends before max_duration, 100ba"):
        reading(tmp_path, "c.yaml", text % "t_max: 50ba")


def test_the_page_lists_whose_configs_are_read() -> None:
    page = (
        (Path(__file__).parents[3] / "docs" / "convert.md")
        .read_text(encoding="utf-8")
        .partition("## What is read")[2]
        .partition("\n## ")[0]
    )
    listed = [line.partition(":")[0] for line in page.splitlines() if line.startswith("* `")]
    assert {name.strip("`") for line in listed for name in line.removeprefix("* ").split(", ")} == set(READERS)


def test_a_reading_comes_apart_into_the_schedule_the_run_and_the_findings(tmp_path: Path) -> None:
    whole = reading(tmp_path, "lf.yaml", f"{FACTORY}warmup_ration: 0.1\n")
    schedule, run, findings = whole
    assert (schedule, run, findings) == (whole.target, whole.run, whole.findings)
    assert Run(total=100) == run
    assert findings
