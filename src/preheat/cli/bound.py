"""`preheat bound`: schedules side by side, as the theory of the last iterate sees them."""

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from preheat.cli.columns import whole_columns
from preheat.cli.explain import fitted
from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.cli.resolved import RunOptions
from preheat.cli.sources import ConfigOptions, opened
from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError
from preheat.plots.terminal import Terminal

if TYPE_CHECKING:
    from preheat.measure.theory.last_iterate import Bound


def bound(
    *sources: str,
    peak: float | None = None,
    run: RunOptions = RunOptions(),  # noqa: B008  frozen
    config: ConfigOptions = ConfigOptions(),  # noqa: B008  frozen
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> None:
    """Rank schedules by the last-iterate bound, and carry a peak from one to another.

    Try:

        preheat bound "decay()" "hold() >> decay(20%)" llama2_7b --total 10k
        preheat bound "decay(shape=cosine)" "decay()" --total 10k --peak 3e-4

    The table has a row for each schedule. Score: the bound at the best peak, times
    the root of the number of updates, over D·G; the lower the better, and a linear
    decay to 0 has about 2. Against the first: how much lower or higher the bound is.
    Peak: what the schedule wants, as a multiple of the first one's, or as a rate
    where --peak says what was tuned for the first. Nothing is trained.

    Parameters
    ----------
    sources
        Schedules in quotes, presets' names, or paths of configs.
    peak
        The peak rate that was tuned for the first, whose schedule is factors.
    as_json
        All numbers and sentences as JSON instead.
    """
    from preheat.measure.theory.last_iterate import WHERE_IT_HOLDS  # brings numpy, and --help must not wait for it
    from preheat.measure.theory.transfer import Transferred, unit_bound

    if not sources:
        write = 'write for example preheat bound "decay()" "hold() >> decay(20%)" --total 10k'
        raise PreheatError("bound takes one schedule or more", write=write)
    tuned = None if peak is None else positive_number(peak, "--peak")
    try:
        found = [
            unit_bound(opened(source, run, config), factors=tuned is not None and place == 0)
            for place, source in enumerate(sources)
        ]
    except PreheatError as error:
        raise at_prompt(error, SCHEDULE) from None
    found = [replace(one, name=source) for one, source in zip(found, sources, strict=True)]
    rows = [Transferred(found[0], one, 1.0 if tuned is None else tuned) for one in found]
    if as_json:
        print(json.dumps({"schedules": [_data(one) for one in rows], "holds": WHERE_IT_HOLDS}, indent=1))
        return
    terminal = Terminal.of(sys.stdout)
    head = ("updates", "score", "against the first", "peak", "schedule")
    table = [head, *(_row(one.other, one, tuned is not None) for one in rows)]
    print("\n".join(whole_columns(table, ">>>><", terminal)))
    print("\n" + "\n".join(fitted([WHERE_IT_HOLDS], terminal)))


def _row(one: "Bound", beside: Any, is_rate: bool) -> tuple[str, ...]:
    change = one.least / beside.own.least - 1.0
    against = "–" if one is beside.own else f"{change:+.1%}".replace("-", "−").replace("%", " %")
    want = f"{beside.peak:.3g}" if is_rate else f"× {beside.ratio:.3g}"
    return f"{one.updates:,}", f"{one.score:.3f}", against, want, one.name


def _data(row: Any) -> dict[str, Any]:
    """The numbers of a row as plain data; bounds are in units of D·G, and best_peak of D/G."""
    one = row.other
    numbers = {"score": one.score, "bound": one.least, "best_peak": one.best_peak, "ratio": row.ratio}
    return {"schedule": one.name, "updates": one.updates, "moving": one.moving, **numbers, "peak": row.peak}
