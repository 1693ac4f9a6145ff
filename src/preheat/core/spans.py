"""Lengths of time, kept as written, and the run that says what they are worth."""

import math
import numbers
import re
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

from preheat.core.checks import Number, int_if_whole, one_of, positive_number, round_half_up, ticks
from preheat.core.errors import BindError, ParseError, PreheatError, nearest, shown
from preheat.core.value import Value

_AMOUNT = r"(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]{1,3})?"
_TEXT = rf"(?a)({_AMOUNT})\s*([A-Za-z%]*)(?:\s+([a-z]+))?"
MULTIPLES = {"k": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
"""What a letter behind a number multiplies it with."""
_SUFFIX = {"": 1, **MULTIPLES}
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_SPELLED_OUT = {"second": "s", "minute": "min", "hour": "h", "day": "d"}
_COUNTED = ("step", "epoch", "sample", "token")
_TICK = "tick"  # said of a bare number: the run's clock, whatever it counts
_UNITS = {unit: unit for unit in _SECONDS} | {f"{unit}{s}": unit for unit in (*_COUNTED, _TICK) for s in ("", "s")}
_UNITS |= {"update": "step", "updates": "step"}
_UNITS |= {f"{word}{s}": unit for word, unit in _SPELLED_OUT.items() for s in ("", "s")}
CLOCKS = (*_COUNTED, "second")
REST = "rest"
PATTERN = (  # of a span as text, in the regular expressions of JSON Schema; how large numbers may be it does not say
    rf"^\s*(?:{REST}|{_AMOUNT}\s*(?:[{''.join(_SUFFIX)}]?(?:\s+(?:{'|'.join(_UNITS)}))?|%|{'|'.join(_UNITS)}))\s*$"
)
_LONGEST, _SPACE = 64, " \t\r\n"
_EXAMPLES = "write a number of ticks, or for example '500 steps', '2 epochs', '1.5B tokens', '6 h', '5%' or 'rest'"


class Span(Value):
    """A length of time with its unit, kept as written: ticks, `'500 steps'`, `'1.5B tokens'`, `'5%'`, `'rest'`.

    A bare number is ticks of the run's clock and may be a fraction. Units: tick(s), step(s), epoch(s), sample(s), token(s),
    with k M B T for 10³ … 10¹²; s min h d, or second(s) minute(s) hour(s) day(s); % of the run's total; rest. Raises
    PreheatError for anything else.

    >>> Span("1.50B  tokens"), Span(2.0)
    (Span('1.5B tokens'), Span(2))
    """

    __slots__ = ("value",)

    value: Number | str

    def __init__(self, value: "SpanLike") -> None:
        given = value.value if isinstance(value, Span) else value
        read = _canonical(given) if isinstance(given, str) else given
        if not isinstance(read, str):
            read = ticks(read, "a span")
            if read < 0:
                raise PreheatError(f"a span cannot be negative: {shown(value)}", write=_EXAMPLES)
        self._set(value=read)

    def __repr__(self) -> str:
        return f"Span({self.value!r})"

    def __str__(self) -> str:
        """The span as it stands inside a schedule's text."""
        return repr(self.plain)

    @property
    def plain(self) -> Number | str:
        """The span as plain data: a number of ticks, or text; less than one tick with its unit, for no share is meant."""
        named = not isinstance(self.value, str) and 0 < self.value < 1
        return f"{self.value} ticks" if named else self.value

    @property
    def is_rest(self) -> bool:
        """Whether this is what the other parts leave."""
        return self.value == REST

    @property
    def is_bare(self) -> bool:
        """Whether this is a number of ticks, whatever the run."""
        return not isinstance(self.value, str)

    @property
    def parts(self) -> tuple[Fraction, str]:
        """The exact amount and its unit: `""` for ticks. A 'rest' has none."""
        if not isinstance(self.value, str):
            return Fraction(self.value), ""
        amount, suffix, unit = _split(self.value)
        return Fraction(amount) * _SUFFIX[suffix], unit

    def exact(self, run: "Run | None") -> Fraction:
        """The length in ticks before any rounding; `rest` counts as 0."""
        if not isinstance(self.value, str):
            return Fraction(self.value)
        if run is None:
            raise BindError(
                f"{self.value!r} has no length until the run is known", write="call .bind(Run(...)) first", hint="total"
            )
        if self.value == REST:
            return Fraction(0)
        amount, unit = self.parts
        if unit != "%":
            return amount * run.worth(unit)
        if run.total is None:
            what = f"{self.value!r} is a share of the run's total, which is not known"
            raise BindError(what, write="write Run(total=…)", hint="total")
        return amount / 100 * run.total

    def measured(self, run: "Run | None", begin: "Edge") -> Number:
        """The length in ticks at its place: a bare number as it is, a unit up to the nearest whole edge."""
        exact = self.exact(run)
        return ticks(
            exact if self.is_bare else max(Fraction(0), round_half_up(begin.exact + exact) - begin.actual), "a span"
        )


SpanLike = Span | str | int | float


def lasting(word: str, span: SpanLike, tick: str = "update") -> SpanLike:
    """The length that `word` was given; a number below 1 without a unit is refused, for it may be meant as a share.

    tick: what one tick is, where that is known.
    """
    number = _number(span)
    if 0 < number < 1:
        raise PreheatError(
            f"{word}={number:g} is less than one {tick}",
            write=f"write '{number * 100:g}%' for a share of the run, or '{number:g} ticks'",
        )
    return span


def _number(span: object) -> float:
    """A length that is written as a number alone, also as text, where it often comes from a command line; else 0."""
    if isinstance(span, str) or (isinstance(span, numbers.Real) and not isinstance(span, bool)):
        with suppress(ValueError, OverflowError):
            return float(span)
    return 0.0


class Edge(NamedTuple):
    """A moment of the run: where the exact lengths put it, and where whole ticks put it."""

    exact: Fraction = Fraction(0)
    actual: Fraction = Fraction(0)

    def later(self, exact: Fraction | float, actual: Fraction | float) -> "Edge":
        """The moment so many ticks later, on both scales."""
        return Edge(self.exact + Fraction(exact), self.actual + Fraction(actual))


ROUNDED_DOWN = Edge(Fraction(-1, 2))
"""From where edges are rounded down to whole ticks, not to the nearest: so that every repetition of them fits."""


class Run(Value):
    """What only the training run knows: its total, its clock, and what one unit is worth on that clock.

    total: the whole run, warmup included, as a span (a bare number is ticks); rounded up to whole ticks; None if unknown.
    clock: what one tick is: "step" (an optimizer update), "epoch", "sample", "token" or "second".
    steps_per_epoch, samples_per_step, tokens_per_step: each > 0; needed only by spans that use them.

    >>> Run(total="3 epochs", steps_per_epoch=500)
    Run(total=1500, steps_per_epoch=500)

    Raises PreheatError for a total that needs a worth which is not given.
    """

    __slots__ = ("clock", "samples_per_step", "steps_per_epoch", "tokens_per_step", "total")

    total: int | None
    clock: str
    steps_per_epoch: Number | None
    samples_per_step: Number | None
    tokens_per_step: Number | None

    def __init__(
        self,
        total: "SpanLike | None" = None,
        *,
        clock: str = "step",
        steps_per_epoch: Number | None = None,
        samples_per_step: Number | None = None,
        tokens_per_step: Number | None = None,
    ) -> None:
        if not isinstance(clock, str) or clock not in CLOCKS:
            raise PreheatError(f"unknown clock {shown(clock)}", write=f"write one of {', '.join(CLOCKS)}")
        worths = {
            "steps_per_epoch": steps_per_epoch,
            "samples_per_step": samples_per_step,
            "tokens_per_step": tokens_per_step,
        }
        for name, worth in worths.items():
            if worth is not None:
                positive_number(worth, name)
                worths[name] = ticks(worth, name)
        self._set(clock=clock, total=None, **worths)
        if total is not None:
            span = Span(total)
            if span.is_rest or str(span.value).endswith("%"):
                what = f"the total of a run cannot be {span.value!r}"
                raise PreheatError(what, write="write Run(total=10_000)", hint="fixed_total")
            self._set(total=ticks(math.ceil(span.exact(self)), "the total of a run"))

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return partial(Run, **dict(zip(self.__match_args__, self._values(), strict=True))), ()

    def replace(self, **changes: object) -> "Run":
        """The same run with some of its arguments changed."""
        for name in changes:
            one_of(name, "argument of Run", self.__match_args__)
        return self._with(**changes)

    def __repr__(self) -> str:
        given = [f"total={self.total!r}"] if self.total is not None else []
        given += [f"clock={self.clock!r}"] if self.clock != "step" else []
        for name in ("steps_per_epoch", "samples_per_step", "tokens_per_step"):
            if (worth := getattr(self, name)) is not None:
                given.append(f"{name}={worth!r}")
        return f"Run({', '.join(given)})"

    def worth(self, unit: str) -> Fraction:
        """How many ticks one `unit` is; raises BindError, naming what to pass, where that is not known."""
        unit = _UNITS.get(unit, unit) if isinstance(unit, str) else str(unit)
        if unit not in (*_SECONDS, *_COUNTED, "second"):
            raise PreheatError(f"unknown unit {shown(unit)}{nearest(unit, _UNITS)}")
        if unit in _SECONDS or self.clock == "second":
            if unit in _SECONDS and self.clock == "second":
                return Fraction(_SECONDS[unit])
            what = f"{unit!r} cannot be told on a clock of {self.clock}s"
            if unit in _SECONDS:
                raise BindError(what, write="write Run(total='6 h', clock='second')", hint="clock")
            raise BindError(what, write="write '30 min', '5%' or ticks")
        return Fraction(1) if unit == self.clock else self._steps(unit) / self._steps(self.clock)

    def _steps(self, unit: str) -> Fraction:
        """How many updates one `unit` is."""
        if unit == "step":
            return Fraction(1)
        if unit not in CLOCKS:
            raise BindError(f"unknown unit {shown(unit)}{nearest(str(unit), CLOCKS)}")
        name = "steps_per_epoch" if unit == "epoch" else f"{unit}s_per_step"
        worth = getattr(self, name)
        if worth is None:
            what = f"this run does not know what one {unit} is worth"
            raise BindError(what, write=f"write Run(..., {name}=…)", hint=name)
        return Fraction(worth) if unit == "epoch" else 1 / Fraction(worth)


def _canonical(text: str) -> Number | str:
    """The one spelling of a span: equal spans print alike."""
    if text.strip(_SPACE) == REST:
        return REST
    amount, suffix, unit = _split(text)
    if unit in ("", _TICK):
        return _ticks(text, Fraction(amount) * _SUFFIX[suffix])
    digits = format(Decimal(amount), "f")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    digits = digits.lstrip("0") or "0"
    digits = f"0{digits}" if digits.startswith(".") else digits
    if len(digits) > _LONGEST - 16:
        raise ParseError(f"the span {shown(text)} has too many digits")
    if unit == "%":
        return f"{digits}%"
    plural = "s" if unit in _COUNTED and (digits, suffix) != ("1", "") else ""
    return f"{digits}{suffix} {unit}{plural}"


def _ticks(text: str, amount: Fraction) -> Number:
    try:
        return int_if_whole(amount)
    except OverflowError:
        raise ParseError(f"the span {shown(text)} is out of range") from None


def _split(text: str) -> tuple[str, str, str]:
    """Digits, suffix and unit (`""` for ticks); refuses whatever else stands there."""
    found = re.fullmatch(_TEXT, text.strip(_SPACE)) if len(text) <= _LONGEST else None
    if found is None:
        raise ParseError(f"cannot read the span {shown(text)}", write=_EXAMPLES)
    amount, word, unit = found[1].replace("_", ""), found[2], found[3]
    if re.match("0[0-9]", amount):
        plain = text.strip(_SPACE).lstrip("0_")
        plain = plain if plain[:1].isdigit() else f"0{plain}"
        raise ParseError(f"the span {shown(text)} begins with a 0", write=f"write {plain!r}")
    if unit is None and word not in _SUFFIX:
        word, unit = "", word
    if word not in _SUFFIX:
        raise ParseError(f"unknown multiple {word!r} in the span {shown(text)}", write="write k, M, B or T")
    if unit and unit != "%" and unit not in _UNITS:
        raise ParseError(f"unknown unit {unit!r} in the span {shown(text)}{nearest(unit, [*_UNITS, '%', REST])}")
    return amount, word, _UNITS.get(unit or "", unit or "")
