"""What is read from another library's config: a value, the run, and what could not be carried over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, NamedTuple

from preheat.compat.configs.assigned import Unread, unread
from preheat.compat.parts.restated import Restated
from preheat.core.checks import counted, positive_number
from preheat.core.errors import BindError, PreheatError, nearest, shown
from preheat.core.findings import Finding
from preheat.core.meant import Meant
from preheat.core.plan import RATE, Plan
from preheat.core.spans import Run
from preheat.core.value import Value

_MISSING = object()
TELLING = frozenset(
    {
        *("lr", "lrs", "rate", "warmup", "warmups", "sched", "scheduler", "schedule", "schedular"),
        *("decay", "epoch", "epochs", "step", "steps"),
    }
)
"""Words in the name of a key that speak of a schedule."""
_CLOSE = 0.8  # of two names, for difflib: one is the other, mistyped


class Given(NamedTuple):
    """What somebody says beside a config, where the config does not: None is not said.

    total: updates in the run.   steps_per_epoch: updates in an epoch.   samples: of the data set.   world_size: processes.
    base_lr: the rate that the optimizer is built with.
    """

    total: int | None = None
    steps_per_epoch: float | None = None
    samples: int | None = None
    world_size: int | None = None
    base_lr: float | None = None

    def checked(self) -> Given:
        """The same; raises PreheatError for what is no number above 0, or no whole one where things are counted."""
        for name, value in self._asdict().items():
            if value is not None and name in ("steps_per_epoch", "base_lr"):
                positive_number(value, f"{name}=")
            elif value is not None:
                counted(value, f"{name}= is a whole number of at least 1", least=1)
        return self


class Reading(Meant, Value):
    """A config as a value: whatever takes a schedule takes it.

    meant, target: the schedule or rates, or a plan where several things move.
    run: the total and the worths that the config says.
    findings: what could not be carried over, keys that are not known, and what its library does that one should know.
    library: whose config it is, a name of compat.PEERS.
    """

    __slots__ = ("findings", "library", "meant", "run")

    run: Run
    findings: tuple[Finding, ...]
    library: str

    def __init__(self, meant: Any, run: Run, findings: Iterable[Finding] = (), library: str = "") -> None:
        self._set(meant=meant, run=run, findings=tuple(findings), library=library)

    @property
    def target(self) -> Any:
        """The schedule, rates or plan."""
        return self.meant.target if isinstance(self.meant, Meant) else self.meant

    @classmethod
    def of(cls, restated: Restated, run: Run, findings: Iterable[Finding] = (), library: str = "") -> Reading:
        """A restatement on its run, cut where the run ends before it does; its findings after those of the config."""
        kept = restated
        if run.total is not None:
            others = {key: _cut(curve, run) for key, curve in restated.others}
            kept = Restated(_cut(restated.schedule, run), others)
        return cls(kept.target, run, (*findings, *restated.findings), library)

    def __iter__(self) -> Iterator[Any]:
        """`target, run, findings = read(path)`."""
        return iter((self.target, self.run, self.findings))

    def having(self, *findings: Finding) -> Reading:
        """The same with further findings."""
        return Reading(self.meant, self.run, (*self.findings, *findings), self.library) if findings else self

    def bind(self, run: Run | None = None, **how: Any) -> Any:
        """The schedule, rates or plan bound to its own run, or to another: see Schedule.bind and Plan.bind."""
        return self.target.bind(self.run if run is None else run, **how)

    def __call__(self, t: Any) -> Any:
        """The rate at time `t` of its run, in ticks."""
        return self._rate()(t)

    def table(self, n: int) -> Any:
        """The rates of updates 0 … n − 1 of its run, a float64 numpy array of shape (n,)."""
        return self._rate().table(n)

    def _rate(self) -> Any:
        bound = self.bind()
        return bound[RATE] if isinstance(bound, Plan) else bound

    def __repr__(self) -> str:
        """The text of the schedule; of a plan, its JSON."""
        return self.target.to_text() if isinstance(self.target, Plan) else repr(self.target)


class Keys:
    """The keys of a config, each asked for once; what nobody asked for is left over.

    >>> keys = Keys({"lr": "1e-4", "warmup_step": 5})
    >>> keys.number("lr"), keys.number("warmup_steps", 0)
    (0.0001, 0)
    >>> print(*keys.left(known=["output_dir"]))
    warmup_step: no key that is known here; did you mean 'warmup_steps'? (unknown-key)
    """

    def __init__(self, data: Mapping[str, Any] | Unread, where: str = "") -> None:
        self._unread = data if isinstance(data, Unread) else None
        self.data: Mapping[str, Any] = {} if isinstance(data, Unread) else data
        self.where = where
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def get(self, key: str, default: Any = None) -> Any:
        """The value as it stands, or the default; a null is the default. Raises PreheatError where it is no literal."""
        value = self._raw(key)
        if (found := unread(value)) is not None:
            raise found.refusal(f"{self.where}{key}")
        return default if value is None else value

    def _raw(self, key: str) -> Any:
        self._asked.add(key)
        if self._unread is not None:
            raise self._unread.refusal(f"{self.where}{key}")
        return self.data.get(key)

    def number(self, key: str, default: Any = _MISSING) -> Any:
        """A number, of text too: YAML takes 1e-4 for text. Raises PreheatError for anything else, and where it is needed."""
        value = self.get(key)
        if value is None:
            if default is _MISSING:
                raise PreheatError(f"the config does not say {self.where}{key}")
            return default
        return number(value, f"{self.where}{key}")

    def whole(self, key: str, default: Any = _MISSING) -> Any:
        """A whole number, 100.0 too."""
        value = self.number(key, default)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if value is not default and not isinstance(value, int):
            raise PreheatError(f"{self.where}{key} must be a whole number", given=value)
        return value

    def count(self, key: str, default: Any = _MISSING) -> Any:
        """A whole number of at least 1: what is divided by."""
        value = self.whole(key, default)
        if value is not default and value < 1:
            raise PreheatError(f"{self.where}{key} must be at least 1", given=value)
        return value

    def section(self, key: str) -> Keys:
        """The keys of a mapping inside; of none where there is none."""
        value = self._raw(key)
        if value is None:
            value = {}
        if not isinstance(value, Mapping | Unread):
            raise PreheatError(f"{self.where}{key} must be a section with keys of its own", given=value)
        return Keys(value, f"{self.where}{key}.")

    def left(self, known: Iterable[str] = ()) -> list[Finding]:
        """A finding for each key that nobody asked for and that is not among `known`, which say nothing of a schedule."""
        harmless = set(known)
        near = self._asked | harmless
        found = {key: _near(str(key), near) for key in self.data if key not in near}
        return [
            Finding("unknown-key", f"{self.where}{key}", f"no key that is known here{hint}")
            for key, hint in found.items()
            if hint or not isinstance(self.data[key], Unread)  # what a file of Python computes for itself
        ]

    def suspicious(self, known: Iterable[str] = (), telling: Iterable[str] = TELLING) -> list[Finding]:
        """Those of `left` that are near to a key that was asked for, or whose names speak of a schedule: see TELLING."""
        own = set(telling)
        return [
            one
            for one in self.left(known)
            if get_close_matches(one.place.removeprefix(self.where), self._asked, n=1, cutoff=_CLOSE)
            or own & set(one.place.removeprefix(self.where).lower().replace("-", "_").split("_"))
        ]


def _cut(curve: Any, run: Run) -> Any:
    """A curve cut where the run ends before it does, or before the parts of it that are no share of the run."""
    if run.total < curve.length < math.inf:
        return curve.truncated(run.total)
    try:
        curve.bind(run)
    except BindError as error:
        return curve.truncated(run.total) if error.hint == "truncate" else curve
    return curve


def number(value: Any, what: str) -> int | float:
    """A number, of text too."""
    if isinstance(value, str):
        text = value.strip().replace("_", "")
        with suppress(ValueError):
            value = int(text) if text.lstrip("+-").isdigit() else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PreheatError(f"{what} must be a number", given=value)
    return value


def _near(key: str, known: Iterable[str]) -> str:
    hint = nearest(key, known)
    return hint if hint.startswith("; did") else ""


def not_known(config: Any, libraries: Iterable[str]) -> PreheatError:
    """What there is to say of a file that no reader recognises."""
    return PreheatError(
        f"{shown(config)} is no config that is known here",
        write=f"say whose it is: library= (--library of check and convert), one of {', '.join(libraries)}",
    )
