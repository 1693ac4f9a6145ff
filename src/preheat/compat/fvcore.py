"""fvcore: every ParamScheduler. They are functions of where = t/T; max_iter= is T, as detectron2's LRMultiplier calls it.

Their values are rates, or what detectron2 multiplies the rate by; base_lr= multiplies them. The schedulers of a composite are
mappings: {"type": "CosineParamScheduler", "start_value": 1.0, "end_value": 0.0}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from preheat.compat.parts.curves import cosine_wave, exponential, first_tick, lasting, line, short_ramp, stairs
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, ignored, values
from preheat.core.checks import Number, counted, finite_number, int_if_whole, one_of, positive_number
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import power as power_shape
from preheat.core.shapes import reverse

PEER = Peer("fvcore", "0.1.5.post20221221", "fvcore/common/param_scheduler.py")
_EPSILON = 1e-6  # what fvcore adds to `where` before it asks which step or part that is


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


class Progress(NamedTuple):
    """What a scheduler takes for `where`, of a run of `total` updates: all of it, or a part that is rescaled.

    start, length: of the part, as shares of the run.   origin: the update that times are counted from.
    """

    total: int
    start: float = 0.0
    length: float = 1.0
    origin: int = 0

    def where(self, tick: int) -> float:
        """What the scheduler is called with at an update of the run."""
        share = tick / self.total
        return share if self.length == 1.0 and not self.start else (share - self.start) / self.length

    def at(self, where: float) -> Number:
        """The time of a `where`, from the origin."""
        return int_if_whole((self.start + where * self.length) * self.total - self.origin)

    @property
    def earliest(self) -> float:
        """The first `where` of a part that begins a little before its start, and 0 of any other."""
        first = self.where(self.origin)
        return first if first < -1e-12 else 0.0


class Built(NamedTuple):
    """The curve of a scheduler from its origin on, what fvcore does after the end of the run, and whether it fails there."""

    curve: Schedule
    after: str
    fails: bool = False


def _constant(progress: Progress, faithful: bool, value: float) -> Built:
    return Built(hold(finite_number(value, "value")), "it raises RuntimeError", True)


def _cosine(progress: Progress, faithful: bool, start_value: float, end_value: float) -> Built:
    half = int_if_whole(progress.length * progress.total)
    start, end = finite_number(start_value, "start_value"), finite_number(end_value, "end_value")
    waves = cosine_wave(half, end, None if faithful else half, start)
    return Built(_moved(waves, progress.at(0.0)), f"it goes back to {start:g}")


def _exponential(progress: Progress, faithful: bool, start_value: float, decay: float) -> Built:
    if finite_number(decay, "decay") < 0:
        raise PreheatError("a power of a negative decay is no rate", given=decay, write="write a decay above 0")
    first, whole = progress.earliest, progress.length * progress.total
    start = finite_number(start_value, "start_value") * decay**first
    curve = exponential(start, decay, int_if_whole(whole))
    return Built(_moved(curve, progress.at(first)), "it goes on")


def _linear(progress: Progress, faithful: bool, start_value: float, end_value: float) -> Built:
    first, whole = progress.earliest, progress.length * progress.total
    start, end = finite_number(start_value, "start_value"), finite_number(end_value, "end_value")
    ticks, begin = int_if_whole(whole * (1 - first)), start + (end - start) * first
    curve = line(begin, end, ticks) if faithful else short_ramp(begin, end, ticks)
    return Built(_moved(curve, progress.at(first)), "it goes on, below 0 too")


def _polynomial(progress: Progress, faithful: bool, base_value: float, power: float) -> Built:
    exponent, first = positive_number(power, "power"), progress.earliest
    ticks = int_if_whole(progress.length * progress.total * (1 - first))
    base = finite_number(base_value, "base_value") * (1 - first) ** exponent
    curve: Schedule = short_ramp(base, 0.0, ticks, reverse(power_shape(exponent)))
    if faithful and exponent.is_integer():
        runs = 16
        up = base * runs**exponent * (-1 if exponent % 2 else 1)
        curve = curve >> short_ramp(0.0, up, ticks * runs, power_shape(exponent))
    fails = not exponent.is_integer()
    what = "the power is a complex number" if fails else "it rises again or falls below 0"
    return Built(_moved(curve, progress.at(first)), what, fails)


def _step(progress: Progress, faithful: bool, values: Sequence[float], num_updates: float) -> Built:
    positive_number(num_updates, "num_updates")
    known, n = _values(values), len(values)
    edges = [_edge(progress, n, i) for i in range(1, n)]
    return Built(stairs(known, edges), "it raises IndexError", True)


def _step_with_fixed_gamma(
    progress: Progress, faithful: bool, *, base_value: float, num_decays: int, gamma: float, num_updates: int
) -> Built:
    base, ratio = positive_number(base_value, "base_value"), positive_number(gamma, "gamma")
    count = counted(num_decays, "num_decays is a whole number of at least 1", least=1)
    counted(num_updates, "num_updates is a whole number of at least 1", least=1)
    return _step(progress, faithful, [base * ratio**i for i in range(count + 1)], num_updates)


def _multi_step(
    progress: Progress,
    faithful: bool,
    values: Sequence[float],
    num_updates: int | None = None,
    milestones: Sequence[int] | None = None,
) -> Built:
    known, updates, edges = _values(values), num_updates, milestones
    if updates is None and edges is None:
        raise PreheatError("multi_step_param_scheduler needs num_updates or milestones")
    if edges is None:
        width = math.ceil(updates / len(known))  # type: ignore[operator]  one of them is given
        edges = [width * (i + 1) for i in range(len(known) - 1)]
    elif len(edges) != len(known) - (updates is not None):
        fit = len(known) - (updates is not None)
        raise PreheatError(f"{len(known)} values need {fit} milestones", given=list(edges))
    if updates is None:
        updates, edges = edges[-1], edges[:-1]
    if updates < len(known):
        raise PreheatError(f"num_updates={updates} is less than the {len(known)} values")
    if any(b <= a for a, b in zip((0, *edges), (*edges, updates), strict=True)):
        raise PreheatError("milestones must rise from above 0 to below num_updates", given=list(edges))
    curve = stairs(known, [_edge(progress, updates, edge) for edge in edges])
    return Built(curve, "it raises RuntimeError", True)


def _composite(
    progress: Progress,
    faithful: bool,
    schedulers: Sequence[Mapping[str, Any]],
    lengths: Sequence[float],
    interval_scaling: Sequence[str],
) -> Built:
    shares = [finite_number(length, "a length") for length in lengths]
    if not shares or not len(schedulers) == len(shares) == len(interval_scaling):
        raise PreheatError("a composite takes equally many schedulers, lengths and interval_scaling, one at least")
    if abs(sum(shares) - 1.0) >= 1e-3:
        raise PreheatError(f"the lengths add up to {sum(shares):g}, not 1", given=shares)
    if sum(shares) != 1.0:
        shares[-1] = 1.0 - sum(shares[:-1])
    if progress.start or progress.length != 1.0:
        raise PreheatError("a composite inside a rescaled part cannot be said", write="write its schedulers in turn")
    found: Built | None = None
    begin, reached = progress.origin, 0.0
    for i, (scheduler, share, scaling) in enumerate(zip(schedulers, shares, interval_scaling, strict=True)):
        reached, last = reached + share, i == len(shares) - 1
        rescaled = one_of(scaling, "interval_scaling", ("rescaled", "fixed")) == "rescaled"
        end = progress.total if last else max(begin, _after(progress.total, reached))
        if end == begin and not last:
            continue
        if rescaled and share <= 0:  # only the last can be left, which begins at the end
            return found._replace(after="it divides by zero", fails=True)  # type: ignore[union-attr]
        inner = Progress(progress.total, reached - share, share, begin) if rescaled else progress._replace(origin=begin)
        part = built(scheduler, inner, faithful and last)
        curve = part.curve if last else lasting(part.curve, end - begin)
        found, begin = part._replace(curve=curve if found is None else found.curve >> curve), end
    return found  # type: ignore[return-value]  the last part always is


_BUILT: dict[str, Callable[..., Built]] = {
    "ConstantParamScheduler": _constant,
    "CosineParamScheduler": _cosine,
    "ExponentialParamScheduler": _exponential,
    "LinearParamScheduler": _linear,
    "PolynomialDecayParamScheduler": _polynomial,
    "StepParamScheduler": _step,
    "StepWithFixedGammaParamScheduler": _step_with_fixed_gamma,
    "MultiStepParamScheduler": _multi_step,
    "CompositeParamScheduler": _composite,
}


def built(scheduler: Mapping[str, Any], progress: Progress, faithful: bool) -> Built:
    """The curve of a scheduler that is given as a mapping, its class under "type"."""
    if not isinstance(scheduler, Mapping) or "type" not in scheduler:
        what = "a scheduler of a composite is a mapping with its class under 'type'"
        raise PreheatError(what, given=scheduler, write="write {'type': 'ConstantParamScheduler', 'value': 1.0}")
    given = dict(scheduler)
    name = one_of(given.pop("type"), "ParamScheduler", _BUILT)
    try:
        return _BUILT[name](progress, faithful, **given)
    except TypeError as error:
        raise PreheatError(f"{name}: {str(error).partition('() ')[2]}") from None


def restated(scheduler: Mapping[str, Any], max_iter: int, faithful: bool) -> tuple[Schedule, list[Finding]]:
    """The curve of a run of max_iter updates, held at its last value after it unless faithful, and what to know."""
    total = counted(max_iter, "max_iter is a number of updates", least=1)
    curve, after, fails = built(scheduler, Progress(total), faithful)
    if faithful and not fails:
        return curve, []
    kept = curve if fails or curve.length == total else curve.truncated(total)
    return kept, [Finding("after-the-end", f"update {total}", f"{after}; here the last value is kept")]


def _moved(curve: Schedule, ticks: Number) -> Schedule:
    return curve.shifted(ticks) if abs(ticks) > 1e-9 else curve


def _values(values: Sequence[float]) -> list[float]:
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise PreheatError("values is a list of at least one number", given=values)
    return [finite_number(value, "a value") for value in values]


def _edge(progress: Progress, count: Number, step: Number) -> int:
    """The time at which fvcore takes `where` to have reached `step` of `count`, a millionth of the run early."""

    def reached(tick: int) -> bool:
        return int((progress.where(tick) + _EPSILON) * count) >= step

    near = progress.at(step / count - _EPSILON) + progress.origin
    return max(0, first_tick(reached, near) - progress.origin)


def _after(total: int, share: float) -> int:
    """The first update that fvcore takes to be past a share of the run."""
    return first_tick(lambda tick: tick / total + _EPSILON > share, (share - _EPSILON) * total)


def _given(name: str, max_iter: int, base_lr: float, faithful: bool, arguments: dict[str, Any]) -> Restated:
    curve, findings = restated({"type": name, **arguments}, max_iter, faithful)
    return values(curve, base_lr, findings)


@PEER.restates("ConstantParamScheduler")
def constant_param_scheduler(*, value: float, max_iter: int, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """The value."""
    return _given("ConstantParamScheduler", max_iter, base_lr, faithful, {"value": value})


@PEER.restates("CosineParamScheduler")
def cosine_param_scheduler(
    *, start_value: float, end_value: float, max_iter: int, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """end + (start − end)·(1 + cos(πt/T))/2, which goes back to the start after T."""
    arguments = {"start_value": start_value, "end_value": end_value}
    return _given("CosineParamScheduler", max_iter, base_lr, faithful, arguments)


@PEER.restates("ExponentialParamScheduler")
def exponential_param_scheduler(
    *, start_value: float, decay: float, max_iter: int, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """start · decay^(t/T)."""
    arguments = {"start_value": start_value, "decay": decay}
    return _given("ExponentialParamScheduler", max_iter, base_lr, faithful, arguments)


@PEER.restates("LinearParamScheduler")
def linear_param_scheduler(
    *, start_value: float, end_value: float, max_iter: int, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """start + (end − start)·t/T, which goes on after T, below 0 too."""
    arguments = {"start_value": start_value, "end_value": end_value}
    return _given("LinearParamScheduler", max_iter, base_lr, faithful, arguments)


@PEER.restates("PolynomialDecayParamScheduler")
def polynomial_decay_param_scheduler(
    *, base_value: float, power: float, max_iter: int, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """base · (1 − t/T)ᵖᵒʷᵉʳ."""
    arguments = {"base_value": base_value, "power": power}
    return _given("PolynomialDecayParamScheduler", max_iter, base_lr, faithful, arguments)


@PEER.restates("StepParamScheduler")
def step_param_scheduler(
    *, values: Sequence[float], num_updates: float, max_iter: int, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """values[⌊n·(t/T + 10⁻⁶)⌋] of n values; num_updates is not used there: it is max_iter that divides the run."""
    arguments = {"num_updates": num_updates, "values": values}
    found = _given("StepParamScheduler", max_iter, base_lr, faithful, arguments)
    return found.having(*ignored("num_updates", num_updates, max_iter, "the run is divided by its own length"))


@PEER.restates("StepWithFixedGammaParamScheduler")
def step_with_fixed_gamma_param_scheduler(
    *,
    base_value: float,
    num_decays: int,
    gamma: float,
    num_updates: int,
    max_iter: int,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """base · gammaⁱ in num_decays + 1 equal steps; num_updates is not used there."""
    arguments = {"base_value": base_value, "num_decays": num_decays, "gamma": gamma, "num_updates": num_updates}
    found = _given("StepWithFixedGammaParamScheduler", max_iter, base_lr, faithful, arguments)
    return found.having(*ignored("num_updates", num_updates, max_iter, "the run is divided by its own length"))


@PEER.restates("MultiStepParamScheduler")
def multi_step_param_scheduler(
    *,
    values: Sequence[float],
    num_updates: int | None = None,
    milestones: Sequence[int] | None = None,
    max_iter: int,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Each value up to its milestone, in the units of num_updates (or of the last milestone): they share the run T."""
    arguments = {"values": values, "num_updates": num_updates, "milestones": milestones}
    return _given("MultiStepParamScheduler", max_iter, base_lr, faithful, arguments)


@PEER.restates("CompositeParamScheduler")
def composite_param_scheduler(
    *,
    schedulers: Sequence[Mapping[str, Any]],
    lengths: Sequence[float],
    interval_scaling: Sequence[str],
    max_iter: int,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Schedulers in turn, each for its share of the run: "fixed" goes on as on the whole run, "rescaled" on its part alone."""
    arguments = {"schedulers": schedulers, "lengths": lengths, "interval_scaling": interval_scaling}
    return _given("CompositeParamScheduler", max_iter, base_lr, faithful, arguments)
