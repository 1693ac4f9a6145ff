"""What OLMo-core's schedulers do, driven as its trainer drives them, beside what preheat gives."""

import numpy as np
import pytest

from preheat import PreheatError, compat

olmo = pytest.importorskip("benchmarks.parity.peers.olmo_core", exc_type=ImportError)


def test_the_first_update_uses_step_1_and_the_last_the_total() -> None:
    theirs = olmo.run("linear_with_warmup", {"warmup": 4, "alpha_f": 0.1, "max_steps": 10, "base_lr": 1.0}, 10)
    ours = compat.olmo_core.linear_with_warmup(warmup=4, max_steps=10)
    np.testing.assert_allclose(ours.table(10), theirs, atol=1e-12)
    assert theirs[0] == 0.25
    assert theirs[9] == pytest.approx(0.1)


def test_a_warmup_of_0_divides_by_zero_at_step_0_which_the_trainer_never_asks_for() -> None:
    scheduler = olmo.build("constant_with_warmup", {"warmup": 0})
    with pytest.raises(ZeroDivisionError):
        scheduler.get_lr(1.0, 0, 10)
    assert olmo.run("constant_with_warmup", {"warmup": 0, "max_steps": 3, "base_lr": 1.0}, 3) == [1.0] * 3
    assert compat.olmo_core.constant_with_warmup(warmup=0).table(3).tolist() == [1.0] * 3


def test_tokens_that_an_update_does_not_divide_make_the_last_rate_negative() -> None:
    arguments = {"warmup": 0, "decay": 100, "decay_fraction": None, "units": "tokens", "max_tokens": 950}
    arguments |= {"tokens_per_step": 100}
    theirs = olmo.run("wsd", arguments | {"base_lr": 1.0}, 10)
    ours = compat.olmo_core.wsd(**arguments)
    assert theirs[-1] == pytest.approx(-0.5)
    np.testing.assert_allclose(ours.table(10), theirs, atol=1e-12)
    told = [one for one in ours.findings if one.place == "update 9"]
    assert "does not divide" in told[0].what


def test_a_decay_of_0_divides_by_zero_at_the_last_update() -> None:
    arguments = {"warmup": 2, "decay": 0, "decay_fraction": None, "max_steps": 10}
    assert len(olmo.run("wsd", arguments | {"base_lr": 1.0}, 10)) == 9
    with pytest.raises(PreheatError, match="divides by zero at the last update"):
        compat.olmo_core.wsd(**arguments)


def test_half_a_cosine_never_takes_the_peak() -> None:
    ours = compat.olmo_core.half_cos_with_warmup(warmup=10, max_steps=100, alpha_f=0.1)
    theirs = olmo.run("half_cos_with_warmup", {"warmup": 10, "max_steps": 100, "alpha_f": 0.1, "base_lr": 1.0}, 100)
    assert max(theirs) == pytest.approx(0.55)
    assert ours.table(100).max() == pytest.approx(max(theirs))
