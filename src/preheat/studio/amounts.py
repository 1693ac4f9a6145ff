"""Numbers and lengths as they are typed anew: with the unit that they had, and no more digits than a drag can mean."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from preheat.core.checks import round_half_up
from preheat.core.spans import Run, Span

_NUMBER = re.compile(r"""(['"]?[ \t]*)([0-9._]+(?:[eE][+-]?[0-9]+)?)(.*)""", re.DOTALL)
_WORD = re.compile(r"^(['\" ]*)(step|epoch|sample|token)s?\b")  # not after k M B T, where it is always many
_NOTHING = Fraction(1, 50)  # of a tick, where edges become whole ticks
_MOST_DIGITS = 12


def rounded(value: Fraction, resolution: Fraction) -> Fraction:
    """The value that is round where a step of `resolution` is seen; not 0 unless it is 0."""
    exponent = math.floor(math.log10(resolution)) if resolution > 0 else -_MOST_DIGITS
    step = Fraction(10) ** exponent
    found = round(value / step) * step
    if found or not value:
        return found
    step = Fraction(10) ** math.floor(math.log10(abs(value)))
    return round(value / step) * step


def number(value: Fraction, like: str = "") -> str:
    """A number as text, its thousands parted where those of `like` are."""
    if value.denominator == 1:
        return f"{int(value):_}" if "_" in like else f"{int(value)}"
    return repr(float(value))


class Amount:
    """A length as it was typed, and how it is typed anew: `10_000`, `5%`, `'1.5B tokens'`, or a share of the run, 0.05."""

    def __init__(self, typed: str, run: Run, share_of: Fraction | None = None) -> None:
        found = _NUMBER.fullmatch(typed)
        self._before, self._like, self._after = found.groups() if found else ("", "", "")
        unit = self._after.strip(" \t'\"")
        self.worth = share_of or Span(f"1{unit}").exact(run)
        self.is_whole = bool(unit) or share_of is not None  # its edges are rounded to ticks

    def near(self, ticks: Fraction, resolution: Fraction, most: Fraction) -> Fraction:
        """The round amount that is nearest to a number of ticks; what is not above `most` ticks."""
        found = rounded(ticks / self.worth, resolution / self.worth)
        return found if found * self.worth <= most else self.exactly(most)

    def edge(self, begin: Fraction, amount: Fraction) -> Fraction:
        """Where a part of so much ends that begins at a tick: on a whole one, unless it is a bare number."""
        end = begin + amount * self.worth
        return Fraction(round_half_up(end)) if self.is_whole else end

    def exactly(self, ticks: Fraction) -> Fraction:
        """The amount of fewest digits that is a number of ticks, never more: so that what fits does."""
        amount, found = ticks / self.worth, Fraction(0)
        for digits in range(_MOST_DIGITS + 1):
            found = Fraction(math.floor(amount * 10**digits), 10**digits)
            if (amount - found) * self.worth <= (_NOTHING if self.is_whole else 0):
                break
        return found

    def text(self, amount: Fraction) -> str:
        """An amount, typed as this one was."""
        after = _WORD.sub(r"\1\2" if amount == 1 else r"\1\2s", self._after)
        return f"{self._before}{_plain(amount, self._like)}{after}"


def _plain(amount: Fraction, like: str) -> str:
    """An amount without an exponent, which lengths with a unit may have, too, but no one types."""
    if amount.denominator == 1:
        return number(amount, like)
    return f"{float(amount):.{_MOST_DIGITS}f}".rstrip("0").rstrip(".")
