"""Recording a formula: called with a symbolic time, it leaves behind an expression that an emitter can print.

An expression is an operation and its arguments: other expressions, or constants. Constants fold only with constants and
by the same double operation that the formula would have done, so what is emitted gives the same bits.

    + - * / // % ** neg < >        the operators (power is **)
    sin sqrt log1p expm1 floor     the functions of one argument
    minimum(a, b)  maximum(a, b)   where(condition, yes, no)
    take(values, index)            find(starts, t), the index of the start that came last
    within(t, low, high)           choose(t, edges, branches), where a branch depends on t alone
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from preheat.core.namespaces import Part, Scalars

_serial = itertools.count()


class Expr:
    """One recorded operation. Serial numbers rise, so an argument's is always below its user's."""

    __slots__ = ("args", "op", "serial")

    def __init__(self, op: str, *args: Any) -> None:
        self.op, self.args, self.serial = op, args, next(_serial)

    def __neg__(self) -> Expr:
        return Expr("neg", self)


def _operator(op: str, name: str, reflected: bool = True) -> None:
    setattr(Expr, f"__{name}__", lambda self, other: Expr(op, self, other))
    if reflected:
        setattr(Expr, f"__r{name}__", lambda self, other: Expr(op, other, self))


for _op, _name in {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "truediv",
    "//": "floordiv",
    "%": "mod",
    "**": "pow",
}.items():
    _operator(_op, _name)
for _op, _name in {"<": "lt", ">": "gt"}.items():
    _operator(_op, _name, reflected=False)


def _function(name: str, op: str = "") -> Callable[..., Any]:
    plain = getattr(Scalars, name)

    def record(*args: Any) -> Any:
        return Expr(op or name, *args) if any(isinstance(arg, Expr) for arg in args) else plain(*args)

    return staticmethod(record)  # type: ignore[return-value]


class Recorder:
    """The namespace whose values are expressions."""

    sin, sqrt, power = _function("sin"), _function("sqrt"), _function("power", "**")
    log1p, expm1, floor = _function("log1p"), _function("expm1"), _function("floor")
    where, minimum, maximum = _function("where"), _function("minimum"), _function("maximum")
    take, within = _function("take"), _function("within")
    scattered: Any

    @staticmethod
    def since(t: Any, start: float) -> Any:
        return t - start if start else t

    begun = Scalars.begun  # operators alone

    @staticmethod
    def laps(t: Any, length: float) -> tuple[Any, Any]:
        return t // length, t % length

    @staticmethod
    def find(t: Any, starts: Sequence[float]) -> tuple[Any, Any]:
        k = Expr("find", tuple(starts), t)
        return k, t - Expr("take", tuple(starts), k)

    @staticmethod
    def choose(t: Any, edges: Sequence[float], part: Part) -> Any:
        if not edges:
            return part(0, t)
        return Expr("choose", t, tuple(edges), tuple(part(i, t) for i in range(len(edges) + 1)))


Recorder.scattered = Recorder


def record(schedule: Any, recorder: Any = Recorder) -> tuple[Expr, Any]:
    """The symbol for time and the recorded value of a bound schedule, a number where it is constant.

    recorder: a kind of Recorder, for emitters that need another way to move a time.
    """
    t = Expr("t")
    return t, schedule._ready._at(t, recorder)
