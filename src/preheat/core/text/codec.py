"""One schedule, or rates, as plain data that JSON can hold, both ways."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from preheat.core.checks import MAX_NESTING
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.node import KINDS, Schedule
from preheat.core.shapes import Shape
from preheat.core.spans import Span
from preheat.core.stated import Absolute, Relative, Stated

STATED: dict[str, type[Stated]] = {kind.word: kind for kind in (Absolute, Relative)}


def data_of(value: Schedule | Stated) -> dict[str, Any]:
    """A schedule, `absolute(…)` or `relative(…)` as plain data: `{"kind": "ramp", "start": 0.0, …}`."""
    if isinstance(value, Stated):
        return {"kind": value.word, "schedule": data_of(value.schedule)}
    return {"kind": value._word, **{name: _plain(getattr(value, name)) for name in value.__match_args__}}


def value_from(data: Mapping[str, Any]) -> Schedule | Stated:
    """What `data_of` made `data` from.

    Raises PreheatError for an unknown kind, a missing or unknown key, or a value that the kind refuses.
    """
    kind = STATED.get(data["kind"]) if isinstance(data.get("kind"), str) else None
    if kind is None:
        return _from(data, 1)
    _check_keys(kind.word, set(data) - {"kind"}, ("schedule",), ("schedule",))
    return kind(_from(data["schedule"], 1))


def needed(kind: type[Schedule]) -> list[str]:
    """The fields of a kind without which it is nothing: those that have no default."""
    return [name for name in kind.__match_args__ if name not in kind._defaults]


def _from(data: object, depth: int) -> Schedule:
    if depth > MAX_NESTING:
        raise PreheatError(f"schedules nest at most {MAX_NESTING} deep")
    if not isinstance(data, Mapping) or not isinstance(word := data.get("kind"), str):
        raise PreheatError("a schedule as data is a mapping with a 'kind'", given=data)
    if word in STATED:
        raise PreheatError(f"{word} says what all of a schedule is, so it stands outside of it", given=data)
    if word not in KINDS:
        raise PreheatError(f"unknown kind {shown(word)}{nearest(word, KINDS)}")
    kind = KINDS[word]
    given = {key: value for key, value in data.items() if key != "kind"}
    _check_keys(word, given, kind.__match_args__, needed(kind))
    return kind(**{name: _value(name, value, depth) for name, value in given.items()})


def _check_keys(word: str, given: Collection[str], known: Collection[str], needed: Iterable[str]) -> None:
    for key in given:
        if key not in known:
            raise PreheatError(f"{word} has no key {shown(key)}{nearest(str(key), known)}")
    if missing := [name for name in needed if name not in given]:
        write = "write for example span: 100, '5%' or 'rest'" if "span" in missing else ""
        raise PreheatError(f"{word} lacks {', '.join(missing)}", write=write)


def _value(name: str, value: Any, depth: int) -> Any:
    if name == "base":
        return _from(value, depth + 1)
    if name in ("parts", "operands"):
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise PreheatError(f"{name} is a list of schedules", given=value)
        return tuple(_from(item, depth + 1) for item in value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return data_of(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Shape):
        return repr(value) if value.nesting else value.name
    return value.value if isinstance(value, Span) else value
