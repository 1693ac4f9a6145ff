"""What torchtitan's own scheduler does after its end and in its corners, run here, beside what preheat gives."""

import numpy as np
import pytest

from preheat import PreheatError, compat

torchtitan = pytest.importorskip("benchmarks.parity.peers.torchtitan", exc_type=ImportError)


def _both(n, faithful=False, **arguments):
    restated = compat.torchtitan.lr_schedulers_container(**arguments, faithful=faithful)
    return torchtitan.run(arguments | {"base_lr": arguments.get("base_lr", 1.0)}, n), restated


def test_a_total_that_ends_before_the_run_makes_the_rate_negative_whatever_the_floor() -> None:
    theirs, ours = _both(12, training_steps=12, total_steps=5, warmup_steps=2, min_lr_factor=0.1)
    np.testing.assert_allclose(theirs, [0.5, 1, 1, 0.7, 0.4, 0.1, -0.2, -0.5, -0.8, -1.1, -1.4, -1.7], atol=1e-12)
    np.testing.assert_allclose(ours.table(12), theirs, atol=1e-12)  # inside its run: what it does, and told
    assert [(one.code, one.place) for one in ours.findings if one.place == "update 6"] == [
        ("after-the-end", "update 6")
    ]


@pytest.mark.parametrize(("kind", "after"), [("linear", -2 / 7), ("sqrt", 1 - (9 / 7) ** 0.5), ("cosine", 0.188255)])
def test_after_its_end_it_goes_on_and_a_restatement_holds(kind, after) -> None:
    theirs, ours = _both(13, training_steps=10, warmup_steps=3, decay_type=kind)
    _, faithful = _both(13, faithful=True, training_steps=10, warmup_steps=3, decay_type=kind)
    assert theirs[12] == pytest.approx(after, abs=1e-6)
    assert faithful(12) == pytest.approx(after, abs=1e-6)
    assert ours(12) == ours(10) == pytest.approx(0, abs=1e-12)


def test_a_decay_of_no_updates_fails_one_update_after_the_end() -> None:
    theirs, ours = _both(30, training_steps=10, warmup_steps=3, decay_ratio=0.0)
    assert len(theirs) == 11  # then an AssertionError
    assert ours(20) == 1.0
    assert ours.findings[-1].code == "after-the-end"
    with pytest.raises(PreheatError, match="fails at update 6"):
        compat.torchtitan.lr_schedulers_container(training_steps=10, total_steps=5, warmup_steps=5)


def test_a_warmup_that_is_longer_than_the_run_is_shortened_and_told() -> None:
    theirs, ours = _both(10, training_steps=10, warmup_steps=200)
    np.testing.assert_allclose(ours.table(10), theirs, atol=1e-12)
    assert theirs[9] == 1.0
    assert ours.findings[0].code == "ignored-argument"
