"""What the kinds that join several schedules take."""

from __future__ import annotations

from collections.abc import Iterable

from preheat.core.errors import PreheatError
from preheat.core.node import Schedule


def flat(operands: Iterable[Schedule], kind: type[Schedule]) -> tuple[Schedule, ...]:
    """The operands, with the operands of those of the same kind in their place."""
    found: list[Schedule] = []
    for operand in operands:
        found += operand._children if isinstance(operand, kind) else (operand,)
    return several(found, kind._word)


def several(operands: Iterable[Schedule], word: str) -> tuple[Schedule, ...]:
    """Two or more schedules as a tuple; refuses anything else."""
    found = tuple(operands)
    if len(found) < 2 or not all(isinstance(operand, Schedule) for operand in found):
        raise PreheatError(f"{word} takes two or more schedules", given=found)
    return found
