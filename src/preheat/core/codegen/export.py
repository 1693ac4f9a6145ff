"""A schedule or a plan as source that needs no preheat: to paste into a project that does not have it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Any

from preheat.core.codegen import arrays, frameworks, javascript, latex, python
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.plan import BATCH, RATE, Line, Plan
from preheat.core.spans import Run
from preheat.core.stated import Sizes
from preheat.core.text.language import parse
from preheat.core.updates import in_updates, ticks_per_update

FORMS: dict[str, Callable[[dict[str, Line], Run], str]] = {
    "python": lambda named, run: python.sources(_schedules(named)),
    "torch": frameworks.torch,
    "optax": frameworks.optax,
    "jax": lambda named, run: arrays.sources(_schedules(named)),
    "javascript": lambda named, run: javascript.sources(_schedules(named)),
    "latex": lambda named, run: latex.sources(_schedules(named)),
}
"""What a schedule can be exported to."""
_COMMENTS = {"javascript": "//", "latex": "%"} | dict.fromkeys(("python", "jax", "torch", "optax"), "#")
_MADE = re.compile(r"TABLE_\d+|part_\d+(_\d+)?")  # names that sources make up
_TAKEN = {*keyword.kwlist, *keyword.softkwlist, *python.TAKEN, *frameworks.TAKEN, *javascript.TAKEN}


def export(
    target: Any, to: str = "python", *, run: Run | None = None, peak: float | None = None, name: str = "schedule"
) -> str:
    """Stand-alone source of a schedule: a function of t, the number of updates that have passed, without preheat.

    On a clock of samples or tokens too, where the run says what an update is worth; else t is what the clock counts, and the
    source says so.

    target: whatever `parse` takes; of a plan each line becomes a function, called by name and line: schedule_lr,
        schedule_head_lr.
    to: "python": equal bit for bit, with the standard library alone. "torch": the same and what makes an optimizer follow it,
        a `LambdaLR`, or for a plan `apply(optimizer, t)`. "jax": works inside jit, to 6e-7 of the largest value in 32 bits, on
        runs of up to 2^24 updates. "optax": the same as rates, for learning_rate=. "javascript": to 2e-15. "latex": cases
        for a paper.
    run: what lengths in other units than ticks, and `rest`, need.   peak: what factor 1 stands for: then the values are rates.
    name: of the function.

    >>> from preheat import hold
    >>> print(export(hold(0.5, 10), "javascript", name="rate"), end="")
    /** hold(0.5, 10) */
    function rate(t) {
      return 0.5;
    }

    Raises PreheatError for an unknown form, for a name that is none, for what cannot be bound, where rates are needed and
    factors given, and for what the form cannot say.
    """
    if to not in FORMS:
        raise PreheatError(f"nothing is exported to {shown(to)}{nearest(str(to), FORMS)}")
    known, found = Run() if run is None else run, parse(target)
    plan = found if isinstance(found, Plan) else Plan({BATCH if isinstance(found, Sizes) else RATE: found})
    bound = _bound(plan, known, peak)
    told = known if ticks_per_update(known) is None else known.replace(clock="step")
    text = FORMS[to](_named(_told(bound, known), _identifier(name), isinstance(found, Plan)), told)
    return text if known.clock == "step" else f"{_COMMENTS[to]} t: {_counted(known)}\n{text}"


def _identifier(name: object) -> str:
    """A name that no form of export has another use for."""
    if (
        not isinstance(name, str)
        or not re.fullmatch(r"(?a)[A-Za-z]\w*", name)
        or name in _TAKEN
        or _MADE.fullmatch(name)
    ):
        raise PreheatError("the name of a function is needed", given=name, write="write for example name='rate'")
    return name


def _bound(plan: Plan, run: Run, peak: float | None) -> Plan:
    """The plan in ticks, the lines of the rate as rates where their peak is known."""
    bound = plan.bind(run)
    if peak is None:
        return bound
    if RATE not in {line.hyper for line in plan.lines}:
        raise PreheatError("peak= is the rate at the peak, and the plan has no line for the rate", write="leave it out")
    rates = {line.key: line.target.bind(run, peak=peak) for line in plan.lines if line.is_rate}  # type: ignore[arg-type]
    return Plan({**bound, **rates})


def _told(bound: Plan, run: Run) -> Plan:
    """The plan with a tick for each update, where it is known how many ticks that is."""
    return bound if ticks_per_update(run) is None else in_updates(bound, run)[0]


def _counted(run: Run) -> str:
    """What t counts, on another clock than updates."""
    worth, many = ticks_per_update(run), f"{run.clock}s"
    return f"the {many} that have passed, not updates" if worth is None else f"updates, of {worth:,} {many} each"


def _named(plan: Plan, name: str, several: bool) -> dict[str, Line]:
    """The lines by the names of their functions."""
    if not several:
        return {name: plan.lines[0]}
    found: dict[str, Line] = {}
    for line in plan.lines:
        one = f"{name}_{re.sub(r'(?a)[^0-9A-Za-z]+', '_', line.key).strip('_')}"
        if one in found:
            what = f"the lines {found[one].key!r} and {line.key!r} would both be called {one}"
            raise PreheatError(what, write="rename a group")
        found[one] = line
    return found


def _schedules(named: dict[str, Line]) -> dict[str, Any]:
    return {name: line.schedule for name, line in named.items()}
