"""Megatron's OptimizerParamScheduler, its file alone, stepped as its training loop does: by the global batch size."""

from __future__ import annotations

import random
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any

from benchmarks.parity.case import Case
from benchmarks.parity.stubbed import module_from

try:
    PEER, VERSION = "megatron", version("megatron-core")
except PackageNotFoundError as error:
    raise ImportError("megatron-core is not installed") from error
QUIET = SimpleNamespace(log_single_rank=lambda *args: None)
scheduling = module_from(
    "megatron",
    "core/optimizer_param_scheduler.py",
    {"megatron": SimpleNamespace(), "megatron.core": SimpleNamespace(), "megatron.core.utils": QUIET},
)


def ran(n: int, increment: int, **given: Any) -> dict[str, list[float]]:
    """The rate and the weight decay of updates 0 … n − 1."""
    group: dict[str, float] = {}
    scheduler = scheduling.OptimizerParamScheduler(SimpleNamespace(param_groups=[group]), **given)
    found: dict[str, list[float]] = {"lr": [], "weight_decay": []}
    for _ in range(n):
        for key, values in found.items():
            values.append(group[key])
        scheduler.step(increment)
    return found if given["start_wd"] != given["end_wd"] else {"lr": found["lr"]}


def derived(given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """What the training script makes of its options: lengths in samples."""
    batch, kind = given.get("global_batch_size") or 1, "iters" if "train_iters" in given else "samples"
    each = batch if kind == "iters" else 1
    end = (given.get(f"lr_decay_{kind}") or given[f"train_{kind}"]) * each
    fraction, wsd = given.get("lr_warmup_fraction"), given.get(f"lr_wsd_decay_{kind}")
    decay = given.get("weight_decay", 0.01)
    return batch, {
        "init_lr": given.get("lr_warmup_init", 0.0),
        "max_lr": given["lr"],
        "min_lr": given.get("min_lr", 0.0),
        "lr_warmup_steps": given.get(f"lr_warmup_{kind}", 0) * each if fraction is None else fraction * end,
        "lr_decay_steps": end,
        "lr_decay_style": given.get("lr_decay_style", "linear"),
        "start_wd": given.get("start_weight_decay", decay),
        "end_wd": given.get("end_weight_decay", decay),
        "wd_incr_steps": given[f"train_{kind}"] * each,
        "wd_incr_style": given.get("weight_decay_incr_style", "constant"),
        "wsd_decay_steps": None if wsd is None else wsd * each,
        "lr_wsd_decay_style": given.get("lr_wsd_decay_style", "exponential"),
    }


def _run_class(arguments: dict[str, Any], n: int) -> Any:
    given = dict(arguments)
    return ran(n, given.pop("increment", 1), **given)


def _run_options(arguments: dict[str, Any], n: int) -> Any:
    batch, given = derived(arguments)
    return ran(n, batch, **given)


def _style(r: random.Random, wsd: str, most: int) -> dict[str, Any]:
    style = r.choice(["constant", "linear", "cosine", "inverse-square-root", "WSD", "WSD"])
    if style != "WSD":
        return {"lr_decay_style": style}
    kinds = ["linear", "cosine", "exponential", "minus_sqrt"]
    return {
        "lr_decay_style": style,
        wsd: r.choice([1, most, r.randint(0, most)]),
        "lr_wsd_decay_style": r.choice(kinds),
    }


def _class(r: random.Random) -> dict[str, Any]:
    end, top = r.choice([1, 2, r.randint(2, 300)]), r.uniform(1e-5, 1)
    given = {
        "max_lr": top,
        "min_lr": r.choice([0.0, top, top * r.random()]),
        "init_lr": r.choice([0.0, top * r.random()]),
    }
    given |= {"lr_decay_steps": end, "lr_warmup_steps": r.choice([0, r.randint(0, end - 1), r.uniform(0, end - 0.01)])}
    given |= _style(r, "wsd_decay_steps", end)
    moves = r.random() < 0.5
    given |= {"start_wd": 0.01, "end_wd": 0.1 if moves else 0.01, "wd_incr_steps": r.randint(1, 300)}
    given |= {"wd_incr_style": r.choice(["linear", "cosine"] if moves else ["linear", "cosine", "constant"])}
    return given | ({"increment": r.choice([2, 3, r.randint(1, 20)])} if r.random() < 0.5 else {})


def _options(r: random.Random) -> dict[str, Any]:
    total, kind, top = r.choice([1, 2, r.randint(2, 300)]), r.choice(["iters", "samples"]), r.uniform(1e-5, 1)
    batch = r.choice([1, r.randint(1, 64)])
    each = 1 if kind == "iters" else batch
    end = total if r.random() < 0.5 else max(1, total + r.randint(-5, 5))
    given = {"lr": top, "min_lr": top * r.random(), f"train_{kind}": total * each, "global_batch_size": batch}
    given |= {f"lr_decay_{kind}": end * each} if end != total else {}
    warm = {f"lr_warmup_{kind}": r.randint(0, end * each - 1)}
    given |= r.choice([warm, {"lr_warmup_fraction": 0.9 * r.random()}, {}])
    given |= {"lr_warmup_init": top * r.random()} if r.random() < 0.5 else {}
    if r.random() < 0.4:
        given |= {"weight_decay_incr_style": r.choice(["linear", "cosine"])}
        given |= {"start_weight_decay": 0.033, "end_weight_decay": 0.1}
    return given | _style(r, f"lr_wsd_decay_{kind}", end * each)


def _updates(given: dict[str, Any]) -> int:
    if "lr_decay_steps" in given:
        return -(-given["lr_decay_steps"] // given.get("increment", 1))
    batch = given["global_batch_size"] if "train_samples" in given else 1
    return (given.get("train_iters") or given["train_samples"]) // batch


CASES = [
    Case("optimizer_param_scheduler", _class, _run_class, _updates),
    Case("arguments", _options, _run_options, _updates),
]
