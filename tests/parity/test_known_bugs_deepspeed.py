"""What DeepSpeed's schedulers do that surprises, on the running library, beside what preheat gives."""

import pytest

from preheat import PreheatError, compat

peer = pytest.importorskip("benchmarks.parity.peers.deepspeed")


def test_the_first_two_updates_run_at_the_starting_rate() -> None:
    rates = peer.ran("WarmupLR", {"warmup_num_steps": 4, "warmup_type": "linear"}, 1.0, 4)
    assert rates == [0.0, 0.0, 0.25, 0.5]
    assert compat.deepspeed.warmup_lr(warmup_num_steps=4, warmup_type="linear").table(4).tolist() == rates


def test_the_peak_of_a_linear_warmup_before_a_cosine_is_never_taken() -> None:
    given = {"total_num_steps": 100, "warmup_num_steps": 10, "warmup_type": "linear"}
    rates = peer.ran("WarmupCosineLR", given, 0.1, 100)
    assert 0.0996 < max(rates) < 0.09998
    assert max(compat.deepspeed.warmup_cosine_lr(**given, base_lr=0.1).table(100)) == pytest.approx(
        max(rates), rel=1e-14
    )


def test_the_first_ratio_is_0_whatever_warmup_min_ratio_says() -> None:
    given = {"total_num_steps": 9, "warmup_num_steps": 3, "warmup_min_ratio": 0.5}
    assert peer.ran("WarmupCosineLR", given, 1.0, 2) == [0.0, 0.5]
    assert compat.deepspeed.warmup_cosine_lr(**given).table(2).tolist() == [0.0, 0.5]


def test_its_own_default_rate_replaces_the_optimizers() -> None:
    given = {"total_num_steps": 9, "warmup_num_steps": 2}
    rates = peer.ran("WarmupDecayLR", given, 0.3, 9)
    restated = compat.deepspeed.warmup_decay_lr(**given, base_lr=0.3)
    assert max(rates) == 0.001 == max(restated.table(9))
    assert [one.place for one in restated.findings] == ["base_lr"]


def test_an_unknown_type_of_warmup_becomes_log_and_is_told() -> None:
    given = {"warmup_num_steps": 8, "warmup_type": "cosine"}
    rates = peer.ran("WarmupLR", given, 1.0, 8)
    restated = compat.deepspeed.warmup_lr(**given)
    assert rates == pytest.approx(restated.table(8).tolist(), rel=1e-14)
    assert [(one.code, one.place) for one in restated.findings] == [("ignored-argument", "warmup_type")]


@pytest.mark.parametrize("steps", [0, -1, 2.5])
def test_a_warmup_of_no_updates_is_refused_by_both(steps) -> None:
    with pytest.raises(ValueError, match="positive integer"):
        peer.ran("WarmupLR", {"warmup_num_steps": steps}, 1.0, 1)
    with pytest.raises(PreheatError, match="warmup_num_steps"):
        compat.deepspeed.warmup_lr(warmup_num_steps=steps)


def test_momentum_has_its_least_value_at_the_first_update_and_the_second_beta_is_replaced() -> None:
    given = {"cycle_min_lr": 0.1, "cycle_max_lr": 1.0, "cycle_first_step_size": 10}
    case = next(one for one in peer.CASES if one.scheduler == "one_cycle")
    ran = case.run(given, 3)
    assert ran["betas[0]"] == pytest.approx([0.8, 0.89, 0.88])
    assert ran["betas[1]"] == [0.99] * 3
    assert compat.deepspeed.one_cycle(**given).plan["betas[0]"].table(3).tolist() == pytest.approx(
        ran["betas[0]"], rel=1e-14
    )


def test_a_load_leaves_the_rate_as_it_is_until_the_next_step() -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = peer.lr_schedules.WarmupLR(optimizer, warmup_num_steps=4, warmup_type="linear")
    scheduler.load_state_dict({"last_batch_iteration": 3})
    assert optimizer.param_groups[0]["lr"] == 0.0
    assert compat.deepspeed.warmup_lr(warmup_num_steps=4, warmup_type="linear")(4) == 0.75
