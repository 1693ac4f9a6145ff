"""What the figures of docs/need.md and docs/lengths.md share: the grid of benchmarks/advisor, read and summed up."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # so that a script finds the benchmarks from wherever it is started

from benchmarks.advisor.grid import results  # noqa: E402
from benchmarks.advisor.truth import Trained, Verdict, quantile  # noqa: E402, F401  lengths.py has it from here
from benchmarks.words import ENGLISH, Words  # noqa: E402, F401  and need.py these

from preheat.lab.statistics.inference import interval  # noqa: E402

TRAINED = {line["name"]: Trained(line) for line in results(ROOT / "benchmarks/advisor/results/grid.jsonl").values()}


def sgd(name: str) -> bool:
    """Whether this training of the grid is one with SGD; the others have Adam."""
    return name.endswith("-sgd")


KINDS: dict[str, Callable[[str], bool]] = {
    "byte transformer, post-norm, Adam": lambda name: name.startswith("bytes-post") and not sgd(name),
    "byte transformer, pre-norm, Adam": lambda name: name.startswith("bytes-pre") and not sgd(name),
    "byte transformer, SGD": lambda name: name.startswith("bytes") and sgd(name),
    "digits MLP or CNN, Adam": lambda name: name.startswith("digits") and not sgd(name),
    "digits MLP or CNN, SGD": lambda name: name.startswith("digits") and sgd(name),
    "modular addition, both": lambda name: name.startswith("modular"),
}


def of_kind(kind: str) -> list[Trained]:
    """The trainings of a kind."""
    return [one for name, one in TRAINED.items() if KINDS[kind](name)]


def best_without(trained: Trained) -> int:
    """The number of the peak that is best without warmup, in the mean over seeds."""
    return int(trained.loss[:, 0].mean(axis=1).argmin())


def from_best(trained: Trained) -> list[tuple[int, Verdict]]:
    """Each peak: how many steps of the grid it lies above the best one without warmup, and whether it needs one."""
    best = best_without(trained)
    return [(number - best, verdict) for number, verdict in enumerate(trained.verdicts)]


def gain_at_best(trained: Trained) -> float:
    """By how much the best cell of all is below the best one without warmup, in nats.

    For each seed both are chosen by the other seeds: the smallest of 48 noisy means would show a gain where there is none.
    """
    gains = []
    for seed in range(trained.loss.shape[2]):
        others = [other for other in range(trained.loss.shape[2]) if other != seed]
        means, own = trained.loss[:, :, others].mean(axis=2), trained.loss[:, :, seed]
        without, best = own[means[:, 0].argmin(), 0], own.flat[means.argmin()]
        gains.append(float(without - best))
    return statistics.fmean(gains)


@dataclass(frozen=True)
class Count:
    """Of so many peaks: how many need warmup, and do not; the rest three seeds cannot decide."""

    needed: int
    not_needed: int
    undecided: int

    @property
    def decided(self) -> int:
        """Those that three seeds can decide."""
        return self.needed + self.not_needed


def counted(verdicts: Sequence[Verdict]) -> Count:
    """Verdicts, counted."""
    said = [verdict.needed for verdict in verdicts]
    return Count(said.count(True), said.count(False), said.count(None))


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, as the pages write it."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def mean_and_interval(values: Sequence[float], form: str = "{} ({} to {})") -> str:
    """A mean with its 95 % interval, as the pages write it; form: how a page in another language does."""
    low, high = interval(values) or (float("nan"), float("nan"))
    return form.format(signed(statistics.fmean(values)), signed(low), signed(high))
