"""What Composer's schedulers do that surprises, on the running classes, beside what preheat gives."""

import pytest

from preheat import PreheatError, compat

peer = pytest.importorskip("benchmarks.parity.peers.composer")


def both(own: str, name: str, n: int, **given) -> list[float]:
    rates = peer.ran(own, given, n)
    assert compat.restate("composer", name, **given, faithful=True).table(n).tolist() == pytest.approx(rates, rel=1e-13)
    return rates


def test_the_decay_is_measured_from_the_end_of_the_warmup_and_not_by_t_max() -> None:
    given = {"t_warmup": "10ba", "max_duration": "110ba"}
    rates = both("LinearWithWarmupScheduler", "linear_with_warmup_scheduler", 111, **given)
    assert rates[60] == 0.5  # by its documented formula, (t − t_warmup)/t_max, 0.5454…
    assert rates[110] == 0.0


def test_a_warmup_that_is_stretched_is_cut_where_it_was_and_jumps() -> None:
    given = {"t_warmup": "10ba", "max_duration": "40ba", "scale_schedule_ratio": 2.0, "scale_warmup": True}
    rates = both("CosineAnnealingWithWarmupScheduler", "cosine_annealing_with_warmup_scheduler", 80, **given)
    assert rates[9] == 0.45
    assert rates[10] == 1.0


def test_a_constant_returns_to_1_after_its_time_but_not_after_a_warmup() -> None:
    given = {"alpha": 0.5, "t_max": "5ba", "max_duration": "5ba"}
    assert both("ConstantScheduler", "constant_scheduler", 7, **given) == [0.5] * 5 + [1.0] * 2
    assert compat.composer.constant_scheduler(**given)(6) == 0.5
    rates = both("ConstantWithWarmupScheduler", "constant_with_warmup_scheduler", 7, **given, t_warmup="2ba")
    assert rates[-1] == 0.5


def test_a_share_of_the_run_may_be_rounded_to_no_warmup() -> None:
    given = {"t_warmup": "0.01dur", "max_duration": "50ba"}
    assert both("LinearWithWarmupScheduler", "linear_with_warmup_scheduler", 1, **given) == [1.0]


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"t_warmup": "10sp", "t_max": "1dur", "batch_size": 2}, "one unit"),
        ({"t_warmup": "1ba", "t_max": "10ba"}, "ends before"),
    ],
)
def test_times_that_do_not_fit_are_refused_by_both(wrong, match) -> None:
    given = {"max_duration": "20ba", **wrong}
    with pytest.raises(ValueError, match="t_max"):
        peer.ran("LinearWithWarmupScheduler", given, 1)
    with pytest.raises(PreheatError, match=match):
        compat.composer.linear_with_warmup_scheduler(**given)


def test_what_the_trainer_is_not_told_is_asked_for() -> None:
    with pytest.raises(PreheatError, match="max_duration"):
        compat.composer.linear_scheduler()
    with pytest.raises(PreheatError, match="dataloader_len"):
        compat.composer.linear_scheduler(max_duration="2ep")
    with pytest.raises(PreheatError, match="did you mean 'max_duration'"):
        compat.composer.linear_scheduler(max_durations="2ep")
    with pytest.raises(PreheatError, match="whole"):
        compat.composer.linear_scheduler(max_duration="2.5ep", dataloader_len=4)


def test_what_grows_is_said_up_to_the_end() -> None:
    given = {"gamma": 2.0, "decay_period": "10ba", "max_duration": "30ba"}
    both("ExponentialScheduler", "exponential_scheduler", 60, **given)
    assert compat.composer.exponential_scheduler(**given)(100) == 8.0
