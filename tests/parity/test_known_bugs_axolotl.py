"""What axolotl's schedulers do, run here, beside what preheat gives."""

import numpy as np
import pytest

from preheat import compat

axolotl = pytest.importorskip("benchmarks.parity.peers.axolotl", exc_type=ImportError)


def test_rex_is_one_update_early_and_its_last_update_has_the_rate_0() -> None:
    given = {"max_lr": 1.0, "min_lr": 0.0, "total_steps": 10, "num_warmup_steps": 4}
    theirs = axolotl.run("RexLR", given | {"base_lr": 1.0}, 10)
    ours = compat.axolotl.rex_lr(**given)
    np.testing.assert_allclose(ours.table(10), theirs, atol=1e-12)
    assert theirs[0] == 0.25
    assert theirs[9] == 0.0


def test_the_interpolated_logarithm_stays_at_its_start_for_two_updates() -> None:
    given = {"num_steps": 5, "min_lr": 0.01, "max_lr": 1.0}
    theirs = axolotl.run("InterpolatingLogScheduler", given | {"base_lr": 1.0}, 7)
    np.testing.assert_allclose(compat.axolotl.interpolating_log_scheduler(**given).table(7), theirs, atol=1e-12)
    assert theirs[0] == theirs[1] == 0.01
