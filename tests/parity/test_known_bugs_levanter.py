"""What levanter's schedules do, run here, beside what preheat gives."""

import pytest

from preheat import compat

levanter = pytest.importorskip("benchmarks.parity.peers.levanter", exc_type=ImportError)


def test_the_linear_schedule_takes_the_warmup_off_twice() -> None:
    given = {"num_train_steps": 100, "warmup": 20, "lr_schedule": "linear", "learning_rate": 1.0, "min_lr_ratio": 0.1}
    theirs = levanter.run(given | {"base_lr": 1.0}, 100)
    ours = compat.levanter.optimizer_config(**given)
    assert theirs[79] > 0.1 + 1e-3
    assert theirs[80] == pytest.approx(0.1) == ours(80)
    assert "twice" in ours.findings[0].what
