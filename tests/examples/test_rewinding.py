"""The example that goes back before broken data: what it leaves out, what it gains, and that a kill changes nothing."""

import os
import signal
from pathlib import Path

import pytest
import rewind
import torch

CLEAN_BATCHES = [*range(180), *range(220, rewind.TOTAL + 40)]


class Watched(rewind.Training):
    """The example's own training, which notes the batches that it takes, and may be killed between any two acts."""

    die_at = 10**9
    acts = 0

    def __init__(self, folder: Path, rule: str = "rewind") -> None:
        super().__init__(folder, rule)
        self.seen: dict[int, int] = {}
        self.asked: list = []
        self.optimizer.register_step_post_hook(lambda *_: self.moment("applied"))

    def moment(self, act: str) -> None:
        self.acts += 1
        if self.acts == self.die_at:
            asked = "asked" if self.scheduler.rewind else "not asked"
            (self.folder / "deaths.txt").open("a").write(f"{act}, {asked}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def update(self) -> None:
        self.moment("begun")
        self.seen[self.scheduler.last_epoch] = self.scheduler.next_batch
        super().update()
        self.moment("counted")

    def load(self, update, take) -> None:
        self.moment("to load")
        self.asked.append(self.scheduler.rewind)
        super().load(update, take)
        self.moment("loaded")

    def save(self) -> None:
        super().save()
        self.moment("saved")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    training = Watched(tmp_path_factory.mktemp("whole"))
    training.loss = training.run()
    return training


def test_exactly_the_batches_around_the_broken_ones_are_left_out(whole: Watched) -> None:
    assert whole.asked == [(180, 40)]
    assert [whole.seen[update] for update in range(rewind.TOTAL)] == CLEAN_BATCHES
    assert not set(whole.seen.values()) - {*CLEAN_BATCHES}


def test_it_ends_where_a_run_without_broken_data_ends_and_the_others_do_not(whole, tmp_path, monkeypatch) -> None:
    losses = {rule: rewind.Training(tmp_path / rule, rule).run() for rule in ("rewarm", "none")}
    monkeypatch.setattr(rewind, "BROKEN", ())
    clean = rewind.Training(tmp_path / "clean", "none").run()
    assert whole.loss < 1.3 * clean
    assert losses["none"] > losses["rewarm"] > 3 * whole.loss


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
def test_killed_before_the_spike_between_asking_and_going_back_and_after_it_is_the_same_run(whole, tmp_path) -> None:
    """Each process is killed at one of its acts; it begins from the last checkpoint, whichever process wrote it."""
    for die_at in (280, 160, 240, 3, 4, 5, 6, 7, 8, 9, 90, 300):  # counted anew in each process
        if (child := os.fork()) == 0:
            training = Watched(tmp_path)
            training.die_at = die_at
            training.run()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
    deaths = (tmp_path / "deaths.txt").read_text().splitlines()
    assert {"counted, asked", "to load, asked", "loaded, not asked", "applied, not asked"} <= {*deaths}
    training = Watched(tmp_path)
    assert training.run() == whole.loss
    last = f"update-{rewind.TOTAL:05d}.pt"
    mine, theirs = (torch.load(one.folder / last, weights_only=True) for one in (training, whole))
    assert mine["scheduler"] == theirs["scheduler"]
    for name, weights in theirs["model"].items():
        assert torch.equal(mine["model"][name], weights)


def test_the_command_says_what_it_does(run_here, tmp_path) -> None:
    said = run_here(Path(rewind.__file__), "--out", tmp_path / "run").stdout
    assert "update 201: back to 180 or before, without 40 batches" in said
    assert "loss on the held-out images: 0.0" in said
