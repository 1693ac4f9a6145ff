"""torchtitan: its one schedule, warmup, stable, decay, as `LRSchedulersContainer.Config` and the TOML section say it."""

from __future__ import annotations

from typing import Any

from preheat.compat.parts.curves import cosine_wave, counted_warmup, onwards
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors, held, ignored
from preheat.core.checks import counted, finite_number, one_of
from preheat.core.constructors import ramp
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.node import Schedule

PEER = Peer("torchtitan", "0.3.0", "torchtitan/components/optimizer/lr_scheduler.py")
SHAPES = {"linear": "linear", "sqrt": "1-sqrt", "cosine": "cosine"}
"""decay_type there: the shape of the decay here."""


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("LRSchedulersContainer", "build_lr_schedulers", "linear_warmup_stable_decay")
def lr_schedulers_container(
    *,
    training_steps: int,
    warmup_steps: int = 200,
    total_steps: int | None = None,
    decay_ratio: float | None = None,
    decay_type: str = "linear",
    min_lr_factor: float = 0.0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(t + 1)/W, 1, then down to min_lr_factor in D = round(T·decay_ratio), or in all that is left; update T would be there.

    T is total_steps, or training_steps where it is not given. The last update, T − 1, is above the floor by construction. After
    T the linear and the sqrt decay go below it and below 0, and the cosine climbs.
    """
    run = counted(training_steps, "training_steps is a number of updates", least=1)
    total = run if total_steps is None else counted(total_steps, "total_steps is a number of updates", least=1)
    asked = counted(warmup_steps, "warmup_steps is a number of updates")
    warm = min(asked, total)
    findings = ignored("warmup_steps", asked, warm, f"the schedule has {total} updates, and all of them are warmup")
    down, more = _decay(decay_ratio, total, warm)
    floor, kind = finite_number(min_lr_factor, "min_lr_factor"), one_of(decay_type, "decay_type", SHAPES)
    stable = total + 1 - warm - down  # one more: the update after the last is at the floor
    up = counted_warmup(warm, stable - 1)
    if not down:
        what = f"torchtitan fails at update {total + 1}: a decay of no updates"
        if total + 1 <= run:
            raise PreheatError(what, write="leave decay_ratio or total_steps out, or write fewer warmup_steps")
        after = Finding("after-the-end", f"update {total + 1}", f"{what}; here the last value is kept")
        return factors(up, base_lr, [*findings, *more, after])
    if not faithful and run <= total:
        return factors(up >> ramp(1.0, floor, down, SHAPES[kind]), base_lr, [*findings, *more, _beyond(kind, total)])
    curve, after = held(up >> _unclamped(kind, floor, down), max(run, total), faithful, _after(kind))
    if total + 1 < run:
        what = f"total_steps={total} ends before the {run} updates of the run do, and from there {_after(kind)}"
        after = [
            Finding("after-the-end", f"update {total + 1}", what, "leave total_steps out, or train no longer"),
            *after,
        ]
    return factors(curve, base_lr, [*findings, *more, *after])


def _decay(ratio: float | None, total: int, warm: int) -> tuple[int, list[Finding]]:
    """How many updates the decay has; as torchtitan does, no more than the warmup leaves."""
    if ratio is None:
        return total - warm, []
    if finite_number(ratio, "decay_ratio") < 0:
        raise PreheatError("decay_ratio is a share of the run", given=ratio, write="write 0.2 for its last fifth")
    asked = round(total * ratio)
    down = min(asked, total - warm)
    why = f"a decay of {asked} updates does not fit beside the warmup, and torchtitan takes {down}"
    return down, ignored("decay_ratio", ratio, ratio if down == asked else None, why)


def _unclamped(kind: str, floor: float, down: int) -> Schedule:
    if kind == "cosine":
        return cosine_wave(down, floor)
    return onwards(1.0, floor, down, 0.5 if kind == "sqrt" else 1.0)


def _after(kind: str) -> str:
    return "it climbs again" if kind == "cosine" else "the rate goes below the floor, and below 0"


def _beyond(kind: str, total: int) -> Finding:
    return Finding("after-the-end", f"update {total + 1}", f"{_after(kind)}; here the last value is kept")
