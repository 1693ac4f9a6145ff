"""What the audit finds, and that it finds nothing where nothing is wrong."""

import contextlib
import re
from collections.abc import Callable

import pytest
import torch
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer, RAdam

import preheat as ph
from preheat.torch import Scheduler, describe

CURVE = ph.warmup(10) >> ph.decay(90)


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(3))


def update(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = p.detach().clone()
    optimizer.step(lambda: 0.0) if isinstance(optimizer, LBFGS) else optimizer.step()


def train(optimizer: Optimizer, scheduler: Scheduler, calls: int, every: int = 1, times: int = 1) -> None:
    """So many calls of step() after `every` updates each, `times` calls at a time."""
    for _ in range(calls):
        for _ in range(every):
            update(optimizer)
        for _ in range(times):
            scheduler.step()


KINDS = [
    lambda p: SGD(p, lr=0.1),
    lambda p: SGD(p, lr=0.1, momentum=0.9),
    lambda p: Adam(p, lr=0.1),
    lambda p: AdamW(p, lr=0.1, fused=True),
    lambda p: LBFGS(p, lr=0.1),
]


@pytest.mark.parametrize("kind", KINDS, ids=["sgd", "momentum", "adam", "fused", "lbfgs"])
def test_where_all_is_well_nothing_is_found(kind: Callable) -> None:
    optimizer = kind([parameter()])
    scheduler = Scheduler(optimizer, CURVE)
    assert scheduler.audit().findings == ()
    train(optimizer, scheduler, 30)
    audit = scheduler.audit()
    assert (audit.findings, audit.applied, audit.position) == ((), 30, 30)
    assert "nothing looks wrong" in str(audit)


def test_what_cannot_be_seen_is_said_and_is_no_finding() -> None:
    optimizer = SGD([parameter()], lr=0.1)
    scheduler = Scheduler(optimizer, CURVE)
    assert scheduler.audit().blind == ""
    train(optimizer, scheduler, 5, every=5)
    audit = scheduler.audit()
    assert audit.findings == ()
    assert (
        audit.blind == "the optimizer does not count its updates, so several of them between two calls cannot be seen"
    )
    assert audit.blind in str(audit)
    optimizer = Adam([parameter()], lr=0.1)
    scheduler = Scheduler(optimizer, CURVE)
    train(optimizer, scheduler, 5)
    assert scheduler.audit().blind == ""


def test_stepped_four_times_per_update() -> None:
    optimizer = Adam([parameter()])
    scheduler = Scheduler(optimizer, CURVE)
    train(optimizer, scheduler, 8, times=4)
    assert scheduler.position == 8
    assert scheduler.audit().findings == ("stepped 4 times per update; the surplus calls were ignored",)
    train(optimizer, scheduler, 60, times=4)
    assert scheduler.audit().findings == ("stepped 4 times per update; the surplus calls were ignored",)


def test_stepped_per_epoch_where_the_plan_is_in_steps() -> None:
    optimizer = Adam([parameter()])
    scheduler = Scheduler(optimizer, CURVE)
    with pytest.warns(ph.PreheatWarning, match=r"50 updates were applied without .* Run\(clock='epoch'\) where once"):
        train(optimizer, scheduler, 4, every=50)
    (finding,) = scheduler.audit().findings
    assert finding.startswith("150 updates in 3 calls of step(), where the plan counts updates")
    assert "Run(clock='epoch')" in finding


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_an_optimizer_that_counts_nothing_is_heard_too_and_a_critic_s_rounds_are_not(kind: type[SGD]) -> None:
    """As Lightning steps what is returned without an interval, once an epoch; and five updates a round, one plan or two."""
    with pytest.warns(
        ph.PreheatWarning, match=r'10 updates were applied without a call of step\(\).*"interval": "step"'
    ):
        train(optimizer := kind([parameter()], lr=0.1), scheduler := Scheduler(optimizer, CURVE), 5, every=10)
    (finding,) = scheduler.audit().findings  # what was warned of stays
    assert "a call of step()" in finding or "calls of step()" in finding
    for several in (False, True):
        critic, other = kind([parameter()], lr=0.1), kind([parameter()], lr=0.1)
        schedulers = (
            [Scheduler([critic, other], CURVE)] if several else [Scheduler(critic, CURVE), Scheduler(other, CURVE)]
        )
        for _ in range(3):
            for one in [critic] * 5 + [other]:
                update(one)
            for scheduler in schedulers:
                scheduler.step()


def test_every_call_that_is_asked_for_counts_after_many_updates_too() -> None:
    optimizer = SGD([parameter()], lr=0.1)
    train(optimizer, scheduler := Scheduler(optimizer, CURVE, counts="calls"), 3, every=50)
    assert scheduler.position == 3


def test_a_plan_in_tokens_of_fixed_worth_counts_updates_too() -> None:
    for advance, found in ((None, 1), (400, 0)):
        optimizer = Adam([parameter()])
        worth = {} if advance else {"tokens_per_step": 100}
        scheduler = Scheduler(optimizer, ph.warmup(100), run=ph.Run(clock="token", **worth))
        with pytest.warns(ph.PreheatWarning, match="12 updates were") if found else contextlib.nullcontext():
            for _ in range(3):
                for _ in range(12):
                    update(optimizer)
                scheduler.step(advance=advance)
        assert len(scheduler.audit().findings) == found


def test_a_plan_in_epochs_may_be_stepped_per_epoch() -> None:
    optimizer = Adam([parameter()])
    scheduler = Scheduler(optimizer, ph.warmup(5), run=ph.Run(total="20 epochs", clock="epoch"))
    train(optimizer, scheduler, 4, every=50)
    assert scheduler.audit().findings == ()


@pytest.mark.parametrize("order", ["bos", "obs", "bso"])
def test_counts_from_before_a_checkpoint_are_no_finding(order: str) -> None:
    optimizer = Adam([parameter()])
    scheduler = Scheduler(optimizer, CURVE)
    train(optimizer, scheduler, 60)
    states = {"o": optimizer.state_dict(), "s": scheduler.state_dict()}
    optimizer = Adam([parameter()])
    for act in order:
        if act == "b":
            scheduler = Scheduler(optimizer, CURVE, base="initial" if order == "ob" else None)
        else:
            {"o": optimizer, "s": scheduler}[act].load_state_dict(states[act])
    train(optimizer, scheduler, 12)
    assert scheduler.audit().findings == ()
    assert scheduler.audit().applied == 12


@pytest.mark.filterwarnings("ignore:of the calls of step")
def test_calls_before_the_first_update_are_named() -> None:
    optimizer = Adam([parameter()])
    scheduler = Scheduler(optimizer, CURVE)
    scheduler.step()
    assert scheduler.audit().findings == ()  # it may be a bare loop
    train(optimizer, scheduler, 3)
    (finding,) = scheduler.audit().findings
    assert finding.startswith("of the calls of step(), 1 came before any update was seen, and counted")


class WarmsUp(SGD):
    """An optimizer with a warmup of its own, by a default that others know it from."""

    def __init__(self, params: object, **own: object) -> None:
        super().__init__(params, lr=0.1)
        for group in self.param_groups:
            group.update(own)


OWN = [({"warmup_steps": 100}, "warmup_steps"), ({"warmup_init": True}, "warmup_init")]


@pytest.mark.parametrize(("own", "word"), OWN, ids=lambda value: str(value))
def test_a_double_warmup_is_warned_of_when_it_is_built_and_found_after(own: dict, word: str) -> None:
    words = f"double warmup: WarmsUp warms up by itself ({word}), and so does the plan; leave one of the two out"
    with pytest.warns(ph.PreheatWarning, match=re.escape(words)) as caught:
        findings = Scheduler(WarmsUp([parameter()], **own), CURVE).audit().findings
    assert findings == (words,)
    assert [one.filename for one in caught] == [__file__]
    none = {key: type(value)(0) for key, value in own.items()}
    assert Scheduler(WarmsUp([parameter()], **none), CURVE).audit().findings == ()
    assert Scheduler(WarmsUp([parameter()], **own), ph.decay(100)).audit().findings == ()


def test_prodigy_is_told_of_a_warmup_by_its_safeguard() -> None:
    """The flag takes the rate out of the denominator of the estimate, so with a warmup it is its absence that is found."""
    (finding,) = Scheduler(WarmsUp([parameter()], safeguard_warmup=False), CURVE).audit().findings
    assert finding.endswith("write safeguard_warmup=True")
    assert Scheduler(WarmsUp([parameter()], safeguard_warmup=True), CURVE).audit().findings == ()
    assert Scheduler(WarmsUp([parameter()], safeguard_warmup=False), ph.decay(100)).audit().findings == ()


def test_double_warmup_with_radam() -> None:
    (finding,) = Scheduler(RAdam([parameter()]), CURVE).audit().findings
    assert finding == "double warmup: RAdam warms up by itself (its variance rectification), and so does the plan"
    assert Scheduler(RAdam([parameter()]), ph.hold() >> ph.decay(10), run=ph.Run(total=20)).audit().findings == ()
    weight_decay = ph.Plan({"lr": ph.decay(10), "weight_decay": ph.warmup(10)})
    assert Scheduler(RAdam([parameter()]), weight_decay).audit().findings == ()


def groups(tensor: bool = False) -> Optimizer:
    rate = torch.tensor if tensor else float
    names = ("body", "neck", "head")
    return Adam([{"params": [parameter()], "lr": rate(0.1 * i), "name": name} for i, name in enumerate(names, 1)])


@pytest.mark.filterwarnings("ignore:'lr' of group")
@pytest.mark.parametrize("tensor", [False, True], ids=["float", "tensor"])
@pytest.mark.parametrize(("number", "name"), [(0, "body"), (2, "head")])
def test_a_rate_edited_by_hand_is_overwritten_at_the_next_step_and_named(tensor: bool, number: int, name: str) -> None:
    optimizer = groups(tensor)
    scheduler = Scheduler(optimizer, CURVE)
    train(optimizer, scheduler, 4)
    for _ in range(2):
        optimizer.param_groups[number]["lr"] = 123.0
        train(optimizer, scheduler, 1)
        assert [float(g["lr"]) for g in optimizer.param_groups] == pytest.approx(scheduler.get_last_lr(), rel=1e-6)
    train(optimizer, scheduler, 4)
    assert scheduler.get_last_lr() == pytest.approx([0.1, 0.2, 0.3])
    assert [float(g["lr"]) for g in optimizer.param_groups] == pytest.approx(scheduler.get_last_lr(), rel=1e-6)
    audit = scheduler.audit()
    assert audit.edited == 2
    assert audit.findings == (
        f"'lr' of group {name} was changed by someone else (2×), and overwritten at the next step; "
        "one of the two has to go",
    )


def test_writing_the_same_value_is_no_edit() -> None:
    optimizer = groups()
    scheduler = Scheduler(optimizer, CURVE)
    train(optimizer, scheduler, 4)
    for group in optimizer.param_groups:
        group["lr"] = float(str(group["lr"]))
    optimizer.load_state_dict(optimizer.state_dict())
    train(optimizer, scheduler, 4)
    assert scheduler.audit().edited == 0


def test_an_audit_prints_as_text() -> None:
    optimizer = Adam([parameter()])
    scheduler = Scheduler(optimizer, CURVE)
    train(optimizer, scheduler, 2, times=3)
    assert str(scheduler.audit()).splitlines() == [
        "position 2 of 100: 2 applied updates, 0 calls before any was seen, 4 surplus calls, 0 skipped updates, "
        "0 values edited by others",
        "- stepped 3 times per update; the surplus calls were ignored",
    ]


def test_describe_shows_what_a_plan_can_drive(muon_class: type[Optimizer]) -> None:
    named = groups()
    named.param_groups[2]["lr_scale"] = 0.5
    muon = muon_class([torch.nn.Parameter(torch.ones(4, 8))], lr=0.02, momentum=0.95)
    lines = str(describe([named, muon])).splitlines()
    assert lines[0] == "Adam: 3 groups"
    assert lines[1].split() == [
        "body",
        "3",
        "parameters",
        "lr=0.1",
        "betas=(0.9,",
        "0.999)",
        "eps=1e-08",
        "weight_decay=0",
    ]
    assert lines[3].startswith("head")
    assert lines[3].endswith("lr_scale=0.5")
    assert lines[4] == "Muon: 1 group"
    assert lines[5].startswith("3 ")
    assert "momentum=0.95" in lines[5]
    assert repr(describe(muon)) == str(describe(muon))  # a prompt shows it as it is
    with pytest.raises(ph.PreheatError, match="takes a torch optimizer"):
        describe(torch.nn.Linear(1, 1))


# -- lines that give all groups the same -----------------------------------------------------------------------------


def _two(one: dict, other: dict, kind: type[Optimizer] = SGD) -> list[Optimizer]:
    return [
        kind([{"params": [parameter()], "name": "a", **one}, {"params": [parameter()], "name": "b", **other}], lr=0.1)
    ]


RATES = {"lr": 0.1}, {"lr": 0.2}


@pytest.mark.parametrize(
    "optimizers",
    [
        lambda: _two(*RATES),
        lambda: _two({"lr_scale": 0.5}, {}),
        lambda: [SGD([parameter()], lr=0.1), Adam([parameter()], lr=0.2)],
    ],
    ids=["groups", "lr_scale", "optimizers"],
)
@pytest.mark.parametrize(
    "schedule",
    [ph.absolute(CURVE), CURVE.bind(ph.Run(total=100), peak=0.3), ph.noam(64, 10)],
    ids=["absolute", "bound", "noam"],
)
def test_rates_that_level_what_the_groups_were_given_are_warned_of(optimizers: Callable, schedule: object) -> None:
    with pytest.warns(ph.PreheatWarning, match=r"'lr' is the rates themselves.* 2 groups.*write factors, with peak="):
        scheduler = Scheduler(optimizers(), schedule)
    assert len(scheduler.audit().findings) == 1
    assert len(set(scheduler.get_last_lr())) == 1


def test_what_levels_nothing_is_not_warned_of() -> None:
    """Factors, with a peak or without, a line for the very group, and groups that were given one rate."""
    for schedule, options in ((CURVE, {}), (CURVE, {"peak": 0.3}), ({"lr": CURVE, "a/lr": ph.absolute(CURVE)}, {})):
        assert Scheduler(_two(*RATES), schedule, **options).audit().findings == ()
    assert Scheduler(_two({}, {}), ph.absolute(CURVE)).audit().findings == ()


def test_a_weight_decay_that_is_levelled_is_a_finding_alone() -> None:
    plan = {"lr": CURVE, "weight_decay": ph.absolute(ph.hold(0.1))}
    (finding,) = Scheduler(_two({"weight_decay": 0.4}, {"weight_decay": 0.1}), plan).audit().findings
    assert (
        "'weight_decay' is the values themselves, so 2 groups, which were given 0.1 to 0.4, all have the same"
        in finding
    )
    assert Scheduler(_two({"weight_decay": 0.1}, {"weight_decay": 0.0}), plan).audit().findings == ()


def test_a_part_that_is_rounded_away_is_said_at_once_and_a_warmup_of_0_is_not() -> None:
    with pytest.warns(ph.PreheatWarning, match=r"'3%'\) is 0\.48 of one update .* begins without a warmup"):
        scheduler = Scheduler(AdamW([parameter()], lr=1e-3), "warmup(3%) >> decay()", run=ph.Run(total=16))
    assert [finding.partition(" is ")[2][:4] for finding in scheduler.audit().findings] == ["0.48"]
    for meant in ("warmup(0) >> decay()", "warmup(7%) >> decay()", "decay()"):
        scheduler = Scheduler(AdamW([parameter()], lr=1e-3), meant, run=ph.Run(total=16))
        assert scheduler.audit().findings == ()
