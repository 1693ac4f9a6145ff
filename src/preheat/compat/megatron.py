"""Megatron-LM: OptimizerParamScheduler, by its class's arguments or by those of the command line.

It counts samples: `step(increment)` is called with the global batch size, so a length is so many samples over that.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from preheat.compat.parts.curves import short_hold, short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, ignored, rates
from preheat.core.checks import Number, counted, finite_number, int_if_whole, one_of, positive_number
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import InvSqrt
from preheat.core.stated import Absolute

PEER = Peer("megatron", "0.16.1", "megatron/core/optimizer_param_scheduler.py")
STYLES = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
WSD_STYLES = ("linear", "cosine", "exponential", "minus_sqrt")
INCREASES = ("constant", "linear", "cosine")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("OptimizerParamScheduler")
def optimizer_param_scheduler(
    *,
    init_lr: float,
    max_lr: float,
    min_lr: float,
    lr_warmup_steps: float,
    lr_decay_steps: float,
    lr_decay_style: str,
    start_wd: float,
    end_wd: float,
    wd_incr_steps: float,
    wd_incr_style: str,
    use_checkpoint_opt_param_scheduler: bool = True,
    override_opt_param_scheduler: bool = False,
    wsd_decay_steps: float | None = None,
    lr_wsd_decay_style: str | None = None,
    increment: float = 1,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Linearly from init_lr to max_lr in W, then by the style to min_lr at D, and min_lr after it; the weight decay beside it.

    Lengths are in what `step` is called with; increment is how much of that an update is, in training the global batch size.
    """
    _rates_fit(init_lr, max_lr, min_lr)
    each = positive_number(increment, "increment")
    warm, end = finite_number(lr_warmup_steps, "lr_warmup_steps"), positive_number(lr_decay_steps, "lr_decay_steps")
    if not 0 <= warm < end:
        raise PreheatError(
            f"lr_warmup_steps must be at least 0 and below lr_decay_steps ({end:g})", given=lr_warmup_steps
        )
    style = one_of(lr_decay_style, "lr_decay_style", STYLES)
    phases = _Phases((init_lr, max_lr, min_lr), warm, end, each)
    if style == "WSD":
        curve = phases.wsd(wsd_decay_steps, lr_wsd_decay_style)
    else:
        curve = {"constant": phases.constant, "inverse-square-root": phases.inverse}.get(style, phases.to_floor)(style)
    findings = _loads(use_checkpoint_opt_param_scheduler, override_opt_param_scheduler)
    findings += ignored("base_lr", base_lr, 1.0, "the scheduler writes its own rates over the optimizer's")
    findings += [] if style == "WSD" else _unused(wsd_decay_steps, lr_wsd_decay_style)
    decay, more = _weight_decay(start_wd, end_wd, finite_number(wd_incr_steps, "wd_incr_steps") / each, wd_incr_style)
    restated = rates(curve, findings=[*findings, *more])
    return Restated(restated.schedule, {} if decay is None else {"weight_decay": Absolute(decay)}, restated.findings)


@PEER.restates("get_optimizer_param_scheduler")
def arguments(
    *,
    lr: float,
    min_lr: float = 0.0,
    lr_decay_style: str = "linear",
    lr_wsd_decay_style: str = "exponential",
    lr_decay_iters: int | None = None,
    lr_decay_samples: int | None = None,
    lr_wsd_decay_iters: int | None = None,
    lr_wsd_decay_samples: int | None = None,
    lr_warmup_fraction: float | None = None,
    lr_warmup_iters: int = 0,
    lr_warmup_samples: int = 0,
    lr_warmup_init: float = 0.0,
    train_iters: int | None = None,
    train_samples: int | None = None,
    global_batch_size: int | None = None,
    rampup_batch_size: Any = None,
    weight_decay: float = 0.01,
    start_weight_decay: float | None = None,
    end_weight_decay: float | None = None,
    weight_decay_incr_style: str = "constant",
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """The same by the options of the command line, `--lr-warmup-iters` as lr_warmup_iters, with Megatron's own derivations.

    Everything in iterations, or everything in samples, which need the global batch size; the decay lasts as long as the
    training unless given, warmup included; a fraction is of the decay.
    """
    return _of_options(dict(locals()))


def _of_options(options: dict[str, Any]) -> Restated:
    """The scheduler of options that fit."""
    kind = "iters" if options["train_iters"] else "samples"
    style, wsd_style = options["lr_decay_style"], options["lr_wsd_decay_style"]
    _one_kind(options, kind)
    counts = style == "inverse-square-root" and not (options["lr_warmup_iters"] or options["lr_warmup_fraction"])
    each = _batch(options["global_batch_size"], needed=kind == "samples" or counts)
    steps = each if kind == "iters" else 1
    total = counted(options[f"train_{kind}"], "the length of the training is a whole number", least=1) * steps
    end, wsd = options[f"lr_decay_{kind}"], options[f"lr_wsd_decay_{kind}"]
    end = total if end is None else end * steps
    fraction = options["lr_warmup_fraction"]
    warm = (
        options[f"lr_warmup_{kind}"] * steps
        if fraction is None
        else finite_number(fraction, "lr_warmup_fraction") * end
    )
    start_wd, end_wd = _bounds(options)
    restated = optimizer_param_scheduler(
        init_lr=options["lr_warmup_init"],
        max_lr=options["lr"],
        min_lr=options["min_lr"],
        lr_warmup_steps=warm,
        lr_decay_steps=end,
        lr_decay_style=style,
        start_wd=start_wd,
        end_wd=end_wd,
        wd_incr_steps=total,
        wd_incr_style=options["weight_decay_incr_style"],
        wsd_decay_steps=None if wsd is None else wsd * steps,
        lr_wsd_decay_style=None if style != "WSD" and wsd_style == "exponential" else wsd_style,
        increment=each,
        base_lr=options["base_lr"],
    )
    return restated.having(*_rampup(options["rampup_batch_size"]))


class _Phases:
    """The curves of one scheduler, in updates, of which each is so many steps: a length may be no whole number of them."""

    def __init__(self, rates: tuple[float, float, float], warm: float, end: float, each: float) -> None:
        init, top, floor = rates
        self.top, self.floor, self.each = float(top), float(floor), Fraction(each)
        self.tau = max(warm, 1) / each  # of the inverse square root, whose warmup is at least one step
        self.end = int_if_whole(Fraction(end) / self.each)
        self.warm = self._edge(warm)
        self.init, self.up = init, short_ramp(init, top, self.warm)
        self.until = math.floor(self.end) + 1  # the first update after the end

    def _edge(self, steps: float | Fraction) -> Number:
        """In updates, on the grid of the end's last digit: then the lengths of phases add up to it exactly."""
        digit = math.ulp(self.end)
        return int_if_whole(round(Fraction(steps) / self.each / Fraction(digit)) * Fraction(digit))

    def constant(self, style: str) -> Schedule:
        """The end of the decay means nothing."""
        return self.up >> hold(self.top)

    def to_floor(self, style: str) -> Schedule:
        """linear, cosine."""
        return self.up >> short_ramp(self.top, self.floor, self.end - self.warm, style)

    def inverse(self, style: str) -> Schedule:
        """max·√(W/n), at least min; after the end it falls from wherever it is to min."""
        fall = InvSqrt(self.tau, "rest").scaled(self.top)
        up = self.up if self.tau <= self.warm else self.up >> short_hold(self.top, self.tau - self.warm)
        curve = (up >> fall).clipped(low=self.floor) if self.init >= self.floor else up >> fall.clipped(low=self.floor)
        return curve.truncated(self.until) >> hold(self.floor)

    def wsd(self, steps: float | None, style: str | None) -> Schedule:
        """Flat, then down in the last `steps`; where these reach into the warmup, down from the middle."""
        if steps is None:
            raise PreheatError(
                "WSD needs the length of its decay", write="write wsd_decay_steps=… (--lr-wsd-decay-iters)"
            )
        shape = one_of(style, "lr_wsd_decay_style", WSD_STYLES)
        if finite_number(steps, "wsd_decay_steps") <= 0:
            return self.up >> short_hold(self.top, self.until - self.warm) >> hold(self.floor)
        down = Fraction(steps) / self.each
        begin = self._edge((Fraction(self.end) - down) * self.each)
        if begin >= self.warm:
            fall = self._fall(self.end - begin, shape)
            return self.up >> short_hold(self.top, begin - self.warm) >> fall if begin > self.warm else self.up >> fall
        fall = self._fall(int_if_whole(down), shape)
        if not self.warm:
            return fall.shifted(begin)
        first = math.floor(self.warm) + 1  # the warmup's last update is its own
        return self.up >> short_hold(self.top, first - self.warm) >> fall.shifted(begin - first)

    def _fall(self, down: Number, shape: str) -> Schedule:
        if shape != "exponential":
            return short_ramp(self.top, self.floor, down, "sqrt" if shape == "minus_sqrt" else shape)
        span = self.top - self.floor  # times 2·½ᵘ − 1
        if not span:
            return short_hold(self.top, down)
        return short_ramp(2 * span, span, down, "exponential") + short_hold(self.floor - span, down)


def _rates_fit(init_lr: float, max_lr: float, min_lr: float) -> None:
    if finite_number(min_lr, "min_lr") < 0:
        raise PreheatError("min_lr must not be below 0", given=min_lr)
    if finite_number(max_lr, "max_lr (--lr)") < min_lr:
        raise PreheatError(f"max_lr (--lr) must be at least min_lr ({min_lr!r})", given=max_lr)
    if finite_number(init_lr, "init_lr (--lr-warmup-init)") > max_lr:
        raise PreheatError(f"init_lr (--lr-warmup-init) must be at most max_lr ({max_lr!r})", given=init_lr)


def _weight_decay(start: float, end: float, length: float, style: str) -> tuple[Schedule | None, list[Finding]]:
    """What moves the weight decay, None where nothing does."""
    if not 0 <= finite_number(start, "start_wd") <= finite_number(end, "end_wd"):
        raise PreheatError(
            f"the weight decay can only grow: start_wd must lie between 0 and end_wd ({end!r})", given=start
        )
    one_of(style, "wd_incr_style (--weight-decay-incr-style)", INCREASES)
    if style == "constant" and start != end:
        raise PreheatError("a constant weight decay needs start_wd and end_wd alike", given=(start, end))
    if start == end:
        return None, []
    what = "each group's wd_mult, 0 for biases and norms, multiplies it; here every group gets it"
    write = 'write the line of the groups that decay, as in "decay/weight_decay"'
    length = positive_number(length, "wd_incr_steps")
    return short_ramp(start, end, int_if_whole(length), style), [Finding("not-carried", "wd_mult", what, write)]


def _loads(use_checkpoint: bool, override: bool) -> list[Finding]:
    if use_checkpoint and override:
        raise PreheatError("use_checkpoint_opt_param_scheduler and override_opt_param_scheduler exclude each other")
    return [
        *ignored("use_checkpoint_opt_param_scheduler", use_checkpoint, True, "it says what a load does"),
        *ignored("override_opt_param_scheduler", override, False, "it says what a load does"),
    ]


def _unused(steps: float | None, style: str | None) -> list[Finding]:
    why = "only the style WSD has such a decay"
    return [*ignored("wsd_decay_steps", steps, None, why), *ignored("lr_wsd_decay_style", style, None, why)]


def _batch(size: int | None, needed: bool) -> int:
    if size is None and needed:
        what = "lengths in samples, and an inverse square root without a warmup, need global_batch_size"
        raise PreheatError(what, write="write global_batch_size=…")
    return 1 if size is None else counted(size, "global_batch_size is a number of samples", least=1)


def _one_kind(options: dict[str, Any], kind: str) -> None:
    """What Megatron asserts of its options: all in iterations, or all in samples."""
    if not options[f"train_{kind}"]:
        raise PreheatError("train_iters or train_samples is needed", write="write train_iters=…")
    wrong = "samples" if kind == "iters" else "iters"
    for name in (f"train_{wrong}", f"lr_decay_{wrong}", f"lr_warmup_{wrong}"):
        if options[name] not in (None, 0):
            raise PreheatError(
                f"train_{kind} and {name} exclude each other: everything counts in {kind}", given=options[name]
            )
    if options["lr_warmup_fraction"] is not None and options[f"lr_warmup_{kind}"]:
        raise PreheatError(
            f"lr_warmup_fraction and lr_warmup_{kind} exclude each other", given=options["lr_warmup_fraction"]
        )
    if kind == "iters" and options["rampup_batch_size"] is not None:
        what = "rampup_batch_size needs lengths in samples"
        raise PreheatError(what, given=options["rampup_batch_size"], write="write train_samples=…")


def _bounds(options: dict[str, Any]) -> tuple[float, float]:
    """The first and the last weight decay."""
    start, end, style = (
        options[name] for name in ("start_weight_decay", "end_weight_decay", "weight_decay_incr_style")
    )
    if style != "constant" and (start is None or end is None):
        raise PreheatError(f"weight_decay_incr_style {style} needs start_weight_decay and end_weight_decay")
    if style != "constant":
        return start, end
    if start is not None or end is not None:
        what = "start_weight_decay and end_weight_decay need weight_decay_incr_style linear or cosine"
        raise PreheatError(what, given=(start, end))
    return options["weight_decay"], options["weight_decay"]


def _rampup(rampup: Any) -> list[Finding]:
    if rampup is None:
        return []
    what = f"the batch grows ({rampup}): the first updates are of fewer samples, so there are more of them; here all are whole"
    return [Finding("not-carried", "rampup_batch_size", what, 'give the batch sizes as a line "batch" of a plan')]
