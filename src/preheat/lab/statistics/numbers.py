"""How numbers are written, wherever they are shown: with their sign, and so that what is not 0 does not look like 0."""

import math

from preheat.lab.statistics.inference import Difference

_WHOLE = 1e5  # from here on without decimals
_LARGE = 1e9  # and from here on with an exponent
_MOST = 8  # decimals
_ROUNDING = 1e-9  # a mean that is smaller than this share of its interval is 0 but for rounding


def fixed(value: float, places: int) -> str:
    """A number with so many decimals; with an exponent where it would look like 0, or is very large.

    >>> fixed(-2.1, 3), fixed(2e-10, 3), fixed(123456.7, 3), fixed(2e20, 3)
    ('−2.100', '2e−10', '123457', '2e+20')
    """
    size = abs(value)
    text = f"{size:.6g}" if size >= _LARGE else f"{size:.0f}" if size >= _WHOLE else f"{size:.{places}f}"
    if value and float(text) == 0:
        text = f"{size:.3g}"
    return ("−" if value < 0 else "") + text.replace("-", "−")


def signed(value: float, places: int) -> str:
    """The same with its sign, the minus as long as the plus."""
    text = fixed(value, places)
    return text if text.startswith("−") else f"+{text}"


def rounded_within(value: float, low: float, high: float) -> str:
    """A positive number with two digits, or as many as keep it between `low` and `high`.

    >>> rounded_within(0.1049, 0.1048, 0.105), rounded_within(22220.0, 22218.0, 22223.0), rounded_within(0.5, 0.4, 0.6)
    ('0.105', '22220', '0.50')
    """
    near = (k for k in range(2, 17) if low <= float(f"{value:.{k}g}") <= high)
    digits = next(near, 17)
    near_value = float(f"{value:.{digits}g}")
    places = max(0, digits - 1 - math.floor(math.log10(near_value)))
    if places > _MOST or value >= _LARGE:
        return f"{near_value:.{digits}g}".replace("-", "−")
    return f"{near_value:.{places}f}"


def difference_text(difference: Difference) -> str:
    """The mean difference with its sign."""
    mean, low, high = difference.mean, difference.low, difference.high
    if low is not None and high is not None and abs(mean) < _ROUNDING * (high - low):
        mean = 0.0
    return signed(mean, _decimals(difference))


def interval_text(difference: Difference) -> str:
    """`−0.48 to −0.31`; empty where there is no interval."""
    if difference.low is None or difference.high is None:
        return ""
    places = _decimals(difference)
    return f"{signed(difference.low, places)} to {signed(difference.high, places)}"


def _decimals(difference: Difference) -> int:
    """Three, or as many as show both ends of the interval, and how wide it is; eight at most."""
    low, high = difference.low, difference.high
    values = [abs(difference.mean)] if low is None or high is None else [abs(low), abs(high), high - low]
    smallest = min((value for value in values if value), default=1.0)
    return min(_MOST, max(3, -math.floor(math.log10(smallest))))
