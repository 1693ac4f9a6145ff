"""Any live scheduler, recognised: sampled on a copy, and said as the smallest schedule that has these values.

Nothing of the user's moves: a scheduler that writes into an optimizer is copied with it, and only the copy is stepped. No
library is imported: what an object is, its methods and the name of its module tell.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from typing import Any

from preheat.compat.configs.reading import Reading
from preheat.compat.sources.fitting import fitted
from preheat.compat.sources.states import restated_from
from preheat.core.checks import counted
from preheat.core.constructors import table
from preheat.core.errors import PreheatError, shown
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.stated import Absolute

_MOVED = ("lr", "momentum", "betas", "weight_decay")  # of a group's, what schedulers write
_CLOSE = 1e-9  # of the largest value: what sampling has to agree to


def recognised(source: Any, total: int) -> Reading:
    """What a live scheduler, an optax or Keras schedule, or a function of the update number computes, as a schedule.

    source: at its beginning, or wherever it stands: the run is looked at from update 0 where it says where that is.
    total: updates to look at. Values are rates where they are written into an optimizer, else what the function gives.

    >>> recognised(lambda t: min(t / 4, 1.0), 10)
    absolute(ramp(0.0, 1.0, 4))

    Raises PreheatError for what cannot be sampled, fails within the run, or gives what is no finite number.
    """
    n = counted(total, "total is the number of updates to look at", least=1)
    others: list[dict[str, Any]] = []
    values = _sampled(source, n, others)
    exact = _read(source, values)
    told = _others(others, with_rest=exact is None or not isinstance(exact, Plan))
    if exact is not None:
        return Reading(exact, Run(total=n), told)
    found, findings = _smallest(values)
    return Reading(Absolute(found), Run(total=n), [*findings, *told])


def _others(groups: list[dict[str, Any]], with_rest: bool) -> list[Finding]:
    """What a scheduler writes beside the first group's rate: of several groups, one after another, update by update."""
    found: list[Finding] = []
    first = next(iter(groups), {})
    if any(each["lr"] != first["lr"] for each in groups):
        what = f"{len(groups)} groups have rates of their own: this is the first group's"
        found.append(Finding("not-carried", "param_groups", what, "give each group a line of its own"))
    moved = [key for key, values in first.items() if key != "lr" and any(one != values[0] for one in values)]
    if moved and with_rest:
        what = f"it moves {' and '.join(moved)} too: this is the rate alone"
        found.append(Finding("not-carried", ", ".join(moved), what, "restate it, as in compat.restate('torch', …)"))
    return found


def _smallest(values: list[float]) -> tuple[Schedule, list[Finding]]:
    plain = table(values)
    found = fitted(values)
    if found is not None and len(repr(found)) <= len(repr(plain)):
        return found, []
    what = f"no schedule of few words has these {len(values)} values: they are a table, which says nothing of what comes after"
    return plain, [Finding("not-recognised", "values", what)]


def _read(source: Any, values: list[float]) -> Any:
    """A torch scheduler from its attributes, which are exact, where sampling agrees."""
    if not type(source).__module__.startswith("torch.optim"):
        return None
    try:
        exact = restated_from(source.state_dict(), type(source).__name__, len(values))
        ours = exact.table(len(values)).tolist()
    except (PreheatError, KeyError, AttributeError, TypeError):
        return None
    close = _CLOSE * (max(map(abs, values)) or 1.0)
    agree = all(abs(a - b) <= close for a, b in zip(ours, values, strict=True))
    return exact.within(Run(total=len(values))) if agree else None


def _sampled(source: Any, n: int, others: list[dict[str, Any]]) -> list[float]:
    """The values of updates 0 … n − 1; `others` gets what moves in each group of an optimizer."""
    if hasattr(source, "optimizer") and hasattr(source, "step"):
        return _stepped(source, n, others)
    if not callable(source):
        raise PreheatError("no scheduler, and no function of the update number", given=source)
    return [_number(source(t), t) for t in range(n)]


def _stepped(source: Any, n: int, others: list[dict[str, Any]]) -> list[float]:
    """What a copy writes into a copy of its optimizer, from its beginning where it can be put there."""
    one = _copied(source)
    asked = getattr(one, "_get_lr", None)
    if callable(asked) and hasattr(one, "step_update"):  # timm's: asked for any t
        first = _rates(one)
        move = one.step if getattr(one, "t_in_epochs", True) else one.step_update
        at = lambda t: (move(t), _rates(one))[1]  # noqa: E731
        return [first if t == 0 else _number(at(t), t) for t in range(n)]
    _rewound(one)
    values: list[float] = []
    others += [{key: [] for key in _MOVED if key in group} for group in one.optimizer.param_groups]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for t in range(n):
            values.append(_number(_rates(one), t))
            for seen, group in zip(others, one.optimizer.param_groups, strict=True):
                for key, series in seen.items():
                    series.append(_plain(group[key]))
            if t + 1 < n:
                try:
                    one.step()
                except Exception as error:
                    what = f"{type(source).__name__} fails after update {t}: {error}"
                    raise PreheatError(what, write=f"look at total={t + 1} updates") from None
    return values


def _plain(value: Any) -> Any:
    """A number, also of a tensor, or a tuple of them, to be compared."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return float(value) if hasattr(value, "item") else value


def _rates(scheduler: Any) -> float:
    return scheduler.optimizer.param_groups[0]["lr"]


def _copied(source: Any) -> Any:
    """A deep copy with an optimizer that has the same groups, of one small parameter each, and no state."""
    optimizer = source.optimizer
    stand_in = _StandIn(
        [{k: copy.deepcopy(v) for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    )
    stand_in.defaults = dict(getattr(optimizer, "defaults", {}))
    memo: dict[int, Any] = {id(optimizer): stand_in}
    for member in (source, *getattr(source, "_schedulers", ())):
        if hasattr(member, "optimizer"):
            memo[id(member.optimizer)] = stand_in
    try:
        return copy.deepcopy(source, memo)
    except Exception as error:
        raise PreheatError(f"{type(source).__name__} cannot be copied, and is not stepped itself: {error}") from None


class _StandIn:
    """What a scheduler writes into in place of an optimizer."""

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self.param_groups, self.defaults = groups, {}

    def step(self, *args: Any) -> None:
        """Nothing is trained."""


def _rewound(one: Any) -> None:
    """Back to update 0, for a scheduler that has been stepped: refused where it does not say how."""
    members = getattr(one, "_schedulers", ())  # of a ChainedScheduler, which counts nothing itself
    inside = max((getattr(member, "last_epoch", 0) for member in members), default=0)
    passed = getattr(one, "last_epoch", getattr(one, "last_step", inside))
    if not isinstance(passed, int) or passed <= 0:
        return
    what = f"{type(one).__name__} stands at update {passed}: what came before cannot be sampled"
    raise PreheatError(what, write="give it as it is built, or its state_dict() to compat.read")


def _number(value: Any, t: int) -> float:
    with contextlib.suppress(TypeError, ValueError, RuntimeError):
        found = float(value)
        if abs(found) < float("inf"):
            return found
    raise PreheatError(f"the value of update {t} is no finite number", given=shown(value))
