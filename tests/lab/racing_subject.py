"""A training to race, in a module of its own, so that other processes can import it."""

import os

import torch


def made(seed):
    """A small regression, whose runs can be counted and ended from outside."""
    if folder := os.environ.get("COUNTED_RUNS"):
        with open(folder, "a", encoding="utf-8") as file:
            file.write("x")
        limit = os.environ.get("ENDED_AFTER")
        if limit and os.path.getsize(folder) > int(limit):
            raise RuntimeError("ended")
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(
        [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.01}], lr=0.1, momentum=0.9
    )
    batches = [(x := torch.randn(16, 3), x.sum(1, keepdim=True)) for _ in range(20)]
    return model, optimizer, lambda batch: (model(batch[0]) - batch[1]).square().mean(), batches
