"""A trainer in a single file that computes its rate and writes it into the groups itself; with --scheduler it does not."""

import argparse
import os

import torch

import preheat
from preheat.torch import Scheduler

options = argparse.ArgumentParser()
options.add_argument("--scheduler", action="store_true")
options.add_argument("--no-peak", action="store_true")
given = options.parse_args()

learning_rate, max_iters = 0.5, 20
torch.manual_seed(int(os.environ.get("PREHEAT_SEED", "0")))
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)

run = preheat.Run(total=max_iters)
if given.scheduler:
    scheduler = Scheduler(optimizer, preheat.from_env(default="cosine(warmup_ratio=0.1)"), run=run)
else:
    peak = None if given.no_peak else learning_rate
    get_lr = preheat.from_env(default="cosine(warmup_ratio=0.1)", run=run, peak=peak)

for it in range(max_iters):
    if not given.scheduler:
        lr = get_lr(it)
        for group in optimizer.param_groups:
            group["lr"] = lr
    loss = model(torch.ones(4, 2)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    preheat.log(it, loss=loss, lr=optimizer.param_groups[0]["lr"])
    optimizer.step()
    if given.scheduler:
        scheduler.step()
preheat.log(max_iters - 1, val_loss=loss)
