"""A warmup that follows the loss against a linear one of the best length of a few, and against none, on digits.

    python -m benchmarks.loss_warmup

Written down before it was run, and never changed after: rates 0.0512 (He × 2) and 0.0256 (He × 1, the control); start 0.1,
until 1.0, the rule's defaults; linear over 25, 100 of 300 updates; seeds 0 to 3. Expected: at He × 2 LossWarmup is within .03
of the better linear one, and .2 above none; at He × 1 all are within .03. Held-out accuracy, mean and each seed.
"""

import torch

from preheat import Run, hold, warmup
from preheat.lab.tasks.digits import Digits, DigitsOptions
from preheat.session import LossWarmup
from preheat.torch import Scheduler

UPDATES = 300
ARMS = {"none": None, "linear 25": 25, "linear 100": 100, "loss": "loss"}


def accuracy(options: DigitsOptions, arm: int | str | None, seed: int) -> tuple[float, int]:
    """Held-out accuracy, and the update at which the rate first was the peak."""
    torch.manual_seed(seed)
    data = Digits(options)
    model, batches = data.model(), data.batches(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=options.peak, momentum=0.9)
    schedule = warmup(arm) >> hold() if isinstance(arm, int) else hold()
    rules = [LossWarmup("loss", until=1.0, start_ratio=0.1)] if arm == "loss" else []
    scheduler = Scheduler(optimizer, schedule, run=Run(total=UPDATES), rules=rules)
    reached = UPDATES
    for update in range(UPDATES):
        if optimizer.param_groups[0]["lr"] >= options.peak * (1 - 1e-9):
            reached = min(reached, update)
        x, y = next(batches)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step(metrics={"loss": loss.item()} if rules else None)
    x, y = data.validation()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item(), reached


def main() -> None:
    """Print a line for each arm."""
    for gain, peak in ((2.0, 0.0512), (1.0, 0.0256)):
        options = DigitsOptions(init_gain=gain, peak=peak)
        for name, arm in ARMS.items():
            found = [accuracy(options, arm, seed) for seed in range(4)]
            mean = sum(one for one, _ in found) / len(found)
            seeds = " ".join(f"{one:.3f}" for one, _ in found)
            print(
                f"He × {gain:g}, {peak:g}  {name:10}  {mean:.3f}  ({seeds})  peak from {[one for _, one in found]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
