"""Packages that are optional: what is said where one is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from preheat.core.errors import PreheatError


class MissingError(PreheatError, ImportError):
    """A package that is optional, needed now, and not installed: says the line that installs it."""


@contextmanager
def needed(what: str, extra: str) -> Iterator[None]:
    """Imports of packages that an extra of preheat brings; `what` needs them.

    >>> with needed("preheat.torch", "torch"):
    ...     import no_such_package
    Traceback (most recent call last):
    preheat.core.extras.MissingError: preheat.torch needs the package no_such_package; run pip install 'preheat[torch]'

    Raises MissingError, an ImportError, in place of ModuleNotFoundError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).split(".")[0]
        if package == "preheat":
            raise
        raise MissingError(f"{what} needs the package {package}", write=f"run pip install 'preheat[{extra}]'") from None
