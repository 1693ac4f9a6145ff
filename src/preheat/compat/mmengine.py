"""mmengine: every scheduler of a parameter, of the rate and of the momentum, alone and as a `param_scheduler` list.

One tick is one step of the scheduler: an update, or an epoch where by_epoch=True and no epoch_length= is given. With it ticks
are updates, and what goes by epochs stands still inside one, unless convert_to_iter_based=True.
Each acts on the value that it finds, in its window from begin to before end, and leaves it there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, signature
from typing import Any, NamedTuple

from preheat.compat.parts.curves import cosine_wave, exponential, one_cycle, short_ramp, stairs
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors, rate_argument, resumed
from preheat.compat.parts.windows import Window, acting
from preheat.core.checks import counted, finite_number, one_of, positive_number
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import power as power_shape
from preheat.core.shapes import reverse
from preheat.core.stated import Absolute

PEER = Peer("mmengine", "0.10.7", "mmengine/optim/scheduler/param_scheduler.py")
INF = 10**9  # the end of a window that has none
_IN_STEPS = ("step_size", "milestones", "T_max", "periods", "total_steps")  # what convert_to_iter_based multiplies


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


class _Frame(NamedTuple):
    """Where a scheduler acts, in its own steps, and on what.

    ticks: updates in a step.   initial: the value that it takes for the initial one, and unit: what 1 stands for.
    """

    begin: int
    end: int
    ticks: int
    initial: float
    unit: float
    faithful: bool
    late: bool

    @property
    def last(self) -> int:
        """The number of its last step, from its begin."""
        return self.end - self.begin - 1

    def window(self, curve: Schedule, first: int = 0, until: int | None = None, **more: Any) -> Window:
        """What it does from its step `first` on to before `until`."""
        end = self.end if until is None else min(self.end, self.begin + until)
        return Window(
            (self.begin + first) * self.ticks,
            math.inf if end >= INF else end * self.ticks,
            curve,
            every=self.ticks,
            late=self.late,
            **more,
        )


Acts = tuple[list[Window], list[Finding]]


def _constant(at: _Frame, *, factor: float = 1.0 / 3) -> Acts:
    """`factor` up to the last step of the window, where it is taken back."""
    k = _share(factor, "factor")
    if not at.last or at.end >= INF:
        return [at.window(hold(k))], _stuck(at)
    if not k:
        raise PreheatError("mmengine divides by the factor at the end of the window", given=factor)
    return [at.window(hold(k, at.last * at.ticks) >> hold())], []


def _linear(at: _Frame, *, start_factor: float = 1.0 / 3, end_factor: float = 1.0) -> Acts:
    """start_factor + (end_factor − start_factor)·s/n, n one less than the window is long."""
    start, end = _share(start_factor, "start_factor"), _share(end_factor, "end_factor")
    if not at.last:
        return [at.window(hold(start))], _stuck(at)
    if not start:
        what = "mmengine divides by a start_factor of 0 at the second step"
        raise PreheatError(what, write="write start_factor=1e-6")
    return [at.window(short_ramp(start, end, at.last * at.ticks))], []


def _stuck(at: _Frame) -> list[Finding]:
    if at.last or at.end >= INF:
        return []
    what = "a window of one step: the factor of its start is never taken back"
    return [Finding("unexpected-value", f"end={at.end}", what, "write a window of two steps at least, or none")]


def _exponential(at: _Frame, *, gamma: float) -> Acts:
    """gammaˢ."""
    return [at.window(exponential(1.0, _power_of(gamma), at.ticks))], []


def _step(at: _Frame, *, step_size: int, gamma: float = 0.1) -> Acts:
    """gamma to the number of whole step_sizes that have passed since begin."""
    size = counted(step_size, "step_size is a number of steps", least=1) * at.ticks
    ratio = _power_of(gamma)
    if ratio <= 1:
        return [at.window(hold(1.0, size).repeated(shrink=ratio))] if ratio else [
            at.window(stairs([1.0, 0.0], [size]))
        ], []
    most = min(-(-(at.end - at.begin) * at.ticks // size), int(600 / math.log(ratio)))
    return [at.window(hold(1.0, size).repeated(most, shrink=ratio))], []


def _multi_step(at: _Frame, *, milestones: Sequence[int], gamma: float = 0.1) -> Acts:
    """gamma to the number of milestones that have passed, each counted from begin."""
    edges = sorted(counted(edge, "a milestone is a number of steps") * at.ticks for edge in milestones)
    ratio = _power_of(gamma)
    return [at.window(stairs([ratio**i for i in range(len(edges) + 1)], edges))], []


def _cosine(
    at: _Frame,
    *,
    T_max: int | None = None,  # noqa: N803  its own name
    eta_min: float | None = None,
    eta_min_ratio: float | None = None,
) -> Acts:
    """eta_min + (v − eta_min)·(1 + cos(πs/T_max))/2 of the value v found; T_max is the window unless given.

    A T_max shorter than the window: it climbs again, to the initial value.
    """
    if eta_min is None and eta_min_ratio is None:
        eta_min = 0.0
    floor, findings = _floor(at, eta_min, eta_min_ratio)
    half = counted(T_max or at.end - at.begin, "T_max is a number of steps", least=1)
    if half > at.last:
        return [at.window(short_ramp(1.0, 0.0, half * at.ticks, "cosine"), floor=floor)], findings
    height, ticks = at.initial - floor, half * at.ticks
    if at.end >= INF and not at.faithful:
        what = "it climbs back to the initial value; here the last value is kept"
        findings = [*findings, Finding("after-the-end", f"update {at.begin * at.ticks + ticks}", what)]
        return [at.window(cosine_wave(ticks, until=ticks), floor=floor)], findings
    return [at.window(cosine_wave(ticks), floor=floor, zero=ticks, height=height)], findings


def _poly(at: _Frame, *, eta_min: float = 0.0, power: float = 1.0) -> Acts:
    """eta_min + (v − eta_min)·(1 − s/n)ᵖᵒʷᵉʳ of the value v found, n one less than the window is long."""
    floor, findings = _floor(at, eta_min, None)
    if not at.last:
        return [at.window(hold(), floor=floor)], findings
    shape = reverse(power_shape(positive_number(power, "power")))
    return [at.window(short_ramp(1.0, 0.0, at.last * at.ticks, shape), floor=floor)], findings


def _cosine_restart(
    at: _Frame,
    *,
    periods: Sequence[int],
    restart_weights: Sequence[float] = (1,),
    eta_min: float | None = None,
    eta_min_ratio: float | None = None,
) -> Acts:
    """Half a cosine in each period, from its weight of the initial value to eta_min."""
    if (eta_min is None) == (eta_min_ratio is None):
        raise PreheatError("one of eta_min and eta_min_ratio is needed", write="write eta_min=0.0")
    if len(periods) != len(restart_weights):
        raise PreheatError(f"{len(periods)} periods and {len(restart_weights)} restart_weights: as many are needed")
    floor, findings = _floor(at, eta_min, eta_min_ratio)
    windows, first = [], 0
    for period, weight in zip(periods, restart_weights, strict=True):
        steps = counted(period, "a period is a number of steps", least=1)
        if at.begin + first < at.end:
            fall = short_ramp(1.0, 0.0, steps * at.ticks, "cosine")
            peak = at.initial * finite_number(weight, "a restart weight")
            windows.append(at.window(fall, first, first + steps, floor=floor, start=peak))
        first += steps
    return windows, findings


def _one_cycle(
    at: _Frame,
    *,
    eta_max: float = 0.0,
    total_steps: int | None = None,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> Acts:
    """eta_max/div_factor up to eta_max and down to eta_max/(div_factor·final_div_factor), whatever the value was."""
    total = counted(total_steps or at.end - at.begin, "total_steps is a number of steps", least=1)
    share = finite_number(pct_start, "pct_start")
    if not isinstance(pct_start, float) or not 0 <= share <= 1:
        raise PreheatError("pct_start is a float from 0 to 1", given=pct_start)
    shape = {"cos": "cosine", "linear": "linear"}[one_of(anneal_strategy, "anneal_strategy", ("cos", "linear"))]
    peak = finite_number(eta_max, "eta_max") / at.unit
    start = peak / positive_number(div_factor, "div_factor")
    ends = start, peak, start / positive_number(final_div_factor, "final_div_factor")
    beyond = at.faithful and total < at.end - at.begin
    curve = one_cycle(ends, total, share, shape, phases=3 if three_phase else 2, beyond=beyond)
    findings = []
    if total < at.end - at.begin:
        what = "it raises ValueError; here the last value is kept"
        findings = [Finding("raises-after-the-end", f"step {at.begin + total + 1}", what)]
    return [at.window(_slower(curve, at.ticks), sets=True)], findings


def _slower(curve: Schedule, ticks: int) -> Schedule:
    """The values of a curve, each for so many ticks."""
    if ticks == 1:
        return curve
    steps = math.ceil(curve.length) + 1
    return stairs(curve.table(steps).tolist(), [i * ticks for i in range(1, steps)])


_ACTS: dict[str, Callable[..., Acts]] = {
    "Constant": _constant,
    "Linear": _linear,
    "Exponential": _exponential,
    "Step": _step,
    "MultiStep": _multi_step,
    "CosineAnnealing": _cosine,
    "CosineRestart": _cosine_restart,
    "Poly": _poly,
    "OneCycle": _one_cycle,
}
_PLATEAU = {
    "monitor": "loss",
    "rule": "less",
    "factor": 0.1,
    "patience": 10,
    "threshold": 1e-4,
    "threshold_rule": "rel",
    "cooldown": 0,
    "min_value": 0.0,
    "eps": 1e-8,
}
_WINDOW = {
    "begin": 0,
    "end": INF,
    "last_step": -1,
    "by_epoch": True,
    "verbose": False,
    "convert_to_iter_based": False,
    "epoch_length": None,
}


def param_scheduler_of(
    schedulers: Sequence[Mapping[str, Any]],
    base_lr: float,
    base_momentum: float,
    epoch_length: int | None,
    faithful: bool,
) -> tuple[dict[str, Schedule], list[Finding]]:
    """The curves of a list of schedulers, as multiples of the rate and of the momentum, and what to know."""
    found: dict[str, list[Window]] = {}
    findings: list[Finding] = []
    initial = {"lr": 1.0, "momentum": 1.0}
    if epoch_length is None and len({bool(one.get("by_epoch", True)) for one in schedulers}) > 1:
        what = "some of the schedulers count epochs, others updates"
        raise PreheatError(what, write="write epoch_length=…, updates in an epoch")
    for scheduler in schedulers:
        given = dict(scheduler)
        kind, hyper = _kind(given.pop("type", None))
        given.setdefault("epoch_length", epoch_length)
        if kind == "ReduceOnPlateau":
            if not given.get("by_epoch", True):
                write = "write by_epoch=True, or use the rule Plateau"
                raise PreheatError("ReduceOnPlateau is stepped by epochs alone in mmengine", write=write)
            what = "the value falls when a metric stops improving"
            findings.append(Finding("metric-driven", str(given.get("monitor", "loss")), what, "use the rule Plateau"))
            found.setdefault(hyper, [])
            continue
        unit = positive_number(base_lr if hyper == "lr" else base_momentum, f"base_{hyper}")
        windows, more = _acts((kind, hyper), given, initial[hyper], unit, faithful)
        findings += more
        if kind == "OneCycle":  # it writes initial_lr, which those after it read
            initial[hyper] = given.get("eta_max", 0.0) / unit / given.get("div_factor", 25.0)
        found.setdefault(hyper, []).extend(windows)
    return {hyper: acting(windows) if windows else hold() for hyper, windows in found.items()}, findings


def _acts(named: tuple[str, str], given: dict[str, Any], initial: float, unit: float, faithful: bool) -> Acts:
    kind, hyper = named
    own = {key: value for key, value in given.items() if key not in _WINDOW}
    window = {key: given.get(key, default) for key, default in _WINDOW.items()}
    if kind == "OneCycle" and hyper != "lr":
        raise PreheatError("OneCycle is for the rate alone in mmengine", write="write it without the momentum")
    act = _ACTS[kind]
    known = [name for name in signature(act).parameters if name != "at"]
    for name in own:
        if name not in known:
            raise PreheatError(f"{kind} has no argument {shown(name)}{nearest(name, [*known, *_WINDOW])}")
    for name in [n for n in known if signature(act).parameters[n].default is Parameter.empty and n not in own]:
        raise PreheatError(f"{kind} needs {name}", write=f"write {name}=…")
    begin, end, ticks = _placed(window, own)
    late = bool(window["by_epoch"] and window["epoch_length"] and not window["convert_to_iter_based"])
    if end <= begin:
        raise PreheatError(f"end must be larger than begin, {begin}", given=end)
    windows, findings = act(_Frame(begin, end, ticks, initial, unit, faithful, late), **own)
    return windows, [*resumed_step(window["last_step"]), *_known_rates(own, unit), *findings]


def _placed(window: dict[str, Any], own: dict[str, Any]) -> tuple[int, int, int]:
    """begin and end in own steps, and the updates of a step; what is told in steps is converted with them."""
    length = window["epoch_length"]
    if length is not None:
        length = counted(length, "epoch_length is the number of updates in an epoch", least=1)
    if window["convert_to_iter_based"]:
        if not window["by_epoch"]:
            raise PreheatError(
                "only by_epoch=True can be converted to updates", write="leave convert_to_iter_based out"
            )
        if length is None:
            raise PreheatError(
                "convert_to_iter_based needs epoch_length", write="write epoch_length=…, updates in an epoch"
            )
        for key in _IN_STEPS:
            if own.get(key) is not None:
                value = own[key]
                own[key] = [one * length for one in value] if isinstance(value, Sequence) else value * length
        ends = [int(finite_number(window[key], key) * length) for key in ("begin", "end")]
        return ends[0], INF if window["end"] == INF else ends[1], 1
    begin, end = (counted(window[key], f"{key} is a number of steps") for key in ("begin", "end"))
    return begin, end, length if window["by_epoch"] and length else 1


def resumed_step(last_step: int) -> list[Finding]:
    """A finding where a position was given."""
    return [finding._replace(place="last_step") for finding in resumed(last_step)]


def _known_rates(own: dict[str, Any], unit: float) -> list[Finding]:
    return [one for key in ("eta_min", "eta_max") for one in rate_argument(key, own.get(key), unit)]


def _kind(name: Any) -> tuple[str, str]:
    """The kind of a scheduler and what it moves, by its class: LinearLR, LinearMomentum, LinearParamScheduler."""
    known = [*_ACTS, "ReduceOnPlateau"]
    for ending, hyper in (("LR", "lr"), ("Momentum", "momentum"), ("ParamScheduler", "lr")):
        if isinstance(name, str) and name.endswith(ending) and name.removesuffix(ending) in known:
            return name.removesuffix(ending), hyper
    near = nearest(str(name), [f"{kind}{ending}" for kind in known for ending in ("LR", "Momentum")])
    raise PreheatError(f"mmengine has no scheduler {shown(name)}{near}")


def _floor(at: _Frame, eta_min: float | None, ratio: float | None) -> tuple[float, list[Finding]]:
    if eta_min is not None and ratio is not None:
        raise PreheatError("eta_min and eta_min_ratio exclude each other", write="write one of them")
    if ratio is not None:
        return at.initial * finite_number(ratio, "eta_min_ratio"), []
    return finite_number(eta_min, "eta_min") / at.unit, []


def _share(value: float, name: str) -> float:
    share = finite_number(value, name)
    if not 0 <= share <= 1:
        raise PreheatError(f"{name} is from 0 to 1 in mmengine", given=value)
    return share


def _power_of(gamma: float) -> float:
    ratio = finite_number(gamma, "gamma")
    if ratio < 0:
        raise PreheatError("gamma must be at least 0", given=gamma)
    return ratio


@PEER.restates("param_scheduler")
def param_scheduler(
    *,
    schedulers: Sequence[Mapping[str, Any]],
    epoch_length: int | None = None,
    base_lr: float = 1.0,
    base_momentum: float = 0.9,
    faithful: bool = False,
) -> Restated:
    """A `param_scheduler` list: mappings with their class under "type", each acting on the value that it finds.

    Where they overlap, those that count updates act before those that count epochs. epoch_length: updates in an epoch.
    """
    curves, findings = param_scheduler_of(schedulers, base_lr, base_momentum, epoch_length, faithful)
    rate = factors(curves.pop("lr", hold()), base_lr)
    others = {key: Absolute(curve.scaled(base_momentum)) for key, curve in curves.items()}
    return Restated(rate.schedule, others, findings)


def _alone(kind: str, hyper: str, parameters: Mapping[str, Any], doc: str) -> None:
    """Register the function of one scheduler: its own arguments, those of its window, and ours."""
    name = f"{kind}{'LR' if hyper == 'lr' else 'Momentum'}"
    base = {"base_lr": 1.0} if hyper == "lr" else {"base_lr": 1.0, "base_momentum": 0.9}

    def function(**arguments: Any) -> Restated:
        bases = {key: arguments.pop(key) for key in base if key in arguments}
        faithful = arguments.pop("faithful", False)
        epoch_length = arguments.get("epoch_length")
        scheduler = {"type": name, **arguments}
        return param_scheduler(schedulers=[scheduler], epoch_length=epoch_length, faithful=faithful, **bases)

    defaults = {**parameters, **_WINDOW, **base, "faithful": False}
    function.__name__ = function.__qualname__ = _snake(name)
    function.__doc__ = doc
    kinds = [Parameter(key, Parameter.KEYWORD_ONLY, default=value) for key, value in defaults.items()]
    function.__signature__ = Signature(kinds)  # type: ignore[attr-defined]
    PEER.restates(name)(function)


def _snake(name: str) -> str:
    letters = (
        f"_{a.lower()}" if a.isupper() and i and not name[i - 1].isupper() else a.lower() for i, a in enumerate(name)
    )
    return "".join(letters)


for _name, _function in _ACTS.items():
    _own = {key: one.default for key, one in signature(_function).parameters.items() if key != "at"}
    _alone(_name, "lr", _own, _function.__doc__ or "")
    if _name != "OneCycle":
        _alone(_name, "momentum", _own, _function.__doc__ or "")
for _hyper in ("lr", "momentum"):
    _alone("ReduceOnPlateau", _hyper, _PLATEAU, "The value as it is, and what a metric makes of it.")
