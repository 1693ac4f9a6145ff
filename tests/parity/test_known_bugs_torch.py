"""What torch's and timm's own schedulers do that nobody means, shown on the running library, beside what preheat gives."""

import copy
import warnings

import pytest

import preheat as ph
from preheat import compat
from preheat.core.errors import PreheatError

torch = pytest.importorskip("torch")
lr_scheduler = torch.optim.lr_scheduler
pytestmark = pytest.mark.filterwarnings("ignore")


def optimizer(rate=0.1, **more):
    return torch.optim.SGD([torch.zeros(1)], lr=rate, **more)


def rate(o) -> float:
    return float(o.param_groups[0]["lr"])


def stepped(o, scheduler, n) -> list[float]:
    """The rates of n updates from here on."""
    found = []
    for _ in range(n):
        found.append(rate(o))
        o.step()
        scheduler.step()
    return found


def sequential(o):
    parts = [lr_scheduler.LinearLR(o, 1e-3, total_iters=10), lr_scheduler.CosineAnnealingLR(o, 90)]
    return lr_scheduler.SequentialLR(o, parts, [10])


OURS = ph.ramp(1e-3, 1, 10) >> ph.decay(90, shape="cosine")


def ours(o):
    from preheat.torch import Scheduler

    return Scheduler(o, OURS, run=ph.Run(total=100))


def saved(make, at=50):
    o = optimizer()
    scheduler = make(o)
    stepped(o, scheduler, at)
    return copy.deepcopy(o.state_dict()), copy.deepcopy(scheduler.state_dict()), rate(o)


def test_loading_the_optimizer_before_the_scheduler_is_built_leaves_a_thousandth_of_the_rate() -> None:
    first, second, truth = saved(sequential)
    o = optimizer()
    o.load_state_dict(first)
    scheduler = sequential(o)
    scheduler.load_state_dict(second)
    assert rate(o) == pytest.approx(1e-4)  # while it says the truth
    assert scheduler.get_last_lr()[0] == pytest.approx(truth)
    first, second, truth = saved(ours)
    o = optimizer()
    o.load_state_dict(first)
    scheduler = ours(o)
    scheduler.load_state_dict(second)
    assert rate(o) == pytest.approx(truth)


def test_loading_the_scheduler_alone_leaves_a_thousandth_of_the_rate() -> None:
    _, second, truth = saved(sequential)
    o = optimizer()
    scheduler = sequential(o)
    scheduler.load_state_dict(second)
    assert stepped(o, scheduler, 5)[-1] < truth / 500
    _, second, truth = saved(ours)
    o = optimizer()
    ours(o).load_state_dict(second)
    assert rate(o) == pytest.approx(truth)


def test_last_epoch_restarts_a_sequence_and_a_cosine_at_the_full_rate() -> None:
    o = optimizer()
    o.param_groups[0]["initial_lr"] = 0.1
    parts = [lr_scheduler.LinearLR(o, 1e-3, total_iters=10), lr_scheduler.CosineAnnealingLR(o, 90)]
    lr_scheduler.SequentialLR(o, parts, [10], last_epoch=49)
    assert rate(o) != pytest.approx(0.1 * OURS(49), rel=0.1)
    o = optimizer()
    o.param_groups[0]["initial_lr"] = 0.1
    lr_scheduler.CosineAnnealingLR(o, 100, last_epoch=50)
    assert rate(o) == pytest.approx(0.1)  # where a half is due
    assert compat.torch.cosine_annealing_lr(T_max=100, last_epoch=50).findings[0].code == "ignored-argument"


def test_a_new_total_on_resuming_is_overwritten_from_the_checkpoint_and_here_refused() -> None:
    first, second, _ = saved(lambda o: lr_scheduler.CosineAnnealingLR(o, 100))
    o = optimizer()
    scheduler = lr_scheduler.CosineAnnealingLR(o, 200)
    o.load_state_dict(first)
    scheduler.load_state_dict(second)
    assert scheduler.T_max == 100
    from preheat.torch import Scheduler

    first, second, _ = saved(lambda o: Scheduler(o, ph.decay(), run=ph.Run(total=100)))
    with pytest.raises(PreheatError):
        Scheduler(optimizer(), ph.decay(), run=ph.Run(total=200)).load_state_dict(second)


def test_a_rate_set_by_hand_before_is_undone_by_a_stale_initial_rate_and_here_asked_about() -> None:
    o = optimizer()
    lr_scheduler.LambdaLR(o, lambda t: 1.0)
    o.param_groups[0]["lr"] = 0.001
    lr_scheduler.LambdaLR(o, lambda t: 1.0)
    assert rate(o) == 0.1
    o = optimizer()
    lr_scheduler.LambdaLR(o, lambda t: 1.0)
    o.param_groups[0]["lr"] = 0.001
    scheduler = ours(o)
    with pytest.raises(PreheatError, match="base="):
        o.step()
    assert scheduler.position == 0


def test_one_tensor_for_two_groups_gives_both_the_last_groups_rate() -> None:
    def two():
        groups = [{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)]}]
        return torch.optim.SGD(groups, lr=torch.tensor(0.1))

    o = two()
    lr_scheduler.LambdaLR(o, [lambda t: 1.0, lambda t: 0.1])
    assert [round(float(group["lr"]), 6) for group in o.param_groups] == [0.01, 0.01]


def test_a_sequence_in_a_sequence_fails_or_skips_and_is_refused_here() -> None:
    def nested(o):
        warm = lr_scheduler.LinearLR(o, 0.1, total_iters=3)
        inner = lr_scheduler.SequentialLR(
            o, [lr_scheduler.ConstantLR(o, 1.0, 2), lr_scheduler.CosineAnnealingLR(o, 5)], [2]
        )
        return lr_scheduler.SequentialLR(o, [warm, inner], [3])

    o = optimizer()
    with pytest.raises(NotImplementedError):
        stepped(o, nested(o), 10)
    inner = compat.torch.sequential_lr(schedulers=[["ConstantLR", {"factor": 1.0}]], milestones=[])
    with pytest.raises(PreheatError, match="cannot hold sequential_lr"):
        compat.torch.sequential_lr(schedulers=[["LinearLR", {}], inner], milestones=[3])


def test_a_one_cycle_in_a_sequence_changes_what_the_warmup_before_it_reaches() -> None:
    o = optimizer()
    parts = [lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.OneCycleLR(o, 0.2, 10, cycle_momentum=False)]
    rates = stepped(o, lr_scheduler.SequentialLR(o, parts, [5]), 6)
    assert max(rates[:6]) == pytest.approx(0.008)  # where 0.1 was meant
    members = [
        ["LinearLR", {"start_factor": 0.1}],
        ["OneCycleLR", {"max_lr": 0.2, "total_steps": 10, "cycle_momentum": False}],
    ]
    restated = compat.torch.sequential_lr(schedulers=members, milestones=[5], base_lr=0.1)
    assert restated.table(6).tolist() == pytest.approx(rates)


def test_a_chain_of_a_warmup_and_a_cosine_with_a_floor_is_no_product_and_refused() -> None:
    o = optimizer()
    warm, down = lr_scheduler.LinearLR(o, 0.1, total_iters=25), lr_scheduler.CosineAnnealingLR(o, 50, eta_min=0.05)
    rates = stepped(o, lr_scheduler.ChainedScheduler([warm, down]), 30)
    product = ph.ramp(0.1, 1.0, 25) * ph.ramp(0.1, 0.05, 50, "cosine")
    assert max(abs(a - b) for a, b in zip(rates, product.table(30).tolist(), strict=True)) > 1e-3
    with pytest.raises(PreheatError, match="is no product"):
        compat.torch.chained_scheduler(
            schedulers=[["LinearLR", {"start_factor": 0.1}], ["CosineAnnealingLR", {"T_max": 50, "eta_min": 0.01}]],
            base_lr=0.1,
        )


def test_a_cosine_climbs_back_to_the_full_rate_and_here_stays() -> None:
    o = optimizer()
    rates = stepped(o, lr_scheduler.CosineAnnealingLR(o, 10), 21)
    assert (rates[10], rates[20]) == (pytest.approx(0, abs=1e-15), pytest.approx(0.1))
    restated = compat.torch.cosine_annealing_lr(T_max=10, base_lr=0.1)
    assert restated(20) == 0
    assert [finding.code for finding in restated.findings] == ["after-the-end"]


def test_one_cycle_turns_back_after_its_total_and_then_raises() -> None:
    o = optimizer()
    scheduler = lr_scheduler.OneCycleLR(o, 0.1, total_steps=10, cycle_momentum=False)
    rates = stepped(o, scheduler, 10)
    assert (rates[9], rate(o)) == (pytest.approx(4e-7), pytest.approx(0.1 * 0.0495, rel=0.05))
    with pytest.raises(ValueError, match="Tried to step"):
        scheduler.step()
    assert compat.torch.one_cycle_lr(max_lr=0.1, total_steps=10, cycle_momentum=False)(11) == pytest.approx(4e-7)


@pytest.mark.parametrize(("name", "factor"), [("LinearLR", "start_factor"), ("ConstantLR", "factor")])
def test_a_warmup_of_no_updates_stays_at_its_start_and_is_found(name: str, factor: str) -> None:
    o = optimizer()
    rates = stepped(o, getattr(lr_scheduler, name)(o, 0.1, total_iters=0), 5)
    assert rates == pytest.approx([0.01] * 5)
    restated = compat.restate("torch", name, **{factor: 0.1}, total_iters=0, base_lr=0.1)
    assert restated.table(5).tolist() == pytest.approx(rates)
    assert [finding.code for finding in restated.findings] == ["stuck"]


def test_without_a_prefix_timm_never_reaches_the_peak_and_its_first_rate_is_0() -> None:
    timm = pytest.importorskip("benchmarks.parity.peers.timm")
    rates = timm.rates(lambda o: timm.timm.CosineLRScheduler(o, 100, warmup_t=20, t_in_epochs=False), 0.1, 100)
    assert rates[0] == 0
    assert max(rates) < 0.0951
    restated = compat.timm.cosine_lr_scheduler(t_initial=100, warmup_t=20, base_lr=0.1)
    assert restated.table(100).tolist() == pytest.approx(rates)
    assert "jump" in [finding.code for finding in restated.findings]


def test_a_milestone_of_timm_acts_one_early() -> None:
    timm = pytest.importorskip("benchmarks.parity.peers.timm")
    rates = timm.rates(lambda o: timm.timm.MultiStepLRScheduler(o, [10], decay_rate=0.1, t_in_epochs=False), 1.0, 12)
    assert (rates[8], rates[9]) == (1.0, 0.1)
    assert compat.torch.multi_step_lr(milestones=[10]).table(12).tolist()[9] == 1.0
    assert compat.timm.multi_step_lr_scheduler(decay_t=[10], decay_rate=0.1).table(12).tolist() == rates


def test_a_group_that_is_added_later_fails_in_one_and_runs_away_in_another() -> None:
    o = optimizer()
    scheduler = lr_scheduler.LambdaLR(o, lambda t: 1.0)
    o.add_param_group({"params": [torch.zeros(1)], "lr": 0.1})
    with pytest.raises(ValueError, match="zip"):
        stepped(o, scheduler, 1)
    o = optimizer()
    scheduler = lr_scheduler.LinearLR(o, 0.1, total_iters=10)
    o.add_param_group({"params": [torch.zeros(1)], "lr": 0.1})
    stepped(o, scheduler, 10)
    assert o.param_groups[1]["lr"] == pytest.approx(1.0)  # ten times what was asked for
    o = optimizer()
    scheduler = ours(o)
    o.add_param_group({"params": [torch.zeros(1)], "lr": 0.1})
    stepped(o, scheduler, 10)
    assert o.param_groups[1]["lr"] == pytest.approx(0.1)


def test_a_rate_edited_by_hand_is_kept_by_one_and_undone_by_another() -> None:
    rates = {}
    for name, make in {
        "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 100),
        "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda t: 1.0),
        "ours": ours,
    }.items():
        o = optimizer()
        scheduler = make(o)
        stepped(o, scheduler, 5)
        o.param_groups[0]["lr"] = 0.05
        stepped(o, scheduler, 1)
        rates[name] = rate(o)
    assert rates["cosine"] == pytest.approx(0.05, rel=0.01)
    assert rates["lambda"] == 0.1
    assert rates["ours"] == pytest.approx(0.1 * OURS(6))


def test_a_rate_of_numpy_cannot_be_loaded_as_weights(tmp_path) -> None:
    numpy = pytest.importorskip("numpy")
    o = optimizer(numpy.float64(0.1))
    torch.save(o.state_dict(), tmp_path / "o.pt")
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        torch.load(tmp_path / "o.pt", weights_only=True)
    from preheat.torch import Scheduler

    o = optimizer()
    Scheduler(o, ph.decay(), run=ph.Run(total=10))
    torch.save(o.state_dict(), tmp_path / "ours.pt")
    assert type(torch.load(tmp_path / "ours.pt", weights_only=True)["param_groups"][0]["lr"]) is float


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("CosineAnnealingLR", {"T_max": 0}), ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": 0.1})],
)
def test_where_torch_divides_by_zero_a_refusal_says_what_to_write(name: str, arguments) -> None:
    o = optimizer(momentum=0.9)
    with pytest.raises(ZeroDivisionError), warnings.catch_warnings():
        stepped(o, getattr(lr_scheduler, name)(o, **arguments), 2)
    with pytest.raises(PreheatError, match="divides"):
        compat.restate("torch", name, **arguments)
