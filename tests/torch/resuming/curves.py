"""Schedules restated in a few lines: the reference must not ask preheat what a schedule is worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

HORIZON = 80  # updates beyond which no curve of a random program changes any more


class Part(NamedTuple):
    """From `start` to `end` over `span`: a number of updates, "20%" of the run, or "rest"."""

    start: float
    end: float
    span: int | str
    shape: str = "linear"

    def code(self) -> str:
        if self.start == self.end:
            return f"ph.hold({self.start!r}, {self.span!r})"
        shape = "" if self.shape == "linear" else f", shape={self.shape!r}"
        return f"ph.ramp({self.start!r}, {self.end!r}, {self.span!r}{shape})"


def spans(parts: tuple[Part, ...], total: int) -> list[int]:
    """The lengths in updates of a run of `total`; negative where it does not fit."""
    known = [_share(part.span, total) for part in parts]
    rest = total - sum(length for length in known if length is not None)
    return [rest if length is None else length for length in known]


def _share(span: int | str, total: int) -> int | None:
    if span == "rest":
        return None
    return span if isinstance(span, int) else int(span.removesuffix("%")) * total // 100


@dataclass(frozen=True)
class Curve:
    """A value for every update. `at` are the pieces, then what was done to them since."""

    of: Callable[[int], float]

    def __call__(self, t: int) -> float:
        return self.of(t)

    def scaled(self, k: float) -> Curve:
        return Curve(lambda t: self.of(t) * k)

    def cooled(self, now: int, span: int) -> Curve:
        start = self.of(now)
        return Curve(lambda t: self.of(t) if t < now else start * (1 - min(1, (t - now) / span)))

    def rewarmed(self, now: int, span: int) -> Curve:
        return Curve(lambda t: self.of(t) * (1 if t < now else min(1, (t - now) / span)))

    def is_as(self, other: Curve, since: int, until: int | None = None) -> bool:
        """Whether no value differs from an update on."""
        last = since + HORIZON if until is None else until
        return all(near(self.of(t), other.of(t), 1e-12) for t in range(since, last))


def bound(parts: tuple[Part, ...], total: int) -> Curve:
    """The parts one after the other on a run of `total` updates, the last value kept."""
    lengths = spans(parts, total)
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]

    def value(t: int) -> float:
        for part, length, end in zip(parts, lengths, ends, strict=True):
            if t < end:
                u = (t - end + length) / length
                weight = u if part.shape == "linear" else math.sin(math.pi * u / 2) ** 2
                return part.start + (part.end - part.start) * weight
        return parts[-1].end

    return Curve(value)


def near(a: float, b: float, rel: float = 1e-6) -> bool:
    return abs(a - b) <= rel * max(abs(a), abs(b)) + 1e-15
