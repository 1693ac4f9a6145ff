"""A `param_scheduler` list of mmengine, where its schedulers say a schedule exactly."""

from __future__ import annotations

import math
from typing import Any

from preheat.compat.mmengine import param_scheduler
from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Hold, Ramp
from preheat.core.nodes.sequence import Sequence
from preheat.core.shapes import reverse
from preheat.core.spans import Run
from preheat.core.stated import Absolute, plain

_CLOSE = 1e-9
_INSTEAD = "write ramps and holds in whole updates, linear, cosine or power(p) reversed, one after another"


def write(target: Any, run: Run, peak: float | None = None) -> str:
    """The list as Python, by updates; it is checked against the schedule at every update of the run.

    target: a schedule, or rates where `peak` is the optimizer's own rate.   Raises PreheatError where mmengine cannot say it,
    with the first update that would differ.
    """
    if run.total is None:
        raise PreheatError("mmengine's windows need the length of the run", write="write Run(total=…)")
    bound = target.bind(run)
    scale = peak if isinstance(bound, Absolute) and peak else 1.0
    curve = plain(bound)
    schedulers = _said(curve, run.total, scale)
    found = param_scheduler(schedulers=schedulers)
    largest = max(map(abs, curve.table(run.total).tolist())) or 1.0
    wanted, given = curve.table(run.total), found.schedule.table(run.total) * scale
    for update, (ours, theirs) in enumerate(zip(wanted.tolist(), given.tolist(), strict=True)):
        if abs(ours - theirs) > _CLOSE * largest:
            raise _differs(update, ours, theirs)
    lines = [f"    dict({', '.join(f'{key}={value!r}' for key, value in one.items())}),\n" for one in schedulers]
    return f"param_scheduler = [\n{''.join(lines)}]\n"


def _differs(update: int, ours: float, theirs: float) -> PreheatError:
    what = f"mmengine's schedulers cannot say this: at update {update} they give {theirs:g}, not {ours:g}"
    return PreheatError(what, write=_INSTEAD)


def _said(curve: Schedule, total: int, scale: float) -> list[dict[str, Any]]:
    """A scheduler for each part that moves; what one leaves, the next finds."""
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
            schedulers += _moved(part, (begin, end), value, scale)
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


def _moved(part: Ramp, window: tuple[int, int], value: float, scale: float) -> list[dict[str, Any]]:
    """A ramp; its window is one update longer, so that its end is reached, as mmengine's own ends one before."""
    begin, end = window
    start, last = part.start / scale, part.end / scale
    place = {"begin": begin, "end": end + 1, "by_epoch": False}
    if part.shape.name == "linear" and last > start and last <= value * (1 + _CLOSE):
        return [{"type": "LinearLR", "start_factor": start / value, "end_factor": min(1.0, last / value), **place}]
    if not math.isclose(start, value, rel_tol=_CLOSE):
        raise _differs(begin, start * scale, value * scale)
    if part.shape.name == "cosine":
        return [{"type": "CosineAnnealingLR", "eta_min": last, "T_max": end - begin, **place}]
    if part.shape.name == "linear":
        return [{"type": "PolyLR", "power": 1.0, "eta_min": last, **place}]
    if part.shape.name == "power" and part.shape == reverse(reverse(part.shape)) and part.shape.mirrored:
        return [{"type": "PolyLR", "power": part.shape.exponent, "eta_min": last, **place}]
    raise _differs(begin + 1, part(1), value * scale)
