"""A plan on a run, whatever the framework: where it is, what its rules have seen, and how it goes on.

Everything that changes while a run goes on is here, and all that is saved of it: the position, and one small dict per rule.
A session knows no optimizer. It answers what the value of each line is now, what one more update does, and whether it can
go on with a state that was saved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from preheat.core.checks import finite_number, measured, one_of, share
from preheat.core.constructors import hold, ramp
from preheat.core.errors import BindError, PreheatError, StateError, nearest, shown
from preheat.core.meant import Meant
from preheat.core.node import Schedule
from preheat.core.plan import RATE, Line, Plan
from preheat.core.ranges import refuse_impossible
from preheat.core.shapes import Shape
from preheat.core.spans import Edge, Run, Span, SpanLike, lasting
from preheat.core.text.language import Target
from preheat.core.text.words import Source
from preheat.session.bases import bases_to_text
from preheat.session.changes import bound_plan, first_change, grows_with, nothing_grows, rebased, unknown_writing
from preheat.session.clock import Stopwatch, check_worth, checked_advance, given_run, tick_of, unknown_advance
from preheat.session.rewind import GoBack, Rewind, batch_of, check_rewinds, with_skips
from preheat.session.rules import (
    Rule,
    State,
    bound_rules,
    carried_over,
    check_floors,
    check_groups,
    combined_gain,
    floor_of,
    gain_of,
    read_rules,
    rules_to_text,
)
from preheat.session.state import FORMAT, Resumption, Saved, from_state, run_to_text

Join = Callable[[Line, float], float]
NO_BASES = bases_to_text((), {})
POLICIES = ("refuse", "adopt", "keep", "rebase")


class Session:
    """A plan, the run that it is bound to, where it is, and what its rules have seen. `value = gain · s(position)`.

    plan: a Plan, a schedule for "lr", or whatever `parse` takes for one of them.   run: what gives lengths their worth.
    rules: what `observe` may change, each a Rule or its data, such as {"kind": "Plateau", "metric": "loss"}.
    on_change: what `load_state_dict` does when the plan differs from the saved one from the saved position on: "refuse",
        "adopt" the new plan, "keep" the saved one, or "rebase": the new one scaled to go on from the value in force.

    >>> from preheat import Run, decay, warmup
    >>> session = Session(warmup(2) >> decay(), Run(total=4))
    >>> rates = []
    >>> for update in range(4):
    ...     rates.append(session.values()["lr"])
    ...     session.advance()
    >>> rates, session.position
    ([0.0, 0.5, 1.0, 0.5], 4)

    Raises PreheatError for a plan that does not fit the run.
    """

    given: Plan
    written: Plan | None  # what the plan was bound from: as given, and as changed since; None where that is not known
    plan: Plan  # bound to the run
    run: Run
    tick: int | None  # what one update is worth; None where that is measured, or said with every update
    position: float  # in ticks of the run's clock
    updates: int  # applied so far
    rules: tuple[Rule, ...]
    states: list[State]
    _plan_text: str | None

    def __init__(
        self,
        plan: Target | Source,
        run: Run | None = None,
        *,
        rules: Sequence[Rule | Mapping[str, Any]] = (),
        on_change: str = "refuse",
    ) -> None:
        data = ", in YAML with the line '_target_: preheat.Run' above the total" if isinstance(run, Mapping) else ""
        run = given_run(run, f"Run(total=10_000){data}")
        self.on_change = one_of(on_change, "on_change", POLICIES)
        plan = plan.within(run) if isinstance(plan, Meant) else plan
        self.given = plan if isinstance(plan, Plan) else Plan(plan)
        check_worth(self.given, run)
        self._follow(bound_plan(self.given, run), run, self.given)
        self._given_plan, self._given_run = self.plan, self.run
        self._given_rules = read_rules(rules)
        self.rules = bound_rules(self._given_rules, run)
        check_groups(self.rules, self.plan)
        check_rewinds(self.rules)
        self.states = [rule.start() for rule in self.rules]
        self.tick, self.updates, self._stopwatch = tick_of(run), 0, Stopwatch()
        self.move_to(0)

    # -- values -----------------------------------------------------------------------------------------------------

    def value(self, line: Line) -> float:
        """The value of a line now: a factor of what the group was given, or the value itself where it is absolute.

        What rules allow no rate to fall below is not known of a factor: `rate` is what a group is given.
        """
        if not self.rules or not line.is_rate:
            return line.schedule.function(self.position)
        own = () if line.group is None else (line.group,)
        return self.rate(line, 1.0, own) if line.is_absolute else self._scaled(line)

    def _scaled(self, line: Line, *, floored: bool = True) -> float:
        gain = combined_gain(self.rules, self.states, self.position, line.group, floored=floored)
        return finite_number(
            line.schedule.function(self.position) * gain, f"{line.key!r} times what the rules make of it"
        )

    def rate(self, line: Line, multiple: float, called: Sequence[str] = (), place: int | None = None) -> float:
        """What a group is given now: the line's value × `multiple`, not below what rules allow it to fall to.

            max(multiple · s · all gains, min(floor, multiple · s · gains of rules without a floor))

        called: what the group may be called in a rule: its name, its number.   place: its number.
        """
        value = multiple * (
            self._scaled(line) if self.rules and line.is_rate else line.schedule.function(self.position)
        )
        if not self.has_floor(line):
            return value
        floor = max(floor_of(rule, called, place) for rule in self.rules if rule.group in (None, line.group))
        return max(value, min(floor, multiple * self._scaled(line, floored=False)))

    def has_floor(self, line: Line) -> bool:
        """Whether a rule bounds the rates that follow a line from below, so that only `rate` knows them."""
        return line.is_rate and any(rule.has_floor and rule.group in (None, line.group) for rule in self.rules)

    def check_floors(self, called: Sequence[Sequence[str]]) -> None:
        """Refuse rules whose floors are not those of the groups; `called`: what each of them may be called."""
        check_floors(self.rules, called)

    def values(self) -> dict[str, float]:
        """The value of every line now, by its key: `{"lr": 0.5, "head/lr": 5.0}`."""
        return {line.key: self.value(line) for line in self.plan.lines}

    @property
    def gain(self) -> float:
        """What the rules for all groups make of the rate at this position."""
        return combined_gain(self.rules, self.states, self.position)

    # -- one more update --------------------------------------------------------------------------------------------

    def advance(self, ticks: float | None = None) -> None:
        """Count an update, and let time pass: `ticks`, or what an update is worth; on a clock of seconds what was measured.

        A rule may hold the position; whatever is passed on the way to where it holds is passed.
        Raises PreheatError, having counted nothing, where it is not known how much has passed.
        """
        passed = self.tick if ticks is None else checked_advance(ticks, self.run)
        if self.tick is None:  # the time since the last update, which must not be counted again
            measured = self._stopwatch.read()
            passed = measured if passed is None and self.measures_time else passed
        if passed is None:
            raise unknown_advance(self.run)
        self.updates += 1
        if self.rules and any(rule.holds(state, self.position) for rule, state in self._pairs()):
            self.states = [rule.after_hold(state, passed) for rule, state in self._pairs()]
        else:
            self.move_to(self.position + passed)

    def move_to(self, position: float) -> None:
        """Go to another position, in ticks."""
        self.position = position

    @property
    def measures_time(self) -> bool:
        """Whether the clock is wall time, so that an update takes as long as it takes."""
        return self.run.clock == "second"

    def observe(self, metrics: Mapping[str, Any]) -> None:
        """Tell the rules what was measured, by its name; what no rule listens to may be anything.

        Raises PreheatError, having told none, for a metric that is no number, if no rule listens to any of them, or where a
        rule of one's own makes a gain of it that is no number of at least 0.
        """
        values = {name: measured(name, value) for name, value in self.heard(metrics).items()}
        if self.rules and metrics and not values:
            what = f"no rule listens to {', '.join(map(repr, metrics))}"
            raise PreheatError(what + nearest(str(next(iter(metrics))), {rule.metric for rule in self.rules}))
        states = [
            rule.observe_at(state, values[rule.metric], self.position, self.updates) if rule.metric in values else state
            for rule, state in self._pairs()
        ]
        for rule, state in zip(self.rules, states, strict=True) if values else ():
            gain_of(rule, state, self.position)  # what is no gain is refused before anything has changed
        self.states = states

    def heard(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the metrics that a rule listens to: frameworks report much beside them."""
        if not isinstance(metrics, Mapping):
            raise PreheatError("metrics are given by name", given=metrics, write="write for example {'loss': 0.1}")
        known = {rule.metric for rule in self.rules}
        return {name: value for name, value in metrics.items() if name in known}

    def named(self, metrics: Mapping[str, Any] | float) -> Mapping[str, Any]:
        """Metrics by their names: as they are, or a lone number as what all rules listen to.

        So `step(metric)` can be called as torch's ReduceLROnPlateau is. Raises PreheatError where it is not known which
        metric is meant, because rules listen to several, or to none.
        """
        if isinstance(metrics, Mapping):
            return metrics
        known = list(dict.fromkeys(rule.metric for rule in self.rules))
        if not known:
            what = "a metric is for rules, and there is none"
            raise PreheatError(what, given=metrics, write="write step(), or pass rules=[Plateau('loss')]")
        if len(known) > 1:
            what = f"rules listen to {', '.join(map(repr, known))}, and it is not known which of them this is"
            raise PreheatError(what, given=metrics, write=f"write step(metrics={{{known[0]!r}: …}})")
        return {known[0]: measured(known[0], metrics)}

    def _pairs(self) -> Iterable[tuple[Rule, State]]:
        return zip(self.rules, self.states, strict=True)

    # -- going back -------------------------------------------------------------------------------------------------

    @property
    def rewind(self) -> GoBack | None:
        """Where a Rewind rule asks to go back to, and what to leave out then; None if there is nothing to do."""
        found = self._rewinding()
        return None if found is None else found[0].asked(found[1])

    @property
    def next_batch(self) -> int:
        """Which batch of the data the coming update takes, from 0: those that were left out are passed over."""
        found = self._rewinding()
        return batch_of(self.updates, () if found is None else found[1]["skips"])

    def go_back(self, state: object) -> None:
        """Go on from the state that was saved where `rewind` asks for, or before, without what is to be left out.

        Raises PreheatError, having changed nothing, where nothing was asked for, or the state is of a later update; StateError
        as `load_state_dict` does.
        """
        self.resume(self.gone_back(self.read(state)))

    def gone_back(self, resumption: Resumption) -> Resumption:
        """The same resumption, remembering what has to be left out: the state that it is of was saved before."""
        found, asked = self._rewinding(), self.rewind
        if found is None or asked is None:
            raise PreheatError("no rule has asked to go back", write="load_state_dict(state) goes to any other state")
        saved = resumption.saved
        if saved.updates > asked.step:
            what = f"the rule asks to go back to update {asked.step} or before"
            raise PreheatError(what, given=saved.updates, write="load an older checkpoint, or begin anew")
        place = next((i for i, rule in enumerate(resumption.rules) if isinstance(rule, Rewind)), None)
        if place is None:
            raise PreheatError("the rules of the state have no Rewind", write="pass on_change='adopt' for the code's")
        states = list(resumption.states)
        states[place] = found[0].gone_back(found[1], states[place], saved.position)
        return replace(resumption, states=states)

    def check_not_asked(self, saved: Saved) -> None:
        """Refuse to load in the ordinary way what a rule asks to go back to: what to leave out would be forgotten."""
        if (asked := self.rewind) is not None and saved.updates <= asked.step:
            what = f"a rule asks to go back and to leave out {asked.skip} batches, which loading a state would forget"
            raise PreheatError(what, write="write go_back(state) in place of load_state_dict(state)")

    def _rewinding(self) -> tuple[Rewind, State] | None:
        return next(((rule, state) for rule, state in self._pairs() if isinstance(rule, Rewind)), None)

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The position and the plan as plain values: JSON-able, the same keys for ever."""
        return {
            "format": FORMAT,
            "last_epoch": self.updates,
            "_step_count": self.updates + 1,
            "position": self.position,
            "plan": self._text(),
            "run": run_to_text(self.run),
            "rules": rules_to_text(self.rules, self.states),
            "bases": NO_BASES,
        }

    def load_state_dict(self, state: object) -> None:
        """Go on from a saved state.

        Raises StateError, having changed nothing, for a state that is damaged, or whose plan or rules differ (see on_change).
        """
        resumption = self.read(state)
        self.check_not_asked(resumption.saved)
        self.resume(resumption)

    def read(self, state: object) -> Resumption:
        """How to go on from a saved state; nothing changes yet. Raises StateError where that is not to be known."""
        return self.resumption(self.saved(state))

    def saved(self, state: object) -> Saved:
        """A saved state, read and checked. Raises StateError for one that is damaged."""
        return from_state(state, (self._text(), self.plan), (run_to_text(self.run), self.run))

    def resumption(
        self,
        saved: Saved,
        change: str | None = None,
        join: Join | None = None,
        can_keep: Callable[[], bool] = lambda: True,
    ) -> Resumption:
        """How to go on from a saved state; nothing changes yet. Raises StateError where that is not to be known.

        change: how what the factors multiply has changed, in words, as far as the caller knows of it.
        join: what a line of the new plan is to be multiplied with to go on from the value in force; by default what the
            two plans say of it.
        can_keep: whether on_change="keep" would know what the saved factors multiplied, to offer it where this is refused.
        """
        if saved.run.clock != self.run.clock:
            raise StateError(
                f"the state counts {saved.run.clock}s and this scheduler {self.run.clock}s",
                write=f"write Run(clock={saved.run.clock!r})",
            )
        if self.rules != saved.rules and self.on_change == "refuse":
            raise StateError(
                f"the rules have changed since this state was saved: they were {shown(saved.rules, 300)} and are "
                f"{shown(self.rules, 300)}. Pass on_change='adopt' for the new ones, or 'keep' for the saved ones"
            )
        rules = saved.rules if self.on_change == "keep" else self.rules
        if self.on_change == "rebase" and rules != saved.rules and any(map(_is_partial, (*rules, *saved.rules))):
            what = (
                "cannot rebase: rules for one group, or with min_lr, have changed, and one factor cannot make up for it"
            )
            raise StateError(what, write="pass on_change='adopt' or 'keep'")
        states = carried_over(rules, saved.rules, saved.states)
        states = with_skips(rules, states, zip(saved.rules, saved.states, strict=True))
        gain = combined_gain(rules, states, saved.position)
        own, run = self.wanted(saved)
        run = run.replace(total=saved.run.total) if self.on_change == "keep" else run
        plan = self._resolved_plan(saved, own, gain, change, join=join, can_keep=can_keep)
        try:
            refuse_impossible(plan)
            check_groups(rules, plan)
        except PreheatError as error:
            raise error.restated(StateError, f"the saved plan or rules do not fit: {error.reason}") from None
        return Resumption(saved, plan, run, rules, states)

    def wanted(self, saved: Saved) -> tuple[Plan, Run]:
        """The plan and run that the code asks for where a state was saved: those followed now, unless only they have changed
        since, here or before it was saved."""
        if self._was_finished(saved) or self._was_changed_since(saved):
            return saved.plan, saved.run
        return self.plan, self.run

    def resume(self, resumption: Resumption) -> None:
        """Go on from there."""
        self._follow(resumption.plan, resumption.run, self._writing_of(resumption.plan, resumption.run))
        if self.rules != resumption.rules:
            self._given_rules = resumption.rules
        self.rules, self.states = resumption.rules, resumption.states
        self.updates = resumption.saved.updates
        self._stopwatch.read()
        self.move_to(resumption.saved.position)

    def _was_finished(self, saved: Saved) -> bool:
        """Whether it is of what was given, and the end of the run, here still open, had been said."""
        ended = self.run.total is None and saved.run.total is not None
        return ended and _is_bound_from(self.given, saved.plan, saved.run)

    def _was_changed_since(self, saved: Saved) -> bool:
        """Whether it is of what was given, and only what is followed here has been changed since."""
        return saved.run == self._given_run and saved.plan == self._given_plan != self.plan

    def _resolved_plan(
        self,
        saved: Saved,
        own: Plan,
        gain: float,
        change: str | None,
        *,
        join: Join | None,
        can_keep: Callable[[], bool],
    ) -> Plan:
        """The plan to go on with, as the policy says where the two differ; `gain` is what the rules will make of the rate."""
        if self.on_change in ("adopt", "keep"):
            return saved.plan if self.on_change == "keep" else own
        what = "what its factors multiply"
        if change is None and saved.plan != own:
            change, what = first_change(saved.plan, own, saved.position, tick=self.tick), "the plan"
        if self.on_change == "rebase" and (change or saved.gain != gain):
            if not gain:
                raise StateError("cannot rebase: the new rules make the rate 0", write="pass on_change='adopt'")
            return rebased(saved.plan, own, saved.position, saved.gain / gain, join)
        if change is None:
            return own
        ways = "Pass on_change='adopt' for the new plan" + ", 'keep' for the saved one" * can_keep()
        if _can_rebase(saved, own, gain, join):
            ways += ", or 'rebase' for the new one scaled to go on from the value in force"
        both = "" if saved.plan == own else f" Saved: {shown(saved.plan, 300)}; new: {shown(own, 300)}"
        raise StateError(f"{what} has changed since this state was saved: {change}. {ways}.{both}")

    def _writing_of(self, plan: Plan, run: Run) -> Plan | None:
        """What a bound plan was bound from, where that is known."""
        if plan == self.plan and run == self.run:
            return self.written
        return self.given if _is_bound_from(self.given, plan, run) else None

    def _text(self) -> str:
        """The bound plan as text; made once a plan."""
        if self._plan_text is None:
            self._plan_text = self.plan.to_text()
        return self._plan_text

    # -- another plan -----------------------------------------------------------------------------------------------

    def finish_in(self, span: SpanLike) -> None:
        """Say that the run ends `span` from now: the open stable phase ends in time for what follows it.

        Raises PreheatError, having changed nothing, if what follows does not fit into `span`, and for a bare `span` between
        0 and 1, unless the clock is seconds: write '20%', or '0.2 ticks'.
        """
        self.extend(self.position + self._ticks("finish_in", span))

    def extend(self, total: SpanLike) -> None:
        """Make the run end at `total`: the plan as it was written is bound anew, its 'rest' and '%' with it.

        What was changed since, by a cooldown or a new warmup, stays as it is.

        Raises PreheatError, having changed nothing, if nothing in the plan is 'rest' or '%', if what it was written as is
        not known, or if a value before now would have been another.
        """
        if self.written is None:
            raise unknown_writing(self.plan)
        run = given_run(self.run.replace(total=total))
        plan = bound_plan(self.written, run)
        if not grows_with(self.written, run):
            raise nothing_grows(self.given)
        if self.updates and (change := first_change(self.plan, plan, 0, self.position, self.tick)):
            raise PreheatError(
                f"that comes too late, the run is at {self.position:g}: {change}",
                write="load this state into a plan on the new total, with on_change='rebase' to go on from the rate in force",
            )
        rules = bound_rules(self._given_rules, run)
        if self._effect(rules) != self._effect(self.rules):
            raise PreheatError(
                f"that comes too late, the run is at {self.position:g}: a share of the run in "
                f"{shown(self._given_rules, 300)} has passed",
                write="give the rules a length of their own",
            )
        self._follow(plan, run, self.written)
        self.rules = rules

    def _effect(self, rules: Sequence[Rule]) -> tuple[list[float], bool]:
        """What rules make of the rate and of time here, with what has been seen so far."""
        pairs = list(zip(rules, self.states, strict=True))
        held = any(rule.holds(state, self.position) for rule, state in pairs)
        return [gain_of(rule, state, self.position) for rule, state in pairs], held

    def cooldown(self, span: SpanLike, shape: Shape | str = "linear", to: float = 0.0) -> None:
        """From now on bring the rate down to `to`, a factor (a rate for an absolute line), over `span`: the run ends then.

        A checkpoint that is saved from now on holds the new plan: resume it with on_change="keep".
        Raises PreheatError, having changed nothing, where the run ends before, and for a bare `span` between 0 and 1, unless
        the clock is seconds: write '20%', or '0.2 ticks'.
        """
        now, ticks = self.position, self._ticks("cooldown", span)
        end = finite_number(to, "to of cooldown")
        run = self._ended_by("cooldown", ticks)
        above = [line for line in self.plan.lines if line.is_rate and end > line.schedule(now) * (1 + 1e-9)]
        if end < 0 or above:
            in_force = f", and {above[0].key!r} is at {above[0].schedule(now):g}" if above else ""
            what = f"cooldown brings rates down to a value of at least 0{in_force}"
            raise PreheatError(what, given=to, write="write a smaller to, or rewarm(span) to go up again")
        plan = self._with_rates(self.plan, lambda s: s.cooldown_from(Span(now), Span(ticks), shape, to=to))
        rates = {line.key: line.target for line in plan.lines if line.is_rate}  # nothing in them grows any more
        self._follow(plan, run, None if self.written is None else Plan({**self.written, **rates}))

    def rewarm(self, span: SpanLike, start: float = 0.0) -> None:
        """From now on warm up again over `span`: from `start`, 0 to 1, of the planned value to all of it.

        A checkpoint that is saved from now on holds the new plan: resume it with on_change="keep".
        Raises PreheatError, having changed nothing, where the run ends before, and for a bare `span` between 0 and 1, unless
        the clock is seconds: write '20%', or '0.2 ticks'.
        """
        ticks = self._ticks("rewarm", span)
        self._ended_by("rewarm", ticks)
        again = hold(1.0, self.position) >> ramp(share(start, "start of rewarm"), 1.0, ticks) >> hold(1.0)
        plan = self._with_rates(self.plan, lambda s: s * again)
        written = None if self.written is None else self.written.replaced(RATE, lambda s: s * again)
        self._follow(plan, self.run, written)

    def _with_rates(self, plan: Plan, change: Callable[[Schedule], Schedule]) -> Plan:
        """A bound plan with every rate changed; refused where a checkpoint could not hold it."""
        if not any(line.is_rate for line in plan.lines):
            raise PreheatError(f"the plan has no line for {RATE!r}, only for {', '.join(plan)}")
        return bound_plan(plan.replaced(RATE, change), Run())

    def _ticks(self, word: str, span: SpanLike) -> float:
        """The length that `word` was given, in ticks from now on; 'rest' is up to the end of the run.

        A bare number below one tick is refused, for it may be meant as a share; seconds come in any fraction.
        """
        if not self.measures_time:
            lasting(word, span, "update" if self.run.clock == "step" else self.run.clock)
        length = Span(span)
        if not length.is_rest:
            return length.measured(self.run, Edge())
        if self.run.total is None or self.run.total <= self.position:
            what = "'rest' has no length where no end is to come"
            raise PreheatError(what, write="write a length, or extend(total) first")
        return self.run.total - self.position

    def _ended_by(self, word: str, ticks: float) -> Run:
        """The run if it ended in so many ticks; refused where it ends before."""
        end, total = self.position + ticks, self.run.total
        if total is not None and end > total * (1 + 1e-12):
            raise BindError(
                f"{word} needs {ticks:g} {self.run.clock}s from {self.position:g} on, and the run has {total}",
                write=f"write {word}('rest') for what is left of it, or extend(total) first",
            )
        return self.run.replace(total=max(1, math.ceil(end)))

    def follow(self, changed: Session) -> None:
        """Follow from here what another session, a copy that was changed, follows."""
        self._follow(changed.plan, changed.run, changed.written)
        self.rules = changed.rules

    def _follow(self, plan: Plan, run: Run, written: Plan | None) -> None:
        known = self._plan_text if plan is self.__dict__.get("plan") else None
        self.plan, self.run, self.written, self._plan_text = plan, run, written, known


def _can_rebase(saved: Saved, own: Plan, gain: float, join: Join | None) -> bool:
    """Whether the code's plan can be scaled to go on from the rate in force."""
    if not gain or not any(line.is_rate for line in own.lines):
        return False
    try:
        refuse_impossible(rebased(saved.plan, own, saved.position, saved.gain / gain, join))
    except PreheatError:
        return False
    return True


def _is_partial(rule: Rule) -> bool:
    """Whether what it does to a rate depends on the group."""
    return rule.group is not None or rule.has_floor


def _is_bound_from(written: Plan, plan: Plan, run: Run) -> bool:
    """Whether what was written, bound to a run, is this plan."""
    try:
        return bound_plan(written, run) == plan
    except PreheatError:  # it does not even fit
        return False
