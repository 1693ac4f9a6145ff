"""What was measured, as plain values: all that a decision may look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

Family = Literal["sgd", "adaptive", "other"]


@dataclass(frozen=True, slots=True)
class OptimizerFacts:
    """The name of an optimizer's class, the family whose constants hold for it, and its averages' decays."""

    name: str
    family: Family
    beta2: float | None = None
    momentum: float | None = None

    @property
    def untuned(self) -> int | None:
        """2/(1 − β₂): the updates after which Adam's second moment is known (Ma & Yarats 2021, arXiv:1910.04209)."""
        return None if self.beta2 is None else round(2 / (1 - self.beta2))


@dataclass(frozen=True, slots=True)
class Look:
    """The training after some low-rate updates. critical: None where the loss did not rise anywhere along the update.

    relative, angle: of one update at the low rate, by layer, |Δw|/|w| and the angle between w and w + Δw in radians.
    """

    update: int
    loss: float
    gradient_norm: float
    critical: float | None
    relative: Mapping[str, float] = field(default_factory=dict)
    angle: Mapping[str, float] = field(default_factory=dict)

    @property
    def typical_relative(self) -> float:
        """The median over the layers; NaN where no layer has a size."""
        known = [one for one in self.relative.values() if math.isfinite(one)]
        return median(known) if known else math.nan


@dataclass(frozen=True, slots=True)
class ShortRuns:
    """Runs that warm up over `warmup` updates and decay to 0, one for each order of the data.

    losses: of each, the loss of every batch set aside; empty where it was not finite on the way.
    ignores: of each, whether the loss hardly rises when examples get one another's targets: the model ignores its input.
    """

    warmup: int
    losses: Sequence[Sequence[float]]
    ignores: Sequence[bool] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """Short whole runs at the peak from the weights as they are.

    first: the loss of the batches set aside, before.
    reached: the loss that the low-rate updates ended with: a run at the peak ends lower, or is stuck; infinite where the two
    cannot be compared.
    """

    updates: int
    first: float
    arms: Sequence[ShortRuns]
    reached: float = math.inf


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Fine-tuning. rises: rate by rate, by how much one update of the new task raises the old loss.

    budget: a rise that cannot be told from the noise of the old batches.   cap: the smallest rate at which one update raises
    it by more; None where none does.
    """

    cap: float | None
    budget: float
    rises: Mapping[float, float]

    @property
    def sentence(self) -> str:
        """What an update makes the model forget."""
        each = ", ".join(f"{rise:+.2g} at {rate:.2g}" for rate, rise in self.rises.items())
        cap = "at no rate that was tried" if self.cap is None else f"above a rate of {self.cap:.2g}"
        return (
            f"One update of the new task changes the old loss by {each}; {cap} by more than its noise, {self.budget:.2g}. "
            "What a whole run forgets was not measured: it is many such updates."
        )


@dataclass(frozen=True, slots=True)
class Rung:
    """Whole runs of so many updates: the final loss by (peak, updates of warmup); None where it diverged."""

    updates: int
    losses: Mapping[tuple[float, int], float | None]

    @property
    def order(self) -> list[tuple[float, int]]:
        """The arms that trained, the best first; of equals the one with the shorter warmup."""
        found = [(loss, arm[1], arm) for arm, loss in self.losses.items() if loss is not None]
        return [arm for _, _, arm in sorted(found)]


@dataclass(frozen=True, slots=True)
class Raced:
    """A race: rungs of longer and longer runs, of which only the better arms go on; one seed. spent: updates."""

    rungs: Sequence[Rung]
    seed: int
    spent: int

    @property
    def winner(self) -> tuple[float, int] | None:
        """(peak, updates of warmup) of the best arm of the longest runs; None where none trained."""
        order = self.rungs[-1].order if self.rungs else []
        return order[0] if order else None


@dataclass(frozen=True, slots=True)
class Cost:
    """What measuring cost: updates, and forward passes beside them."""

    updates: int = 0
    forwards: int = 0

    @property
    def in_updates(self) -> float:
        """A forward pass is a third of an update, whose backward pass is two."""
        return self.updates + self.forwards / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that was measured on a training.

    peak: the rate of the largest group; steps: of the whole run.
    loss, same_noise, spread: the first loss, by how much it differs when computed again, and between batches (sd).
    critical: at the start, by probe batch; None where the loss did not rise.
    flat: why the critical rate at the start says nothing, "" where it does.
    noise_scale: tr Σ/|G|² in examples, None where it is not known; batch: examples of an update.
    again: whether these saw batches again.   mixed: whether what ends are judged by was also trained on.
    looks: along low-rate updates at `low_rate`; rounded: the share of weights that an update at the low rate leaves as they
    are, because they have too few bits.
    """

    optimizer: OptimizerFacts
    steps: int
    peak: float
    loss: float
    same_noise: float = 0.0
    spread: float = 0.0
    critical: Sequence[float | None] = ()
    flat: str = ""
    noise_scale: float | None = None
    batch: int | None = None
    looks: Sequence[Look] = ()
    low_rate: float = 0.0
    rounded: float = 0.0
    again: bool = False
    mixed: bool = False
    trial: Trial | None = None
    valley: float | None = None
    forgotten: Forgotten | None = None
    cost: Cost = Cost()

    @property
    def critical_start(self) -> float | None:
        """The geometric mean over the probe batches; None where it says nothing."""
        found = [one for one in self.critical if one is not None]
        if self.flat or not found or len(found) < len(self.critical):
            return None
        return math.exp(sum(map(math.log, found)) / len(found))

    @property
    def reached(self) -> float:
        """The loss that the low-rate updates ended with, the median of the last three looks; infinite without any."""
        return median([one.loss for one in self.looks[-3:]]) if self.looks else math.inf

    def reached_by(self, updates: int) -> float:
        """`reached`, as far as runs of so many updates can be held against it: infinite where they are shorter, and where the
        low-rate updates saw batches again, which they may have learned by heart.
        """
        return self.reached if self.looks and updates >= self.looks[-1].update and not self.again else math.inf

    @property
    def critical_lowest(self) -> float | None:
        """The 20th percentile of the critical rate after the first fifth of the low-rate updates."""
        later = sorted(one.critical for one in self.looks[len(self.looks) // 5 :] if one.critical is not None)
        return later[round(0.2 * (len(later) - 1))] if later else None

    @property
    def change(self) -> float | None:
        """Critical rate in the last third of the low-rate updates (median) over that at the start."""
        last = [one.critical for one in self.looks[-max(1, len(self.looks) // 3) :] if one.critical is not None]
        start = self.critical_start
        return median(last) / start if start and last else None

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; what is not finite is null."""
        return plain(asdict(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Facts:
        """What `to_dict` gave: the same decisions follow from it."""
        more: dict[str, Any] = dict(data)
        more["optimizer"] = OptimizerFacts(**data["optimizer"])
        more["looks"] = [_look(one) for one in data["looks"]]
        more["cost"] = Cost(**data["cost"])
        if data["trial"]:
            more["trial"] = _trial(data["trial"])
        if data["forgotten"]:
            one = data["forgotten"]
            more["forgotten"] = Forgotten(one["cap"], one["budget"], _rates(one["rises"]))
        return cls(**more)


def _look(data: Mapping[str, Any]) -> Look:
    more: dict[str, Any] = {**data, "loss": _number(data["loss"])}
    return Look(**more)


def _trial(data: Mapping[str, Any]) -> Trial:
    arms = [
        ShortRuns(one["warmup"], [[_number(loss) for loss in run] for run in one["losses"]], one["ignores"])
        for one in data["arms"]
    ]
    return Trial(data["updates"], data["first"], arms, _number(data["reached"], math.inf))


def _number(value: float | None, otherwise: float = math.nan) -> float:
    return otherwise if value is None else value


def _rates(data: Mapping[str, float]) -> dict[float, float]:
    return {float(rate): rise for rate, rise in data.items()}


def plain(value: Any) -> Any:
    """Nested values as JSON holds them, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
