"""transformers' Trainer follows a schedule: real trainings of a tiny model, the rate read when the optimizer is stepped."""

from __future__ import annotations

import copy
import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("accelerate")

sys.path.insert(0, str(Path(__file__).parent))

import torch
import transformers
from tiny_lm import Pieces, Recorder, model
from torch.optim import SGD, AdamW
from transformers import Trainer, TrainingArguments

import preheat as ph
from preheat.torch import Scheduler
from preheat.transformers import ScheduledTrainer, use

PEAK = 1e-3
CURVE = "warmup(25%) >> decay(to=0.1, shape=cosine)"


def arguments(folder: Path, **more: Any) -> TrainingArguments:
    usual: dict[str, Any] = {
        "max_steps": 8,
        "per_device_train_batch_size": 4,
        "learning_rate": PEAK,
        "logging_steps": 1,
    }
    usual |= {"use_cpu": True, "report_to": [], "disable_tqdm": True, "save_strategy": "no", "seed": 1}
    return TrainingArguments(output_dir=str(folder), **(usual | more))


def a_trainer(folder: Path, recorder: Recorder | None = None, kind: type[Trainer] = Trainer, **more: Any) -> Trainer:
    own = {name: more.pop(name) for name in ("model", "model_init", "optimizers", "schedule") if name in more}
    which = {} if {"model", "model_init"} & set(own) else {"model": model()}
    data = {"train_dataset": Pieces(40), "eval_dataset": more.pop("eval_dataset", Pieces(4))}
    callbacks = [] if recorder is None else [recorder]
    return kind(args=arguments(folder, **more), callbacks=callbacks, **data, **which, **own)


def expected(text: str, total: int, peak: float = PEAK, **worths: int) -> list[float]:
    rate = ph.parse(text).bind(ph.Run(total=total, **worths), peak=peak)
    return [rate(t) for t in range(total)]


def fresh(trial: Any = None) -> Any:
    """A model, as a search for hyper-parameters asks for one."""
    return model()


def logged(trainer: Trainer, name: str) -> list[float]:
    return [one[name] for one in trainer.state.log_history if name in one]


# -- the rate of every update ---------------------------------------------------------------------------------------------


def test_every_update_uses_the_value_of_the_schedule_and_logs_it(tmp_path: Path) -> None:
    recorder = Recorder()
    trainer = use(a_trainer(tmp_path, recorder), CURVE)
    assert isinstance(trainer, ScheduledTrainer)
    trainer.train()
    assert recorder.first == pytest.approx(expected(CURVE, 8), rel=1e-12)
    assert logged(trainer, "learning_rate") == logged(trainer, "lr/0") == logged(trainer, "lr/1") == recorder.first
    assert trainer.lr_scheduler.audit().findings == ()


@pytest.mark.parametrize("text", ["warmup(1 epoch) >> hold(20%) >> decay()", "warmup(16 samples) >> decay()"])
def test_epochs_and_samples_are_known_under_accumulation(text: str, tmp_path: Path) -> None:
    """36 pieces in batches of 4 are 9 batches, under accumulation 5 updates: the last of an epoch is of one batch."""
    recorder = Recorder()
    more = {"max_steps": -1, "num_train_epochs": 2, "gradient_accumulation_steps": 2}
    trainer = a_trainer(tmp_path, recorder, **more)
    trainer.train_dataset = Pieces(36)
    use(trainer, text).train()
    assert trainer.state.global_step == 10
    assert recorder.first == pytest.approx(expected(text, 10, steps_per_epoch=5, samples_per_step=8), rel=1e-12)


def test_absolute_rates_are_taken_as_they_are(tmp_path: Path) -> None:
    recorder = Recorder()
    use(a_trainer(tmp_path, recorder), ph.absolute(ph.ramp(0.01, 0.1, 4) >> ph.hold(0.1))).train()
    assert recorder.first == pytest.approx([0.01, 0.0325, 0.055, 0.0775, 0.1, 0.1, 0.1, 0.1], rel=1e-12)


def test_bf16(tmp_path: Path) -> None:
    recorder = Recorder()
    use(a_trainer(tmp_path, recorder, bf16=True), CURVE).train()
    assert recorder.first == pytest.approx(expected(CURVE, 8), rel=1e-12)


@pytest.mark.parametrize("optim", ["adamw_torch", "adamw_torch_fused"])
def test_updates_that_a_grad_scaler_skips_do_not_count(optim: str, tmp_path: Path) -> None:
    """As under fp16 on a GPU; a fused optimizer skips inside its step. The Trainer's own count of steps goes on."""
    recorder = Recorder()
    trainer = use(a_trainer(tmp_path, recorder, optim=optim), CURVE)
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    trainer.train()
    applied = max(int(state["step"]) for state in trainer.optimizer.state.values())
    assert 0 < applied < trainer.state.global_step == 8
    assert trainer.lr_scheduler.last_epoch == applied
    used = expected(CURVE, 8)[:applied]
    if not optim.endswith("fused"):
        assert recorder.first == pytest.approx(used, rel=1e-12)
    assert list(dict.fromkeys(logged(trainer, "lr/0"))) == pytest.approx(used, rel=1e-12)


def test_tokens_are_known_where_they_are_said(tmp_path: Path) -> None:
    recorder = Recorder()
    use(a_trainer(tmp_path, recorder), "warmup(64 tokens) >> decay()", run=ph.Run(tokens_per_step=32)).train()
    assert recorder.first == pytest.approx(expected("warmup(2) >> decay()", 8), rel=1e-12)
    with pytest.raises(ph.BindError, match="tokens_per_step"):
        use(a_trainer(tmp_path), "warmup(64 tokens) >> decay()").train()


def test_a_clock_of_tokens_counts_them(tmp_path: Path) -> None:
    recorder = Recorder()
    trainer = use(a_trainer(tmp_path, recorder), CURVE, run=ph.Run(clock="token", tokens_per_step=32))
    trainer.train()
    assert trainer.lr_scheduler.position == 256
    assert recorder.first == pytest.approx(expected(CURVE, 8), rel=1e-12)


def test_the_beginning_of_a_longer_run(tmp_path: Path) -> None:
    recorder = Recorder()
    use(a_trainer(tmp_path, recorder), CURVE, run=ph.Run(total=80)).train()
    assert recorder.first == pytest.approx(expected(CURVE, 80)[:8], rel=1e-12)
    with pytest.raises(ph.PreheatError, match=r"makes 8 updates.*run= ends before, not 5; leave total= out"):
        use(a_trainer(tmp_path), CURVE, run=ph.Run(total=5)).train()


# -- groups -----------------------------------------------------------------------------------------------------------------


class TwoGroups(Trainer):
    """A head that learns ten times faster."""

    def create_optimizer(self, model: Any = None) -> Any:
        if self.optimizer is None:
            named = dict((model or self.model).named_parameters())
            head = {
                "params": [named.pop("transformer.ln_f.weight")],
                "lr": 10 * self.args.learning_rate,
                "name": "head",
            }
            body = {"params": list(named.values()), "lr": self.args.learning_rate, "name": "body"}
            self.optimizer = AdamW([head, body], weight_decay=0.1)
        return self.optimizer


def test_every_group_and_hyper_parameter_is_followed_and_logged_by_its_name(tmp_path: Path) -> None:
    rates, decays = Recorder(), Recorder(key="weight_decay")
    plan = {"lr": CURVE, "head/lr": "warmup(4) >> hold()", "weight_decay": "absolute(ramp(0, 0.2, 4) >> hold(0.2))"}
    trainer = use(a_trainer(tmp_path, rates, TwoGroups), plan)
    trainer.add_callback(decays)
    trainer.train()
    head, body = map(list, zip(*rates.rates, strict=True))
    assert head == pytest.approx(expected("warmup(4) >> hold()", 8, peak=10 * PEAK), rel=1e-12)
    assert body == pytest.approx(expected(CURVE, 8), rel=1e-12)
    assert decays.first == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2, 0.2, 0.2, 0.2])
    assert [logged(trainer, f"lr/{name}") for name in ("head", "body")] == [head, body]
    assert logged(trainer, "weight_decay/body") == decays.first


def test_the_trainer_s_own_log_shows_one_group_only(tmp_path: Path) -> None:
    """What the page says that this mends."""
    trainer = a_trainer(tmp_path, kind=TwoGroups, max_steps=2, lr_scheduler_type="constant")
    trainer.train()
    assert logged(trainer, "learning_rate") == [10 * PEAK, 10 * PEAK]
    assert not any(name.startswith("lr") for one in trainer.state.log_history for name in one)


# -- resuming ---------------------------------------------------------------------------------------------------------------


def stopped(folder: Path, plain: bool = False, **more: Any) -> None:
    """A run of 8 updates that was stopped after 5, and saved after 4."""
    trainer = a_trainer(folder, Recorder(stop=5), save_strategy="steps", save_steps=4, **more)
    (trainer if plain else use(trainer, CURVE)).train()
    assert [path.name for path in folder.glob("checkpoint-*")][:1] == ["checkpoint-4"]


def test_resumed_from_the_trainer_s_checkpoint_it_is_the_run_that_was_never_stopped(tmp_path: Path) -> None:
    stopped(tmp_path / "a")
    whole, rest = Recorder(), Recorder()
    once = use(a_trainer(tmp_path / "b", whole), CURVE)
    once.train()
    again = use(a_trainer(tmp_path / "a", rest), CURVE)
    again.train(resume_from_checkpoint=str(tmp_path / "a" / "checkpoint-4"))
    assert rest.rates == whole.rates[4:]
    assert len(rest.rates) == 4
    for one, other in zip(once.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert again.lr_scheduler.audit().findings == ()


CHANGED = {
    "schedule": ("warmup(25%) >> decay(to=0.5, shape=cosine)", {}, "the plan has changed"),
    "learning_rate": (CURVE, {"learning_rate": 5 * PEAK}, "what its factors multiply has changed"),
    "max_steps": (CURVE, {"max_steps": 12}, "the plan has changed"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_another_schedule_rate_or_length_is_refused_or_adopted(what: str, tmp_path: Path) -> None:
    text, more, words = CHANGED[what]
    stopped(tmp_path)
    with pytest.raises(ph.StateError, match=words):
        use(a_trainer(tmp_path, **more), text).train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    recorder = Recorder()
    adopted = use(a_trainer(tmp_path, recorder, **more), text, on_change="adopt")
    adopted.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    now = expected(text, more.get("max_steps", 8), more.get("learning_rate", PEAK))
    assert recorder.first == pytest.approx(now[4:], rel=1e-12)


def test_the_trainer_s_own_scheduler_ignores_another_rate_and_bends_with_another_length(tmp_path: Path) -> None:
    """What the page says that this mends: nothing is said in either case."""
    usual = {"warmup_steps": 2}
    stopped(tmp_path, plain=True, **usual)
    where, faster, longer = str(tmp_path / "checkpoint-4"), Recorder(), Recorder()
    a_trainer(tmp_path, faster, learning_rate=5 * PEAK, **usual).train(resume_from_checkpoint=where)
    assert max(faster.first) < PEAK  # not five times what it was
    a_trainer(tmp_path, longer, max_steps=20, **usual).train(resume_from_checkpoint=where)
    assert longer.first[0] == pytest.approx(PEAK * 4 / 6)  # as the saved run would have gone on
    assert longer.first[1] == pytest.approx(PEAK * 15 / 18)  # and up again at the next update


def test_a_checkpoint_without_the_state_of_the_schedule_is_refused(tmp_path: Path) -> None:
    stopped(tmp_path, save_only_model=True)
    where = str(tmp_path / "checkpoint-4")
    with pytest.raises(ph.StateError, match=r"goes on at update 4, .*lacks scheduler.pt or optimizer.pt"):
        use(a_trainer(tmp_path), CURVE).train(resume_from_checkpoint=where)
    begun_again = Recorder()
    a_trainer(tmp_path, begun_again, warmup_steps=2).train(resume_from_checkpoint=where)
    assert begun_again.first[:2] == [0.0, PEAK / 2]  # the Trainer's own warms up again, at update 4, and says nothing


# -- trained again, built anew, copied ----------------------------------------------------------------------------------


def test_a_second_train_starts_anew_and_says_so(tmp_path: Path) -> None:
    recorder = Recorder()
    trainer = use(a_trainer(tmp_path, recorder), CURVE)
    trainer.train()
    with pytest.warns(ph.PreheatWarning, match="it starts again in the middle of a run"):
        trainer.train()
    use(trainer, CURVE, base="initial").train()  # it is meant
    assert recorder.first == pytest.approx(3 * expected(CURVE, 8), rel=1e-12)


def test_after_a_training_with_another_scheduler_the_peak_has_to_be_said(tmp_path: Path) -> None:
    trainer = a_trainer(tmp_path)
    trainer.train()
    with pytest.raises(ph.PreheatError, match=r"the optimizer was moved before .* base='initial'"):
        use(trainer, CURVE).train()
    recorder = Recorder()
    trainer.add_callback(recorder)
    use(trainer, CURVE, base="initial").train()
    assert recorder.first == pytest.approx(expected(CURVE, 8), rel=1e-12)


def test_model_init_builds_another_optimizer_for_every_training(tmp_path: Path) -> None:
    """As a search for hyper-parameters does, with another rate each time."""
    recorder = Recorder()
    trainer = use(a_trainer(tmp_path, recorder, model_init=fresh), CURVE)
    trainer.train()
    trainer.args.learning_rate = 3 * PEAK
    trainer.train()
    assert recorder.first == pytest.approx(expected(CURVE, 8) + expected(CURVE, 8, 3 * PEAK), rel=1e-12)


def test_a_copy_makes_a_scheduler_for_the_optimizer_that_it_is_given(tmp_path: Path) -> None:
    """As DeepSpeed's path does: it copies the trainer, takes its scheduler away and asks for one."""
    trainer = use(a_trainer(tmp_path), CURVE)
    copied = copy.copy(trainer)
    copied.lr_scheduler = None
    optimizer = SGD(copied.model.parameters(), lr=PEAK)
    scheduler = copied.create_scheduler(num_training_steps=8, optimizer=optimizer)
    assert isinstance(scheduler, Scheduler)
    assert (scheduler.optimizer, scheduler.run.total) == (optimizer, 8)
    assert (trainer.lr_scheduler, type(copied)) == (None, type(trainer))


def test_what_it_keeps_travels_to_other_processes(tmp_path: Path) -> None:
    trainer = use(a_trainer(tmp_path), CURVE, rules=[ph.Plateau("loss")])
    kept = pickle.loads(pickle.dumps(trainer._follower))
    assert (kept.plan, kept.rules) == (trainer._follower.plan, trainer._follower.rules)
    made, (kind,), *_ = trainer.__reduce_ex__(4)
    assert type(pickle.loads(pickle.dumps(made))(kind)) is type(trainer)


def test_a_class_of_one_s_own_inherits_it(tmp_path: Path) -> None:
    class Own(ScheduledTrainer, TwoGroups):
        pass

    recorder = Recorder()
    a_trainer(tmp_path, recorder, Own, schedule=CURVE).train()
    assert [rates[1] for rates in recorder.rates] == pytest.approx(expected(CURVE, 8), rel=1e-12)


def test_an_override_of_create_scheduler_may_give_a_scheduler(tmp_path: Path) -> None:
    class Own(Trainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            if self.lr_scheduler is None:
                run = ph.Run(total=num_training_steps)
                self.lr_scheduler = Scheduler(optimizer or self.optimizer, ph.parse(CURVE), run=run)
            return self.lr_scheduler

    recorder, rest = Recorder(), Recorder()
    trainer = a_trainer(tmp_path, recorder, Own, gradient_accumulation_steps=2, save_strategy="steps", save_steps=4)
    trainer.train()
    a_trainer(tmp_path, rest, Own, gradient_accumulation_steps=2).train(
        resume_from_checkpoint=str(tmp_path / "checkpoint-4")
    )
    assert recorder.first == pytest.approx(expected(CURVE, 8), rel=1e-12)
    assert rest.first == recorder.first[4:]
    assert trainer.lr_scheduler.audit().findings == ()


# -- rules ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["eval_loss", "eval_other_loss"])
def test_rules_are_told_what_evaluation_measured(metric: str, tmp_path: Path) -> None:
    """Every second update; with several sets of data each metric comes once. No loss is halved here, so each is a stall."""
    recorder = Recorder()
    data = Pieces(4) if metric == "eval_loss" else {"one": Pieces(4), "other": Pieces(8)}
    more = {"eval_strategy": "steps", "eval_steps": 2, "eval_dataset": data, "eval_on_start": False}
    rule = ph.Plateau(metric, factor=0.5, patience=0, threshold=0.5)
    use(a_trainer(tmp_path, recorder, **more), "hold()", rules=[rule]).train()
    assert recorder.first == [PEAK, PEAK, PEAK, PEAK, PEAK / 2, PEAK / 2, PEAK / 4, PEAK / 4]


def test_rules_are_told_what_training_logged_and_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    rules = [{"kind": "Plateau", "metric": "loss", "factor": 0.5, "patience": 1, "threshold": 0.5}]
    whole, rest = Recorder(), Recorder()
    use(a_trainer(tmp_path, whole, save_strategy="steps", save_steps=4), "hold()", rules=rules).train()
    assert whole.first == [PEAK] * 3 + [PEAK / 2] * 2 + [PEAK / 4] * 2 + [PEAK / 8]
    use(a_trainer(tmp_path, rest), "hold()", rules=rules).train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert rest.first == whole.first[4:]


def test_a_rule_whose_metric_never_comes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ph.PreheatError, match=r"'eval_loss', and the Trainer never evaluates; write eval_strategy="):
        use(a_trainer(tmp_path), CURVE, rules=[ph.Plateau("eval_loss")]).train()
    with pytest.raises(ph.PreheatError, match=r"'loss', and the Trainer never logs it; write logging_strategy="):
        use(a_trainer(tmp_path, logging_strategy="no"), CURVE, rules=[ph.Plateau("loss")]).train()


# -- two schedules, two rates -----------------------------------------------------------------------------------------------

SECOND = {
    "warmup_steps": (10, "warmup_steps=10, a second schedule .* 'warmup"),
    "warmup_share": (0.1, "warmup_steps=0.1, a second schedule .* takes 0.05"),
    "lr_scheduler_type": ("cosine", "lr_scheduler_type='cosine', a second schedule .*shape=cosine"),
    "lr_scheduler_kwargs": ({"num_cycles": 2}, "lr_scheduler_kwargs={'num_cycles': 2}, a second schedule"),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_second_schedule_in_the_arguments_is_refused(name: str, tmp_path: Path) -> None:
    value, words = SECOND[name]
    if name == "warmup_share" and transformers.__version__ < "5":
        pytest.skip("before 5 the arguments take no share")
    trainer = a_trainer(tmp_path, **{name.replace("share", "steps"): value})
    with pytest.raises(ph.PreheatError, match=words):
        use(trainer, CURVE)
    assert type(trainer) is Trainer
    late = use(a_trainer(tmp_path), CURVE)
    setattr(late.args, name.replace("share", "steps"), value)
    with pytest.raises(ph.PreheatError, match=words):
        late.train()


def test_a_trainer_with_a_scheduler_of_its_own_is_refused(tmp_path: Path) -> None:
    class Own(Trainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = torch.optim.lr_scheduler.ConstantLR(self.optimizer, 0.5)
            return self.lr_scheduler

    class Below(Own): ...

    trainer = a_trainer(tmp_path, kind=Below)
    with pytest.raises(
        ph.PreheatError, match=r"Own makes a scheduler of its own, in create_scheduler; leave that method out"
    ):
        use(trainer, "warmup(5%) >> decay()")
    assert type(trainer) is Below


def test_an_optimizer_may_be_given_but_no_scheduler(tmp_path: Path) -> None:
    recorder, built = Recorder(), model()
    optimizer = SGD(built.parameters(), lr=0.5)
    use(a_trainer(tmp_path, recorder, model=built, optimizers=(optimizer, None), learning_rate=5e-5), CURVE).train()
    assert recorder.first == pytest.approx(expected(CURVE, 8, 0.5), rel=1e-12)
    own = torch.optim.lr_scheduler.ConstantLR(optimizer)
    with pytest.raises(
        ph.PreheatError, match=r"a scheduler of its own, ConstantLR; write optimizers=\(optimizer, None\)"
    ):
        use(a_trainer(tmp_path, optimizers=(optimizer, own)), CURVE)


def test_a_scheduler_that_deepspeed_was_told_of_is_refused(tmp_path: Path) -> None:
    trainer = use(a_trainer(tmp_path), CURVE)
    trainer.lr_scheduler = torch.optim.lr_scheduler.ConstantLR(SGD(trainer.model.parameters(), lr=1.0))
    with pytest.raises(ph.PreheatError, match="leave out the section 'scheduler' of a DeepSpeed configuration"):
        trainer.create_scheduler(8)


def test_a_learning_rate_that_is_not_used_is_said(tmp_path: Path) -> None:
    trainer = a_trainer(tmp_path, max_steps=2)
    trainer.optimizer = SGD(trainer.model.parameters(), lr=0.5)
    with pytest.warns(ph.PreheatWarning, match=r"learning_rate=0.001 .* is not used: the optimizer has groups at 0.5"):
        use(trainer, CURVE).train()


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ph.PreheatError, match="use takes a transformers Trainer first, not 'warmup"):
        use("warmup(5%) >> decay()", None)  # type: ignore[arg-type]
    with pytest.raises(ph.ParseError, match="did you mean 'warmup'"):
        use(a_trainer(tmp_path), "warmpu(5%)")
    with pytest.raises(ph.PreheatError, match="a clock of epochs would take for an epoch"):
        use(a_trainer(tmp_path), CURVE, run=ph.Run(clock="epoch"))
    with pytest.raises(ph.PreheatError, match="on_change"):
        use(a_trainer(tmp_path), CURVE, on_change="ignore")


# -- in other processes --------------------------------------------------------------------------------------------------------

SCRIPT = """
import json, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_transformers import a_trainer, use, Recorder
recorder = Recorder()
trainer = a_trainer(Path({folder!r}), recorder, max_steps=-1, num_train_epochs=2, save_strategy="no", ddp_backend="gloo")
use(trainer, "warmup(1 epoch) >> decay()").train()
if trainer.args.process_index == 0:
    run, at = trainer.lr_scheduler.run, trainer.lr_scheduler.position
    print("RESULT", json.dumps([recorder.first, run.total, run.samples_per_step, at]))
"""


def test_two_processes_count_real_updates(tmp_path: Path) -> None:
    """40 pieces, batches of 4 on each of 2: 5 updates an epoch."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "out")), encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(launch, capture_output=True, text=True, env=environment, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith("RESULT")]
    rates, total, samples, position = json.loads(line.removeprefix("RESULT"))
    assert (total, samples, position) == (10, 8, 10)
    assert rates == pytest.approx(expected("warmup(5) >> decay()", 10), rel=1e-12)


WITH_DEEPSPEED = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_transformers import CURVE, Recorder, a_trainer, expected, use
section = {{"type": "AdamW", "params": {{"lr": "auto", "torch_adam": True}}}}
config = {{"train_micro_batch_size_per_gpu": "auto", "gradient_accumulation_steps": "auto", "train_batch_size": "auto"}}
config |= {{"zero_optimization": {{"stage": 1}}, "optimizer": section}}
def run(recorder, **more):
    where = Path({folder!r})
    return use(a_trainer(where, recorder, deepspeed=config, gradient_accumulation_steps=2, save_steps=4, **more), CURVE)
whole, rest = Recorder(), Recorder()
trainer = run(whole, save_strategy="steps")
trainer.train()
assert whole.first == expected(CURVE, 8), whole.first
assert [one["lr"] for one in trainer.state.log_history if "lr" in one] == whole.first
run(rest).train(resume_from_checkpoint={folder!r} + "/checkpoint-4")
assert rest.first == whole.first[4:], rest.first
print("RESULT")
"""


def test_deepspeed_builds_the_optimizer_and_asks_a_copy_of_the_trainer(tmp_path: Path) -> None:
    pytest.importorskip("deepspeed")
    script = WITH_DEEPSPEED.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "out"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    environment = os.environ | alone | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "RESULT" in ran.stdout
