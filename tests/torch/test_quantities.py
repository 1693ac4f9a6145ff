"""Every hyper-parameter, every group, several optimizers, and quantities that live outside of them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

import preheat as ph
from preheat.torch import Scheduler

UP = ph.ramp(0.5, 0.95, 8)


def parameter(*shape: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(shape or (3,)))


def steps(scheduler: Scheduler, number: int) -> None:
    for _ in range(number):
        scheduler.step()


CASES = [
    (SGD, {"momentum": 0.9}, "momentum"),
    (SGD, {"momentum": 0.9, "dampening": 0.2}, "dampening"),
    (RMSprop, {"alpha": 0.9}, "alpha"),
    (Adam, {"betas": (0.8, 0.99)}, "betas[0]"),
    (Adam, {"betas": (0.8, 0.99)}, "betas[1]"),
    (AdamW, {"weight_decay": 0.1}, "weight_decay"),
    (AdamW, {"eps": 1e-6}, "eps"),
    (AdamW, {"lr": torch.tensor(0.1), "foreach": False}, "lr"),
]


@pytest.mark.parametrize(("kind", "options", "hyper"), CASES, ids=[f"{case[0].__name__}-{case[2]}" for case in CASES])
def test_any_number_in_a_group_is_driven_as_a_factor_or_absolutely(kind: type, options: dict, hyper: str) -> None:
    key, _, index = hyper.partition("[")
    place = (lambda group: group[key][int(index[:-1])]) if index else (lambda group: group[key])
    for target, own in ((ph.relative(UP), None), (ph.absolute(UP), 1.0)):
        optimizer = kind([parameter()], **options)
        base = float(place(optimizer.param_groups[0])) if own is None else own
        scheduler = Scheduler(optimizer, ph.Plan({hyper: target}))
        others = {k: v for k, v in optimizer.param_groups[0].items() if k not in (key, "params")}
        for t in range(10):
            assert float(place(optimizer.param_groups[0])) == pytest.approx(base * UP(t), rel=1e-7)
            assert scheduler.value(hyper) == pytest.approx(base * UP(t), rel=1e-7)
            optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
            optimizer.step()
            scheduler.step()
        assert {k: optimizer.param_groups[0][k] for k in others} == others


def test_both_entries_of_a_tuple_each_on_its_own_curve() -> None:
    optimizer = Adam([parameter()], betas=(0.9, 0.999))
    plan = {"betas[0]": ph.absolute(ph.ramp(0.8, 0.9, 4)), "betas[1]": ph.absolute(ph.ramp(0.9, 0.99, 2))}
    scheduler = Scheduler(optimizer, ph.Plan(plan))
    steps(scheduler, 2)
    assert optimizer.param_groups[0]["betas"] == pytest.approx((0.85, 0.99))


def test_a_group_with_another_shape_and_length() -> None:
    """pytorch#63488: another decay for each parameter group."""
    groups = [{"params": [parameter()], "name": name} for name in ("backbone", "head")]
    plan = ph.Plan({"lr": ph.warmup(10) >> ph.decay(), "head/lr": ph.warmup(2) >> ph.decay(shape="cosine")})
    scheduler = Scheduler(SGD(groups, lr=0.1), plan, run=ph.Run(total=50))
    steps(scheduler, 26)
    assert scheduler.values() == pytest.approx({"backbone/lr": 0.06, "head/lr": 0.05})


@pytest.mark.filterwarnings("ignore:.*so it is applied twice")  # drawn numbers that happen to look like it
@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(1e-6, 1.0), st.floats(0.01, 1.0)), min_size=1, max_size=5),
    st.integers(0, 30),
    st.floats(1e-5, 10.0),
)
def test_layer_wise_scales_and_peaks_keep_the_ratios(groups: list, t: int, peak: float) -> None:
    """timm's lr_scale, LoRA+'s two rates: whatever the schedule, the ratios are those that were given."""
    curve = ph.warmup(10, start=0.1) >> ph.decay(20, to=0.05)
    built = SGD([{"params": [parameter()], "lr": lr, "lr_scale": scale} for lr, scale in groups])
    scheduler = Scheduler(built, curve, peak=peak)
    steps(scheduler, t)
    largest = max(lr * scale for lr, scale in groups)
    expected = [peak * (lr * scale / largest) * curve(t) for lr, scale in groups]
    assert [group["lr"] for group in built.param_groups] == pytest.approx(expected, rel=1e-12)


def test_lora_plus_keeps_its_ratio_through_a_resume() -> None:
    """B learns 16 times as fast as A; neither initial_lr nor a list in the state is needed for that."""

    def build() -> tuple[Optimizer, Scheduler]:
        groups = [
            {"params": [parameter()], "lr": 1e-4, "name": "A"},
            {"params": [parameter()], "lr": 16e-4, "name": "B"},
        ]
        optimizer = AdamW(groups)
        return optimizer, Scheduler(optimizer, ph.warmup(10) >> ph.decay(90))

    _, scheduler = build()
    steps(scheduler, 37)
    _, other = build()
    other.load_state_dict(scheduler.state_dict())
    assert other.values() == scheduler.values()
    assert other.value("B/lr") / other.value("A/lr") == pytest.approx(16, rel=1e-14)


def test_muon_and_adamw_under_one_plan(muon_class: type[Optimizer]) -> None:
    muon = muon_class([{"params": [parameter(4, 4)], "name": "matrices"}], lr=0.02, momentum=0.95, weight_decay=0.1)
    adamw = AdamW([{"params": [parameter()], "name": "rest"}], lr=3e-4, weight_decay=0.1)
    plan = ph.Plan(
        {
            "lr": ph.warmup(10) >> ph.hold() >> ph.decay("20%"),
            "momentum": ph.absolute(ph.ramp(0.85, 0.95, 20) >> ph.hold(0.95)),
            "weight_decay": ph.decay(),
            "rest/weight_decay": ph.absolute(ph.hold(0.0)),
        }
    )
    scheduler = Scheduler([muon, adamw], plan, run=ph.Run(total=100))
    for _ in range(10):
        for optimizer in (muon, adamw):
            for group in optimizer.param_groups:
                group["params"][0].grad = torch.ones_like(group["params"][0])
            optimizer.step()
        scheduler.step()
    assert scheduler.position == 10
    assert scheduler.values() == pytest.approx(
        {
            "matrices/lr": 0.02,
            "matrices/momentum": 0.90,
            "matrices/weight_decay": 0.09,
            "rest/lr": 3e-4,
            "rest/weight_decay": 0.0,
        }
    )
    assert adamw.param_groups[0]["lr"] == scheduler.value("rest/lr")


# -- outside of the optimizer ---------------------------------------------------------------------------------------


def test_quantities_of_ones_own_are_read_and_saved_with_the_rest() -> None:
    def build() -> Scheduler:
        plan = ph.Plan(
            {
                "lr": ph.warmup(10) >> ph.decay(90),
                "clip_norm": ph.absolute(ph.ramp(0.1, 1.0, 10)),
                "batch_size": ph.absolute(ph.steps([32, 64, 128], [5, 5, "rest"])),
                "dropout": ph.absolute(ph.hold(0.1)),
            }
        )
        return Scheduler(AdamW([parameter()], lr=1.0), plan, run=ph.Run(total=100))

    scheduler = build()
    steps(scheduler, 5)
    assert scheduler.values() == pytest.approx({"lr": 0.5, "clip_norm": 0.55, "batch_size": 64.0, "dropout": 0.1})
    assert scheduler.value("clip_norm") == pytest.approx(0.55)
    assert "clip_norm" not in scheduler.optimizer.param_groups[0]
    other = build()
    other.load_state_dict(scheduler.state_dict())
    assert other.values() == scheduler.values()
    with pytest.raises(ph.PreheatError, match="the plan has no 'clip_nrm'; did you mean 'clip_norm'"):
        scheduler.value("clip_nrm")


def test_a_plan_of_quantities_alone() -> None:
    scheduler = Scheduler(SGD([parameter()], lr=0.1), ph.Plan({"clip_norm": ph.absolute(ph.ramp(0, 1, 4))}))
    steps(scheduler, 2)
    assert (scheduler.values(), scheduler.get_last_lr()) == ({"clip_norm": 0.5}, [0.1])


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"clip_norm": ph.hold()}, "no group has 'clip_norm'"),
        ({"momentum": ph.absolute(ph.hold(0.9))}, "no group has 'momentum'"),
        ({"betas[2]": ph.absolute(ph.hold(0.9))}, r"no group has 'betas\[2\]'"),
        ({"layers[0]": ph.absolute(ph.hold(0.9))}, r"no group has 'layers\[0\]'"),
        ({"wieght_decay": ph.absolute(ph.hold(0.9))}, "did you mean 'weight_decay'"),
        ({"0/clip_norm": ph.absolute(ph.hold(0.9))}, "the group '0' does not have 'clip_norm'"),
        ({"amsgrad": ph.hold()}, "amsgrad must be a number"),
        ({"params": ph.hold()}, "must be a number|no group has"),
    ],
)
def test_what_was_meant_for_the_optimizer_is_not_taken_for_a_quantity_of_ones_own(plan: dict, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        Scheduler(AdamW([parameter()]), ph.Plan(plan))


# -- YOLO -----------------------------------------------------------------------------------------------------------

BATCHES, EPOCHS = 20, 50


def ultralytics(ni: int) -> dict[str, float]:
    """Restated from engine/trainer.py, with the decay continuous in the epoch: rates at lr0 = 0.01."""
    nw, decay = 3 * BATCHES, 1 + (0.01 - 1) * ni / (BATCHES * EPOCHS)
    lr = 0.01 * decay
    if ni > nw:
        return {"weights/lr": lr, "bias/lr": lr, "weights/momentum": 0.937, "bias/momentum": 0.937}
    momentum = float(np.interp(ni, [0, nw], [0.8, 0.937]))
    return {
        "weights/lr": float(np.interp(ni, [0, nw], [0.0, lr])),
        "bias/lr": float(np.interp(ni, [0, nw], [0.1, lr])),
        "weights/momentum": momentum,
        "bias/momentum": momentum,
    }


def test_yolo_warms_the_biases_down_and_the_rest_up() -> None:
    groups = [{"params": [parameter()], "name": name} for name in ("weights", "bias")]
    optimizer = SGD(groups, lr=0.01, momentum=0.937, nesterov=True)
    run = ph.Run(total=f"{EPOCHS} epochs", steps_per_epoch=BATCHES)
    scheduler = Scheduler(optimizer, ph.yolo_warmup(), run=run)
    for ni in range(BATCHES * EPOCHS):
        theirs, ours = ultralytics(ni), scheduler.values()
        assert ours["bias/lr"] == pytest.approx(theirs.pop("bias/lr"), rel=1e-12)
        assert {key: ours[key] for key in theirs} == pytest.approx(theirs, rel=1e-12)
        assert optimizer.param_groups[1]["momentum"] == ours["bias/momentum"]
        scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([1e-4, 1e-4])


def test_under_optimizer_auto_the_biases_start_at_0_like_the_rest() -> None:
    groups = [{"params": [parameter()], "name": name} for name in ("weights", "bias")]
    optimizer = SGD(groups, lr=0.01, momentum=0.9, nesterov=True)
    run = ph.Run(total=f"{EPOCHS} epochs", steps_per_epoch=BATCHES)
    scheduler = Scheduler(optimizer, ph.yolo_warmup(bias_start_ratio=0, momentum=0.9), run=run)
    nw = 3 * BATCHES
    for ni in range(BATCHES * EPOCHS):
        lr = 0.01 * (1 - 0.99 * ni / (BATCHES * EPOCHS))
        rate = float(np.interp(ni, [0, nw], [0.0, lr])) if ni <= nw else lr  # warmup_bias_lr = 0.0
        momentum = float(np.interp(ni, [0, nw], [0.8, 0.9]))
        for group in optimizer.param_groups:
            assert (group["lr"], group["momentum"]) == pytest.approx((rate, momentum), rel=1e-12)
        scheduler.step()


def test_the_arguments_of_yolo_warmup() -> None:
    plan = ph.yolo_warmup(warmup_ratio=0.1, bias="b", bias_start_ratio=5, momentum=None).bind(ph.Run(total=100))
    assert list(plan) == ["b/lr", "lr"]
    assert plan["b/lr"](0) == 5.0
    assert math.isclose(plan["b/lr"](10), plan["lr"](10))
    for wrong in (
        {"warmup_steps": 5, "warmup_ratio": 0.1},
        {"bias_start_ratio": -1},
        {"bias_start_ratio": False},
        {"min_lr_ratio": 2},
        {"momentum": "x"},
    ):
        with pytest.raises(ph.PreheatError):
            ph.yolo_warmup(**wrong)


@pytest.mark.parametrize(
    "word", ["LR", "Lr", "base_lr", "MAX_LR", "peak_lr", "LearningRate", "Learning_Rate", "rate", "WD"]
)
def test_a_line_that_is_meant_for_the_groups_is_no_quantity_of_ones_own(word: str) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    meant = "weight_decay" if word == "WD" else "lr"
    for said in (ph.absolute(ph.hold(0.1)), ph.warmup(5) >> ph.hold()):
        with pytest.raises(ph.PreheatError, match=f"no group has '{word}'.*did you mean '{meant}'"):
            Scheduler(optimizer, {word: said})
