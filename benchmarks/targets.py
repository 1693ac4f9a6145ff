"""How often a mean that lies at the target is claimed to be below it: the table of `docs/compare.md`.

python -m benchmarks.targets
"""

import math
from collections.abc import Callable

import numpy as np

from preheat.lab.experiment import TargetValue
from preheat.lab.statistics.target import target_arm

SIMULATIONS, SEEDS, LEVELS = 4000, (3, 5, 10, 20), (0.05, 0.01)

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
NOISE: dict[str, tuple[Draw, float]] = {  # each has the mean 0; and its standard deviation
    "normal": (lambda rng, shape: rng.normal(0, 1, shape), 1.0),
    "Student, 3 degrees": (lambda rng, shape: rng.standard_t(3, shape), math.sqrt(3)),
    "exponential, the tail towards better": (lambda rng, shape: 1 - rng.exponential(1, shape), 1.0),
    "exponential, the tail towards worse": (lambda rng, shape: rng.exponential(1, shape) - 1, 1.0),
    "one run in ten worse by 10": (
        lambda rng, shape: rng.normal(0, 1, shape) + 10 * (rng.random(shape) < 0.1) - 1,
        math.sqrt(10),
    ),
}


def rate(draw: Draw, seeds: int, level: float, sd: float | None) -> float:
    """The share of simulations in which an arm whose mean is the target is said to be below it."""
    rng = np.random.default_rng([seeds, round(1000 * level)])
    target = TargetValue(3.0, None if sd is None else 0.01 * sd, level)
    rows = (3.0 + 0.01 * draw(rng, (SIMULATIONS, seeds))).tolist()
    found = (target_arm("arm", row, target, "min", levels=(level, level), lack="") for row in rows)
    return sum(arm.reached for arm in found) / SIMULATIONS


def main() -> None:
    """Print the table, in per cent, with 3, 5, 10 and 20 seeds."""
    print("| noise | level | t | z, the true deviation given |\n|---|---|---|---|")
    for level in LEVELS:
        for name, (draw, sd) in NOISE.items():
            cells = (", ".join(f"{100 * rate(draw, n, level, known):.1f}" for n in SEEDS) for known in (None, sd))
            print(f"| {name} | {100 * level:g} % | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
