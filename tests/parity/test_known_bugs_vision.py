"""What fvcore, detectron2, mmengine and Paddle compute and nobody expects, on the running library, beside what is given."""

import pytest

from preheat import PreheatError, compat


def test_fvcore_goes_on_after_the_end_and_here_the_last_value_stays() -> None:
    scheduler = pytest.importorskip("fvcore.common.param_scheduler")
    linear = scheduler.LinearParamScheduler(1.0, 0.0)
    cosine = scheduler.CosineParamScheduler(1.0, 0.0)
    assert linear(1.5) == -0.5
    assert cosine(2.0) == 1.0
    arguments = {"start_value": 1.0, "end_value": 0.0, "max_iter": 10}
    for name, after in (("LinearParamScheduler", -0.5), ("CosineParamScheduler", 0.5)):
        plain = compat.restate("fvcore", name, **arguments)
        assert plain(15) == 0.0
        assert [one.code for one in plain.findings] == ["after-the-end"]
        assert compat.restate("fvcore", name, **arguments, faithful=True)(15) == pytest.approx(after, abs=1e-15)


def test_a_warmup_before_a_cosine_of_detectron2_never_reaches_the_peak() -> None:
    pytest.importorskip("fvcore")
    from benchmarks.parity.peers.detectron2 import solver

    given = {"lr_scheduler_name": "WarmupCosineLR", "max_iter": 100, "warmup_iters": 20, "base_lr": 1.0}
    assert max(solver(given, 100)) < 0.91
    assert max(compat.detectron2.build_lr_scheduler(**given).table(100)) < 0.91
    assert max(solver(given | {"rescale_interval": True}, 100)) == 1.0
    assert max(compat.detectron2.build_lr_scheduler(**given, rescale_interval=True).table(100)) == 1.0


def test_the_old_classes_of_detectron2_are_products() -> None:
    cosine = compat.detectron2.warmup_cosine_lr(max_iters=10, warmup_iters=4, warmup_factor=0.1)
    assert cosine(2) == pytest.approx(0.55 * 0.9045084971874737, rel=1e-12)
    stairs = compat.detectron2.warmup_multi_step_lr(milestones=[2, 6], warmup_iters=4, warmup_factor=0.2)
    assert stairs.table(8).tolist() == pytest.approx([0.2, 0.4, 0.06, 0.08, 0.1, 0.1, 0.01, 0.01], rel=1e-12)


def test_a_warmup_of_one_step_of_mmengine_is_stuck_at_its_start() -> None:
    mmengine = pytest.importorskip("benchmarks.parity.peers.mmengine")
    one = {"type": "LinearLR", "start_factor": 0.001, "begin": 0, "end": 1}
    assert mmengine.stepped({"schedulers": [one], "base_lr": 1.0}, 5)["lr"] == [0.001] * 5
    found = compat.mmengine.linear_lr(start_factor=0.001, begin=0, end=1)
    assert found.table(5).tolist() == [0.001] * 5
    assert [finding.code for finding in found.findings] == ["unexpected-value"]


def test_a_cosine_of_mmengine_ends_one_value_short_of_its_floor() -> None:
    mmengine = pytest.importorskip("benchmarks.parity.peers.mmengine")
    one = {"type": "CosineAnnealingLR", "begin": 0, "end": 4}
    assert mmengine.stepped({"schedulers": [one], "base_lr": 1.0}, 9)["lr"][-1] == pytest.approx(0.1464466094067)
    assert compat.mmengine.cosine_annealing_lr(begin=0, end=4)(9) == pytest.approx(0.1464466094067)


def test_a_start_of_0_fails_in_mmengine_and_is_refused_here() -> None:
    mmengine = pytest.importorskip("benchmarks.parity.peers.mmengine")
    one = {"type": "LinearLR", "start_factor": 0.0, "begin": 0, "end": 5}
    assert mmengine.stepped({"schedulers": [one], "base_lr": 1.0}, 9)["lr"] == [0.0]  # the second step raises
    with pytest.raises(PreheatError, match="divides by a start_factor of 0"):
        compat.mmengine.linear_lr(start_factor=0.0, begin=0, end=5)


def test_one_cycle_whose_first_phase_is_one_update_fails_in_the_libraries_and_is_refused_here() -> None:
    paddle = pytest.importorskip("benchmarks.parity.peers.paddle")
    given = {"max_learning_rate": 0.1, "total_steps": 10, "phase_pct": 0.1}
    with pytest.raises(ZeroDivisionError):
        paddle.made("OneCycleLR", given)
    with pytest.raises(PreheatError, match="a first phase of no length"):
        compat.paddle.one_cycle_lr(**given)


def test_a_step_beyond_one_cycle_of_paddle_goes_up_and_the_next_fails() -> None:
    paddle = pytest.importorskip("benchmarks.parity.peers.paddle")
    given = {"max_learning_rate": 0.1, "total_steps": 10}
    rates = paddle.rates("OneCycleLR", given, 20)
    assert len(rates) == 11
    assert rates[10] > rates[9]
    assert compat.paddle.one_cycle_lr(**given)(15) == rates[9]


def test_the_first_rate_of_noam_is_0_and_a_function_is_refused() -> None:
    assert compat.paddle.noam_decay(d_model=64, warmup_steps=10)(0) == 0.0
    with pytest.raises(PreheatError, match="a function of your own"):
        compat.paddle.lambda_decay(learning_rate=0.1, lr_lambda=lambda step: 1.0)


def test_restarts_inside_a_warmup_of_paddle_may_come_an_update_late_and_a_finding_says_so() -> None:
    paddle = pytest.importorskip("benchmarks.parity.peers.paddle")
    inner = {"type": "CosineAnnealingWarmRestarts", "learning_rate": 1.0, "T_0": 1, "T_mult": 3}
    given = {"learning_rate": inner, "warmup_steps": 1, "start_lr": 0.0, "end_lr": 1.0}
    ours = compat.paddle.linear_warmup(**given)
    late = 1 + (3**5 - 1) // 2
    assert paddle.rates("LinearWarmup", given, late + 1)[late] < 0.1
    assert ours(late) == 1.0
    assert "not-equal" in [finding.code for finding in ours.findings]
