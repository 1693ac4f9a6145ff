"""What every program begins with; it is printed with a program that fails."""
# ruff: noqa: F401

import copy
import io
import json
import pickle
import warnings

import torch
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.optim.lr_scheduler import LinearLR

import preheat as ph
from preheat.torch import Scheduler

warnings.simplefilter("ignore")
old = []  # schedulers that go on living
used = []  # the rates and the rest that each update used, by optimizer


def weight():
    return torch.nn.Parameter(torch.ones(1))


class Averaged(torch.optim.Optimizer):
    """Holds state when it is built, as ScheduleFree does."""

    def __init__(self, groups, lr, weight_decay):
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["z"] = p.detach().clone()

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                z = self.state[p].setdefault("z", p.detach().clone())
                z -= group["lr"] * p.grad
                p.lerp_(z, 0.5)


def watch(optimizer):
    """Note what every update uses: read after it, so that nothing can change it any more."""
    optimizer.register_step_post_hook(lambda o, args, kwargs: used.append((o, entries(o))))
    return optimizer


def entries(optimizer):
    keys = ("lr", "weight_decay", "momentum")
    return [{key: float(group[key]) for key in keys if key in group} for group in optimizer.param_groups]


def up(optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.full_like(p, 0.3)  # not what a weight is: a state is told from a copy of it
    optimizer.step()
    optimizer.zero_grad()


def train(updates, scheduler, *optimizers):
    for _ in range(updates):
        for optimizer in optimizers:
            up(optimizer)
        scheduler.step()


def through(state, how):
    """A state as it comes back from a file."""
    if how == "json":
        return json.loads(json.dumps(state))
    if how == "torch":
        file = io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        return torch.load(file, weights_only=True)
    return pickle.loads(pickle.dumps(state)) if how == "pickle" else copy.deepcopy(state)


def module(optimizer):
    return torch.nn.ParameterList([p for group in optimizer.param_groups for p in group["params"]])


def dcp_state(optimizer):
    return copy.deepcopy(get_optimizer_state_dict(module(optimizer), optimizer))


def dcp_load(optimizer, state, into_room=False):
    """As torch.distributed.checkpoint loads: with `into_room` what the optimizer has no key for is left in the file."""
    state = copy.deepcopy(state)
    if into_room:
        room = dcp_state(optimizer)
        for held, saved in zip(room["param_groups"], state["param_groups"], strict=True):
            held.update({key: saved[key] for key in held if key in saved})
        state["param_groups"] = room["param_groups"]
    set_optimizer_state_dict(module(optimizer), optimizer, state)
