"""A schedule as the sections "optimizer" and "scheduler" of DeepSpeed's JSON, where one of its schedulers has these rates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from preheat.compat.deepspeed import PEER
from preheat.compat.parts.restated import Restated
from preheat.compat.parts.tried import Wanted, tried, wanted
from preheat.core.spans import Run


def write(target: Any, run: Run, peak: float | None) -> str:
    """JSON to be merged into a config: `{"optimizer": {"params": {"lr": …}}, "scheduler": {…}}`.

    Raises PreheatError where no scheduler of DeepSpeed has these rates: its first two updates are alike, for one.
    """
    goal = wanted(target, run, peak, "DeepSpeed")
    found = dict(tried("DeepSpeed", goal, _settings(goal)))
    kind = found.pop("type")
    content = {"optimizer": {"params": {"lr": goal.peak}}, "scheduler": {"type": kind, "params": found}}
    return json.dumps(content, indent=2) + "\n"


def _settings(goal: Wanted) -> Iterator[tuple[dict[str, Any], Restated]]:
    """Each scheduler with the lengths at which the schedule changes, and one less: a log warmup of W is a ramp of W − 1."""
    low, high, last = float(goal.rates[0]), goal.peak, goal.end
    lengths = sorted({edge + more for edge in goal.edges for more in (-1, 0) if edge + more >= 1})
    for steps in lengths:
        for kind in ("linear", "log"):
            warm = {"warmup_num_steps": steps, "warmup_type": kind}
            yield _made("WarmupLR", goal, {"warmup_min_lr": low, "warmup_max_lr": high, **warm})
            for total in {goal.total, goal.total - 1, goal.total + 1} | set(lengths):
                known = {"total_num_steps": total}
                yield _made("WarmupDecayLR", goal, {**known, "warmup_min_lr": low, "warmup_max_lr": high, **warm})
                start = float(goal.rates[min(1, goal.total - 1)])
                ratios = {"warmup_min_ratio": start / high, "cos_min_ratio": last / high}
                yield _made("WarmupCosineLR", goal, {**known, **ratios, **warm})
    for first, top in ((a, b) for a in goal.edges[1:] for b in goal.edges[1:] if a < b):
        sizes = {"cycle_first_step_size": first, "cycle_second_step_size": top - first}
        yield _made("OneCycle", goal, {"cycle_min_lr": low, "cycle_max_lr": high, **sizes, "cycle_momentum": False})


def _made(kind: str, goal: Wanted, params: dict[str, Any]) -> tuple[dict[str, Any], Restated]:
    base = {"base_lr": goal.peak} if kind == "WarmupCosineLR" else {}
    return {"type": kind, **params}, PEER[kind](**params, **base)
