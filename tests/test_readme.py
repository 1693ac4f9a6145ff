"""What the README shows is what happens; and so do docs/start.md and docs/need.md, where its longer parts live."""

import contextlib
import io
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR

import preheat as ph
from preheat.torch import Scheduler

ROOT = Path(__file__).parents[1]
README, START, NEED = (
    (ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/start.md", "docs/need.md")
)
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
(RECIPES,) = (block for block in BLOCK.findall(START) if "# 1. pre-train" in block)
RIGHT = re.findall(r"\| `(Scheduler\(.*\))` \|", START)


def optimizer() -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def test_the_blocks_run_in_order_and_the_example_prints_what_is_shown() -> None:
    scope: dict = {"__name__": "readme"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in BLOCK.findall(README):
            exec(block, scope)
    assert printed.getvalue()
    assert f"```text\n{printed.getvalue()}```" in README


def test_the_function_that_is_handed_to_a_comparison_trains() -> None:
    scope: dict = {"__name__": "need"}
    for block in BLOCK.findall(NEED):
        exec(block, scope)
    logged: list[int] = []
    result = scope["train"](ph.decay(), 0, lambda step, **metrics: logged.append(step))
    assert logged == list(range(200))
    assert math.isfinite(result["val_loss"].item())


def test_it_is_short() -> None:
    """A stranger reads it to the end: at most 1,000 words beside code."""
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|^ {4}[^\n]*$", " ", README, flags=re.DOTALL | re.MULTILINE)
    assert 300 < len(re.findall(r"\w[\w'’-]*", prose)) <= 1000


def test_every_recipe_attaches() -> None:
    for recipe in re.split(r"\n(?=# \d)", RECIPES):
        scope: dict = {"ph": ph, "run": ph.Run(total=10_000)}
        exec(recipe, scope)
        groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "name": name} for name in ("body", "head")]
        Scheduler(torch.optim.AdamW(groups, lr=1e-3), scope["s"], run=scope["run"])


@pytest.mark.filterwarnings("ignore")
def test_every_recipe_follows_on_the_groups_that_the_trainer_makes(tmp_path: Path) -> None:
    """Two groups without names, the second without weight decay: it stays without, and rates are those of the recipe."""
    transformers = pytest.importorskip("transformers")
    arguments = transformers.TrainingArguments(
        str(tmp_path), learning_rate=1e-3, weight_decay=0.05, report_to=[], use_cpu=True
    )
    for recipe in re.split(r"\n(?=# \d)", RECIPES):
        scope: dict = {"ph": ph, "run": ph.Run(total=10_000)}
        exec(recipe, scope)
        config = transformers.BertConfig(
            hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
        )
        made = transformers.Trainer(transformers.BertModel(config), arguments).create_optimizer()
        groups = made.param_groups
        assert [group["weight_decay"] for group in groups] == [0.05, 0.0]
        groups[1]["name"] = "head"
        scheduler = Scheduler(made, scope["s"], run=scope["run"])
        line = scope["s"].bind(scope["run"])
        line = line["lr"] if isinstance(line, ph.Plan) else line
        for update in range(40):
            factor = line(update) if type(line) is not type(ph.absolute(ph.hold())) else line(update) / 1e-3
            many = 10.0 if isinstance(scope["s"], ph.Plan) else 1.0
            assert [group["lr"] for group in groups] == pytest.approx([1e-3 * factor, 1e-3 * factor * many], rel=1e-12)
            assert groups[1]["weight_decay"] == 0.0
            for group in groups:
                for p in group["params"]:
                    p.grad = p.detach().clone()
            made.step()
            scheduler.step()
        assert scheduler.audit().findings == ()


def cosine(t: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * (t - 500) / 9_500))


def by_torch(make: Callable[[SGD], object]) -> list[float]:
    target, seen = optimizer(), []
    scheduler = make(target)
    for _ in range(10_000):
        seen.append(target.param_groups[0]["lr"])
        target.step()
        scheduler.step()
    return seen


PEERS = [
    lambda: [0.1 * (t / 500 if t < 500 else cosine(t)) for t in range(10_000)],
    lambda: [0.1 * (t / 500 if t < 500 else (10_000 - t) / 9_500) for t in range(10_000)],
    lambda: by_torch(
        lambda o: SequentialLR(o, [LinearLR(o, 0.1, total_iters=500), CosineAnnealingLR(o, 9_500)], [500])
    ),
    lambda: by_torch(lambda o: OneCycleLR(o, 0.1, total_steps=10_000, cycle_momentum=False)),
    lambda: [1e-3 + t * (0.1 - 1e-3) / 500 if t < 500 else 1e-4 + (0.1 - 1e-4) * cosine(t) for t in range(10_000)],
    lambda: [0.1 * ((t + 1) / 501 if t < 500 else 0.1 + 0.9 * cosine(t)) for t in range(10_000)],
]


@pytest.mark.parametrize(("theirs", "ours"), list(zip(PEERS, RIGHT, strict=True)))
def test_you_have_you_write(theirs: Callable[[], list[float]], ours: str) -> None:
    scheduler = eval(ours, {"Scheduler": Scheduler, "ph": ph, "optimizer": optimizer()})
    schedule = scheduler.plan["lr"]
    values = (
        schedule.schedule.table(10_000)
        if isinstance(schedule, type(ph.absolute(ph.hold())))
        else 0.1 * schedule.table(10_000)
    )
    assert values.tolist() == pytest.approx(theirs(), rel=1e-9, abs=1e-9)
