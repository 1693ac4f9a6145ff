"""nanoGPT: `get_lr` of train.py. Its settings are the script's own, which a config file and the command line overwrite."""

from __future__ import annotations

from typing import Any

from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, ignored, rates
from preheat.core.checks import counted, finite_number
from preheat.core.constructors import hold, ramp
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding

PEER = Peer("nanogpt", "3adf61e1", "train.py")


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


@PEER.restates()
def get_lr(
    *,
    learning_rate: float = 6e-4,
    max_iters: int = 600_000,
    decay_lr: bool = True,
    warmup_iters: int = 2000,
    lr_decay_iters: int = 600_000,
    min_lr: float = 6e-5,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """(t + 1)/(W + 1) below W, half a cosine from W to lr_decay_iters, min_lr after it. The run has max_iters + 1 updates.

    With decay_lr=False the rate is constant, and there is no warmup either.
    """
    peak, low = finite_number(learning_rate, "learning_rate"), finite_number(min_lr, "min_lr")
    warm = counted(warmup_iters, "warmup_iters is a number of updates")
    end = counted(lr_decay_iters, "lr_decay_iters is a number of updates")
    updates = counted(max_iters, "max_iters is a number of updates") + 1
    if not decay_lr:
        why = "with decay_lr=False the rate is constant from the first update"
        return rates(hold(peak), base_lr, ignored("warmup_iters", warm, 0, why, "write decay_lr=True"))
    findings = []
    if warm == end:
        what = f"nanoGPT divides by zero at update {warm}, where warmup_iters equals lr_decay_iters"
        if warm < updates:
            raise PreheatError(what, write="write a larger lr_decay_iters")
        findings = [Finding("after-the-end", f"update {warm}", f"{what}; here min_lr is kept")]
    up = ramp(peak / (warm + 1), peak, warm)
    return rates(up >> ramp(peak, low, end - warm, "cosine") if end > warm else up >> hold(low), base_lr, findings)
