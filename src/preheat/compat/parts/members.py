"""Schedulers that hold schedulers: what torch's SequentialLR and ChainedScheduler make of their members.

A member's own values are not enough: what it does inside another depends on whether it multiplies the rate that it finds or
writes one of its own. So each restatement of torch's also keeps the call that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import mul
from typing import Any, NamedTuple

from preheat.compat.parts.curves import lasting, short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Curve, Restated, curve_of, factors
from preheat.core.checks import counted
from preheat.core.errors import PreheatError, shown
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, listed
from preheat.core.nodes.sequence import sequence
from preheat.core.stated import Absolute

FACTORS = (
    "linear_lr",
    "constant_lr",
    "exponential_lr",
    "polynomial_lr",
    "step_lr",
    "multi_step_lr",
    "multiplicative_lr",
)
"""Those that only ever multiply the rate that they find."""
OWN_RATES = ("one_cycle_lr", "cyclic_lr")  # whatever the optimizer was built with
WRITING = ("lambda_lr", "cosine_annealing_warm_restarts", *OWN_RATES)
"""Those that write a rate of their own at every step, whatever they find."""
ENDS = ("after-the-end", "raises-after-the-end", "no-end")
NESTED = ("sequential_lr", "chained_scheduler", "reduce_lr_on_plateau")


class Member(Restated):
    """A restatement of a torch scheduler that also says which call it was: the function's name and its arguments."""

    __slots__ = ("call",)

    call: tuple[str, tuple[tuple[str, Any], ...]]

    def __init__(
        self,
        schedule: Curve,
        others: Mapping[str, Curve] | Iterable[tuple[str, Curve]] = (),
        findings: Iterable[Finding] = (),
        base_lr: float | None = None,
        call: tuple[str, tuple[tuple[str, Any], ...]] = ("", ()),
    ) -> None:
        super().__init__(schedule, others, findings, base_lr)
        self._set(call=call)

    @property
    def name(self) -> str:
        """The function that was called."""
        return self.call[0]

    @property
    def arguments(self) -> tuple[tuple[str, Any], ...]:
        """Its arguments by name, as they were given."""
        return self.call[1]

    def argument(self, name: str, default: Any = None) -> Any:
        """One of its arguments as it was given."""
        return dict(self.arguments).get(name, default)

    def remade(self, peer: Peer, base: float, faithful: bool = True) -> Restated:
        """The same on an optimizer with another rate."""
        given = dict(self.arguments) | {"faithful": faithful}
        return peer[self.name](**given if self.name in OWN_RATES else given | {"base_lr": base})


def members_of(peer: Peer, given: Any, what: str) -> list[Member]:
    """The schedulers in another, restatements or pairs of a name and its arguments; refuses what cannot stand in another."""
    found = [
        peer[one[0]](**one[1])
        if isinstance(one, list | tuple) and len(one) == 2 and isinstance(one[1], Mapping)
        else one
        for one in listed(given, f"the schedulers of {what}")
    ]
    if not found:
        raise PreheatError(f"{what} needs at least one scheduler")
    for one in found:
        if not isinstance(one, Member):
            write = "write schedulers=[compat.torch.linear_lr(…), compat.torch.cosine_annealing_lr(…)]"
            raise PreheatError(f"{what} holds torch's schedulers, restated", given=one, write=write)
        if one.name in NESTED:
            write = "write the members in one SequentialLR, or compose their schedules with >> and *"
            why = "torch skips an update, or raises at a milestone"
            if one.name == "reduce_lr_on_plateau":
                why, write = "it needs a metric, which no milestone has", "use the rule Plateau beside the schedule"
            raise PreheatError(f"{what} cannot hold {one.name}: {why}", write=write)
    return found  # type: ignore[return-value]


def base_of(members: Sequence[Member], base_lr: float) -> float:
    """The optimizer's rate: said of the whole, or by the members, which must agree."""
    said = {base_lr, *(m.argument("base_lr", 1.0) for m in members if m.name not in OWN_RATES)} - {1.0}
    if len(said) > 1:
        raise PreheatError("all schedulers are on one optimizer, with one base_lr", given=sorted(said))
    return said.pop() if said else 1.0


class _Placed(NamedTuple):
    """A member in a sequence: from which update to which (None: to the end), and the rate that it starts from."""

    member: Member
    start: int
    stop: int | None
    base: float
    own: float  # the base that it remembers, another where a OneCycleLR was built after it


def sequence_of(peer: Peer, given: Any, milestones: Any, base_lr: float, faithful: bool) -> Restated:
    """SequentialLR: each member from one milestone to the next, on a clock of its own.

    The first multiplies `initial_lr` as it stands when all are built, which OneCycleLR overwrites; the others begin with their
    own first value, but those that know no closed form begin with what they find.
    """
    members = members_of(peer, given, "SequentialLR")
    base = base_of(members, base_lr)
    placed = _placed(members, _milestones(milestones, len(members)), base)
    parts: list[Schedule] = []
    findings: list[Finding] = []
    for i, one in enumerate(placed):
        before = parts[-1](placed[i - 1].stop - placed[i - 1].start - 1) if parts else None  # type: ignore[operator]
        whole = _begun(peer, one, before, faithful or one.stop is not None)
        curve = curve_of(whole)
        if parts:
            findings += _jump(peer, placed[i - 1], one, curve(0))
        findings += [_renamed(f) if f.code in ENDS else f for f in whole.findings if _counts(f, one.stop)]
        if one.stop is not None and one.member.name == "one_cycle_lr" and one.stop - one.start > curve.length + 1:
            raise PreheatError(f"OneCycleLR raises before update {one.stop}, where the next scheduler begins")
        parts.append(curve if one.stop is None else lasting(curve, one.stop - one.start))
    curve = sequence(parts)
    rates = base != 1.0 or any(m.name in OWN_RATES for m in members)
    found = Restated(Absolute(curve), findings=findings) if rates else factors(curve, 1.0, findings)
    return Restated(found.schedule, _others(placed), found.findings, None if base == 1.0 else base)


def _sharing(members: list[Member]) -> list[Member]:
    """Those that keep their rates in the optimizer's groups follow the last of their kind that was built."""
    shared = {"swalr": ("swa_lr",), "one_cycle_lr": ("max_lr", "div_factor", "final_div_factor")}
    last = {member.name: dict(member.arguments) for member in members if member.name in shared}
    return [
        member._with(
            call=(
                member.name,
                (
                    *((key, value) for key, value in member.arguments if key not in shared[member.name]),
                    *((key, last[member.name][key]) for key in shared[member.name] if key in last[member.name]),
                ),
            )
        )
        if member.name in shared
        else member
        for member in members
    ]


def _milestones(given: Any, members: int) -> list[int]:
    found = [counted(m, "a milestone is a number of updates", least=-(2**53)) for m in listed(given, "milestones")]
    if len(found) != members - 1:
        raise PreheatError(f"{members} schedulers need {members - 1} milestones", given=found)
    if any(a > b for a, b in pairwise(found)):
        raise PreheatError("milestones must rise", given=found)
    return found


def _placed(members: list[Member], milestones: list[int], base: float) -> list[_Placed]:
    """The members that act, each with the base rate that torch gives it."""
    bases, initial = [], None
    for member in members:
        if member.name == "one_cycle_lr":
            initial = member.argument("max_lr") / member.argument("div_factor", 25.0)
        elif initial is None:
            initial = member.argument("base_lr") if member.name == "cyclic_lr" else base
        bases.append(initial)
    edges = [0, *(max(0, m) for m in milestones), None]
    found = [
        _Placed(member, start, stop, own, own)  # type: ignore[arg-type]
        for member, own, (start, stop) in zip(_sharing(members), bases, pairwise(edges), strict=True)
        if start != stop
    ]
    first = found[0]
    if first.member.name not in WRITING:
        found[0] = first._replace(base=initial)  # type: ignore[arg-type]
    return found


def _begun(peer: Peer, one: _Placed, before: float | None, faithful: bool) -> Restated:
    """A member as it goes from its milestone on; before: the last rate of the one before it, None for the first."""
    member = one.member
    half = member.argument("T_max", 0.5)
    if before is None and member.name == "cosine_annealing_lr" and one.base != one.own and float(half).is_integer():
        down, up = (curve_of(member.remade(peer, base, True)) for base in (one.base, one.own))
        # it comes down from the rate that it finds, and climbs to the one that it remembers
        return Restated(lasting(down, half) >> up.shifted(-half) if faithful else lasting(down, half))
    if before is None:
        return member.remade(peer, one.base, faithful)
    if member.name == "swalr":
        swa, epochs = member.argument("swa_lr"), member.argument("anneal_epochs", 10)
        shape = "cosine" if member.argument("anneal_strategy", "cos") == "cos" else "linear"
        return Restated(short_ramp(before, swa, max(1, epochs), shape) if epochs else short_ramp(swa, swa, 1))
    if member.name == "multiplicative_lr":
        first = member.argument("lr_lambda")(0)
        return Restated(curve_of(member.remade(peer, 1.0, faithful)).scaled(before * first))
    if member.name == "multi_step_lr":  # its closed form, asked once, counts milestones before 0 too
        early = sum(m < 0 for m in member.argument("milestones"))
        return Restated(curve_of(member.remade(peer, one.base * member.argument("gamma", 0.1) ** early, faithful)))
    total = member.argument("total_iters", 5)
    if member.name == "constant_lr" and total <= 0:
        return peer[member.name](factor=1.0, base_lr=one.base)
    if member.name in ("linear_lr", "polynomial_lr") and total == 0:
        raise PreheatError(f"torch divides by zero where {member.name} with total_iters=0 begins", write="leave it out")
    return member.remade(peer, one.base, faithful)


def _counts(finding: Finding, stop: int | None) -> bool:
    """Whether a member's finding holds in a sequence: after its end comes another, and the base is said."""
    return stop is None or finding.code not in ENDS


def _renamed(finding: Finding) -> Finding:
    return finding._replace(place=f"{finding.place} of the last scheduler")


def _jump(peer: Peer, last: _Placed, one: _Placed, first: float) -> list[Finding]:
    """A finding where what was before would have gone on to another rate than the next begins with."""
    if one.member.name in ("swalr", "multiplicative_lr"):
        return []
    ended = curve_of(last.member.remade(peer, last.base))(last.stop - last.start)  # type: ignore[operator]
    if abs(ended - first) <= 1e-9 * max(abs(ended), abs(first)):
        return []
    what = f"the rate jumps: {last.member.name} would go on to {ended:.6g}, {one.member.name} begins with {first:.6g}"
    write = "give the milestone the length of the scheduler before it"
    return [Finding("jump", f"update {one.start}", what, write)]


def _others(placed: list[_Placed]) -> dict[str, Curve]:
    """What else the members move: as it is when all are built, until its scheduler's turn comes."""
    found: dict[str, Curve] = {}
    for one in placed:
        for key, curve in one.member.others:
            if key in found:
                raise PreheatError(
                    f"two schedulers of one SequentialLR move {key}", write="give one cycle_momentum=False"
                )
            own = curve_of(Restated(curve))
            own = own if one.stop is None else lasting(own, one.stop - one.start)
            found[key] = Absolute(lasting(short_ramp(own(0), own(0), 1), one.start) >> own if one.start else own)
    return found


def chain_of(peer: Peer, given: Any, base_lr: float, faithful: bool) -> Restated:
    """ChainedScheduler: every member steps after every update, in order, each on the rate that it finds.

    A product where all of them multiply. After one that writes its own rate the others act by their last step alone, and a
    cosine with eta_min is a recursion that adds: neither is a composition, but the last to write decides.
    """
    members = members_of(peer, given, "ChainedScheduler")
    base = base_of(members, base_lr)
    last = members[-1]
    if len(members) == 1 or last.name in WRITING:
        why = f"{last.name} writes the rate after it"
        lost = [
            Finding("ignored-argument", f"schedulers[{i}]", f"{m.name} has no effect: {why}")
            for i, m in enumerate(members[:-1])
        ]
        one = last.remade(peer, base, faithful)
        return Restated(one.schedule, _chained_others(members), (*lost, *one.findings))
    for member in members:
        _check_factor(member)
    whole = [member.remade(peer, 1.0, faithful) for member in members]
    curve = reduce(mul, (curve_of(one) for one in whole))
    ends = [member.argument("T_max") for member in members if member.name == "cosine_annealing_lr"]
    findings = [finding for one in whole for finding in one.findings]
    if ends and faithful:
        curve = _after_cosine(members, whole, min(ends))
        after = f"update {3 * min(ends):g}"
        what = "there it climbs again, by a sum that no composition gives, and here the last value is kept"
        findings.append(Finding("no-end", after, what, "end the run before"))
    elif ends:
        curve = lasting(curve, min(ends))
    return factors(curve, base, findings)


def _check_factor(member: Member) -> None:
    """Refuse, in a chain, what does not multiply the rate that it finds."""
    if member.name in FACTORS or (member.name == "cosine_annealing_lr" and not member.argument("eta_min", 0.0)):
        return
    if member.name == "cosine_annealing_lr":
        why, write = (
            "its recursion adds eta_min, so that the others bend it",
            "write eta_min=0, or a product of schedules",
        )
    elif member.name in WRITING:
        why, write = "it writes its own rate, and what follows multiplies that by its last step only", "put it last"
    else:
        why, write = "it blends the rate that it finds with its own", "use a SequentialLR"
    raise PreheatError(f"a ChainedScheduler with {member.name} among others is no product: {why}", write=write)


def _after_cosine(members: list[Member], whole: list[Restated], end: int) -> Schedule:
    """Up to the cosine's end a product; then it climbs from 0 by a sum, on which the others act only from there on.

    Those before it in the list multiplied the 0 of one update more. At its next minimum all that starts anew.
    """
    at = [i for i, member in enumerate(members) if member.name == "cosine_annealing_lr"]
    curves = [curve_of(one) for one in whole]
    if len(at) > 1:
        what = "ChainedScheduler: after the first of two cosines the other multiplies a sum, which no composition gives"
        raise PreheatError(what, write="leave faithful=True out")
    later = [_from(curve, end, end + (i < at[0])) for i, curve in enumerate(curves) if i != at[0]]
    climbing = reduce(mul, (curves[at[0]].shifted(-end), *later))
    return lasting(reduce(mul, curves), end) >> climbing.truncated(2 * end)


def _from(curve: Schedule, end: int, whole: int) -> Schedule:
    """What a factor does from update `end` on, 1 at update `whole`."""
    if curve.length <= end:
        return Hold(1.0, "rest")
    if not curve(whole):
        raise PreheatError(
            f"ChainedScheduler: at update {end} a factor is 0 that goes on", write="leave faithful=True out"
        )
    return curve.shifted(-end).scaled(1 / curve(whole))


def _chained_others(members: list[Member]) -> dict[str, Curve]:
    """What else they move; the last to move something decides."""
    found: dict[str, Curve] = {}
    for member in members:
        found |= dict(member.others)
    return found


def of_call(name: str, arguments: Mapping[str, Any], restated: Restated) -> Member:
    """A restatement with the call that made it."""
    kept = {key: value for key, value in arguments.items() if key != "faithful"}
    if "lr_lambda" in kept:
        kept["lr_lambda"] = Sampled.of(kept["lr_lambda"], kept["total"])
    made = restated.schedule, restated.others, restated.findings
    return Member(*made, restated.base_lr, (name, tuple(kept.items())))


@dataclass(frozen=True)
class Sampled:
    """A function of the update number by its values: equal to the same again, and saved like them."""

    values: tuple[float | None, ...]

    @classmethod
    def of(cls, function: Callable[[int], float], total: int) -> Sampled:
        """The first `total` values; the first is None where it cannot be had, since torch may never ask for it."""
        if isinstance(function, cls):
            return function
        try:
            first = float(function(0))
        except Exception:  # the user's function, of which nothing is known
            first = None
        return cls((first, *(float(function(t)) for t in range(1, total))))

    def __call__(self, t: int) -> float:
        """Value t; the last after the end."""
        value = self.values[min(t, len(self.values) - 1)]
        if value is None:
            raise PreheatError(f"lr_lambda({t}) is no number")
        return value


def refuse_lists(arguments: Mapping[str, Any]) -> None:
    """Refuse a value for each group: one restatement is one group's."""
    for key, value in arguments.items():
        if isinstance(value, list | tuple) and key not in ("milestones", "schedulers"):
            write = "restate each group by itself, and join their schedules in a Plan: {'0/lr': first.schedule, …}"
            raise PreheatError(f"{key} has a value for each group: {shown(value)}", write=write)
