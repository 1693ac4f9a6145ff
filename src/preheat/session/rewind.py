"""The rule that asks to go back to a checkpoint before a spike, and to leave out the data that led to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from preheat.core.checks import whole_number
from preheat.core.errors import PreheatError, StateError
from preheat.session.rewarm import Rewarm
from preheat.session.rules import Rule, State


class GoBack(NamedTuple):
    """What a Rewind rule asks for: the checkpoint after `step` updates, or an older one, and `skip` batches left out.

    Left out are the batches that updates step … step + skip − 1 would take now.
    """

    step: int
    skip: int


@dataclass(frozen=True, kw_only=True)
class Rewind(Rewarm):
    """After a spike of a metric ask to go back, leave out the batches around it, and warm up again from there.

        step = max(0, u − back)     for a spike that was observed when u updates had been counted

    The loop looks at `scheduler.rewind`: None, or `step` and `skip`. It then loads weights and optimizer as they were after
    `step` updates or fewer, calls `scheduler.go_back(state)` with the scheduler's state from there, and takes the batch
    number `scheduler.next_batch` for each update, which passes over what is left out. What was left out is saved with
    the scheduler. A process that is killed before the next checkpoint comes to the same spike again, and decides alike.

    metric, span, backoff, threshold, settle, group: as in Rewarm; what is a spike is told alike.
    back: updates from the spike back to the checkpoint, ≥ 1.   skip: batches to leave out, more than `back`, so that the
    one of the spike is among them.   most: how often it asks; from then on a spike only warms up again, so that what no
    data caused cannot go on for ever.

    >>> from preheat import Run, hold
    >>> from preheat.session import Session
    >>> session = Session(hold(), Run(total=1000), rules=[Rewind("loss", back=10, skip=20, settle=10, span=50)])
    >>> begin = session.state_dict()
    >>> for loss in [2.0, 2.1] * 10 + [9.0]:
    ...     session.observe({"loss": loss})
    ...     session.advance()
    >>> session.rewind
    GoBack(step=10, skip=20)
    >>> session.go_back(begin)
    >>> batches = []
    >>> for update in range(12):
    ...     batches.append(session.next_batch)
    ...     session.advance()
    >>> batches
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 31]

    Raises PreheatError for values out of range. Chowdhery et al. 2022, arXiv:2204.02311 (§5.1: about 100 steps back, 200 to
    500 batches left out; by hand, and without a new warmup).
    """

    back: int = 100
    skip: int = 300
    most: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number(self.back, "back", 1)
        whole_number(self.most, "most", 1)
        if whole_number(self.skip, "skip", 1) <= self.back:
            what = f"skip={self.skip} batches from back={self.back} updates before the spike do not reach its own"
            raise PreheatError(what, write=f"write skip={self.back + 1} or more")

    def start(self) -> State:
        return {**super().start(), "spiked": None, "skips": []}

    def observe_at(self, state: State, value: float, position: float, updates: int) -> State:
        asks = state["spiked"] is None and len(state["skips"]) < self.most and self.is_spike(state, value, position)
        after = self.observe(state, value, position)
        return {**after, "spiked": updates} if asks else after

    def asked(self, state: State) -> GoBack | None:
        """What it asks for in this state; None if for nothing."""
        return None if state["spiked"] is None else GoBack(max(0, state["spiked"] - self.back), self.skip)

    def gone_back(self, now: State, then: State, position: float) -> State:
        """The state after going back from `now` to what was saved as `then` at `position`."""
        left_out = [*now["skips"], *([list(asked)] if (asked := self.asked(now)) else ())]
        return {**then, "since": position, "spiked": None, "skips": left_out}

    def checked(self, state: object) -> State:
        skips: Any = state.get("skips") if isinstance(state, dict) else None
        read = super().checked({**state, "skips": 0} if isinstance(state, dict) and "skips" in state else state)
        if not isinstance(skips, list) or not all(map(_is_skip, skips)):
            raise StateError("skips in the state of Rewind are pairs of an update and a number of batches", given=skips)
        if read["spiked"] is not None and not _is_count(read["spiked"], 0):
            raise StateError("spiked in the state of Rewind is the number of an update", given=read["spiked"])
        return {**read, "skips": skips}


def batch_of(update: int, skips: Iterable[Sequence[int]]) -> int:
    """The batch that an update takes: each skip leaves out what the updates from its first on took before it."""
    for step, skip in reversed([*skips]):
        update += skip if update >= step else 0
    return update


def with_skips(rules: Sequence[Rule], states: Sequence[State], saved: Iterable[tuple[Rule, State]]) -> list[State]:
    """The states of rules that go on with others, and with what those had left out, whatever they listened to.

    Raises StateError where something was left out and none of the rules is a Rewind: the next batch would be an earlier one.
    """
    left_out = next((state["skips"] for rule, state in saved if isinstance(rule, Rewind)), [])
    place = next((i for i, rule in enumerate(rules) if isinstance(rule, Rewind)), None)
    carried = list(states)
    if left_out and place is None:
        what = (
            f"a Rewind has left out {sum(skip for _, skip in left_out)} batches, and without one they would count again"
        )
        raise StateError(what, write="keep a Rewind in rules=, with any metric, or pass on_change='keep'")
    if place is not None:
        carried[place] = {**carried[place], "skips": left_out}
    return carried


def check_rewinds(rules: Iterable[Rule]) -> None:
    """Refuse several rules that ask to go back: what each has left out is counted in updates of one sequence."""
    found = [rule for rule in rules if isinstance(rule, Rewind)]
    if len(found) > 1:
        raise PreheatError(f"one rule may ask to go back, not {len(found)}", write="write Rewarm for the other metrics")


def _is_skip(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and _is_count(pair[0], 0) and _is_count(pair[1], 1)


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
