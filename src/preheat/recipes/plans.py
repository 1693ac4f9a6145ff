"""Plans for several hyper-parameters and groups at once, as a published method has them."""

from __future__ import annotations

from preheat.core.checks import finite_number, positive_number
from preheat.core.constructors import hold, ramp, warmup
from preheat.core.node import Schedule
from preheat.core.plan import RATE, Plan
from preheat.core.spans import Span, SpanLike
from preheat.core.stated import Absolute, Relative
from preheat.recipes import arguments


def yolo_warmup(
    *,
    warmup_steps: SpanLike | None = None,
    warmup_ratio: float | None = None,
    bias: str = "bias",
    bias_start_ratio: float = 10.0,
    momentum: float | None = 0.937,
    start_momentum: float = 0.8,
    min_lr_ratio: float = 0.01,
    decay_every: SpanLike | None = None,
) -> Plan:
    """YOLO's warmup: the rate of the biases falls while the others rise, and the momentum rises with them.

        lr       min(1, t/W) · d(t)                              d(t) = 1 + (min − 1) · t/T
        bias/lr  start · (1 − min(1, t/W)) + min(1, t/W) · d(t)       no line of its own where start is 0
        momentum from start_momentum to momentum over W, then constant

    warmup_steps: W, in updates or with a unit, default "3 epochs"; or warmup_ratio: W as a share of the run, 0 to 1.
    bias: the name of the group that holds the biases.   bias_start_ratio: its first rate, a factor of its own, ≥ 0.
    momentum, start_momentum: absolute; momentum=None for optimizers without one.   min_lr_ratio: min, 0 to 1.
    decay_every: d keeps for this long the value that it began with, "1 epoch" in YOLO; by default it falls at every update.
    T is the total of the Run. The rates are factors of each group's own.

    Choose it to reproduce YOLOv5 to YOLO11, exactly with decay_every="1 epoch" and a Run that knows steps_per_epoch. The
    defaults are those of optimizer="SGD" and of YOLOv5. Under optimizer="auto", its own default, Ultralytics lets the
    biases start at 0 like the rest: bias_start_ratio=0, with momentum=0.9 (SGD) or momentum=None (AdamW). It warms up for
    100 updates where 3 epochs are fewer: then warmup_steps=100. Prefer a Plan of your own for anything else.

    >>> from preheat import Run
    >>> yolo_warmup(warmup_steps=100).bind(Run(total=1000))["momentum"]
    absolute(ramp(0.8, 0.937, 100) >> hold(0.937, 900))
    >>> list(yolo_warmup(bias_start_ratio=0, momentum=0.9))
    ['lr', 'momentum']

    Raises PreheatError for two ways of giving one thing, or a value out of range.
    Ultralytics, engine/trainer.py (warmup_epochs 3, warmup_bias_lr 0.1 at lr0 0.01, warmup_momentum 0.8, lrf 0.01).
    """
    warm = arguments.length("warmup", warmup_steps, warmup_ratio) or Span("3 epochs")
    down = ramp(1.0, arguments.rates(None, min_lr_ratio=min_lr_ratio).floor, "rest")
    rise = (warmup(warm) >> hold()) * (down if decay_every is None else down.stepwise(decay_every))
    lines: dict[str, Schedule | Absolute | Relative] = {RATE: rise}
    if finite_number(bias_start_ratio, "bias_start_ratio") != 0:
        lines[f"{bias}/{RATE}"] = Relative(
            ramp(positive_number(bias_start_ratio, "bias_start_ratio"), 0.0, warm) + rise
        )
    if momentum is not None:
        end = finite_number(momentum, "momentum")
        lines["momentum"] = Absolute(ramp(finite_number(start_momentum, "start_momentum"), end, warm) >> hold(end))
    return Plan(lines)
