"""Plans on runs and against one another: bound, compared, rebased."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from preheat.core.checks import MAX_TEXT
from preheat.core.errors import BindError, PreheatError, StateError, shown
from preheat.core.node import Schedule
from preheat.core.nodes.sequence import up_to_rest
from preheat.core.plan import Absolute, Line, Plan
from preheat.core.ranges import refuse_impossible
from preheat.core.spans import Run
from preheat.core.stated import plain
from preheat.session.bases import SAME_BASE
from preheat.session.comparison import ROUNDING, Comparison

_MUCH_LONGER = 10**6  # ticks more, of which any share is seen


def bound_plan(plan: Plan, run: Run) -> Plan:
    """The plan bound to the run; while the total is not known, up to an open-ended 'rest' if it has one."""
    if run.total is None:
        plan = plan.replaced(None, up_to_rest)
    bound = plan.bind(run)
    refuse_impossible(bound)
    if (size := len(bound.to_text())) > MAX_TEXT:
        raise PreheatError(f"the plan takes {size} characters of text in a checkpoint; at most {MAX_TEXT}")
    return bound


def grows_with(plan: Plan, run: Run) -> bool:
    """Whether the plan as written would be bound otherwise on a longer run."""
    total = run.total or 0
    return plan.bind(run) != plan.bind(run.replace(total=total + max(total, _MUCH_LONGER)))


def nothing_grows(plan: Plan) -> BindError:
    """What there is to say where a longer run changes nothing."""
    what = f"nothing in {shown(plan, 200)} is 'rest' or '%', so nothing can grow"
    return BindError(what, write="write what is to come: s >> …")


def unknown_writing(plan: Plan) -> PreheatError:
    """What there is to say where only the bound plan is known, so that it cannot be bound to another run."""
    return PreheatError(
        f"what was 'rest' or '%' in {shown(plan, 200)} is not known: it comes from a checkpoint, which holds it in ticks",
        write="build it anew with the plan and run that are to come, and on_change='adopt'; cooldown and rewarm need neither",
    )


def first_change(
    old: Plan,
    new: Plan,
    position: float,
    until: float = math.inf,
    tick: int | None = None,
    *,
    gains: Mapping[str, tuple[float, float]] | None = None,
) -> str | None:
    """The first update from `position` to `until` whose value differs between bound plans, in words; None if none does.

    tick: what an update is worth, where that is known; else whole ticks are compared.
    gains: for a line, what the old and the new schedule are multiplied with, so that factors of a known base can be
        compared with rates: they are the same to 1e-6, as bases are. Without them the same is the same but for rounding.

    Plans are compared formula by formula: only where formulas differ are values computed, at most 2^24 of a line (a few
    seconds). Where that is not enough to know, this is said, as a change.
    """
    if set(old) != set(new):
        return f"the lines were {', '.join(old)} and are {', '.join(new)}"
    found, first = None, until
    for before, after in zip(old.lines, new.lines, strict=True):
        known = gains is not None and before.key in gains
        if before.is_absolute != after.is_absolute and not known:
            return f"{before.key!r} was {before.target!r} and is {after.target!r}"
        factors = gains[before.key] if gains is not None and known else (1.0, 1.0)
        comparison = Comparison(before.schedule, after.schedule, factors, SAME_BASE if known else ROUNDING, tick)
        if (change := comparison.first(position, first)) and (found is None or change.time < first):
            found, first = f"{change.moment}, where {before.key!r} was {change.old} and is {change.new}", change.time
    return found


def rebased(
    old: Plan, new: Plan, position: float, gain: float = 1.0, join: Callable[[Line, float], float] | None = None
) -> Plan:
    """The new plan, each line scaled so that it goes on from the value in force; `gain` is what rules no longer do.

    join: what to scale a line with, given the gain; by default what the two plans say of a line of the same name.
    """
    if join is None and set(old) != set(new):
        raise other_lines(old, new)
    lines: dict[str, Schedule | Absolute] = {}
    for line in new.lines:
        its_gain = gain if line.is_rate else 1.0
        factor = _joining(old, line, position, its_gain) if join is None else join(line, its_gain)
        schedule = line.schedule if factor == 1 else line.schedule.scaled(factor)
        lines[line.key] = Absolute(schedule) if line.is_absolute else schedule
    return Plan(lines)


def other_lines(old: Plan, new: Plan) -> StateError:
    """What there is to say where no line of one plan goes on from another's."""
    what = f"cannot rebase: the lines were {', '.join(old)} and are {', '.join(new)}"
    return StateError(what, write="pass on_change='adopt' or 'keep'")


def _joining(old: Plan, line: Line, position: float, gain: float) -> float:
    """What a line is to be multiplied with to go on from the value that a line of the same name had."""
    return constant_between(line, position, plain(old[line.key])(position) * gain, line.schedule(position))


def constant_between(line: Line, position: float, force: float, there: float) -> float:
    """The constant from the value that a new line has `there` to the value in force; refused where one of them alone is 0."""
    if (there == 0) != (force == 0):
        which = "new plan" if there == 0 else "value in force"
        what = f"cannot rebase {line.key!r}: the {which} is 0 at update {position:g}"
        raise StateError(what, write="pass on_change='adopt'")
    return 1.0 if there == force else force / there
