"""What Megatron's scheduler does that surprises, on the running class, beside what preheat gives."""

from types import SimpleNamespace

import pytest

from preheat import PreheatError, compat

peer = pytest.importorskip("benchmarks.parity.peers.megatron")
COMMON = {"init_lr": 0.0, "max_lr": 1.0, "min_lr": 0.1, "lr_warmup_steps": 10, "lr_decay_steps": 40}
COMMON |= {"start_wd": 0.1, "end_wd": 0.1, "wd_incr_steps": 40, "wd_incr_style": "constant"}


def scheduler(**given):
    group: dict[str, float] = {}
    return group, peer.scheduling.OptimizerParamScheduler(SimpleNamespace(param_groups=[group]), **COMMON | given)


def test_an_inverse_square_root_falls_off_a_cliff_at_the_end_of_the_decay() -> None:
    rates = peer.ran(43, 1, **COMMON, lr_decay_style="inverse-square-root")["lr"]
    assert rates[40] == 0.5
    assert rates[41] == 0.1
    given = COMMON | {"lr_decay_style": "inverse-square-root"}
    assert compat.megatron.optimizer_param_scheduler(**given).table(43).tolist() == pytest.approx(rates, rel=1e-14)


def test_a_constant_rate_does_not_know_the_end_of_the_decay() -> None:
    assert peer.ran(60, 1, **COMMON, lr_decay_style="constant")["lr"][-1] == 1.0
    assert compat.megatron.optimizer_param_scheduler(**COMMON, lr_decay_style="constant")(59) == 1.0


def test_a_load_adds_to_where_it_stands() -> None:
    _, first = scheduler(lr_decay_style="linear")
    first.step(20)
    state = first.state_dict()
    group, second = scheduler(lr_decay_style="linear")
    second.load_state_dict(state)
    second.load_state_dict(state)
    assert second.num_steps == 40
    assert group["lr"] == 0.1
    assert compat.megatron.optimizer_param_scheduler(**COMMON, lr_decay_style="linear")(20) == pytest.approx(0.7)


def test_the_weight_decay_cannot_decay() -> None:
    falling = {"start_wd": 0.1, "end_wd": 0.01, "wd_incr_style": "linear", "lr_decay_style": "linear"}
    with pytest.raises(AssertionError):
        scheduler(**falling)
    with pytest.raises(PreheatError, match="only grow"):
        compat.megatron.optimizer_param_scheduler(**COMMON | falling)


def test_a_decay_that_reaches_into_the_warmup_begins_in_the_middle() -> None:
    given = {"lr_decay_style": "WSD", "wsd_decay_steps": 40, "lr_wsd_decay_style": "linear"}
    rates = peer.ran(12, 1, **COMMON, **given)["lr"]
    assert rates[10] == 1.0
    assert rates[11] == pytest.approx(1 - 0.9 * 11 / 40)
    restated = compat.megatron.optimizer_param_scheduler(**COMMON, **given)
    assert restated.table(12).tolist() == pytest.approx(rates, rel=1e-14)


@pytest.mark.parametrize(
    "wrong", [{"lr_warmup_steps": 40}, {"min_lr": 2.0}, {"init_lr": 2.0}, {"min_lr": -0.1}, {"lr_decay_steps": 0}]
)
def test_what_its_checks_refuse_is_refused(wrong) -> None:
    with pytest.raises(AssertionError):
        scheduler(lr_decay_style="linear", **wrong)
    with pytest.raises(PreheatError):
        compat.megatron.optimizer_param_scheduler(**COMMON | wrong, lr_decay_style="linear")


@pytest.mark.parametrize(
    "wrong",
    [
        {"train_iters": 100, "train_samples": 100},
        {"train_iters": 100, "lr_decay_samples": 100},
        {"train_iters": 100, "lr_warmup_samples": 10},
        {"train_iters": 100, "lr_warmup_iters": 10, "lr_warmup_fraction": 0.1},
        {"train_iters": 100, "rampup_batch_size": (16, 16, 1000)},
        {"train_samples": 100},
        {"train_iters": 100, "start_weight_decay": 0.1},
        {"train_iters": 100, "weight_decay_incr_style": "linear"},
        {},
    ],
)
def test_options_that_contradict_each_other_are_refused(wrong) -> None:
    with pytest.raises(PreheatError):
        compat.megatron.arguments(lr=1e-3, **wrong)


def test_weight_decay_that_moves_is_a_line_of_the_plan_with_a_finding() -> None:
    restated = compat.megatron.arguments(
        lr=1e-3, train_iters=10, weight_decay_incr_style="linear", start_weight_decay=0.0, end_weight_decay=0.1
    )
    assert restated.plan["weight_decay"].table(11)[-1] == 0.1
    assert [one.place for one in restated.findings] == ["wd_mult"]
