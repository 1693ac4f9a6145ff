"""What a check finds of lengths: a total that does not fit the data, the epochs and the processes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from preheat.core.findings import Finding
from preheat.core.spans import Run
from preheat.review.checking.facts import Facts


def lengths(run: Run, facts: Facts) -> Iterator[Finding]:
    """Findings of the total and of updates in an epoch, where the data is known."""
    if facts.loader is None:
        return
    per_epoch = updates_per_epoch(facts)
    if run.clock == "step" and run.steps_per_epoch is not None and not _fits(run.steps_per_epoch, facts, 1):
        said = f"{run.steps_per_epoch:g} updates are said to be an epoch; {_data(facts)} make {per_epoch:,}"
        what = said + _why(run.steps_per_epoch, facts, 1)
        yield Finding("total-differs", "steps_per_epoch", what, f"write steps_per_epoch={per_epoch}")
    if facts.calls == "epoch" and run.clock == "step" and run.total is not None:
        what = f"the plan counts {run.total:,} updates, and the scheduler steps once in {per_epoch:,} of them"
        yield Finding(
            "per-epoch", "the scheduler's step()", what, "step after every update, or plan in epochs: clock='epoch'"
        )
    if facts.epochs is None or run.total is None or run.clock not in ("step", "epoch"):
        return
    expected = math.ceil(facts.epochs * per_epoch)
    if run.clock == "step" and not _fits(run.total, facts, facts.epochs):
        if run.total == facts.epochs:
            what = (
                f"the plan counts {run.total:,} updates, as many as there are epochs; {_data(facts)} make {expected:,}"
            )
            yield Finding("per-epoch", "total", what, f"write total={expected}, or plan in epochs: clock='epoch'")
        else:
            what = f"the run has {run.total:,} updates; {_epochs(facts.epochs)} of {_data(facts)} make {expected:,}"
            yield Finding(
                "total-differs", "total", what + _why(run.total, facts, facts.epochs), f"write total={expected}"
            )
    elif run.clock == "epoch" and run.total != math.ceil(facts.epochs):
        what = f"the run has {_epochs(run.total)}, and {facts.epochs:g} are trained"
        yield Finding("total-differs", "total", what, f"write total={facts.epochs:g}")


def updates_per_epoch(facts: Facts) -> int:
    """Updates in one pass over the data, which must be known."""
    return math.ceil(math.ceil(facts.loader / facts.world_size) / facts.accumulation)  # type: ignore[operator]


def _fits(updates: float, facts: Facts, epochs: float) -> bool:
    """Whether so many updates are that data, whether or not the last, incomplete batches of an epoch are dropped."""
    least = max(1, facts.loader // facts.world_size // facts.accumulation)  # type: ignore[operator]
    return math.floor(epochs * least) <= updates <= math.ceil(epochs * updates_per_epoch(facts))


def _why(updates: float, facts: Facts, epochs: float) -> str:
    """What was left out of a count, where leaving it out gives the number."""
    for name, without in (
        ("the accumulation", facts._replace(accumulation=1)),
        ("the processes", facts._replace(world_size=1)),
        ("the accumulation and the processes", facts._replace(accumulation=1, world_size=1)),
    ):
        if without != facts and _fits(updates, without, epochs):
            return f": {name} {'were' if 'processes' in name else 'was'} not counted"
    once_more = facts._replace(loader=max(1, facts.loader // facts.world_size))  # type: ignore[operator]
    return ": the processes were counted twice" if facts.world_size > 1 and _fits(updates, once_more, epochs) else ""


def _epochs(many: float) -> str:
    return "1 epoch" if many == 1 else f"{many:,g} epochs"


def _data(facts: Facts) -> str:
    batches = f"{facts.loader:,} batches"
    batches += f" over {facts.world_size} processes" if facts.world_size > 1 else ""
    return batches + (f", {facts.accumulation} to an update" if facts.accumulation > 1 else "")
