"""Rules in a running scheduler: what they do to the rates, and that a checkpoint holds them exactly."""

import json
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

import preheat as ph
from preheat.torch import Scheduler

WARM = ph.warmup(5) >> ph.hold()


def build(*rules: object, schedule: object = WARM, **options: object) -> tuple[Optimizer, Scheduler]:
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": lr} for lr in (0.4, 0.1)]
    optimizer = SGD(groups, momentum=0.9)
    return optimizer, Scheduler(optimizer, schedule, rules=rules, **options)


def update(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        group["params"][0].grad = torch.ones(2)
    optimizer.step()


def rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


@settings(max_examples=50)
@given(st.lists(st.floats(0.5, 1.0) | st.sampled_from([math.nan, math.inf]), max_size=40), st.integers(0, 3))
def test_warmup_then_plateau_is_torchs_plateau_after_a_warmup(losses: list[float], patience: int) -> None:
    """pytorch#68978, Lightning#10759, transformers#29417: refused, broken, or ignored elsewhere."""
    optimizer, scheduler = build(ph.Plateau("loss", factor=0.5, patience=patience, min=0.05))
    for step in range(5):
        assert rates(optimizer) == pytest.approx([0.4 * step / 5, 0.1 * step / 5])
        update(optimizer)
        scheduler.step()
    other, _ = build()
    for group, rate in zip(other.param_groups, (0.4, 0.1), strict=True):
        group["lr"] = rate
    peer = ReduceLROnPlateau(other, factor=0.5, patience=patience, min_lr=[0.02, 0.005], eps=0)
    for loss in losses:
        update(optimizer)
        scheduler.step(metrics={"loss": loss})
        peer.step(loss)
        assert rates(optimizer) == pytest.approx(rates(other), rel=1e-14)
        assert scheduler.get_last_lr() == rates(optimizer)


def test_a_metric_takes_effect_at_once_even_between_updates() -> None:
    optimizer, scheduler = build(ph.Plateau("val_loss", factor=0.1, patience=0), schedule=ph.hold())
    for epoch in range(2):
        for _ in range(3):
            update(optimizer)
            scheduler.step()
        scheduler.step(metrics={"val_loss": torch.tensor(1.0)})
        assert rates(optimizer) == pytest.approx([[0.4, 0.1], [0.04, 0.01]][epoch])
    assert scheduler.position == 6


def test_rules_scale_rates_and_nothing_else() -> None:
    plan = ph.Plan({"lr": ph.hold(), "momentum": ph.hold(), "clip_norm": ph.absolute(ph.hold(1.0))})
    optimizer, scheduler = build(ph.Plateau("loss", factor=0.5, patience=0), schedule=plan)
    for _ in range(2):
        update(optimizer)
        scheduler.step(metrics={"loss": 1.0})
    assert scheduler.value("0/lr") == rates(optimizer)[0] == 0.2
    assert (scheduler.value("0/momentum"), scheduler.value("clip_norm")) == (0.9, 1.0)


def test_a_tensor_rate_is_scaled_in_place() -> None:
    optimizer = AdamW([torch.nn.Parameter(torch.ones(2))], lr=torch.tensor(0.4), foreach=False)
    scheduler = Scheduler(optimizer, ph.hold(), rules=[ph.Plateau("loss", factor=0.5, patience=0)])
    held = optimizer.param_groups[0]["lr"]
    for _ in range(2):
        update(optimizer)
        scheduler.step(metrics={"loss": 1.0})
    assert optimizer.param_groups[0]["lr"] is held
    assert held.item() == pytest.approx(0.2)


def test_hold_until_the_loss_stalls_then_decay() -> None:
    schedule = ph.warmup(5) >> ph.hold(1.0, 1) >> ph.decay(10)
    optimizer, scheduler = build(ph.HoldUntil("loss", at=5, patience=2), schedule=schedule)
    losses = [9.0] * 5 + [3.0, 2.0, 1.0] + [1.0] * 12
    seen = []
    for loss in losses:
        seen.append(rates(optimizer)[0] / 0.4)
        update(optimizer)
        scheduler.step(metrics={"loss": loss})
    assert seen == pytest.approx([0, 0.2, 0.4, 0.6, 0.8] + [1.0] * 7 + [1 - i / 10 for i in range(1, 9)])
    assert scheduler.last_epoch == 20
    assert scheduler.position == 15  # five updates passed while it stood still


def test_after_a_spike_the_rate_backs_off_and_warms_up_again() -> None:
    optimizer, scheduler = build(ph.Rewarm("loss", span=4, backoff=0.2, settle=5), schedule=ph.hold())
    seen = []
    for loss in [1.0, 1.1] * 5 + [50.0] + [1.0] * 6:
        update(optimizer)
        scheduler.step(metrics={"loss": loss})
        seen.append(rates(optimizer)[0] / 0.4)
    assert seen == pytest.approx([1.0] * 10 + [0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0])


# -- checkpoints ----------------------------------------------------------------------------------------------------

RULES = (
    ph.Plateau("loss", factor=0.5, patience=1, cooldown=1, after=6),
    ph.HoldUntil("val_loss", at=8, patience=1),
    ph.Rewarm("loss", span=4, settle=3, threshold=3.0),
)
VALUES = st.floats(0.5, 1.5) | st.sampled_from([math.nan, 9.0])
EVENTS = st.lists(st.tuples(VALUES, st.none() | VALUES, st.booleans()), max_size=30)


@settings(max_examples=40)
@given(EVENTS)
def test_resuming_anywhere_is_exact(events: list) -> None:
    schedule = ph.warmup(4) >> ph.hold() >> ph.decay(20)
    run = ph.Run(total=40)
    whole, truth = build(*RULES, schedule=schedule, run=run)
    optimizer, scheduler = build(*RULES, schedule=schedule, run=run)
    for loss, val_loss, cut in events:
        if cut:
            states = optimizer.state_dict(), json.loads(json.dumps(scheduler.state_dict()))
            optimizer, scheduler = build(*RULES, schedule=schedule, run=run)
            optimizer.load_state_dict(states[0])
            scheduler.load_state_dict(states[1])
        for pair in ((whole, truth), (optimizer, scheduler)):
            update(pair[0])
            pair[1].step(metrics={"loss": loss} | ({} if val_loss is None else {"val_loss": val_loss}))
        assert (scheduler.position, scheduler.last_epoch) == (truth.position, truth.last_epoch)
        assert scheduler.session.states == truth.session.states
        assert rates(optimizer) == pytest.approx(rates(whole), rel=1e-14)


def cut_once(**options: object) -> tuple[Optimizer, Scheduler]:
    """A run whose rate a Plateau has halved."""
    optimizer, scheduler = build(ph.Plateau("loss", factor=0.5, patience=1), schedule=ph.hold(), **options)
    for _ in range(4):
        update(optimizer)
        scheduler.step(metrics={"loss": 1.0})
    assert rates(optimizer)[0] == 0.2
    return optimizer, scheduler


@pytest.mark.parametrize(
    ("policy", "rules", "after"),
    [
        ("refuse", [ph.Plateau("loss", factor=0.5, patience=1)], 0.2),
        ("adopt", [ph.Plateau("loss", factor=0.5, patience=7)], 0.2),
        ("adopt", [ph.HoldUntil("loss", at=50), ph.Plateau("loss", factor=0.5, patience=1)], 0.2),
        ("adopt", [ph.Plateau("val_loss", factor=0.5, patience=1)], 0.4),
        ("adopt", [], 0.4),
        ("keep", [], 0.2),
        ("keep", [ph.Plateau("loss", factor=0.1)], 0.2),
        ("rebase", [], 0.2),
        ("rebase", [ph.Plateau("val_loss")], 0.2),
    ],
)
def test_changed_rules_on_resume(policy: str, rules: list, after: float) -> None:
    _, before = cut_once()
    optimizer, scheduler = build(*rules, schedule=ph.hold(), on_change=policy)
    scheduler.load_state_dict(before.state_dict())
    assert rates(optimizer) == pytest.approx([after, after / 4])
    kept = before.session.rules if policy == "keep" else tuple(scheduler.session.rules)
    assert scheduler.session.rules == kept
    update(optimizer)
    scheduler.step()
    assert rates(optimizer) == pytest.approx([after, after / 4])


@pytest.mark.parametrize("rules", [[], [ph.Plateau("loss", factor=0.5, patience=2)], [ph.Rewarm("loss")]])
def test_changed_rules_are_refused_by_default_and_nothing_changes(rules: list) -> None:
    _, before = cut_once()
    optimizer, scheduler = build(*rules, schedule=ph.hold())
    then = scheduler.state_dict(), rates(optimizer)
    with pytest.raises(ph.StateError, match=r"rules have changed.*patience=1.*on_change='adopt'.*'keep'"):
        scheduler.load_state_dict(before.state_dict())
    assert (scheduler.state_dict(), rates(optimizer)) == then


def test_a_metric_that_no_rule_listens_to_is_refused_before_anything_is_counted() -> None:
    optimizer, scheduler = build(*RULES, run=ph.Run(total=40))
    update(optimizer)
    then = scheduler.state_dict()
    with pytest.raises(ph.PreheatError, match="no rule listens to 'losss'; did you mean 'loss'"):
        scheduler.step(metrics={"losss": 1.0})
    assert scheduler.state_dict() == then
    scheduler.step(metrics={"loss": 1.0, "accuracy": 0.5})
    assert scheduler.position == 1


def test_metrics_are_welcome_where_there_are_no_rules() -> None:
    optimizer, scheduler = build()
    update(optimizer)
    scheduler.step(metrics={"loss": 2.3})
    assert scheduler.position == 1


def test_a_metric_in_place_of_the_old_epoch_is_told_where_to_go() -> None:
    _, scheduler = build(*RULES, run=ph.Run(total=40))
    with pytest.raises(ph.PreheatError, match=r"not known which of them this is.*write step\(metrics=\{'loss': …\}\)"):
        scheduler.step(0.7)
    with pytest.raises(ph.PreheatError, match="metrics are given by name"):
        scheduler.step(metrics=0.7)


def spiked(**options: object) -> tuple[Optimizer, Scheduler, dict, dict]:
    """Trained until a spike asks to go back, with the states of the beginning."""
    rule = ph.Rewind("loss", back=5, skip=8, settle=10, span=10, backoff=0.2)
    optimizer, scheduler = build(rule, run=ph.Run(total=100), **options)
    first, saved = optimizer.state_dict(), scheduler.state_dict()
    for step in range(30):
        update(optimizer)
        scheduler.step(metrics={"loss": 99.0 if step == 29 else 2 + step % 2 / 10})
    return optimizer, scheduler, first, saved


@pytest.mark.parametrize("optimizer_first", [True, False])
def test_going_back_writes_the_rates_of_there_warming_up_in_any_order(optimizer_first: bool) -> None:
    optimizer, scheduler, first, saved = spiked(schedule=ph.hold())
    assert scheduler.rewind == (24, 8)
    assert scheduler.next_batch == scheduler.last_epoch == 30
    if optimizer_first:
        optimizer.load_state_dict(first)
    scheduler.go_back(saved)
    if not optimizer_first:
        optimizer.load_state_dict(first)
    assert scheduler.rewind is None
    batches = []
    for step in range(30):
        gain = min(1, 0.2 + 0.08 * step)
        assert rates(optimizer) == pytest.approx([0.4 * gain, 0.1 * gain])
        batches.append(scheduler.next_batch)
        update(optimizer)
        scheduler.step(metrics={"loss": 2 + step % 2 / 10})
    assert batches == [*range(24), *range(32, 38)]
    state = json.loads(json.dumps(scheduler.state_dict()))
    _, other = build(*scheduler.session.rules, schedule=ph.hold(), run=ph.Run(total=100))
    other.load_state_dict(state)
    assert other.next_batch == 38


def test_who_does_not_go_back_is_told_once_and_who_loads_instead_is_refused() -> None:
    optimizer, scheduler, _, saved = spiked()
    before = scheduler.state_dict()
    with pytest.raises(
        ph.PreheatError, match=r"leave out 8 batches, which loading a state would forget; write go_back\(state\)"
    ):
        scheduler.load_state_dict(saved)
    with pytest.raises(ph.PreheatError, match="go back to update 24 or before, not 30"):
        scheduler.go_back(before)
    assert scheduler.state_dict() == before
    update(optimizer)
    with pytest.warns(
        ph.PreheatWarning, match="asks to go back to update 24 and nobody does; look at scheduler.rewind"
    ):
        scheduler.step()
    update(optimizer)
    scheduler.step()  # said once
    assert "nobody does" in str(scheduler.audit())
    assert scheduler.rewind == (24, 8)


@pytest.mark.parametrize("brought", [{"metrics": {"loss": 1.0}}, {"epoch": 1.0}], ids=["by name", "alone"])
def test_the_same_measurement_brought_again_before_another_update_is_one(brought: dict[str, object]) -> None:
    """accelerate calls a scheduler that it has prepared once for every process."""
    rules = ph.Plateau("loss", factor=0.5, patience=2)
    (once, first), (twice, second) = build(rules, schedule=ph.hold()), build(rules, schedule=ph.hold())
    for _ in range(8):
        for optimizer in (once, twice):
            update(optimizer)
        first.step(**brought)
        second.step(**brought)
        second.step(**brought)
        assert rates(once) == rates(twice)
    assert rates(once)[0] < 0.4
    assert first.position == second.position == 8


def test_other_measurements_without_an_update_between_are_all_heard() -> None:
    optimizer, scheduler = build(ph.Plateau("loss", factor=0.5, patience=2), schedule=ph.hold())
    update(optimizer)
    metrics = {"loss": 1.0}
    scheduler.step(metrics=metrics)
    for loss in (1.1, 1.2, 1.3):
        metrics["loss"] = loss
        scheduler.step(metrics=metrics)
    assert rates(optimizer) == [0.2, 0.05]


def trained(rules: list, updates: int, run: ph.Run | None = None, told: str = "", first: int = 0) -> Scheduler:
    """A scheduler of which `told` was told at every update from `first` on, beside the step."""
    optimizer, scheduler = build(*rules, schedule=ph.warmup(5) >> ph.hold(), run=run)
    for step in range(updates):
        update(optimizer)
        if told and step >= first:
            scheduler.observe({told: 1.0})
        scheduler.step()
    return scheduler


HELD = [ph.HoldUntil("val_loss", at=50, patience=3)]


def test_a_rule_that_holds_the_schedule_and_never_hears_its_metric_is_warned_of_once() -> None:
    """It stood at position 500 for ever, and only an audit knew."""
    words = r"rule 'val_loss' never met its metric in 150 updates, and HoldUntil holds the schedule at position 50; pass it to"
    with pytest.warns(ph.PreheatWarning, match=words) as caught:
        trained(HELD, 600, ph.Run(total=1000))
    assert len(caught) == 1
    with (
        pytest.warns(ph.PreheatWarning, match="no rule listens to 'val_los'; did you mean 'val_loss'"),
        pytest.warns(
            ph.PreheatWarning, match=r"never met its metric in 150 updates \(what came: 'val_los'\), and HoldUntil"
        ),
    ):
        scheduler = trained(HELD, 200, ph.Run(total=1000), told="val_los")
    assert scheduler.audit().findings == (
        "rule 'val_loss' never met its metric in 200 updates (what came: 'val_los')",
        "no rule listens to 'val_los'; did you mean 'val_loss'?",
    )


@pytest.mark.parametrize("rule", [ph.Plateau("val_loss"), ph.Rewarm("val_loss")])
@pytest.mark.parametrize(("run", "when"), [(ph.Run(total=1000), 500), (None, 1000)])
def test_other_rules_are_warned_of_when_half_of_the_run_is_over(rule: object, run: ph.Run | None, when: int) -> None:
    """An evaluation may come as late as that."""
    with pytest.warns(
        ph.PreheatWarning, match=f"rule 'val_loss' never met its metric in {when} updates; pass it to"
    ) as caught:
        trained([rule], 1100, run)
    assert len(caught) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rule", [*HELD, ph.Plateau("val_loss"), ph.HoldUntil("val_loss", at=950)])
def test_a_rule_that_hears_late_is_not_warned_of(rule: object) -> None:
    trained([rule], 1100, ph.Run(total=1000), told="val_loss", first=149 if rule in HELD else 499)
    trained([rule], 99 if rule in HELD else 499, ph.Run(total=1000))


@pytest.mark.parametrize("metrics", [1.0, None, [], "loss", math.nan])
def test_metrics_without_a_name_are_refused_by_observe_too(metrics: object) -> None:
    _, scheduler = build(*RULES, run=ph.Run(total=40))
    then = scheduler.state_dict()
    with pytest.raises(ph.PreheatError, match=r"metrics are given by name, not .*; write for example \{'loss': 0.1\}"):
        scheduler.observe(metrics)  # type: ignore[arg-type]
    assert scheduler.state_dict() == then


@pytest.mark.parametrize("order", ["step", "observe, step", "step, observe"])
@pytest.mark.parametrize("answers", [True, False])
def test_only_a_loop_that_does_not_look_is_warned_of(
    order: str, answers: bool, recwarn: pytest.WarningsRecorder
) -> None:
    """Told before the step, a spike is asked about within it, and seen by a loop that looks after it."""
    rule = ph.Rewind("loss", back=5, skip=8, settle=10, span=10)
    optimizer, scheduler = build(rule, run=ph.Run(total=100), schedule=ph.hold())
    saved, asked = scheduler.state_dict(), []
    for step in range(40):
        update(optimizer)
        metrics = {"loss": 99.0 if step == 20 else 2 + step % 2 / 10}
        if order == "observe, step":
            scheduler.observe(metrics)
        scheduler.step(metrics=metrics if order == "step" else None)
        if order == "step, observe":
            scheduler.observe(metrics)
        if answers and scheduler.rewind is not None:
            asked.append(scheduler.rewind)
            scheduler.go_back(saved)
    words = [str(one.message) for one in recwarn if issubclass(one.category, ph.PreheatWarning)]
    back_to = 16 if order == "step, observe" else 15  # five updates before those that had been counted
    assert asked == [(back_to, 8)] * answers
    assert [text[:48] for text in words] == [f"Rewind asks to go back to update {back_to} and nobody does"[:48]] * (
        not answers
    )


def test_what_a_rewind_asks_for_after_the_last_update_is_a_finding() -> None:
    """A loop that only counts updates has ended by then."""
    _, scheduler, _, saved = spiked(schedule=ph.hold())
    assert scheduler.audit().findings == ("Rewind asks to go back to update 24: answer with go_back(state)",)
    scheduler.go_back(saved)
    assert scheduler.audit().findings == ()


@pytest.mark.parametrize("set_at", [0, 8])
@pytest.mark.parametrize("by_set_peak", [True, False])
def test_a_peak_that_a_load_takes_back_is_no_finding_any_more(set_at: int, by_set_peak: bool) -> None:
    optimizer, scheduler = build(run=ph.Run(total=100))
    saved = []
    for step in range(12):
        if step == set_at:
            if by_set_peak:
                scheduler.set_peak(0.8)
            else:
                scheduler.base_lrs = [0.8, 0.2]
        saved.append(scheduler.state_dict())
        update(optimizer)
        scheduler.step()
    words = f"at update {set_at}"
    for at, is_there in ((11, True), (8, True), (5, set_at == 0)):
        scheduler.load_state_dict(saved[at])
        assert rates(optimizer)[0] == pytest.approx(0.4 * (1 + is_there) * scheduler.plan["lr"](at))
        assert any(words in finding for finding in scheduler.audit().findings) == is_there


def test_the_peak_that_is_set_is_the_rate_at_factor_1() -> None:
    optimizer, scheduler = build(schedule=ph.relative((ph.warmup(5) >> ph.hold()).scaled(2)))
    scheduler.set_peak(0.3)
    for _ in range(6):
        update(optimizer)
        scheduler.step()
    assert rates(optimizer) == pytest.approx([0.6, 0.15])


def test_a_group_at_0_has_no_peak_and_is_told_how_to_stand_still() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": lr} for lr in (0.1, 0.0)]
    plan = ph.warmup(5) >> ph.hold()
    with pytest.raises(
        ph.PreheatError, match=r"'lr' of group 1 is 0.*write \{'1/lr': 'absolute\(hold\(0\)\)'\} into the plan"
    ):
        Scheduler(SGD(groups), plan).set_peak(0.3)
    scheduler = Scheduler(SGD(groups), {"lr": plan, "1/lr": "absolute(hold(0))"})
    scheduler.set_peak(0.3)
    assert scheduler.base_lrs == [0.3, 0.0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda o: Scheduler(o, WARM, run={"total": 9}), "'_target_: preheat.Run'"),
        (lambda o: Scheduler(o, WARM, rules=[{"kind": "Plateau"}]), "Plateau lacks metric, not"),
    ],
)
def test_what_configurations_leave_out_is_told(make, words: str) -> None:
    with pytest.raises(ph.PreheatError, match=words):
        make(build()[0])


@pytest.mark.parametrize(("rule", "came"), [("loss", "los"), ("eval_loss", "evalloss"), ("eval_loss", "Eval/Loss")])
@pytest.mark.parametrize("way", ["observe", "step"])
def test_a_slip_of_the_pen_is_said_when_it_comes(rule: str, came: str, way: str) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    scheduler = Scheduler(optimizer, "hold()", rules=[ph.Plateau(rule), ph.Plateau("other")])
    with pytest.warns(UserWarning, match=f"no rule listens to '{came}'; did you mean '{rule}'"):
        scheduler.observe({came: 1.0}) if way == "observe" else scheduler.step(metrics={"other": 1.0, came: 1.0})
    assert any("did you mean" in finding for finding in scheduler.audit().findings)


def test_what_frameworks_report_beside_is_no_slip() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    scheduler = Scheduler(optimizer, "hold()", rules=[ph.Plateau("eval_loss"), ph.Plateau("top1_acc")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            scheduler.observe({"loss": 1.0, "train_loss": 2.0, "grad_norm": 3.0, "learning_rate": 0.1, "epoch": 1})
            scheduler.observe({"top5_acc": 0.9, "top1_acc": 0.5, "eval_loss": 2.0, "eval_losses": 3.0})
