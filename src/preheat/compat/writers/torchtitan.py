"""torchtitan's TOML: the sections that give exactly this schedule, or a refusal that names the update where it differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from preheat.compat import torchtitan
from preheat.compat.parts.restated import Restated, curve_of
from preheat.compat.parts.tried import rate_alone
from preheat.core.errors import PreheatError
from preheat.core.meant import Meant
from preheat.core.spans import Run
from preheat.core.stated import Absolute

CLOSE = 1e-12  # of the peak


def write(target: Any, run: Run, peak: float | None = None) -> str:
    """The sections optimizer, lr_scheduler and training, as text.

    target: a schedule, rates, a restatement or a reading.   run: with its total.   peak: the rate that factors multiply.

    Raises PreheatError where torchtitan cannot say it: for a plan of several lines, without a total or a peak, and where the
    nearest that it can say differs, with the first update that does.
    """
    meant = rate_alone(target.target if isinstance(target, Meant) else target, "torchtitan")
    if run.total is None:
        raise PreheatError("torchtitan's config needs the total", write="give Run(total=…)", hint="total")
    bound = meant.bind(run)
    values = curve_of(bound).table(run.total).tolist()
    high = max(values)
    if isinstance(bound, Absolute):
        peak = high
    elif peak is not None:
        peak = peak if abs(high - 1) <= CLOSE else peak * high  # factors that say relative(…), or are scaled
    if high > 0:
        values = [value / high for value in values]
    if peak is None or not peak > 0 or not high > 0:
        raise PreheatError(
            "torchtitan's config needs the peak as a rate", given=peak, write="give peak=3e-4", hint="peak"
        )
    best, first = None, -1
    for said in _candidates(values):
        differs = _differs(torchtitan.lr_schedulers_container(training_steps=run.total, **said), values)
        if differs is None:
            return _toml(said, peak, run.total)
        if differs > first:
            best, first = said, differs
    raise PreheatError(
        f"torchtitan cannot say this schedule: the nearest differs from update {first} on ({best})",
        write="use preheat.torchtitan.ScheduleContainer, which follows any schedule",
    )


def _candidates(values: list[float]) -> Iterator[dict[str, Any]]:
    """What its arguments can be, judging from where the values reach the peak and leave it."""
    total = len(values)
    at_peak = [i for i, value in enumerate(values) if abs(value - 1) <= CLOSE]
    if not at_peak:
        return
    warm = at_peak[0] + 1 if at_peak[0] else 0
    down = total - 1 - at_peak[-1] + 1  # the decay begins with the last update at the peak
    lengths = [warm, 1] if warm == 0 else [warm]
    for steps in lengths:
        for kind in torchtitan.SHAPES:
            for floor in _floors(values, down, kind):
                whole = down == total - steps
                for ratio in [None] if whole else [down / total]:
                    yield _said(steps, ratio, kind, floor)
        if down == 1:
            yield _said(steps, 0.0, "linear", 0.0)


def _said(steps: int, ratio: float | None, kind: str, floor: float) -> dict[str, Any]:
    said: dict[str, Any] = {"warmup_steps": steps, "decay_type": kind, "min_lr_factor": floor}
    return said if ratio is None else said | {"decay_ratio": ratio}


def _floors(values: list[float], down: int, kind: str) -> list[float]:
    """The floor that the last value speaks of, given the shape; 0 where it has none to say."""
    share = Restated.of(torchtitan.lr_schedulers_container(training_steps=down, warmup_steps=0, decay_type=kind).target)
    left = float(share(down - 1)) if down > 1 else 1.0
    floor = (values[-1] - left) / (1 - left) if left < 1 else 0.0
    near = round(floor, 12)
    return [near, floor] if near != floor else [near]


def _differs(restated: Restated, values: list[float]) -> int | None:
    """The first update whose value differs."""
    for i, (a, b) in enumerate(zip(restated.table(len(values)).tolist(), values, strict=True)):
        if abs(a - b) > CLOSE:
            return i
    return None


def _toml(said: dict[str, Any], peak: float, total: int) -> str:
    lines = [f"{key} = {_plain(value)}" for key, value in said.items()]
    return "\n".join(
        ["[optimizer]", f"lr = {peak!r}", "", "[lr_scheduler]", *lines, "", "[training]", f"steps = {total}", ""]
    )


def _plain(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
