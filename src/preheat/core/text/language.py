"""Schedules and plans from all that can be meant by them: values, text, mappings, JSON; and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.meant import Meant
from preheat.core.node import Schedule
from preheat.core.plan import Plan
from preheat.core.stated import Absolute, Relative, Stated
from preheat.core.text.codec import data_of
from preheat.core.text.words import Source, is_json, mapping_from, target

Target = Schedule | Absolute | Relative | Plan
"""What can be followed: factors, rates, or lines for several hyper-parameters."""


def parse(value: Target | Source) -> Any:
    """The schedule, `absolute(…)`, `relative(…)` or Plan that is meant by `value`. Nothing is evaluated.

    value: any of these, which stay as they are; a preset, or what preheat.compat restates, for what it stands for;
        text: what repr prints, with the recipe words, and lengths and names without quotes;
        a mapping, OmegaConf's too, or its JSON: with the key "kind" the data of `to_dict`, else the lines of a Plan.
    Text and JSON: at most 256 KiB, nested at most 32 deep.

    >>> parse("warmup(5%) >> decay(to=0.1, shape=cosine)")
    ramp(0.0, 1.0, '5%') >> ramp(1.0, 0.1, 'rest', shape='cosine')
    >>> parse({"lr": "warmup(10) >> decay()", "weight_decay": "absolute(hold(0.1))"})
    Plan({'lr': ramp(0.0, 1.0, 10) >> ramp(1.0, 0.0, 'rest'), 'weight_decay': absolute(hold(0.1, 'rest'))})

    Raises ParseError (a PreheatError) with the column, and the nearest word where there is one; PreheatError for anything
    that cannot be a schedule.
    """
    if isinstance(value, Meant):
        value = value.target
    if isinstance(value, str) and is_json(value):
        value = mapping_from(value)
    if isinstance(value, Plan):
        return value
    return Plan(value) if isinstance(value, Mapping) and "kind" not in value else target(value)


def to_text(value: Target) -> str:
    """A schedule, rates or a plan as one line of text, which `parse` reads: a plan as JSON."""
    return value.to_text() if isinstance(value, Plan) else repr(value)


def to_dict(value: Target) -> dict[str, Any]:
    """A schedule, `absolute(…)`, `relative(…)` or Plan as plain data that JSON can hold.

    A schedule is `{"kind": "ramp", "start": 0.0, …}`, rates are `{"kind": "absolute", "schedule": {…}}`, a plan is a mapping
    from its lines to these.

    >>> from preheat import hold
    >>> to_dict(hold(1.0, "5%"))
    {'kind': 'hold', 'value': 1.0, 'span': '5%'}

    Raises PreheatError for anything else.
    """
    if isinstance(value, Plan):
        return {line.key: data_of(line.target) for line in value.lines}
    if not isinstance(value, Schedule | Stated):
        raise PreheatError("to_dict takes a schedule, rates or a plan", given=value)
    return data_of(value)


def from_dict(data: Mapping[str, Any]) -> Any:
    """What `to_dict` made `data` from; `from_dict(to_dict(s)) == s`.

    >>> from_dict({"kind": "hold", "value": 1.0, "span": "5%"})
    hold(1.0, '5%')

    Raises PreheatError for an unknown kind, a missing or unknown key, or a value that the kind refuses.
    """
    if not isinstance(data, Mapping):
        raise PreheatError(
            "a schedule as data is a mapping with a 'kind', a plan one from line to schedule", given=data
        )
    return parse(data)


def read_plan(text: str) -> Plan:
    """The plan that `Plan.to_text` wrote; raises ParseError for anything else. Nothing is evaluated."""
    return Plan(mapping_from(text))
