"""Training functions that hold what decides: arguments, closures, defaults, an object's state, values of the module."""

import dataclasses
import enum
import functools

import numpy

WIDTH = 1
SPREAD = {"low": 0, "high": [1, 2]}


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


@dataclasses.dataclass(frozen=True)
class Settings:
    width: int = 1
    tags: frozenset = frozenset({"a", "b", "c", "d"})


class Model:
    depth = 3

    def __init__(self, width=1):
        self.width, self.me = width, self

    def train(self, schedule, seed, log):
        log(0, loss=float(self.width))

    def __call__(self, schedule, seed, log):
        self.train(schedule, seed, log)


class Slots:
    __slots__ = ("width",)

    def __init__(self, width):
        self.width = width

    def train(self, schedule, seed, log):
        log(0, loss=1.0)


class Silent:
    """Writes nothing when it is pickled."""

    def __init__(self, width):
        self.width = width

    def __getstate__(self):
        return {}

    def train(self, schedule, seed, log):
        log(0, loss=1.0)


class SilentSlots(Slots):
    __slots__ = ()

    def __getstate__(self):
        return {}


def train(schedule, seed, log, width=1, *, more=None):
    log(0, loss=1.0)


def closure(width):
    def train(schedule, seed, log):
        log(0, loss=float(width))

    return train


def with_default(width):
    def train(schedule, seed, log, width=width):
        log(0, loss=float(width))

    return train


def wrapped(inner):
    @functools.wraps(inner)
    def outer(*given):
        return inner(*given)

    return outer


def reads(schedule, seed, log):
    log(0, loss=float(sum(helper() for _ in range(2))))


def helper():
    def deeper():
        return max([WIDTH + len(SPREAD) for _ in range(2)])

    return deeper()


def builds(schedule, seed, log):
    log(0, loss=float(Model().depth))


def given(**values):
    return functools.partial(functools.partial(train, **values))


CALLABLES = {
    "partial": given(width=3, more=[1.5, "x", {"b", "a", "c"}, (1, 2), None, b"x"]),
    "array": given(more={"of": numpy.arange(6.0).reshape(2, 3), "size": Size.SMALL, "all": Settings()}),
    "closure": closure(4),
    "default": with_default(5),
    "method": Model(6).train,
    "object": Model(7),
    "slots": Slots(8).train,
    "wrapped": wrapped(closure(9)),
    "globals": reads,
    "class": builds,
    "lambda": given(more=lambda x: x + 1),
}
