"""What counts as a number: the gates through which every value, length and count enters."""

import math
import numbers
import operator
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from preheat.core.errors import PreheatError, nearest, shown

Number = int | float
MOST_TICKS = 2**53  # where floats stop counting by ones
MAX_TEXT, MAX_NESTING = 256 * 1024, 32  # of a schedule: characters, and brackets inside one another


def finite_number(value: object, what: str) -> float:
    """`value` as a finite float, −0.0 made 0.0; bool, NaN, infinity and anything else are refused."""
    if type(value) is float and -math.inf < value < math.inf:  # most often, and quickly
        return value + 0.0
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        item = hasattr(value, "item") and getattr(value, "ndim", None) == 0
        write = "write .item()" if item else _unquoted(value) if isinstance(value, str) else ""
        raise PreheatError(f"{what} must be a number", given=value, write=write)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise PreheatError(f"{what} must be finite", given=value)
    return result + 0.0


def _unquoted(text: str) -> str:
    """What to write for a number that came as text."""
    share = text.strip().endswith("%")
    try:
        number = repr(finite_number(float(Decimal(text.strip()[:-1]) / 100 if share else text), "it"))
    except (ValueError, ArithmeticError):
        return ""
    if share:
        return f"write {number}: a percentage is a length"
    mantissa, e, exponent = number.partition("e")  # YAML 1.1 takes 3e-4 for text: it wants a point
    number = f"{mantissa}.0{e}{exponent}" if e and "." not in mantissa else number
    return f"write {number} without quotes; YAML too reads it as a number then"


def positive_number(value: object, what: str) -> float:
    """`value` as a finite float above 0."""
    result = finite_number(value, what)
    if result <= 0:
        raise PreheatError(f"{what} must be above 0", given=value)
    return result


def share(value: object, what: str) -> float:
    """`value` as a float from 0 to 1."""
    result = finite_number(value, what)
    if not 0 <= result <= 1:
        raise PreheatError(f"{what} is a share from 0 to 1", given=value)
    return result


def whole_number(value: object, what: str, least: int = 0, write: str = "") -> int:
    """`value` as an int of at least `least`; bool and floats are refused."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PreheatError(f"{what} must be a whole number of at least {least}", given=value, write=write)
    return int(value)


def counted(value: object, what: str, least: int = 0, most: int = MOST_TICKS, *, write: str = "") -> int:
    """`value` as an int from `least` to `most`; integers of numpy and torch are taken, bool, floats and arrays refused."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        number = None
    if number is None or isinstance(value, bool) or not least <= number <= most:
        if number is not None and number > most == MOST_TICKS:
            write = "write a number up to 2^53"
        raise PreheatError(what, given=value, write=write)
    return int(number)


def encodable(text: str, what: str) -> str:
    """`text` if it can be written to a file; half of a pair of surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PreheatError(f"{what} has a character that cannot be written", given=text, write="leave it out") from None
    return text


def one_of(value: object, what: str, known: Iterable[str]) -> str:
    """`value` if it is one of the words `known`."""
    words = tuple(known)
    if not isinstance(value, str) or value not in words:
        raise PreheatError(f"unknown {what} {shown(value)}{nearest(str(value), words)}")
    return value


def ticks(value: object, what: str) -> Number:
    """`value` as a number of ticks: an int where it is whole, else a float; at most 2^53."""
    result = int_if_whole(finite_number(value, what))
    if abs(result) > MOST_TICKS:
        raise PreheatError(f"{what} is at most 2^53 ticks", given=value, write="count in a larger unit")
    return result


def int_if_whole(value: float | Fraction) -> Number:
    """An int if `value` is whole once it is a float, else that float."""
    result = float(value)
    return int(result) if result.is_integer() else result


def measured(name: str, value: Any) -> float:
    """A metric as a float, finite or not; tensors and arrays of one element are taken too."""
    what, write = f"the metric {name!r} must be one number", ""
    try:
        if hasattr(value, "item"):  # float() of a tensor with a gradient warns
            write = "write .mean() or .item()"
            value = value.item()
        if isinstance(value, str | bytes | bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise PreheatError(what, given=value, write=write) from None
    except OverflowError:
        raise PreheatError(f"the metric {name!r} is beyond what a float holds", given=value) from None


def float_below(value: Fraction) -> Fraction:
    """The float that is not above `value`: of a period, so that what begins on a whole tick does not begin after it."""
    near = float(value)
    return Fraction(near if Fraction(near) <= value else math.nextafter(near, 0.0))


def round_half_up(value: Fraction) -> int:
    """The nearest whole number; halves go up."""
    return math.floor(value + Fraction(1, 2))
