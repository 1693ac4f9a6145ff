"""Schedules from configuration files: each package builds the same value, with the packages themselves."""

import argparse
import inspect
import json
import pickle
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import preheat as ph
from preheat.core.text.language import Target
from preheat.core.text.words import Source
from preheat.recipes import RECIPES
from preheat.torch import Scheduler

hydra = pytest.importorskip("hydra")
hydra_zen = pytest.importorskip("hydra_zen")
jsonargparse = pytest.importorskip("jsonargparse")
omegaconf = pytest.importorskip("omegaconf")
yaml = pytest.importorskip("yaml")
instantiate = pytest.importorskip("hydra.utils").instantiate

TEXT = "warmup(5%) >> decay(to=0.1, shape=cosine)"
SCHEDULE = ph.warmup("5%") >> ph.decay(to=0.1, shape="cosine")
PLAN = ph.Plan({"lr": SCHEDULE, "weight_decay": ph.absolute(ph.hold(0.1))})
RULES = (ph.Plateau("loss", patience=1, min_lr=[1e-3], after="5%"), ph.Rewarm("loss", span=4))
RUN = ph.Run(total=40)
YAML = f"""
schedule: {TEXT}
plan:
  lr: {TEXT}
  weight_decay: absolute(hold(0.1))
data: {json.dumps(ph.to_dict(SCHEDULE))}
run: {{total: 3 epochs, steps_per_epoch: 500}}
rules:
  - {{kind: Plateau, metric: loss, patience: 1, min_lr: [1.0e-3], after: 5%}}
  - {{kind: Rewarm, metric: loss, span: 4}}
"""
TOML = f"""
schedule = "{TEXT}"
[plan]
lr = "{TEXT}"
weight_decay = "absolute(hold(0.1))"
[data]
kind = "sequence"
parts = [
    {{kind = "ramp", start = 0, end = 1, span = "5%", shape = "linear"}},
    {{kind = "ramp", start = 1.0, end = 0.1, span = "rest", shape = "cosine"}},
]
[run]
total = "3 epochs"
steps_per_epoch = 500
[[rules]]
kind = "Plateau"
metric = "loss"
patience = 1
min_lr = [1e-3]
after = "5%"
[[rules]]
kind = "Rewarm"
metric = "loss"
span = 4
"""
# recipes have defaults, but for these
NEEDED: dict[str, dict[str, Any]] = {
    "multistep": {"milestones": ["50%", "75%"]},
    "noam": {"d_model": 512},
    "inverse_sqrt": {"warmup_steps": 100},
    "restarts": {"cycle_steps": 100},
    "step_decay": {"every": "30%"},
}
WORDS: dict[str, dict[str, Any]] = {
    "ramp": {"start": 0.1, "end": 1, "span": "5%", "shape": "cosine"},
    "hold": {},
    "warmup": {"span": 10},
    "decay": {"shape": "power(2)"},
    "steps": {"values": [1, 0.1], "spans": [10, "rest"]},
    "invsqrt": {"tau": 100},
    "saturating": {"tau": "10 steps"},
    "rectified": {"beta2": 0.999},
    "table": {"values": [0.1, 0.2]},
    "absolute": {"schedule": TEXT},
    "relative": {"schedule": TEXT},
    "parse": {"value": TEXT},
    "from_dict": {"data": ph.to_dict(SCHEDULE)},
    "power": {"exponent": 2},
    "reverse": {"shape": "sqrt"},
    "compose": {"outer": "cosine", "inner": "sqrt"},
    "Run": {"total": "3 epochs", "steps_per_epoch": 500},
    "Plan": {"lines": {"lr": TEXT}},
    "Span": {"value": "5%"},
    "Plateau": {"metric": "loss", "after": "5%"},
    "HoldUntil": {"metric": "loss", "at": "5%"},
    "Rewarm": {"metric": "loss"},
}
CALLS = [*((name, RECIPES[name], NEEDED.get(name, {})) for name in RECIPES)]
CALLS += [(name, getattr(ph, name), given) for name, given in WORDS.items()]


def scheduler(schedule: Any, run: Any = RUN, rules: Any = ()) -> Scheduler:
    return Scheduler(torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))]), schedule, run=run, rules=rules)


@pytest.mark.parametrize(
    "config",
    [
        yaml.safe_load(YAML),
        tomllib.loads(TOML),
        json.loads(json.dumps(yaml.safe_load(YAML))),
        omegaconf.OmegaConf.create(YAML),
    ],
    ids=["yaml", "toml", "json", "omegaconf"],
)
def test_a_file_says_schedule_plan_run_and_rules(config: Any) -> None:
    assert ph.parse(config["schedule"]) == ph.parse(config["data"]) == ph.from_dict(config["data"]) == SCHEDULE
    assert ph.parse(config["plan"]) == ph.Plan(config["plan"]) == PLAN
    assert ph.parse({**config["plan"], "lr": config["data"]}) == PLAN
    run = ph.Run(**config["run"])
    assert run == ph.Run(total=1500, steps_per_epoch=500)
    made = scheduler(config["plan"], run, config["rules"])
    assert made.plan == PLAN.bind(run)
    assert made.session.rules == tuple(rule.bind(run) for rule in RULES)
    assert pickle.loads(pickle.dumps(made.session.rules)) == made.session.rules  # nothing of the file is kept


def test_a_number_that_yaml_takes_for_text_is_told() -> None:
    """YAML 1.1, as PyYAML reads it, wants a point in 3.0e-4."""
    given = yaml.safe_load("{peak_lr: 3e-4}")
    with pytest.raises(ph.PreheatError, match=r"peak_lr must be a number, not '3e-4'; write 0.0003 without quotes"):
        ph.cosine(**given)
    with pytest.raises(ph.PreheatError, match=r"not '1e-6'; write 1.0e-06 without quotes") as caught:
        ph.cosine(**yaml.safe_load("{peak_lr: 1e-6}"))
    assert isinstance(yaml.safe_load(caught.value.write.split()[1]), float)
    with pytest.raises(ph.PreheatError, match=r"peak_lr must be a number, not 'nan'$"):
        ph.cosine(peak_lr="nan")  # type: ignore[arg-type]


# -- Hydra ------------------------------------------------------------------------------------------------------------

HYDRA = f"""
optimizer: {{_target_: torch.optim.SGD, _partial_: true, lr: 0.1}}
scheduler:
  _target_: preheat.torch.Scheduler
  _partial_: true
  schedule: {TEXT}
  run: {{_target_: preheat.Run, total: 40}}
  rules: [{{kind: Plateau, metric: loss, patience: 1, min_lr: [1.0e-3], after: 5%}}, {{kind: Rewarm, metric: loss, span: 4}}]
"""


def composed(folder: Path, *overrides: str) -> Any:
    (folder / "train.yaml").write_text(HYDRA, encoding="utf-8")
    with hydra.initialize_config_dir(str(folder), version_base=None):
        return hydra.compose("train", list(overrides))


def trained(
    config: Any, data: torch.Tensor, checkpoint: Any = None, until: int = 40
) -> tuple[list[float], dict[str, Any]]:
    """The rate at every update, and what was saved after the last."""
    torch.manual_seed(0)
    model = torch.nn.Linear(data.shape[1] - 1, 1)
    optimizer = instantiate(config.optimizer)(model.parameters())
    made, rates = instantiate(config.scheduler)(optimizer), []
    optimizer.register_step_pre_hook(lambda *_: rates.append(optimizer.param_groups[0]["lr"]))
    if checkpoint:
        for name, one in (("model", model), ("optimizer", optimizer), ("scheduler", made)):
            one.load_state_dict(checkpoint[name])
    for _ in range(made.last_epoch, until):
        loss = (model(data[:, :-1]) - data[:, -1:]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        made.step(metrics={"loss": 1.0 + loss.item() * 1e-9})
    return rates, {
        name: one.state_dict() for name, one in (("model", model), ("optimizer", optimizer), ("scheduler", made))
    }


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    data = pytest.importorskip("sklearn.datasets").load_digits()
    return torch.cat([torch.tensor(data.data), torch.tensor(data.target)[:, None]], 1).float()[:256] / 16


def test_hydra_builds_the_scheduler_and_training_follows_it(tmp_path: Path, digits: torch.Tensor) -> None:
    config = composed(tmp_path)
    rates, _ = trained(config, digits)
    optimizer, expected = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1), []
    by_hand = Scheduler(optimizer, SCHEDULE, run=RUN, rules=RULES)
    for _ in range(40):
        expected += by_hand.get_last_lr()
        by_hand.step(metrics={"loss": 1.0})
    assert rates == expected
    bound = SCHEDULE.bind(RUN)
    assert rates[:4] == [0.1 * bound(t) for t in range(4)]
    assert rates[20] < 0.1 * bound(20)  # the rule was fed


def test_a_run_from_hydra_is_resumed_and_a_changed_override_refused(tmp_path: Path, digits: torch.Tensor) -> None:
    config = composed(tmp_path)
    whole, _ = trained(config, digits)
    first, saved = trained(config, digits, until=17)
    second, _ = trained(config, digits, pickle.loads(pickle.dumps(saved)))
    assert first + second == whole
    changed = composed(tmp_path, "scheduler.schedule='warmup(5%) >> decay(to=0.2, shape=cosine)'")
    with pytest.raises(ph.StateError, match="update"):
        trained(changed, digits, saved)


def test_hydra_takes_text_in_quotes_on_the_command_line(tmp_path: Path) -> None:
    config = composed(tmp_path, "scheduler.schedule='wsd(warmup_ratio=0.01, decay_ratio=0.2)'")
    assert ph.parse(config.scheduler.schedule) == ph.wsd(warmup_ratio=0.01, decay_ratio=0.2)
    with pytest.raises(Exception, match="Unknown function 'cosine'"):  # Hydra's own words: there are no quotes
        composed(tmp_path, "scheduler.schedule=cosine()")


def test_hydra_calls_what_takes_several_schedules() -> None:
    parts = [{"_target_": "preheat.warmup", "span": 10}, {"_target_": "preheat.hold", "value": 0.5}]
    for word in ("lower", "upper"):
        made = instantiate({"_target_": f"preheat.{word}", "_args_": parts})
        assert made == getattr(ph, word)(ph.warmup(10), ph.hold(0.5))
    plan = {"lr": {"_target_": "preheat.cosine", "warmup_ratio": 0.05}, "weight_decay": "absolute(hold(0.1))"}
    built = instantiate(
        {
            "_target_": "preheat.torch.Scheduler",
            "_partial_": True,
            "schedule": plan,
            "run": {"_target_": "preheat.Run", "total": 40},
        }
    )
    made = built(torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))]))
    assert made.plan == ph.Plan({"lr": ph.cosine(warmup_ratio=0.05), "weight_decay": ph.absolute(ph.hold(0.1))}).bind(
        RUN
    )


def test_a_rule_as_a_target_needs_convert_all() -> None:
    """OmegaConf takes every dataclass in a list for a config of its own; a rule as data has no such trouble."""
    config = {
        "_target_": "preheat.torch.Scheduler",
        "_partial_": True,
        "schedule": TEXT,
        "run": {"_target_": "preheat.Run", "total": 40},
        "rules": [{"_target_": "preheat.Plateau", "metric": "loss", "min_lr": [1e-3]}],
    }
    with pytest.raises(Exception, match="Unions of containers are not supported"):
        instantiate(config)
    made = instantiate({**config, "_convert_": "all"})(torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))]))
    assert made.session.rules == (ph.Plateau("loss", min_lr=[1e-3]).bind(RUN),)


@pytest.mark.parametrize(
    "unbuilt",
    [
        {"_target_": "preheat.cosine", "_partial_": False, "warmup_ratio": 0.05},
        {"class_path": "preheat.cosine", "init_args": {"warmup_ratio": 0.05}},
    ],
)
def test_what_nobody_has_built_is_told_from_a_plan(unbuilt: dict[str, Any]) -> None:
    for given in (unbuilt, {"lr": unbuilt}, omegaconf.OmegaConf.create(unbuilt)):
        with pytest.raises(
            ph.PreheatError, match=r'would build one from.*write the text "cosine\(warmup_ratio=0.05\)"'
        ):
            ph.parse(given)
    assert ph.parse("cosine(warmup_ratio=0.05)") == ph.cosine(warmup_ratio=0.05)


# -- hydra-zen and jsonargparse -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "function", "given"), CALLS, ids=[call[0] for call in CALLS])
def test_hydra_zen_builds_every_word_and_recipe(name: str, function: Any, given: dict[str, Any]) -> None:
    config = hydra_zen.builds(function, populate_full_signature=True, **given)
    again = omegaconf.OmegaConf.create(hydra_zen.to_yaml(config))
    assert hydra_zen.instantiate(config) == hydra_zen.instantiate(again) == function(**given)


def test_hydra_zen_builds_the_scheduler() -> None:
    config = hydra_zen.builds(
        Scheduler,
        zen_partial=True,
        populate_full_signature=True,
        schedule=hydra_zen.builds(ph.cosine, warmup_ratio=0.05),
        run=hydra_zen.builds(ph.Run, total=40),
        rules=[{"kind": "Plateau", "metric": "loss"}],
    )
    made = hydra_zen.instantiate(config)(torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))]))
    assert made.plan == ph.Plan(ph.cosine(warmup_ratio=0.05)).bind(RUN)
    assert made.session.rules == (ph.Plateau("loss").bind(RUN),)


def parsed(function: Any, given: Any) -> Any:
    """What jsonargparse makes of arguments from a file, for a function that it has introspected."""
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    add = parser.add_class_arguments if inspect.isclass(function) else parser.add_function_arguments
    add(function, "made", fail_untyped=True)
    found = parser.parse_object({"made": given})
    instantiated = getattr(parser, "instantiate", None) or parser.instantiate_classes
    made = instantiated(found).made
    return made if inspect.isclass(function) else function(**made.as_dict())


@pytest.mark.parametrize(("name", "function", "given"), CALLS, ids=[call[0] for call in CALLS])
def test_jsonargparse_knows_every_word_and_recipe(name: str, function: Any, given: dict[str, Any]) -> None:
    assert parsed(function, given) == function(**given)


def train(schedule: Target | Source, run: ph.Run, rules: list[dict[str, Any]] | None = None) -> tuple[Any, ...]:
    """As a training function, or a module of LightningCLI, takes them."""
    return ph.parse(schedule), run, rules


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (TEXT, SCHEDULE),
        (ph.to_dict(SCHEDULE), SCHEDULE),
        ({"lr": TEXT, "weight_decay": "absolute(hold(0.1))"}, PLAN),
        ({"class_path": "preheat.warmup", "init_args": {"span": "5%"}}, ph.warmup("5%")),
        ({"class_path": "preheat.Plan", "init_args": {"lines": {"lr": TEXT}}}, ph.Plan(SCHEDULE)),
    ],
)
def test_jsonargparse_reads_a_schedule_as_an_argument(schedule: Any, expected: Any) -> None:
    rules = [{"kind": "Plateau", "metric": "loss"}]
    assert parsed(train, {"schedule": schedule, "run": {"total": 40}, "rules": rules}) == (expected, RUN, rules)


def test_a_recipe_is_no_class_path_and_its_text_is_told() -> None:
    """It gives factors or rates, and jsonargparse wants a function that says which."""
    given = {"class_path": "preheat.cosine", "init_args": {"warmup_ratio": 0.05}}
    with pytest.raises(ph.PreheatError, match=r'write the text "cosine\(warmup_ratio=0.05\)"'):
        parsed(train, {"schedule": given, "run": {"total": 40}})


def fit(scheduler: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]) -> Any:
    """As modules of LightningCLI take what makes their scheduler."""
    return scheduler(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1))


def test_jsonargparse_builds_the_scheduler_once_there_is_an_optimizer() -> None:
    run, rules = {"class_path": "preheat.Run", "init_args": {"total": 40}}, [{"kind": "Plateau", "metric": "loss"}]
    arguments = {"schedule": TEXT, "run": run, "rules": rules}
    made = parsed(fit, {"scheduler": {"class_path": "preheat.torch.Scheduler", "init_args": arguments}})
    assert made.plan == ph.Plan(SCHEDULE).bind(RUN)
    assert made.session.rules == (ph.Plateau("loss").bind(RUN),)


def test_argparse_takes_parse_as_a_type() -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--schedule", type=ph.parse)
    assert parser.parse_args(["--schedule", TEXT]).schedule == SCHEDULE
