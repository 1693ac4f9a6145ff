"""Live schedulers, functions and bare values, said as the shortest schedule that has them."""

import random

import pytest

import preheat as ph
from preheat import compat
from preheat.compat.sources.fitting import fitted
from preheat.compat.sources.recognise import recognised
from preheat.core.errors import PreheatError

SHAPES = [
    "linear",
    "cosine",
    "sqrt",
    "square",
    "smooth",
    "rex",
    ph.reverse("sqrt"),
    ph.power(3),
    ph.reverse(ph.power(2.5)),
]


def usual(r: random.Random) -> tuple[ph.Schedule, int]:
    """A schedule as people write them, and how many updates it has."""
    warm, total = r.choice([0, r.randint(5, 30)]), r.randint(60, 200)
    start, floor = r.choice([0.0, 0.1]), r.choice([0.0, 0.1])
    left = total - warm
    main = [
        lambda: ph.decay(left, to=floor, shape=r.choice(SHAPES)),
        lambda: ph.hold(1.0, 20) >> ph.decay(left - 20, to=floor, shape=r.choice(SHAPES)),
        lambda: ph.hold(),
        lambda: ph.invsqrt(max(5, warm)),
        lambda: ph.ramp(1.0, 0.01, left, "exponential"),
        lambda: ph.steps([1.0, 0.1, 0.01], [left // 3, left // 4, "rest"]),
        lambda: ph.hold(1.0, 7).repeated(shrink=0.5),
        lambda: ph.decay(12, to=floor, shape="cosine").repeated(),
    ]
    curve = r.choice(main)()
    return (ph.warmup(warm, start) >> curve if warm else curve), total


@pytest.mark.parametrize("seed", range(30))
def test_a_usual_schedule_is_recognised_from_its_values_with_no_longer_text(seed: int) -> None:
    s, total = usual(random.Random(seed))
    values = s.table(total).tolist()
    found = fitted(values)
    assert found is not None, s
    assert found.table(total).tolist() == pytest.approx(values, abs=1e-9)
    assert len(repr(found)) <= len(repr(s)), (found, s)


def test_a_long_run_is_recognised() -> None:
    s = ph.warmup(500) >> ph.hold(1.0, 4000) >> ph.decay(1500, shape="1-sqrt")
    assert fitted(s.table(6000).tolist()) == s


def test_what_no_words_give_is_a_table_and_said_so() -> None:
    r = random.Random(0)
    values = [r.random() for _ in range(50)]
    reading = recognised(lambda t: values[t], 50)
    assert [finding.code for finding in reading.findings] == ["not-recognised"]
    assert reading.target.table(50).tolist() == values


@pytest.mark.parametrize("given", [float("nan"), float("inf"), "much", None])
def test_what_is_no_number_is_refused(given) -> None:
    with pytest.raises(PreheatError, match="update 0 is no finite number"):
        recognised(lambda t: given, 5)


def test_a_live_scheduler_is_not_touched() -> None:
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 50)
    before = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    state = {key: value for key, value in scheduler.state_dict().items() if isinstance(value, int | float | list)}
    reading = compat.read(scheduler, total=50)
    assert [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups] == before
    assert {key: scheduler.state_dict()[key] for key in state} == state
    assert not optimizer.state
    assert reading.target.table(50).tolist() == pytest.approx(_rates(optimizer, scheduler, 50), rel=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_of_no_library_is_stepped_on_a_copy() -> None:
    torch = pytest.importorskip("torch")

    class Own(torch.optim.lr_scheduler.LRScheduler):
        def get_lr(self):
            return [base * max(0.0, 1 - self.last_epoch / 20) for base in self.base_lrs]

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    assert repr(recognised(Own(optimizer), 20)) == "absolute(ramp(0.5, 0.0, 20))"
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.filterwarnings("ignore")
def test_one_that_has_been_stepped_and_says_no_formula_is_refused() -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t))
    _rates(optimizer, scheduler, 3)
    with pytest.raises(PreheatError, match="stands at update 3"):
        recognised(scheduler, 10)


def _rates(optimizer, scheduler, n: int) -> list[float]:
    found = []
    for i in range(n):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if i + 1 < n:
            scheduler.step()
    if n < 10:
        scheduler.step()
    return found
