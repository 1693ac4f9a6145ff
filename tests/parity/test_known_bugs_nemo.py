"""What NeMo's policies do that surprises, on the running classes, beside what preheat gives."""

import pytest

from preheat import PreheatError, compat

peer = pytest.importorskip("benchmarks.parity.peers.nemo")


def both(own: str, name: str, n: int, base: float = 1.0, **given) -> list[float]:
    rates = peer.ran(own, given, base, n)
    restated = compat.restate("nemo", name, **given, base_lr=base, faithful=True).table(n).tolist()
    assert restated == pytest.approx(rates, rel=1e-13)
    return rates


def test_a_cosine_warms_up_otherwise_where_the_end_is_constant() -> None:
    given = {"max_steps": 20, "warmup_steps": 4}
    assert both("CosineAnnealing", "cosine_annealing", 3, **given) == pytest.approx([0.2, 0.4, 0.6])
    assert both("CosineAnnealing", "cosine_annealing", 3, **given, constant_steps=2) == [0.0, 0.25, 0.5]


def test_a_square_root_falls_at_once_after_the_warmup() -> None:
    rates = both("SquareRootAnnealing", "square_root_annealing", 12, max_steps=20, warmup_steps=10)
    assert rates[10] == 1.0
    assert rates[11] == pytest.approx(0.45**0.5)


def test_t5s_rates_do_not_know_the_optimizers() -> None:
    given = {"max_steps": 20, "constant_steps": 4}
    own, name = "T5InverseSquareRootAnnealing", "t5_inverse_square_root_annealing"
    assert both(own, name, 9, 1e-3, **given) == both(own, name, 9, 1.0, **given)
    restated = compat.nemo.t5_inverse_square_root_annealing(**given, base_lr=1e-3)
    assert [one.place for one in restated.findings if one.code == "ignored-argument"] == ["base_lr"]


def test_a_ratio_of_constant_steps_fails_in_both() -> None:
    given = {"max_steps": 20, "constant_ratio": 0.2}
    with pytest.raises(TypeError):
        peer.ran("T5InverseSquareRootAnnealing", given, 1.0, 1)
    with pytest.raises(PreheatError, match="constant_steps"):
        compat.nemo.t5_inverse_square_root_annealing(**given)


def test_an_inverse_square_root_falls_to_min_lr_after_the_end_and_not_before() -> None:
    given = {"max_steps": 8, "warmup_steps": 1, "min_lr": 0.9}
    rates = both("InverseSquareRootAnnealing", "inverse_square_root_annealing", 10, **given)
    assert rates[8] < 0.5 < rates[9] == 0.9
    restated = compat.nemo.inverse_square_root_annealing(**given)
    assert restated(9) == pytest.approx(rates[8], rel=1e-14)
    assert "after-the-end" in [one.code for one in restated.findings]
