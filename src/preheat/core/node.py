"""A schedule: a value for every moment of a run. The base class decides time, binding and evaluation, once for all.

It knows none of its kinds. Each registers itself by the word that stands for it in text and data, and the operators, the
printer, the codec and the parser find it in KINDS.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

from preheat.core.checks import (
    MAX_NESTING,
    MOST_TICKS,
    Number,
    counted,
    finite_number,
    int_if_whole,
    positive_number,
    share,
    ticks,
)
from preheat.core.codegen.python import compiled
from preheat.core.errors import BindError, PreheatError, shown, writable
from preheat.core.namespaces import Scalars, Sorted
from preheat.core.notebook import html_of
from preheat.core.peaks import UNKNOWN, Bounds, refuse_unclear_peak
from preheat.core.spans import REST, Edge, Run, Span, SpanLike, lasting
from preheat.core.stated import Absolute, Stated, transformation
from preheat.core.text.printer import text
from preheat.core.times import MISSING, namespace
from preheat.core.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from preheat.core.shapes import Shape

KINDS: dict[str, type[Schedule]] = {}  # every kind of node, by its word: it is known once its class exists
MOST_PIECES = 60_000  # of a schedule: some seconds of binding and compiling
MOST_ROWS = 10**9  # of a table, which takes eight bytes for each
_BLOCK = 1 << 14  # times per block of a table: the temporaries stay in the cache
_OPERATORS = {">>": "__rshift__", "+": "__add__", "*": "__mul__"}


class Schedule(Value):
    """An immutable, total function of time: update `t`, counted from 0, uses `s(t)`.

    Before its start a schedule keeps its first value, after its end its last. Built by ramp, hold, warmup, decay and
    the other words, joined by `>>` (then), `*` (product) and `+` (sum); equal schedules are equal values with equal text, and
    `parse(repr(s)) == s`. Times may be a number or a numpy, torch or JAX array; `bind` a schedule whose spans carry units
    to a Run first.

    >>> from preheat import Run, decay, warmup
    >>> s = (warmup("10%") >> decay()).bind(Run(total=100))
    >>> s(5), s(10), s(55), s(1000)
    (0.5, 1.0, 0.5, 0.0)
    """

    __slots__ = {
        "_depth": "Its nesting, at most MAX_NESTING.",
        "_length": "Ticks from its start to its end, once resolved: `_lasts` as a number.",
        "_ready": "What is evaluated: itself if bound, else itself resolved without a run.",
        "function": "The specialised Python function of one number, every constant folded: equal to a call, bit for bit.",
    }

    # -- what each kind of node says of itself ----------------------------------------------------------------------

    _word: ClassVar[str]
    _form: ClassVar[Literal["call", "method", "infix"]]
    _sign: ClassVar[str] = ""
    _children: tuple[Schedule, ...] = ()
    _endless: bool = False  # goes on for ever by itself
    _computed: ClassVar[tuple[str, ...]] = ()  # computed when bound: compilers that trace a call find it done

    _depth: int
    _length: Number
    _ready: Schedule
    function: Callable[[float], float]

    def __init_subclass__(cls, *, word: str = "", method: str = "", infix: tuple[str, str] = ("", "")) -> None:
        """Register a kind: `word="ramp"` is called, `method="scaled"` follows a dot, `infix=("product", "*")` stands between.

        The fields of a method begin with `base`; those of an infix kind are the tuple of its operands.
        """
        super().__init_subclass__()
        kind: Any = cls
        name, cls._sign = infix
        if name := word or method or name:
            cls._word, cls._form = name, "call" if word else "method" if method else "infix"
            KINDS[name] = cls
        operator = _OPERATORS.get(cls._sign, "")
        if operator and operator not in vars(Schedule):
            setattr(Schedule, operator, lambda self, other: _infix(kind, self, other, cls._sign))
        if method and method not in vars(Schedule):
            call = wraps(cls)(lambda base, *args, **kwargs: kind(base, *args, **kwargs))
            call.__name__ = method
            setattr(Schedule, method, transformation(call))

    @property
    def _grows(self) -> bool:
        """Whether it takes what the other parts of a sequence leave."""
        raise NotImplementedError

    @property
    def _moves(self) -> bool:
        """Whether it grows and its values depend on where it ends; false where all that grows is a last hold."""
        return self._grows

    @property
    def _pieces(self) -> int:
        """How many parts of it are computed one by one when it is bound, those of its children aside."""
        return 1

    def _exact(self, run: Run | None) -> Fraction:
        """What must fit into the run: its length in ticks before rounding, `rest` and what never ends counted as 0."""
        raise NotImplementedError

    def _resolved(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        """The same with every span in ticks, from `begin`; grown up to `end` if it grows and the end is known."""
        raise NotImplementedError

    def _over(self, children: list[Schedule]) -> Schedule:
        """The same over other children."""
        return self

    @property
    def _lasts(self) -> Fraction | float:
        """Ticks from its start to its end, once resolved, exactly; math.inf if it never ends."""
        raise NotImplementedError

    def _formula(self, t: Any, xp: Any) -> Any:
        """The value at 0 ≤ t ≤ length, once resolved."""
        raise NotImplementedError

    def _magnitude(self) -> float:
        """A bound on its absolute values; not finite if it may overflow."""
        raise NotImplementedError

    def _bounds(self) -> Bounds:
        """How far its values reach, whatever the run; a kind that does not say it must be stated as rates or factors."""
        return UNKNOWN

    def _last(self) -> float:
        """The value at its end, once resolved."""
        return self._formula(self._length, Scalars)

    # -- what all of them do ----------------------------------------------------------------------------------------

    def __call__(self, t: Any = MISSING) -> Any:
        """The value at time `t`, in ticks: a float for a number, an array for an array.

        Integer positions of any dtype give float64 (JAX: its default float). Values of an array may differ in their last
        digit from those of its numbers: NumPy, torch and JAX have exponentials and sines of their own.

        Raises PreheatError for what is not a time, naming the object that a framework wants which calls a schedule with
        something else, or with nothing, and BindError while a span still needs a Run. At NaN, a tensor or JAX array is NaN:
        to ask would wait for the device. Everything else refuses it.
        """
        xp, t = namespace(t)
        return self.computed(t, xp)

    def computed(self, t: Any, xp: Any) -> Any:
        """The value at time `t`, as the namespace `xp` computes it: for arrays of a kind that a call does not know.

        xp: one of those of core/namespaces.py, or a subclass of one; `t` as it wants times.
        """
        ready = self._ready
        value = ready._formula(xp.within(t, 0, ready._length), xp)
        return value if xp is Scalars else xp.answer(value, t)

    def _at(self, t: Any, xp: Any) -> Any:
        return self._formula(xp.within(t, 0, self._length), xp)

    @overload
    def bind(self, run: Run | None = None, *, truncate: bool = False, peak: None = None) -> Schedule: ...

    @overload
    def bind(self, run: Run | None = None, *, truncate: bool = False, peak: float) -> Absolute: ...

    def bind(self, run: Run | None = None, *, truncate: bool = False, peak: float | None = None) -> Schedule | Absolute:
        """This schedule bound to `run`: every span in ticks, edges rounded half up, `rest` filled.

        run: may be left out where no length depends on it.   truncate: cut the parts at the end of the run.
        peak: what factor 1 stands for; then what is bound is rates, for optax, Keras or a loop written by hand.

        Raises BindError, naming the parts, if they need more than the run has (unless `truncate`), if a length cannot be
        known from this run, or if a value would overflow; PreheatError for a peak where the factors do not peak at 1.
        `b.bind(run) == b`.

        >>> from preheat import Run, hold, warmup
        >>> (warmup("5%") >> hold()).bind(Run(total=1000))
        ramp(0.0, 1.0, 50) >> hold(1.0, 950)
        >>> (warmup("5%") >> hold()).bind(Run(total=1000), peak=3e-4)(25)
        0.00015
        """
        if run is not None and not isinstance(run, Run):
            raise PreheatError("bind takes a Run", given=run, write="write .bind(Run(total=10_000))")
        if peak is None:
            return self._bound(run, truncate)
        refuse_unclear_peak(self, positive_number(peak, "peak"))
        return Absolute(self.scaled(peak)._bound(run, truncate))

    def _bound(self, run: Run | None, truncate: bool) -> Schedule:
        _check_pieces(self)
        total = run.total if run else None
        exact = self._exact(run)
        if total is not None and total * (1 + 1e-12) < exact and not truncate:
            raise _does_not_fit(self, exact, run)
        end = Edge(Fraction(total), Fraction(total)) if total is not None and self._grows else None
        found = self._resolved(run, Edge(), end)
        if not math.isfinite(found._magnitude()):
            raise BindError(f"its values overflow: {shown(self)}", write="scale it down")
        if MOST_TICKS < found._length < math.inf:
            raise BindError(f"it lasts more than 2^53 ticks: {shown(self)}", write="count in a larger unit")
        if total is not None and total < found._length and (found._length < math.inf or exact > total):
            if total + 1 <= found._length < math.inf and not truncate:
                raise _does_not_fit(self, found._lasts, run)
            found = found.truncated(total)
        found._set(_ready=found)
        found._precompute()
        return found

    def _precompute(self) -> None:
        for child in self._children:
            child._precompute()
        for name in ("_length", *self._computed):
            getattr(self, name)

    def _compute_ready(self) -> Schedule:
        return self._bound(None, False)

    def _compute_length(self) -> Number:
        return int_if_whole(self._lasts)

    def _compute_function(self) -> Callable[[float], float]:
        return compiled(self._ready)

    @property
    def length(self) -> Number:
        """Ticks from its start to its end; math.inf if it never ends. Raises BindError while a span needs a Run."""
        return self._ready._length

    def table(self, n: int) -> Any:
        """The values of updates 0 … n − 1, a float64 numpy array of shape (n,). Raises PreheatError unless n ≤ 10^9 is a count.

        >>> from preheat import ramp
        >>> ramp(0.0, 1.0, 4).table(6).tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
        """
        n = counted(n, "table(n) takes a number of updates", most=MOST_ROWS, write="write .table(10_000)")
        import numpy

        ready, xp = self._ready, Sorted(numpy)
        out, block = numpy.empty(n), numpy.arange(min(n, _BLOCK), dtype=numpy.float64)
        for low in range(0, n, _BLOCK):
            high = min(low + _BLOCK, n)
            out[low:high] = ready._at(block[: high - low] + low, xp)
        return out

    def along(self, times: Any) -> Any:
        """The values at a numpy array of rising times, as a call gives them; each part is evaluated on its own slice only.

        >>> import numpy
        >>> from preheat import ramp
        >>> ramp(0.0, 1.0, 4).along(numpy.array([0, 2, 100])).tolist()
        [0.0, 0.5, 1.0]
        """
        import numpy

        out = numpy.empty(len(times))
        if len(times):
            out[:] = self._ready._at(numpy.asarray(times, dtype=numpy.float64), Sorted(numpy))
        return out

    # -- compositions -----------------------------------------------------------------------------------------------

    def __rshift__(self, other: Schedule) -> Schedule:
        return _infix(KINDS["sequence"], self, other, ">>")

    def __mul__(self, other: Schedule) -> Schedule:
        return _infix(KINDS["product"], self, other, "*")

    def __add__(self, other: Schedule) -> Schedule:
        return _infix(KINDS["sum"], self, other, "+")

    def __radd__(self, other: object) -> Schedule:
        raise PreheatError("+ adds schedules", given=other, write=f"write schedule + hold({writable(other, 'value')})")

    def __sub__(self, other: object) -> Schedule:
        less = "other.scaled(-1)" if isinstance(other, Schedule) else f"hold(-{writable(other, 'value')})"
        raise PreheatError("schedules are added, never subtracted", write=f"write schedule + {less}")

    def __rsub__(self, other: object) -> Schedule:
        raise PreheatError(
            "schedules are added, never subtracted",
            write=f"write hold({writable(other, 'value')}) + schedule.scaled(-1)",
        )

    def __neg__(self) -> Schedule:
        raise PreheatError("schedules are added, never subtracted", write="write schedule.scaled(-1)")

    def __rmul__(self, other: object) -> Schedule:
        raise PreheatError(
            f"{shown(other)} * schedule would bind tighter than >>",
            write=f"write schedule.scaled({writable(other, 'factor')})",
        )

    def __rrshift__(self, other: object) -> Schedule:
        before = (
            f"parse({writable(other, 'text')})" if isinstance(other, str) else f"hold({writable(other, 'value')}, span)"
        )
        raise PreheatError(">> joins schedules", given=other, write=f"write {before} >> schedule")

    @transformation
    def scaled(self, factor: float) -> Schedule:
        """`s.scaled(k)(t) = k · s(t)`; k finite, of any sign."""
        return _node("scaled", self, factor)

    @transformation
    def clipped(self, low: float | None = None, high: float | None = None) -> Schedule:
        """Values below `low` become low and above `high` become high; None leaves that side open.

        >>> from preheat import ramp
        >>> ramp(0, 1, 10).clipped(0.2, 0.8).table(11).tolist()[:4]
        [0.2, 0.2, 0.2, 0.3]
        """
        low, high = (
            None if bound is None else finite_number(bound, f"{name} of clipped")
            for name, bound in (("low", low), ("high", high))
        )
        if low is not None and high is not None and low > high:
            raise PreheatError(f"clipped(low, high) needs low ≤ high, not {low!r} and {high!r}")
        raised = self if low is None else _node("upper", (self, _node("hold", low, REST)))
        return raised if high is None else _node("lower", (raised, _node("hold", high, REST)))

    @transformation
    def repeated(
        self, times: int | None = None, stretch: float = 1.0, shrink: float = 1.0, *, ticks: str = "whole"
    ) -> Schedule:
        """Again and again: repetition k (from 0) has its spans × stretchᵏ and its values × shrinkᵏ; None never ends.

        ticks: "whole": where a unit or a `rest` says how long a repetition is, all get equally many whole ticks, and the
        last value is held for the remainder; "exact": they keep the fraction, so that the last one ends at the end.

        >>> from preheat import Run, decay
        >>> decay().repeated(3).bind(Run(total=10))
        ramp(1.0, 0.0, 3).repeated(3) >> hold(0.0, 1)
        >>> decay().repeated(4, ticks="exact").bind(Run(total=10))
        ramp(1.0, 0.0, 2.5).repeated(4)

        Raises PreheatError for what is no number of repetitions; for a stretch below 1 or a shrink above 1 without end; for
        "exact" of several parts without a 'rest'.
        """
        return _node("repeated", self, times, stretch, shrink, ticks)

    @transformation
    def stepwise(self, span: SpanLike) -> Schedule:
        """For each `span` the value it had at its beginning: `s.stepwise(n)(t) = s(n · ⌊t/n⌋)`, t up to its end.

        span: n, a length above 0, in ticks or with a unit, which need not be whole ticks; counted from where the schedule
        begins.

        >>> from preheat import ramp
        >>> ramp(1, 0, 4).stepwise(2).table(6).tolist()
        [1.0, 1.0, 0.5, 0.5, 0.0, 0.0]

        Raises PreheatError for a span of 0 or "rest".
        """
        return _node("stepwise", self, span)

    @transformation
    def shifted(self, ticks: float) -> Schedule:
        """`s.shifted(n)(t) = s(t − n)`: n ticks later, or earlier if n < 0."""
        return _node("shifted", self, ticks)

    @transformation
    def truncated(self, span: SpanLike) -> Schedule:
        """The same until `span` has passed, then the value it has there."""
        return _node("truncated", self, Span(span))

    @transformation
    def cooldown_from(
        self, step: float | Span, span: SpanLike, shape: Shape | str = "linear", *, to: float = 0.0
    ) -> Schedule:
        """The same until `step`, then from its value there down to `to` over `span`: a decay off any checkpoint.

        >>> from preheat import hold
        >>> hold(0.5, 1000).cooldown_from(100, 50).table(151).tolist()[98::26]
        [0.5, 0.26, 0.0]

        Raises PreheatError for a length between 0 and 1 without a unit: write "5%"; and for such a step, which is in ticks.
        Hägele et al. 2024, arXiv:2405.18392.
        """
        at, span = _position(step), lasting("cooldown", span)
        value = self(at)
        long_enough = self if self.length >= at else self >> _node("hold", value, at - self.length)
        return long_enough.truncated(at) >> _node("ramp", value, to, span, shape)

    @transformation
    def rewarmed(self, at: float | Span, span: SpanLike, *, start: float = 0.0) -> Schedule:
        """The same until `at`, then from `start` times its value back to all of it over `span`; start from 0 to 1.

        >>> from preheat import hold
        >>> hold(1.0, 100).rewarmed(10, 4).table(16).tolist()[9:]
        [1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0]

        Raises PreheatError for a length between 0 and 1 without a unit: write "5%"; and for such an `at`, which is in ticks.
        Gupta et al. 2023, arXiv:2308.04014.
        """
        again = _node("ramp", share(start, "the start of a new warmup"), 1.0, lasting("rewarm", span))
        return self * (_node("hold", 1.0, _position(at)) >> again)

    def __repr__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str | None:
        return html_of(self)


def _check_pieces(schedule: Schedule) -> None:
    """Refuse what would take minutes to bind: little text can stand for many pieces."""
    waiting, pieces = [schedule], 0
    while waiting:
        node = waiting.pop()
        waiting += node._children
        pieces += node._pieces
        if pieces > MOST_PIECES:
            what = f"it is made of more than {MOST_PIECES} pieces: {shown(schedule)}"
            raise BindError(
                what, write="use fewer parts, fewer repetitions with a stretch, or exponential ramps of nearer ends"
            )


def nested(*children: Schedule, extra: int = 0) -> int:
    """The nesting of a node over `children`; refused beyond MAX_NESTING, so that no walk overflows the stack."""
    depth = 1 + extra + max((child._depth for child in children), default=0)
    if depth > MAX_NESTING:
        raise PreheatError(f"schedules nest at most {MAX_NESTING} deep", write="join the parts with >> instead")
    return depth


def _node(word: str, *fields: Any) -> Schedule:
    """A node of the kind with that word, which this module does not know."""
    kind: Any = KINDS[word]
    return kind(*fields)


def _infix(kind: Any, first: Schedule, second: object, sign: str) -> Any:
    """What an operator makes of two schedules; what is stated of one knows itself what it makes of it."""
    return NotImplemented if isinstance(second, Stated) else kind((first, _operand(second, sign)))


def _operand(value: object, operator: str) -> Schedule:
    if not isinstance(value, Schedule):
        if isinstance(value, str):  # operators take no text: which side of them is meant would be a guess
            advice = f"schedule {operator} parse({writable(value, 'text')})"
        else:
            held = f"schedule {operator} hold({writable(value, 'value')})"
            advice = f"schedule.scaled({writable(value, 'factor')})" if operator == "*" else held
        raise PreheatError(f"{operator} takes two schedules", given=value, write=f"write {advice}")
    return value


def _position(at: object) -> Number:
    """A moment of the run, in ticks from its start; text is none, for a share has no place before the run is known."""
    if isinstance(at, str):
        raise PreheatError("a position is a number of ticks", given=at, write="write for example 500")
    position = ticks(at.value if isinstance(at, Span) and at.is_bare else at, "a position")
    if not isinstance(at, Span) and 0 < position < 1:
        what = f"a position of {position:g} is less than one update"
        raise PreheatError(what, write=f"write a number of updates, such as 500, or Span('{position:g} ticks')")
    if position < 0:
        raise PreheatError(f"a position cannot be negative: {shown(at)}")
    return position


def _does_not_fit(schedule: Schedule, needed: Fraction | float, run: Run | None) -> BindError:
    clock, total = (run.clock, run.total) if run else ("tick", None)
    return BindError(
        f"the parts need {float(needed):g} {clock}s and the run has {total}: {shown(schedule, 400)}",
        write="shorten them, give one of them the span 'rest', or cut them with bind(run, truncate=True)",
        hint="truncate",
    )
