"""What is measured of a training for an advice: noise, critical rates, noise scale, and what low-rate updates do to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from preheat.core.errors import PreheatError
from preheat.measure.advising.facts import Cost, Facts, Family, Forgotten, Look, OptimizerFacts
from preheat.measure.advising.runs import Update
from preheat.measure.monitoring.layers import turned
from preheat.measure.noise.scale import norms_of_draw, size_of
from preheat.measure.noise.two_batch import TwoBatch
from preheat.measure.rates.critical import search, slope
from preheat.measure.rates.range_test import lr_range_test
from preheat.measure.training import ASIDE, Endless, Line, Probe, Training

PROBES = 4  # updates that the critical rate at the start is measured on
LOOKS = 10  # along the low-rate updates
_MOST_HELD = 2**30  # bytes of batches that are kept for runs on the same ones
_FAMILIES: dict[str, Family] = {"SGD": "sgd", "Adam": "adaptive", "AdamW": "adaptive", "NAdam": "adaptive"}
_NOT_KIN = ("RAdam",)  # it warms up by itself


def optimizer_facts(optimizer: Optimizer) -> OptimizerFacts:
    """What an optimizer is, by the names of its classes: those of other packages follow torch's."""
    names = [one.__name__ for one in type(optimizer).__mro__]
    family: Family = next((_FAMILIES[name] for name in names if name in _FAMILIES), "other")
    if any(name in _NOT_KIN for name in names):
        family = "other"
    group = max(optimizer.param_groups, key=_given_rate)
    betas = group.get("betas")
    beta2 = float(betas[1]) if isinstance(betas, tuple | list) and len(betas) > 1 else None
    momentum = float(group["momentum"]) if "momentum" in group else None
    return OptimizerFacts(names[0], family, beta2 if beta2 is None or 0 <= beta2 < 1 else None, momentum)


def given_peak(optimizer: Optimizer) -> float:
    """The largest rate that the optimizer was given: under a scheduler a group's `initial_lr`. Raises PreheatError for 0."""
    found = max(_given_rate(group) for group in optimizer.param_groups)
    if not 0 < found < math.inf:
        raise PreheatError(
            "the optimizer's own rate is the peak, and it is above 0", given=found, write="write peak=3e-4"
        )
    return found


def _given_rate(group: dict[str, Any]) -> float:
    return float(group.get("initial_lr", group["lr"]))


@dataclass
class Measuring:
    """A training that is being measured, from the same endless stream of batches."""

    training: Training
    micro_batches: int
    said: Callable[[str], None]
    cost: Cost = field(default_factory=Cost)
    _stream: Endless = field(init=False)

    def __post_init__(self) -> None:
        self._stream = self.training.endless()
        self.aside = self.training.judging(self._stream)

    def expect(self, updates: int) -> None:
        """How many updates will be drawn at most, so that it can be said where the batches run out."""
        aside = 0 if self.training.held_out is not None else ASIDE
        self._stream.wanted = aside + ASIDE + (PROBES + updates) * self.micro_batches

    @property
    def came_round(self) -> bool:
        """Whether batches were seen again."""
        return self._stream.came_round

    @property
    def mixed(self) -> bool:
        """Whether what ends are judged by came again among the others."""
        return self.training.held_out is None and self._stream.mixed

    def update(self) -> Update:
        """The batches of the next update."""
        return [next(self._stream) for _ in range(self.micro_batches)]

    def updates(self, number: int) -> list[Update]:
        """Those of so many; where they are too large to be kept, fewer of them again and again."""
        found: list[Update] = []
        size = 0
        for _ in range(number):
            found.append(self.update())
            size += sum(map(_bytes, found[-1]))
            if size > _MOST_HELD:
                break
        return [found[place % len(found)] for place in range(number)]

    def spend(self, updates: int, forwards: int) -> None:
        """Count what was computed."""
        self.cost = Cost(self.cost.updates + updates, self.cost.forwards + forwards)

    def start(self, steps: int, peak: float) -> Facts:
        """The noise floor, the critical rate at the start and the noise scale."""
        self.said("the loss, its noise, and the critical rate at the start")
        drawn = [self.update() for _ in range(PROBES)]
        found: list[float | None] = []
        with self.training.opened() as probe:
            losses = [probe.loss(one) for one in self.aside]
            if not all(map(math.isfinite, losses)):
                raise PreheatError(
                    "the first loss is not finite", given=losses[0], write="measure a model that computes"
                )
            same = max(abs(probe.loss(one) - was) for one, was in zip(self.aside[:2], losses[:2], strict=True))
            whys = []
            for batches in drawn:
                guess = next((one for one in reversed(found) if one), None)
                crossing, _ = _critical(probe, batches, guess, same)
                found.append(crossing.rate)
                whys.append(crossing.why)
            self.spend(PROBES, probe.forwards - PROBES * self.micro_batches)
        scale, batch = self._noise_scale()
        return Facts(
            optimizer=optimizer_facts(self.training.optimizer),
            steps=steps,
            peak=peak,
            loss=fmean(losses),
            same_noise=same,
            spread=stdev(losses) if len(losses) > 1 else 0.0,
            critical=found,
            flat=_flat(self.training.model) or next((why for why in whys if why), ""),
            noise_scale=scale,
            batch=batch,
        )

    def _noise_scale(self) -> tuple[float | None, int | None]:
        """tr Σ/|G|² from the gradients of some batches, and the examples of an update."""
        drawn = [next(self._stream) for _ in range(ASIDE)]
        try:
            sizes = [size_of(one) for one in drawn]
        except PreheatError:  # how many examples a batch has is not known
            return None, None
        found = TwoBatch()
        with self.training.opened() as probe:
            for place in range(0, ASIDE, 2):
                found.add(*norms_of_draw(probe, drawn[place : place + 2], sizes[place : place + 2]))
        self.spend(ASIDE, 0)
        return found.value, sizes[0] * self.micro_batches

    def low_rate(self, updates: int, rate: float, guess: float | None) -> tuple[list[Look], float]:
        """Looks along real updates at a low rate, and the share of the weights that such an update leaves unchanged."""
        looks: list[Look] = []
        rounded, every = 0.0, max(1, updates // LOOKS)
        names = {id(one): name.rpartition(".")[0] or name for name, one in self.training.model.named_parameters()}
        with self.training.opened() as probe:
            for done in range(updates + 1):
                batches = self.update()
                if done % every:
                    probe.gradient(batches, fresh=True)
                else:
                    self.said(f"low-rate updates: {done} of {updates}")
                    crossing, line = _critical(probe, batches, guess, 0.0)
                    guess = crossing.rate or guess
                    norm = math.hypot(*(float(one.norm()) for one in probe.gradients()))
                    looks.append(Look(done, line.loss, norm, crossing.rate, *_moves(line, rate, names)))
                    rounded = rounded if done else _rounded(line, rate)
                if done < updates:
                    probe.step(rate)
            self.spend(updates + 1, probe.forwards - (updates + 1) * self.micro_batches)
        return looks, rounded

    def valley(self) -> float | None:
        """The valley of a range test, which is what other people would have gone by; None where there is none."""
        self.said("range test")
        one = self.training
        try:
            found = lr_range_test(
                one.model, one.optimizer, one.loss, self._stream, repeats=1, micro_batches=self.micro_batches
            )
        except PreheatError:  # such as a loss below 0: then the rule has nothing to say
            return None
        self.spend(sum(len(sweep.losses) for sweep in found.sweeps), 0)
        return found.suggestions["valley"].rate

    def forgotten(self, kept: Training, old: list[Any], peak: float) -> Forgotten:
        """By how much one update at a share of the peak raises the old loss, and the rate that stays in its noise."""
        self.said("what an update makes the model forget")
        batches = self.update()
        with self.training.opened() as probe, kept.opened() as other:
            line = probe.line(batches)
            at_zero = other.gradient(old)
            along = slope(line)
            budget = stdev(map(other.loss, old)) / math.sqrt(ASIDE)
            rises = {}
            for share in (1.0, 0.25, 1 / 16):
                line.move(share * peak)
                rises[share * peak] = fmean(map(other.loss, old)) - at_zero
            line.move(0.0)
            found = search(line, lambda: fmean(map(other.loss, old)), at_zero, along, rise=budget)
            self.spend(1, other.forwards)
        return Forgotten(found.rate, budget, rises)


def kept_training(training: Training, keep: Any) -> Training:
    """What is to be kept, as a training of the same weights. Raises PreheatError for what is no (old_loss, old_batches)."""
    if not isinstance(keep, tuple | list) or len(keep) != 2:
        raise PreheatError("keep is (old_loss, old_batches)", given=keep)
    with _named("keep"):
        return Training(training.model, training.optimizer, keep[0], keep[1])


def old_batches(kept: Training) -> list[Any]:
    """Those that what is kept is measured on. Raises PreheatError where there are too few."""
    with _named("keep"):
        return kept.taken(ASIDE)


@contextmanager
def _named(argument: str) -> Iterator[None]:
    """A block whose refusals are about that argument."""
    try:
        yield
    except PreheatError as error:
        raise error.restated(PreheatError, f"{argument}: {error.reason}") from None


def _critical(probe: Probe, batches: Update, guess: float | None, noise: float) -> tuple[Any, Line]:
    """Where the loss of an update's batches rises along that update. Its gradient stays in `.grad`."""
    line = probe.line(batches)
    found = search(line, lambda: fmean(map(probe.loss, batches)), line.loss, guess=guess, noise=noise)
    return found, line


def _flat(model: nn.Module) -> str:
    """Whether a layer begins at 0: then the first updates move it alone, along a direction of hardly any curvature."""
    for name, one in model.named_parameters():
        if one.ndim > 1 and one.requires_grad and not one.detach().any():
            return f"{name} begins at 0, so that the first update moves that layer alone"
    return ""


@torch.no_grad()
def _moves(line: Line, rate: float, names: dict[int, str]) -> tuple[dict[str, float], dict[str, float]]:
    """|Δw|/|w| and the angle between w and w + Δw of the weights of each layer, at a rate; vectors are left out."""
    relative, angle = {}, {}
    for parameter, was, along in zip(line.parameters, line.origin, line.direction, strict=True):
        size = float(was.norm())
        if parameter.ndim < 2 or not size or id(parameter) not in names:
            continue
        name = names[id(parameter)]
        change = rate * float(along.norm())
        relative[name] = change / size
        angle[name] = turned(size, float((was - rate * along).norm()), change)
    return relative, angle


@torch.no_grad()
def _rounded(line: Line, rate: float) -> float:
    """The share of the weights with a direction that an update at a rate leaves as they are."""
    moved = still = 0
    for was, along in zip(line.origin, line.direction, strict=True):
        wanted = along != 0
        same = torch.add(was, along, alpha=-rate) == was
        still += int((wanted & same).sum())
        moved += int((wanted & ~same).sum())
    return still / (moved + still) if moved + still else 0.0


def _bytes(batch: Any) -> int:
    """What the tensors of a batch take."""
    if isinstance(batch, Tensor):
        return batch.numel() * batch.element_size()
    if isinstance(batch, dict):
        return sum(map(_bytes, batch.values()))
    return sum(map(_bytes, batch)) if isinstance(batch, list | tuple) else 0
