"""What pytorch_warmup does that one should know, shown on the running library beside what preheat gives."""

import pytest

from preheat import PreheatError, compat

torch = pytest.importorskip("torch")
own = pytest.importorskip("pytorch_warmup")


def run(optimizer: object, warmup: object, n: int) -> list[float]:
    found = []
    for _ in range(n):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        with warmup.dampening():
            pass
    return found


def test_a_rate_that_is_a_tensor_falls_for_ever() -> None:
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=torch.tensor(1.0))
    assert run(optimizer, own.LinearWarmup(optimizer, 4), 6) == [0.25, 0.125, 0.09375, 0.09375, 0.09375, 0.09375]
    assert compat.restate("pytorch_warmup", "LinearWarmup", warmup_period=4).table(6).tolist() == [
        0.25,
        0.5,
        0.75,
        1,
        1,
        1,
    ]


@pytest.mark.parametrize("period", [0, -1])
def test_a_warmup_of_no_updates_is_refused_by_both(period: int) -> None:
    optimizer = torch.optim.Adam([torch.zeros(1)])
    with pytest.raises(ValueError, match="positive"):
        own.LinearWarmup(optimizer, period)
    with pytest.raises(PreheatError, match="leave the warmup out"):
        compat.restate("pytorch_warmup", "LinearWarmup", warmup_period=period)


def test_the_untuned_lengths_are_one_short_because_floats_are_cut() -> None:
    optimizer = torch.optim.Adam([torch.zeros(1)], betas=(0.9, 0.999))
    assert own.UntunedLinearWarmup(optimizer).warmup_params == [{"warmup_period": 1999}]
    assert own.UntunedExponentialWarmup(optimizer).warmup_params == [{"warmup_period": 999}]
    assert compat.restate("pytorch_warmup", "UntunedLinearWarmup")(0) == 1 / 1999


def test_an_optimizer_without_betas_has_no_untuned_warmup() -> None:
    with pytest.raises(KeyError):
        own.RAdamWarmup(torch.optim.SGD([torch.zeros(1)], lr=0.1))
    with pytest.raises(PreheatError, match="betas"):
        compat.restate("pytorch_warmup", "RAdamWarmup", betas=(0.9,))


def test_a_group_that_comes_later_is_not_warmed_up() -> None:
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=1.0)
    warmup = own.LinearWarmup(optimizer, 10)
    optimizer.add_param_group({"params": [torch.zeros(1)]})
    run(optimizer, warmup, 2)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.3, 1.0])
