r"""A schedule as LaTeX: cases, as they would stand in a paper. Needs amsmath. Numbers have ten digits at most."""

from __future__ import annotations

import math
from typing import Any

from preheat.core.codegen.simpler import Times, least, offset, pieces, same
from preheat.core.codegen.texts import ATOM, IF, POWER, SIGN, SUM, TERM, Text, tight
from preheat.core.codegen.trace import Expr, record
from preheat.core.errors import PreheatError, shown

MOST_CASES, MOST_NUMBERS, _LETTERS = 40, 20, "uvwxyz"
_HALF_PI = math.pi / 2


def sources(schedules: dict[str, Any]) -> str:
    """An equation for each bound schedule, by name.

    Raises PreheatError for one of so many cases or numbers that no page holds them.
    """
    return "\n\n".join(_Equation(schedule).text(name) for name, schedule in schedules.items()) + "\n"


class _Equation:
    """One equation, and the letters that stand for times in it."""

    def __init__(self, schedule: Any) -> None:
        self.schedule = schedule._ready
        self.letters: dict[Expr, tuple[str, str]] = {}

    def text(self, name: str) -> str:
        t, value = record(self.schedule)
        times = Times(t, 0, self.schedule._length)
        body, _ = self.value(value, times, "t", self.schedule._last())
        meant = r",\; ".join(f"{letter} = {text}" for letter, text in self.letters.values())
        where = rf" \quad \text{{where }} {meant}" if meant else ""
        return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}(t) = {body}{where}"

    def value(self, root: Any, times: Times, letter: str, last: float | None = None) -> Text:
        """The cases of a value; last: what it keeps after them."""
        found = pieces(root, times)
        if len(found) > MOST_CASES:
            what = f"it has {len(found)} cases, and a page holds at most {MOST_CASES}: {shown(self.schedule)}"
            raise PreheatError(what, write="export to python")
        first, *others = [_Formula(self, piece.times, letter).of(piece.value) for piece in found]
        texts = [first[0], *(text for text, _ in others)]
        ends = [piece.times.high for piece in found]
        if last is not None and ends[-1] < math.inf:
            end = number(last)
            if texts[-1] == end:
                ends[-1] = math.inf
            else:
                texts, ends = [*texts, end], [*ends, math.inf]
        if len(texts) == 1:
            return first
        conditions = [rf"\text{{if }} {letter} < {number(end)}" for end in ends[:-1]] + [r"\text{otherwise}"]
        rows = [rf"  {text} & {condition}" for text, condition in zip(texts, conditions, strict=True)]
        return "\\begin{cases}\n" + " \\\\\n".join(rows) + "\n\\end{cases}", ATOM

    def letter(self, expr: Expr, text: str) -> str:
        """What stands for a time in the formulas of the cases that it chooses between."""
        if expr not in self.letters:
            if len(self.letters) == len(_LETTERS):
                raise PreheatError(f"it nests too deep for a page: {shown(self.schedule)}", write="export to python")
            self.letters[expr] = _LETTERS[len(self.letters)], text
        return self.letters[expr][0]


class _Formula:
    """The text of formulas of one time."""

    def __init__(self, equation: _Equation, times: Times, letter: str) -> None:
        self.equation, self.times, self.symbol = equation, times, letter

    def of(self, value: Any) -> Text:
        """The text of an expression."""
        if not isinstance(value, Expr):
            return number(value), SIGN if value < 0 else ATOM
        if moved := offset(value, self.times):
            return self._moved(*moved)
        if value in self.equation.letters:
            return self.equation.letters[value][0], ATOM
        if value.op == "choose":
            return self._cases(value)
        return getattr(self, _METHODS.get(value.op, "_operated"))(value, *value.args)

    def _moved(self, k: int, c: float) -> Text:
        if k < 0:
            return f"{number(c)} - {self.symbol}", SUM
        if not c:
            return self.symbol, ATOM
        return f"{self.symbol} {'-' if c < 0 else '+'} {number(abs(c))}", SUM

    def _cases(self, value: Expr) -> Text:
        """Cases inside a formula; of another time than the formula's, that time gets a letter."""
        at = value.args[0]
        if offset(at, self.times):
            return self.equation.value(value, self.times, self.symbol)
        letter = self.equation.letter(at, self.of(at)[0])
        high = at.args[1] if at.op == "%" else at.args[2] if at.op == "within" else math.inf
        return self.equation.value(value, Times(at, 0, high, closed=at.op == "within"), letter)

    def _sum(self, value: Expr, a: Any, b: Any) -> Text:
        if value.op == "-" and a == 0.0 and isinstance(b, Expr) and b.op == "expm1":
            return self._negative(value, b)
        first, second = self.of(a), self.of(b)
        if value.op == "+" and second[0].startswith("-"):
            return f"{tight(first, SUM)} - {second[0][1:]}", SUM
        return f"{tight(first, SUM)} {value.op} {_bracketed(second, TERM)}", SUM

    def _product(self, value: Expr, a: Any, b: Any) -> Text:
        if a is b:
            return self._squared(a)
        if a == _HALF_PI and isinstance(b, Expr) and b.op == "/" and not isinstance(b.args[1], Expr):
            return rf"\frac{{\pi {_bracketed(self.of(b.args[0]), TERM)}}}{{{number(2 * b.args[1])}}}", ATOM
        if isinstance(a, Expr) and not isinstance(b, Expr):
            a, b = b, a
        if a == 1.0:
            return self.of(b)
        return rf"{_bracketed(self.of(a), TERM)} \cdot {_bracketed(self.of(b), TERM)}", TERM

    def _squared(self, a: Expr) -> Text:
        if isinstance(a, Expr) and a.op == "sin":
            return rf"\sin^2\left({self.of(a.args[0])[0]}\right)", TERM
        return f"{_bracketed(self.of(a), ATOM, fraction=True)}^{{2}}", POWER

    def _remainder(self, value: Expr, a: Any, b: Any) -> Text:
        return rf"{_bracketed(self.of(a), TERM)} \bmod {_bracketed(self.of(b), TERM)}", IF

    def _quotient(self, value: Expr, a: Any, b: Any) -> Text:
        if b == 1:
            return self.of(a)
        if not isinstance(b, Expr) and isinstance(a, Expr) and a.op == "**" and (base := self._power_of(a, b)):
            return base
        return rf"\frac{{{self.of(a)[0]}}}{{{self.of(b)[0]}}}", ATOM

    def _power_of(self, power: Expr, full: float) -> Text | None:
        """(t/scale)ᵖ / full is (t/n)ᵖ: a power of two in place of n costs no digits, and is nothing to read."""
        inside, exponent = power.args
        if not (isinstance(inside, Expr) and inside.op == "/" and not isinstance(inside.args[1], Expr)):
            return None
        whole = inside.args[1] * full ** (1 / exponent)
        whole = round(whole) if math.isclose(whole, round(whole), rel_tol=1e-9) else whole
        if whole == 1:
            return f"{_bracketed(self.of(inside.args[0]), ATOM, fraction=True)}^{{{number(exponent)}}}", POWER
        fraction = rf"\frac{{{self.of(inside.args[0])[0]}}}{{{number(whole)}}}"
        return rf"\left({fraction}\right)^{{{number(exponent)}}}", POWER

    def _power(self, value: Expr, a: Any, b: Any) -> Text:
        return f"{_bracketed(self.of(a), ATOM, fraction=True)}^{{{self.of(b)[0]}}}", POWER

    def _negative(self, value: Expr, *args: Any) -> Text:
        inner = args[-1] if value.op == "neg" else value.args[1]
        if isinstance(inner, Expr) and inner.op == "expm1":
            return f"1 - e^{{{self.of(inner.args[0])[0]}}}", SUM
        return f"-{_bracketed(self.of(inner), SIGN)}", SIGN

    def _where(self, value: Expr, condition: Any, yes: Any, no: Any) -> Text:
        if same(yes, no, self.times):
            return self.of(yes)
        sign = condition.op
        test = f"{self.of(condition.args[0])[0]} {sign} {self.of(condition.args[1])[0]}"
        rows = rf"{self.of(yes)[0]} & \text{{if }} {test} \\ {self.of(no)[0]} & \text{{otherwise}}"
        return rf"\begin{{cases}} {rows} \end{{cases}}", ATOM

    def _take(self, value: Expr, values: tuple, index: Any) -> Text:
        if len(values) == 1:
            return self.of(values[0])
        place = index.args[0] if index.op == "+" else index
        self.equation.letter(place, self.of(place)[0])
        return f"{self._numbers(values)}_{{{self.of(index)[0]}}}", ATOM

    def _find(self, value: Expr, starts: tuple, t: Any) -> Text:
        if len(starts) == 1:
            return "0", ATOM
        place = rf"\max\left\{{i : {self._numbers(starts)}_{{i}} \le {self.of(t)[0]}\right\}}"
        return self.equation.letter(value, place), ATOM

    def _numbers(self, values: tuple) -> str:
        if len(values) > MOST_NUMBERS:
            what = f"it has a list of {len(values)} numbers, and a page holds at most {MOST_NUMBERS}"
            raise PreheatError(what, write="export to python")
        return rf"\left({', '.join(map(number, values))}\right)"

    def _within(self, value: Expr, t: Any, low: float, high: float) -> Text:
        inner = self.of(t)[0]
        inner = inner if least(t, self.times) >= low else rf"\max\left({inner}, {number(low)}\right)"
        return (inner if high == math.inf else rf"\min\left({inner}, {number(high)}\right)"), ATOM

    def _operated(self, value: Expr, *args: Any) -> Text:
        texts = [self.of(arg) for arg in args]
        form, binds = _FORMS[value.op]
        return form.format(*(text for text, _ in texts)), binds


_METHODS = {
    "+": "_sum",
    "-": "_sum",
    "*": "_product",
    "/": "_quotient",
    "%": "_remainder",
    "**": "_power",
    "neg": "_negative",
    "where": "_where",
    "take": "_take",
    "find": "_find",
    "within": "_within",
}
_FORMS = {
    "sin": (r"\sin\left({}\right)", TERM),
    "sqrt": (r"\sqrt{{{}}}", ATOM),
    "log1p": (r"\ln\left(1 + {}\right)", TERM),
    "expm1": (r"e^{{{}}} - 1", SUM),
    "floor": (r"\left\lfloor {} \right\rfloor", ATOM),
    "//": (r"\left\lfloor \frac{{{}}}{{{}}} \right\rfloor", ATOM),
    "minimum": (r"\min\left({}, {}\right)", ATOM),
    "maximum": (r"\max\left({}, {}\right)", ATOM),
}


def number(value: float) -> str:
    """A number of ten digits at most, its power of ten written out."""
    if value == math.inf:
        return r"\infty"
    digits, _, power = f"{value:.10g}".partition("e")
    if not power:
        return digits
    ten = f"10^{{{int(power)}}}"
    return {"1": ten, "-1": f"-{ten}"}.get(digits, rf"{digits} \cdot {ten}")


def _bracketed(text: Text, binds: int, fraction: bool = False) -> str:
    """The text, in brackets that grow where it binds less tightly; a fraction too where it is raised to a power."""
    if text[1] >= binds and not (fraction and text[0].startswith((r"\frac", r"\left\lfloor", r"\begin"))):
        return text[0] if not (fraction and r"\cdot 10^" in text[0]) else rf"\left({text[0]}\right)"
    return rf"\left({text[0]}\right)"
