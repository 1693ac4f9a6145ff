"""What counts as a number: the one gate through which every value and length enters."""

import math
import numbers
from fractions import Fraction

from preheat.core.errors import PreheatError, shown

Number = int | float
MOST_TICKS = 2**53  # where floats stop counting by ones


def real(value: object, what: str) -> float:
    """`value` as a finite float, −0.0 made 0.0; bool, NaN, infinity and anything else are refused."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        hint = "; write .item()" if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else ""
        raise PreheatError(f"{what} must be a number, not {shown(value)}{hint}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise PreheatError(f"{what} must be finite, not {shown(value)}")
    return result + 0.0


def positive(value: object, what: str) -> float:
    """`value` as a finite float above 0."""
    result = real(value, what)
    if result <= 0:
        raise PreheatError(f"{what} must be above 0, not {shown(value)}")
    return result


def ticks(value: object, what: str) -> Number:
    """`value` as a number of ticks: an int where it is whole, else a float; at most 2^53."""
    result = whole(real(value, what))
    if abs(result) > MOST_TICKS:
        raise PreheatError(f"{what} is at most 2^53 ticks, not {shown(value)}; count in a larger unit")
    return result


def whole(value: float | Fraction) -> Number:
    """An int if `value` is whole once it is a float, else that float."""
    result = float(value)
    return int(result) if result.is_integer() else result


def half_up(value: Fraction) -> int:
    """The nearest whole number; halves go up."""
    return math.floor(value + Fraction(1, 2))
