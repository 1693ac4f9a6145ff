"""A schedule: a value for every moment of a run. The base class decides time, binding and evaluation, once for all."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from preheat.core.checks import MOST_TICKS, Number
from preheat.core.errors import BindError, PreheatError, shown
from preheat.core.namespaces import Scalars, Sorted
from preheat.core.spans import Edge, Run, Span, SpanLike
from preheat.core.times import namespace
from preheat.core.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from preheat.core.shapes import Shape

MAX_NESTING = 32
_BLOCK = 1 << 14  # times per block of a table: the temporaries stay in the cache


class Schedule(Value):
    """An immutable, total function of time: update `t`, counted from 0, uses `s(t)`.

    Before its start a schedule keeps its first value, after its end its last. Built by ramp, hold, warmup, decay and
    the other words, joined by `>>` (then) and `*` (product); equal schedules are equal values with equal text, and
    `parse(repr(s)) == s`. Times may be a number or a numpy, torch or JAX array; `bind` a schedule whose spans carry units
    to a Run first.

    >>> from preheat import Run, decay, warmup
    >>> s = (warmup("10%") >> decay()).bind(Run(total=100))
    >>> s(5), s(10), s(55), s(1000)
    (0.5, 1.0, 0.5, 0.0)
    """

    # -- what each kind of node says of itself ----------------------------------------------------------------------

    _children: tuple[Schedule, ...] = ()
    _endless = False  # goes on for ever by itself
    _once: tuple[str, ...] = ()  # what is computed once, when laid: compilers that trace a call find it done

    @property
    def _grows(self) -> bool:
        """Whether it takes what the other parts of a sequence leave."""
        raise NotImplementedError

    def _exact(self, run: Run | None) -> Fraction | float:
        """Its length in ticks before rounding, `rest` counted as 0; math.inf if endless."""
        raise NotImplementedError

    def _laid(self, run: Run | None, begin: Edge, end: Edge | None) -> Schedule:
        """The same with every span in ticks, from `begin`; grown up to `end` if it grows and the end is known."""
        raise NotImplementedError

    @property
    def _length(self) -> Number:
        """Ticks from its start to its end, once laid."""
        raise NotImplementedError

    def _formula(self, t: Any, xp: Any) -> Any:
        """The value at 0 ≤ t ≤ length, once laid."""
        raise NotImplementedError

    def _magnitude(self) -> float:
        """A bound on its absolute values; not finite if it may overflow."""
        raise NotImplementedError

    def _last(self) -> float:
        """The value at its end, once laid."""
        return self._formula(self._length, Scalars)

    # -- what all of them do ----------------------------------------------------------------------------------------

    def __call__(self, t: Any) -> Any:
        """The value at time `t`, in ticks: a float for a number, an array for an array.

        Integer positions of any dtype give float64 (JAX: its default float). Raises PreheatError for what is not a
        time, and BindError while a span still needs a Run.
        """
        xp, t = namespace(t)
        value = self._ready._at(t, xp)
        return value if xp is Scalars else xp.spread(value, t)

    def _at(self, t: Any, xp: Any) -> Any:
        return self._formula(xp.within(t, 0, self._length), xp)

    def bind(self, run: Run, *, truncate: bool = False) -> Schedule:
        """This schedule laid out on `run`: every span in ticks, edges rounded half up, `rest` filled.

        Raises BindError, naming the parts, if they need more than the run has (unless `truncate`, which cuts them at
        its end), if a length cannot be known from this run, or if a value would overflow. `b.bind(run) == b`.

        >>> from preheat import Run, hold, warmup
        >>> (warmup("5%") >> hold()).bind(Run(total=1000))
        ramp(0.0, 1.0, 50) >> hold(1.0, 950)
        """
        if not isinstance(run, Run):
            raise PreheatError(f"bind takes a Run, not {shown(run)}; write .bind(Run(total=10_000))")
        bound = self._bound(run, truncate)
        bound.__dict__["_origin"] = self.__dict__.get("_origin", (self, run))
        return bound

    def _bound(self, run: Run | None, truncate: bool) -> Schedule:
        total = run.total if run else None
        exact = self._exact(run)
        if total is not None and total * (1 + 1e-12) < exact < math.inf and not truncate:
            raise _misfit(self, exact, run)
        end = Edge(Fraction(total), Fraction(total)) if total is not None and self._grows else None
        laid = self._laid(run, Edge(), end)
        if not math.isfinite(laid._magnitude()):
            raise BindError(f"its values overflow: {shown(self)}; scale it down")
        if MOST_TICKS < laid._length < math.inf:
            raise BindError(f"it lasts more than 2^53 ticks: {shown(self)}; count in a larger unit")
        if total is not None and total < laid._length < math.inf:
            if laid._length >= total + 1 and not truncate:
                raise _misfit(self, laid._length, run)
            laid = laid.truncated(total)
        laid.__dict__["_ready"] = laid
        laid._settle()
        return laid

    def _settle(self) -> None:
        for child in self._children:
            child._settle()
        for name in self._once:
            getattr(self, name)

    @cached_property
    def _ready(self) -> Schedule:
        """What is evaluated: itself if bound, else itself laid out without a run."""
        return self._bound(None, False)

    @property
    def length(self) -> Number:
        """Ticks from its start to its end; math.inf if it never ends. Raises BindError while a span needs a Run."""
        return self._ready._length

    def table(self, n: int) -> Any:
        """The values of updates 0 … n − 1, a float64 numpy array of shape (n,). Raises PreheatError if n is no count.

        >>> from preheat import ramp
        >>> ramp(0.0, 1.0, 4).table(6).tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
        """
        if isinstance(n, bool) or not hasattr(n, "__index__") or int(n) < 0:
            raise PreheatError(f"table takes a number of updates, not {shown(n)}; write .table(10_000)")
        import numpy

        ready, xp, n = self._ready, Sorted(numpy), int(n)
        out, block = numpy.empty(n), numpy.arange(min(n, _BLOCK), dtype=numpy.float64)
        for low in range(0, n, _BLOCK):
            high = min(low + _BLOCK, n)
            out[low:high] = ready._at(block[: high - low] + low, xp)
        return out

    @cached_property
    def function(self) -> Callable[[float], float]:
        """The specialised Python function of one number, every constant folded: equal to a call, bit for bit."""
        from preheat.core.codegen.python import compiled

        return compiled(self._ready)

    def __rshift__(self, other: Schedule) -> Schedule:
        from preheat.core.nodes.combine import sequence

        return sequence((self, _schedule(other, ">>")))

    def __mul__(self, other: Schedule) -> Schedule:
        from preheat.core.nodes.combine import Product

        return Product((self, _schedule(other, "*")))

    def __rmul__(self, other: object) -> Schedule:
        raise PreheatError(
            f"{shown(other)} * schedule would bind tighter than >>; write schedule.scaled({shown(other)})"
        )

    def __rrshift__(self, other: object) -> Schedule:
        raise PreheatError(f">> joins schedules, not {shown(other)}; write hold({shown(other)}, span) >> schedule")

    def scaled(self, factor: float) -> Schedule:
        """`s.scaled(k)(t) = k · s(t)`; k finite, of any sign."""
        from preheat.core.nodes.combine import Scaled

        return Scaled(self, factor)

    def clipped(self, low: float | None = None, high: float | None = None) -> Schedule:
        """Values below `low` become low and above `high` become high; None leaves that side open.

        >>> from preheat import ramp
        >>> ramp(0, 1, 10).clipped(0.2, 0.8).table(11).tolist()[:4]
        [0.2, 0.2, 0.2, 0.3]
        """
        from preheat.core.constructors import clipped

        return clipped(self, low, high)

    def repeated(self, times: int | None = None, stretch: float = 1.0, shrink: float = 1.0) -> Schedule:
        """Again and again: repetition k (from 0) has its spans × stretchᵏ and its values × shrinkᵏ; None never ends.

        A `rest` inside is shared among the repetitions in whole ticks, the remainder held at the end.
        """
        from preheat.core.nodes.repeated import Repeated

        return Repeated(self, times, stretch, shrink)

    def shifted(self, ticks: float) -> Schedule:
        """`s.shifted(n)(t) = s(t − n)`: n ticks later, or earlier if n < 0."""
        from preheat.core.nodes.combine import Shifted

        return Shifted(self, ticks)

    def truncated(self, span: SpanLike) -> Schedule:
        """The same until `span` has passed, then the value it has there."""
        from preheat.core.nodes.repeated import Truncated

        return Truncated(self, Span(span))

    def extended(self, total: SpanLike) -> Schedule:
        """What was bound, laid out anew on a run of another `total`: 'rest' and '%' grow with it.

        >>> from preheat import Run, decay, warmup
        >>> (warmup(10) >> decay()).bind(Run(total=100)).extended(200)
        ramp(0.0, 1.0, 10) >> ramp(1.0, 0.0, 190)

        Raises BindError where nothing is 'rest' or '%'.
        """
        from preheat.core.branch import extended

        return extended(self, total)

    def cooldown_from(self, step: float, span: SpanLike, shape: Shape | str = "linear", *, to: float = 0.0) -> Schedule:
        """The same until `step`, then from its value there down to `to` over `span`: a decay off any checkpoint.

        >>> from preheat import hold
        >>> hold(0.5, 1000).cooldown_from(100, 50).table(151).tolist()[98::26]
        [0.5, 0.26, 0.0]

        Hägele et al. 2024, arXiv:2405.18392.
        """
        from preheat.core.branch import cooldown_from

        return cooldown_from(self, step, span, shape, to)

    def rewarmed(self, at: float, span: SpanLike, *, start: float = 0.0) -> Schedule:
        """The same until `at`, then from `start` times its value back to all of it over `span`.

        >>> from preheat import hold
        >>> hold(1.0, 100).rewarmed(10, 4).table(16).tolist()[9:]
        [1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0]

        Gupta et al. 2023, arXiv:2308.04014.
        """
        from preheat.core.branch import rewarmed

        return rewarmed(self, at, span, start)

    def __repr__(self) -> str:
        from preheat.core.text.codec import text

        return text(self)


def nested(*children: Schedule, extra: int = 0) -> int:
    """The nesting of a node over `children`; refused beyond MAX_NESTING, so that no walk overflows the stack."""
    depth = 1 + extra + max((child._depth for child in children), default=0)
    if depth > MAX_NESTING:
        raise PreheatError(f"schedules nest at most {MAX_NESTING} deep; join the parts with >> instead")
    return depth


def _schedule(value: object, operator: str) -> Schedule:
    if not isinstance(value, Schedule):
        advice = f"schedule.scaled({shown(value)})" if operator == "*" else f"schedule >> hold({shown(value)})"
        raise PreheatError(f"{operator} takes two schedules, not {shown(value)}; write {advice}")
    return value


def _misfit(schedule: Schedule, needed: Fraction | float, run: Run | None) -> BindError:
    clock, total = (run.clock, run.total) if run else ("tick", None)
    what = f"the parts need {float(needed):g} {clock}s and the run has {total}: {shown(schedule, 400)}"
    write = "shorten them, give one of them the span 'rest', or cut them with bind(run, truncate=True)"
    return BindError(what, write=write, hint="truncate")
