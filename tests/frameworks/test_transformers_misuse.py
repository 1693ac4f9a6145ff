"""What goes wrong around a Trainer that follows a schedule: refused, or warned of, in words that say what to write."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("accelerate")

sys.path.insert(0, str(Path(__file__).parent))

from test_transformers import CURVE, PEAK, TwoGroups, a_trainer, expected, stopped
from tiny_lm import Pieces, Recorder, model
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer

import preheat as ph
from preheat.torch import Scheduler
from preheat.transformers import ScheduledTrainer, use

# -- another scheduler than the one that is to be followed ------------------------------------------------------------------


class Half(Trainer):
    """Makes a scheduler of its own."""

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        self.lr_scheduler = LambdaLR(self.optimizer, half)
        return self.lr_scheduler


def half(update: int) -> float:
    return 0.5


class Inherits(Half, ScheduledTrainer):
    pass


class Overrides(ScheduledTrainer):
    create_scheduler = Half.create_scheduler


class Extends(ScheduledTrainer):
    """What it adds to the schedule's Scheduler leaves that in force."""

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        return super().create_scheduler(num_training_steps, optimizer)


@pytest.mark.parametrize("kind", [Inherits, Overrides])
def test_a_class_that_makes_another_scheduler_is_refused_before_the_first_update(kind: Any, tmp_path: Path) -> None:
    recorder = Recorder()
    with pytest.raises(ph.PreheatError, match=r"not followed: the Trainer has another scheduler, LambdaLR.*super\(\)"):
        a_trainer(tmp_path, recorder, kind, schedule=CURVE).train()
    assert recorder.rates == []


def test_a_class_may_call_what_it_overrides(tmp_path: Path) -> None:
    recorder = Recorder()
    a_trainer(tmp_path, recorder, Extends, schedule=CURVE).train()
    assert recorder.first == pytest.approx(expected(CURVE, 8), rel=1e-12)


def test_a_scheduler_of_ours_in_optimizers_is_a_second_one_too(tmp_path: Path) -> None:
    built = model()
    optimizer = AdamW(built.parameters(), lr=PEAK)
    own = Scheduler(optimizer, "hold()", run=ph.Run(total=8))
    words = r"a scheduler of its own, Scheduler; write optimizers=\(optimizer, None\)"
    with pytest.raises(ph.PreheatError, match=words):
        use(a_trainer(tmp_path, model=built, optimizers=(optimizer, own)), CURVE)
    late = use(a_trainer(tmp_path, model=built, optimizers=(optimizer, None)), CURVE)
    late.lr_scheduler = own
    with pytest.raises(ph.PreheatError, match="not followed: the Trainer has another scheduler, Scheduler"):
        late.train()


# -- what run= says and the Trainer knows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            ph.Run(samples_per_step=8),
            "samples_per_step is 4, and run= says another, not 8; leave samples_per_step= out",
        ),
        (ph.Run(steps_per_epoch=4), "steps_per_epoch is 10, and run= says another, not 4; leave steps_per_epoch= out"),
    ],
)
def test_a_run_that_contradicts_the_trainer_is_refused(run: ph.Run, words: str, tmp_path: Path) -> None:
    with pytest.raises(ph.PreheatError, match=words):
        use(a_trainer(tmp_path), "warmup(16 samples) >> decay()", run=run).train()


def test_a_run_that_says_what_the_trainer_knows_too_is_taken(tmp_path: Path) -> None:
    recorder = Recorder()
    run = ph.Run(samples_per_step=4, steps_per_epoch=10)
    use(a_trainer(tmp_path, recorder), "warmup(16 samples) >> decay()", run=run).train()
    assert recorder.first == pytest.approx(expected("warmup(4) >> decay()", 8), rel=1e-12)


# -- checkpoints ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("here", "other"), [(4, 6), (6, 4)])
def test_a_scheduler_pt_of_another_checkpoint_is_refused(here: int, other: int, tmp_path: Path) -> None:
    use(a_trainer(tmp_path, save_strategy="steps", save_steps=2), CURVE).train()
    shutil.copy(tmp_path / f"checkpoint-{other}" / "scheduler.pt", tmp_path / f"checkpoint-{here}")
    recorder = Recorder()
    with pytest.raises(
        ph.StateError, match=f"goes on at update {here} and the schedule at {other}: scheduler.pt is of an"
    ):
        use(a_trainer(tmp_path, recorder), CURVE).train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{here}"))
    assert recorder.rates == []


@pytest.mark.parametrize("missing", [None, "scheduler.pt", "optimizer.pt"])
def test_a_run_under_way_goes_over_to_a_schedule_where_that_is_said(missing: str | None, tmp_path: Path) -> None:
    """The Trainer's own checkpoint, whole or not: refused with what to write, and then followed from that update on."""
    a_trainer(tmp_path, max_steps=4, save_strategy="steps", save_steps=2, learning_rate=PEAK / 2).train()
    where = tmp_path / "checkpoint-4"
    if missing is not None:
        (where / missing).unlink()
    words = "another scheduler than preheat's" if missing is None else "lacks scheduler.pt or optimizer.pt"
    with pytest.raises(ph.StateError, match=rf"{words}.*write use\(…, on_change='adopt'\)"):
        use(a_trainer(tmp_path), CURVE).train(resume_from_checkpoint=str(where))
    recorder, rest = Recorder(), Recorder()
    over = use(a_trainer(tmp_path / "b", recorder, save_strategy="steps", save_steps=2), CURVE, on_change="adopt")
    over.train(resume_from_checkpoint=str(where))
    assert recorder.first == pytest.approx(expected(CURVE, 8)[4:], rel=1e-12)
    again = use(a_trainer(tmp_path, rest), CURVE)
    again.train(resume_from_checkpoint=str(tmp_path / "b" / "checkpoint-6"))
    assert rest.first == recorder.first[2:]


def test_where_only_the_peak_has_changed_the_plan_is_not_shown_twice(tmp_path: Path) -> None:
    stopped(tmp_path)
    with pytest.raises(ph.StateError, match=r"the groups' own 'lr' was 0.001 and is 0.002") as refused:
        use(a_trainer(tmp_path, learning_rate=2 * PEAK), CURVE).train(
            resume_from_checkpoint=str(tmp_path / "checkpoint-4")
        )
    assert "Saved:" not in str(refused.value)


# -- the words of a Trainer -------------------------------------------------------------------------------------------------


def test_an_optimizer_that_was_moved_is_answered_in_use(tmp_path: Path) -> None:
    trainer = a_trainer(tmp_path, max_steps=2)
    trainer.train()
    with pytest.raises(
        ph.PreheatError, match=r"write use\(…, base='initial'\).*or trainer.optimizer = None"
    ) as refused:
        use(trainer, CURVE).train()
    assert "Scheduler;" not in str(refused.value)
    trainer.optimizer = None
    recorder = Recorder()
    trainer.add_callback(recorder)
    trainer.train()
    assert recorder.first == pytest.approx(expected(CURVE, 2), rel=1e-12)


def test_a_schedule_that_is_too_long_is_answered_in_use(tmp_path: Path) -> None:
    with pytest.raises(ph.BindError, match=r"the parts need .* write use\(…, run=Run\(total=…\)\)") as refused:
        use(a_trainer(tmp_path, max_steps=3), "warmup(1 epoch) >> decay()").train()
    assert "truncate" not in str(refused.value)


def test_a_group_without_a_name_says_how_to_give_it_one(tmp_path: Path) -> None:
    with pytest.raises(
        ph.PreheatError, match=r"names no group; known: 0, 1; .*AdamW\(\[\{'params': …, 'name': 'head'\}"
    ):
        use(a_trainer(tmp_path), {"lr": CURVE, "head/lr": "hold()"}).train()
    use(a_trainer(tmp_path, kind=TwoGroups), {"lr": CURVE, "head/lr": "hold()"}).train()


# -- rules whose metric does not come ---------------------------------------------------------------------------------------

NEVER = {
    "train_loss": ({}, "'train_loss', which comes when the training is over; write 'loss'"),
    "eval_loss": (
        {"eval_strategy": "steps", "eval_steps": 9},
        "evaluates after 9 updates and makes 8; write a smaller",
    ),
    "eval_accuracy": (
        {"eval_strategy": "steps", "eval_steps": 2, "eval_delay": 9},
        "after 9 updates and makes 8; .*eval_delay",
    ),
    "eval_f1": (
        {"eval_strategy": "epoch", "eval_delay": 2},
        "evaluates after 2 epochs and makes 0.8; write a smaller eval_delay",
    ),
    "loss": ({"logging_steps": 9}, "logs it after 9 updates and makes 8; write a smaller logging_steps"),
}


@pytest.mark.parametrize("metric", NEVER)
def test_a_metric_that_cannot_come_in_time_is_refused(metric: str, tmp_path: Path) -> None:
    more, words = NEVER[metric]
    with pytest.raises(ph.PreheatError, match=words):
        use(a_trainer(tmp_path, **more), CURVE, rules=[ph.Plateau(metric)]).train()


@pytest.mark.parametrize(
    ("metric", "sets", "words"),
    [
        ("eval_losss", False, "measured were .*'eval_loss'; did you mean 'eval_loss'"),
        ("eval_loss", True, "measured were .*'eval_a_loss'"),
        ("accuracy", False, "measured were .*'eval_loss'"),
    ],
)
def test_a_metric_that_did_not_come_is_said_after_the_first_evaluation(
    metric: str, sets: bool, words: str, tmp_path: Path
) -> None:
    data = {"a": Pieces(4), "b": Pieces(4)} if sets else Pieces(4)
    recorder = Recorder()
    more = {"eval_strategy": "steps", "eval_steps": 2, "eval_dataset": data}
    trainer = use(a_trainer(tmp_path, recorder, **more), "hold()", rules=[ph.Plateau(metric, patience=1)])
    with pytest.warns(
        ph.PreheatWarning, match=f"listens to '{metric}', which has not been measured so far.*{words}"
    ) as said:
        trainer.train()
    assert len([one for one in said if "has not been measured so far" in str(one.message)]) == 1
    assert recorder.first == [PEAK] * 8


def test_a_metric_that_never_came_is_said_at_the_end(tmp_path: Path) -> None:
    trainer = use(a_trainer(tmp_path, max_steps=3, logging_strategy="no"), "hold()", rules=[ph.Plateau("reward")])
    with pytest.warns(ph.PreheatWarning, match="listens to 'reward', which has not been measured so far"):
        trainer.train()


class Told(Recorder):
    """Tells the rules something that is not logged."""

    def on_step_end(self, args: Any, state: Any, control: Any, lr_scheduler: Any = None, **more: Any) -> None:
        super().on_step_end(args, state, control, **more)
        lr_scheduler.observe({"reward": 1.0})


def test_a_metric_that_is_told_by_hand_has_come(tmp_path: Path) -> None:
    recorder = Told()
    rules = [ph.Plateau("reward", mode="max", factor=0.5, patience=0)]
    use(a_trainer(tmp_path, recorder, max_steps=4), "hold()", rules=rules).train()
    assert recorder.first == [PEAK, PEAK, PEAK / 2, PEAK / 4]
