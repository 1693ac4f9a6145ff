"""ultralytics: what its trainer writes into the optimizer, batch by batch.

One tick is a batch, not an update: while it warms up the trainer updates after every batch at first, then ever more seldom, at
last once in nbs/batch batches. nb= is the number of batches in an epoch.
"""

from __future__ import annotations

import math
from typing import Any

from preheat.compat.parts.curves import short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated
from preheat.core.checks import counted, finite_number, positive_number
from preheat.core.constructors import hold, ramp
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.stated import Absolute

PEER = Peer("ultralytics", "8.4.190", "ultralytics/engine/trainer.py")
WITH_MOMENTUM = ("SGD", "RMSprop", "MuSGD")  # the others have betas, which the trainer leaves alone
_MUON = Finding(
    "not-carried",
    "optimizer",
    "MuSGD gives some groups of the head three times the rate",
    "give these groups lines of their own",
)


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates("BaseTrainer", "train")
def trainer(
    *,
    epochs: int = 100,
    nb: int,
    lr0: float = 0.01,
    lrf: float = 0.01,
    momentum: float = 0.937,
    warmup_epochs: float = 3.0,
    warmup_momentum: float = 0.8,
    warmup_bias_lr: float = 0.1,
    cos_lr: bool = False,
    optimizer: str = "SGD",
    batch: int = 16,
    nbs: int = 64,
    images: int | None = None,
    nc: int | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """lr0 · ((1 − ⌊t/nb⌋/epochs)·(1 − lrf) + lrf), or along a cosine, times t/n in the first n = warmup_epochs·nb batches.

    The biases come down to it from warmup_bias_lr, and the momentum goes from warmup_momentum to momentum. The warmup takes at
    most all epochs but one. optimizer="auto" chooses rate and momentum itself: images= and nc= (classes) are needed for it.
    """
    count, length = (
        counted(epochs, "epochs is at least 1", least=1),
        counted(nb, "nb is the batches of an epoch", least=1),
    )
    findings = [_batches(batch, nbs)]
    if str(optimizer).lower() == "auto":
        optimizer, lr0, momentum, warmup_bias_lr = _chosen(images, nc, count, max(batch, nbs))
        what = f"'auto' ignores lr0, momentum and warmup_bias_lr, and takes {optimizer} at {lr0:g} with momentum {momentum:g}"
        findings.append(Finding("ignored-argument", "optimizer", what, "write the optimizer to have them followed"))
    if str(optimizer).lower() == "musgd":
        findings.append(_MUON)
    rate = positive_number(lr0, "lr0") * positive_number(base_lr, "base_lr")
    end = finite_number(lrf, "lrf")
    decay = short_ramp(1.0, end, count * length, "cosine" if cos_lr else "linear").stepwise(length)
    warm = round(min(finite_number(warmup_epochs, "warmup_epochs"), count - 1) * length)
    if warm <= 0:
        return Restated(Absolute(decay.scaled(rate)), findings=findings)
    rising = ((ramp(0.0, 1.0, warm) >> hold()) * decay).scaled(rate)
    bias = ramp(finite_number(warmup_bias_lr, "warmup_bias_lr") * base_lr, 0.0, warm) + rising
    others = {"bias/lr": Absolute(bias)} | _momentum(optimizer, warmup_momentum, momentum, warm)
    return Restated(Absolute(rising), others, findings)


def _momentum(optimizer: str, start: float, end: float, warm: int) -> dict[str, Absolute]:
    if str(optimizer).lower() not in map(str.lower, WITH_MOMENTUM):
        return {}
    ends = finite_number(start, "warmup_momentum"), finite_number(end, "momentum")
    return {"momentum": Absolute(ramp(*ends, warm))}


def _batches(batch: int, nbs: int) -> Finding:
    every = max(round(nbs / batch), 1) if batch and batch > 0 else 1
    what = f"ticks are batches: after the warmup an update is made every {every} of them"
    return Finding("assumed", "nbs", what, "" if every == 1 else "count the batches: scheduler.step() after each")


def _chosen(images: int | None, nc: int | None, epochs: int, size: int) -> tuple[str, float, float, float]:
    """What optimizer="auto" takes: by the updates of the run, and for short ones by the number of classes."""
    if images is None:
        write = "write images=… and nc=… (classes), or an optimizer such as 'SGD'"
        raise PreheatError("optimizer='auto' chooses the rate by the size of the data set", write=write)
    if math.ceil(counted(images, "images is a number") / size) * epochs > 10000:
        return "MuSGD", 0.01, 0.9, 0.0
    if nc is None:
        raise PreheatError(
            "optimizer='auto' takes the rate of a short run from the number of classes", write="write nc=…"
        )
    return "AdamW", round(0.002 * 5 / (4 + counted(nc, "nc is a number of classes", least=1)), 6), 0.9, 0.0
