"""An advice on real trainings: all is put back, what it costs is counted, and the cases whose answer is known."""

import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import preheat
from preheat import PreheatError
from preheat.lab.tasks import DigitsOptions, load
from preheat.lab.tasks.training import begun, cross_entropy
from preheat.measure import advise
from preheat.measure.advising.measuring import Measuring, given_peak, optimizer_facts
from preheat.measure.advising.outcome import judged
from preheat.measure.advising.runs import beginning, exchanged
from preheat.measure.advising.trial import warmups
from preheat.measure.training import Training
from preheat.torch import Scheduler


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_all_is_put_back(trained, kind):
    one = trained(kind)
    before = one.state()
    advice = advise(*one.given, steps=100, trial=20)
    assert one.state() == before
    assert advice.facts.trial is not None
    assert advice.facts.batch == 16
    assert advice.facts.peak == 0.03


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("after", [3, 30, 150, 350])
def test_all_is_put_back_when_it_raises_or_is_interrupted(trained, error, after):
    one = trained()
    before, calls = one.state(), []

    def loss(batch):
        calls.append(batch)
        if len(calls) > after:
            raise error
        return one.loss(batch)

    with pytest.raises(error):
        advise(one.model, one.optimizer, loss, one.batches, steps=100, trial=20)
    assert one.state() == before


def test_it_gives_the_same_twice_and_counts_what_it_costs(trained):
    one, calls = trained(), []

    def loss(batch):
        calls.append(batch)
        return one.loss(batch)

    first = advise(one.model, one.optimizer, loss, one.batches, steps=100, trial=20)
    cost = first.facts.cost
    assert cost.updates + cost.forwards == len(calls)
    assert first.cost == cost.updates + cost.forwards / 3
    assert advise(*one.given, steps=100, trial=20).to_dict() == first.to_dict()
    bare = advise(*one.given, steps=100, trial=0)
    assert bare.facts.trial is None
    assert bare.cost < first.cost
    assert "critical rate alone" in bare.decision.rests_on


def test_micro_batches_make_one_update(trained):
    one = trained()
    advice = advise(*one.given, steps=100, trial=0, micro_batches=4)
    assert advice.facts.batch == 64
    with pytest.raises(PreheatError, match="micro_batches"):
        advise(*one.given, steps=100, micro_batches=0)


def test_the_peak_is_what_the_optimizer_was_given_also_under_a_warmup(trained):
    one = trained(updates=0)
    assert given_peak(one.optimizer) == 0.03
    Scheduler(one.optimizer, preheat.warmup(10) >> preheat.decay(), run=preheat.Run(total=100))
    assert max(group["lr"] for group in one.optimizer.param_groups) == 0
    assert given_peak(one.optimizer) == 0.03
    with pytest.raises(PreheatError, match="above 0"):
        given_peak(torch.optim.SGD(one.model.parameters(), lr=0.0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 5}, "steps is how many"),
        ({"trial": 3}, "trial is how many"),
        ({"trial": -1}, "trial is how many"),
        ({"peak": -1.0}, "peak must be above 0"),
        ({"loss": lambda batch: torch.tensor(math.nan, requires_grad=True)}, "not finite"),
        ({"batches": iter([])}, "there is no batch"),
        ({"batches": []}, "there is no batch"),
        ({"batches": iter([(torch.ones(3, 4), torch.ones(3, 1))] * 30)}, "ran out: 30 came, and 91 are needed"),
        ({"held_out": []}, "held_out has no batch"),
        ({"trial": 101}, "to the run's 100"),
        ({"keep": 3}, "old_loss"),
        ({"keep": (3, [])}, "keep: loss is a function"),
        ({"keep": (lambda batch: batch, [torch.ones(1)])}, "keep: 8 batches are needed, and there are 1"),
        ({"loss": lambda batch: torch.tensor(1.0)}, "not detached"),
    ],
)
def test_what_cannot_be_measured_is_refused(trained, change, words):
    one = trained()
    given = dict(zip(("model", "optimizer", "loss", "batches"), one.given, strict=True))
    before = one.state()
    with pytest.raises(PreheatError, match=words):
        advise(**{**given, "steps": 100, "trial": 20, **change})
    assert one.state() == before


def test_optimizers_are_known_by_their_classes():
    weights = [nn.Parameter(torch.ones(2))]

    class AdamW8bit(torch.optim.AdamW):
        pass

    kinds = {
        torch.optim.SGD: "sgd",
        torch.optim.Adam: "adaptive",
        AdamW8bit: "adaptive",
        torch.optim.RAdam: "other",
        torch.optim.RMSprop: "other",
    }
    for kind, family in kinds.items():
        assert optimizer_facts(kind(weights, lr=0.1)).family == family, kind
    found = optimizer_facts(torch.optim.AdamW(weights, lr=0.1, betas=(0.9, 0.95)))
    assert (found.beta2, found.untuned) == (0.95, 40)
    assert optimizer_facts(torch.optim.AdamW(weights, lr=0.1, betas=(0.9, 0.0))).untuned == 2
    assert warmups(found, 100) == [0, 25, 50]
    assert warmups(found, 400) == [0, 40, 200]
    assert warmups(optimizer_facts(torch.optim.SGD(weights, lr=0.1)), 100) == [0, 25, 50]


def test_on_a_quadratic_the_critical_rate_is_the_known_one():
    curvature = 4.0
    weight = nn.Parameter(torch.tensor([[1.0, 1.0]]))
    model = nn.Module()
    model.weight = weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    advice = advise(
        model, optimizer, lambda batch: curvature / 2 * weight.square().sum() + 1, [torch.ones(3)], steps=100, trial=20
    )
    assert advice.facts.critical_start == pytest.approx(2 / curvature, rel=1 / 16)
    assert advice.needed is False


def test_a_layer_that_begins_at_0_makes_the_critical_rate_at_the_start_say_nothing(trained):
    one = trained(updates=0)
    nn.init.zeros_(one.model.head.weight)
    found = advise(*one.given, steps=100, trial=0)
    assert found.facts.flat.startswith("head.weight begins at 0")
    assert found.facts.critical_start is None


def test_updates_that_are_rounded_away_are_seen(trained):
    one = trained(updates=0)
    one.model.bfloat16()
    batches = [(x.bfloat16(), y.bfloat16()) for x, y in one.batches]
    optimizer = torch.optim.SGD(one.model.parameters(), lr=1e-6)
    found = advise(one.model, optimizer, one.loss, batches, steps=100, trial=0)
    assert found.facts.rounded > 0.5
    assert found.verdict == "not known"


def test_batches_that_take_too_much_memory_are_used_again(trained, monkeypatch):
    monkeypatch.setattr("preheat.measure.advising.measuring._MOST_HELD", 1000)
    measuring = Measuring(Training(*trained().given), 1, lambda text: None)
    found = measuring.updates(9)
    assert len(found) == 9
    assert len({id(one) for one in found}) < 9


def test_targets_are_exchanged_where_it_is_known_which_they_are():
    x, y = torch.arange(6).reshape(3, 2), torch.tensor([0, 1, 2])
    assert exchanged((x, y))[1].tolist() == [2, 0, 1]
    assert exchanged({"input_ids": x, "labels": y})["labels"].tolist() == [2, 0, 1]
    equal = torch.zeros(3, dtype=torch.long)
    for unknown in (x, (x,), (x, 3), {"input_ids": x}, (x, y[:1]), (x[:2], y), (x, y, y), (x, y / 2), (x, equal)):
        assert exchanged(unknown) is None


def test_rates_are_those_of_the_schedule():
    assert beginning("warmup(2) >> decay(8)", 0.4, 10, 10) == pytest.approx(
        [0.0, 0.2, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05]
    )
    assert beginning("decay()", 0.4, 100, 5) == pytest.approx([0.4, 0.396, 0.392, 0.388, 0.384])
    assert beginning("decay()", 1.0, 100, 10)[7:] == pytest.approx([0.93, 0.92, 0.46])


def digits(gain, peak):
    options = DigitsOptions(init_gain=gain, peak=peak)
    model, optimizer, batches = begun(load(options), options, 0)
    return advise(
        model, optimizer, lambda batch: cross_entropy(model(batch[0]), batch[1]), batches, steps=300, trial=40
    )


def test_a_sharp_start_needs_warmup_and_he_initialisation_does_not():
    sharp, plain = digits(2.0, 0.0256), digits(1.0, 0.0256)
    assert sharp.needed is True
    assert sharp.warmup >= 10
    assert any(one.startswith("curvature") for one in sharp.decision.mechanisms)
    assert plain.needed is False
    assert plain.schedule == "decay()"


def test_fine_tuning_says_what_an_update_makes_the_model_forget():
    model = nn.Module()
    model.weight = weight = nn.Parameter(torch.tensor([[1.0, 0.0]]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    away = torch.tensor([[0.0, 3.0]])
    old = [torch.tensor(1.0 + 0.1 * k) for k in range(8)]  # the old loss is at its minimum: ½|w − (1, 0)|² + the batch
    advice = advise(
        model,
        optimizer,
        lambda batch: 0.5 * (weight - away).square().sum(),
        [torch.ones(2)],
        steps=100,
        trial=0,
        keep=(lambda batch: 0.5 * (weight - torch.tensor([[1.0, 0.0]])).square().sum() + batch, old),
    )
    found = advice.facts.forgotten
    gradient = 10.0  # |w − away|²
    assert found.rises[0.2] == pytest.approx(0.5 * 0.2**2 * gradient, rel=1e-4)
    assert found.cap == pytest.approx(math.sqrt(2 * found.budget / gradient), rel=1 / 16)
    assert found.sentence in advice.reasons
    with pytest.raises(PreheatError, match="old_loss"):
        advise(model, optimizer, lambda batch: weight.sum(), [0], steps=100, keep=3)


def short(loss, batches, *, seed=0, peak=0.05, kind=torch.optim.SGD, **more):
    """An advice for a small net in float64, by runs as short as they may be."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    given = {"steps": 100, "trial": 30, **more}
    return advise(model, kind(model.parameters(), lr=peak), lambda batch: loss(model, batch), batches, **given)


def made(targets, number=60):
    torch.manual_seed(1)
    inputs = [torch.randn(16, 4).double() for _ in range(number)]
    return [(x, *targets(x)) for x in inputs]


def squared(model, batch):
    return (model(batch[0]) - batch[0]).square().mean()


def by_class(model, batch):
    return cross_entropy(model(batch[0]), batch[1])


def sums(x):
    return (x @ torch.eye(4).double()).argmax(1)


WELL_TRAINED = {
    "an autoencoder of pairs (x, ones)": (squared, lambda x: (torch.ones(len(x), dtype=torch.long),)),
    "an autoencoder of pairs (x, class)": (squared, lambda x: (sums(x),)),
    "(x, y, weights)": (
        lambda model, batch: cross_entropy(model(batch[0]), batch[1]) * batch[2].mean(),
        lambda x: (sums(x), torch.ones(len(x)).double()),
    ),
    "one class": (by_class, lambda x: (torch.zeros(len(x), dtype=torch.long),)),
    "a regression": (
        lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
        lambda x: (x.sin() + 0.5 * torch.randn(16, 4).double(),),
    ),
}


@pytest.mark.parametrize("name", WELL_TRAINED)
def test_runs_that_trained_are_said_to_have_trained(name):
    loss, targets = WELL_TRAINED[name]
    found = short(loss, made(targets), held_out=made(targets, 4))
    assert judged(found.facts.trial).failed == {}
    assert found.facts.trial.reached == math.inf  # of 50 low-rate updates, beside runs of 30


def test_a_net_that_predicts_a_constant_is_stuck():
    def dead(model, batch):
        x, y = batch
        return cross_entropy(model[2].bias.expand(len(x), -1) + 1e-9 * model(x), y)

    found = short(dead, made(lambda x: (torch.randint(4, (16,)).clamp(max=2),)))
    assert set(judged(found.facts.trial).failed.values()) == {"stuck"}
    assert found.verdict == "not known"


@pytest.mark.parametrize("change", [lambda loss: loss + 500, lambda loss: 64 * loss])
def test_an_offset_of_the_loss_and_another_unit_change_nothing(change):
    batches = made(lambda x: (sums(x),))
    scale = 64 if float(change(torch.tensor(0.0))) == 0 else 1
    one = short(by_class, batches)
    other = short(lambda model, batch: change(by_class(model, batch)), batches, peak=0.05 / scale)
    assert (other.verdict, other.warmup) == (one.verdict, one.warmup)
    assert other.decision.probability == pytest.approx(one.decision.probability, rel=0.02)
    assert judged(other.facts.trial).in_noise == pytest.approx(judged(one.facts.trial).in_noise, rel=1e-3)


def test_one_held_out_batch_is_enough_and_a_list_that_comes_round_is_judged_by_what_is_left_out():
    batches = made(lambda x: (sums(x),), 10)
    seen = []

    def loss(model, batch):
        if torch.is_grad_enabled():
            seen.append(id(batch))
        return by_class(model, batch)

    found = short(loss, batches)
    assert not found.facts.mixed
    assert {id(one) for one in batches[:5]}.isdisjoint(seen)
    one = short(by_class, batches, held_out=batches[:1])
    assert one.facts.spread == 0
    alone = short(by_class, batches[:1])
    assert alone.facts.mixed
    assert "also trained on" in alone.reasons[-1]


@pytest.mark.parametrize("where", ["batches", "held_out", "keep"])
def test_random_numbers_that_a_loader_draws_are_put_back(trained, where):
    one = trained()
    generator = torch.Generator().manual_seed(3)
    data = [(x, y) for batch in one.batches for x, y in zip(*batch, strict=True)]
    loaders = [DataLoader(data, batch_size=16, shuffle=True), DataLoader(data, 16, shuffle=True, generator=generator)]
    for loader in loaders:
        before, own = one.state(), generator.get_state()
        given = {where: (one.loss, loader) if where == "keep" else loader}
        batches = given.pop("batches", one.batches)
        advise(one.model, one.optimizer, one.loss, batches, steps=20, trial=0, **given)
        assert one.state() == before
        assert torch.equal(generator.get_state(), own)
