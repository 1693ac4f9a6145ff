"""Conformance suites to point at any schedule or scheduler: a library's next release, or one's own.

from preheat.testing import assert_conforms, check_scheduler
assert_conforms(check_scheduler(lambda optimizer: MyScheduler(optimizer, 100), updates=100))
"""

from __future__ import annotations

from collections.abc import Iterable

from preheat.core.checks import one_of
from preheat.core.errors import PreheatError
from preheat.testing.functions import check_schedule
from preheat.testing.laws import LAWS, Broken, told
from preheat.testing.schedulers import check_scheduler

__all__ = ["LAWS", "Broken", "assert_conforms", "check_schedule", "check_scheduler"]


def assert_conforms(broken: Iterable[Broken], *, known: Iterable[str] = ()) -> None:
    """Fail, telling each broken law, unless it is among `known`; and where one that is known holds again.

    broken: what check_schedule or check_scheduler gave.   known: names of LAWS that are known not to hold.

    >>> assert_conforms(check_schedule(lambda t: 1.0, 10))

    Raises AssertionError, and PreheatError for what is no law.
    """
    if isinstance(known, str):
        raise PreheatError("known= takes names of laws", given=known, write=f"write known=[{known!r}]")
    found, expected = list(broken), {one_of(law, "law", LAWS) for law in known}
    surprising = [one for one in found if one.law not in expected]
    mended = sorted(expected - {one.law for one in found})
    if surprising or mended:
        holds = [f"{law}: known not to hold, and it does" for law in mended]
        raise AssertionError("\n".join([told(surprising), *holds]).strip())
