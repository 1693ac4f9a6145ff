"""Does a schedule refined by logged gradient norms help? The table of `docs/theory.md`.

python -m benchmarks.refined

Digits, a six-layer MLP at twice He's initialisation, SGD with momentum, 300 updates. Norms are logged by runs under linear
decay at a third of the lowest peak of the grid, where the training does not diverge, with seeds that are not used again: their
median over these seeds makes the refined schedule. Each arm is then run at every peak of the grid, with three seeds.

Written down before the runs: refined helps against another arm if, each at its best peak (lowest mean validation loss), all
three seeds are in its favour and the paired Student interval (95 %) of the difference is below 0; it is worse if all is above;
else nothing is shown. Diverged runs count as the loss of chance.
"""

import statistics
import time

import numpy as np
import torch
from scipy.stats import t as student

import preheat as ph
from preheat.lab.tasks.digits import DigitsOptions
from preheat.lab.tasks.training import train
from preheat.measure import refined

STEPS, SEEDS, LOGGED = 300, (0, 1, 2), (100, 101, 102)
PEAKS = (0.003, 0.006, 0.0125, 0.025, 0.05, 0.1)
PROBE = PEAKS[0] / 3


def logged_norms() -> np.ndarray:
    """The gradient norms of every update, the median over the seeds."""
    rows = []
    for seed in LOGGED:
        norms: list[float] = []
        options = DigitsOptions(peak=PROBE)
        train(options, ph.decay(), seed, lambda step, norms=norms, **seen: norms.append(seen["grad_norm"]), steps=STEPS)
        rows.append(norms)
    return np.median(rows, axis=0)


def losses(schedule: object, peak: float) -> list[float]:
    """The final validation loss with each seed."""
    found = [train(DigitsOptions(peak=peak), schedule, seed, lambda step, **seen: None, steps=STEPS) for seed in SEEDS]
    return [one["chance_loss"] if one["diverged"] else one["val_loss"] for one in found]


def verdict(ours: list[float], theirs: list[float]) -> str:
    """The paired difference, its interval, and what is said of it."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean, n = statistics.fmean(differences), len(differences)
    half = student.ppf(0.975, n - 1) * statistics.stdev(differences) / n**0.5
    said = "helps" if mean + half < 0 else "is worse" if mean - half > 0 else "shows no difference"
    wins = sum(d < 0 for d in differences)
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f}), {wins} of {n} seeds in favour: {said}"


def main() -> None:
    """Run all, and print the table."""
    torch.set_num_threads(1)
    begin = time.perf_counter()
    norms = logged_norms()
    made = refined(norms)
    print(made, "\n")
    arms = {
        "refined": made.schedule,
        "simple": made.simple,
        "linear": ph.decay(),
        "warmup 10 %, linear": ph.warmup("10%") >> ph.decay(),
        "warmup 50 %, linear": ph.warmup("50%") >> ph.decay(),
    }
    best = {}
    print(f"{'arm':22}" + "".join(f"{peak:>9g}" for peak in PEAKS) + "   mean validation loss at each peak")
    for name, schedule in arms.items():
        cells = {peak: losses(schedule, peak) for peak in PEAKS}
        best[name] = min(cells.values(), key=statistics.fmean)
        print(f"{name:22}" + "".join(f"{statistics.fmean(one):9.3f}" for one in cells.values()), flush=True)
    print()
    for name in list(arms)[1:]:
        print(f"refined against {name}: {verdict(best['refined'], best[name])}")
    print(f"\n{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
