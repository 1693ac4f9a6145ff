"""What the values of a schedule are said to be: rates, or factors although their peak is not 1.

A Schedule is factors: it multiplies what it is given to. `Absolute` and `Relative` hold one schedule each and are none, so no
node can hold one, and `Absolute` cannot be mixed with factors by accident. They stand below the schedules, whose `bind`
makes rates of factors, and therefore ask nothing of what they hold but its methods.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from preheat.core.checks import Number, positive_number
from preheat.core.errors import PreheatError, shown, writable
from preheat.core.notebook import html_of
from preheat.core.times import MISSING
from preheat.core.value import Value

if TYPE_CHECKING:
    from preheat.core.node import Schedule
    from preheat.core.spans import Run

_OPERATORS = {">>": operator.rshift, "+": operator.add, "*": operator.mul}
Transformation = TypeVar("Transformation", bound=Callable[..., Any])


class Evaluated(Value):
    """What holds a schedule and is evaluated like it."""

    __slots__ = ()

    schedule: Any

    def __call__(self, t: Any = MISSING) -> Any:
        """The value at time `t`, in ticks, as the schedule gives it."""
        return self.schedule(t)

    def table(self, n: int) -> Any:
        """The values of updates 0 … n − 1, a float64 numpy array of shape (n,)."""
        return self.schedule.table(n)

    def along(self, times: Any) -> Any:
        """The values at a numpy array of rising times."""
        return self.schedule.along(times)

    @property
    def length(self) -> Number:
        """Ticks from its start to its end; math.inf if it never ends."""
        return self.schedule.length

    @property
    def function(self) -> Callable[[float], float]:
        """The specialised Python function of one number: equal to a call, bit for bit."""
        return self.schedule.function


class Stated(Evaluated):
    """A schedule, and what is said of its values. Its methods are those of the schedule, and what they give says the same."""

    __slots__ = ("schedule",)

    schedule: Schedule
    word: ClassVar[str]

    def __init__(self, schedule: Schedule) -> None:
        self._set(schedule=schedule)

    def __rshift__(self, other: Any) -> Any:
        return _operated(">>", self, other)

    def __rrshift__(self, other: Any) -> Any:
        return _operated(">>", other, self)

    def __add__(self, other: Any) -> Any:
        return _operated("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _operated("+", other, self)

    def __mul__(self, other: Any) -> Any:
        return _operated("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _operated("*", other, self)

    def __repr__(self) -> str:
        return f"{self.word}({self.schedule!r})"

    def _repr_html_(self) -> str | None:
        return html_of(self)


class Absolute(Stated):
    """Rates: the values are the rates themselves, or whatever hyper-parameter they drive. Made by `absolute(s)`.

    It is called, bound, tabled and transformed like a schedule; `>>` and `+` take another one, `*` takes factors.

    >>> from preheat import absolute, decay, hold, ramp, warmup
    >>> (absolute(ramp(0.01, 0.1, 10)) >> absolute(hold(0.1, 5))).length
    15
    >>> absolute(hold(0.1)) * warmup(100)
    absolute(hold(0.1, 'rest') * ramp(0.0, 1.0, 100))
    """

    __slots__ = ()
    word = "absolute"

    def bind(self, run: Run | None = None, *, truncate: bool = False, peak: None = None) -> Absolute:
        """The rates bound to `run`, as Schedule.bind does it; raises PreheatError for a peak, which they have already."""
        if peak is not None:
            raise PreheatError(
                f"{shown(self)} is rates already, and peak= makes rates of factors",
                given=peak,
                write="leave peak= out, or write .scaled(k).bind(run)",
            )
        return type(self)(self.schedule.bind(run, truncate=truncate))


class Sizes(Absolute):
    """The sizes of a batch: values of any line of a plan but a rate, and no factors of one. Equal to the same as `absolute(s)`.

    A batch of 16 to 64 that multiplies a rate, or stands in its place, would be a rate of 64. Made by `batch_ramp`.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self.schedule == other.schedule if isinstance(other, Absolute) else NotImplemented

    def __hash__(self) -> int:
        return hash((Absolute, self._values()))


class Relative(Stated):
    """Factors whose peak is not 1, said to be meant so. Equal to the schedule itself. Made by `relative(s)`."""

    __slots__ = ()
    word = "relative"

    @overload
    def bind(self, run: Run | None = None, *, truncate: bool = False, peak: None = None) -> Relative: ...

    @overload
    def bind(self, run: Run | None = None, *, truncate: bool = False, peak: float) -> Absolute: ...

    def bind(self, run: Run | None = None, *, truncate: bool = False, peak: float | None = None) -> Relative | Absolute:
        """The factors bound to `run`, as Schedule.bind does it; with `peak`, what factor 1 stands for, the rates."""
        if peak is None:
            return Relative(self.schedule.bind(run, truncate=truncate))
        return Absolute(self.schedule.scaled(positive_number(peak, "peak")).bind(run, truncate=truncate))

    def __eq__(self, other: object) -> bool:
        return self.schedule == (other.schedule if isinstance(other, Relative) else other)

    def __hash__(self) -> int:
        return hash(self.schedule)


def plain(value: Any) -> Any:
    """A schedule, whatever is stated of it; anything else as it is."""
    return value.schedule if isinstance(value, Stated) else value


def joined(sign: str, make: Callable[[tuple[Any, ...]], Any], operands: Iterable[Any]) -> Any:
    """What `make` makes of the schedules in `operands`, with what is said of them: where some are rates, it is rates.

    The one gate for operators, for text, and for lower and upper. Raises PreheatError where factors and rates are mixed
    (only `*` takes one of rates and the others of factors), and whatever `make` refuses.
    """
    every = tuple(operands)
    result = make(tuple(map(plain, every)))
    rates = [one for one in every if isinstance(one, Absolute)]
    if not rates:
        return Relative(result) if any(isinstance(one, Stated) for one in every) else result
    sizes = [one for one in rates if isinstance(one, Sizes)]
    if sizes and sign == "*":
        raise no_rate(sizes[0])
    if len(rates) == (1 if sign == "*" else len(every)):
        return Sizes(result) if sizes else Absolute(result)
    if sign == "*":
        what = f"the product of {_written(rates[0])} and {_written(rates[1])} is no rate, for both are rates"
        raise PreheatError(what, write="write one of them as factors: absolute(a) * b")
    factors = next(one for one in every if not isinstance(one, Absolute))
    raise PreheatError(
        f"{sign} takes factors or rates, not both: {_written(factors)} multiplies what the optimizer was given, and "
        f"{_written(rates[0])} is the value itself",
        write=_spellings(sign, every, rates[0].schedule),
    )


def no_rate(sizes: Sizes) -> PreheatError:
    """What there is to say of a batch that is to be a rate, or a factor of one."""
    return PreheatError(
        "the sizes of a batch are neither rates nor factors of rates",
        given=sizes,
        write="write batch_ramp(…, rule='sqrt') or rule='linear' for the factor that couples a rate to them",
    )


def transformation(function: Transformation) -> Transformation:
    """Make a method of schedules one of rates and of stated factors too: `absolute(s).scaled(2)` is `absolute(s.scaled(2))`."""
    name = function.__name__

    @wraps(function)
    def method(self: Stated, *args: Any, **kwargs: Any) -> Stated:
        return type(self)(getattr(self.schedule, name)(*args, **kwargs))

    setattr(Stated, name, method)
    return function


def _operated(sign: str, first: Any, second: Any) -> Any:
    return joined(sign, lambda operands: _OPERATORS[sign](*operands), (first, second))


def _spellings(sign: str, operands: tuple[Any, ...], rates: Any) -> str:
    """Both ways to mean it, in the words of the operands where these are few and short."""
    one, other = f"absolute(a) {sign} absolute(b)", f"a {sign} b"
    if sign not in _OPERATORS:
        one, other = f"{sign}(absolute(a), absolute(b))", f"{sign}(a, b)"
    if len(operands) == 2 and sign in _OPERATORS:
        written = [writable(plain(one), letter, 60) for one, letter in zip(operands, "ab", strict=True)]
        one = f" {sign} ".join(f"absolute({text})" for text in written)
    return f"write {one} if all values are rates, or {other}, both with 1 as the peak, if all are factors"


def _written(value: Any) -> str:
    return shown(value, 60)
