"""What a scheduler says of a run that goes wrong: once as a warning, and in the audit; and nothing of one that is sound."""

import warnings

import numpy
import pytest
import torch
from conftest import KINDS
from small_runs import rate, sgd, update
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RAdam

import preheat as ph
from preheat.torch import Scheduler

CURVE = ph.warmup(10) >> ph.decay(90)


def adam(lr: float = 0.1) -> Optimizer:
    return Adam([nn.Parameter(torch.ones(3))], lr=lr)


def train(optimizer: Optimizer, scheduler: Scheduler, updates: int, **call: object) -> None:
    for _ in range(updates):
        update(optimizer)
        scheduler.step(**call)


# -- past the end ---------------------------------------------------------------------------------------------------


def test_updates_at_rate_0_after_the_end_are_found_at_once_and_warned_of_once() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, CURVE)
    train(optimizer, scheduler, 100)
    assert scheduler.audit().findings == ()
    train(optimizer, scheduler, 30)
    assert scheduler.audit().findings == ("position 130 of 100: rate 0 since update 100",)
    assert str(scheduler.audit()).startswith("position 130 of 100: 130 applied updates")
    train(optimizer, scheduler, 20)
    with pytest.warns(ph.PreheatWarning, match="position 151 of 100: rate 0 since update 100") as caught:
        train(optimizer, scheduler, 300)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert scheduler.position == 450
    assert scheduler.audit().findings == ("position 450 of 100: rate 0 since update 100",)


def test_a_schedule_that_is_over_before_its_run_is_found() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, CURVE, run=ph.Run(total=1000))
    with pytest.warns(ph.PreheatWarning, match="position 151 of 1000: rate 0 since update 100"):
        train(optimizer, scheduler, 300)


@pytest.mark.parametrize(
    ("run", "unit", "warned_at"),
    [
        (ph.Run(total=20, clock="epoch"), "epoch", 22),
        (ph.Run(total=2000, clock="token", tokens_per_step=100), "token", 7100),
    ],
)
def test_the_end_is_told_in_the_clock_of_the_run(run: ph.Run, unit: str, warned_at: int) -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, ph.decay(), run=run)
    with pytest.warns(
        ph.PreheatWarning, match=f"position {warned_at} of {run.total}: rate 0 since {unit} {run.total}$"
    ):
        train(optimizer, scheduler, 80)


@pytest.mark.parametrize(
    ("schedule", "run", "found"),
    [
        (ph.warmup(10) >> ph.decay(90, to=0.1), None, True),
        (ph.warmup(10) >> ph.decay(90, to=0.1, shape="cosine"), None, True),
        (ph.decay(to=0.1), ph.Run(total=100), True),
        (ph.warmup(10), ph.Run(total=100), True),  # the run is over, whatever the schedule does
        (ph.warmup(10), None, False),  # meant to stay
        (ph.steps([1.0, 0.1], [50, 50]), None, False),
        (ph.decay(90, to=0.1) >> ph.hold(0.1, 10), None, False),
        (ph.warmup(10) >> ph.invsqrt(10), None, False),
        (ph.warmup(10) >> ph.hold(), None, False),
    ],
)
def test_a_value_that_holds_after_the_end_is_a_finding_at_most(schedule: object, run: object, found: bool) -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, schedule, run=run)
    train(optimizer, scheduler, 300)
    words = ("position 300 of 100: the schedule is over, and its last value holds",)
    assert scheduler.audit().findings == (words if found else ())


def test_a_group_that_goes_on_is_not_over() -> None:
    optimizer = sgd(groups=2)
    plan = ph.Plan({"lr": ph.decay(20), "1/lr": ph.hold()})
    scheduler = Scheduler(optimizer, plan)
    train(optimizer, scheduler, 100)
    assert scheduler.audit().findings == ()


SHAPE = ph.warmup(10) >> ph.hold(1.0, "rest") >> ph.decay(10)


def test_extending_and_loading_look_at_the_new_end() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, SHAPE, run=ph.Run(total=50))
    train(optimizer, scheduler, 40)
    scheduler.extend(400)
    train(optimizer, scheduler, 360)
    assert scheduler.audit().findings == ()
    other = sgd()
    resumed = Scheduler(other, SHAPE, run=ph.Run(total=400))
    resumed.load_state_dict({**scheduler.state_dict(), "position": 600})
    assert resumed.audit().findings == ("position 600 of 400: rate 0 since update 400",)
    with pytest.warns(ph.PreheatWarning, match="position 601 of 400"):
        train(other, resumed, 1)


# -- calls that never come --------------------------------------------------------------------------------------------


def updated(optimizer: Optimizer, times: int) -> None:
    for _ in range(times):
        update(optimizer)


def test_a_scheduler_that_is_never_called_is_told_of_once() -> None:
    optimizer = adam()
    scheduler = Scheduler(optimizer, CURVE)
    words = "51 updates were applied without a call of step.*in every process"
    with pytest.warns(ph.PreheatWarning, match=words) as caught:
        updated(optimizer, 300)
    assert len(caught) == 1
    assert "300 updates were applied without a call" in str(scheduler.audit())


def test_who_may_be_called_rarely_is_not_told_of() -> None:
    for options in ({"run": ph.Run(clock="epoch")}, {"counts": "calls"}, {"run": ph.Run(total=1000, clock="token")}):
        optimizer = adam()
        scheduler = Scheduler(optimizer, CURVE, **options)
        updated(optimizer, 120)
        assert scheduler.audit().findings == ()
    optimizer = adam()
    first = Scheduler(optimizer, CURVE)  # replaced by the next one, and still alive
    second = Scheduler(optimizer, CURVE)
    train(optimizer, second, 120)
    optimizer = adam()
    warm, then = Scheduler(optimizer, ph.warmup(90) >> ph.hold()), Scheduler(optimizer, ph.decay(100))
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, then], milestones=[90])
    for _ in range(180):
        update(optimizer)
        both.step()
    assert first is not second


# -- a run that starts again ----------------------------------------------------------------------------------------


def trained(updates: int) -> dict[str, dict]:
    optimizer = adam()
    scheduler = Scheduler(optimizer, CURVE)
    train(optimizer, scheduler, updates)
    return {"o": optimizer.state_dict(), "s": scheduler.state_dict()}


def resumed(order: str, states: dict[str, dict]) -> tuple[Optimizer, Scheduler]:
    optimizer = adam()
    for act in order:
        if act == "b":
            scheduler = Scheduler(optimizer, CURVE)
        else:
            (optimizer if act == "o" else scheduler).load_state_dict(states[act])
    return optimizer, scheduler


def test_a_schedule_that_begins_again_on_a_trained_optimizer_is_warned_of() -> None:
    words = "the optimizer has applied 60 updates before and the schedule begins at 0.*load the scheduler's state too"
    optimizer, scheduler = resumed("bo", trained(60))
    with pytest.warns(ph.PreheatWarning, match=words) as caught:
        train(optimizer, scheduler, 12)
    assert (len(caught), scheduler.position) == (1, 12)
    assert len(scheduler.audit().findings) == 1


def trained_sgd(momentum: float) -> tuple[Optimizer, Scheduler]:
    optimizer = SGD([nn.Parameter(torch.ones(3))], lr=0.1, momentum=momentum)
    return optimizer, Scheduler(optimizer, CURVE)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_of_an_optimizer_that_does_not_count_the_rate_in_its_state_tells(momentum: float) -> None:
    optimizer, scheduler = trained_sgd(momentum)
    train(optimizer, scheduler, 60)
    state = optimizer.state_dict()
    optimizer, scheduler = trained_sgd(momentum)
    optimizer.load_state_dict(state)
    words = r"saved with 'lr' of group 0 0\.0444444, and the schedule begins at 0.*load the scheduler's state too"
    with pytest.warns(ph.PreheatWarning, match=words) as caught:
        train(optimizer, scheduler, 12)
    assert (len(caught), scheduler.position, rate(optimizer)) == (1, 12, pytest.approx(0.1 * CURVE(12)))
    assert len(scheduler.audit().findings) == 1


@pytest.mark.parametrize("order", ["os", "so", "oso", "sos"])
@pytest.mark.parametrize("updates", [0, 1, 60])
def test_of_an_optimizer_that_does_not_count_what_goes_on_together_is_sound(order: str, updates: int) -> None:
    optimizer, scheduler = trained_sgd(0.9)
    train(optimizer, scheduler, updates)
    states = optimizer.state_dict(), scheduler.state_dict()
    optimizer, scheduler = trained_sgd(0.9)
    for one in order:
        (optimizer if one == "o" else scheduler).load_state_dict(states["os".index(one)])
    train(optimizer, scheduler, 12)
    assert scheduler.audit().findings == ()


def test_a_schedule_that_goes_on_with_a_new_optimizer_is_warned_of() -> None:
    words = "the schedule is at update 60 and the optimizer has applied none before; load the optimizer's state too"
    optimizer, scheduler = resumed("bs", trained(60))
    with pytest.warns(ph.PreheatWarning, match=words):
        train(optimizer, scheduler, 12)
    assert len(scheduler.audit().findings) == 1


def test_a_constant_plan_has_nothing_to_begin_again() -> None:
    optimizer = adam()
    train(optimizer, Scheduler(optimizer, ph.hold()), 60)
    scheduler = Scheduler(optimizer, ph.hold())
    train(optimizer, scheduler, 12)
    assert not any("begins at 0" in finding for finding in scheduler.audit().findings)


@pytest.mark.parametrize("order", ["bos", "bso", "bosos"])
def test_what_goes_on_together_is_sound(order: str) -> None:
    optimizer, scheduler = resumed(order, trained(60))
    train(optimizer, scheduler, 12)
    assert scheduler.audit().findings == ()


def test_a_small_difference_is_a_finding() -> None:
    states = trained(60)
    optimizer, scheduler = resumed("bos", {"o": states["o"], "s": trained(57)["s"]})
    train(optimizer, scheduler, 3)
    assert scheduler.audit().findings == ("the schedule was at update 57 when the optimizer had applied 60",)


# -- metrics --------------------------------------------------------------------------------------------------------


def test_a_rule_that_never_met_its_metric_is_found() -> None:
    optimizer = sgd()
    rules = [ph.Plateau("val_loss", patience=3), ph.HoldUntil("loss", at=5)]
    scheduler = Scheduler(optimizer, ph.hold(), rules=rules)
    train(optimizer, scheduler, 99, metrics={"loss": 1.0})
    assert scheduler.audit().findings == ()
    train(optimizer, scheduler, 51)
    assert scheduler.audit().findings == ("rule 'val_loss' never met its metric in 150 updates",)
    scheduler.step(metrics={"val_loss": 1.0})
    assert scheduler.audit().findings == ()


def test_a_rule_that_meets_its_metric_once_an_epoch_is_waited_for() -> None:
    optimizer = sgd()
    run = ph.Run(total="10 epochs", steps_per_epoch=150)
    scheduler = Scheduler(optimizer, ph.hold(), run=run, rules=[ph.Plateau("loss")])
    train(optimizer, scheduler, 299)
    assert scheduler.audit().findings == ()
    train(optimizer, scheduler, 1)
    assert len(scheduler.audit().findings) == 1


@pytest.mark.parametrize("value", [2.5, numpy.float32(2.5), torch.tensor(2.5), {"loss": 2.5}])
def test_a_lone_metric_is_that_of_the_only_rule(value: object) -> None:
    """As torch's ReduceLROnPlateau is called, by Lightning too."""
    optimizer, other = sgd(), sgd()
    ours, named = (Scheduler(o, ph.hold(), rules=[ph.Plateau("loss", patience=1)]) for o in (optimizer, other))
    for _ in range(5):
        update(optimizer)
        update(other)
        ours.step(value)
        named.step(metrics={"loss": 2.5})
        assert (rate(optimizer), ours.position) == (rate(other), named.position)
    assert rate(optimizer) == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("rules", "call", "write"),
    [
        ([], (3,), r"step\(metrics=\{'loss': …\}\)"),
        ([], (2.5,), "a metric is for rules, and there is none"),
        (["acc"], (3,), "step\\(\\) takes no epoch"),  # an epoch or a metric
        (["acc"], (True,), "'acc' must be one number, not True"),
        (["acc", "loss"], (2.5,), r"step\(metrics=\{'acc': …\}\)"),
        (["acc"], ("acc",), "must be one number"),
    ],
)
def test_what_may_mean_something_else_is_refused_and_nothing_changes(rules: list, call: tuple, write: str) -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, ph.decay(10), rules=[ph.Plateau(name) for name in rules])
    update(optimizer)
    before = scheduler.state_dict()
    with pytest.raises(ph.PreheatError, match=write):
        scheduler.step(*call)
    assert scheduler.state_dict() == before
    scheduler.step()
    assert scheduler.position == 1


def test_two_rules_of_one_metric_share_a_lone_one() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, ph.hold(), rules=[ph.Plateau("loss"), ph.HoldUntil("loss", at=0, patience=0)])
    update(optimizer)
    scheduler.step(1.0)
    assert [state["best"] for state in scheduler.session.states] == [1.0, 1.0]


# -- as text --------------------------------------------------------------------------------------------------------


def test_a_scheduler_prints_short() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, CURVE)
    train(optimizer, scheduler, 5)
    assert repr(scheduler) == "Scheduler(position 5 of 100, lr=0.05)"
    many = Scheduler(sgd(groups=1000), ph.warmup(10, start=0.5) >> ph.hold())
    assert repr(many) == "Scheduler(position 0, lr=0.05, 0.05, 0.05, 0.05, …)"
    tensor = Scheduler(SGD([nn.Parameter(torch.ones(1))], lr=torch.tensor(0.1)), ph.decay(3_000_000))
    assert repr(tensor) == "Scheduler(position 0 of 3000000, lr=0.1)"


# -- sound runs -----------------------------------------------------------------------------------------------------

RECIPES = {
    **{name: getattr(ph, name)(100, warmup_steps=10) for name in ("linear", "cosine", "polynomial", "constant")},
    "wsd": ph.wsd(100, warmup_steps=10, decay_steps=20),
    "inverse_sqrt": ph.inverse_sqrt(10),
    "one_cycle": ph.one_cycle(100),
    "restarts": ph.restarts(100, cycles=4),
}
OPTIMIZERS = {
    "sgd": lambda p: SGD(p, lr=0.1),
    "adamw": lambda p: AdamW(p, lr=0.1),
    "fused": lambda p: AdamW(p, lr=0.1, fused=True),
    "tensor": lambda p: AdamW(p, lr=torch.tensor(0.1), foreach=False),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("name", RECIPES | KINDS)
def test_of_a_sound_run_nothing_is_said(name: str, kind: str) -> None:
    """Trained to its end, with a checkpoint on the way and one surplus call."""
    schedule = (RECIPES | KINDS)[name]

    def build() -> tuple[Optimizer, Scheduler]:
        optimizer = OPTIMIZERS[kind]([nn.Parameter(torch.ones(3))])
        return optimizer, Scheduler(optimizer, schedule)

    optimizer, scheduler = build()
    end = int(min(scheduler.plan["lr"].length, 100))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scheduler.audit().findings == ()
        train(optimizer, scheduler, end // 2)
        scheduler.step()
        assert scheduler.audit().findings == ()
        states = optimizer.state_dict(), scheduler.state_dict()
        optimizer, scheduler = build()
        optimizer.load_state_dict(states[0])
        scheduler.load_state_dict(states[1])
        train(optimizer, scheduler, end - end // 2)
    assert scheduler.audit().findings == ()


def test_asking_changes_nothing_that_training_does() -> None:
    def run(asked: bool) -> list[float]:
        optimizer = sgd(groups=2)
        scheduler = Scheduler(optimizer, CURVE, rules=[ph.Plateau("loss", patience=5)])
        used = []
        for i in range(60):
            used.append(rate(optimizer))
            update(optimizer)
            for _ in range(2 * asked):
                repr(scheduler), scheduler.audit(), scheduler.state_dict(), scheduler.position, scheduler.values()
                scheduler.get_last_lr(), str(scheduler.audit())
            scheduler.step(metrics={"loss": 1.0} if i % 3 else None)
        return used

    assert run(True) == run(False)


def test_radam_inside_a_wrapper_is_a_double_warmup_too() -> None:
    class Wrapper(Optimizer):
        def __init__(self, optimizer: Optimizer) -> None:
            self.optimizer, self.param_groups, self.state = optimizer, optimizer.param_groups, optimizer.state

    (finding,) = Scheduler(Wrapper(RAdam([nn.Parameter(torch.ones(3))])), CURVE).audit().findings
    assert finding.startswith("double warmup: RAdam warms up by itself")


def test_calls_that_came_before_the_first_update_are_warned_of_once() -> None:
    """The usual mistake: every update uses the value that belongs to the next one."""
    optimizer = sgd()
    scheduler = Scheduler(optimizer, ph.decay(10))
    scheduler.step()
    update(optimizer)
    with pytest.warns(ph.PreheatWarning, match=r"1 came before any update was seen.*after optimizer\.step"):
        scheduler.step()
    for _ in range(5):
        update(optimizer)
        scheduler.step()


def test_another_writer_is_warned_of_once() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, ph.decay(10))
    optimizer.param_groups[0]["lr"] = 0.3
    update(optimizer)
    with pytest.warns(ph.PreheatWarning, match="'lr' of group 0 was changed by someone else"):
        scheduler.step()
    for _ in range(5):
        update(optimizer)
        optimizer.param_groups[0]["lr"] = 0.3
        scheduler.step()


def test_an_update_at_the_0_of_a_torch_scheduler_beside_ours_counts() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, ph.warmup(10) >> ph.decay(90))
    torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    update(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler.step()
    assert (scheduler.audit().applied, scheduler.audit().unseen) == (1, 0)
