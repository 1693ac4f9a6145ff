"""A `param_scheduler` list of mmengine, where its schedulers say a schedule exactly."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from preheat.compat.mmengine import param_scheduler
from preheat.compat.parts.tried import rate_alone
from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Ramp
from preheat.core.nodes.sequence import Sequence
from preheat.core.nodes.wrapped import Scaled
from preheat.core.shapes import reverse
from preheat.core.spans import Run
from preheat.core.stated import Absolute, plain

_CLOSE = 1e-9
_INSTEAD = "write ramps and holds in whole updates, linear, cosine or power(p) reversed, one after another"


def write(target: Any, run: Run, peak: float | None = None) -> str:
    """The list as Python, by updates, with the optimizer's rate; it is checked against the schedule at every update.

    target: a schedule, or rates; peak: the optimizer's own rate, by default the highest of the rates.
    Raises PreheatError where mmengine cannot say it, with the first update that would differ.
    """
    if run.total is None:
        raise PreheatError("mmengine's windows need the length of the run", write="write Run(total=…)", hint="total")
    bound = rate_alone(target, "mmengine").bind(run)
    values = plain(bound).table(run.total)
    highest = max(values.tolist())
    base = peak if peak is not None else highest if isinstance(bound, Absolute) and highest > 0 else None
    scale = base if isinstance(bound, Absolute) and base else 1.0
    curve, factor = plain(bound), 1.0
    while isinstance(curve, Scaled) and curve.factor > 0:
        curve, factor = curve.base, factor * curve.factor
    schedulers = _said(_Part(curve, scale / factor, base), run.total)
    found = param_scheduler(schedulers=schedulers, base_lr=base or 1.0)
    wanted, given = (values * ((base or 1.0) / scale)).tolist(), found.schedule.table(run.total).tolist()
    near = _CLOSE * (max(map(abs, wanted)) or 1.0)
    for update, (ours, theirs) in enumerate(zip(wanted, given, strict=True)):
        if abs(ours - theirs) > near:
            raise _differs(update, ours, theirs)
    lines = [f"    dict({', '.join(f'{key}={value!r}' for key, value in one.items())}),\n" for one in schedulers]
    own = "" if base is None else f"optim_wrapper = dict(optimizer=dict(lr={base!r}))\n"
    return f"{own}param_scheduler = [\n{''.join(lines)}]\n"


class _Part(NamedTuple):
    """A curve, what its values are divided by to be factors of the optimizer's rate, and that rate, None where not known."""

    curve: Schedule
    scale: float
    base: float | None


def _differs(update: int, ours: float, theirs: float) -> PreheatError:
    what = f"mmengine's schedulers cannot say this: at update {update} they give {theirs:g}, not {ours:g}"
    return PreheatError(what, write=_INSTEAD)


def _said(whole: _Part, total: int) -> list[dict[str, Any]]:
    """A scheduler for each part that moves; what one leaves, the next finds."""
    curve, scale, _ = whole
    parts = curve.parts if isinstance(curve, Sequence) else (curve,)
    schedulers, begin, value = [], 0, 1.0
    for part in parts:
        length = min(part.length, total - begin)
        if begin >= total:
            break
        if not isinstance(part, Ramp | Hold) or length != int(length):
            what = f"mmengine has no scheduler for what begins at update {begin}: {shown(part, 60)}"
            raise PreheatError(what, write=_INSTEAD)
        end = begin + int(length)
        start = part(0) / scale
        if isinstance(part, Hold) or part.start == part.end:
            if not math.isclose(start, value, rel_tol=_CLOSE):
                schedulers.append(_factor(begin, total, start / value if value else 0.0))
                value = start
        else:
            schedulers += _moved(whole._replace(curve=part), (begin, end), value)
            value = part.end / scale if end < total else part(length - 1) / scale
        begin = end
    return schedulers


def _factor(begin: int, total: int, factor: float) -> dict[str, Any]:
    return {
        "type": "MultiStepLR",
        "milestones": [0],
        "gamma": factor,
        "begin": begin,
        "end": total + 1,
        "by_epoch": False,
    }


def _moved(whole: _Part, window: tuple[int, int], value: float) -> list[dict[str, Any]]:
    """A ramp; its window is one update longer, so that its end is reached, as mmengine's own ends one before."""
    begin, end = window
    part, scale = whole.curve, whole.scale
    assert isinstance(part, Ramp)
    start, last = part.start / scale, part.end / scale
    place = {"begin": begin, "end": end + 1, "by_epoch": False}
    if part.shape.name == "linear" and last > start == 0:
        what = "mmengine's LinearLR cannot begin at a rate of 0: it divides by it"
        raise PreheatError(what, write="begin above 0, as in warmup(100, start=1e-6)")
    if part.shape.name == "linear" and last > start and last <= value * (1 + _CLOSE):
        return [{"type": "LinearLR", "start_factor": start / value, "end_factor": min(1.0, last / value), **place}]
    if not math.isclose(start, value, rel_tol=_CLOSE):
        raise _differs(begin, start * scale, value * scale)
    if part.shape.name == "cosine":
        floor = {"eta_min_ratio": last} if whole.base is None else {"eta_min": last * whole.base}
        return [{"type": "CosineAnnealingLR", **floor, "T_max": end - begin, **place}]
    power = _power(part)
    if power and (last == 0 or whole.base is not None):
        return [{"type": "PolyLR", "power": power, "eta_min": last * (whole.base or 1.0), **place}]
    if power:
        what = f"mmengine's PolyLR says the rate that it ends at, {last:g} of a peak that is not known"
        raise PreheatError(what, write="give peak=, the optimizer's rate", hint="peak")
    raise _differs(begin + 1, part(1), value * scale)


def _power(part: Ramp) -> float | None:
    """The exponent of a fall along a power of the time left; None for another shape."""
    if part.shape.name == "linear":
        return 1.0
    if part.shape.name == "power" and part.shape == reverse(reverse(part.shape)) and part.shape.mirrored:
        return part.shape.exponent
    return None
