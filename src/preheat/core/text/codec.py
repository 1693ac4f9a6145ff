"""A schedule as plain data that JSON can hold, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat.core.checks import MAX_NESTING
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.node import KINDS, Schedule
from preheat.core.shapes import Shape
from preheat.core.spans import Span


def to_dict(schedule: Schedule) -> dict[str, Any]:
    """The schedule as plain data that JSON can hold: `{"kind": "ramp", "start": 0.0, …}`.

    >>> from preheat import hold
    >>> to_dict(hold(1.0, "5%"))
    {'kind': 'hold', 'value': 1.0, 'span': '5%'}

    Raises PreheatError for what is not a schedule.
    """
    if not isinstance(schedule, Schedule):
        raise PreheatError("to_dict takes a schedule", given=schedule)
    return {"kind": schedule._word, **{name: _plain(getattr(schedule, name)) for name in schedule.__match_args__}}


def from_dict(data: Mapping[str, Any]) -> Schedule:
    """The schedule that `to_dict` made `data` from; `from_dict(to_dict(s)) == s`.

    >>> from_dict({"kind": "hold", "value": 1.0, "span": "5%"})
    hold(1.0, '5%')

    Raises PreheatError for an unknown kind, a missing or unknown key, or a value that the kind refuses.
    """
    return _from(data, 1)


def _from(data: object, depth: int) -> Schedule:
    if depth > MAX_NESTING:
        raise PreheatError(f"schedules nest at most {MAX_NESTING} deep")
    if not isinstance(data, Mapping) or not isinstance(word := data.get("kind"), str):
        raise PreheatError("a schedule as data is a mapping with a 'kind'", given=data)
    if word not in KINDS:
        raise PreheatError(f"unknown kind {shown(word)}{nearest(word, KINDS)}")
    kind = KINDS[word]
    given = {key: value for key, value in data.items() if key != "kind"}
    for key in given:
        if key not in kind.__match_args__:
            raise PreheatError(f"{word} has no {shown(key)}{nearest(str(key), kind.__match_args__)}")
    if missing := [name for name in kind.__match_args__ if name not in given and name not in kind._defaults]:
        raise PreheatError(f"{word} lacks {', '.join(missing)}")
    return kind(**{name: _value(name, value, depth) for name, value in given.items()})


def _value(name: str, value: Any, depth: int) -> Any:
    if name == "base":
        return _from(value, depth + 1)
    if name in ("parts", "operands"):
        if not isinstance(value, list | tuple):
            raise PreheatError(f"{name} is a list of schedules", given=value)
        return tuple(_from(item, depth + 1) for item in value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Shape):
        return repr(value) if value.nesting else value.name
    return value.value if isinstance(value, Span) else value
