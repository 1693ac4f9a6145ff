"""What is exported as LaTeX is read back by a small reader, and gives what the schedule gives."""

import builtins
import importlib
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import FIXED, ready, trees

import preheat as ph
from preheat.core.shapes import NAMES

_WORD = re.compile(r"\\text\{[^}]*\}|\\[A-Za-z]+|\\.|[0-9.]+|\S")
ENDLESS = [s for s in FIXED if "repeated(None, stretch" in repr(s)]  # whose repetitions begin at ever later times


class Read:
    """LaTeX as it is exported, read back: called with a time it gives the value."""

    def __init__(self, text: str) -> None:
        body, _, where = text.partition(r" = ")[2].partition(r" \quad \text{where } ")
        self.body, self.letters = body.strip(), dict(one.split(" = ", 1) for one in where.strip().split(r",\; ") if one)

    def __call__(self, t: float) -> float:
        self.names = {"t": t}
        return self.of(self.body)

    def of(self, text: str) -> Any:
        """The value of one formula."""
        saved, self.words = getattr(self, "words", []), _WORD.findall(re.sub(r"\\(left|right)\b", "", text))
        try:
            value = self.sum()
            assert self.words == []
        finally:
            self.words = saved
        return value

    def take(self, *expected: str) -> str:
        word = self.words.pop(0)
        assert not expected or word in expected, (word, expected, self.words[:9])
        return word

    def next(self) -> str:
        return self.words[0] if self.words else ""

    def sum(self) -> Any:
        value = self.term()
        while self.next() in ("+", "-"):
            value = value + self.term() if self.take() == "+" else value - self.term()
        return value

    def term(self) -> Any:
        value = self.factor()
        while self.next() in (r"\cdot", r"\bmod"):
            value = value * self.factor() if self.take() == r"\cdot" else value % self.factor()
        return value

    def factor(self) -> Any:
        if self.next() == "-":
            self.take()
            return -self.factor()
        value = self.atom(self.take())
        while self.next() in ("^", "_"):
            value = value ** self.group() if self.take() == "^" else value[int(self.group())]
        return value

    def group(self) -> Any:
        self.take("{")
        value = self.sum()
        self.take("}")
        return value

    def list(self, end: str) -> list[Any]:
        found = [self.sum()]
        while self.next() == ",":
            self.take()
            found.append(self.sum())
        self.take(end)
        return found

    def atom(self, word: str) -> Any:
        if word in self.letters and word not in self.names:
            self.names[word] = self.of(self.letters[word])
        if word in self.names:
            return self.names[word]
        if word == "(":
            found = self.list(")")
            return found[0] if len(found) == 1 else found
        if word in (r"\sin", r"\ln"):
            power = 2 if self.next() == "^" and self.take() and self.take() else 1
            self.take("(")
            return getattr(math, {r"\ln": "log"}.get(word, "sin"))(self.list(")")[0]) ** power
        if word in (r"\min", r"\max"):
            return self.greatest() if self.take() == r"\{" else getattr(builtins, word[1:])(*self.list(")"))
        if word == r"\lfloor":
            value = math.floor(self.sum())
            self.take(r"\rfloor")
            return value
        if word == r"\frac":
            return self.group() / self.group()
        simple = {
            r"\pi": lambda: math.pi * self.factor(),
            r"\sqrt": lambda: math.sqrt(self.group()),
            "e": lambda: math.e,
        }
        return self.cases() if word == r"\begin" else simple[word]() if word in simple else float(word)

    def greatest(self) -> int:
        """max{i : (…)_i ≤ x}."""
        for word in ("i", ":", "("):
            self.take(word)
        starts = self.list(")")
        for word in ("_", "{", "i", "}", r"\le"):
            self.take(word)
        at = self.sum()
        self.take(r"\}")
        return max(i for i, start in enumerate(starts) if start <= at)

    def cases(self) -> Any:
        for word in "{cases}":
            self.take(word)
        chosen: list[Any] = []
        while self.next() != r"\end":
            value, otherwise = self.sum_or_none(), self.take("&") and self.take() == r"\text{otherwise}"
            if otherwise or (self.sum() < (self.take("<") and self.sum())):
                chosen.append(value)
            if self.next() == r"\\":
                self.take()
        for word in r"\end", *"{cases}":
            self.take(word)
        return chosen[0]

    def sum_or_none(self) -> Any:
        """A case, or None where it has no value at a time that is not its own."""
        at = list(self.words)
        try:
            return self.sum()
        except (ArithmeticError, LookupError, ValueError, TypeError):
            self.words, depth = at, 0
            while depth or self.next() != "&":
                depth += {r"\begin": 1, r"\end": -1}.get(self.take(), 0)
            return None


@pytest.mark.parametrize("s", FIXED, ids=lambda s: repr(s)[:60])
def test_latex_says_what_the_schedule_gives(s: ph.Schedule) -> None:
    if s in ENDLESS:
        with pytest.raises(ph.PreheatError, match="a page holds at most"):
            ph.export(s, "latex")
        return
    read = Read(ph.export(s, "latex"))
    times = [*range(0, 10_001, 457), 9998, 9999, 12_000]
    np.testing.assert_allclose([read(t) for t in times], [s(t) for t in times], rtol=1e-7, atol=1e-9 * s._magnitude())


def test_latex_reads_as_a_person_would_write_it() -> None:
    s = ph.warmup(100) >> ph.hold(1, 200) >> ph.decay(300, 0.1, "cosine")
    assert ph.export(s, "latex", name="lr") == (
        r"""\mathrm{lr}(t) = \begin{cases}
  \frac{t}{100} & \text{if } t < 100 \\
  1 & \text{if } t < 300 \\
  1 - 0.9 \cdot \sin^2\left(\frac{\pi \left(t - 300\right)}{600}\right) & \text{if } t < 600 \\
  0.1 & \text{otherwise}
\end{cases}
"""
    )


@pytest.mark.parametrize(
    "s", [ph.table([i % 7 for i in range(30)]), ph.steps([i % 7 for i in range(99)], [3] * 99)], ids=["table", "steps"]
)
def test_what_no_page_holds_is_refused(s: ph.Schedule) -> None:
    with pytest.raises(ph.PreheatError, match="a page holds at most"):
        ph.export(s, "latex")


@pytest.mark.parametrize("name", [*NAMES, "power(p)"])
def test_the_formulas_of_the_shapes_in_the_reference_are_theirs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_ext")
    pytest.importorskip("sphinx", reason="needs the extra docs")
    shown = dict(importlib.import_module("shape_formulas").formulas())[name]
    for letter, number in (("u", "t"), ("n", "40"), ("p", "1.7")):
        shown = re.sub(rf"\b{letter}\b", number, shown)
    read = Read("w = " + shown.replace(r"\text{start}", "0.5").replace(r"\text{end}", "2"))
    ramp = ph.ramp(0.5, 2.0, 40, shape=ph.power(1.7) if "power" in name else name)
    for t in range(40):
        w = read(t if name == "log" else t / 40)
        assert (w if name == "exponential" else 0.5 + 1.5 * w) == pytest.approx(ramp(t))


def test_what_a_time_is_kept_below_is_a_moment_of_its_own() -> None:
    """A cycle that is over stands at its end, and not at the beginning of the next."""
    s = ph.parse("(hold(0, 1) >> hold(1, 1)) * ramp(1, 0.1, 1, shape=exponential).repeated(1)")
    read = Read(ph.export(s, "latex"))
    assert [read(t) for t in (0, 1, 2)] == pytest.approx([0, 0.1, 0.1])


def test_latex_of_random_schedules() -> None:
    seen, refused = 0, 0

    @settings(max_examples=60)
    @given(trees(st.integers(0, 40), depth=2), st.lists(st.integers(0, 60), min_size=3, max_size=3))
    def holds(s: ph.Schedule, times: list[int]) -> None:
        nonlocal seen, refused
        assume("power(0.0" not in repr(s))  # so steep at its end that the ten digits of a page do not say where it is
        try:
            read = Read(ph.export(ready(s), "latex"))
        except ph.PreheatError:
            refused += 1
            return
        seen += 1
        most = max(s._ready._magnitude(), 1e-300)
        assert [read(t) for t in times] == pytest.approx([s(t) for t in times], rel=1e-6, abs=1e-8 * most)

    holds()
    assert seen > 5 * refused


lengths = st.sampled_from([1, 7, 100, 5_000, 200_000])
phases = st.one_of(
    st.builds(ph.warmup, lengths),
    st.builds(ph.hold, st.sampled_from([1.0, 0.5]), lengths),
    st.builds(ph.decay, lengths, st.sampled_from([0.0, 0.1])),
    st.builds(lambda n: ph.saturating(5, n), lengths),
)


@st.composite
def uneven(draw: st.DrawFn) -> tuple[ph.Schedule, list[float]]:
    """Phases of which some are much shorter than others, alone, in a cycle or in a formula; and moments in each of them."""
    parts = draw(st.lists(phases, min_size=1, max_size=3))
    s, edges = parts[0], [0.0, float(parts[0].length)]
    for part in parts[1:]:
        s = s >> part
        edges.append(float(s.length))
    period, rounds = edges[-1], 1
    kind = draw(st.sampled_from(["alone", "cycle", "product", "upper"]))
    if kind == "cycle":
        rounds = draw(st.integers(2, 3))
        s = s.repeated(rounds)
    elif kind == "product":
        s = s * ph.hold(1, period)
    elif kind == "upper":
        s = ph.upper(s, ph.hold(0.1, period))
    if draw(st.booleans()):
        s = s >> ph.hold(1.0, draw(lengths))
    near = {edge + apart for edge in edges for apart in (-1.5, -0.5, 0.5, 1.5, 4, 30, 2_000)}
    near |= {(a + b) / 2 for a, b in pairwise(edges)}
    return s, sorted(k * period + t for k in range(rounds + 1) for t in near if k * period + t >= 0)


@settings(max_examples=200)
@given(uneven())
def test_a_phase_is_told_however_short_it_is_beside_others(case: tuple[ph.Schedule, list[float]]) -> None:
    s, times = case
    read = Read(ph.export(s, "latex"))
    assert [read(t) for t in times] == pytest.approx([s(t) for t in times], rel=1e-6, abs=1e-8)
