"""What took sums, steps and composed shapes to say: the peers' formulas restated here, each on its own, over whole runs.

Where a peer is installed it is asked itself.
"""

import math

import numpy as np
import pytest

import preheat as ph
from preheat import decay, hold, ramp, warmup


def same(s: ph.Schedule, peer: list[float]) -> None:
    """The same at every update, in a table and one at a time, and after a round trip through text."""
    np.testing.assert_allclose(s.table(len(peer)), peer, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose([s.function(t) for t in range(len(peer))], peer, rtol=1e-12, atol=1e-15)
    assert ph.parse(repr(s)) == s


# -- torch's CyclicLR, which never ends -----------------------------------------------------------------------------------

BASE, HEIGHT, UP, DOWN, GAMMA = 0.01, 0.29, 40, 70, 0.997
triangle = ramp(0, HEIGHT, UP) >> ramp(HEIGHT, 0, DOWN)
falling = ramp(1, GAMMA**100, 100, "exponential").repeated(shrink=GAMMA**100)  # γᵗ for ever
CYCLIC = {
    "triangular": hold(BASE) + triangle.repeated(),
    "triangular2": hold(BASE) + triangle.repeated(shrink=0.5),
    "exp_range": hold(BASE) + triangle.repeated() * falling,
}


@pytest.mark.parametrize("mode", CYCLIC)
@pytest.mark.filterwarnings("ignore")
def test_cyclic_rates_of_torch_in_every_mode(mode: str) -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    cyclic = torch.optim.lr_scheduler.CyclicLR(
        optimizer, BASE, BASE + HEIGHT, UP, DOWN, mode=mode, gamma=GAMMA, cycle_momentum=False
    )
    rates = []
    for _ in range(1500):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cyclic.step()
    assert CYCLIC[mode].length == math.inf
    np.testing.assert_allclose(CYCLIC[mode].table(1500), rates, rtol=1e-11)
    assert CYCLIC[mode](110 * 10**6 + UP) == pytest.approx(BASE + HEIGHT if mode == "triangular" else BASE, rel=1e-12)


def test_a_triangle_between_two_rates_needs_no_sum() -> None:
    s = (ramp(BASE, BASE + HEIGHT, UP) >> ramp(BASE + HEIGHT, BASE, DOWN)).repeated()
    np.testing.assert_allclose(s.table(500), CYCLIC["triangular"].table(500), rtol=1e-14)


# -- cosines --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_cosine_decay_of_optax_with_an_exponent_and_a_floor(exponent: float, alpha: float) -> None:
    n = 321
    cosine = [0.5 * (1 + math.cos(math.pi * min(t, n) / n)) for t in range(400)]
    peer = [(1 - alpha) * c**exponent + alpha for c in cosine]
    same(decay(n, alpha, ph.compose(ph.reverse(ph.power(exponent)), "cosine")), peer)


def test_cosine_decay_of_optax_where_it_is_installed() -> None:
    optax = pytest.importorskip("optax")
    asked = [float(optax.cosine_decay_schedule(1.0, 321, 0.1, 1.5)(t)) for t in range(400)]
    ours = decay(321, 0.1, ph.compose(ph.reverse(ph.power(1.5)), "cosine"))
    np.testing.assert_allclose(ours.table(400), asked, atol=2e-6)


@pytest.mark.parametrize("t_mul", [1.0, 2.0, 1.5])
@pytest.mark.parametrize("m_mul", [1.0, 0.8])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_cosine_restarts_of_keras_with_shrinking_peaks_and_a_floor(t_mul: float, m_mul: float, alpha: float) -> None:
    first, peer = 40, []
    for t in range(700):
        begin, length, i = 0.0, float(first), 0
        while t >= begin + length:
            begin, length, i = begin + length, length * t_mul, i + 1
        wave = 0.5 * m_mul**i * (1 + math.cos(math.pi * (t - begin) / length))
        peer.append((1 - alpha) * wave + alpha)
    same(hold(alpha) + decay(first, shape="cosine").scaled(1 - alpha).repeated(stretch=t_mul, shrink=m_mul), peer)


@pytest.mark.parametrize("k", [1.0, 2.0, 0.5])
@pytest.mark.parametrize("cycle_mul", [1.0, 2.0])
def test_cosine_of_timm_with_decaying_cycles_a_floor_and_k_decay(k: float, cycle_mul: float) -> None:
    first, rate, floor, shrink, limit = 30, 0.4, 0.02, 0.5, 3
    peer = []
    for t in range(300):
        begin, length, i = 0, first, 0
        while t >= begin + length:
            begin, length, i = begin + length, int(length * cycle_mul), i + 1
        peak = rate * shrink**i
        wave = 0.5 * (1 + math.cos(math.pi * (t - begin) ** k / length**k))
        peer.append(floor + (peak - floor) * wave if i < limit else floor)
    cycle = decay(first, shape=ph.compose("cosine", ph.power(k)))
    falling_peaks = cycle.scaled(rate).repeated(limit, cycle_mul, shrink)
    same(hold(floor) + falling_peaks + cycle.scaled(-floor).repeated(limit, cycle_mul), peer)


# -- decays that subtract a constant --------------------------------------------------------------------------------------


def test_exponential_wsd_of_megatron() -> None:
    warm, total, fall, peak, floor, start = 20, 300, 80, 3e-4, 3e-5, 1e-5
    peer = []
    for t in range(total + 20):
        if t < warm:
            peer.append(start + (peak - start) * t / warm)
        elif t <= total - fall:
            peer.append(peak)
        else:
            share = min(1.0, (t - (total - fall)) / fall)
            peer.append(floor + (2 * 0.5**share - 1) * (peak - floor))
    last = (ramp(2, 1, fall, "exponential") + hold(-1)).scaled(peak - floor) + hold(floor)
    same(ramp(start, peak, warm) >> hold(peak, total - fall - warm) >> last, peer)


# -- Ultralytics: the decay is stepped once an epoch, the warmups count updates ---------------------------------------------


def test_the_three_warmups_of_ultralytics() -> None:
    batches, epochs, lr0, lrf, bias_lr, momentum = 37, 20, 0.01, 0.01, 0.1, (0.8, 0.937)
    warm = max(round(3 * batches), 100)
    rates: dict[str, list[float]] = {"lr": [], "bias": [], "momentum": []}
    for t in range(batches * epochs):
        now = lr0 * (max(1 - t // batches / epochs, 0) * (1 - lrf) + lrf)
        rates["lr"].append(float(np.interp(t, [0, warm], [0.0, now])) if t <= warm else now)
        rates["bias"].append(float(np.interp(t, [0, warm], [bias_lr, now])) if t <= warm else now)
        rates["momentum"].append(float(np.interp(t, [0, warm], momentum)))
    rising = warmup(warm) >> hold()
    stepped = decay("rest", lrf).stepwise("1 epoch")
    run = ph.Run(total=f"{epochs} epochs", steps_per_epoch=batches)
    same((rising * stepped).scaled(lr0).bind(run), rates["lr"])
    same((ramp(bias_lr, 0, warm) + (rising * stepped).scaled(lr0)).bind(run), rates["bias"])
    same(ramp(*momentum, warm) >> hold(momentum[1]), rates["momentum"])
    plan = ph.yolo_warmup(bias_start_ratio=bias_lr / lr0, min_lr_ratio=lrf, decay_every="1 epoch").bind(run)
    same(plan["lr"].scaled(lr0), rates["lr"])
    same(plan["bias/lr"].scaled(lr0), rates["bias"])


# -- staircases without end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_staircases_of_optax_keras_and_deepspeed(rate: float) -> None:
    every = 25
    exponential = ramp(1, rate, every, "exponential").repeated(shrink=rate)
    same(exponential.stepwise(every), [rate ** (t // every) for t in range(500)])
    inverse = [1 / (1 + rate * (t // every)) for t in range(500)]
    same(ph.invsqrt(every / rate, power=1).stepwise(every), inverse)
    growing = [1 + rate * (t // every) for t in range(500)]  # DeepSpeed's range test
    same(ramp(1, 1 + 20 * rate, 20 * every).stepwise(every), growing)
