"""Checkpoints, as they are saved in the field: where they stand, what they follow, what another plan would change."""

import json
import os
import pickle

import pytest
import torch
from torch.distributed import checkpoint as dcp
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    SequentialLR,
    StepLR,
)

import preheat as ph
from preheat import PreheatError, Run, StateError, check, compat
from preheat.review.checkpoints.resumed import coming
from preheat.review.opened import opened, subject_of
from preheat.torch import Scheduler

PLAN = ph.warmup(5) >> ph.decay()


def trained(build, updates=7, **group):
    """The states of an optimizer and of its scheduler after some updates."""
    model = torch.nn.Linear(2, 2)
    optimizer = AdamW([{"params": [model.weight], **group}, {"params": [model.bias], "weight_decay": 0.0}], lr=3e-4)
    scheduler = build(optimizer)
    for _ in range(updates):
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        scheduler.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}


def ours(optimizer):
    return Scheduler(optimizer, PLAN, run=Run(total=20))


@pytest.fixture
def saved(tmp_path):
    def save(states, name="a.pt"):
        torch.save(states, tmp_path / name)
        return tmp_path / name

    return save


def test_a_file_says_where_it_stands_and_what_is_to_come(saved):
    subject = subject_of(saved(trained(ours)))
    assert (subject.position, subject.run, subject.facts.updates) == (7, Run(total=20), 7)
    assert [(one.at, one.value) for one in coming(subject)][:2] == [
        (7, pytest.approx(2.6e-4)),
        (8, pytest.approx(2.4e-4)),
    ]
    assert coming(subject)[-1].at == 19
    assert (subject.facts.beta2, subject.facts.without_decay) == (0.999, ("1",))
    assert check(subject) == ()


def test_lightnings_file_and_a_trainers_folder_and_dcp_are_the_same(saved, tmp_path):
    states = trained(ours)
    lightning = saved(
        {"callbacks": {"ScheduleCallback": states["scheduler"]}, "global_step": 7, "state_dict": {}}, "l.ckpt"
    )
    folder = tmp_path / "checkpoint-7"
    folder.mkdir()
    torch.save(states["scheduler"], folder / "scheduler.pt")
    torch.save(states["optimizer"], folder / "optimizer.pt")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 7, "max_steps": 20}))
    with pytest.warns(UserWarning, match="torch.distributed"):
        dcp.save({"lr_scheduler": states["scheduler"], "optim": states["optimizer"]}, checkpoint_id=tmp_path / "dcp")
    for path in (lightning, folder, tmp_path / "dcp"):
        subject = opened(path)
        assert (subject.target, subject.run, subject.position) == (ph.Plan(PLAN).bind(Run(total=20)), Run(total=20), 7)
    assert opened(tmp_path / "dcp").facts.rates == pytest.approx((2.6e-4, 2.6e-4))


def test_another_plan_is_told_by_the_first_update_that_differs(saved):
    path = saved(trained(ours))
    assert check(path, plan="warmup(5) >> decay()") == ()
    assert check(path, plan="absolute(ramp(0.0, 3e-4, 5) >> ramp(3e-4, 0.0, 15))") == ()
    (found,) = check(path, plan="warmup(5) >> decay(6) >> decay().scaled(0.6)", ignore=("jump",))
    assert (found.code, found.place) == ("resume-differs", "update 7")
    later = "absolute((warmup(5) >> decay(15)).scaled(3e-4) + (hold(0.0, 12) >> hold(1e-5, 8)))"
    (found,) = check(path, plan=later, ignore=("jump",))
    assert "the first update to differ is 12" in found.what
    assert "the largest difference is 1e-05" in found.what


def test_the_update_that_is_named_is_the_one_at_which_resuming_differs(saved):
    states = trained(ours)
    optimizer = AdamW([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    longer = Scheduler(optimizer, PLAN, run=Run(total=40), on_change="adopt")
    longer.load_state_dict(states["scheduler"])
    (found,) = [one for one in check(saved(states), Run(total=40), plan=PLAN) if one.code == "resume-differs"]
    assert found.place == "update 7"
    assert repr(longer.get_last_lr()[0])[:8] in found.what


def test_a_total_alone_keeps_the_plan_in_updates(saved):
    (found,) = check(saved(trained(ours)), Run(total=40))
    assert (found.code, found.place) == ("floor-early", "update 20")


def test_a_function_is_not_in_a_state_so_the_plan_is_asked_for(saved):
    path = saved(trained(lambda optimizer: LambdaLR(optimizer, lambda t: 1 / (1 + t))))
    (found,) = check(path)
    assert (found.code, found.place) == ("unknown-plan", "update 7")
    assert "3.75e-05" in found.what
    with pytest.raises(PreheatError, match="LambdaLR saves no function"):
        subject_of(path)
    (found,) = check(path, Run(total=20), plan=PLAN)
    assert "the saved rate is 3.75e-05, and this plan gives 0.00026 at update 7" in found.what
    assert check(path, Run(total=20), plan="absolute(hold(3.75e-5))") == ()


TORCH = {
    "cosine": lambda o: CosineAnnealingLR(o, 20, eta_min=1e-5),
    "linear": lambda o: LinearLR(o, 0.1, total_iters=10),
    "step": lambda o: StepLR(o, 3),
    "multistep": lambda o: MultiStepLR(o, [3, 3, 6], 0.5),
    "sequential": lambda o: SequentialLR(o, [LinearLR(o, 0.1, total_iters=3), CosineAnnealingLR(o, 17)], [3]),
}


@pytest.mark.skipif("torch" not in compat.PEERS, reason="torch's schedulers are not restated here")
@pytest.mark.parametrize("name", TORCH)
def test_one_of_torchs_is_told_by_its_state_and_goes_on_as_it_does(saved, name):
    states = trained(TORCH[name])
    subject = subject_of(saved(states))
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    scheduler = TORCH[name](optimizer)
    for update in range(15):
        assert subject.target(update) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("name", TORCH)
def test_what_is_known_of_one_of_torchs(saved, name):
    states = trained(TORCH[name])
    facts = opened(saved(states)).facts
    assert facts.updates == 7
    assert facts.scheduler.kind == type(TORCH[name](SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1))).__name__
    assert facts.scheduler.bases[0] == 3e-4
    assert facts.rates[0] == pytest.approx(states["optimizer"]["param_groups"][0]["lr"])


class Thief:
    def __reduce__(self):
        return os.system, ("touch stolen",)


def test_nothing_but_tensors_and_plain_data_is_read(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StateError, match="more than tensors and plain data"):
        check(saved({"scheduler": Thief()}))
    (tmp_path / "dcp").mkdir()
    (tmp_path / "dcp" / ".metadata").write_bytes(pickle.dumps(Thief()))
    with pytest.raises(StateError, match="which no index holds"):
        check(tmp_path / "dcp")
    assert not (tmp_path / "stolen").exists()


def test_what_is_damaged_or_something_else_is_refused(saved, tmp_path):
    path = saved(trained(ours))
    path.write_bytes(path.read_bytes()[:1000])
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / ".metadata").write_bytes(b"\x80\x02")
    for wrong in (path, tmp_path / "empty", tmp_path / "cut", saved({"model": {"w": torch.zeros(2)}}, "m.pt")):
        with pytest.raises(PreheatError):
            check(wrong)


def test_an_entry_of_a_folder_cannot_lead_outside(tmp_path):
    with pytest.warns(UserWarning, match="torch.distributed"):
        dcp.save({"scheduler": trained(ours)["scheduler"]}, checkpoint_id=tmp_path / "dcp")
    index = tmp_path / "dcp" / ".metadata"
    content = pickle.loads(index.read_bytes())
    for info in content.storage_data.values():
        info.relative_path = "../outside"
    index.write_bytes(pickle.dumps(content))
    with pytest.raises(StateError, match="lies outside"):
        check(tmp_path / "dcp")


# -- the rates that it holds --------------------------------------------------------------------------------------------


def test_a_peak_beside_a_checkpoint_does_not_change_the_rates_that_it_holds(saved):
    one, other = saved(trained(ours), "one.pt"), saved(trained(ours, lr=1e-4), "other.pt")
    rates = saved(trained(lambda optimizer: LinearLR(optimizer, 0.1, total_iters=10)), "torch.pt")
    for path, what in ((one, "one.pt holds what its factors multiply, 0.0003, not 0.2"), (rates, "these are rates")):
        with pytest.raises(PreheatError, match=what):
            ph.explain(path, peak=0.2)
    assert ph.explain(one).lines[0].peak == pytest.approx(3e-4)
    assert ph.explain(one, peak=3e-4).lines[0].peak == pytest.approx(3e-4)
    with pytest.raises(PreheatError, match="both are rates or hold theirs"):
        ph.diff(one, other, peak=3e-4)
    assert not ph.diff(one, "warmup(5) >> decay()", peak=3e-4)
    assert ph.diff(one, "warmup(5) >> decay()", peak=2e-4)


def test_groups_of_different_rates_are_a_line_each(saved):
    equal, apart = saved(trained(ours), "equal.pt"), saved(trained(ours, lr=1e-4), "apart.pt")
    found = ph.explain(apart)
    assert [(one.line.key, one.peak) for one in found.lines] == [
        ("0/lr", pytest.approx(1e-4)),
        ("1/lr", pytest.approx(3e-4)),
    ]
    assert "which is not known here" not in " ".join(found.sentences)
    assert [(one.key, one.first is None) for one in ph.diff(apart, equal).lines] == [("0/lr", False), ("1/lr", True)]
    assert [(one.key, one.first is None) for one in ph.diff(equal, apart).lines] == [("0/lr", False), ("1/lr", True)]
    assert ph.diff(apart, "warmup(5) >> decay()", peak=3e-4)
    with pytest.raises(PreheatError, match=r"apart.pt holds what its factors multiply, 0.0001, 0.0003, not 0.0003"):
        ph.explain(apart, peak=3e-4)
    torchs = saved(trained(lambda o: LinearLR(o, 0.1, total_iters=10), lr=1e-4), "torch.pt")
    said = "The groups of torch.pt began with the rates 0.0001, 0.0003; told here is the first one's."
    assert said in ph.explain(torchs).sentences
    assert said in ph.diff(torchs, torchs).sentences


def test_a_run_that_is_over_stands_where_it_stands(saved):
    found = ph.explain(saved(trained(ours, updates=23)))
    assert "It stands at update 23: the run is over, since 3 updates." in found.sentences
    over = ph.explain(saved(trained(ours, updates=20)))
    assert "It stands at update 20: the run is over." in over.sentences
    endless = ph.explain(saved(trained(lambda o: Scheduler(o, ph.warmup(5) >> ph.hold()), updates=20)))
    assert "It stands at update 20." in endless.sentences
    assert "still to come" not in " ".join(endless.sentences)


def test_named_groups_follow_the_line_of_their_family(tmp_path):
    names = {"body/decay": 0.1, "body/plain": 0.2, "head": 0.4}
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": lr, "name": name} for name, lr in names.items()]
    scheduler = Scheduler(AdamW(groups), {"lr": "hold(1, 9)", "body/lr": "relative(hold(0.5, 9))"}, run=Run(total=9))
    torch.save({"scheduler": scheduler.state_dict()}, tmp_path / "named.pt")
    found = ph.explain(tmp_path / "named.pt")
    assert {one.line.key: one.peak for one in found.lines} == pytest.approx(
        {"body/decay/lr": 0.05, "body/plain/lr": 0.1, "head/lr": 0.4}
    )


def test_another_peak_and_another_clock_are_not_looked_past(saved):
    path = saved(trained(ours))
    (found,) = check(path, plan=PLAN, peak=1e-4)
    assert (found.code, found.place) == ("resume-differs", "update 7")
    path = saved(trained(lambda o: CosineAnnealingLR(o, 20)), "cosine.pt")
    (found,) = check(path, Run(total=20), plan="decay(shape=cosine)", peak=1e-4)
    assert found.code == "resume-differs"
    assert check(path, Run(total=20), plan="decay(shape=cosine)", peak=3e-4) == ()
    for wrong in ({"run": Run(clock="epoch"), "plan": PLAN}, {"run": Run(clock="epoch")}, {"peak": 1e-4}):
        with pytest.raises(PreheatError):
            check(saved(trained(ours)), **wrong)


def test_an_optimizer_alone_says_its_rate_and_what_is_not_known(saved):
    model = torch.nn.Linear(2, 2)
    for cls, known in ((AdamW, True), (SGD, False)):
        optimizer = cls(model.parameters(), lr=0.1)
        for _ in range(7):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
        path = saved(optimizer.state_dict())
        assert (opened(path).facts.updates == 7) is known
        (found,) = check(path, Run(total=200), plan="warmup(5%) >> decay()", ignore=("zero-start", "short-warmup"))
        assert found.code == "unknown-plan"
        assert ("times the peak" in found.what) is known
        codes = [one.code for one in check(path, Run(total=200), plan="warmup(5%) >> decay()", peak=0.1)]
        assert ("resume-differs" in codes) is known
        assert "zero-start" not in codes or known


def test_a_second_scheduler_is_told(saved):
    both = {"generator": trained(ours)["scheduler"], "critic": trained(ours, 9)["scheduler"]}
    assert [one.code for one in check(saved(both))] == ["not-carried"]
    assert check(saved({"a": both["critic"], "b": both["critic"]})) == ()


def test_a_state_of_torchs_says_no_run_and_ends_where_the_run_does(saved):
    assert check(saved(trained(lambda o: LinearLR(o, total_iters=500)))) == ()
    path = saved(trained(lambda o: CosineAnnealingLR(o, 1000)))
    assert check(path) == check(path, Run(total=1000)) == ()
    assert "after-the-end" in [one.code for one in check(path, Run(total=1500))]


def test_a_chain_says_the_rates_that_all_its_members_made(saved):
    chained = lambda o: ChainedScheduler([LinearLR(o, 0.1, total_iters=3), LambdaLR(o, lambda t: 0.5)])  # noqa: E731
    states = trained(chained)
    (found,) = check(saved(states))
    assert f"{states['optimizer']['param_groups'][0]['lr']:g}" in found.what
    chained = lambda o: ChainedScheduler([LinearLR(o, 0.1, total_iters=3), ExponentialLR(o, 0.9)])  # noqa: E731
    assert check(saved(trained(chained))) == ()
