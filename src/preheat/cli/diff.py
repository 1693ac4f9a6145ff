"""`preheat diff`: how two schedules differ, the first update first."""

import json
import math
import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from preheat.cli.counts import CountOrNone
from preheat.cli.explain import fitted
from preheat.cli.pictures import Picture, saved
from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.cli.resolved import RunOptions
from preheat.cli.sources import ConfigOptions, opened
from preheat.core.errors import PreheatError
from preheat.core.sampling import edges, sampled
from preheat.plots.terminal import Terminal, braille
from preheat.review.diff import Difference, Differing
from preheat.review.diff import diff as compared
from preheat.review.explaining.sentences import called

if TYPE_CHECKING:
    from preheat.plots.panel import Curves

POINTS = 4000  # values looked at for a picture
DIFFERENT = 1


class _Drawn(NamedTuple):
    """Both curves over the longer of the runs: NaN after the end of the shorter."""

    at: list[int]
    a: list[float]
    b: list[float]


def diff(
    a: str,
    b: str,
    /,
    *,
    at: CountOrNone = None,
    run: RunOptions = RunOptions(),  # noqa: B008  frozen
    config: ConfigOptions = ConfigOptions(),  # noqa: B008  frozen
    peak: float | None = None,
    by_share: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    png: Picture = None,
    svg: Picture = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Say how two schedules differ: the first update, the largest difference.

    Try:

        preheat diff "warmup(5%) >> decay()" "linear(warmup_ratio=0.05)" --total 10k
        preheat diff "warmup(5%) >> decay()" "warmup(5%) >> decay(shape=cosine)" \\
            --total 10k --peak 3e-4 --at 2000
        preheat diff llama2_7b "warmup(2000) >> decay(to=0.1)" --svg diff.svg

    Both are a schedule, a plan, a preset's name, or the path of a config or a
    checkpoint. One that says no run is put on the other's. Plans are compared line
    by line. In the picture A is the whole line, B the broken one;
    of plans it shows the line that differs first.
    Exit code: 0 if they are equal, 1 if they differ, 2 if one cannot be read.

    Parameters
    ----------
    a
        A schedule in quotes, a plan as JSON, a preset's name, or the path of a config or a checkpoint.
    b
        What it is compared with.
    at
        Also show both values at this update.
    peak
        The rate at the peak, of factors; needed where the other is rates. A checkpoint holds its own.
    by_share
        Also compare at equal shares of the two runs, at those of every update of either.
    png
        Also write the picture to this file, as PNG; needs matplotlib.
    svg
        Also write the picture to this file, as SVG.
    as_json
        All numbers and sentences as JSON instead.
    """
    try:
        found = compared(opened(a, run, config), opened(b, run, config), at, peak=peak, by_share=by_share)
    except PreheatError as error:
        raise at_prompt(error, SCHEDULE) from None
    shown = min(found.lines, key=lambda one: math.inf if one.first is None else one.first.at, default=None)
    wrote = saved(_panel(found, shown), png=png, svg=svg) if shown and (png or svg) else []
    if as_json:
        print(json.dumps(found.to_dict(), indent=1))
        return DIFFERENT * bool(found)
    terminal = Terminal.of(sys.stdout)
    pieces = ["\n".join(fitted(found.sentences, terminal))]
    if shown and shown.first is not None:
        pieces.append(_picture(shown, len(found.lines) > 1, terminal))
    print("\n\n".join(pieces))
    print("".join(f"\nWrote {path}" for path in wrote), end="\n" if wrote else "")
    return DIFFERENT * bool(found)


def _drawn(one: Differing) -> _Drawn:
    """The values of both at the updates where something happens, and between."""
    longest = max(line.updates for line in one.lines)
    around = [edge / line.tick for line in one.lines for edge in edges(line.curve, line.total)]
    points = [point.at for point in (one.first, one.largest) if point is not None]
    at = sampled(longest, [*around, *points], POINTS)
    a, b = ([line.at(t) if t < line.updates else math.nan for t in at] for line in one.lines)
    return _Drawn(at, a, b)


def _picture(one: Differing, several: bool, terminal: Terminal) -> str:
    """Both curves, under the name of each."""
    curves, width = _drawn(one), terminal.width if terminal.unicode else terminal.width - 1
    drawn = braille(
        curves.a, at=curves.at, width=width, height=12, x_label=one.lines[0].unit, terminal=terminal, beside=curves.b
    )
    first, second = ("A ⠤⠤⠤⠤⠤", "B ⠤⠄⠠⠤⠄") if terminal.unicode else ("A *****", "B ooooo")
    of_line = f"   {one.key}" if several or one.key != "lr" else ""
    return f"{terminal.styled(first, '33')}   {terminal.styled(second, '36')}{of_line}\n{drawn}"


def _panel(found: Difference, one: Differing) -> "Curves":
    """The picture of a file."""
    from preheat.plots.panel import Curves, Series, shortened  # only a picture needs them

    curves, line = _drawn(one), one.lines[0]
    names = [f"{letter}: {shortened(called(subject), 60)}" for letter, subject in (("A", found.a), ("B", found.b))]
    series = [
        Series(name, curves.at, ys, style) for style, (name, ys) in enumerate(zip(names, curves[1:], strict=True))
    ]
    return Curves(title=_title(found, one), series=series, x_label=line.unit, y_label=line.quantity)


def _title(found: Difference, one: Differing) -> str:
    """What the picture shows, of plans which line."""
    if one.first is None:
        return "A and B are equal" if found.is_equal else "A and B are equal where both have values"
    which = f"{one.key}, the first to differ: " if len(found.lines) > 1 else ""
    return f"{which}A and B differ first at {one.lines[0].unit} {one.first.at:,}"
