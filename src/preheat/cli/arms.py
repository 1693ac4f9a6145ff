"""The options of `preheat compare` that say what is compared: schedules, peaks, seeds."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from preheat.cli.counts import Count
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.lab.command_line import arm_words
from preheat.lab.demo import NONE, SHORT
from preheat.lab.experiment import Arm, Study, TargetValue, grid


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Arms:
    """Which schedules, at which peaks, how often."""

    arm: Annotated[
        tuple[str, ...], Parameter(name=("--arm", "--arms"), negative=(), show_default=False, consume_multiple=True)
    ] = ()
    """NAME=SCHEDULE, with 1 as the peak; once for each arm, the others are compared with the first. Without any:
    none="decay()" and one with a linear warmup over 5 % of the run."""

    warmups: str | None = None
    """Lengths of linear warmups, such as 0,50,5% , instead of --arm; each is followed by a linear decay to 0."""

    peaks: str | None = None
    """Peak rates, such as 1e-3,3e-3,1e-2 : every arm is run at each."""

    seeds: Count = 3
    """Runs of each arm: seeds 0, 1, 2 …; the same ones in every arm."""

    race: bool = False
    """After each round of seeds only the better half of the arms goes on."""

    target: float | None = None
    """A value such as 3.28 that the mean is to be better than: a one-sided test of each arm."""

    target_sd: float | None = None
    """The standard deviation over seeds, where it is known from other runs: a z test instead of Student's t."""

    target_level: float | None = None
    """The probability of a false claim on the target, all arms together: 0.05 by default; speed-runs ask for 0.01."""


def read_target(arms: Arms) -> TargetValue | None:
    """The target that was asked for."""
    return TargetValue.given(arms.target, arms.target_sd, arms.target_level)


def read_arms(arms: Arms) -> tuple[Arm, ...]:
    """The arms that were asked for, at every peak."""
    if arms.arm and arms.warmups:
        raise PreheatError("--warmups stands instead of --arm; write one of them")
    known = tuple(map(_arm, arms.arm)) or tuple(map(_warmup_arm, _listed(arms.warmups))) or (NONE, SHORT)
    return grid(known, map(_peak, _listed(arms.peaks))) if arms.peaks else known


def _warmup_arm(length: str) -> Arm:
    """A linear warmup of that length and the decay after it."""
    if length in ("0", "0%"):
        return NONE
    return _arm(f"warmup {length}=warmup({length}) >> decay()")


def _listed(text: str | None) -> list[str]:
    """The items between the commas."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _peak(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PreheatError(f"--peaks are numbers such as 1e-3,3e-3, not {shown(text)}") from None


def read_seeds(arms: Arms) -> tuple[int, ...]:
    """Seeds 0, 1, 2 …"""
    if arms.seeds < 1:
        raise PreheatError(f"--seeds must be at least 1, not {arms.seeds}")
    return tuple(range(arms.seeds))


def _arm(text: str) -> Arm:
    try:
        return Arm.read(text)
    except ParseError as error:
        raise PreheatError(f"--arm {shown(text)}: {error.reason}", write=error.write) from None


def arm_options(study: Study, arms: Arms) -> list[str]:
    """The options that make these arms again: lengths of warmups as they were typed, schedules in full."""
    known = ["--warmups", arms.warmups] if arms.warmups else arm_words(study)
    peaks = ["--peaks", arms.peaks] if arms.peaks else []
    race = ["--race"] if arms.race else []
    asked = {"--target": arms.target, "--target-sd": arms.target_sd, "--target-level": arms.target_level}
    # in one word, because a target below 0 would be taken for an option
    target = [f"{name}={value!r}" for name, value in asked.items() if value is not None]
    return [*known, *peaks, "--seeds", str(len(study.seeds)), *race, *target]
