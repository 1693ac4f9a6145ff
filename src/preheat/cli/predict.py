"""`preheat predict`: what another schedule would have given, from runs that were logged."""

import json
import sys
import warnings
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from preheat.cli.columns import whole_columns
from preheat.cli.counts import Count, Seed
from preheat.cli.explain import fitted
from preheat.cli.pictures import Picture, saved
from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.core.errors import PreheatError, PreheatWarning
from preheat.plots.terminal import Terminal


def predict(
    runs: list[Path],
    /,
    *,
    schedule: Annotated[list[str], Parameter(negative=())],
    total: Count,
    peak: float | None = None,
    metric: str | None = None,
    seed: Seed = 0,
    png: Picture = None,
    svg: Picture = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> None:
    """Say what other schedules would have given, from runs that were logged.

    Try:

        preheat predict wsd.csv cosine.csv --total 2000 \\
            --schedule "warmup(20) >> decay(shape=cosine)" \\
            --schedule "warmup(20) >> hold() >> decay(20%)"

    Laws of loss curves are fitted to the runs, and say how the final losses of the
    schedules would differ: with an interval, with the probability of being the
    best, and with what each law says alone. Two runs at least are needed, and
    their rates have to decay in different ways, such as a cosine and a hold with a
    decay at its end. What that cannot tell is refused: more than 8 times the
    updates of the longest run or fewer than those of the shortest, a peak above
    twice or below half of theirs. Losses themselves are said up to 1.5 times the
    updates, beyond that only differences.

    Parameters
    ----------
    runs
        Logs with step, loss and rate: folders of preheat compare, JSON lines, CSV, trainer_state.json.
    schedule
        A schedule in quotes; give several, the first is what the others are compared with.
    total
        Updates of the run that is predicted, warmup included.
    peak
        The rate at the peak, of factors; by default that of the runs.
    metric
        Which column is the loss; by default val_loss, eval_loss or loss.
    seed
        Of the draws behind the intervals.
    png
        Also write the picture to this file, as PNG; needs matplotlib.
    svg
        Also write the picture to this file, as SVG.
    as_json
        All numbers and sentences as JSON instead.
    """
    from preheat.measure.predicting.predict import predict as predicted

    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", PreheatWarning)
            found = predicted(runs, schedule, total=total, peak=peak, metric=metric, seed=seed)
    except PreheatError as error:
        raise at_prompt(error, _CURES) from None
    for one in said:
        print(f"preheat: {one.message}", file=sys.stderr)
    wrote = saved(found.panel(), png=png, svg=svg)
    if as_json:
        print(json.dumps(found.to_dict(), indent=1))
        return
    terminal = Terminal.of(sys.stdout)
    tables = [
        whole_columns(rows, "<" + ">" * (len(rows[0]) - 2) + last, terminal)
        for rows, last in ((found.table, "<"), (found.law_table, ">"))
    ]
    pieces = [fitted([found.sentence], terminal), *tables]
    print("\n\n".join("\n".join(piece) for piece in pieces))
    print("".join(f"\nWrote {path}" for path in wrote), end="\n" if wrote else "")


_CURES = {**SCHEDULE, "schedules": "write --schedule twice or more", "peak": "write --peak", "metric": "write --metric"}
