"""Broken data makes the loss jump: go back to a checkpoint from before it, leave that data out, and go on.

    python examples/rewind.py --out runs/rewind
    python examples/rewind.py --rule rewarm --out runs/rewarmed     # only lower the rate, and warm up again
    python examples/rewind.py --rule none --out runs/none

A net on scikit-learn's digits, of which a few batches in a row are a hundred times too bright. Kill it at any moment, and
give the same command again: the run is the one that was never killed, to the last bit.
"""

import argparse
import os
from pathlib import Path

import torch
from torch import nn

import preheat as ph
from preheat.lab.tasks import DigitsOptions, load
from preheat.torch import Scheduler

TOTAL, EVERY, BATCH = 400, 25, 64  # updates, updates from one checkpoint to the next, images in a batch
BROKEN = range(200, 204)  # batches of the data, counted from 0
RULES = {
    "rewind": [ph.Rewind("loss", back=20, skip=40, span=20)],
    "rewarm": [ph.Rewarm("loss", span=20)],
    "none": [],
}


class Training:
    """Model, optimizer and scheduler, and the folder with their checkpoints. The data is drawn from the batch's number."""

    def __init__(self, folder: Path, rule: str) -> None:
        self.folder = folder
        self.task = load(DigitsOptions(batch=BATCH))
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        schedule = ph.warmup(20) >> ph.decay(shape="cosine")
        self.scheduler = Scheduler(self.optimizer, schedule, run=ph.Run(total=TOTAL), rules=RULES[rule])

    def run(self) -> float:
        """Train from wherever the folder's last checkpoint is to the end; returns the loss on the held-out images."""
        if (last := self.newest(TOTAL)) is None:
            self.save()
        else:
            self.load(last, self.scheduler.load_state_dict)
        while self.scheduler.last_epoch < TOTAL or self.scheduler.rewind is not None:
            if (asked := self.scheduler.rewind) is not None:
                print(
                    f"update {self.scheduler.last_epoch}: back to {asked.step} or before, without {asked.skip} batches"
                )
                self.load(self.newest(asked.step), self.scheduler.go_back)
            self.update()
            if self.scheduler.last_epoch % EVERY == 0:
                self.save()
        with torch.no_grad():
            images, labels = self.task.validation()
            return nn.functional.cross_entropy(self.model(images), labels).item()

    def update(self) -> None:
        """One update on the batch that is next, which is not always the number of the update."""
        images, labels = self.batch(self.scheduler.next_batch)
        loss = nn.functional.cross_entropy(self.model(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step(metrics={"loss": loss})

    def batch(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch of the data by its number."""
        held_out = len(self.task.validation()[1])
        generator = torch.Generator().manual_seed(number)
        chosen = torch.randint(held_out, len(self.task.labels), (BATCH,), generator=generator)
        images = self.task.images[chosen]
        return images * 100 if number in BROKEN else images, self.task.labels[chosen]

    def newest(self, update: int) -> int | None:
        """The last checkpoint after at most so many updates."""
        found = (int(path.stem.split("-")[1]) for path in self.folder.glob("update-*.pt"))
        return max((one for one in found if one <= update), default=None)

    def save(self) -> None:
        """Write a checkpoint in one move: a kill at any moment leaves whole ones only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        parts = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        torch.save({name: part.state_dict() for name, part in parts.items()}, self.folder / "new.tmp")
        os.replace(self.folder / "new.tmp", self.folder / f"update-{self.scheduler.last_epoch:05d}.pt")

    def load(self, update: int | None, take) -> None:
        """Go to a checkpoint; `take` is how the scheduler takes its state."""
        state = torch.load(self.folder / f"update-{update:05d}.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        take(state["scheduler"])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rule", choices=list(RULES), default="rewind")
    arguments.add_argument("--out", type=Path, default=Path("runs/rewind"))
    given = arguments.parse_args()
    print(f"loss on the held-out images: {Training(given.out, given.rule).run():.3f}")
