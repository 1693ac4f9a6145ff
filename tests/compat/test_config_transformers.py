"""TrainingArguments, read: the updates and the warmup as the Trainer itself counts them, the rates as its schedulers have."""

import dataclasses
import json
import math
import random

import pytest

from preheat import PreheatError, compat
from preheat.compat.configs import Config, Given, read_config
from preheat.compat.configs.transformers import KNOWN, recognises


def read(data: dict, **given: object) -> compat.Reading:
    return read_config(Config("training_args.json", json.dumps(data)), Given(**given), "transformers")


def codes(reading: compat.Reading) -> set[tuple[str, str]]:
    return {(found.code, found.place) for found in reading.findings}


def test_every_field_of_the_arguments_is_read_or_known_to_be_harmless() -> None:
    arguments = pytest.importorskip("transformers").TrainingArguments
    data = {"lr_scheduler_type": "linear", "max_steps": 10} | {
        field.name: None for field in dataclasses.fields(arguments)
    }
    assert not [found for found in read(data, total=10).findings if found.code == "unknown-key"]


def test_what_the_trainer_writes_is_read(tmp_path) -> None:
    transformers = pytest.importorskip("transformers")
    own = transformers.TrainingArguments(
        str(tmp_path), lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr_rate": 0.1}, max_steps=300,
        learning_rate=2e-5, warmup_steps=0.05, use_cpu=True,
    )  # fmt: skip
    path = tmp_path / "training_args.json"
    path.write_text(own.to_json_string())
    reading = compat.read(path)
    assert (reading.library, reading.run.total) == ("transformers", 300)
    assert {found.code for found in reading.findings} == {"after-the-end"}
    same = compat.restate(
        "transformers", "cosine_with_min_lr", num_warmup_steps=15, num_training_steps=300, min_lr_rate=0.1, base_lr=2e-5
    )
    assert reading.target == same.target


@pytest.mark.parametrize("seed", range(25))
def test_updates_and_warmup_are_those_of_the_trainer(seed: int) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    shard = pytest.importorskip("accelerate.data_loader").BatchSamplerShard
    r = random.Random(seed)
    data = {
        "per_device_train_batch_size": r.randint(1, 9),
        "gradient_accumulation_steps": r.randint(1, 5),
        "num_train_epochs": r.choice([1, 3, 0.4, 2.5]),
        "dataloader_drop_last": r.random() < 0.5,
        "warmup_steps": r.choice([0, 1, 7, 1.5, 0.1, r.random()]),
    }
    world, samples = r.randint(1, 6), r.randint(60, 500)
    batches = torch.utils.data.BatchSampler(
        range(samples), data["per_device_train_batch_size"], data["dataloader_drop_last"]
    )
    args = transformers.TrainingArguments("unused", use_cpu=True, **data)
    trainer = transformers.Trainer.__new__(transformers.Trainer)
    trainer.get_total_train_batch_size, trainer.get_sp_size = lambda args: 1, lambda: 1
    trainer.num_examples = lambda loader: samples
    *_, total = trainer.set_initial_training_values(args, shard(batches, world, 0))
    reading = read(data | {"lr_scheduler_type": "constant_with_warmup"}, samples=samples, world_size=world)
    assert reading.run.total == total
    warm = args.get_warmup_steps(total)
    assert reading.target.table(total + 1).tolist()[: warm + 1] == pytest.approx(
        [5e-5 * (t / warm if t < warm else 1.0) for t in range(warm + 1)][: total + 1]
    )


def test_a_batch_that_is_split_is_the_batch_of_all_processes() -> None:
    data = {"per_device_train_batch_size": 8, "accelerator_config": {"split_batches": True}, "num_train_epochs": 1}
    assert read(data, samples=800, world_size=4).run.total == 100


def test_the_share_of_older_versions() -> None:
    data = {"lr_scheduler_type": "linear", "max_steps": 1001, "warmup_ratio": 0.03}
    assert read(data).target.schedule.parts[0].span.value == math.ceil(1001 * 0.03)
    both = read(data | {"warmup_steps": 20})
    assert both.target.schedule.parts[0].span.value == 20
    assert ("ignored-argument", "warmup_ratio") in codes(both)


@pytest.mark.parametrize(
    ("data", "given", "said"),
    [
        ({"lr_scheduler_type": "linear"}, {}, "how many updates"),
        ({"lr_scheduler_type": "linear", "max_steps": 10}, {"total": 12}, "12"),
        ({"lr_scheduler_type": "linear", "max_steps": 10, "learning_rate": 1e-3}, {"base_lr": 1e-4}, "learning_rate"),
        ({"lr_scheduler_type": "constant_with_warmup", "warmup_ratio": 0.1}, {}, "share of the run"),
        ({"lr_scheduler_type": "lineal", "max_steps": 10}, {}, "lineal"),
        ({"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"num_cycle": 1}, "max_steps": 9}, {}, "num_cycles"),
        ({"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": "{num", "max_steps": 9}, {}, "JSON"),
        ({"lr_scheduler_type": "linear", "max_steps": 10, "warmup_steps": -1}, {}, "at least 0"),
        ({"log_history": [], "global_step": 5, "max_steps": 70}, {}, "total=70"),
    ],
)
def test_what_is_not_known_or_contradicts_is_refused(data: dict, given: dict, said: str) -> None:
    with pytest.raises(PreheatError, match=said):
        read(data, **given)


def test_what_the_library_does_not_use_and_what_is_misspelt_is_found() -> None:
    data = {"lr_scheduler_type": "SchedulerType.CONSTANT", "warmup_steps": 10, "lr_scheduler_kwargs": {"num_cycles": 2}}
    reading = read(data | {"warmup_rate": 0.1, "beta": 0.05, "deepspeed": "ds.json"}, base_lr=1e-4)
    assert codes(reading) >= {
        ("ignored-argument", "num_warmup_steps"),
        ("ignored-argument", "lr_scheduler_kwargs"),
        ("unknown-key", "warmup_rate"),
        ("unknown-key", "the config"),
        ("not-carried", "deepspeed"),
    }


def test_it_recognises_its_own() -> None:
    assert recognises(Config("a.yaml", "lr_scheduler_type: cosine"))
    assert not recognises(Config("a.yaml", "lr_scheduler: cosine\nmicro_batch_size: 2"))
    assert not recognises(Config("a.py", "lr_scheduler_type = 'cosine'"))
    assert not KNOWN & {
        "learning_rate",
        "lr_scheduler_type",
        "warmup_steps",
        "max_steps",
        "gradient_accumulation_steps",
    }


def test_the_rule_that_is_advised_for_greedy_is_one_that_there_is():
    import json

    import preheat.session
    from preheat.compat.transformers import greedy
    from preheat.session.rules import rule_from_data

    advice = next(f for f in greedy(base_lr=0.01, min_lr=1e-3, max_lr=0.1).findings if f.code == "metric-driven").write
    text, data = advice.removeprefix("use the rule preheat.session.").split(", as data ")
    rule = rule_from_data(json.loads(data))
    assert rule == preheat.session.GreedyLR("loss", min=0.1, max=10)
    assert text == 'GreedyLR("loss", min=0.1, max=10)'
