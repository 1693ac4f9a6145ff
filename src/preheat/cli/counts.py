"""Counts at a prompt: 2, 2.0 and 10k are ones, 2.5 is none and is not rounded."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import CoercionError, Parameter, Token, convert

from preheat.core.errors import PreheatError
from preheat.core.spans import MULTIPLES, Span


def _whole(kind: Any, tokens: Sequence[Token]) -> Any:
    """What was typed as a whole number; refused where it has a fraction, which would be rounded."""
    (token,) = tokens
    if token.value.endswith(tuple(MULTIPLES)):
        try:
            amount = Span(token.value).value
        except PreheatError:
            amount = None
        if isinstance(amount, int):
            return amount
        raise CoercionError(msg=f"{token.keyword} takes a whole number, such as 10k, not {token.value!r}", token=token)
    _, _, fraction = token.value.partition(".")
    if fraction.strip("0_"):
        raise CoercionError(msg=f"{token.keyword} takes a whole number, not {token.value!r}", token=token)
    return convert(kind, [token])


def _seed(kind: Any, tokens: Sequence[Token]) -> Any:
    """A seed, as every generator of random numbers takes it."""
    found = _whole(kind, tokens)
    if not 0 <= found < 1 << 32:
        (token,) = tokens
        raise CoercionError(msg=f"{token.keyword} is from 0 to {(1 << 32) - 1:,}, not {token.value!r}", token=token)
    return found


Seed = Annotated[int, Parameter(converter=_seed)]
Count = Annotated[int, Parameter(converter=_whole)]
CountOrNone = Annotated[int | None, Parameter(converter=_whole)]
