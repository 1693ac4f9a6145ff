"""What factors multiply, as a checkpoint holds it: of every group what it was given, and what that is now.

Rows stand in the order of the groups. Groups are told apart by their names; those without one are taken together, because
the same run on another number of devices may have them split otherwise. The text holds a run of equal rows once.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from preheat.core.checks import finite_number, whole_number
from preheat.core.errors import PreheatError, StateError, shown

SAME_BASE = 1e-6  # relative: tensors of float32 may have held them
_LONGEST = 8_000  # characters of a row list in a checkpoint; beyond it a digest, which can only be compared
_MOST = 1_000_000  # groups


class Row(NamedTuple):
    """What factors multiply in one group."""

    name: str | None
    given: float
    now: float


@dataclass(frozen=True, slots=True)
class SavedBases:
    """The bases of a checkpoint.

    defaults: the rates that the optimizers were built with, None where one has none.
    rows: of every hyper-parameter that follows factors; None where it was not known when it was saved.
    digests: of those whose rows would have been too long, with what all bases had been multiplied with since.
    """

    defaults: tuple[float | None, ...]
    rows: Mapping[str, tuple[Row, ...] | None]
    digests: Mapping[str, tuple[str, float]]

    def of(self, hyper: str) -> tuple[Row, ...] | None:
        """The rows of a hyper-parameter; None where they are not known."""
        return self.rows.get(hyper)

    def has(self, hyper: str) -> bool:
        """Whether anything is known of a hyper-parameter."""
        return self.of(hyper) is not None or hyper in self.digests


def same(a: float | None, b: float | None) -> bool:
    """Whether two bases are the same, up to the rounding of where they were kept."""
    return a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=SAME_BASE))


def bases_to_text(defaults: Sequence[float | None], rows: Mapping[str, Sequence[Row] | None]) -> str:
    """The bases as JSON: what a checkpoint holds."""
    hypers: dict[str, Any] = {}
    for hyper, found in rows.items():
        if found is None:
            hypers[hyper] = None
            continue
        short = [[row.name, len(list(alike)), row.given, row.now] for row, alike in groupby(found)]
        ratio = _ratio(found)
        too_long = len(json.dumps(short)) > _LONGEST and ratio is not None
        hypers[hyper] = {"digest": _digest(found), "ratio": ratio} if too_long else short
    return json.dumps({"defaults": list(defaults), "hypers": hypers})


def bases_from_text(text: object) -> SavedBases:
    """The bases that `bases_to_text` wrote; raises StateError for anything else. Nothing is evaluated."""
    try:
        data = json.loads(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError) as error:
        raise StateError(f"the bases of the state cannot be read from {shown(text)}: {error}") from None
    try:
        return _read(data)
    except PreheatError as error:
        raise error.restated(StateError, f"the bases of the state cannot be read: {error.reason}") from None


def _read(data: Any) -> SavedBases:
    if not isinstance(data, dict) or set(data) != {"defaults", "hypers"} or not isinstance(data["hypers"], dict):
        raise PreheatError("bases have the keys 'defaults' and 'hypers'", given=data)
    if not isinstance(data["defaults"], list):
        raise PreheatError("the defaults of bases are a list of rates", given=data["defaults"])
    defaults = tuple(None if rate is None else finite_number(rate, "a default rate") for rate in data["defaults"])
    rows: dict[str, tuple[Row, ...] | None] = {}
    digests: dict[str, tuple[str, float]] = {}
    for hyper, found in data["hypers"].items():
        if isinstance(found, dict):
            digests[hyper] = str(found.get("digest")), finite_number(found.get("ratio"), "the ratio of bases")
        else:
            rows[hyper] = None if found is None else _rows(found)
    return SavedBases(defaults, rows, digests)


def _rows(found: object) -> tuple[Row, ...]:
    if not isinstance(found, list):
        raise PreheatError("the bases of a hyper-parameter are a list of groups", given=found)
    rows: list[Row] = []
    for item in found:
        if not isinstance(item, list) or len(item) != 4 or not (item[0] is None or isinstance(item[0], str)):
            raise PreheatError("the base of a group is [name, how many, given, now]", given=item)
        count = whole_number(item[1], "how many groups have a base", 1)
        row = Row(item[0], finite_number(item[2], "a base"), finite_number(item[3], "a base"))
        if len(rows) + count > _MOST:
            raise PreheatError(f"bases of more than {_MOST} groups", given=count)
        rows += [row] * count
    return tuple(rows)


def _digest(rows: Sequence[Row]) -> str:
    return hashlib.sha256(json.dumps([row[:2] for row in rows]).encode()).hexdigest()


def _ratio(rows: Sequence[Row]) -> float | None:
    """What all bases have been multiplied with since they were given; None if not all with the same."""
    ratios = [row.now / row.given if row.given else 1.0 for row in rows]
    return ratios[0] if ratios and all(math.isclose(ratio, ratios[0], rel_tol=1e-12) for ratio in ratios) else None


def difference(saved: SavedBases, hyper: str, own: Sequence[Row]) -> str | None:
    """How the saved bases differ from one's own, in words; None where they are the same, or nothing was saved.

    Names are compared where both sides have them, groups without a name as a set.
    """
    if hyper in saved.digests:
        known = saved.digests[hyper][0] == _digest(own)
        return None if known else f"the groups' own {hyper!r} were others: now {_listed(own)}"
    rows = saved.of(hyper)
    if rows is None:
        return None
    before, after = _by_name(rows), _by_name(own)
    named = [name for name in after if name is not None and name in before]
    for name in named:
        if not _alike(before[name], after[name]):
            return f"{hyper!r} of group {name!r} was {_values(before[name])} and is {_values(after[name])}"
    if all(row.name is not None for row in own) and all(row.name is not None for row in rows):
        return None if named else f"none of the groups {_listed(own)} was there: they were {_listed(rows)}"
    left, right = ([row for row in side if row.name not in named] for side in (rows, own))
    if left and right and not _alike([row.given for row in left], [row.given for row in right]):
        return f"the groups' own {hyper!r} was {_listed(left)} and is {_listed(right)}"
    return None


def matched(rows: Sequence[Row] | None, names: Sequence[str | None]) -> list[Row] | None:
    """The saved row of every group, by name, or by place where there is none; None where that is not to be known."""
    if rows is None:
        return None
    found: list[Row | None] = []
    alike = len(rows) == len(names) and all(row.name == name for row, name in zip(rows, names, strict=True))
    unnamed = [row for row in rows if row.name is None]
    for i, name in enumerate(names):
        if alike:
            found.append(rows[i])
            continue
        like = unnamed if name is None else [row for row in rows if row.name == name]
        found.append(like[0] if like and len({row[1:] for row in like}) == 1 else None)
    return None if None in found else found  # type: ignore[return-value]


def now_of(saved: SavedBases, hyper: str, own: Sequence[Row]) -> list[float] | None:
    """What the same bases are now, as it was saved: after `set_peak` another. None where that is not to be known."""
    if not saved.has(hyper):
        return [row.given for row in own]
    rows = saved.of(hyper)
    ratio = saved.digests[hyper][1] if rows is None else _ratio(rows)
    if ratio is not None:
        return [row.given if ratio == 1 else row.given * ratio for row in own]
    like = matched(rows, [row.name for row in own])
    return None if like is None else [row.now for row in like]


def _by_name(rows: Sequence[Row]) -> dict[str | None, list[float]]:
    found: dict[str | None, list[float]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row.given)
    return found


def _alike(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether two sets of numbers are the same, up to rounding; of as many, in their order, so that none changes places."""
    if len(before) == len(after):
        return all(map(same, before, after))
    return all(any(same(a, b) for b in after) for a in before) and all(any(same(a, b) for a in before) for b in after)


def _values(values: Sequence[float]) -> str:
    return " and ".join(f"{value:g}" for value in sorted(set(values))[:4])


def _listed(rows: Sequence[Row]) -> str:
    distinct = dict.fromkeys((row.name, row.given) for row in rows)
    few = [f"{given:g}" if name is None else f"{name}: {given:g}" for name, given in list(distinct)[:4]]
    return ", ".join(few) + ", …" * (len(distinct) > 4)
