"""One scheduler of another library: how its arguments are drawn, how it is run, and how far the restatement is off."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, NamedTuple

from preheat import PreheatError
from preheat.compat import Restated, restate

Rates = list[float]


class Case(NamedTuple):
    """A scheduler, and how to run it.

    scheduler: its name in preheat.compat.   draw: random arguments, as the restatement takes them, base_lr among them.
    run: the values of updates 0 … n − 1 as the library itself gives them, of the rate alone, or by a plan's key where it moves
    more; fewer where it fails after its end.   updates: how many a run has.   after: how many more `faithful` is held to.
    tolerance: of the largest value; 1e-12 for what computes in double precision, 2e-6 in single.
    """

    scheduler: str
    draw: Callable[[random.Random], dict[str, Any]]
    run: Callable[[dict[str, Any], int], Rates | Mapping[str, Rates]]
    updates: Callable[[dict[str, Any]], int]
    after: int = 7
    tolerance: float = 1e-12


class Public(NamedTuple):
    """A published config, its facts in our own file, and what the library itself makes of it.

    file: beside the module.   source: where it was published.   beside: what `compat.read` is told that the file does not say.
    rates: the values of the first n updates as the library computes them from the same facts, by a plan's key.
    updates: of the run.   tolerance: of the largest value.
    """

    file: str
    source: str
    beside: dict[str, Any]
    rates: Callable[[int], Rates | Mapping[str, Rates]]
    updates: int
    tolerance: float = 1e-12


class Compared(NamedTuple):
    """How far a restatement is from what the library gave: the largest difference, as a share of the largest value."""

    inside: float
    after: float
    values: dict[str, Rates]  # what the library gave, the updates after the end included


def lines(values: Rates | Mapping[str, Rates]) -> dict[str, Rates]:
    """By a plan's key, as plain floats."""
    named = values if isinstance(values, Mapping) else {"lr": values}
    return {key: [float(one) for one in rates] for key, rates in named.items()}


def compared(peer: str, case: Case, arguments: dict[str, Any]) -> Compared:
    """Run the library and its restatement with these arguments; where the library fails at once, so must the restatement."""
    n = case.updates(arguments)
    try:
        given = lines(case.run(arguments, n + case.after))
    except (ArithmeticError, ValueError):
        return Compared(0.0 if _refuses(peer, case, arguments) else math.inf, 0.0, {})
    plain, faithful = (restate(peer, case.scheduler, **arguments, faithful=f) for f in (False, True))
    inside = max(off(plain, key, rates[:n], 0) for key, rates in given.items())
    after = max(off(faithful, key, rates, n) for key, rates in given.items())
    return Compared(inside, after, given)


def _refuses(peer: str, case: Case, arguments: dict[str, Any]) -> bool:
    try:
        restate(peer, case.scheduler, **arguments)
    except PreheatError:
        return True
    return False


def off(restated: Restated, key: str, rates: Rates, first: int) -> float:
    """The largest difference from update `first` on, as a share of the largest of the values."""
    ours = restated.plan[key].table(len(rates)).tolist()
    largest = max(map(abs, rates), default=0.0) or 1.0
    return max((abs(a - b) / largest for a, b in zip(ours[first:], rates[first:], strict=True)), default=0.0)


def names(kind: str = "peers") -> list[str]:
    """The libraries that can be run where they are installed; kind: "peers", or "public" for their published configs."""
    return sorted(one.name for one in iter_modules([str(Path(__file__).parent / kind)]))


def installed(kind: str = "peers") -> Iterator[ModuleType]:
    """Those that are installed here."""
    for name in names(kind):
        try:
            yield import_module(f"benchmarks.parity.{kind}.{name}")
        except ImportError:
            continue


def some(arguments: Mapping[str, Any]) -> int:
    """How many updates to look at of what has no end: few, which can be kept as vectors, or more, where errors add up."""
    return random.Random(repr(arguments)).choice([30, 120])


def arguments_of(peer: str, case: Case, seed: int) -> dict[str, Any]:
    """Random arguments, the same for the same seed."""
    return case.draw(random.Random(f"{peer} {case.scheduler} {seed}"))
