"""How much of the final weights each update keeps under decoupled weight decay.

AdamW's θ ← (1 − λη)θ + ηu makes the final weights a sum: update t goes into it with λη_t · ∏_{s>t} (1 − λη_s), the first
weights with ∏_s (1 − λη_s), and all of these together are 1. Bergsma et al. 2025, arXiv:2502.15938.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from preheat.core.checks import finite_number
from preheat.core.errors import PreheatError
from preheat.review.laid_out import Laid


def kept(rates: Any, decay: Any) -> tuple[Any, float]:
    """What each update's share of the final weights is, a numpy array, and the share of the first weights.

    rates: of every update.   decay: λ, a number or one for every update.
    Raises PreheatError where an update would turn weights round, rate × λ being 1 or more, or below 0.
    """
    import numpy

    shrinks = numpy.asarray(rates * decay, dtype=numpy.float64)
    for wrong, what in ((shrinks < 0, "is below 0"), (shrinks >= 1, "is 1 or more")):
        if wrong.any():
            update = int(numpy.argmax(wrong))
            raise PreheatError(
                f"rate × weight decay {what} at update {update:,}: {shrinks[update]:.6g}, and each update would multiply the "
                f"weights by {1 - shrinks[update]:.6g}",
                write="give the weight decay λ of AdamW, such as 0.1, and the rate at the peak",
            )
    remains = numpy.ones(len(shrinks) + 1)
    remains[:-1] = numpy.cumprod((1.0 - shrinks)[::-1])[::-1]
    return shrinks * remains[1:], float(remains[0])


def decay_for(line: Laid, lines: Sequence[Laid], weight_decay: float | None) -> Any:
    """The weight decay beside a rate, one number or a value for every update; None where it is not known, or there is none.

    The plan's own line of the same group, else of all; `weight_decay` is what factors multiply.
    Raises PreheatError where the plan says it already, or it is not above 0.
    """
    given = None if weight_decay is None else finite_number(weight_decay, "weight_decay")
    if given is not None and given <= 0:
        raise PreheatError("weight_decay must be above 0", given=given, write="leave it out where there is none")
    own = _beside(line, {one.key: one for one in lines})
    if own is None:
        return given
    if not own.rates:
        return None if given is None else own.values() * given
    if given is not None:
        what = f"the plan's line {own.key!r} is the weight decay itself"
        raise PreheatError(what, given=given, write="leave weight_decay= (--weight-decay) out")
    values = own.values()
    return values if values.any() else None


def _beside(line: Laid, lines: Mapping[str, Laid]) -> Laid | None:
    group = line.key.rpartition("/")[0]
    return lines.get(f"{group}/weight_decay") or lines.get("weight_decay")
