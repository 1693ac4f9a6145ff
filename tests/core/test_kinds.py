"""A new kind of node is one class: the parser, the printer, the codec, the operators and the emitter find it."""

import subprocess
import sys

CODE = '''
import math, pickle, sys
import preheat as ph
from preheat.core.checks import finite_number
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Leaf
from preheat.core.nodes.wrapped import Wrapped
from preheat.core.spans import Span


class Wave(Leaf, word="wave"):
    """sin²(π·k·t/n)."""

    __slots__ = ("turns",)

    def __init__(self, span, turns=1.0):
        self._set(span=Span(span), turns=finite_number(turns, "turns"), _depth=1)

    def _formula(self, t, xp):
        wave = xp.sin(math.pi * self.turns / self._length * t)
        return wave * wave


class Squared(Wrapped, method="squared"):
    """s²."""

    __slots__ = ()

    def __init__(self, base):
        self._wrap(base)

    def _formula(self, t, xp):
        value = self.base._formula(t, xp)
        return value * value


s = (ph.warmup(4) >> Wave("50%", turns=3) >> ph.hold()).squared() * ph.decay() + ph.hold(0.5)
print(repr(s))
run = ph.Run(total=40)
assert ph.parse(repr(s)) == s == ph.from_dict(ph.to_dict(s)) == pickle.loads(pickle.dumps(s))
b = s.bind(run)
assert [b.function(t) for t in range(45)] == [b(t) for t in range(45)]
assert abs(b.table(45) - [b(t) for t in range(45)]).max() < 1e-15
assert b(10) == b.operands[0](10) + 0.5
for text in ("wvae(5)", "wave(5).squared(2)"):
    try:
        ph.parse(text)
    except ph.ParseError as refusal:
        print(refusal)
'''


def test_a_kind_is_known_once_its_class_exists() -> None:
    printed = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.splitlines() == [
        "(ramp(0.0, 1.0, 4) >> wave('50%', turns=3.0) >> hold(1.0, 'rest')).squared() * ramp(1.0, 0.0, 'rest')"
        " + hold(0.5, 'rest')",
        "column 1: unknown word 'wvae'; did you mean 'wave'?; in 'wvae(5)'",
        "column 9: the arguments of squared do not fit: too many positional arguments; "
        "its arguments are none; in 'wave(5).squared(2)'",
    ]
