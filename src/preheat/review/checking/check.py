"""What will go wrong, found before the run: a schedule, a preset, a config or a checkpoint looked at as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError
from preheat.core.findings import CODES, Finding
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.review.checking.beginnings import beginning, below_zero
from preheat.review.checking.endings import climbing, ending
from preheat.review.checking.facts import Facts
from preheat.review.checking.jumps import joints
from preheat.review.checking.look import Look
from preheat.review.checking.optimizers import decayed, known_optimizer, optimizing
from preheat.review.checking.others import others, unclear
from preheat.review.checking.totals import lengths
from preheat.review.checkpoints.checkpoint import Checkpoint
from preheat.review.checkpoints.resumed import resumed, resuming
from preheat.review.opened import opened
from preheat.review.subject import Subject

AFTER_THE_END = ("after-the-end", "raises-after-the-end")  # told only where the run goes on past the schedule


def check(
    subject: Any,
    run: Run | None = None,
    *,
    plan: Any = None,
    peak: float | None = None,
    facts: Facts | None = None,
    ignore: tuple[str, ...] = (),
    **known: Any,
) -> tuple[Finding, ...]:
    """What will go wrong in a training, found before it begins: () if nothing looks wrong.

    subject: a schedule, rates, a plan, text, a preset's name, what preheat.compat gives, or the path of a config or of a
        checkpoint.   run: what is known of the run.   plan: what a checkpoint is to go on with.
    peak: the rate at the peak, where the schedule is factors; of a checkpoint that of plan=.
    known: facts of the training: optimizer (its name), beta2, parameters, epochs, loader (batches in one pass over the data),
        accumulation, world_size, library (whose config it is; of anything else, whose scheduler is to follow it).
    ignore: codes that are not asked for.

    >>> from preheat import Run, check
    >>> [(found.code, found.place) for found in check("warmup(50) >> decay(500)", Run(total=2000))]
    [('floor-early', 'update 550')]
    >>> check("warmup(5%) >> decay()", Run(total=2000))
    ()

    docs/check.md explains each code. Raises PreheatError for what cannot be read, and for a run that does not determine a
    length.
    """
    codes, peak = ignored(ignore), None if peak is None else positive_number(peak, "peak")
    known_optimizer(known.get("optimizer"))
    given = (Facts() if facts is None else facts)._replace(**said(known)).checked()
    if plan is None:
        read = opened(subject, run, library=given.library)
        if peak is not None and isinstance(read.facts, Checkpoint):
            raise PreheatError(
                "a checkpoint says its own peak", given=peak, write="leave it out, or say plan= (--plan) too"
            )
        read = read if peak is None else read._replace(peak=peak)
        found = [*findings(read, given), *([] if read.foreign or read.facts is not None else _unclear(read))]
    else:
        before = opened(subject)
        after = resumed(before, plan, run, peak)
        found = [*_unclear(after), *findings(after, given), *resuming(before, after)]
    return tuple(finding for finding in found if finding.code not in codes)


def findings(subject: Subject, facts: Facts) -> list[Finding]:
    """The findings of a subject, those of its source first."""
    facts = _completed(facts, subject)
    found = [*_of_source(subject), *lengths(subject.run, facts)]
    if subject.target is not None:
        found += _of_lines(subject, facts)
        found = [_with_the_plan(one) for one in found] if _is_bound(subject) else found
    return list(dict.fromkeys(found))


def _unclear(subject: Subject) -> Iterator[Finding]:
    return iter(()) if subject.target is None else unclear(_plan(subject))


def _plan(subject: Subject) -> Plan:
    return subject.target if isinstance(subject.target, Plan) else Plan(subject.target)


def _of_source(subject: Subject) -> Iterator[Finding]:
    """What a source says of itself, but for what its library does after the end where nothing trains then."""
    for finding in subject.findings:
        if finding.code not in AFTER_THE_END or _goes_on(subject):
            yield finding


def _goes_on(subject: Subject) -> bool:
    """Whether the run is known to be longer than the schedule."""
    if subject.run.total is None or subject.target is None:
        return False
    lengths = [line.schedule.bind(subject.run, truncate=True).length for line in _plan(subject).lines if line.is_rate]
    return bool(lengths) and max(lengths) < subject.run.total


def _is_bound(subject: Subject) -> bool:
    """Whether it is the plan of a checkpoint, which holds every length in ticks."""
    facts = subject.facts
    return isinstance(facts, Checkpoint) and facts.saved is not None and subject.target is facts.saved.plan


def _with_the_plan(finding: Finding) -> Finding:
    if finding.code not in ("floor-early", "does-not-fit"):
        return finding
    what = f"{finding.what}; the checkpoint holds the plan's lengths in ticks, and what was a share or the rest is not known"
    return finding._replace(what=what, write="say the plan that it is to go on with: --plan SPEC (plan=)")


def _completed(facts: Facts, subject: Subject) -> Facts:
    """The facts with what a config or a checkpoint says of itself."""
    more: dict[str, Any] = {"library": facts.library or subject.library or None}
    if isinstance(subject.facts, Checkpoint):
        more["beta2"] = facts.beta2 if facts.beta2 is not None else subject.facts.beta2
        more["without_decay"] = facts.without_decay or subject.facts.without_decay
    return facts._replace(**more)


def _of_lines(subject: Subject, facts: Facts) -> Iterator[Finding]:
    whole, facts_of = _plan(subject), subject.facts
    placed = not isinstance(facts_of, Checkpoint) or facts_of.updates is not None
    ends = not isinstance(facts_of, Checkpoint) or not subject.foreign  # a state of torch's says no run
    rates = [line for line in whole.lines if line.is_rate]
    for line in rates:
        look = Look(line, subject.run, ends, subject.peak)
        found = [*below_zero(look), *joints(look), *ending(look, subject.foreign)]
        if placed and (not subject.position or subject.position < look.warmup * look.tick):
            found = [*beginning(look, facts), *found]
            found += optimizing(look, facts, _peak(line, look, subject.peak)) if line.group is None else []
        found += climbing(look, subject.position > 0) if subject.foreign else []
        for finding in found:
            yield finding if len(rates) == 1 else finding._replace(place=f"{line.key}, {finding.place}")
    yield from others(whole, subject.run, subject.foreign)
    yield from decayed(whole, facts)


def _peak(line: Any, look: Look, peak: float | None) -> float | None:
    """The rate at the peak."""
    return look.value(look.top) if line.is_absolute else peak


def ignored(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Codes that are not asked for; raises PreheatError for what is none."""
    for code in (codes,) if isinstance(codes, str) else codes:
        if isinstance(codes, str) or code not in CODES:
            what = "ignore takes codes in a tuple" if isinstance(codes, str) else "no finding has this code"
            write = f"write ignore=({codes!r},)" if isinstance(codes, str) else "see preheat check --list"
            raise PreheatError(what, given=code, write=write)
    return tuple(codes)


def said(known: dict[str, Any]) -> dict[str, Any]:
    """Facts by their names, those that are None aside; raises PreheatError for another name."""
    for name in known:
        if name not in Facts._fields:
            raise PreheatError(f"check knows no fact {name!r}", write=f"write one of {', '.join(Facts._fields)}")
    return {name: value for name, value in known.items() if value is not None}
