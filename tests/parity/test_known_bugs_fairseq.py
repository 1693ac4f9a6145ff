"""What fairseq's schedulers do in their corners, run here, beside what preheat gives."""

import pytest

from preheat import PreheatError, compat

fairseq = pytest.importorskip("benchmarks.parity.peers.fairseq", exc_type=ImportError)


def test_rounding_of_a_logarithm_begins_a_period_one_update_late() -> None:
    arguments = {"lr": 1.0, "lr_period_updates": 1, "t_mult": 3.0, "max_update": 200, "lr_shrink": 1.0}
    theirs = fairseq.run("cosine", arguments | {"base_lr": 1.0}, 200)
    ours = compat.fairseq.cosine(**arguments)
    off = [i for i, (a, b) in enumerate(zip(theirs, ours.table(200).tolist(), strict=True)) if abs(a - b) > 1e-12]
    assert off == [121]
    told = [one for one in ours.findings if one.code == "not-equal"]
    assert "[121]" in told[0].what


def test_the_update_after_the_run_restarts_and_a_restatement_holds() -> None:
    arguments = {"lr": 1.0, "max_update": 50, "warmup_updates": 10}
    theirs = fairseq.run("cosine", arguments | {"base_lr": 1.0}, 52)
    assert theirs[49] < 0.01 < theirs[50] == pytest.approx(0.1)
    assert compat.fairseq.cosine(**arguments)(50) == 0.0
    assert compat.fairseq.cosine(**arguments, faithful=True)(50) == pytest.approx(0.1)


def test_without_a_warmup_inverse_sqrt_divides_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        fairseq.run("inverse_sqrt", {"lr": 1.0, "warmup_updates": 0, "base_lr": 1.0}, 1)
    with pytest.raises(PreheatError, match="divides by zero"):
        compat.fairseq.inverse_sqrt(warmup_updates=0)
