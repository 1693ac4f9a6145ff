"""The laws of a scheduler that is attached to a PyTorch optimizer and stepped."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from preheat.core.checks import counted, finite_number
from preheat.core.extras import needed
from preheat.testing.functions import bounded, ended, raised
from preheat.testing.laws import Broken, differing

if TYPE_CHECKING:
    from torch.optim import Optimizer

Step = Callable[[Any, int], Any]


def check_scheduler(
    make: Callable[[Optimizer], Any],
    updates: int,
    *,
    optimizer: Callable[[list[dict[str, Any]]], Optimizer] | None = None,
    lr: float = 0.1,
    step: Step | None = None,
    peak: float | None = None,
) -> tuple[Broken, ...]:
    """The laws that a PyTorch scheduler breaks: of torch, transformers, timm, preheat, or one's own.

    make: builds it on an optimizer, such as `lambda optimizer: StepLR(optimizer, 30)`.   updates: of the run, at least 2.
    optimizer: builds one from groups; SGD with momentum by default.   lr: the rate of its first group.
    step: how it is stepped after update t, `lambda scheduler, t: scheduler.step()` by default.
    peak: what no rate may exceed; the largest of the run by default.

    Runs it alone on small optimizers, stopped and resumed around its middle and after its first updates, on several groups and
    on tensors. Warnings are not shown. What cannot be built or stepped at all raises what it raises.

    >>> from torch.optim.lr_scheduler import CosineAnnealingLR
    >>> print(check_scheduler(lambda optimizer: CosineAnnealingLR(optimizer, 10), 10)[0].shown)
    update 12: 0.00954915 after 0.00244717

    Raises MissingError without torch, PreheatError for `updates` that is no count, a peak that is no number.
    """
    n = counted(updates, "updates= is a count of at least 2: a run is stopped and resumed", least=2)
    highest = None if peak is None else finite_number(peak, "peak")
    with needed("preheat.testing.check_scheduler", "torch"):
        from torch.optim import SGD
    build = optimizer or (lambda groups: SGD(groups, momentum=0.9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(_Suite(make, n, build, lr, step or (lambda scheduler, t: scheduler.step())).broken(highest))


class _Loop:
    """An optimizer and its scheduler in training; `rates` is what each update used, `told` what the scheduler said then.

    asks: how often it is asked at each update; what is never asked says nothing.
    """

    def __init__(self, optimizer: Any, scheduler: Any, step: Step, done: int = 0, asks: int = 1) -> None:
        self.optimizer, self.scheduler, self.step, self.done, self.asks = optimizer, scheduler, step, done, asks
        self.rates: list[float] = []
        self.told: list[float] = []

    def run(self, updates: int) -> _Loop:
        for _ in range(updates):
            self.rates.append(float(self.optimizer.param_groups[0]["lr"]))
            self.told.append(self.ask())
            for group in self.optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = parameter.detach().clone()
            self.optimizer.step()
            self.step(self.scheduler, self.done)
            self.done += 1
        return self

    def ask(self) -> float:
        """What it says the rate is; what says nothing is not contradicted."""
        said = None
        for _ in range(self.asks if hasattr(self.scheduler, "get_last_lr") else 0):
            said = self.scheduler.get_last_lr()
        return float(said[0]) if said else self.rates[-1]


class _Suite:
    """One scheduler, run in every way that the laws speak of."""

    def __init__(self, make: Callable[[Any], Any], n: int, build: Any, lr: float, step: Step) -> None:
        self.make, self.n, self.build, self.lr, self.step = make, n, build, lr, step

    def optimizer(self, *rates: Any) -> Any:
        """A fresh optimizer, a group for each rate."""
        import torch

        return self.build([{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates or (self.lr,)])

    def loop(self, *rates: Any, asks: int = 1) -> _Loop:
        optimizer = self.optimizer(*rates)
        return _Loop(optimizer, self.make(optimizer), self.step, asks=asks)

    def broken(self, peak: float | None) -> Iterator[Broken]:
        whole = self.loop().run(self.n)
        inside = list(whole.rates)
        after, failure = self.after(whole)
        yield from bounded([*inside, *after], max(inside) if peak is None else peak)
        yield from ended(inside, after, failure)
        if shown := differing(inside, whole.told[: self.n]):
            yield Broken("reported", f"{shown}, as it said")
        for law, check in (
            ("pure", self.asked),
            ("resumed, built first", self.built_first),
            ("resumed, built last", self.built_last),
            ("resumed twice", self.loaded_twice),
            ("state is data", self.through_a_file),
            ("copied", self.copied),
            ("groups", self.in_groups),
            ("added group", self.with_an_added_group),
            ("tensor rates", self.on_tensors),
        ):
            try:
                shown = check(inside)
            except Exception as error:  # whatever a foreign scheduler raises is what there is to tell
                shown = raised(error)
            if shown:
                yield Broken(law, shown)

    def after(self, whole: _Loop) -> tuple[list[float], str]:
        for _ in range(self.n + 1):
            try:
                whole.run(1)
            except Exception as error:
                return whole.rates[self.n :], raised(error)
        return whole.rates[self.n :], ""

    def asked(self, inside: list[float]) -> str:
        """The first difference of a run in which nothing is asked, and of one in which everything is, and twice."""
        quiet, asking = self.loop(asks=0).run(self.n), self.loop(asks=2)
        for _ in range(self.n):
            asking.run(1).scheduler.state_dict()
        return differing(quiet.rates, asking.rates)

    # -- resuming -----------------------------------------------------------------------------------------------------

    def stops(self) -> list[int]:
        """After how many updates a run is stopped: early, in the middle, and one before the last."""
        return sorted({1, self.n // 4, self.n // 2, self.n - 1} - {0})

    def resumed(self, inside: list[float], order: str) -> str:
        """The first difference of runs stopped and resumed: "b" builds, "o" loads the optimizer, "s" the scheduler."""
        for stop in self.stops():
            first = self.loop().run(stop)
            saved = {"o": deepcopy(first.optimizer.state_dict()), "s": deepcopy(first.scheduler.state_dict())}
            parts: dict[str, Any] = {"o": self.optimizer()}
            for what in order:
                if what == "b":
                    parts["s"] = self.make(parts["o"])
                else:
                    parts[what].load_state_dict(deepcopy(saved[what]))
            rest = _Loop(parts["o"], parts["s"], self.step, stop).run(self.n - stop)
            shown = differing(inside[stop:], rest.rates, stop) or differing(rest.rates, rest.told, stop)
            if shown:
                return f"stopped after {stop}, {shown}"
        return ""

    def built_first(self, inside: list[float]) -> str:
        return self.resumed(inside, "bos") or self.resumed(inside, "bso")

    def built_last(self, inside: list[float]) -> str:
        return self.resumed(inside, "obs")

    def loaded_twice(self, inside: list[float]) -> str:
        return self.resumed(inside, "bosos")

    def through_a_file(self, inside: list[float]) -> str:
        import torch

        state, file = self.loop().run(self.n // 2).scheduler.state_dict(), io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        torch.load(file, weights_only=True)
        return ""

    def copied(self, inside: list[float]) -> str:
        stop = self.n // 2
        original = self.loop().run(stop)
        optimizer, scheduler = deepcopy((original.optimizer, original.scheduler))
        copy = _Loop(optimizer, scheduler, self.step, stop).run(self.n - stop)
        original.run(self.n - stop)
        return differing(inside[stop:], copy.rates, stop) or differing(inside, original.rates)

    # -- groups and tensors -------------------------------------------------------------------------------------------

    def in_groups(self, inside: list[float]) -> str:
        found, ratio = self.loop(self.lr, self.lr / 4), []
        for _ in range(self.n):
            ratio.append(float(found.optimizer.param_groups[1]["lr"]) * 4)
            found.run(1)
        return differing(found.rates, ratio)

    def with_an_added_group(self, inside: list[float]) -> str:
        import torch

        found, second = self.loop().run(1), []
        found.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": self.lr})
        for _ in range(self.n - 1):
            found.run(1)
            second.append(float(found.optimizer.param_groups[1]["lr"]))
        return differing(inside[2:], second[:-1], 2)

    def on_tensors(self, inside: list[float]) -> str:
        import torch

        given = torch.tensor(self.lr, dtype=torch.float64), torch.tensor(self.lr, dtype=torch.float64)
        found = self.loop(*given).run(self.n)
        shown = differing(inside, found.rates)
        if not shown and found.optimizer.param_groups[0]["lr"] is not given[0]:
            return "the group holds another object"
        return shown
