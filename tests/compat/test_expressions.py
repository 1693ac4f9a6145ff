"""Schedulers written as Python and states of torch's schedulers, read."""

import pytest

from preheat import compat
from preheat.compat.sources.expressions import expressed
from preheat.core.errors import ParseError, PreheatError

SEQUENCE = "SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=5), CosineAnnealingLR(optimizer, 95)], [5])"


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)", "ramp(1.0, 0.0, 100, shape='cosine')"),
        ("s = CosineAnnealingLR(opt, 10 * 10)", "ramp(1.0, 0.0, 100, shape='cosine')"),
        (SEQUENCE, "ramp(0.1, 1.0, 5) >> ramp(1.0, 0.0, 95, shape='cosine')"),
        (
            "CyclicLR(o, 0.0, 1.0, 5, cycle_momentum=False)",
            "absolute((ramp(0.0, 1.0, 5) >> ramp(1.0, 0.0, 5)).repeated(None))",
        ),
        (
            "ChainedScheduler([StepLR(o, 3), LinearLR(o, 0.5)], o)",
            "hold(1.0, 3).repeated(None, shrink=0.1) * ramp(0.5, 1.0, 5)",
        ),
        ("get_linear_schedule_with_warmup(optimizer, 2, 6)", "ramp(0.0, 1.0, 2) >> ramp(1.0, 0.0, 4)"),
        ("timm.scheduler.CosineLRScheduler(optimizer, 10)", "ramp(1.0, 0.0, 10, shape='cosine')"),
    ],
)
def test_an_expression_is_read_by_the_librarys_own_order(text: str, schedule: str) -> None:
    assert repr(compat.read(text)) == schedule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("StepLR(optimizer, step_size=steps)", "step_size is 'steps'"),
        ("StepLR(optimizer, **how)", "does not say its arguments"),
        ("StepLR(optimizer, *how)", "does not say its arguments"),
        ("StepLR(optimizer, 3, 0.1, -1, 7)", "takes 3 arguments"),
        ("StepLR(optimizer, 3, step_size=4)", "twice"),
        ("Adam(parameters)", "is no scheduler"),
        ("a + b", "no call"),
        ("__import__('os').system('x')", "no name of a scheduler"),
        ("StepLR(optimizer, ", "no expression"),
        ("StepLR(optimizer, 9**9**9)", "no literal"),
        ("(" * 5000 + "StepLR(o, 3)" + ")" * 5000, "no expression"),
    ],
)
def test_what_is_no_scheduler_or_no_literal_is_named(text: str, says: str) -> None:
    with pytest.raises(PreheatError, match=says):
        expressed(text)


def test_a_text_too_long_is_refused() -> None:
    with pytest.raises(ParseError, match="at most"):
        expressed("StepLR(o, 1" + " " * 70_000 + ")")


STATES = [
    ("LinearLR", {"start_factor": 0.1, "total_iters": 7}),
    ("ConstantLR", {"factor": 0.5}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 9, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}),
    ("StepLR", {"step_size": 3}),
    ("MultiStepLR", {"milestones": [3, 3, 5]}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "step_size_down": 3}),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "arguments"), STATES)
def test_a_state_says_which_scheduler_it_is_of(name: str, arguments) -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)
    rates = []
    for _ in range(12):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    reading = compat.read(scheduler.state_dict(), total=9)
    ours = compat.Restated.of(reading.target).plan["lr"].table(9).tolist()
    assert ours == pytest.approx(rates[:9], rel=1e-9)


def test_a_state_of_several_is_asked_about() -> None:
    with pytest.raises(PreheatError, match="LambdaLR or MultiplicativeLR"):
        compat.read({"base_lrs": [0.1], "last_epoch": 3, "lr_lambdas": [None]})
    with pytest.raises(PreheatError, match="out of its state"):
        compat.read({"base_lrs": [0.1], "last_epoch": 3, "lr_lambdas": [None]}, scheduler="LambdaLR")


def test_groups_with_other_rates_are_told() -> None:
    state = {"base_lrs": [0.1, 0.2], "last_epoch": 3, "gamma": 0.9}
    assert [finding.code for finding in compat.read(state).findings] == ["not-carried"]
