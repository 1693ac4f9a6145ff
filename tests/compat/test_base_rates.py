"""base_lr is the rate that the optimizer was built with, and nothing else; what stands inside another stays what it is."""

import pickle

import numpy as np
import pytest

import preheat as ph
from preheat import PreheatError, Run, compat

C = compat.torch
ONE_CYCLE = {"max_lr": 0.3, "total_steps": 40, "cycle_momentum": False}


def codes(restated) -> list[str]:
    return [one.code for one in restated.findings]


GIVEN_RATES = [
    ("optax", "cosine_decay_schedule", {"init_value": 0.2, "decay_steps": 9}),
    ("keras", "CosineDecay", {"initial_learning_rate": 0.2, "decay_steps": 9}),
    ("ignite", "PiecewiseLinear", {"milestones_values": [(0, 0.1), (9, 0.2)]}),
    ("paddle", "CosineAnnealingDecay", {"learning_rate": 0.2, "T_max": 9}),
    ("pytorch_optimizer", "CosineScheduler", {"t_max": 9, "max_lr": 0.2}),
    ("nanogpt", "get_lr", {"learning_rate": 0.2, "warmup_iters": 2, "lr_decay_iters": 9, "min_lr": 0.1}),
    ("schedulefree", "AdamWScheduleFree", {"lr": 0.2, "warmup_steps": 3}),
    ("levanter", "optimizer_config", {"learning_rate": 0.2, "num_train_steps": 9}),
    ("fastai", "fit_one_cycle", {"n_epoch": 2, "n_iter": 5, "lr_max": 0.2}),
]


@pytest.mark.parametrize(("library", "name", "given"), GIVEN_RATES)
def test_a_library_that_is_given_rates_does_not_ask_the_optimizer(library, name, given) -> None:
    plain, based = compat.restate(library, name, **given), compat.restate(library, name, **given, base_lr=0.5)
    assert based.schedule == plain.schedule
    if library != "fastai":  # whose momentum is beside it
        assert "ignored-argument" in codes(based)


INSIDE = [
    (C.one_cycle_lr(**ONE_CYCLE), 1.0),
    (C.cosine_annealing_lr(T_max=30, base_lr=0.1), 1.0),
    (C.cosine_annealing_lr(T_max=30), 0.1),
]
AROUND = [
    lambda inner: compat.pytorch_warmup.linear_warmup(warmup_period=1, lr_scheduler=inner, base_lr=0.1),
    lambda inner: (
        compat.ignite.lr_scheduler(lr_scheduler=compat.restate("transformers", "constant"), base_lr=0.1)
        and compat.pytorch_optimizer.proportion(lr_scheduler=inner, max_lr=0.1, base_lr=0.1)
    ),
]


@pytest.mark.parametrize(("inner", "base"), INSIDE)
@pytest.mark.parametrize("around", AROUND)
def test_rates_inside_another_stay_rates_and_factors_are_multiplied(inner, base, around) -> None:
    np.testing.assert_allclose(around(inner).table(20), inner.table(20) * base, rtol=1e-12)


def test_two_base_rates_are_refused() -> None:
    inner = C.cosine_annealing_lr(T_max=30, base_lr=0.1)
    with pytest.raises(PreheatError, match="one base_lr"):
        compat.pytorch_warmup.linear_warmup(warmup_period=5, lr_scheduler=inner, base_lr=0.2)
    floored = C.cosine_annealing_lr(T_max=30, eta_min=0.01)
    with pytest.raises(PreheatError, match=r"give it base_lr=0\.2 too"):
        compat.pytorch_warmup.linear_warmup(warmup_period=5, lr_scheduler=floored, base_lr=0.2)


MULTIPLYING = [
    ("LinearLR", {"start_factor": 0.3, "total_iters": 7}),
    ("ConstantLR", {"factor": 0.4, "total_iters": 7}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"total_iters": 9, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "eta_min": 0.01}),
    ("StepLR", {"step_size": 3}),
    ("MultiStepLR", {"milestones": [0, 1, 6]}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 40}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 4}),
]


@pytest.mark.parametrize(("name", "given"), MULTIPLYING)
@pytest.mark.parametrize("warm", [False, True])
def test_what_ignite_makes_of_a_scheduler_of_torch(name, given, warm) -> None:
    torch, handlers = pytest.importorskip("torch"), pytest.importorskip("ignite.handlers.param_scheduler")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    inner = getattr(torch.optim.lr_scheduler, name)(optimizer, **given)
    based = {"base_lr": 0.1}
    restated = C.PEER[name](**given, **({} if name == "CyclicLR" else based), faithful=True)
    if warm:
        lengths = {"warmup_start_value": 0.0, "warmup_duration": 5}
        theirs = handlers.create_lr_scheduler_with_warmup(inner, **lengths)
        ours = compat.ignite.create_lr_scheduler_with_warmup(lr_scheduler=restated, **lengths, **based)
    else:
        theirs, ours = handlers.LRScheduler(inner), compat.ignite.lr_scheduler(lr_scheduler=restated, **based)
    rates = []
    for _ in range(24):
        theirs(None)
        rates.append(optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(ours.table(24), rates, rtol=1e-12, atol=1e-15)
    assert "not-equal" not in codes(ours)


def test_what_ignite_and_mmengine_cannot_run_is_refused() -> None:
    sequence = C.sequential_lr(schedulers=[C.linear_lr(), C.exponential_lr(gamma=0.9)], milestones=[5])
    with pytest.raises(PreheatError, match="no get_lr"):
        compat.ignite.create_lr_scheduler_with_warmup(lr_scheduler=sequence, warmup_start_value=0.0, warmup_duration=3)
    with pytest.raises(PreheatError, match="by epochs alone"):
        compat.restate("mmengine", "ReduceOnPlateauLR", by_epoch=False)


@pytest.mark.parametrize(
    ("library", "name", "given"),
    [
        ("torch", "ExponentialLR", {"gamma": 1.1}),
        ("torch", "StepLR", {"step_size": 2, "gamma": 2.0}),
        ("keras", "ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 2.0}),
        ("timm", "StepLRScheduler", {"decay_t": 3, "decay_rate": 1.5}),
        (
            "ignite",
            "CosineAnnealingScheduler",
            {"start_value": 0.1, "end_value": 0.0, "cycle_size": 4, "cycle_mult": 1.5},
        ),
    ],
)
def test_what_has_no_end_fits_every_run(library, name, given) -> None:
    restated = compat.restate(library, name, **given)
    assert "no-end" in codes(restated)
    np.testing.assert_array_equal(restated.bind(Run(total=8)).table(8), restated.table(8))
    torch = pytest.importorskip("torch")
    from preheat.torch import Scheduler

    scheduler = Scheduler(torch.optim.SGD([torch.zeros(1)], lr=1.0), restated, run=Run(total=8))
    assert scheduler.get_last_lr() == pytest.approx([restated(0)])


def test_where_the_library_raises_after_the_end_is_told_of_a_faithful_one_too() -> None:
    cycle = C.one_cycle_lr(max_lr=0.1, total_steps=4, faithful=True)
    cosine = compat.timm.cosine_lr_scheduler(t_initial=4, cycle_mul=0.5, cycle_limit=3, faithful=True)
    for restated, update in ((cycle, "update 5"), (cosine, "update 8")):
        assert [one.place for one in restated.findings if one.code == "raises-after-the-end"] == [update]


def test_a_restated_function_is_a_value() -> None:
    made = [C.lambda_lr(lr_lambda=lambda t: 0.9**t, total=9) for _ in range(2)]
    assert made[0] == made[1] == pickle.loads(pickle.dumps(made[0]))
    with pytest.raises(PreheatError, match="fails: ZeroDivisionError"):
        C.lambda_lr(lr_lambda=lambda t: 1 / t, total=9)


@pytest.mark.parametrize(
    "text",
    [
        "get_scheduler('cosine', optimizer, num_warmup_steps=5, num_training_steps=50)",
        "pytorch_warmup.LinearWarmup(optimizer, warmup_period=5)",
        "ignite.CosineAnnealingScheduler(optimizer, 'lr', 0.1, 0.0, 10)",
        "nemo.CosineAnnealing(self.optimizer, max_steps=50)",
    ],
)
def test_the_optimizer_of_a_call_is_left_out(text) -> None:
    assert compat.read(text).target is not None


def test_numbers_are_taken_as_the_libraries_take_them() -> None:
    known = {"decay_steps": 10, "alpha": 0.1}
    whole, plain = (compat.keras.cosine_decay(initial_learning_rate=one, **known) for one in (np.int64(2), 2))
    assert whole.schedule == plain.schedule
    with pytest.raises(PreheatError, match="half precision"):
        compat.keras.cosine_decay(initial_learning_rate=np.float16(0.1), **known)
    wsd = {"num_decay_steps": 5, "num_training_steps": 50}
    assert compat.transformers.warmup_stable_decay(num_warmup_steps=3.0, **wsd)(3) == 1.0
    with pytest.raises(PreheatError, match=r"num_warmup_steps must be a whole number of updates, at least 0, not -2"):
        compat.transformers.warmup_stable_decay(num_warmup_steps=-2, **wsd)
    longer = compat.transformers.polynomial(num_warmup_steps=8, num_training_steps=5)
    assert longer(4) == 0.5
    with pytest.raises(PreheatError, match="faithful must be True or False"):
        C.exponential_lr(gamma=0.9, faithful="no")
    assert C.step_lr(step_size=1, gamma=1e200, base_lr=0.1)(1) == pytest.approx(1e199)


def test_a_scheduler_keeps_what_a_restatement_says() -> None:
    torch = pytest.importorskip("torch")
    from preheat.torch import Scheduler

    restated = C.cosine_annealing_lr(T_max=30, eta_min=0.01)
    scheduler = Scheduler(torch.optim.SGD([torch.zeros(1)], lr=0.1), restated, run=ph.Run(total=30))
    assert "rate-argument" in str(scheduler.audit())
