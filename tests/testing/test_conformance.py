"""The suites find what breaks each law, and nothing in what keeps all of them."""

import math
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.testing import LAWS, Broken, assert_conforms, check_schedule, check_scheduler

torch = pytest.importorskip("torch")
from torch.optim import AdamW  # noqa: E402
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, OneCycleLR, StepLR  # noqa: E402

from preheat.torch import Scheduler  # noqa: E402

N = 24
SHAPES = ("linear", "cosine", "sqrt", "smooth", "log", "rex")


@st.composite
def factors(draw: st.DrawFn) -> ph.Schedule:
    warm, shape = draw(st.integers(0, N // 2)), st.sampled_from(SHAPES)
    return ph.warmup(warm, draw(st.floats(0, 1)), draw(shape)) >> ph.decay(
        draw(st.integers(1, N)), draw(st.floats(0, 1)), draw(shape)
    )


@settings(max_examples=6)
@given(s=factors())
def test_our_scheduler_keeps_every_law(s: ph.Schedule) -> None:
    assert check_scheduler(lambda optimizer: Scheduler(optimizer, s), N) == ()
    assert check_scheduler(lambda optimizer: Scheduler(optimizer, s), N, optimizer=AdamW, lr=3e-4) == ()


@settings(max_examples=30)
@given(s=factors())
def test_our_schedules_keep_every_law(s: ph.Schedule) -> None:
    assert check_schedule(s, N, peak=1.0) == ()


class Undriven(LambdaLR):
    """Says another rate than it wrote."""

    def get_last_lr(self):
        return [rate * 2 for rate in super().get_last_lr()]


class Stateful(LambdaLR):
    """A state that is no data."""

    def state_dict(self):
        return {**super().state_dict(), "object": slice(1)}


class Adding(LinearLR):
    """Counts on from what is loaded, once more each time."""

    def load_state_dict(self, state):
        super().load_state_dict({**state, "last_epoch": self.last_epoch + state["last_epoch"]})


class Shared(StepLR):
    """A scheduler whose copies share what they count."""

    def __deepcopy__(self, memo):
        return self


class Advancing(StepLR):
    """Moves on when it is asked."""

    def get_last_lr(self):
        self.last_epoch += 1
        return super().get_last_lr()


class Replacing:
    """Puts a float in the place of a tensor."""

    def __init__(self, optimizer):
        self.optimizer, self.lr, self.t = optimizer, float(optimizer.param_groups[0]["lr"]), 0

    def step(self):
        self.t += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr / (1 + self.t)

    def state_dict(self):
        return {"t": self.t, "lr": self.lr}

    def load_state_dict(self, state):
        self.__dict__.update(state)


class Forgetting(Replacing):
    """Begins anew."""

    def load_state_dict(self, state):
        self.optimizer.param_groups[0]["lr"] = self.lr


BREAKING = [
    ("finite", lambda o: LambdaLR(o, lambda t: 1.0 if t < 5 else math.nan), "update 5: nan"),
    ("bounds", lambda o: LambdaLR(o, lambda t: 1 - t / 20), "update 21: -0.005"),
    ("ends", lambda o: CosineAnnealingLR(o, N), "after"),
    ("ends", lambda o: OneCycleLR(o, 0.1, N), "update 24"),
    ("reported", lambda o: Undriven(o, lambda t: 1.0), "update 0: 0.2 instead of 0.1, as it said"),
    ("pure", lambda o: Advancing(o, 3), "update 1: 0.01 instead of 0.1"),
    ("resumed, built first", Forgetting, "stopped after 1, update 1: 0.1 instead of 0.05"),
    ("resumed, built last", lambda o: LinearLR(o, 0.1, total_iters=10), "stopped after 1, update 1"),
    ("resumed twice", lambda o: Adding(o, 0.1, total_iters=10), "stopped after"),
    ("state is data", lambda o: Stateful(o, lambda t: 1.0), "UnpicklingError"),
    ("copied", lambda o: Shared(o, 3), "update"),
    ("groups", Replacing, "update 1: 0.2 instead of 0.05"),
    ("added group", lambda o: LambdaLR(o, lambda t: 1 / (1 + t)), "ValueError"),
    ("tensor rates", Replacing, "the group holds another object"),
]


@pytest.mark.parametrize(("law", "make", "shown"), BREAKING, ids=lambda x: x if isinstance(x, str) else "")
def test_what_breaks_a_law_is_found(law: str, make, shown: str) -> None:
    found = {one.law: one.shown for one in check_scheduler(make, N)}
    assert shown in found[law]


FUNCTIONS = [
    ("finite", lambda t: math.inf if t == 3 else 1.0),
    ("bounds", lambda t: 1 - t / 10),
    ("pure", (lambda calls: lambda t: len(calls) if calls.append(t) is None else 0)([])),
    ("arrays", lambda t: np.asarray(t) * 0.0 if isinstance(t, np.ndarray) else 1.0),
    ("arrays", lambda t: np.zeros(3) if np.ndim(t) else 0.1),
    ("arrays", lambda t: 0.0 * np.max(t) + 0.5 if np.ndim(t) else 0.1),
    ("arrays", lambda t: np.full((len(t), 1), 0.1) if np.ndim(t) else 0.1),
    ("ends", lambda t: abs(1 - t / N)),
]


@pytest.mark.parametrize(("law", "function"), FUNCTIONS, ids=[law for law, _ in FUNCTIONS])
def test_what_breaks_a_law_of_functions_is_found(law: str, function) -> None:
    assert law in {one.law for one in check_schedule(function, N)}


def test_every_law_can_be_broken() -> None:
    assert {law for law, *_ in (*BREAKING, *FUNCTIONS)} == set(LAWS)


def test_the_page_says_which_laws_are_of_functions_and_which_of_schedulers() -> None:
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (.*) \| (functions.*|schedulers.*) \|$", page, re.MULTILINE))
    both = {law for law, *_ in BREAKING} & {law for law, *_ in FUNCTIONS}
    assert {frozenset(re.findall(r"\*(.+?)\*", laws)): of.split(" that")[0] for laws, of in rows.items()} == {
        frozenset(both): "functions and schedulers",
        frozenset({law for law, *_ in FUNCTIONS} - both): "functions",
        frozenset(): "schedulers",
    }


def test_a_run_that_ends_at_its_peak_keeps_every_law_with_one_update_more() -> None:
    assert {one.law for one in check_schedule("warmup(10)", 10)} == {"bounds", "ends"}
    assert check_schedule("warmup(10)", 11) == ()
    assert check_scheduler(lambda optimizer: Scheduler(optimizer, "warmup(10)"), 11) == ()


def test_the_peak_may_be_said() -> None:
    assert [one.law for one in check_schedule(lambda t: 2.0, N, peak=1.0)] == ["bounds"]
    assert next(one.law for one in check_scheduler(lambda o: LambdaLR(o, lambda t: 2.0), N, peak=0.1)) == "bounds"


def test_a_step_of_ones_own_and_counts() -> None:
    schedulers = []

    class Timed(Replacing):
        def step(self, t):
            self.t = t
            super().step()
            schedulers.append(t)

    check_scheduler(Timed, N, step=lambda scheduler, t: scheduler.step(t))
    assert schedulers[:N] == list(range(N))
    with pytest.raises(ph.PreheatError, match="at least 2: a run is stopped and resumed, not 1"):
        check_scheduler(Replacing, 1)


def test_what_is_known_is_expected_and_must_not_hold() -> None:
    broken = (Broken("ends", "update 7"),)
    assert_conforms(broken, known=["ends"])
    assert_conforms(())
    with pytest.raises(AssertionError, match="does not rise again, and nothing fails; update 7"):
        assert_conforms(broken)
    with pytest.raises(AssertionError, match="groups: known not to hold, and it does"):
        assert_conforms(broken, known=["ends", "groups"])
    with pytest.raises(ph.PreheatError, match="unknown law 'groops'; did you mean 'groups'"):
        assert_conforms((), known=["groops"])
    with pytest.raises(ph.PreheatError, match=r"write known=\['bounds'\]"):
        assert_conforms((), known="bounds")


@pytest.mark.parametrize("peak", [math.nan, "x", math.inf])
def test_a_peak_is_a_number(peak) -> None:
    for check, what in ((check_schedule, lambda t: 1.0), (check_scheduler, lambda o: StepLR(o, 3))):
        with pytest.raises(ph.PreheatError, match="peak must be"):
            check(what, N, peak=peak)


def test_text_is_read_and_what_is_none_is_refused() -> None:
    assert check_schedule("warmup(10%) >> decay()", N) == ()
    assert [one.law for one in check_schedule("hold(1, 5) >> hold(2)", N, peak=1.0)] == ["bounds"]
    with pytest.raises(ph.PreheatError, match="one line of the plan"):
        check_schedule({"lr": "hold()", "momentum": "hold()"}, N)


def test_nan_is_no_difference_of_nan_and_a_small_one_is_shown_in_full() -> None:
    assert {one.law for one in check_schedule(lambda t: math.nan if t == 3 else 1.0, N)} == {"finite"}
    noisy = (lambda calls: lambda t: 0.1 + 1e-9 * len(calls) if calls.append(t) is None else 0)([])
    shown = next(one.shown for one in check_schedule(noisy, N) if one.law == "pure")
    found, expected = shown.partition(": ")[2].split(" instead of ")
    assert found != expected


def test_a_schedule_is_asked_for_at_most_a_few_values_more_than_it_has() -> None:
    n, asked = 5000, []
    check_schedule(lambda t: asked.append(t) or 1.0 if np.ndim(t) == 0 else np.ones(len(t)), n)
    assert len(asked) <= 2 * n + 1 + 1000


def test_long_runs_take_no_longer_for_each_update() -> None:
    begin = time.process_time()
    check_schedule(lambda t: 1.0, 30_000)
    assert time.process_time() - begin < 2
