"""The range test trains with the rates that it says, leaves nothing behind, and is as sure as its repeats."""

import math
import random

import pytest
import torch

from preheat import PreheatError
from preheat.measure import RangeTest, lr_range_test
from preheat.measure.rates.suggesters import Sweep

SMALL = {"low": 1e-4, "high": 10.0, "updates": 20, "repeats": 2}


class Line:
    """One weight w with the loss ½ (w − x)² + 1 of a batch x."""

    def __init__(self, **settings):
        self.model = torch.nn.Linear(1, 1, bias=False).double()
        torch.nn.init.constant_(self.model.weight, 2.0)
        self.optimizer = torch.optim.SGD(self.model.parameters(), **{"lr": 0.1, **settings})
        self.seen = []

    def loss(self, batch):
        self.seen.append(batch)
        return 0.5 * (self.model.weight - batch).square().sum() + 1


def test_the_updates_are_the_optimizers_own_at_the_rates_of_the_sweep():
    one = Line()
    found = lr_range_test(one.model, one.optimizer, one.loss, [0.5], low=1e-3, high=1.0, updates=30, repeats=1)
    (sweep,) = found.sweeps
    weight, losses = 2.0, []
    for i in range(30):
        losses.append(0.5 * (weight - 0.5) ** 2 + 1)
        weight -= 1e-3 * 1000 ** (i / 30) * (weight - 0.5)
    assert sweep.losses == pytest.approx(losses, rel=1e-12)
    assert sweep.rates == pytest.approx([1e-3 * 1000 ** (i / 30) for i in range(30)])
    assert not sweep.stopped
    assert one.model.weight.item() == 2.0


def test_a_point_is_one_update_over_all_its_micro_batches():
    one, whole = Line(), Line()
    pairs = [float(i % 5) for i in range(80)]
    split = lr_range_test(one.model, one.optimizer, one.loss, pairs, micro_batches=2, **{**SMALL, "repeats": 1})
    joined = [torch.tensor([a, b], dtype=torch.float64) for a, b in zip(pairs[::2], pairs[1::2], strict=True)]
    mean = lr_range_test(
        whole.model,
        whole.optimizer,
        lambda x: 0.5 * (whole.model.weight - x).square().mean() + 1,
        joined,
        **{**SMALL, "repeats": 1},
    )
    assert split.sweeps[0].losses == pytest.approx(mean.sweeps[0].losses, rel=1e-12)
    assert len(one.seen) == 2 * len(split.sweeps[0].losses)


def test_every_repeat_begins_with_the_same_weights_and_goes_on_with_the_batches():
    one = Line()
    found = lr_range_test(
        one.model, one.optimizer, one.loss, map(float, range(100, 140)), low=1e-9, high=1e-8, updates=20, repeats=2
    )
    assert one.seen == [float(i) for i in range(100, 140)]
    assert found.sweeps[1].losses[0] == 0.5 * (2.0 - 120.0) ** 2 + 1


def test_groups_keep_their_ratio(trained):
    rates = []

    class Noted(torch.optim.SGD):
        def step(self, closure=None):
            rates.append([group["lr"] for group in self.param_groups])

    found = lr_range_test(*trained(Noted, updates=0).given, **SMALL)
    assert [pair[1] for pair in rates[:20]] == pytest.approx(found.sweeps[0].rates)
    assert all(pair[0] / pair[1] == pytest.approx(1 / 3) for pair in rates)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize("updates", [0, 3])
def test_nothing_is_left(trained, kind, updates):
    one = trained(kind, updates)
    before = one.state()
    first = lr_range_test(*one.given, **SMALL)
    assert one.state() == before
    assert lr_range_test(*one.given, **SMALL) == first
    assert first.sweeps[0].losses != first.sweeps[1].losses


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_of_one_that_is_interrupted(trained, error):
    one, calls = trained(), []
    before = one.state()

    def loss(batch):
        calls.append(batch)
        if len(calls) == 7:
            raise error
        return one.loss(batch)

    with pytest.raises(error):
        lr_range_test(one.model, one.optimizer, loss, one.batches, **SMALL)
    assert len(calls) == 7
    assert one.state() == before


def test_updates_in_turn_have_each_its_own_dropout():
    drop = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout(0.5))
    masks = []

    def loss(batch):
        masks.append(torch.rand(()).item())
        return drop(batch).square().sum() + 1

    optimizer = torch.optim.SGD(drop.parameters(), lr=0.1)
    lr_range_test(drop, optimizer, loss, [torch.ones(1, 1)], low=1e-9, high=1e-8, updates=20, repeats=2)
    assert len(set(masks)) == 40


def test_a_loss_or_gradient_that_is_not_finite_ends_the_sweep():
    one = Line()
    batches = [0.5] * 12 + [math.nan] + [0.5] * 20
    (sweep,) = lr_range_test(one.model, one.optimizer, one.loss, batches, **{**SMALL, "repeats": 1}).sweeps
    assert sweep.stopped
    assert len(sweep.losses) == 13
    assert math.isnan(sweep.losses[-1])
    with pytest.raises(
        PreheatError, match="the first loss, before any update, and its gradient must be finite, not nan"
    ):
        lr_range_test(one.model, one.optimizer, one.loss, [math.nan], **SMALL)
    found = RangeTest((Sweep((1e-7,), (1.0,), 100, True),))
    assert all("after 1 update: begin lower" in one.reason for one in found.suggestions.values())


def _curve(shift: int, count: int = 100, stopped: bool = True) -> Sweep:
    """A dip, `shift` updates to the right."""
    at = [(i - shift) / count for i in range(count)]
    losses = [2.3 - 1.5 / (1 + math.exp(30 * (0.5 - u))) + math.exp(min(50, 40 * (u - 0.8))) for u in at]
    return Sweep(tuple(1e-7 * 1e8 ** (i / count) for i in range(count)), tuple(losses), count, stopped)


def test_the_interval_is_that_of_the_logarithms():
    found = RangeTest((_curve(0), _curve(2), _curve(4))).suggestions["minimum"]
    step = 8 / 100
    logs = [math.log10(rate) for rate in found.rates]
    assert logs[1] - logs[0] == pytest.approx(logs[2] - logs[1])
    assert logs[1] - logs[0] == pytest.approx(2 * step)
    assert math.log10(found.rate) == pytest.approx(logs[1])
    half = 4.302652729911275 * 2 * step / math.sqrt(3)
    assert math.log10(found.high) - logs[1] == pytest.approx(half)
    assert logs[1] - math.log10(found.low) == pytest.approx(half)


def test_an_interval_is_no_narrower_than_a_step_and_unknown_of_one_sweep_or_equal_ones():
    near = Sweep(_curve(0).rates, tuple(loss + 1e-9 for loss in _curve(0).losses), 100, True)
    found = RangeTest((_curve(0), near)).suggestions["minimum"]
    assert math.log(found.high / found.low) == pytest.approx(math.log(1e8) / 100)
    single = RangeTest((_curve(0),))
    assert single.suggestions["minimum"].low is None
    assert "intervals" not in single.sentence
    same = RangeTest((_curve(0), _curve(0)))
    assert same.suggestions["minimum"].low is None
    assert "the sweeps are the same, so their scatter is not known" in same.sentence


def test_a_suggestion_that_most_sweeps_do_not_have_is_none():
    falling = Sweep(_curve(0).rates, tuple(2.0 - 0.01 * i for i in range(100)), 100, False)
    half = RangeTest((_curve(0), falling)).suggestions["minimum"]
    assert half.rate is None
    assert half.reason.endswith("(1 of 2 sweeps)")
    most = RangeTest((_curve(0), _curve(1), falling)).suggestions["minimum"]
    assert str(most).endswith("in 2 of 3")


def test_the_sentence_says_what_it_is_good_for_and_what_not():
    text = RangeTest((_curve(0), _curve(2), _curve(4)), "initialisations").sentence
    assert text.startswith("3 sweeps of other initialisations, 100 updates from 1e-07 upwards: diverged at ")
    assert "valley 0.00" in text
    assert "95 % intervals of the geometric mean" in text
    assert text.endswith("nothing follows about how long to warm up.")
    assert "without warmup" in text


def test_a_picture_has_the_curves_and_the_suggestions(tmp_path):
    found = RangeTest((_curve(0), _curve(2), _curve(4)))
    names = [one.name for one in found.panel().named]
    assert names[0] == "smoothed loss"
    assert [name.split()[0] for name in names[1:]] == ["valley", "slide", "minimum", "steep"]
    assert "<svg" in found.plot(tmp_path / "a.svg")
    assert RangeTest((Sweep((1e-7,), (math.nan,), 100, True),)).plot()


def test_pooled_sweeps_are_those_of_all():
    tests = [RangeTest((_curve(k),)) for k in range(3)]
    assert RangeTest.pooled(tests) == RangeTest((_curve(0), _curve(1), _curve(2)), "initialisations")
    with pytest.raises(PreheatError, match="at least one sweep"):
        RangeTest.pooled([])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"low": 0.0}, "the lowest rate must be above 0"),
        ({"low": 1.0, "high": 1.0}, "the highest rate, 1, must be above the lowest, 1; give low < high"),
        ({"high": math.inf}, "the highest rate must be finite"),
        ({"updates": 15}, "a sweep has a whole number of updates, at least 16, not 15; 100 is usual"),
        ({"updates": 20.5}, "a sweep has a whole number of updates"),
        ({"low": 1e-300, "high": 1e300}, "no training has rates from 1e-300 to 1e\\+300; give rates such as"),
        ({"repeats": 0}, "repeats is a whole number of at least 1"),
        ({"micro_batches": 0}, "micro_batches is a whole number of at least 1"),
    ],
)
def test_what_is_no_range_test_is_refused(trained, change, words):
    one = trained()
    with pytest.raises(PreheatError, match=words):
        lr_range_test(*one.given, **{**SMALL, **change})


def test_a_loss_below_zero_is_refused_and_nothing_is_left(trained):
    one = trained()
    before = one.state()
    with pytest.raises(PreheatError, match="needs a loss above 0; add a constant to the loss"):
        lr_range_test(one.model, one.optimizer, lambda batch: one.loss(batch) - 100, one.batches, **SMALL)
    assert one.state() == before


def test_batches_that_run_out_are_told(trained):
    one = trained()
    with pytest.raises(PreheatError, match="the batches ran out"):
        lr_range_test(one.model, one.optimizer, one.loss, iter(one.batches), **SMALL)


def test_random_numbers_of_the_caller_do_not_change_what_is_found(trained):
    one = trained()
    first = lr_range_test(*one.given, **SMALL)
    random.seed(5)
    torch.manual_seed(5)
    assert lr_range_test(*one.given, **SMALL) == first


def test_a_grad_scaler_changes_nothing_and_is_put_back(trained):
    one, scaler = trained(torch.optim.SGD), torch.amp.GradScaler("cpu", init_scale=8.0)
    before = one.state(), scaler.state_dict()
    found = lr_range_test(*one.given, scaler=scaler, **SMALL)
    assert (one.state(), scaler.state_dict()) == before
    plain = lr_range_test(*one.given, **SMALL)
    assert found.sweeps[0].losses == pytest.approx(plain.sweeps[0].losses, rel=1e-5)


def test_what_cannot_be_pooled_is_refused(tmp_path):
    one, shorter = RangeTest((_curve(0),)), RangeTest((_curve(0, count=50),))
    for given, words in (
        ([one, one], "one of these is here twice"),
        (
            [one, shorter],
            r"sweeps of other rates: 100 updates from 1e-07 to .*, and 50 .*; pool sweeps of the same low",
        ),
        (3, "several range tests are pooled, not 3"),
        ([one, 3], "several range tests are pooled"),
        ([], "at least one sweep"),
    ):
        with pytest.raises(PreheatError, match=words):
            RangeTest.pooled(given)
    again = RangeTest.pooled([one, RangeTest((_curve(0),))])
    assert again.sentence.startswith("2 sweeps that are the same, 100 updates")
    assert "make each model from a seed of its own" in again.suggestions["valley"].reason


def test_a_picture_that_cannot_be_written_is_refused(tmp_path):
    found = RangeTest((_curve(0),))
    for given, words in (
        (5, "a .svg or a .png file, not 5"),
        (tmp_path / "no" / "a.svg", "cannot write .*: No such file"),
    ):
        with pytest.raises(PreheatError, match=words):
            found.plot(given)
