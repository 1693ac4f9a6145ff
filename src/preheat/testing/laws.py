"""What a suite reports: which law is broken, and how that shows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

LAWS = {
    "finite": "every value is a finite number",
    "bounds": "every value lies between 0 and the peak",
    "pure": "asking changes nothing: the same update has the same value, in any order of asking",
    "arrays": "an array of updates gives what its updates give one by one",
    "ends": "after the run the value does not rise again, and nothing fails",
    "reported": "what the scheduler says the rate is, is the rate that the update uses",
    "resumed, built first": "built, then optimizer and scheduler loaded in either order: it goes on as if never stopped",
    "resumed, built last": "optimizer loaded, then built, then the scheduler loaded: it goes on as if never stopped",
    "resumed twice": "loading the same state again changes nothing",
    "state is data": "the state passes through torch.save and torch.load(weights_only=True)",
    "copied": "a copy (deepcopy) goes on as the original does, and neither moves the other",
    "groups": "groups of different rates keep their ratio",
    "added group": "a group that is added later follows the same factor, and nothing fails",
    "tensor rates": "a rate that is a tensor takes the same values, in the same tensor, and groups do not share one",
}
"""Every law by its name."""


class Broken(NamedTuple):
    """A law that does not hold, and how that shows: the first update where it does not, and both values.

    law: its name in LAWS.   shown: where, as text.

    >>> print(Broken("bounds", "update 7: -0.1"))
    bounds: every value lies between 0 and the peak; update 7: -0.1
    """

    law: str
    shown: str

    def __str__(self) -> str:
        return f"{self.law}: {LAWS[self.law]}; {self.shown}"


def told(broken: Iterable[Broken]) -> str:
    """All of them, one a line."""
    return "\n".join(map(str, broken))


def differing(expected: list[float], found: list[float], first: int = 0, near: float = 1e-6) -> str:
    """The first update at which two runs differ by more than `near` of the largest value, in words; "" if none.

    first: the update that both begin with.
    """
    largest = max((abs(value) for value in expected if math.isfinite(value)), default=0.0) or 1.0
    for t, (a, b) in enumerate(zip(expected, found, strict=False), start=first):
        if not abs(a - b) <= near * largest and (a == a or b == b):  # NaN for NaN is the same
            return f"update {t}: {_apart(b, a)}"
    if len(found) < len(expected):
        return f"update {first + len(found)}: nothing instead of {expected[len(found)]:.6g}"
    return ""


def _apart(found: float, expected: float) -> str:
    """Two values in six digits, in all where these are the same."""
    short = f"{found:.6g}", f"{expected:.6g}"
    a, b = short if short[0] != short[1] else (repr(found), repr(expected))
    return f"{a} instead of {b}"
