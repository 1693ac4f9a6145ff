"""The smallest schedule that has given values at the updates 0, 1, 2, …: found from the values alone.

A curve is cut where its fourth difference leaps, the pieces are tried as every shape of a ramp, as constants, as repetitions
and as the curves without end, and of all ways to put them together the shortest text is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, reduce

from preheat.core.checks import int_if_whole
from preheat.core.errors import PreheatError
from preheat.core.namespaces import Scalars
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, InvSqrt, Ramp
from preheat.core.shapes import Shape, power, reverse, shape_of

CLOSE = 1e-9  # of the largest value
_ALL = 240  # so many updates are each tried as the end of a piece; of more, those where the curve breaks
_TRIED = 5  # pieces that are gone on from at an update
_MOST = 80  # pieces that are looked at before it is given up
_NAMES = ("linear", "cosine", "sqrt", "square", "smooth", "mirror-cosine", "rex", "log")
SHAPES = [shape_of(name) for name in _NAMES] + [reverse(name) for name in ("sqrt", "square", "rex", "log")]

Piece = tuple[int, Schedule]  # up to which update, and what it is


def fitted(values: Sequence[float]) -> Schedule | None:
    """The shortest schedule found that is within 1e-9 of the largest value at every one of these updates; None for none."""
    if not values or not all(map(math.isfinite, values)):
        return None
    parts = _Curve(list(values)).best(0)
    if parts is None:
        return None
    found = _joined(parts)
    return found if _off(found, values) <= CLOSE * (max(map(abs, values)) or 1.0) else None


def _joined(parts: Sequence[Schedule]) -> Schedule:
    """One after another; a last constant that only keeps what is reached anyway is left out."""
    *others, last = parts
    if others and isinstance(last, Hold) and isinstance(others[-1], Ramp) and others[-1].end == last.value:
        return reduce(lambda a, b: a >> b, others)
    return reduce(lambda a, b: a >> b, parts)


def _off(schedule: Schedule, values: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(schedule.table(len(values)).tolist(), values, strict=True))


class _Curve:
    """Values, and the best way to say those from one of them on."""

    def __init__(self, values: list[float]) -> None:
        self.values, self.n = values, len(values)
        self.scale = max(map(abs, values)) or 1.0
        self.close = CLOSE * self.scale
        self.ends = self._ends()
        self.looked = 0
        self.best = lru_cache(None)(self._best)

    def _ends(self) -> list[int]:
        """Where a piece may end: everywhere in a short run, else where the fourth difference leaps."""
        v, n = self.values, self.n
        if n <= _ALL:
            return list(range(1, n + 1))
        fourth = [abs(v[t] - 4 * v[t - 1] + 6 * v[t - 2] - 4 * v[t - 3] + v[t - 4]) for t in range(4, n)]
        found = {n}
        for k in range(len(fourth)):
            around = sorted(fourth[max(0, k - 12) : k + 13])[len(fourth[max(0, k - 12) : k + 13]) // 4]
            if fourth[k] > 30 * around + 1e-13 * self.scale:
                found |= {t for t in range(k, k + 6) if 0 < t < n}
        return sorted(found)

    def _best(self, i: int) -> tuple[Schedule, ...] | None:
        """The parts from update i on whose text is the shortest."""
        if i >= self.n:
            return ()
        self.looked += 1
        if self.looked > _MOST:
            return None
        found: list[tuple[Schedule, ...]] = []
        for end, piece in self._longest(i):
            rest = self.best(end)
            if rest is not None:
                found.append((piece, *rest))
            if rest is not None and len(rest) < 3 and isinstance(piece, Ramp) and self._meets(end, piece):
                break
        return min(found, key=lambda parts: len(repr(_joined(parts))), default=None)

    def _longest(self, i: int) -> list[Piece]:
        """The pieces that reach furthest, few of them: a short one is a matter of chance, and taken where there is no other."""
        found = sorted(self._pieces(i), key=lambda piece: (-piece[0], len(repr(piece[1]))))
        reaching = [piece for piece in found if piece[0] - i >= 4 or piece[0] == self.n]
        return sorted((reaching or found)[:_TRIED], key=lambda piece: not self._meets(*piece))

    def _meets(self, end: int, piece: Schedule) -> bool:
        """Whether a piece ends where the next begins."""
        if end == self.n:
            return True
        last = piece.end if isinstance(piece, Ramp) else piece.value if isinstance(piece, Hold) else math.inf
        return abs(last - self.values[end]) <= self.close

    def _pieces(self, i: int) -> Iterator[Piece]:
        """What may stand from update i on, and up to where."""
        v, n = self.values, self.n
        level = next((t for t in range(i + 1, n) if abs(v[t] - v[i]) > self.close * 1e-4), n)
        yield level, Hold(self._nice(v[i]), "rest" if level == n else level - i)
        if i + 1 < level < n:  # its last value may be the first of what comes after it
            yield level - 1, Hold(self._nice(v[i]), level - 1 - i)
        if level == n:
            return
        yield from self._tails(i)
        if level > i + 1:
            return
        for shape in SHAPES:
            yield from self._ramps(i, shape)
        yield from self._powers(i)
        yield from self._geometric(i)

    def _ramps(self, i: int, shape: Shape) -> Iterator[Piece]:
        """The longest ramp of a shape that meets what follows, and the longest that does not."""
        v, met, cut = self.values, False, False
        for j in reversed(self.ends):
            if j - i < 2 or (met and cut):
                return
            if not met and j < self.n and self._fits(i, j, shape, v[j]):
                met = True
                yield j, Ramp(self._nice(v[i]), self._nice(v[j]), j - i, shape)
            if not cut and j - i >= 3:
                b = self._nice(v[i] + (v[j - 1] - v[i]) / _weight(shape, j - i)(j - 1 - i))
                if self._fits(i, j, shape, b):
                    cut = True
                    yield j, Ramp(self._nice(v[i]), b, j - i, shape)
        yield from self._unfinished(i, shape)

    def _unfinished(self, i: int, shape: Shape) -> Iterator[Piece]:
        """A ramp to 0 that goes on after the last value, or one that began before: at update 0."""
        v, last = self.values, self.n - 1 - i
        if last >= 3 and v[i] and 0 < v[-1] / v[i] < 1 and shape.name != "log":
            low, high, weight = 0.0, 1.0, _weight(shape, 1)
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if weight(middle) < 1 - v[-1] / v[i] else (low, middle)
            n = int_if_whole(float(f"{last / high:.9g}"))
            if n > last + 1 and self._fits(i, self.n, shape, 0.0, n):
                yield self.n, Ramp(self._nice(v[i]), 0.0, n, shape).truncated(self.n - i)
        if i and last >= 3 and shape.name != "linear":
            weight = _weight(shape, self.n)
            first, end = weight(i), weight(self.n - 1)
            if end != first:
                slope = (v[-1] - v[i]) / (end - first)
                a, b = self._nice(v[i] - slope * first), self._nice(v[i] + slope * (1 - first))
                whole = Ramp(a, b, self.n, shape)
                if all(abs(a + (b - a) * weight(t) - v[t]) <= self.close / 2 for t in range(i, self.n)):
                    yield self.n, whole.shifted(-i)

    def _fits(self, i: int, j: int, shape: Shape, b: float, n: float | None = None) -> bool:
        """Whether the values of updates i … j − 1 are a ramp's, from that of i to b; a few are looked at first."""
        v, a, weight = self.values, self.values[i], _weight(shape, j - i if n is None else n)
        rise, close = b - a, self.close / 2
        probes = ((i + j) // 2, i + 1, j - 1, (3 * i + j) // 4)
        return all(abs(a + rise * weight(t - i) - v[t]) <= close for t in probes) and all(
            abs(a + rise * weight(t - i) - v[t]) <= close for t in range(i, j)
        )

    def _powers(self, i: int) -> Iterator[Piece]:
        """Ramps along a power of the time, forwards and backwards: the exponent from the value in the middle."""
        v = self.values
        for j in reversed(self.ends):
            if j - i < 4:
                return
            for b in {v[j]} if j < self.n else {0.0}:
                m = (i + j) // 2
                w = (v[m] - v[i]) / (b - v[i]) if b != v[i] else 0.0
                u = (m - i) / (j - i)
                for turned in (False, True):
                    share, passed = (1 - w, 1 - u) if turned else (w, u)
                    if not 0 < share < 1:
                        continue
                    p = float(f"{math.log(share) / math.log(passed):.9g}")
                    if not 0.01 <= p <= 100 or abs(p - 1) < 1e-6:
                        continue
                    shape = reverse(power(p)) if turned else power(p)
                    if self._fits(i, j, shape, b):
                        yield j, Ramp(self._nice(v[i]), self._nice(b), j - i, shape)
                        if not turned:  # tᵖ goes on as it is: the end may be that of the values
                            longer = v[i] + (b - v[i]) * ((self.n - i) / (j - i)) ** p
                            if self._fits(i, self.n, shape, longer):
                                yield self.n, Ramp(self._nice(v[i]), self._nice(longer, 1e-12), self.n - i, shape)
                        return

    def _geometric(self, i: int) -> Iterator[Piece]:
        """The longest stretch in which every value is the same multiple of the one before."""
        v = self.values
        if i + 2 >= self.n or v[i] <= 0 or v[i + 1] <= 0:
            return
        j = i + 1
        while j < self.n and v[j] > 0 and abs(v[j] / v[j - 1] - v[i + 1] / v[i]) <= 1e-9 * v[i + 1] / v[i]:
            j += 1
        if j - i < 3:
            return
        end = self._nice(v[j - 1] * (v[j - 1] / v[i]) ** (1 / (j - 1 - i)), 1e-13)
        yield j, Ramp(self._nice(v[i]), end, j - i, "exponential")
        yield j - 1, Ramp(self._nice(v[i]), self._nice(v[j - 1], 1e-13), j - 1 - i, "exponential")

    def _tails(self, i: int) -> Iterator[Piece]:
        """What goes on to the end, and beyond it."""
        for candidate in (*self._inverse(i), *self._repeated(i)):
            if candidate is not None and _off(candidate, self.values[i:]) <= self.close / 2:
                yield self.n, candidate

    def _inverse(self, i: int) -> Iterator[Schedule | None]:
        v, last = self.values, self.n - 1 - i
        if last < 3 or v[i] <= 0 or not 0 < v[-1] < v[i]:
            return
        for exponent in (0.5, 1.0):
            tau = float(f"{last / ((v[i] / v[-1]) ** (1 / exponent) - 1):.10g}")
            curve = _made(lambda tau=tau, exponent=exponent: InvSqrt(int_if_whole(tau), "rest", exponent))
            yield curve if curve is None or v[i] == 1 else curve.scaled(self._nice(v[i]))

    def _repeated(self, i: int) -> Iterator[Schedule | None]:
        """A piece again and again, each as long or a multiple of the one before, and as high or lower."""
        v, n = self.values, self.n
        steps = [abs(v[t] - v[t - 1]) for t in range(1, n)]
        usual = sorted(steps)[len(steps) // 2]
        leaps = [t for t in range(i + 1, n) if steps[t - 1] > 3 * usual + self.close]
        again = [p for p in range(2, (n - i) // 2 + 1) if self._again(i, p)][:1]  # without a leap
        for p in again:
            yield self._one(i, i + p, lambda base: base.repeated())
        for at, q in enumerate(leaps[:12]):
            period = q - i
            top = max(range(i, q), key=lambda t: abs(v[t]))
            if n - i >= 2 * period and v[top]:
                shrink = self._nice(v[top + period] / v[top], 1e-12)
                if 0 < shrink <= 1 and all(
                    abs(v[t + period] - shrink * v[t]) <= self.close / 4 for t in range(i, n - period)
                ):
                    yield self._one(i, q, lambda base, shrink=shrink: base.repeated(shrink=shrink))
                    return
            if at + 1 < len(leaps) and (leaps[at + 1] - q) % period == 0 and leaps[at + 1] - q > period > 1 and v[i]:
                longer, shrink = (leaps[at + 1] - q) // period, self._nice(v[q] / v[i], 1e-12)
                if 0 < shrink <= 1:
                    yield self._one(i, q, lambda base, s=shrink, m=longer: base.repeated(stretch=m, shrink=s))

    def _again(self, i: int, p: int) -> bool:
        """Whether the values come again after p updates."""
        v, close = self.values, self.close / 4
        return abs(v[i + p] - v[i]) <= close and all(abs(v[t + p] - v[t]) <= close for t in range(i, self.n - p))

    def _one(self, i: int, q: int, again: Callable[[Schedule], Schedule]) -> Schedule | None:
        base = fitted(self.values[i:q])
        if base is None:
            return None
        if isinstance(base, Hold):
            base = Hold(base.value, q - i)
        return _made(lambda: again(base)) if base.length == q - i else None

    def _nice(self, value: float, close: float = 1e-13) -> float:
        """The shortest number near enough."""
        room = close * self.scale
        if abs(value) <= room:
            return 0.0
        return next((y for d in range(1, 16) if abs((y := float(f"{value:.{d}g}")) - value) <= room), value)


def _made(make: Callable[[], Schedule]) -> Schedule | None:
    try:
        return make()
    except PreheatError:
        return None


@lru_cache(4096)
def _weight(shape: Shape, n: float) -> Callable[[float], float]:
    """w of a shape in n ticks."""
    seams, sides = shape.cases(0.0, 1.0, n)
    return lambda t: sides[sum(t > seam for seam in seams)](t, Scalars)
