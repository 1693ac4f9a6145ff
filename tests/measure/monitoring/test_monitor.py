"""A monitor tells what updates do to layers, raises the alarm, and changes nothing."""

import json
import math
import os
import warnings
from contextlib import nullcontext
from itertools import islice

import pytest
import torch
from torch import nn

from preheat import PreheatError, Run, decay, warmup
from preheat.core.errors import PreheatWarning
from preheat.lab.tasks import load
from preheat.lab.tasks.bytes import BytesOptions
from preheat.lab.tasks.digits import DigitsOptions
from preheat.lab.tasks.training import build_optimizer, cross_entropy
from preheat.measure import Monitor, watched
from preheat.measure.monitoring.alarms import LIMITS, QUIET, Alarms
from preheat.measure.monitoring.history import Reader
from preheat.measure.monitoring.layers import turned
from preheat.torch import Scheduler

# the weights of the small model are small: its updates are large, and said to be
pytestmark = pytest.mark.filterwarnings("ignore::preheat.core.errors.PreheatWarning")
OPTIMIZERS = [
    (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    (torch.optim.Adam, {"weight_decay": 0.1}),
    (torch.optim.AdamW, {"fused": True, "amsgrad": True}),
    (torch.optim.AdamW, {"lr": torch.tensor(0.01)}),
    (torch.optim.RMSprop, {"momentum": 0.5, "centered": True}),
    (torch.optim.Adagrad, {}),
    (torch.optim.NAdam, {}),
    (torch.optim.RAdam, {}),
    (torch.optim.Adadelta, {}),
    (torch.optim.Rprop, {}),
    (torch.optim.LBFGS, {}),
]
IDS = [f"{kind.__name__}{place}" for place, (kind, _) in enumerate(OPTIMIZERS)]


def lines(path) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def records(path) -> list[dict]:
    return [one for one in lines(path) if one["type"] == "record"]


def _go(one, updates: int, monitor: Monitor | None = None, parts: int = 1) -> None:
    """Train on, with clipping and accumulation."""
    for t in range(updates):

        def closure(t=t):
            one.optimizer.zero_grad()
            for part in range(parts):
                loss = one.loss(one.batches[(t + part) % 8]) / parts
                if monitor is not None:
                    monitor.loss(loss * parts)
                loss.backward()
            norm = nn.utils.clip_grad_norm_(one.model.parameters(), 0.5)
            if monitor is not None:
                monitor.gradient(norm)
            return loss

        if isinstance(one.optimizer, torch.optim.LBFGS):
            one.optimizer.step(closure)
        else:
            closure()
            one.optimizer.step()


def _made(trained, kind, settings):
    if kind is not torch.optim.LBFGS:
        return trained(kind, **settings)
    one = trained()
    one.optimizer = torch.optim.LBFGS(one.model.parameters(), lr=0.01)
    return one


@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS, ids=IDS)
@pytest.mark.parametrize("parts", [1, 2])
def test_nothing_of_the_training_changes(trained, kind, settings, parts, tmp_path):
    def bits(one):
        numbers = list(one.model.state_dict().values())
        for state in one.optimizer.state.values():
            numbers += [x for x in state.values() if isinstance(x, torch.Tensor)]
        numbers += [p.grad for p in one.model.parameters()]
        return [x.clone() for x in numbers], torch.get_rng_state()

    without = _made(trained, kind, settings)
    _go(without, 6, parts=parts)
    expected, generator = bits(without)
    one = _made(trained, kind, settings)
    with Monitor(one.model, one.optimizer, tmp_path / "m.jsonl", every=1) as monitor:
        _go(one, 6, monitor, parts)
    found, after = bits(one)
    assert len(records(tmp_path / "m.jsonl")) == 6
    assert len(found) == len(expected)
    assert all(map(torch.equal, found, expected))
    assert torch.equal(after, generator)
    assert not one.optimizer._optimizer_step_pre_hooks
    assert not one.optimizer._optimizer_step_post_hooks


def test_a_compiled_model_is_told_under_its_own_names(trained, tmp_path):
    one, other = trained(), trained()
    compiled = torch.compile(one.model, backend="eager")
    plain, one.model = one.model, compiled
    torch.manual_seed(5)
    with Monitor(compiled, one.optimizer, tmp_path / "m.jsonl", every=1, named=["head"]) as monitor:
        _go(one, 3, monitor)
    torch.manual_seed(5)
    _go(other, 3)
    assert all(map(torch.equal, plain.state_dict().values(), other.model.state_dict().values()))
    assert lines(tmp_path / "m.jsonl")[0]["names"] == ["body.0", "body.1", "head"]


def test_the_numbers_are_those_of_their_definitions(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    x = torch.randn(8, 3)
    for at in range(3):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        before = [torch.cat([p.detach().flatten().double() for p in layer.parameters()]) for layer in model]
        slopes = torch.cat([p.grad.flatten().double() for p in model.parameters()])
        with Monitor(model, optimizer, tmp_path / f"{at}", every=1, named=["0", "1"], update=0) as monitor:
            monitor.loss(loss)
            optimizer.step()
        after = [torch.cat([p.detach().flatten().double() for p in layer.parameters()]) for layer in model]
        (record,) = records(tmp_path / f"{at}")
        moved = torch.cat(before) - torch.cat(after)
        for name, w, now in zip("01", before, after, strict=True):
            angle = torch.acos((w @ now / w.norm() / now.norm()).clamp(max=1.0))
            assert record["relative"]["named"][name] == pytest.approx(float((now - w).norm() / w.norm()), rel=1e-4)
            assert record["angular"]["named"][name] == pytest.approx(float(angle), rel=1e-3)
        assert record["gradient"] == pytest.approx(float(slopes.norm()), rel=1e-5)
        assert record["alignment"] == pytest.approx(float(slopes @ moved / slopes.norm() / moved.norm()), rel=1e-4)
        assert record["head"] == pytest.approx(float(after[1].norm() / before[1].norm()), rel=1e-5)
        assert record["loss"] == pytest.approx(loss.item())
        assert record["rate"] == 0.01


@pytest.mark.parametrize("fused", [False, True])
def test_updates_that_a_scaler_skips_are_not_counted(trained, fused, tmp_path):
    one = trained(fused=fused, updates=0)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    norms = []
    with Monitor(one.model, one.optimizer, tmp_path / "m.jsonl", every=1) as monitor:
        for t, (x, y) in enumerate(one.batches):
            one.optimizer.zero_grad()
            loss = one.loss((x, y * math.inf if t in (2, 5) else y))
            monitor.loss(1.0 + t)
            scaler.scale(loss).backward()
            norms.append(math.hypot(*(float(p.grad.norm()) / scaler.get_scale() for p in one.model.parameters())))
            scaler.step(one.optimizer)
            scaler.update()
    found = records(tmp_path / "m.jsonl")
    assert [one["update"] for one in found] == [0, 1, 2, 3, 4, 5]
    assert [one["gradient"] for one in found] == pytest.approx([x for x in norms if math.isfinite(x)], rel=1e-4)
    assert found[-1]["loss"] == 8.0
    assert "not finite" not in {one.kind for one in monitor.events}
    assert lines(tmp_path / "m.jsonl")[-1] == {"type": "end", "update": 6, "reason": "closed"}


def test_several_optimizers_are_one_record(trained, tmp_path):
    one = trained(updates=0)
    first = torch.optim.SGD(one.model.body.parameters(), lr=0.1)
    second = torch.optim.Adam(one.model.head.parameters(), lr=0.2)
    with Monitor(one.model, [first, second], tmp_path / "m.jsonl", every=2) as monitor:
        for t, batch in enumerate(one.batches):
            one.model.zero_grad()
            loss = one.loss(batch)
            monitor.loss(loss)
            loss.backward()
            first.step()
            if t != 4:
                second.step()
    found = records(tmp_path / "m.jsonl")
    assert [one["update"] for one in found] == [0, 2, 4, 6]
    assert [len(one["relative"]["worst"]) for one in found] == [3, 3, 2, 3]
    assert [one["rate"] for one in found] == [0.2, 0.2, 0.1, 0.2]


def test_a_run_that_was_killed_goes_on_in_its_file(trained, tmp_path):
    path, one = tmp_path / "m.jsonl", trained(updates=0)
    monitor = Monitor(one.model, one.optimizer, path, every=2)
    _go(one, 7, monitor)
    with path.open("a") as file:
        file.write('{"type": "rec')  # what a kill leaves
    first = watched(path).history
    assert [one["update"] for one in first.records] == [0, 2, 4, 6]
    assert first.ended is None
    again = trained(updates=0)
    again.optimizer.load_state_dict(one.optimizer.state_dict())
    for state in again.optimizer.state.values():
        state["step"].fill_(5)  # a checkpoint from before the kill
    with Monitor(again.model, again.optimizer, path, every=2, plan=warmup(5)) as other:
        assert other.update == 5
        _go(again, 4, other)
    history = watched(path).history
    assert [one["update"] for one in history.records] == [0, 2, 4, 6, 8]
    assert (history.damaged, history.ended, history.header["plan"]) == (1, "closed", "ramp(0.0, 1.0, 5)")
    assert history.records[-1]["head"] == pytest.approx(
        float(torch.cat([p.flatten() for p in again.model.head.parameters()]).norm().detach())
        / history.first["head"]["norm"]
    )


def test_where_the_run_stands_has_to_be_known(trained, tmp_path):
    one = trained(torch.optim.SGD)
    with Monitor(one.model, one.optimizer, tmp_path / "m.jsonl") as monitor:
        _go(one, 3, monitor)
    with pytest.raises(PreheatError, match="write update="):
        Monitor(one.model, one.optimizer, tmp_path / "m.jsonl")
    Monitor(one.model, one.optimizer, tmp_path / "m.jsonl", update=3).close()


class Sharded(nn.Parameter):
    placements = ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": 3}, "model is a torch.nn.Module"),
        ({"model": nn.Linear(2, 2)}, "none of the model's parameters"),
        ({"optimizer": 3}, "tells when an update is applied"),
        ({"every": 0}, "every is a whole number"),
        ({"head": "heat"}, "no layer 'heat'; did you mean 'head'"),
        ({"named": ["body"]}, "no layer 'body'"),
        ({"limits": {"heads": 2}}, "no limit 'heads'"),
        ({"limits": {"head growth": 0}}, "must be above 0"),
        ({"update": -1}, "number of the coming update"),
    ],
)
def test_what_cannot_be_watched_is_refused(trained, given, words):
    one = trained()
    with pytest.raises(PreheatError, match=words):
        Monitor(**{"model": one.model, "optimizer": one.optimizer, **given})
    assert not one.optimizer._optimizer_step_pre_hooks


def test_sharded_parameters_are_refused(trained):
    one = trained()
    one.model.head.weight = Sharded(one.model.head.weight.detach())
    with pytest.raises(PreheatError, match="sharded"):
        Monitor(one.model, one.optimizer)


def test_another_model_and_another_kind_of_file_are_refused(trained, tmp_path):
    one = trained()
    model = nn.Linear(2, 2)
    Monitor(model, torch.optim.SGD(model.parameters()), tmp_path / "m.jsonl").close()
    with pytest.raises(PreheatError, match="other layers"):
        Monitor(one.model, one.optimizer, tmp_path / "m.jsonl")
    (tmp_path / "x").write_text("step,loss\n")
    with pytest.raises(PreheatError, match="no file of a preheat monitor"):
        Monitor(one.model, one.optimizer, tmp_path / "x")
    assert (tmp_path / "x").read_text() == "step,loss\n"


def test_numbers_that_are_not_finite_are_null_and_an_alarm(trained, tmp_path):
    one = trained()
    with Monitor(one.model, one.optimizer, tmp_path / "m.jsonl", every=1, update=0) as monitor:
        monitor.loss(math.nan)
        one.model.head.weight.grad.fill_(math.inf)
        with pytest.warns(PreheatWarning, match="update 0: the loss is not finite"):
            one.optimizer.step()
    (record,) = records(tmp_path / "m.jsonl")
    assert record["loss"] is None
    assert record["gradient"] is None
    assert {"loss", "gradient"} <= set(record["not_finite"])
    assert {"the loss is not finite", "gradient is not finite"} <= {one.what for one in monitor.events}


def test_a_schedule_beside_it_goes_on_as_it_would(trained):
    one = trained(updates=0)
    scheduler = Scheduler(one.optimizer, warmup(10), run=Run(total=20))
    with Monitor(one.model, one.optimizer, every=1):
        for _ in range(4):
            _go(one, 1)
            scheduler.step()
    assert scheduler.position == 4
    assert "no update" not in str(scheduler.audit())


def test_layers_that_began_at_0_and_unused_ones_are_not_judged(tmp_path):
    model = nn.ModuleDict({"used": nn.Linear(2, 2), "zero": nn.Linear(2, 2), "unused": nn.Linear(2, 2)})
    nn.init.zeros_(model["zero"].weight), nn.init.zeros_(model["zero"].bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with Monitor(model, optimizer, tmp_path / "m.jsonl", named=["zero", "unused"], head="zero") as monitor:
        (model["used"](torch.ones(2)).sum() + model["zero"](torch.ones(2)).sum()).backward()
        optimizer.step()
    (record,) = records(tmp_path / "m.jsonl")
    assert record["relative"]["named"] == {"zero": None, "unused": 0.0}
    assert record["head"] is None
    assert monitor.events == []


def test_other_ranks_than_0_write_nothing(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    one = trained()
    with Monitor(one.model, one.optimizer, tmp_path / "m.jsonl", every=1) as monitor:
        _go(one, 2, monitor)
    assert not one.optimizer._optimizer_step_post_hooks
    assert list(tmp_path.iterdir()) == []


def test_a_long_run_has_fewer_records(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("preheat.measure.monitoring.monitor.DOUBLED", 4)
    one = trained(updates=0)
    with Monitor(one.model, one.optimizer, tmp_path / "m.jsonl", every=1) as monitor:
        _go(one, 20, monitor)
    assert [one["update"] for one in records(tmp_path / "m.jsonl")] == [0, 1, 2, 3, 4, 6, 8, 10, 12, 16]


# -- alarms --------------------------------------------------------------------------------------------------------


def _record(update: int, worst: float = 1e-3, **more) -> dict:
    return {"update": update, "rate": 0.1, "relative": {"worst": [["a", worst]]}, **more}


def _kinds(given: list[dict], **limits: float) -> list[tuple[int, str]]:
    alarms = Alarms(limits)
    return [(event.update, event.kind) for record in given for event in alarms.record(record)]


def test_an_update_that_stays_too_large_is_told_once():
    assert _kinds([_record(t, 0.011) for t in range(0, 400, 10)]) == [(QUIET, "large update")]
    assert _kinds([_record(t, 0.011 if t % 90 else 0.009) for t in range(0, 400, 10)]) == []
    assert _kinds([_record(t, 0.11) for t in range(0, 90, 10)]) == [(0, "huge update")]
    assert _kinds([_record(t, 0.011) for t in range(0, 400, 10)], **{"large update": 0.02}) == []


def test_layers_that_stay_behind_are_told():
    assert _kinds([_record(t, spread=11.0) for t in range(0, 400, 10)]) == [(QUIET, "stalled layers")]
    assert _kinds([_record(t, spread=None) for t in range(0, 400, 10)]) == []


@pytest.mark.parametrize("power", [0.5, 0.9])
def test_a_head_that_grows_as_a_fresh_one_does_is_no_alarm(power):
    assert _kinds([_record(t, head=1 + 0.02 * t**power) for t in range(0, 5000, 50)]) == []


def test_a_head_that_explodes_is_one():
    growth = [1.5 if t < 3000 else 1.5 + (t - 3000) / 500 for t in range(0, 5000, 50)]
    assert _kinds([_record(50 * at, head=one) for at, one in enumerate(growth)]) == [(3750, "head growth")]


def test_a_rate_of_0_is_told_once_it_stays():
    rates = [0.0, 0.1, 0.0, 0.0, 0.0, 0.1, 0.0]
    assert _kinds([{**_record(t), "rate": rate} for t, rate in enumerate(rates)]) == [(3, "rate 0")]


def test_spikes_of_loss_and_gradient_are_told():
    alarms = Alarms()
    found = [e for t in range(60) for e in alarms.loss(t, 9.0 if t == 50 else 2.0 + 0.1 * (t % 2))]
    found += [e for t in range(60) for e in alarms.gradient(t, 9.0 if t == 50 else 2.0 + 0.1 * (t % 2))]
    assert [(one.update, one.kind, one.value) for one in found] == [
        (50, "loss spike", 9.0),
        (50, "gradient spike", 9.0),
    ]
    assert all(one.write for one in found)


def test_every_limit_says_where_it_is_from():
    assert all(one.value > 0 and one.meaning and one.source for one in LIMITS.values())


# -- real trainings --------------------------------------------------------------------------------------------------


def _trained_task(options, schedule, updates: int) -> set[str]:
    """The kinds of alarm of a training of a built-in task with seed 3, on which no limit was set."""
    task = load(options)
    torch.manual_seed(3)
    model = task.model()
    optimizer = build_optimizer(options, model.parameters())
    scheduler = Scheduler(optimizer, schedule, run=Run(total=updates))
    with Monitor(model, optimizer, every=10) as monitor:
        for x, y in islice(task.batches(3), updates):
            loss = cross_entropy(model(x), y)
            monitor.loss(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    return {one.kind for one in monitor.events}


@pytest.mark.parametrize(
    ("task", "options", "alarm"),
    [
        ("bytes", {"norm": "pre"}, None),
        ("bytes", {"norm": "post"}, "stalled layers"),
        ("digits", {"init_gain": 1.0}, None),
        ("digits", {"init_gain": 2.0}, "huge update"),
    ],
)
def test_alarms_on_bad_runs_and_none_on_sound_ones(task, options, alarm):
    kind = {"bytes": BytesOptions, "digits": DigitsOptions}[task]
    found = _trained_task(kind(**options), decay(), 160)
    assert found == set() if alarm is None else alarm in found


@pytest.mark.parametrize("angle", [1e-5, 1e-3, 0.1, 2.0, math.pi])
def test_an_angle_is_right_however_small_it_is_from_norms_in_single_precision(angle):
    now = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64) * (1 + angle)  # longer, as well
    was = torch.tensor([1.0, 0.0], dtype=torch.float64)
    norms = [float(one.norm().float()) for one in (was, now, now - was)]
    assert turned(*norms) == pytest.approx(angle, rel=1e-3 + 2e-7 / angle)
    same = turned(1.0, 1.0, 2 * math.sin(angle / 2))
    assert same == pytest.approx(angle, rel=1e-7)
    assert math.isnan(turned(0.0, 1.0, 1.0))
    assert math.isnan(turned(1.0, 1.0, math.inf))


# -- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"[]",
        b'{"type": "record"}',
        b'{"type": "record", "update": NaN}',
        b'{"type": "event", "update": 1, "kind": 3}',
        b'{"type": "record", "update": 1, "relative": {"median": "x", "worst": [], "named": {}}, "angular": 3}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_is_passed_over_and_counted(trained, tmp_path, line):
    path, one = tmp_path / "m.jsonl", trained()
    Monitor(one.model, one.optimizer, path).close()
    with path.open("ab") as file:
        file.write(line + b"\n")
    assert watched(path).history.damaged == 1


def test_a_file_is_read_while_it_grows_and_anew_where_it_was_begun_anew(trained, tmp_path):
    path, one = tmp_path / "m.jsonl", trained(updates=0)
    reader = Reader(path)
    assert not reader.more()
    assert reader.history.header is None
    monitor = Monitor(one.model, one.optimizer, path, every=1)
    assert reader.more()
    assert not reader.more()
    _go(one, 3, monitor)
    assert reader.more()
    assert len(reader.history.records) == 3
    path.unlink()
    other = trained(updates=0)
    Monitor(other.model, other.optimizer, path).close()
    assert reader.more()
    assert reader.history.records == []
    assert reader.history.ended == "closed"
    monitor.close()


TORN = [
    b'{"type": "header", "format": "preheat.mon',
    b'{"ty',
    b'{"type": "header", "format": "preheat.monitor", "vers\x00\x00',
]


@pytest.mark.parametrize("left", [*TORN, b"\n"])
def test_a_file_that_was_killed_in_its_first_line_is_gone_on_with_and_read(trained, tmp_path, left):
    path, one = tmp_path / "m.jsonl", trained(updates=0)
    path.write_bytes(left)
    with Monitor(one.model, one.optimizer, path, every=1) as monitor:
        _go(one, 2, monitor)
    history = watched(path).history
    assert [one["update"] for one in history.records] == [0, 1]
    assert history.damaged == (left != b"\n")


@pytest.mark.parametrize("left", [bytes(100), b"step,loss", b'{"a": 1}', b"\x89PNG\r\n\x1a\n", b'{"type": "record"}\n'])
def test_whatever_is_not_a_monitors_file_is_left_as_it_is(trained, tmp_path, left):
    path, one = tmp_path / "foreign", trained()
    path.write_bytes(left)
    for read in (lambda: Monitor(one.model, one.optimizer, path), lambda: watched(path)):
        with pytest.raises(PreheatError, match=r"foreign is no file of a preheat monitor, it begins with b'"):
            read()
    assert path.read_bytes() == left
    assert not one.optimizer._optimizer_step_pre_hooks


def test_a_header_behind_damage_is_found(trained, tmp_path):
    path, one = tmp_path / "m.jsonl", trained(updates=0)
    Monitor(one.model, one.optimizer, path).close()
    path.write_bytes(bytes(100) + b"\n" + path.read_bytes())
    assert watched(path).history.ended == "closed"


def test_devices_pipes_and_folders_are_no_files(trained, tmp_path):
    one = trained()
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/full", "/dev/null", tmp_path / "pipe", tmp_path):
        with pytest.raises(PreheatError, match=f"{path} is no file"):
            Monitor(one.model, one.optimizer, path)


def test_another_version_says_which_file(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"type": "header", "format": "preheat.monitor", "version": 9}\n')
    with pytest.raises(PreheatError, match=r"m.jsonl: the version of a monitor's file is 1, not 9"):
        watched(tmp_path / "m.jsonl")


def test_a_second_monitor_of_one_file_is_said(trained, tmp_path):
    one = trained(updates=0)
    first = Monitor(one.model, one.optimizer, tmp_path / "m.jsonl", update=0)
    with pytest.warns(PreheatWarning, match=r"m.jsonl is being written by another monitor"):
        Monitor(one.model, one.optimizer, tmp_path / "m.jsonl", update=0).close()
    first.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Monitor(one.model, one.optimizer, tmp_path / "m.jsonl", update=0).close()


# -- it never stops a training ---------------------------------------------------------------------------------------


class Kinds(nn.Module):
    """Parameters of every kind that an optimizer takes."""

    def __init__(self, kind: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 2).to(kind), requires_grad=kind.is_floating_point or kind.is_complex)
        self.beside = nn.Parameter(torch.ones(2, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))


KINDS = [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex64, torch.complex128]
KINDS += [torch.int64, torch.uint8, torch.bool, torch.float8_e4m3fn]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_whatever_the_weights_are_made_of_the_update_is_applied_and_told(kind, tmp_path):
    model = Kinds(kind)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    learns = kind not in KINDS[6:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Monitor(model, optimizer, tmp_path / "m.jsonl", limits={"huge update": 9}, head=None) as monitor:
            monitor.loss(torch.tensor(1e300, dtype=torch.float64))
            for one in model.parameters():
                one.grad = torch.full_like(one, 0.25) if learns or one is model.beside else None
            optimizer.step()
    assert model.beside.tolist() == [0.875, 0.875]
    (record,) = records(tmp_path / "m.jsonl")
    moved, whole = (8, 8) if learns else (2, 8)
    assert record["relative"]["worst"] == [["model", pytest.approx(0.125 * math.sqrt(moved / whole), rel=1e-3)]]
    assert record["gradient"] == pytest.approx(0.25 * math.sqrt(moved), rel=1e-3)
    assert record["loss"] == 1e300


@pytest.mark.parametrize("place", ["before", "after", "told", "written", "closed"])
def test_a_monitor_that_fails_says_so_once_and_the_training_goes_on(trained, tmp_path, monkeypatch, place):
    def fail(*_args, **_more):
        raise OSError(28, "No space left on device") if place == "written" else RuntimeError("of an unknown\nkind")

    def train(with_it: bool):
        one = trained(updates=0)
        with Monitor(one.model, one.optimizer, tmp_path / "m", every=1) if with_it else nullcontext() as monitor:
            if with_it and place != "closed":
                monkeypatch.setattr(*where)
            _go(one, 4, monitor)
            if with_it and place == "closed":
                monkeypatch.setattr(*where)
        return one

    shot, monitored = "preheat.measure.monitoring.layers.Shot", "preheat.measure.monitoring.monitor"
    where = {
        "before": (f"{shot}.before", fail),
        "after": (f"{shot}.after", fail),
        "told": (f"{monitored}.layer_moves", fail),
        "written": ("os.write", fail),
        "closed": (f"{monitored}.Monitor._send", fail),
    }[place]
    expected = train(False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = train(True)
    assert all(map(torch.equal, found.model.state_dict().values(), expected.model.state_dict().values()))
    (one,) = [str(one.message) for one in said if "watches no more; training goes on" in str(one.message)]
    assert ("No space left" if place == "written" else "of an unknown�kind") in one
    assert not found.optimizer._optimizer_step_pre_hooks
    monkeypatch.undo()
    if place != "written":
        assert watched(tmp_path / "m").history.ended.startswith("the monitor failed: RuntimeError")


def test_what_is_told_has_to_be_a_number(trained):
    one = trained()
    with Monitor(one.model, one.optimizer) as monitor:
        with pytest.raises(PreheatError, match="a gradient norm is not below 0"):
            monitor.gradient(-1.0)
        for value in (torch.tensor(1j), 1j, torch.ones(2), "1"):
            with pytest.raises(PreheatError, match="'loss' must be one number"):
                monitor.loss(value)


def test_a_comparison_is_told_every_alarm_in_the_order_of_updates(trained):
    told, one = [], trained(updates=0)
    with Monitor(one.model, one.optimizer, every=4, log=lambda step, **more: told.append((step, more))) as monitor:
        for t in range(9):
            monitor.loss(math.nan if t == 7 else 1.0)
            monitor.gradient(math.inf if t == 6 else 1.0)
            _go(one, 1)
    assert {(step, *more) for step, more in told} == {(e.update, f"monitor/{e.kind}") for e in monitor.events}
    assert [step for step, _ in told] == sorted(step for step, _ in told)
    assert {6, 7} <= {step for step, _ in told}


def test_a_name_of_a_layer_moves_no_cursor():
    model = nn.ModuleDict({"a\x1b[2J\nb": nn.Linear(2, 2)})
    optimizer = torch.optim.SGD(model.parameters(), lr=9.0)
    monitor = Monitor(model, optimizer)
    model["a\x1b[2J\nb"](torch.ones(2)).sum().backward()
    with pytest.warns(PreheatWarning) as said:
        optimizer.step()
    monitor.close()
    assert all(str(one.message).isprintable() for one in said)


def test_what_is_known_no_longer_is_said(trained, tmp_path):
    one = trained(updates=0)
    with Monitor(one.model, one.optimizer, tmp_path / "m", every=1) as monitor:
        assert "0 records. Alarms" in watched(tmp_path / "m").sentence
        _go(one, 1, monitor)
        with torch.no_grad():
            for weight in one.model.parameters():
                weight.fill_(math.inf)
        _go(one, 1, monitor)
    assert "which it is no longer: numbers are not finite" in watched(tmp_path / "m").sentence


def test_what_was_written_is_a_sentence_and_a_picture(trained, tmp_path):
    path, one = tmp_path / "m.jsonl", trained(updates=0)
    with Monitor(one.model, one.optimizer, path, every=1) as monitor:
        _go(one, 3, monitor)
    found = watched(path)
    assert "3 records up to update 2" in str(found)
    assert "no proof" in found.sentence
    assert "<svg" in found.plot()
    with pytest.raises(PreheatError, match="nothing of a monitor"):
        watched(tmp_path / "none")
