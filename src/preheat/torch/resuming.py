"""What the factors multiply after a state was loaded: as the code knows it, as the state does, or refused.

Nothing is changed here: what was decided is a copy of the bases, and the slots that follow from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from preheat.core.errors import StateError
from preheat.core.plan import RATE, Line, Plan
from preheat.session.bases import SAME_BASE, Row, SavedBases, are_apart, difference, matched, now_of, same
from preheat.session.changes import constant_between, other_lines
from preheat.session.session import Session
from preheat.session.state import Resumption, Saved
from preheat.torch.bases import CODE, OPEN, SAVED, Bases, initial_of
from preheat.torch.slots import Slot, Slots, name_of

WAYS = "pass base='initial' (each group's initial_lr), base='present' (what stands there now) or peak=…"
OPEN_BASE = "open_base"  # the hint where it is not known what a group was given


def resumed(slots: Slots, saved: Saved, session: Session, defaults: Sequence[float | None]) -> tuple[Resumption, Slots]:
    """How to go on from a saved state, and with which slots. Raises StateError where that is not to be known.

    defaults: the rates that the optimizers were built with.
    """
    policy, plan = session.on_change, session.wanted(saved)[0]
    own = slots if plan is slots.plan else Slots(plan, slots.bases.copy())
    found = _Found(own, saved.bases, defaults, policy)
    join = _Joined(own, saved, found).constant if policy in ("refuse", "rebase") else None
    resumption = session.resumption(saved, found.change, join, lambda: _can_keep(slots, saved, defaults))
    if found.is_as_it_was and slots.fit(resumption.plan):
        return resumption, slots
    return resumption, _settled(Slots(resumption.plan, slots.bases.copy()), found, saved.bases, policy)


def _can_keep(slots: Slots, saved: Saved, defaults: Sequence[float | None]) -> bool:
    """Whether on_change="keep" knows what the saved factors multiply in these groups."""
    own = Slots(saved.plan, slots.bases.copy())
    try:
        _settled(own, _Found(own, saved.bases, defaults, "keep"), saved.bases, "keep")
    except StateError:
        return False
    return True


class _Found:
    """What a comparison of the bases has found, by hyper-parameter."""

    def __init__(self, slots: Slots, saved: SavedBases, defaults: Sequence[float | None], policy: str) -> None:
        self.changes: dict[str, str] = {}  # how they differ, in words
        self.closed: dict[str, list[Row]] = {}  # those that the code left open, from the state
        self.is_as_it_was = True
        for hyper in slots.hypers:
            self._compare(hyper, slots, saved, defaults, policy)

    @property
    def change(self) -> str | None:
        """How the bases differ, in words; None if they are the same."""
        return next(iter(self.changes.values()), None)

    def _compare(
        self, hyper: str, slots: Slots, saved: SavedBases, defaults: Sequence[float | None], policy: str
    ) -> None:
        holders, own = slots.holders(hyper), slots.rows(hyper)
        asked = [base is not None and base.source != CODE for base in holders]
        if any(asked):
            rows = matched(saved.of(hyper), [row.name for row in own])
            self.is_as_it_was = False
            if any(is_asked and row is None for is_asked, row in zip(asked, rows, strict=True)):
                return
            moved = [
                (initial_of(known.group), row)
                for known, base, row in zip(slots.bases.all, holders, rows, strict=True)
                if hyper == RATE and base is not None and base.source == OPEN and row is not None
            ]
            against = _contradiction(moved, saved.defaults, defaults)
            if moved and saved.peak is not None and slots.bases.asked_peak is None:
                against = against or f"it was built with peak={saved.peak:g} then, and without it now"
            if against and policy != "keep":
                raise StateError(
                    f"what the factors multiply is not to be known: {against}", write=_ways(policy), hint=OPEN_BASE
                )
            own = [row if is_asked and row else mine for mine, row, is_asked in zip(own, rows, asked, strict=True)]
            if hyper == RATE and slots.bases.peak is not None:
                own = _at_peak(own, slots, slots.bases.peak)
            self.closed[hyper] = own
        compared = [row for row, known in zip(own, slots.bases.all, strict=True) if not known.is_added]
        if len(compared) == len(saved.of(hyper) or ()):  # saved before the others were added
            own = compared
        matters = any(slot.is_factor and slot.line.hyper == hyper for slot in slots.slots)
        if change := difference(saved, hyper, own) if matters else _switched(saved, hyper, own):
            self.changes[hyper] = change
        now = now_of(saved, hyper, own)
        if (
            change
            or now is None
            or len(own) < len(holders)
            or any(row.now != value for row, value in zip(own, now, strict=True))
        ):
            self.is_as_it_was = False


def _at_peak(rows: list[Row], slots: Slots, peak: float) -> list[Row]:
    """The saved rates in the same ratio, the largest of them `peak`: what peak= asked for before the ratio was known."""
    scales = {id(slot.group): slot.scale for slot in slots.rates}
    pairs = [(row, scales.get(id(known.group), 1.0)) for row, known in zip(rows, slots.bases.all, strict=True)]
    largest = max((row.given * scale for row, scale in pairs if row.given is not None), default=0.0)
    if largest <= 0:
        return rows
    shares = [None if row.given is None else row.given * peak / largest for row in rows]
    return [Row(row.name, share, share) for row, share in zip(rows, shares, strict=True)]


def _contradiction(
    moved: Sequence[tuple[float | None, Row]], before: Sequence[float | None], now: Sequence[float | None]
) -> str | None:
    """What speaks against taking the saved rates as what the script gave, in words."""
    if not moved:
        return None
    for initial, row in moved:
        if initial is not None and not (same(initial, row.now) or same(initial, row.given)):
            return f"a group's initial_lr is {initial:g}, and {row.given} was saved"
    if len(before) == len(now) and not all(map(same, before, now)):
        return f"the optimizer was built with lr={_shown(before)} then, and with lr={_shown(now)} now"
    return None


def _switched(saved: SavedBases, hyper: str, own: Sequence[Row]) -> str | None:
    """How groups differ in whether they have a decay at all, in words."""
    rows = saved.of(hyper)
    if rows is None:
        return None
    before, after = (
        tuple(Row(row.name) if row.given is None else Row(row.name, float(row.given != 0), 1.0) for row in side)
        for side in (rows, own)
    )
    change = difference(SavedBases((), None, {hyper: before}, {}), hyper, after)
    return None if change is None else f"whether groups have a {hyper!r} of their own (1) or none (0): {change}"


def _shown(rates: Sequence[float | None]) -> str:
    return " and ".join("none" if rate is None else f"{rate:g}" for rate in rates)


def _ways(policy: str) -> str:
    kept = "" if policy in ("adopt", "rebase") else "; or on_change='keep' for what was saved"
    return f"build the Scheduler before its optimizer loads a state, or {WAYS}{kept}"


def _settled(own: Slots, found: _Found, saved: SavedBases, policy: str) -> Slots:
    """The slots with their bases as they are after loading; refuses what stays open."""
    for hyper in own.hypers:
        _settle(hyper, own, found, saved, policy)
    own.bases.peak = None
    if policy == "keep":
        own.bases.kept_from = saved.defaults, saved.peak
    own = Slots(own.plan, own.bases)  # what has no decay of its own is known now
    if unknown := [slot for slot in own.slots if slot.needs_base and slot.base.is_open]:
        raise StateError(
            f"what {unknown[0].label} was given is not to be known from this state", write=_ways(policy), hint=OPEN_BASE
        )
    return own


def _settle(hyper: str, own: Slots, found: _Found, saved: SavedBases, policy: str) -> None:
    """The bases of one hyper-parameter as they are after loading, as far as they are known."""
    holders, rows = own.holders(hyper), own.rows(hyper)
    before = matched(saved.of(hyper), [row.name for row in rows])
    if hyper in found.changes and are_apart(saved.of(hyper), rows):
        before = [None if row.name is None else old for row, old in zip(rows, before, strict=True)]
    closed = found.closed.get(hyper, [None] * len(rows))
    known = [row or mine for row, mine in zip(closed, rows, strict=True)]
    now = None if hyper in found.changes else now_of(saved, hyper, known)
    if now is None and hyper not in found.changes and policy != "keep":
        what = f"what {hyper!r} of every group had become, after base_lrs was set, is not to be known from this state"
        raise StateError(what, write="name the groups, or resume with as many as there were")
    for i, base in enumerate(holders):
        if base is None:
            continue
        old = before[i]
        if policy == "keep" and old is not None and old.given is not None and old.now is not None:
            is_same = base.source == CODE and same(base.given, old.given)
            base.is_now(base.given if is_same else old.given, old.now, CODE if is_same else SAVED)
        elif policy == "keep" and hyper in found.changes:
            what = f"what {hyper!r} was given in every group is not to be known from this state"
            raise StateError(what, write="pass on_change='adopt', or resume with the groups that were saved")
        else:
            row = closed[i]
            if row is not None and row.given is not None and row.now is not None and base.source != CODE:
                base.is_now(row.given, row.now, SAVED)
            if now is not None and now[i] is not None and not base.is_open:
                base.now = now[i]  # type: ignore[assignment]


class _Joined:
    """The constants with which a new plan goes on from the rates that an old one had."""

    def __init__(self, slots: Slots, saved: Saved, found: _Found) -> None:
        self._slots, self._saved, self._found = slots, saved, found
        self._sides: tuple[Slots, dict[tuple[int, str], Slot], dict[str, Line]] | None = None

    def constant(self, line: Line, gain: float) -> float:
        """What a line of the new plan is to be multiplied with; `gain` is what the rules no longer do."""
        new, old, outside = self._sides = self._sides or self._both()
        position = self._saved.position
        there = line.schedule(position)
        if line.key in outside:
            return constant_between(line, position, outside[line.key].schedule(position) * gain, there)
        constants = []
        for slot in new.slots:
            if slot.line.key == line.key:
                then = old[id(slot.group), line.hyper]
                force, present = then.line.schedule(position) * gain, there
                if then.gain != slot.gain:
                    force, present = force * then.gain, present * slot.gain
                constants.append(constant_between(line, position, force, present))
        if any(not math.isclose(one, constants[0], rel_tol=SAME_BASE) for one in constants):
            what = f"cannot rebase {line.key!r}: its groups would need different constants"
            raise StateError(what, write="pass on_change='adopt' or 'keep', or give the groups lines of their own")
        return constants[0] if constants else 1.0

    def _both(self) -> tuple[Slots, dict[tuple[int, str], Slot], dict[str, Line]]:
        """The new plan's slots, and the old plan's as they were saved: by group and hyper-parameter, and outside of them."""
        bases = self._saved.bases
        new = _settled(Slots(self._slots.plan, self._slots.bases.copy()), self._found, bases, "rebase")
        saved_rows = {hyper: list(rows) for hyper, rows in bases.rows.items() if rows is not None}
        old = _closed(self._saved.plan, self._slots.bases.copy(), saved_rows)
        unknown = [slot for slot in old.slots if slot.needs_base and slot.base.is_open]
        unknown += [slot for slot in old.slots if slot.is_factor and bases.of(slot.line.hyper) is None]
        for slot in unknown:
            what = f"cannot rebase: what {slot.label} was given is not known"
            raise StateError(what, write="pass on_change='adopt', or resume with the groups that were saved")
        before = {(id(slot.group), slot.line.hyper): slot for slot in old.slots}
        after = {(id(slot.group), slot.line.hyper) for slot in new.slots}
        outside = {line.key: line for line in old.outside}
        if (others := set(before) ^ after) and set(old.plan) == set(new.plan):
            hypers = ", ".join(sorted({repr(hyper) for _, hyper in others}))
            what = f"cannot rebase: {hypers} was switched on or off in a group"
            raise StateError(what, write="pass on_change='adopt' or 'keep'")
        if others or set(outside) != {line.key for line in new.outside}:
            raise other_lines(old.plan, new.plan)
        return new, before, outside


def _closed(plan: Plan, bases: Bases, rows: dict[str, list[Row]]) -> Slots:
    """The slots of a plan, their bases those of the rows, as far as they are of these groups."""
    slots = Slots(plan, bases)
    for hyper, given in rows.items():
        like = matched(given, [name_of(known.group) for known in bases.all])
        for base, row in zip(slots.holders(hyper), like, strict=True):
            if base is not None and row is not None and row.given is not None and row.now is not None:
                base.is_now(row.given, row.now, SAVED)
            elif base is not None:
                base.source = OPEN
    return Slots(plan, bases)


class Left(NamedTuple):
    """What nobody schedules any more after loading a state, and what stands there then; None where that is not known.

    is_kept: whether it stands there also after the optimizer has loaded a state, whose own it is else.
    """

    slot: Slot
    value: float | None
    is_kept: bool


def left_behind(before: Slots, saved: Saved, after: Slots) -> list[Left]:
    """What nobody schedules any more after loading a state.

    What the saved plan drove gets what the code gave it, or else what the state says of it; what only the code's plan drove
    gets what was loaded; the weight decay of a group that is to have none gets 0.
    """
    driven = {(id(slot.group), slot.line.hyper) for slot in after.slots}
    known = after.bases.by_group()
    without = {(id(slot.group), slot.line.hyper) for slot in after.left_alone}
    written = Slots(saved.plan, after.bases.copy()).slots if saved.plan != after.plan else []
    names = [name_of(one.group) for one in after.bases.all]
    left: dict[tuple[int, str], Left] = {}
    for slot, by_saved in [*((slot, False) for slot in before.slots), *((slot, True) for slot in written)]:
        one, key = known.get(id(slot.group)), (id(slot.group), slot.line.hyper)
        if one is None or key in driven:
            continue
        if key in without:
            left[key] = Left(slot, 0.0, True)
            continue
        row = matched(saved.bases.of(slot.line.hyper), names)[slot.place] if by_saved else None
        given = None if row is None else row.given
        left[key] = Left(slot, (one.own if by_saved else one.found).get(slot.line.hyper, given), by_saved)
    return list(left.values())
