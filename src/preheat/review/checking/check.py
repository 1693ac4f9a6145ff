"""What will go wrong, found before the run: a schedule, a preset, a config or a checkpoint looked at as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from preheat.core.errors import PreheatError
from preheat.core.findings import CODES, Finding
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.review.checking.beginnings import beginning, below_zero
from preheat.review.checking.endings import afterwards, climbing, ending
from preheat.review.checking.facts import Facts
from preheat.review.checking.jumps import joints
from preheat.review.checking.look import Look
from preheat.review.checking.optimizers import decayed, optimizing
from preheat.review.checking.totals import lengths
from preheat.review.checkpoints.checkpoint import Checkpoint
from preheat.review.checkpoints.resumed import resumed, resuming
from preheat.review.opened import opened
from preheat.review.subject import Subject


def check(
    subject: Any,
    run: Run | None = None,
    *,
    plan: Any = None,
    facts: Facts | None = None,
    ignore: tuple[str, ...] = (),
    **known: Any,
) -> tuple[Finding, ...]:
    """What will go wrong in a training, found before it begins: () if nothing looks wrong.

    subject: a schedule, rates, a plan, text, a preset's name, what preheat.compat gives, or the path of a config or of a
        checkpoint.   run: what is known of the run.   plan: what a checkpoint is to go on with.
    known: facts of the training: optimizer (its name), beta2, parameters, epochs, loader (batches in one pass over the data),
        accumulation, world_size, library (whose scheduler is to follow it).   ignore: codes that are not asked for.

    >>> from preheat import Run, check
    >>> [(found.code, found.place) for found in check("warmup(50) >> decay(500)", Run(total=2000))]
    [('floor-early', 'update 550')]
    >>> check("warmup(5%) >> decay()", Run(total=2000))
    ()

    docs/check.md explains each code. Raises PreheatError for what cannot be read, and for a run that does not determine a
    length.
    """
    for code in ignore:
        if code not in CODES:
            raise PreheatError("no finding has this code", given=code, write="see preheat check --list")
    given = Facts(**_known(known)) if facts is None else facts._replace(**_known(known))
    if plan is None:
        found = findings(opened(subject, run), given.checked())
    else:
        before = opened(subject)
        after = resumed(before, plan, run)
        found = [*findings(after, given.checked()), *resuming(before, after)]
    return tuple(finding for finding in found if finding.code not in ignore)


def findings(subject: Subject, facts: Facts) -> list[Finding]:
    """The findings of a subject, those of its source first."""
    facts = _completed(facts, subject)
    found = [*subject.findings, *lengths(subject.run, facts)]
    if subject.target is not None:
        found += _of_lines(subject, facts)
    return list(dict.fromkeys(found))


def _completed(facts: Facts, subject: Subject) -> Facts:
    """The facts with what a config or a checkpoint says of itself."""
    more: dict[str, Any] = {"library": facts.library or subject.library or None}
    if isinstance(subject.facts, Checkpoint):
        more["beta2"] = facts.beta2 if facts.beta2 is not None else subject.facts.beta2
        more["without_decay"] = facts.without_decay or subject.facts.without_decay
    return facts._replace(**more)


def _of_lines(subject: Subject, facts: Facts) -> Iterator[Finding]:
    whole = subject.target if isinstance(subject.target, Plan) else Plan(subject.target)
    rates = [line for line in whole.lines if line.is_rate]
    for line in rates:
        look = Look(line, subject.run)
        found = [*below_zero(look), *joints(look), *ending(look, subject.foreign)]
        if not subject.position or subject.position < look.warmup * look.tick:
            found = [*beginning(look, facts), *found]
            found += optimizing(look, facts, _peak(line, look, subject.peak)) if line.group is None else []
        found += [*climbing(look), *afterwards(look)] if subject.foreign else []
        for finding in found:
            yield finding if len(rates) == 1 else finding._replace(place=f"{line.key}, {finding.place}")
    yield from decayed(whole, facts)


def _peak(line: Any, look: Look, peak: float | None) -> float | None:
    """The rate at the peak."""
    return look.value(look.top) if line.is_absolute else peak


def _known(known: dict[str, Any]) -> dict[str, Any]:
    for name in known:
        if name not in Facts._fields:
            raise PreheatError(f"check knows no fact {name!r}", write=f"write one of {', '.join(Facts._fields)}")
    return {name: value for name, value in known.items() if value is not None}
