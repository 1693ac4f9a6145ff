"""Averages of weights with a scheduled decay: against a loop by hand, torch's own, and themselves resumed."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import preheat as ph
from preheat.torch import Scheduler, average

WARM = "lower(hold(0.99), hold(1) + invsqrt(10, power=1).scaled(-0.9))"
MEAN = "hold(1) + invsqrt(1, power=1).scaled(-1)"
KINDS = st.sampled_from(["hold(0.9)", WARM, MEAN, "ramp(0, 0.999, 20)", "ramp(0.5, 0.9, 10) >> hold(0.9, rest)"])


def a_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)).double()


def trained(model: nn.Module, update: int) -> None:
    """One update, drawn from its number."""
    generator = torch.Generator().manual_seed(update)
    x = torch.randn(16, 4, generator=generator, dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(x).square().mean().backward()
    optimizer.step()


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def close(a: list[torch.Tensor], b: list[torch.Tensor], tolerance: float = 1e-13) -> bool:
    return all(torch.allclose(x, y, rtol=tolerance, atol=tolerance) for x, y in zip(a, b, strict=True))


@settings(max_examples=20)
@given(KINDS, st.integers(0, 30), st.booleans())
def test_it_is_the_average_by_hand_at_every_update_stopped_and_resumed_anywhere(text, stop, pickled) -> None:
    model, run = a_model(), ph.Run(total=30)
    bound, mean, by_hand = ph.parse(text).bind(run), average(model, text, run=run), weights(model)
    for update in range(30):
        if update == stop:  # another process
            state = copy.deepcopy(mean.state_dict())
            mean = pickle.loads(pickle.dumps(mean)) if pickled else average(a_model(), text, run=run)
            mean.load_state_dict(state)
        trained(model, update)
        decay = bound(update)
        assert mean.decay == decay
        mean.update_parameters(model)
        now = weights(model)
        by_hand = now if update == 0 else [decay * a + (1 - decay) * b for a, b in zip(by_hand, now, strict=True)]
        assert close(list(mean.module.parameters()), by_hand)


def test_a_constant_decay_is_torchs_average_and_the_mean_is_its_default() -> None:
    model = a_model()
    ours = [average(model, "hold(0.9)"), average(model, MEAN), average(model, "hold(0.9)", use_buffers=True)]
    ema = get_ema_multi_avg_fn(0.9)
    peers = [
        AveragedModel(model, multi_avg_fn=ema),
        AveragedModel(model),
        AveragedModel(model, multi_avg_fn=ema, use_buffers=True),
    ]
    for update in range(20):
        trained(model, update)
        for one in (*ours, *peers):
            one.update_parameters(model)
    for one, peer in zip(ours, peers, strict=True):
        assert close(list(one.parameters()), list(peer.parameters()))
        assert close([b.double() for b in one.module.buffers()], [b.double() for b in peer.module.buffers()])
    assert all(torch.equal(a, b) for a, b in zip(ours[0].parameters(), peers[0].parameters(), strict=True))


def test_torchs_constant_decay_keeps_the_first_weights_and_its_state_does_not_say_which_it_was() -> None:
    """What the page says of it; a schedule mends both."""
    model = nn.Linear(1, 1, bias=False)
    means = [
        AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999)),
        average(model, WARM.replace("0.99", "0.999")),
    ]
    for update in range(101):
        nn.init.constant_(model.weight, 1.0 if update == 0 else 0.0)
        for mean in means:
            mean.update_parameters(model)
    left = [mean.module.weight.item() for mean in means]
    assert left[0] == pytest.approx(0.999**100, rel=1e-4)  # 90 %
    assert left[1] < 1e-9
    other = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    other.load_state_dict(means[0].state_dict())  # torch has no way to tell


@given(st.integers(0, 10**6), st.floats(0.9, 0.9999999))
def test_the_usual_warmup_of_a_decay(t: int, decay: float) -> None:
    s = ph.lower(ph.hold(decay), ph.hold(1) + ph.invsqrt(10, power=1).scaled(-0.9))
    assert s(t) == pytest.approx(min(decay, (1 + t) / (10 + t)), rel=1e-15)


def test_it_survives_a_file_and_is_read_without_running_anything(tmp_path) -> None:
    model = a_model()
    mean = average(model, WARM)
    for update in range(5):
        trained(model, update)
        mean.update_parameters(model)
    torch.save(mean.state_dict(), tmp_path / "average.pt")
    other = average(a_model(), WARM)
    other.load_state_dict(torch.load(tmp_path / "average.pt", weights_only=True))
    assert (other.decay, other.session.updates) == (6 / 15, 5)
    assert all(torch.equal(a, b) for a, b in zip(mean.parameters(), other.parameters(), strict=True))
    x = torch.ones(3, 4, dtype=torch.float64)
    assert torch.equal(other.eval()(x), mean.eval()(x))


def test_another_schedule_is_refused_before_anything_is_loaded() -> None:
    model = a_model()
    mean = average(model, "hold(0.9)")
    for update in range(3):
        trained(model, update)
        mean.update_parameters(model)
    state = mean.state_dict()
    other = average(a_model(), "hold(0.99)")
    before = weights(other)
    with pytest.raises(ph.StateError, match=r"the plan has changed since this state was saved: .*0\.9"):
        other.load_state_dict(state)
    assert close(weights(other), before, 0)
    assert other.n_averaged == 0
    for policy, decay in (("adopt", 0.99), ("keep", 0.9)):
        one = average(a_model(), "hold(0.99)", on_change=policy)
        one.load_state_dict(state)
        assert (one.decay, one.session.updates) == (decay, 3)


def test_beside_a_scheduler_in_one_training() -> None:
    """The average of a run at a constant rate comes nearer to the optimum than the run itself."""
    torch.manual_seed(0)
    weight = nn.Linear(8, 1, bias=False)
    nn.init.zeros_(weight.weight)
    optimizer = torch.optim.SGD(weight.parameters(), lr=0.1)
    scheduler = Scheduler(optimizer, "warmup(10) >> hold()")
    mean = average(weight, "lower(hold(0.98), hold(1) + invsqrt(10, power=1).scaled(-0.9))")
    for _ in range(300):
        x = torch.randn(8, 8)
        loss = (weight(x) - x.sum(1, keepdim=True) + torch.randn(8, 1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        mean.update_parameters(weight)
    apart = [(one.weight - 1).norm().item() for one in (weight, mean.module)]
    assert apart[1] < 0.5 * apart[0]


@pytest.mark.parametrize(
    ("schedule", "options", "words"),
    [
        ("hold(1.1)", {}, "a decay lies from 0 to 1, and this one goes from 1.1 to 1.1"),
        ("ramp(-0.1, 1, 9)", {}, "goes from -0.1 to 1"),
        (ph.relative("ramp(0.5, 0.9, 9)"), {}, "says that its values are factors"),
        ("hold(0.9)", {"run": ph.Run(clock="token")}, "does not say how many tokens have passed; write run=Run(total"),
        ("hold(0.9)", {"on_change": "rebase"}, "unknown on_change 'rebase'"),
        ("ramp(0, 0.9, 5%)", {}, "share of the run's total"),
    ],
)
def test_it_refuses(schedule, options, words: str) -> None:
    with pytest.raises(ph.PreheatError) as caught:
        average(a_model(), schedule, **options)
    assert words in str(caught.value)


def test_a_decay_that_is_only_found_to_be_none_when_it_is_used_changes_nothing() -> None:
    model = a_model()
    s = ph.warmup(4) + ph.decay(4)  # two that move: only a bound is known
    mean = average(model, s.scaled(1.1))
    before = weights(mean)
    with pytest.raises(ph.PreheatError, match=r"the decay of call 0 lies outside of 0 to 1, not 1\.1"):
        mean.update_parameters(model)
    assert close(weights(mean), before, 0)
    assert mean.n_averaged == 0


def test_what_may_be_meant_as_1_minus_the_decay_is_warned_of() -> None:
    with pytest.warns(ph.PreheatWarning, match=r"stays at or below 0\.001, .* write hold\(1\) \+ s\.scaled\(-1\)"):
        average(a_model(), "hold(0.001)")


@pytest.mark.parametrize("number", [0.999, "0.999", 1])
def test_a_number_is_told_how_it_is_written_as_a_decay(number: object) -> None:
    with pytest.raises(ph.PreheatError, match=rf"the decay is a schedule, not '?{number}'?; write 'hold\({number}\)'"):
        average(a_model(), number)


def test_a_call_is_no_epoch() -> None:
    """Each call would count as one, and the average stand still after the first of them."""
    with pytest.raises(
        ph.PreheatError, match=r"does not say how many epochs have passed; write run=Run\(total=10_000\)"
    ):
        average(a_model(), "ramp(0, 0.9, 1 epoch)", run=ph.Run(total="10 epochs", clock="epoch"))
    run = ph.Run(total="10 epochs", steps_per_epoch=8)
    assert average(a_model(), "ramp(0, 0.9, 1 epoch)", run=run).session.plan["decay"](8) == 0.9


@pytest.mark.parametrize(
    ("text", "call"), [("warmup(50) >> hold()", 50), ("hold(0.9, 7) >> hold(1)", 7), ("warmup(1 epoch) >> hold()", 4)]
)
def test_a_decay_that_ends_at_1_is_warned_of(text: str, call: int) -> None:
    with pytest.warns(
        ph.PreheatWarning, match=f"from call {call} on the decay is 1, and the average takes in nothing new"
    ):
        average(a_model(), text, run=ph.Run(total=100, steps_per_epoch=4))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", [WARM, MEAN, "hold(1, 5) >> hold(0.9)", "ramp(0, 0.999, 20)"])
def test_a_decay_that_comes_ever_closer_to_1_is_none_that_ends_there(text: str) -> None:
    average(a_model(), text)


def test_a_state_of_torchs_average_says_nothing_of_its_decay() -> None:
    model = a_model()
    torchs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for update in range(5):
        trained(model, update)
        torchs.update_parameters(model)
    mean = average(a_model(), WARM)
    before = weights(mean.module)
    with pytest.raises(ph.StateError, match=r"of torch's AveragedModel.*write load_state_dict\(state, strict=False\)"):
        mean.load_state_dict(torchs.state_dict())
    assert close(weights(mean.module), before, 0)
    mean.load_state_dict(torchs.state_dict(), strict=False)
    assert mean.decay == ph.parse(WARM)(5)
    assert close(weights(mean.module), weights(torchs.module), 0)


def test_a_changed_decay_is_offered_what_average_takes() -> None:
    mean = average(a_model(), WARM)
    with pytest.raises(ph.StateError) as caught:
        average(a_model(), MEAN).load_state_dict(mean.state_dict())
    assert "Pass on_change='adopt' for the new plan, 'keep' for the saved one." in str(caught.value)
    assert "rebase" not in str(caught.value)
