"""`python -m benchmarks.verdicts`: how often a verdict claims a difference where there is none, and finds one that is there.

Finished runs are made of random numbers with equal means and go through the functions that the verdict is made of; what
counts is whether a direction is claimed of anything. The tables of docs/compare.md, with `--simulations 2000`:

    noise      two arms, one or both with noise of a family, and the power at normal noise
    looks      3, 5 and 10 of 10 planned seeds, stopping at the first claim
    grid       two families at five peaks, flat and curved, with equal and unequal scatter
    frontier   other intervals of ten and more pairs
"""

import argparse
from collections.abc import Callable, Sequence

import numpy as np

from preheat.lab.experiment import Arm, Study, grid
from preheat.lab.records.record import Record, Result
from preheat.lab.statistics.arms import StudySummary, summarised
from preheat.lab.statistics.inference import student
from preheat.lab.statistics.looks import Report
from preheat.lab.trials import Trials

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
"""Draws of the mean 0, from a generator and a shape."""

FAMILIES: dict[str, Noise] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "Student, 3 degrees": lambda rng, shape: rng.standard_t(3, shape) / 3**0.5,
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "log-normal": lambda rng, shape: (rng.lognormal(size=shape) - np.exp(0.5)) / (np.e**2 - np.e) ** 0.5,
    "10 % are 10 sd worse": lambda rng, shape: rng.normal(size=shape) + 10 * (rng.random(shape) < 0.1) - 1,
    "rounded to a third": lambda rng, shape: np.round(3 * rng.normal(size=shape)) / 3,
}
SEEDS = (3, 5, 10, 20)
PEAKS = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)


def study_of(arms: Sequence[Arm], seeds: int) -> Study:
    """A study of these arms that is never run."""
    return Study("made", "made", None, tuple(arms), tuple(range(seeds)), None, "made:up")


def summary_of(
    study: Study, losses: np.ndarray, earlier: Sequence[Report] = (), chance: float | None = None
) -> StudySummary:
    """The summary of a table arms × seeds, which may have fewer seeds than the study."""
    runs = {
        (arm.name, seed): Record({}, [], {}, Result(metrics={"val_loss": float(loss)}, chance_loss=chance), 1.0)
        for arm, row in zip(study.arms, losses, strict=True)
        for seed, loss in zip(study.seeds, row, strict=False)
    }
    return summarised(Trials(study, runs), earlier=earlier)


def claims(summary: StudySummary) -> bool:
    """Whether the verdict claims a direction of anything."""
    if summary.grid is None:
        return any(arm.difference is not None and arm.difference.excludes_zero for arm in summary.arms)
    for family in summary.grid.families:
        found = [*family.at_best.values(), family.sensitivity_difference, family.octaves]
        if any(one is not None and one.excludes_zero for one in found):
            return True
    return False


def noise(simulations: int) -> None:
    """The table of noise."""
    print("| noise | in | " + " | ".join(f"{seeds} seeds" for seeds in SEEDS) + " |")
    print("|---|---|" + "---:|" * len(SEEDS))
    for name, draw in FAMILIES.items():
        for where in (
            ("both arms",) if name == "normal" else ("both arms", "one arm", "one arm, the other a third as wide")
        ):
            cells = [told(two_arms(draw, where, seeds, simulations)) for seeds in SEEDS]
            print(f"| {name} | {where} | " + " | ".join(cells) + " |", flush=True)
    for arms in (3, 5):
        cells = [told(many_arms(arms, seeds, simulations)) for seeds in SEEDS]
        print(f"| normal | {arms} arms | " + " | ".join(cells) + " |", flush=True)
    for effect in (1, 2, 5):
        cells = [told(two_arms(FAMILIES["normal"], "both arms", seeds, simulations, effect)) for seeds in SEEDS]
        print(f"| power: a difference of {effect} sd | normal | " + " | ".join(cells) + " |", flush=True)


def two_arms(draw: Noise, where: str, seeds: int, simulations: int, effect: float = 0.0) -> list[StudySummary]:
    """Summaries of two arms, the second with the noise of the family; a seed's part is common to both."""
    rng, study = (
        np.random.default_rng([seeds, len(where)]),
        study_of([Arm("none", "decay()"), Arm("arm", "hold()")], seeds),
    )
    found = []
    for _ in range(simulations):
        own, first = draw(rng, (seeds,)), (draw if where == "both arms" else FAMILIES["normal"])(rng, (seeds,))
        table = np.array([first / (3 if "third" in where else 1), own - effect])
        shared = rng.normal(0, 3, seeds)
        if draw is FAMILIES["rounded to a third"]:
            shared = np.round(3 * shared) / 3
        found.append(summary_of(study, table + shared))
    return found


def many_arms(arms: int, seeds: int, simulations: int) -> list[StudySummary]:
    """Summaries of so many arms with normal noise."""
    study = study_of([Arm(f"arm {at}", f"warmup({at + 1}) >> decay()") for at in range(arms)], seeds)
    rng = np.random.default_rng([arms, seeds])
    return [summary_of(study, rng.normal(size=(arms, seeds))) for _ in range(simulations)]


def told(summaries: Sequence[StudySummary]) -> str:
    """In how many of 100 a direction is claimed, and in how many an outlier is told."""
    outliers = sum(any(arm.difference and arm.difference.outlier is not None for arm in one.arms) for one in summaries)
    return f"{100 * sum(map(claims, summaries)) / len(summaries):.1f} ({100 * outliers / len(summaries):.0f})"


def looks(simulations: int) -> None:
    """Reports on parts of what was planned, until one claims something."""
    study = study_of([Arm("none", "decay()"), Arm("arm", "hold()")], 10)
    for plan in ((10,), (3, 5, 10), (2, 3, 4, 5, 6, 7, 8, 9, 10)):
        rng = np.random.default_rng(1)
        wrong = sum(stopped(study, rng.normal(size=(2, 10)), plan) for _ in range(simulations))
        print(f"| looks at {', '.join(map(str, plan))} of 10 seeds | {100 * wrong / simulations:.1f} |", flush=True)


def stopped(study: Study, losses: np.ndarray, plan: Sequence[int], chance: float | None = None) -> bool:
    """Whether any report of the plan claims a direction."""
    earlier: Sequence[Report] = ()
    for seeds in plan:
        found = summary_of(study, losses[:, :seeds], earlier, chance)
        if claims(found):
            return True
        earlier = found.reports
    return False


def families(curves: Sequence[float], scatter: Sequence[float], seeds: int, simulations: int) -> list[StudySummary]:
    """Summaries of two families whose loss rises by `curves` from the middle peak to the ends."""
    study = study_of(grid([Arm("none", "decay()"), Arm("linear", "hold()")], PEAKS), seeds)
    rng = np.random.default_rng([seeds, *map(int, curves)])
    shape = np.concatenate([curve * np.linspace(-1, 1, 5) ** 2 for curve in curves])[:, None]
    wide = np.repeat(scatter, 5)[:, None]
    draws = (shape + wide * rng.normal(size=(10, seeds)) + rng.normal(0, 3, seeds) for _ in range(simulations))
    return [summary_of(study, losses, chance=1e3) for losses in draws]


def grids(simulations: int) -> None:
    """How often anything is claimed of two families, and each of the two claims by itself."""
    print(
        "| curve of the one, the other | scatter | seeds | any | at best | sensitivity |\n|---|---|---|---:|---:|---:|"
    )
    for curves in ((0, 0), (3, 3), (30, 30), (0, 30)):
        for scatter in ((1, 1), (1, 3)):
            for seeds in (3, 5, 10):
                found = families(curves, scatter, seeds, simulations)
                rows = [one.grid.families[1] for one in found if one.grid]
                best = [family.at_best["val_loss"] for family in rows]
                wide = [family.sensitivity_difference for family in rows]
                shares = [
                    sum(map(claims, found)),
                    *(sum(one is not None and one.excludes_zero for one in x) for x in (best, wide)),
                ]
                cells = " | ".join(f"{100 * share / simulations:.1f}" for share in shares)
                print(f"| {curves[0]}, {curves[1]} | {scatter[0]}, {scatter[1]} | {seeds} | {cells} |", flush=True)


def frontier(simulations: int) -> None:
    """Intervals of differences at 95 %: Student's, Hall's, the wider of both, and the symmetric studentised bootstrap."""
    print(
        "| noise of one arm, the other's scatter | pairs | Student | Hall | both | bootstrap |\n|---|---|---:|---:|---:|---:|"
    )
    for seeds in (5, 8, 10, 15, 20):
        for name, draw in FAMILIES.items():
            for other in ("as wide", "a third", "the same noise"):
                rng, shape = np.random.default_rng(seeds), (simulations, seeds)
                rows = draw(rng, shape)
                second = draw(rng, shape) if other == "the same noise" else rng.normal(size=shape)
                rows -= second / (3 if other == "a third" else 1)
                print(f"| {name}, {other} | {seeds} | {' | '.join(rivals(rows))} |", flush=True)
        power = np.random.default_rng(seeds).normal(2.9 / np.sqrt(seeds), 1, (simulations, seeds))
        print(f"| power at normal noise | {seeds} | {' | '.join(rivals(power))} |", flush=True)


def rivals(rows: np.ndarray) -> list[str]:
    """In how many of 100 rows each interval leaves out 0."""
    count, reach = rows.shape[1], student(rows.shape[1] - 1)
    sd, size = rows.std(axis=1, ddof=1), rows.mean(axis=1) / rows.std(axis=1, ddof=1)
    skewness = ((rows - rows.mean(axis=1)[:, None]) ** 3).mean(axis=1) / rows.std(axis=1) ** 3
    skewness *= np.sqrt(count * (count - 1)) / (count - 2)
    bent = size + skewness * size**2 / 3 + skewness**2 * size**3 / 27 + skewness / (6 * count)
    plain, hall = (np.sqrt(count) * np.abs(value) > reach for value in (size, bent))
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), 999) / count
    beyond = np.zeros(len(rows), bool)
    for at, row in enumerate((rows - rows.mean(axis=1)[:, None]) / sd[:, None]):
        means = drawn @ row
        scatter = np.sqrt(np.maximum(drawn @ row**2 - means**2, 1e-6) / (count - 1))
        beyond[at] = np.sqrt(count) * abs(size[at]) > np.quantile(np.abs(means) / scatter, 0.95)
    return [f"{100 * found.mean():.1f}" for found in (plain, hall, plain & hall, beyond)]


def main() -> None:
    """Print the tables that are asked for."""
    tables = {"noise": noise, "looks": looks, "grid": grids, "frontier": frontier}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts", description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", help="all of them, if none is named")
    parser.add_argument("--simulations", type=int, default=2000, help="of each cell")
    given = parser.parse_args()
    if unknown := set(given.tables) - set(tables):
        parser.error(f"{', '.join(sorted(unknown))}: write {', '.join(tables)}")
    for name in given.tables or tables:
        print(f"\n## {name}\n")
        tables[name](given.simulations)


if __name__ == "__main__":
    main()
