"""States through everything that carries them: the files of past releases, distributed checkpoints, pickle and spawn."""

import copy
import json
import pickle
import runpy
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import SGD, AdamW, Optimizer

import preheat as ph
from preheat.core.node import KINDS as NODES
from preheat.torch import Scheduler

DATA = Path(__file__).parent / "data"
RELEASED = {path.stem.removeprefix("checkpoint-"): path for path in sorted(DATA.glob("checkpoint-*.pt"))}
WRITER = runpy.run_path(str(DATA / "write_checkpoint.py"))


# -- the files of past releases


def test_this_release_has_its_file() -> None:
    """python tests/torch/data/write_checkpoint.py"""
    assert ph.__version__ in RELEASED


def test_the_file_of_this_release_holds_every_kind_of_node_shape_rule_and_clock() -> None:
    file = torch.load(RELEASED[ph.__version__], weights_only=True)
    assert set(file) == set(WRITER["CASES"])
    states = [case["scheduler"] for case in file.values()]
    plans = " ".join(state["plan"] for state in states)
    assert all(f"{word}(" in plans for word, kind in NODES.items() if kind._form != "infix")
    assert all(f"shape={shape!r}" in plans for shape in WRITER["SHAPES"][1:] if isinstance(shape, str))
    assert all(sign in plans for sign in [" >> ", " * ", " + ", "power(", "reverse(", "compose(", "shape='rex'"])
    assert all(
        f'"kind": "{kind}"' in " ".join(state["rules"] for state in states)
        for kind in ("HoldUntil", "Plateau", "Rewarm")
    )
    assert {json.loads(state["run"])["clock"] for state in states} == {"step", "epoch", "sample", "token", "second"}


@pytest.mark.parametrize(
    "order", ["optimizer, build, scheduler", "build, optimizer, scheduler", "build, scheduler, optimizer"]
)
@pytest.mark.parametrize("case", WRITER["CASES"])
@pytest.mark.parametrize("release", RELEASED)
def test_what_a_release_saved_goes_on_as_it_did_there(release: str, case: str, order: str) -> None:
    saved = torch.load(RELEASED[release], weights_only=True).get(case)
    if saved is None:
        pytest.skip(f"{release} did not know this case")

    def load(optimizers: list[Optimizer]) -> None:
        for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(copy.deepcopy(state))
        for parameter, values in zip(WRITER["parameters"](optimizers), saved["weights"], strict=True):
            parameter.data = torch.tensor(values)

    optimizers, scheduler = WRITER["CASES"][case](load if order.startswith("optimizer") else lambda made: None)
    if order == "build, optimizer, scheduler":
        load(optimizers)
    scheduler.load_state_dict(saved["scheduler"])
    if order == "build, scheduler, optimizer":
        load(optimizers)
    used = WRITER["train"](optimizers, scheduler, len(saved["used"]))
    near = 1e-6 if case == "tensors" else 1e-12  # another machine has another libm
    assert used == [pytest.approx(values, rel=near) for values in saved["used"]]
    for now, then in zip(WRITER["weights"](optimizers), saved["after"], strict=True):
        assert now == pytest.approx(then, rel=1e-5)


# -- distributed checkpoints, in one process

PLAN = ph.Plan({"lr": ph.warmup(10, start=0.1) >> ph.decay(shape="cosine"), "weight_decay": ph.absolute(ph.decay(50))})
RUN = ph.Run(total=100)


def built(kind: type[Optimizer], tensor: bool = False) -> tuple[nn.Module, Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    rate = torch.tensor if tensor else float
    groups = [{"params": model[0].parameters(), "lr": rate(0.3)}, {"params": model[2].parameters(), "lr": rate(0.07)}]
    return model, kind(groups, lr=rate(1.0), foreach=False)


def train(model: nn.Module, optimizer: Optimizer, scheduler: Scheduler, updates: int) -> list[list[float]]:
    used = []
    for _ in range(updates):
        used.append([float(group[key]) for group in optimizer.param_groups for key in ("lr", "weight_decay")])
        optimizer.zero_grad()
        model(torch.ones(5, 3)).square().sum().backward()
        optimizer.step()
        scheduler.step()
    return used


def restored(folder: Path, model: nn.Module, optimizer: Optimizer, options: StateDictOptions) -> None:
    """What one does with DCP: make room for the states, fill it, hand it over."""
    room = {"model": model.state_dict(), "optimizer": get_optimizer_state_dict(model, optimizer, options=options)}
    dcp.load(room, checkpoint_id=folder, no_dist=True)
    model.load_state_dict(room["model"])
    set_optimizer_state_dict(model, optimizer, room["optimizer"], options=options)


@pytest.fixture(params=[True, False], ids=["flattened", "nested"])
def options(request: pytest.FixtureRequest) -> StateDictOptions:
    return StateDictOptions(flatten_optimizer_state_dict=request.param)


@pytest.mark.filterwarnings("ignore::UserWarning:torch.distributed.*")  # that there is one process
@pytest.mark.parametrize("order", ["bos", "obs", "bso"])
@pytest.mark.parametrize("tensor", [False, True], ids=["float", "tensor"])
@pytest.mark.parametrize("kind", [SGD, AdamW])
def test_dcp(kind: type[Optimizer], tensor: bool, order: str, options: StateDictOptions, tmp_path: Path) -> None:
    """b: build the scheduler, o: load the optimizer, s: load the scheduler. Where the optimizer is loaded first, DCP drops
    initial_lr, for which it finds no room; SGD has no state then that would say that it was loaded.
    """
    model, optimizer = built(kind, tensor)
    scheduler = Scheduler(optimizer, PLAN, run=RUN)
    train(model, optimizer, scheduler, 25)
    state = {
        "model": model.state_dict(),
        "optimizer": get_optimizer_state_dict(model, optimizer, options=options),
        "scheduler": scheduler,
    }
    dcp.save(state, checkpoint_id=tmp_path, no_dist=True)
    truth = train(model, optimizer, scheduler, 10)

    again, loaded = built(kind, tensor)
    for act in order:
        if act == "b":
            resumed = Scheduler(loaded, PLAN, run=RUN)
        elif act == "o":
            restored(tmp_path, again, loaded, options)
        else:
            dcp.load({"scheduler": resumed}, checkpoint_id=tmp_path, no_dist=True)
    near = 0 if order != "obs" else 1e-6 if tensor else 1e-14  # found again from a rounded rate
    assert resumed.get_last_lr() == pytest.approx(truth[0][::2], rel=near or 1e-7)
    assert train(again, loaded, resumed, 10) == [pytest.approx(row, rel=near, abs=0) for row in truth]
    for mine, theirs in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=10 * near, atol=0)
    assert resumed.audit().findings == ()


@pytest.mark.filterwarnings("ignore::UserWarning:torch.distributed.*")
def test_an_optimizer_saved_before_it_had_a_scheduler_is_loaded_before_it_gets_one(
    options: StateDictOptions, tmp_path: Path
) -> None:
    """Flattened, torch itself asks the checkpoint for every key of a group, initial_lr among them."""
    model, optimizer = built(AdamW)
    state = {"model": model.state_dict(), "optimizer": get_optimizer_state_dict(model, optimizer, options=options)}
    dcp.save(state, checkpoint_id=tmp_path, no_dist=True)
    model, optimizer = built(AdamW)
    restored(tmp_path, model, optimizer, options)
    scheduler = Scheduler(optimizer, PLAN, run=RUN, base="present")
    assert train(model, optimizer, scheduler, 11)[::10] == [
        pytest.approx([0.03, 1.0, 0.007, 1.0]),
        pytest.approx([0.3, 0.8, 0.07, 0.8]),
    ]


# -- other processes, other machines


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Callable]:
    """Calls a function in a new process, which shares nothing with this one."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result(timeout=120)


def test_a_scheduler_goes_to_another_process_and_comes_back(elsewhere: Callable) -> None:
    model, optimizer = built(AdamW)
    scheduler = Scheduler(optimizer, PLAN, run=RUN)
    train(model, optimizer, scheduler, 25)
    assert elsewhere(Scheduler.values, scheduler) == scheduler.values()
    assert elsewhere(Scheduler.state_dict, scheduler) == scheduler.state_dict()
    back = pickle.loads(elsewhere(pickle.dumps, scheduler))
    assert back.state_dict() == scheduler.state_dict()
    assert [group["lr"] for group in back.optimizer.param_groups] == scheduler.get_last_lr()
    back.optimizer.step()
    back.step()
    optimizer.step()
    scheduler.step()
    assert back.values() == scheduler.values()


def test_a_run_counted_in_samples_goes_on_with_twice_the_batch() -> None:
    """Resumed on twice as many processes: half as many updates are left, and none of the samples is counted twice."""

    def run(samples: int) -> ph.Run:
        return ph.Run(total="1k samples", clock="sample", samples_per_step=samples)

    model, optimizer = built(SGD)
    scheduler = Scheduler(optimizer, ph.warmup("10%") >> ph.decay(), run=run(10))
    train(model, optimizer, scheduler, 40)
    other, twice = built(SGD)
    resumed = Scheduler(twice, ph.warmup("10%") >> ph.decay(), run=run(20))
    twice.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    assert resumed.position == 400
    used = train(other, twice, resumed, 31)
    assert used[0] == train(model, optimizer, scheduler, 1)[0]
    assert (resumed.position, used[-1][0]) == (1020, 0.0)
