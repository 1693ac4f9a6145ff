"""What a scheduler saw: what it counted, and what looks wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from torch.optim import Optimizer

from preheat.core.node import Schedule
from preheat.core.plan import Line, Plan
from preheat.core.spans import Run
from preheat.core.vanished import vanished
from preheat.session.rules import Rule, State
from preheat.session.session import Session
from preheat.torch.update_counter import MANY, UpdateCounter

_OWN_WARMUP = ("warmup_steps", "warmup_init")  # what optimizers are asked for a warmup of their own by
_SAFEGUARD = "safeguard_warmup"  # Prodigy: keeps its estimate of the step size out of the reach of a small rate
_MANY_UPDATES, _MANY_EPOCHS = 100, 10  # after which a rule should have met its metric, two epochs having passed
_SLIP = 0.85  # how alike the name of a metric must be to one that a rule waits for to be a slip of the pen
_OFTEN = 10  # times as many, where no end is known, until it is said while training


@dataclass(frozen=True)
class Audit:
    """What was counted, and findings in words: none if nothing looks wrong.

    position: where the schedule stands, in ticks of the run's clock.
    applied: updates seen and counted.   unseen: calls of step() counted before any update was seen.
    surplus: calls without an update of their own, ignored.   skipped: updates that the GradScaler skipped.
    edited: times a scheduled value was found changed by someone else, and overwritten.
    blind: what cannot be seen with this optimizer, in words; empty if nothing.
    end: where the run ends, or else the schedule; None where neither does.
    """

    position: float
    applied: int
    unseen: int
    surplus: int
    skipped: int
    edited: int
    findings: tuple[str, ...]
    blind: str = ""
    end: float | None = None

    def __str__(self) -> str:
        counted = (
            f"{_place(self.position, self.end)}: {self.applied} applied updates, {self.unseen} calls before any was seen, "
            f"{self.surplus} surplus calls, {self.skipped} skipped updates, {self.edited} values edited by others"
        )
        found = [f"- {finding}" for finding in self.findings] or ["nothing looks wrong"]
        return "\n".join([counted, *found, *([f"({self.blind})"] if self.blind else [])])


@dataclass(frozen=True, slots=True)
class Facts:
    """What an audit looks at."""

    session: Session
    position: float
    applied: int
    zero_from: float  # where every rate ends at 0; math.inf if that is nowhere
    counter: UpdateCounter
    edits: dict[str, int]  # how often a value was found changed by someone else, by what it is called
    on_device: bool
    notes: tuple[str, ...] = ()  # what else was seen, in words
    unheard: tuple[str, ...] = ()  # metrics that no rule listens to

    @property
    def end(self) -> float | None:
        """Where the run ends, or else the schedule of the rates."""
        return _end(self.session)

    @property
    def place(self) -> str:
        """The position, and of how many, in words."""
        return _place(self.position, self.end)


def audited(facts: Facts) -> Audit:
    """The audit of a scheduler as it stands."""
    counter, edits = facts.counter, facts.edits
    findings = [*_calls(counter), *_updates(facts), *_over(facts), *_unmet(facts), *_unanswered(facts)]
    findings += [*double_warmups(counter.innermost, facts.session.plan)]
    findings += [*_less_than_double(counter.innermost, facts.session.plan), *edited_words(edits), *facts.notes]
    counts = (facts.applied, counter.unseen, counter.surplus, counter.skipped, sum(edits.values()))
    return Audit(facts.position, *counts, tuple(findings), _blind(facts), facts.end)


def zero_from(lines: Sequence[Line]) -> float:
    """Where schedules of rates have all ended at 0; math.inf if one does not."""
    if not lines or any(line.schedule.length == math.inf or line.schedule(line.schedule.length) for line in lines):
        return math.inf
    return max(line.schedule.length for line in lines)


def warned_from(lines: Sequence[Line], run: Run, tick: int | None) -> float:
    """The position after which it is said that every rate is 0: so many updates after `zero_from`, or an epoch, for
    nothing."""
    return zero_from(lines) + (1 if run.clock == "epoch" else MANY * tick if tick else 0)


def is_over(session: Session, since: float) -> bool:
    """Whether it is time to say so, `since` being what `warned_from` gave.

    Where updates are worth unequally much, after as many of the mean worth: the last of a run reaches beyond its end.
    """
    worth = 0 if session.tick else session.position / max(1, session.updates)
    return session.position > since + MANY * worth


def over_words(facts: Facts) -> str:
    """What there is to say of updates at rate 0."""
    since = "update" if facts.session.run.clock == "step" else facts.session.run.clock
    return f"{facts.place}: rate 0 since {since} {_plain(facts.zero_from)}"


def _over(facts: Facts) -> list[str]:
    """What is past its end while training goes on."""
    counter, end = facts.counter, facts.end
    if end is None or not (counter.is_training or counter.counts == "calls"):
        return []
    if facts.position > facts.zero_from:
        return [over_words(facts)]
    if facts.position > end and (facts.session.run.total is not None or _ends_in_a_decay(facts)):
        return [f"{facts.place}: the schedule is over, and its last value holds"]
    return []


def _ends_in_a_decay(facts: Facts) -> bool:
    """Whether the rates were going down when they ended: a warmup, or the last step of a staircase, is meant to go on."""
    schedules = [line.schedule for line in facts.session.plan.lines if line.is_rate]
    tick = facts.session.tick or 1
    return any(s.length < math.inf and s(s.length) < s(max(0, s.length - tick)) for s in schedules)


def _unmet(facts: Facts) -> list[str]:
    """Rules that never met their metric."""
    session = facts.session
    is_early = facts.applied < _many(session)
    if is_early and not (facts.end is not None and facts.applied and facts.position >= facts.end):
        return []
    unmet = sorted({rule.metric for rule, _ in _silent(session, facts.counter)})
    return [_unmet_words(metric, facts.applied, facts.unheard) for metric in unmet]


def _unanswered(facts: Facts) -> list[str]:
    """What a Rewind asks for, also after the last update, where a loop has ended without a look."""
    asked = facts.session.rewind
    return [] if asked is None else [f"Rewind asks to go back to update {asked.step}: answer with go_back(state)"]


def silent_words(session: Session, counter: UpdateCounter, unheard: Iterable[str]) -> str:
    """What there is to say at once of a rule that never met its metric, "" if nothing.

    Of one that holds the position after as many held updates as an audit waits for; of the others, which may hear of an
    evaluation late, when half of the run is over.
    """
    many = _many(session)
    if counter.applied < many or "silent" in counter.warned or not (silent := _silent(session, counter)):
        return ""
    tick, end = session.tick or 0, _end(session)
    stood = session.updates * tick - session.position >= many * tick
    late = session.position >= end / 2 if end is not None else counter.applied >= _OFTEN * many
    for rule, state in silent:
        if (holds := rule.holds(state, session.position)) and not stood:
            continue
        if holds or late:
            held = (
                f", and {type(rule).__name__} holds the schedule at position {_plain(session.position)}"
                if holds
                else ""
            )
            return (
                _unmet_words(rule.metric, counter.applied, unheard, held) + "; pass it to step(metrics=…) or observe(…)"
            )
    return ""


def misspelt_words(name: str, awaited: Iterable[str]) -> str:
    """What there is to say of a metric that came under nearly the name that a rule waits for, "" if nothing."""
    for metric in sorted(awaited):
        same_letters = _letters(name) == _letters(metric)
        if same_letters or SequenceMatcher(None, name, metric).ratio() >= _SLIP:
            return f"no rule listens to {name!r}; did you mean {metric!r}?"
    return ""


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _many(session: Session) -> float:
    """After how many updates a rule should have met its metric."""
    worth = session.run.steps_per_epoch or 0
    return _MANY_EPOCHS if session.run.clock == "epoch" else max(_MANY_UPDATES, 2 * worth)


def _silent(session: Session, counter: UpdateCounter) -> list[tuple[Rule, State]]:
    """The rules, with their states, that have not met their metric."""
    pairs = zip(session.rules, session.states, strict=True)
    return [(rule, state) for rule, state in pairs if rule.metric not in counter.met and state == rule.start()]


def _unmet_words(metric: str, applied: int, unheard: Iterable[str], held: str = "") -> str:
    came = ", ".join(map(repr, unheard))
    other = f" (what came: {came})" if came else ""
    return f"rule {metric!r} never met its metric in {applied} updates{other}{held}"


def _end(session: Session) -> float | None:
    """Where the run ends, or else the schedule of the rates."""
    if session.run.total is not None:
        return session.run.total
    lengths = [line.schedule.length for line in session.plan.lines if line.is_rate]
    return max(lengths) if lengths and max(lengths) < math.inf else None


def _place(position: float, end: float | None) -> str:
    return f"position {_plain(position)}" + ("" if end is None else f" of {_plain(end)}")


def _plain(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:g}"


def _calls(counter: UpdateCounter) -> list[str]:
    """What the calls of step() say by themselves."""
    found = []
    if counter.idle >= MANY:
        found.append(counter.idle_words())
    waiting = counter.flag.missed + 1 if counter.flag.missed >= MANY and counter.is_called_too_rarely() else 0
    if waiting or (counter.uncalled and counter.own_count() is None):  # which else tells how many there were
        found.append(counter.missed_words(waiting or counter.uncalled))
    if counter.applied and counter.surplus >= counter.applied:
        times = round(1 + counter.surplus / counter.applied, 1)
        found.append(f"stepped {times:g} times per update; the surplus calls were ignored")
    if counter.is_apart:
        found.append(counter.apart_words())
    if counter.unseen and counter.applied and counter.counts != "calls":
        found.append(counter.unseen_words())
    return found


def _updates(facts: Facts) -> list[str]:
    """What the optimizers' own counts say: before the first update that was seen, and since."""
    counter, own, session = facts.counter, facts.counter.own_count(), facts.session
    before = [counter.mismatch] if counter.mismatch else []
    if own is None or counter.is_member or counter.since is None or counter.since[1] is None:
        return before
    calls, updates = counter.applied - counter.since[0], own - counter.since[1]
    if session.tick is not None and session.run.clock != "epoch" and updates >= 2 * calls > 0:
        return [
            f"{updates} updates in {calls} calls of step(), where the plan counts updates; call it after every update, "
            "or, if once per epoch is meant, write Run(clock='epoch')"
        ]
    fused = any(getattr(optimizer, "_step_supports_amp_scaling", False) for optimizer in counter.layers)
    if fused and counter.scaler is None and 0 <= updates < calls:
        before.append(f"{calls - updates} updates were skipped inside the fused optimizer and counted; pass scaler=")
    return before


def _blind(facts: Facts) -> str:
    """What cannot be seen, in words."""
    if facts.on_device:
        return "on_device: calls are counted on the device, whatever they stand for"
    if facts.counter.flag.captured:
        return "an update was captured in a CUDA graph, whose replays cannot be seen, so every call counts"
    if facts.counter.applied and facts.counter.own_count() is None:
        return "the optimizer does not count its updates, so several of them between two calls cannot be seen"
    return ""


def rounded_away(session: Session) -> list[str]:
    """What there is to say of parts that were given a length, of which the run has no update; a warmup of 0 is meant."""
    lines = () if session.written is None else session.written.lines
    rounded = (one for line in lines if line.is_rate for one in vanished(line.schedule, session.run) if one.exact)
    return [f"{one.words}; leave it out, or give it a length in {one.tick}s" for one in dict.fromkeys(rounded)]


def double_warmups(optimizers: Sequence[Optimizer], plan: Plan) -> list[str]:
    """What there is to say of optimizers that were asked for a warmup, under a plan that has one: schedule-free ones by
    `warmup_steps`, Adafactor by `warmup_init`."""
    asked = [(one, key) for one in optimizers for key in _OWN_WARMUP if _asked(one, key)] if _begins_low(plan) else []
    return [
        f"double warmup: {type(one).__name__} warms up by itself ({key}), and so does the plan; leave one of the two out"
        for one, key in asked
    ]


def _less_than_double(optimizers: Sequence[Optimizer], plan: Plan) -> list[str]:
    """What may well be meant: RAdam's own small rates at the beginning, and a Prodigy that does not know of the warmup."""
    found = []
    for one in optimizers if _begins_low(plan) else ():
        name = type(one).__name__
        if name.startswith("RAdam"):
            found.append(f"double warmup: {name} warms up by itself (its variance rectification), and so does the plan")
        if any(group.get(_SAFEGUARD) is False for group in one.param_groups):
            found.append(f"{name} estimates its step size from small rates during a warmup; write {_SAFEGUARD}=True")
    return found


def _begins_low(plan: Plan) -> bool:
    return any(_warms_up(line.schedule) for line in plan.lines if line.is_rate)


def _warms_up(schedule: Schedule) -> bool:
    end = schedule.length if schedule.length < math.inf else 1_000_000
    first = schedule(0)
    return any(schedule(end * share) > 2 * first for share in (0.01, 0.05, 0.1, 0.25, 0.5, 1.0))


def _asked(optimizer: Optimizer, key: str) -> bool:
    """Whether a group, or else the optimizer's defaults, has a true or positive value there."""
    values = [group[key] for group in optimizer.param_groups if key in group] or [
        getattr(optimizer, "defaults", {}).get(key)
    ]
    return any(isinstance(value, int | float) and value > 0 for value in values)


def edited_words(edits: dict[str, int]) -> list[str]:
    return [
        f"{name} was changed by someone else ({times}×), and overwritten at the next step; one of the two has to go"
        for name, times in edits.items()
    ]
