"""What users of other schedulers suffer, and what they get here: ends and edges, tensors, groups, memory.

One test a symptom; the docstring lists the threads that reported it, with the abbreviations of test_symptoms.py.
"""

import contextlib
import copy
import gc
import io
import math
import pickle
import weakref

import numpy
import pytest
import torch
from small_runs import drawn, rate, rates, sgd, update
from torch import tensor
from torch.optim import SGD, AdamW
from torch.optim import lr_scheduler as peers

import preheat as ph
from preheat.torch import Scheduler

# -- G: ends and edges -----------------------------------------------------------------------------------------------


def test_a_warmup_of_no_or_one_update_is_over() -> None:
    """pt#193682, PR#195853, PR#189374; DS#771, #1497, PR#310; HeavyBall#29; PEERS §5.14: stuck at its first value for good."""
    optimizer = sgd()
    assert rates(optimizer, peers.LinearLR(optimizer, 0.1, total_iters=0), 3) == pytest.approx([0.01] * 3)
    assert drawn(ph.warmup(0) >> ph.hold(), 3) == drawn(ph.warmup(0), 3) == [1.0] * 3
    assert drawn(ph.warmup(1, start=0.1) >> ph.hold(), 3) == [0.1, 1.0, 1.0]


def test_any_factor_may_be_held_and_any_start_warmed_up_from() -> None:
    """pt#185006, #194712, PR#185007, #86454: a factor of 0 is accepted and crashes; a warmup from 0 is forbidden."""
    assert drawn(ph.hold(0.0, 2) >> ph.warmup(2) >> ph.hold(), 6) == [0, 0, 0, 0.5, 1, 1]


@pytest.mark.parametrize(
    "schedule",
    [
        ph.warmup(4) >> ph.decay(),
        ph.decay(shape="cosine"),
        ph.one_cycle(4, pct_start=0.25),
        ph.polynomial(4),
        ph.linear(4, warmup_steps=4),
        ph.wsd(4, warmup_steps=2, decay_steps=2),
    ],
)
def test_phases_may_be_as_short_as_they_are(schedule: ph.Schedule) -> None:
    """pt PR#169107, #174025, #180187, #42447; torchtitan#1010; keras PR#18722; ultralytics PR#25321; PEERS §5.22:
    ZeroDivisionError or NaN for T = 0, T = W, pct_start·T = 1."""
    assert all(math.isfinite(value) for value in drawn(schedule, 8, run=ph.Run(total=4)))


def test_a_warmup_longer_than_the_run_is_refused_before_it_starts() -> None:
    """yolov7#1472; ultralytics PR#25321; verl#1041: training ends in the middle of its warmup, unnoticed."""
    with pytest.raises(ph.BindError, match="need 12 steps and the run has 10"):
        drawn(ph.warmup(12) >> ph.decay(), 1, run=ph.Run(total=10))


@pytest.mark.parametrize("shape", ["linear", "cosine", "sqrt", "square", "smooth", "mirror-cosine", "exponential"])
def test_past_the_end_the_last_value_holds(shape: str) -> None:
    """tf#132; EAGLE#107; probly#557; villa#1495; UniRL#223; adaptor#15; PEERS §5.12, §5.13: it climbs back to the peak, goes
    negative, or raises."""
    optimizer = sgd(1.0)
    assert max(rates(optimizer, peers.CosineAnnealingLR(optimizer, 5), 11)[6:]) == pytest.approx(1.0)
    floor = 0.01 if shape == "exponential" else 0.0
    seen = drawn(ph.warmup(2) >> ph.decay(5, to=floor, shape=shape), 40)
    assert seen[7:] == [floor] * 33
    assert min(seen[2:]) >= floor
    cycle = drawn(ph.one_cycle(10), 15)
    assert cycle[10:] == [cycle[10]] * 5


@pytest.mark.parametrize("lr", [1, 3, 1e-30, 1e-3, 1e30])
def test_the_size_and_the_type_of_the_rate_do_not_matter(lr: float) -> None:
    """keras (an int rate: the whole run is 0); ParlAI PR#4384 (below 1 the warmup never ends); PEERS §5.15."""
    assert drawn(ph.warmup(4) >> ph.hold(), 6, lr=lr) == pytest.approx([lr * f for f in (0, 0.25, 0.5, 0.75, 1, 1)])


def test_the_first_and_the_peak_rate_are_what_is_written() -> None:
    """gpt-neox#1373, bert#1293, verl#3674, torchtitan PR#1284, DS PR#5287; PEERS §5.16, §5.17: the first update does nothing,
    or the first two; the peak is .09997, or never reached."""
    from_zero = drawn(ph.warmup(4) >> ph.decay(4), 9, lr=0.1)
    assert (from_zero[0], from_zero[1], max(from_zero), from_zero[8]) == (0.0, 0.025, 0.1, 0.0)
    assert drawn((ph.warmup(4) >> ph.decay(4)).shifted(-1), 9, lr=0.1)[0] == 0.025


# -- I: tensors ------------------------------------------------------------------------------------------------------


def test_a_tensor_rate_is_written_in_place_and_is_no_alias_of_its_base() -> None:
    """pt#126854, #106802, #127284, #97004; axolotl PR#3012; PEERS §5.7: a rate multiplied into its own base shrinks to
    3.6e-5, or a tensor is replaced by a float."""
    optimizer = sgd(tensor(0.1))
    scheduler = Scheduler(optimizer, ph.warmup(10))
    held = optimizer.param_groups[0]["lr"]
    assert rates(optimizer, scheduler, 14) == pytest.approx([0.01 * min(t, 10) for t in range(14)])
    assert optimizer.param_groups[0]["lr"] is held
    assert scheduler.base_lrs == pytest.approx([0.1])


def test_one_tensor_given_to_all_groups_is_one_a_group() -> None:
    """PEERS §5.6: the last group's factor wins for all, because the tensor is one object. So with betas and decay."""
    optimizer = sgd(tensor(0.1), groups=2)
    peers.LambdaLR(optimizer, [lambda t: 1.0, lambda t: 0.1])
    assert rate(optimizer) == pytest.approx(0.01)
    parts = [{"params": [torch.nn.Parameter(torch.ones(2))]} for _ in range(2)]
    ours = AdamW(parts, lr=tensor(0.1), betas=(tensor(0.9), tensor(0.99)), weight_decay=tensor(0.1), foreach=False)
    lines = {
        "0/lr": ph.hold(),
        "1/lr": ph.hold().scaled(0.1),
        "0/betas[0]": ph.absolute(ph.hold(0.5)),
        "1/weight_decay": ph.hold().scaled(0.5),
    }
    Scheduler(ours, ph.Plan(lines))
    found = [[float(x) for x in (g["lr"], *g["betas"], g["weight_decay"])] for g in ours.param_groups]
    assert found == [pytest.approx([0.1, 0.5, 0.99, 0.1]), pytest.approx([0.01, 0.9, 0.99, 0.05])]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_rate_of_low_precision_neither_freezes_nor_drifts(dtype: torch.dtype) -> None:
    """PEERS §5.8: in float32 CosineAnnealingLR(10⁶) does not move for the first 6,040 updates."""
    optimizer = sgd(tensor(0.1))
    peer = peers.CosineAnnealingLR(optimizer, 1_000_000)
    assert len(set(rates(optimizer, peer, 50))) == 1, "the peer stands still"
    schedule = ph.decay(1000, shape="cosine")
    optimizer = sgd(tensor(0.1, dtype=dtype))
    seen = rates(optimizer, Scheduler(optimizer, schedule), 1000)
    base = float(tensor(0.1, dtype=dtype))
    assert seen == [float(tensor(base * schedule(t), dtype=torch.float64).to(dtype)) for t in range(1000)]


def test_betas_move_without_replacing_their_tensors() -> None:
    """pt#133898: AdamW is compiled again for every value of its betas."""
    optimizer = AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.1, betas=(tensor(0.9), tensor(0.99)), foreach=False)
    scheduler = Scheduler(optimizer, ph.Plan({"betas[1]": ph.absolute(ph.ramp(0.9, 0.999, 4))}))
    held = optimizer.param_groups[0]["betas"]
    rates(optimizer, scheduler, 4)
    assert optimizer.param_groups[0]["betas"] is held
    assert [float(beta) for beta in held] == pytest.approx([0.9, 0.999])


# -- K: groups and other hyper-parameters ----------------------------------------------------------------------------


def test_every_group_may_have_a_shape_of_its_own() -> None:
    """pt#63488, #67761, #83159, PR#159873, #101082; ignite (PEERS §5.18): one shape for all, or wrong for the second."""
    optimizer = sgd(0.1, groups=3)
    lines = {"lr": ph.decay(10), "1/lr": ph.step_decay(2, factor=0.5), "2/lr": ph.warmup(4)}
    rates(optimizer, Scheduler(optimizer, ph.Plan(lines)), 5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.025, 0.1])


def test_weight_decay_and_momentum_follow_schedules_too() -> None:
    """pt#22343, #7342; ignite#856, #1913; keras#16696; optax#20; PL#4983, #12141; torchtitan PR#2859: the rate only."""
    optimizer = sgd(0.1, weight_decay=0.2)
    lines = {"lr": ph.warmup(4), "weight_decay": ph.decay(10), "momentum": ph.absolute(ph.ramp(0.8, 0.95, 10))}
    scheduler = Scheduler(optimizer, ph.Plan(lines))
    rates(optimizer, scheduler, 5)
    assert scheduler.values() == pytest.approx({"lr": 0.1, "weight_decay": 0.1, "momentum": 0.875})
    assert {key: optimizer.param_groups[0][key] for key in lines} == scheduler.values()


def test_a_falling_bias_rate_beside_rising_ones() -> None:
    """yolov5#4279, #13276; ultralytics#7782, #10130: warmup_bias_lr, written by hand in every project."""
    optimizer = SGD(
        [{"params": [torch.nn.Parameter(torch.ones(2))], "name": name} for name in ("weight", "bias")],
        lr=0.01,
        momentum=0.9,
    )
    lines = {
        "lr": ph.warmup(10),
        "bias/lr": ph.relative(ph.ramp(10.0, 1.0, 10)),
        "momentum": ph.absolute(ph.ramp(0.8, 0.937, 10)),
    }
    scheduler = Scheduler(optimizer, ph.Plan(lines))
    rates(optimizer, scheduler, 5)
    assert scheduler.value("weight/lr") == pytest.approx(0.005)
    assert scheduler.value("bias/lr") == pytest.approx(0.055)
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.8685)


@pytest.mark.parametrize("lr", [0.4, tensor(0.4)], ids=["float", "tensor"])
def test_a_group_may_come_later(lr: object) -> None:
    """pt#104361, #20997, #62475; PEERS §5.19: a crash at the next step, or at the milestone; or it is forgotten."""
    peer_optimizer = sgd()
    peer = peers.LambdaLR(peer_optimizer, lambda t: 1.0)
    peer_optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))]})
    crashes = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 10)  # before that the group is forgotten
    with pytest.raises((ValueError, IndexError)) if crashes else contextlib.nullcontext():
        rates(peer_optimizer, peer, 1)
    optimizer = sgd(0.1)
    scheduler = Scheduler(optimizer, ph.warmup(4) >> ph.hold())
    rates(optimizer, scheduler, 2)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], "lr": lr})
    rates(optimizer, scheduler, 1)
    assert [float(group["lr"]) for group in optimizer.param_groups] == pytest.approx([0.075, 0.3])
    rates(optimizer, scheduler, 1)
    assert scheduler.get_last_lr() == pytest.approx([0.1, 0.4])


# -- M: memory and files ---------------------------------------------------------------------------------------------


def test_a_scheduler_pickles_and_its_state_is_plain() -> None:
    """pt#90414, #88684, PR#110931, #3026; PL#15901, #18493; tf#21689; tianshou PR#992: lambdas in it, and in its state."""
    optimizer = sgd()
    schedule = ph.warmup(3) >> ph.decay(5, shape=ph.power(2.0)).repeated(None, stretch=2)
    scheduler = Scheduler(optimizer, schedule)
    rates(optimizer, scheduler, 20)
    again_optimizer, again = pickle.loads(pickle.dumps((optimizer, scheduler)))
    assert rates(again_optimizer, again, 9) == rates(optimizer, scheduler, 9)
    assert all(type(value) in (int, str) for value in scheduler.state_dict().values())


@pytest.mark.parametrize("lr", [numpy.float64(0.1), numpy.float32(0.1)])
def test_a_rate_from_numpy_does_not_end_up_in_the_checkpoint(lr: float) -> None:
    """PEERS §5.21: torch.load(weights_only=True) refuses the file, months later."""
    optimizer = sgd(lr)
    scheduler = Scheduler(
        optimizer, ph.Plan({"lr": ph.warmup(4), "momentum": ph.absolute(ph.hold(numpy.float64(0.5)))})
    )
    update(optimizer)
    scheduler.step()
    buffer = io.BytesIO()
    torch.save((optimizer.state_dict(), scheduler.state_dict()), buffer)
    buffer.seek(0)
    group = torch.load(buffer, weights_only=True)[0]["param_groups"][0]
    assert (type(group["lr"]), type(group["momentum"]), type(group["initial_lr"])) == (float, float, float)


@pytest.mark.parametrize("lr", [0.1, tensor(0.1)], ids=["float", "tensor"])
def test_a_dropped_scheduler_is_gone_at_once(lr: object) -> None:
    """pt#85410, #47589, #25605, #126131: a cycle through optimizer.step keeps the model's memory until the next collection."""
    optimizer = sgd(lr)
    scheduler = Scheduler(optimizer, ph.warmup(4) >> ph.hold())
    rates(optimizer, scheduler, 3)
    gone = [weakref.ref(optimizer), weakref.ref(scheduler), weakref.ref(optimizer.param_groups[0]["params"][0])]
    gc.collect()
    gc.disable()
    try:
        del scheduler, optimizer
        assert [reference() for reference in gone] == [None] * 3
    finally:
        gc.enable()


def test_the_callers_state_is_neither_kept_nor_changed() -> None:
    """pt#25605, #3026: a state dict that goes on changing with the training, or is changed by loading it."""
    optimizer = sgd()
    scheduler = Scheduler(optimizer, ph.warmup(10))
    rates(optimizer, scheduler, 3)
    state = scheduler.state_dict()
    before = copy.deepcopy(state)
    scheduler.load_state_dict(state)
    rates(optimizer, scheduler, 3)
    assert state == before
    assert len(str(scheduler.state_dict())) == len(str(before)), "the state does not grow"


def test_a_schedule_inside_lambda_lr_is_saved_and_loaded_and_stays_what_it_is() -> None:
    """LambdaLR copies a callable's __dict__ into its state, and updates the callable's own with it on loading."""
    schedule, other = (ph.warmup(4) >> ph.decay(6)), (ph.warmup(2) >> ph.decay(8))
    for s in (schedule, other):
        s(3), s.function(3)  # whatever has been computed by then
    optimizer = SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    follower = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    for _ in range(5):
        optimizer.step()
        follower.step()
    file = io.BytesIO()
    torch.save(follower.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    again = torch.optim.lr_scheduler.LambdaLR(SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0), other)
    again.load_state_dict(state)
    assert other == ph.warmup(2) >> ph.decay(8)
    assert [other(t) for t in range(11)] == [(ph.warmup(2) >> ph.decay(8))(t) for t in range(11)]
