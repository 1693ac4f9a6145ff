"""Batches that grow, in a real training with accumulated gradients: every update's rate, batch and tokens, resumed anywhere."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import preheat as ph
from preheat.torch import Scheduler

ROWS, LENGTH = 2, 16  # of one accumulated batch; a row is this many tokens
EACH = ROWS * LENGTH
TOTAL = 300 * EACH
RUN = ph.Run(total=f"{TOTAL} tokens", clock="token")
PEAK, WARM, MOST = 0.05, 20 * EACH, 8
TEXT = f"ramp(0, {PEAK}, {WARM}) >> ramp({PEAK}, 0, rest, shape=cosine)"


def planned(seen: int) -> tuple[float, int]:
    """Rate and batch after so many tokens, from the definition: no schedule is asked."""
    if seen < WARM:
        return PEAK * seen / WARM, 1
    u = (seen - WARM) / (TOTAL - WARM)
    factor = (1 + math.cos(math.pi * u)) / 2
    halved = sum(u >= math.acos(2 * 2.0**-k - 1) / math.pi - 1e-12 for k in (1, 2, 3))
    rate = factor * math.sqrt(MOST) if halved == 3 else 2 ** (-halved / 2)
    return PEAK * rate, 2**halved


class Training:
    """A byte model on text; the batches are taken in order, so a checkpoint needs their number only."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        text = torch.frombuffer(bytearray(Path(ph.__file__).read_bytes()), dtype=torch.uint8).long()
        self.rows = text[: len(text) // LENGTH * LENGTH].view(-1, LENGTH)
        self.model = nn.Sequential(nn.Embedding(256, 8), nn.Linear(8, 256))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1.0)
        self.scheduler = Scheduler(self.optimizer, ph.seesaw(ph.absolute(TEXT), RUN, most=MOST), run=RUN)
        self.tokens, self.seen, self.losses = 0, [], []
        self.optimizer.register_step_pre_hook(self.look)

    def look(self, *_: object) -> None:
        self.seen.append((self.tokens, self.optimizer.param_groups[0]["lr"], self.times))

    def update(self) -> None:
        self.times = int(self.scheduler.value("batch"))
        worth = 0
        for _ in range(self.times):
            first = (self.tokens + worth) // LENGTH
            rows = self.rows[torch.arange(first, first + ROWS) % len(self.rows)]
            loss = nn.functional.cross_entropy(self.model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
            (loss / self.times).backward()
            worth += rows.numel()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.tokens += worth
        self.scheduler.step(advance=worth)
        self.losses.append(loss.item())

    def state(self) -> dict:
        named = {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "scheduler")}
        return {**named, "tokens": self.tokens}

    def load(self, state: dict) -> None:
        for name in ("model", "optimizer", "scheduler"):
            getattr(self, name).load_state_dict(state[name])
        self.tokens = state["tokens"]


@pytest.fixture(scope="module")
def whole() -> Training:
    training = Training()
    while training.tokens < TOTAL:
        training.update()
    return training


def test_every_update_has_the_rate_and_the_batch_of_its_tokens_and_all_are_counted(whole: Training) -> None:
    at = 0
    for tokens, rate, times in whole.seen:
        assert tokens == at
        expected = planned(tokens)
        assert (rate, times) == (pytest.approx(expected[0], rel=1e-12, abs=1e-17), expected[1])
        at += times * EACH
    assert at == whole.tokens == whole.scheduler.position
    assert TOTAL <= at < TOTAL + MOST * EACH
    assert {times for _, _, times in whole.seen} == {1, 2, 4, 8}
    assert len(whole.seen) < 0.7 * 300  # the updates of a run whose batch stays
    assert sum(whole.losses[-10:]) < 0.8 * sum(whole.losses[:10])


@settings(max_examples=5, deadline=None)
@given(stops=st.lists(st.integers(1, 190), max_size=3, unique=True))
def test_stopped_and_resumed_it_is_the_same_run_bit_for_bit(whole: Training, stops: list[int]) -> None:
    training, seen = Training(), []
    while training.tokens < TOTAL:
        training.update()
        if len(seen) + len(training.seen) in stops:
            seen, state = seen + training.seen, training.state()
            training = Training()
            training.load(state)
    assert seen + training.seen == whole.seen
    for a, b in zip(training.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_who_forgets_what_an_update_has_seen_is_told() -> None:
    training = Training()
    training.update()
    training.optimizer.step()
    with pytest.raises(ph.PreheatError, match=r"how many tokens have passed is not known; write step\(advance=…\)"):
        training.scheduler.step()
    with pytest.raises(ph.PreheatError, match="an update is not worth tokens_per_step=32 throughout"):
        Scheduler(training.optimizer, training.scheduler.plan, run=RUN.replace(tokens_per_step=EACH))


def test_a_batch_ramp_on_a_clock_of_samples_with_the_rate_coupled_to_it() -> None:
    """Megatron's ramp in samples, the rate by the square root: lr/√batch stands still once it is warm."""
    weights = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weights], lr=0.1)
    size = ph.batch_ramp(8, 32, "400 samples", increment=8)
    factor = ph.batch_ramp(8, 32, "400 samples", increment=8, rule="sqrt")
    run = ph.Run(total="2000 samples", clock="sample")
    scheduler = Scheduler(optimizer, ph.Plan({"lr": ph.warmup("80 samples") * factor, "batch": size}), run=run)
    samples, sizes = 0, []
    while samples < 600:
        batch = int(scheduler.value("batch"))
        assert batch == min(32, 8 + 8 * (samples * 3 // 400))
        rate = 0.1 * min(1, samples / 80) * math.sqrt(batch / 32)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate, rel=1e-14)
        weights.grad = torch.ones(3)
        optimizer.step()
        scheduler.step(advance=batch)
        samples += batch
        sizes.append(batch)
    assert sizes[:17] == [8] * 17  # 136 samples are the first that are at least a third of 400
    assert sorted(set(sizes)) == [8, 16, 24, 32]


def test_the_last_update_of_a_run_may_reach_beyond_its_end_and_only_many_more_are_warned_of() -> None:
    """The last batch is rarely the exact rest of the tokens."""
    weights = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weights], lr=0.1)
    scheduler = Scheduler(optimizer, "decay()", run=ph.Run(total="1000 tokens", clock="token"))

    def update() -> None:
        weights.grad = torch.ones(3)
        optimizer.step()
        scheduler.step(advance=30)

    for _ in range(34 + 40):
        update()
    assert "rate 0 since token 1000" in str(scheduler.audit())
    for _ in range(9):
        update()
    with pytest.warns(ph.PreheatWarning, match="rate 0 since token 1000"):
        update()
