"""What factors multiply, as a checkpoint holds it: of every group what it was given, and what that is now.

Rows stand in the order of the groups. Groups are told apart by their names; those without one are taken together, because
the same run on another number of devices may have them split otherwise. The text holds a run of equal rows once.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from preheat.core.checks import finite_number, whole_number
from preheat.core.errors import PreheatError, StateError, shown
from preheat.core.plan import RATE

SAME_BASE = 1e-6  # relative: tensors of float32 may have held them
_LONGEST = 8_000  # characters of a row list in a checkpoint; beyond it a digest, which can only be compared
_MOST = 1_000_000  # groups


class Row(NamedTuple):
    """What factors multiply in one group; None where they multiply nothing in it."""

    name: str | None
    given: float | None = None
    now: float | None = None


@dataclass(frozen=True, slots=True)
class SavedBases:
    """The bases of a checkpoint.

    defaults: the rates that the optimizers were built with, None where one has none.   peak: that of peak=, if it was given.
    rows: of every hyper-parameter that follows factors; None where it was not known when it was saved.
    digests: of those whose rows would have been too long, with what all bases had been multiplied with since.
    """

    defaults: tuple[float | None, ...]
    peak: float | None
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


def bases_to_text(
    defaults: Sequence[float | None], rows: Mapping[str, Sequence[Row] | None], peak: float | None = None
) -> str:
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
    return json.dumps({"defaults": list(defaults), "peak": peak, "hypers": hypers})


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
    if (
        not isinstance(data, dict)
        or set(data) != {"defaults", "peak", "hypers"}
        or not isinstance(data["hypers"], dict)
    ):
        raise PreheatError("bases have the keys 'defaults', 'peak' and 'hypers'", given=data)
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
            if hyper == RATE and any(value is not None and value < 0 for row in rows[hyper] or () for value in row[1:]):
                raise PreheatError("the base of a rate is at least 0", given=found)
    peak = None if data["peak"] is None else finite_number(data["peak"], "the peak of bases")
    return SavedBases(defaults, peak, rows, digests)


def _rows(found: object) -> tuple[Row, ...]:
    if not isinstance(found, list):
        raise PreheatError("the bases of a hyper-parameter are a list of groups", given=found)
    rows: list[Row] = []
    for item in found:
        if not isinstance(item, list) or len(item) != 4 or not (item[0] is None or isinstance(item[0], str)):
            raise PreheatError("the base of a group is [name, how many, given, now]", given=item)
        count = whole_number(item[1], "how many groups have a base", 1)
        row = Row(item[0], *(None if base is None else finite_number(base, "a base") for base in item[2:]))
        if (row.given is None) != (row.now is None):
            raise PreheatError("the base of a group is there, or it is not", given=item)
        if len(rows) + count > _MOST:
            raise PreheatError(f"bases of more than {_MOST} groups", given=count)
        rows += [row] * count
    return tuple(rows)


def _digest(rows: Sequence[Row]) -> str:
    return hashlib.sha256(json.dumps([row[:2] for row in rows]).encode()).hexdigest()


def _ratio(rows: Sequence[Row]) -> float | None:
    """What all bases have been multiplied with since they were given; None if not all with the same."""
    ratios = [row.now / row.given if row.given and row.now is not None else 1.0 for row in _told(rows)]
    return ratios[0] if ratios and all(math.isclose(ratio, ratios[0], rel_tol=1e-12) for ratio in ratios) else None


def _told(rows: Iterable[Row]) -> list[Row]:
    """The rows of groups in which factors multiply something."""
    return [row for row in rows if row.given is not None]


def difference(saved: SavedBases, hyper: str, own: Sequence[Row]) -> str | None:
    """How the saved bases differ from one's own, in words; None where they are the same, or nothing was saved.

    Names are compared where both sides have them, groups without a name as a set. Where names were given or taken away
    since, groups are compared by their places, or where those are not known all that are left as a set.
    """
    if hyper in saved.digests:
        known = saved.digests[hyper][0] == _digest(own)
        return None if known else f"the groups' own {hyper!r} were others: now {_listed(own)}"
    rows = saved.of(hyper)
    if rows is None:
        return None
    if _keep_their_places([row.name for row in rows], [row.name for row in own]):
        both = [(old, new) for old, new in zip(rows, own, strict=True) if None not in (old.given, new.given)]
        return next(
            (_differ(hyper, new.name, [old], [new]) for old, new in both if not same(old.given, new.given)), None
        )
    before, after = _by_name(rows), _by_name(own)
    named = [name for name in after if name is not None and name in before]
    for name in named:
        if not _alike(before[name], after[name]):
            return _differ(hyper, name, before[name], after[name])
    left, right = ([row for row in _told(side) if row.name not in named] for side in (rows, own))
    if not named and left and right and all(row.name is not None for row in (*left, *right)):
        return f"none of the groups {_listed(right)} was there: they were {_listed(left)}"
    unnamed = [[row for row in side if row.name is None] for side in (left, right)]
    if any(unnamed) and not all(unnamed):  # names were given or taken away since: which groups are which is not known
        unnamed = [left, right]
    return None if not all(unnamed) or _alike(*unnamed) else _differ(hyper, None, *unnamed)


def _keep_their_places(before: Sequence[str | None], after: Sequence[str | None]) -> bool:
    """Whether groups are the same by their places: as many, and no name is another; one may have been given or taken away."""
    if len(before) != len(after):
        return False
    moved = set(before) & set(after) - {None}
    return all(
        old == new or (None in (old, new) and moved.isdisjoint((old, new)))
        for old, new in zip(before, after, strict=True)
    )


def _differ(hyper: str, name: str | None, before: Sequence[Row], after: Sequence[Row]) -> str:
    where = f"{hyper!r} of group {name!r}" if name is not None else f"the groups' own {hyper!r}"
    return f"{where} was {_listed(before)} and is {_listed(after)}"


def matched(rows: Sequence[Row] | None, names: Sequence[str | None]) -> list[Row | None]:
    """The saved row of every group, by name, or by place where there is none; None where that is not to be known."""
    if rows is None:
        return [None] * len(names)
    if _keep_their_places([row.name for row in rows], names):
        return [row if row.given is not None else None for row in rows]
    found: list[Row | None] = []
    for name in names:
        like = {row[1:]: row for row in rows if row.name == name}
        only = next(iter(like.values())) if len(like) == 1 else None
        found.append(only if only is not None and only.given is not None else None)
    return found


def are_apart(rows: Sequence[Row] | None, own: Sequence[Row]) -> bool:
    """Whether groups without a name, of another number than were saved, differ among one another: one saved base is then not
    to be given to all of them."""
    if rows is None or _keep_their_places([row.name for row in rows], [row.name for row in own]):
        return False
    return len({row.given for row in _told(own) if row.name is None}) > 1


def now_of(saved: SavedBases, hyper: str, own: Sequence[Row]) -> list[float | None] | None:
    """What the same bases are now, as it was saved: after `set_peak` another. None where that is not to be known."""
    if not saved.has(hyper):
        return [row.given for row in own]
    rows = saved.of(hyper)
    ratio = saved.digests[hyper][1] if rows is None else _ratio(rows)
    if ratio is not None:
        return [row.given if ratio == 1 or row.given is None else row.given * ratio for row in own]
    like = matched(rows, [row.name for row in own])
    if any(row.given is not None and old is None for row, old in zip(own, like, strict=True)):
        return None
    return [None if old is None else old.now for old in like]


def _by_name(rows: Sequence[Row]) -> dict[str | None, list[Row]]:
    found: dict[str | None, list[Row]] = {}
    for row in _told(rows):
        found.setdefault(row.name, []).append(row)
    return found


def _alike(before: Sequence[Row], after: Sequence[Row]) -> bool:
    """Whether two sets of bases are the same, up to rounding; of as many, in their order, so that none changes places."""
    if len(before) == len(after):
        return all(same(a.given, b.given) for a, b in zip(before, after, strict=True))
    there = all(any(same(a.given, b.given) for b in after) for a in before)
    return there and all(any(same(a.given, b.given) for a in before) for b in after)


def _listed(rows: Sequence[Row]) -> str:
    distinct = dict.fromkeys((row.name, row.given) for row in _told(rows))
    few = [
        f"{given:g}" if len(rows) == 1 or name is None else f"{name}: {given:g}" for name, given in list(distinct)[:4]
    ]
    return ", ".join(few) + ", …" * (len(distinct) > 4)
