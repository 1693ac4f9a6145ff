"""What a monitor raises an alarm for: a table of limits with their sources, and what to do about each."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError, nearest, plural
from preheat.session.spikes import THRESHOLD, Spikes

QUIET = 100
"""Updates in which an alarm is not raised again, and for which an update has to stay too large: Rewarm's usual span."""


STAGE = "monitor"
"""The stage under which alarms are logged to a comparison, each kind a metric of it."""


class Limit(NamedTuple):
    """A limit, what it is of, and where it comes from."""

    value: float
    meaning: str
    source: str


LIMITS = {
    "loss spike": Limit(
        THRESHOLD,
        "standard deviations of the loss above its running mean",
        "the definition of Rewarm; arXiv:2504.02507 clips at 2.5 and OLMo-core skips at 6",
    ),
    "gradient spike": Limit(
        THRESHOLD,
        "standard deviations of the gradient norm above its running mean",
        "the same definition; only where the norm of every update is told",
    ),
    "large update": Limit(
        0.01,
        f"relative update ‖Δw‖/‖w‖ of a layer, for {QUIET} updates",
        "folklore is 0.001; arXiv:2410.23922 finds that warmup limits it. Set on runs of seed 0 of this project's tasks",
    ),
    "huge update": Limit(
        0.1,
        "relative update ‖Δw‖/‖w‖ of a layer, once",
        "set on runs of seed 0: at most 0.04 where training was sound, 0.17 where it was not",
    ),
    "stalled layers": Limit(
        10.0,
        f"times that the fastest layer moves faster than half of all layers, for {QUIET} updates, each relative to its rate",
        "set on runs of seed 0: below 5 in a pre-norm transformer once it learns, 12 to 44 in a post-norm one without warmup; "
        "of four seeds of that one it is raised on two",
    ),
    "head growth": Limit(
        2.0,
        "times the norm of the output head when the monitor was attached, and when half of the updates since were done: "
        "growth by a power of time up to the first, as of a fresh model that learns, does not reach it",
        "Marin's 8B run had such growth in its cooldown, which a z-loss of 1e-4 ended",
    ),
}

_CURES = {
    "not finite": "go back to a checkpoint before it; a lower peak, a longer warmup, or gradient clipping",
    "loss spike": "if it does not come down by itself: a rule such as Rewarm or Rewind, a lower peak, or a longer warmup",
    "gradient spike": "clip the gradient norm, or look at the batch of this update",
    "large update": "a lower rate for this layer, or a longer warmup",
    "huge update": "begin at a lower rate: a longer warmup, or one that starts lower",
    "stalled layers": "a longer warmup or a lower peak, or normalisation before each sublayer; see which layers these are",
    "head growth": "a z-loss of 1e-4 or weight decay on the head; in a fresh model it may be the learning itself",
    "rate 0": "nothing is learned at rate 0: look at the schedule, or end the run",
}


class Event(NamedTuple):
    """Something that wants attention: which update, what kind, what was seen, what to do, and the number behind it."""

    update: int
    kind: str
    what: str
    write: str
    value: float


@dataclass
class Alarms:
    """Told records and losses, says what is wrong in them. `limits` replaces values of LIMITS by their names.

    Raises PreheatError for unknown names and for values that are not above 0.
    """

    limits: Mapping[str, float] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)  # the update of the last alarm of each kind
    _since: dict[str, int] = field(default_factory=dict)  # from which update on a state lasts
    _raised: set[str] = field(default_factory=set)  # states that have been told

    def __post_init__(self) -> None:
        for name in self.limits:
            if name not in LIMITS:
                raise PreheatError(f"there is no limit {name!r}{nearest(name, LIMITS)}")
        self._limits = {name: one.value for name, one in LIMITS.items()}
        self._limits |= {name: positive_number(value, f"the limit {name!r}") for name, value in self.limits.items()}
        self._losses = Spikes(QUIET, self._limits["loss spike"])
        self._norms = Spikes(QUIET, self._limits["gradient spike"])
        self.heads: list[tuple[int, float]] = []  # updates, and the growth of the head's norm

    def loss(self, update: int, value: float) -> Iterator[Event]:
        """What is wrong with the loss of one update."""
        yield from self._value(update, value, "loss", self._losses)

    def gradient(self, update: int, norm: float) -> Iterator[Event]:
        """What is wrong with the gradient norm of one update, of all updates."""
        yield from self._value(update, norm, "gradient norm", self._norms)

    def record(self, record: Mapping[str, Any]) -> Iterator[Event]:
        """What is wrong in a record, whose numbers may be None where they are not known."""
        update = record["update"]
        for name in record.get("not_finite", ()):
            yield from self._state(update, "not finite", name, f"{name} is not finite", math.nan)
        yield from self._relative(update, record["relative"])
        yield from self._stalled(update, record)
        yield from self._head(update, record.get("head"))
        yield from self._rate(update, record.get("rate"))

    def _value(self, update: int, value: float, what: str, seen: Spikes) -> Iterator[Event]:
        mean = seen.mean
        if not math.isfinite(value):
            yield from self._state(update, "not finite", what, f"the {what} is not finite", value)
        elif seen.is_one(update, value):
            kind = "loss spike" if what == "loss" else "gradient spike"
            yield self._event(update, kind, f"the {what} is {value:.4g}, and was about {mean:.4g} before", value)

    def _relative(self, update: int, found: Mapping[str, Any]) -> Iterator[Event]:
        for name, value in found["worst"][:1]:
            large, huge = self._limits["large update"], self._limits["huge update"]
            if value > huge and update - self._last.get("huge update", -QUIET) >= QUIET:
                self._last["huge update"] = update
                yield self._event(
                    update, "huge update", f"{name} changed by {value:.1%} of its norm in one update", value
                )
            lasting = self._lasts("large update", update, value > large)
            if lasting:
                what = f"some layer has changed by more than {large:.1%} an update for {plural(lasting, 'update')}"
                yield self._event(update, "large update", f"{what}; now {name}, by {value:.1%}", value)

    def _stalled(self, update: int, record: Mapping[str, Any]) -> Iterator[Event]:
        spread, limit = record.get("spread") or 0.0, self._limits["stalled layers"]
        lasting = self._lasts("stalled layers", update, spread > limit)
        if lasting:
            what = f"half of the layers have moved over {limit:g} times less than the fastest for {plural(lasting, 'update')}"
            yield self._event(update, "stalled layers", f"{what}; now {spread:.0f} times", spread)

    def _head(self, update: int, growth: float | None) -> Iterator[Event]:
        if growth is None:
            return
        self.heads.append((update, growth))
        begun, limit = self.heads[0][0], self._limits["head growth"]
        half = self.heads[max(0, bisect_right(self.heads, ((begun + update) / 2, math.inf)) - 1)][1]
        lasting = growth >= limit and growth >= limit * half
        if lasting and "head growth" not in self._raised:
            what = (
                f"the norm of the output head is {growth:.3g} times what it was at first, and {growth / half:.3g} times"
            )
            yield self._event(update, "head growth", f"{what} what it was half as many updates ago", growth)
        (self._raised.add if lasting else self._raised.discard)("head growth")

    def _rate(self, update: int, rate: float | None) -> Iterator[Event]:
        before = self._since.get("rate 0")
        if rate != 0:
            self._since.pop("rate 0", None)
            self._raised.discard("rate 0")
        elif before is None:
            self._since["rate 0"] = update
        elif "rate 0" not in self._raised:
            self._raised.add("rate 0")
            yield self._event(update, "rate 0", f"every rate is 0, at update {before} too", 0.0)

    def _lasts(self, kind: str, update: int, is_so: bool) -> int:
        """For how many updates a state has lasted, told once, when these are QUIET; 0 otherwise."""
        if not is_so:
            self._since.pop(kind, None)
            self._raised.discard(kind)
            return 0
        lasting = update - self._since.setdefault(kind, update)
        if lasting < QUIET or kind in self._raised:
            return 0
        self._raised.add(kind)
        return lasting

    def _state(self, update: int, kind: str, of: str, what: str, value: float) -> Iterator[Event]:
        """An alarm that is raised once of each thing."""
        if f"{kind} {of}" not in self._raised:
            self._raised.add(f"{kind} {of}")
            yield self._event(update, kind, what, value)

    def _event(self, update: int, kind: str, what: str, value: float) -> Event:
        return Event(update, kind, what, _CURES[kind], value)
