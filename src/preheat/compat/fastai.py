"""fastai: its schedules of a position from 0 to 1, and what `fit_one_cycle` and the others make of them, batch by batch.

num_updates= is the number of batches, n_iter= of an epoch. Positions are single precision where schedules are combined, and so
are their edges here. fastai's "mom" is SGD's momentum and Adam's first beta; it comes as the line "momentum".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from preheat.compat.parts.curves import first_tick, lasting, short_ramp
from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated, factors, ignored, rates
from preheat.core.checks import counted, finite_number, int_if_whole, positive_number
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.findings import Finding
from preheat.core.node import Schedule
from preheat.core.shapes import power as power_shape
from preheat.core.stated import Absolute

PEER = Peer("fastai", "2.8.12", "fastai/callback/schedule.py")
_DEFAULT_MOMS = (0.95, 0.85, 0.95)


def __getattr__(name: str) -> Any:
    return PEER.attribute(name)


Piece = Callable[[float], Schedule]  # a schedule of a position, as a curve of so many updates


def _linear(start: float, end: float) -> Piece:
    return lambda ticks: short_ramp(start, end, ticks)


def _cosine(start: float, end: float) -> Piece:
    return lambda ticks: short_ramp(start, end, ticks, "cosine")


def _constant(start: float, end: float) -> Piece:
    return lambda ticks: hold(start)


def _exponential(start: float, end: float) -> Piece:
    return lambda ticks: short_ramp(start, end, ticks, "exponential")


def _polynomial(start: float, end: float, power: float) -> Piece:
    return lambda ticks: short_ramp(start, end, ticks, power_shape(power))


_PIECES: dict[str, Callable[..., Piece]] = {
    "SchedLin": _linear,
    "SchedCos": _cosine,
    "SchedNo": _constant,
    "SchedExp": _exponential,
    "SchedPoly": _polynomial,
}


def _piece(scheduler: Mapping[str, Any]) -> Piece:
    """The piece that a mapping names, its function under "type"."""
    given = dict(scheduler)
    name = given.pop("type", None)
    if name not in _PIECES:
        raise PreheatError(f"fastai has no schedule {shown(name)}{nearest(str(name), _PIECES)}")
    try:
        return _PIECES[name](**given)
    except TypeError as error:
        raise PreheatError(f"{name}: {str(error).partition('() ')[2]}") from None


def _combined(pcts: Sequence[float], pieces: Sequence[Piece], total: int, n_iter: int) -> Schedule:
    """Pieces in turn, each on its share of the positions 0 … 1."""
    if len(pcts) != len(pieces) or not pcts:
        raise PreheatError(f"{len(pcts)} pcts and {len(pieces)} schedules: as many are needed, one at least")
    if sum(pcts) != 1.0 or min(pcts) < 0:
        raise PreheatError("fastai asserts that pcts are at least 0 and add up to lasting 1.0", given=list(pcts))
    edges = [0.0, *map(_single, accumulate(map(_single, pcts)))]
    curve: Schedule | None = None
    begin = 0
    for i, piece in enumerate(pieces):
        end = total if i == len(pieces) - 1 else min(total, _reached(edges[i + 1], total, n_iter))
        if end > begin:
            ticks = (edges[i + 1] - edges[i]) * total
            part = piece(int_if_whole(ticks))
            late = int_if_whole(edges[i] * total - begin)
            placed = part.shifted(late) if late else part
            placed = placed if end == total else lasting(placed, end - begin)
            curve, begin = placed if curve is None else curve >> placed, end
    return curve  # type: ignore[return-value]  total is at least 1


def _reached(edge: float, total: int, n_iter: int) -> int:
    """The first batch whose position, added up within its epoch as fastai does and rounded to single precision, is there."""
    epochs = total / n_iter

    def reached(tick: int) -> bool:
        epoch, batch = divmod(tick, n_iter)
        position = epoch / epochs
        for _ in range(batch):
            position += 1.0 / (n_iter * epochs)
        return _single(position) >= edge

    return first_tick(reached, min(edge, 1.0) * total - 1)


def _single(value: float) -> float:
    """Rounded to single precision."""
    return struct.unpack("f", struct.pack("f", value))[0]


def _alone(piece: Piece, num_updates: int, base_lr: float) -> Restated:
    return rates(piece(counted(num_updates, "num_updates is a number of batches", least=1)), base_lr)


@PEER.restates("SchedLin")
def sched_lin(*, start: float, end: float, num_updates: int, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """start + (end − start)·t/T."""
    return _alone(_linear(start, end), num_updates, base_lr)


@PEER.restates("SchedCos")
def sched_cos(*, start: float, end: float, num_updates: int, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """start + (end − start)·(1 − cos(πt/T))/2."""
    return _alone(_cosine(start, end), num_updates, base_lr)


@PEER.restates("SchedNo")
def sched_no(*, start: float, end: float, num_updates: int, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """start."""
    found = _alone(_constant(start, end), num_updates, base_lr)
    return found.having(*ignored("end", end, start, "SchedNo stays at its start"))


@PEER.restates("SchedExp")
def sched_exp(*, start: float, end: float, num_updates: int, base_lr: float = 1.0, faithful: bool = False) -> Restated:
    """start · (end/start)^(t/T)."""
    return _alone(_exponential(start, end), num_updates, base_lr)


@PEER.restates("SchedPoly")
def sched_poly(
    *, start: float, end: float, power: float, num_updates: int, base_lr: float = 1.0, faithful: bool = False
) -> Restated:
    """start + (end − start)·(t/T)ᵖᵒʷᵉʳ."""
    return _alone(_polynomial(start, end, power), num_updates, base_lr)


@PEER.restates("combine_scheds")
def combine_scheds(
    *,
    pcts: Sequence[float],
    scheds: Sequence[Mapping[str, Any]],
    num_updates: int,
    n_iter: int | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Schedules in turn, each on its share; mappings with their function under "type". n_iter: batches of an epoch."""
    total = counted(num_updates, "num_updates is a number of batches", least=1)
    return rates(_combined(pcts, [_piece(one) for one in scheds], total, n_iter or total), base_lr)


@PEER.restates("combined_cos")
def combined_cos(
    *,
    pct: float,
    start: float,
    middle: float,
    end: float,
    num_updates: int,
    n_iter: int | None = None,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Half a cosine from start to middle in `pct` of the run, and one from middle to end in the rest."""
    total = counted(num_updates, "num_updates is a number of batches", least=1)
    return rates(_two_cosines(pct, (start, middle, end), total, n_iter or total), base_lr)


def _two_cosines(pct: float, values: tuple[float, float, float], total: int, n_iter: int) -> Schedule:
    start, middle, end = values
    share = finite_number(pct, "pct")
    return _combined([share, 1 - share], [_cosine(start, middle), _cosine(middle, end)], total, n_iter)


def _epochs(n_epoch: int, n_iter: int) -> int:
    epochs = counted(n_epoch, "n_epoch is a number of epochs", least=1)
    return epochs * counted(n_iter, "n_iter is the number of batches in an epoch", least=1)


def _begun(start_epoch: int) -> list[Finding]:
    why = "a schedule has no position; the epochs before it are skipped, not the schedule"
    return ignored("start_epoch", start_epoch, 0, why)


def _moms(moms: Sequence[float] | None) -> tuple[float, float, float]:
    first, second, third = _DEFAULT_MOMS if moms is None else moms
    return first, second, third


@PEER.restates("fit_one_cycle")
def fit_one_cycle(
    *,
    n_epoch: int,
    n_iter: int,
    lr_max: float | None = None,
    div: float = 25.0,
    div_final: float = 1e5,
    pct_start: float = 0.25,
    moms: Sequence[float] | None = None,
    start_epoch: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """lr_max/div up to lr_max, down to lr_max/div_final, and the momentum down and up again. lr_max is base_lr unless given."""
    total = _epochs(n_epoch, n_iter)
    ends = 1 / positive_number(div, "div"), 1.0, 1 / positive_number(div_final, "div_final")
    curve = _two_cosines(pct_start, ends, total, n_iter)
    others = {"momentum": Absolute(_two_cosines(pct_start, _moms(moms), total, n_iter))}
    return Restated(_of_peak(curve, lr_max, base_lr).schedule, others, _begun(start_epoch))


@PEER.restates("fit_flat_cos")
def fit_flat_cos(
    *,
    n_epoch: int,
    n_iter: int,
    lr: float | None = None,
    div_final: float = 1e5,
    pct_start: float = 0.75,
    start_epoch: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """lr for pct_start of the run, then half a cosine to lr/div_final. lr is base_lr unless given."""
    total = _epochs(n_epoch, n_iter)
    ends = 1.0, 1.0, 1 / positive_number(div_final, "div_final")
    return _of_peak(_two_cosines(pct_start, ends, total, n_iter), lr, base_lr).having(*_begun(start_epoch))


@PEER.restates("fit_sgdr")
def fit_sgdr(
    *,
    n_cycles: int,
    cycle_len: int,
    n_iter: int,
    lr_max: float | None = None,
    cycle_mult: int = 2,
    start_epoch: int = 0,
    base_lr: float = 1.0,
    faithful: bool = False,
) -> Restated:
    """Half a cosine from lr_max to 0 in cycle_len epochs, again and again, each cycle_mult times as long as the one before."""
    cycles, first = (
        counted(n, f"{what} is at least 1", least=1) for n, what in ((n_cycles, "n_cycles"), (cycle_len, "cycle_len"))
    )
    longer = counted(cycle_mult, "cycle_mult is a whole number above 1: fastai divides by one less", least=2)
    epochs = first * (longer**cycles - 1) // (longer - 1)
    pcts = [first * longer**i / epochs for i in range(cycles)]
    curve = _combined(pcts, [_cosine(1.0, 0.0)] * cycles, _epochs(epochs, n_iter), n_iter)
    return _of_peak(curve, lr_max, base_lr).having(*_begun(start_epoch))


@PEER.restates("fine_tune")
def fine_tune(
    *,
    epochs: int,
    n_iter: int,
    base_lr: float = 2e-3,
    freeze_epochs: int = 1,
    lr_mult: float = 100.0,
    pct_start: float = 0.3,
    div: float = 5.0,
    div_final: float = 1e5,
    moms: Sequence[float] | None = None,
    n_groups: int = 2,
    faithful: bool = False,
) -> Restated:
    """One cycle of freeze_epochs with a warmup of 99 % for the head, then one of `epochs` for all, at half the rate.

    The rate is that of the head, the last of n_groups of parameters; the others have lines of their own, by their index: a
    tenth while they are frozen, then from base_lr/2/lr_mult on, in equal ratios.
    """
    frozen, rate = _epochs(freeze_epochs, n_iter), positive_number(base_lr, "base_lr")
    total = _epochs(epochs, n_iter)
    final = 1 / positive_number(div_final, "div_final")
    ends = 1 / positive_number(div, "div"), 1.0, final
    first = lasting(_two_cosines(0.99, (1 / 25.0, 1.0, final), frozen, n_iter), frozen)
    second = _two_cosines(pct_start, ends, total, n_iter)
    groups, low = counted(n_groups, "n_groups is at least 1", least=1), rate / 2 / positive_number(lr_mult, "lr_mult")
    others: dict[str, Any] = {}
    for i in range(groups - 1):
        step = low * lr_mult ** (i / (groups - 1))
        others[f"{i}/lr"] = Absolute(first.scaled(rate / 10) >> second.scaled(step))
    moved = (_two_cosines(share, _moms(moms), n, n_iter) for share, n in ((0.99, frozen), (pct_start, total)))
    before, after = moved
    others["momentum"] = Absolute(lasting(before, frozen) >> after)
    return Restated(Absolute(first.scaled(rate) >> second.scaled(rate / 2)), others)


def _of_peak(curve: Schedule, peak: float | None, base_lr: float) -> Restated:
    """Rates where the peak is given, else factors of the learner's own rate."""
    if peak is None:
        return factors(curve, base_lr)
    return rates(curve.scaled(positive_number(peak, "lr_max")), base_lr)
