"""A schedule, rates or a plan as HTML for a notebook: the curve and the phases of each line, in light and dark, no script."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from preheat.core.errors import PreheatError, shown
from preheat.core.node import Schedule
from preheat.core.nodes.leaves import Ramp, Rectified, Table
from preheat.core.nodes.sequence import Sequence as InTurn
from preheat.core.nodes.wrapped import Shifted
from preheat.core.plan import Line, Plan
from preheat.core.sampling import edges, horizon, phases, sampled
from preheat.core.spans import Run, Span
from preheat.core.text.language import Target, to_text
from preheat.plots.panel import Curves, Series, shortened
from preheat.plots.phases import ends, extent
from preheat.plots.svg import rules, svg

POINTS, LISTED = 600, 12  # values of a curve; phases of a table, and lines of a plan
WIDTH, HEIGHT = 460, 210
_LONGEST_TEXT, _SHARES = 1500, 1000  # characters of a text; ticks of a run that is known by its shares only
HOSTS = {  # how notebooks say that they are dark or light, whatever the system is
    '[data-jp-theme-light="false"]': True,
    '[data-jp-theme-light="true"]': False,
    ".vscode-dark": True,
    ".vscode-light": False,
    'html[theme="dark"]': True,
}
_CARD = (
    ".preheat-card{max-width:46em;margin:.3em 0}"
    ".preheat-card code{white-space:pre-wrap;overflow-wrap:anywhere}"
    ".preheat-card p{margin:.3em 0}"
    f".preheat-card .preheat-chart{{display:block;max-width:{WIDTH}px;width:100%}}"
    ".preheat-card table{border-collapse:collapse;margin:.3em 0}"
    ".preheat-card :is(th,td){padding:.1em .8em .1em 0;text-align:left;background:none;border:none;vertical-align:top}"
)


class _Drawn(NamedTuple):
    """A schedule that can be drawn: with every span in ticks, how many are shown, and what one is worth on the axis."""

    bound: Schedule
    total: int
    worth: float
    axis: str


def html(target: Target, *, run: Run | None = None, heading: str = "", position: float | None = None) -> str:
    """What a notebook shows of a schedule, rates or a plan; raises nothing.

    run: what gives lengths their worth; without it what is written in ticks, or in shares of the run, is drawn, and of
    anything else the parts are listed.   heading: the text above, its own by default.   position: of the run, in ticks.
    """
    lines = Plan(target).lines
    text = heading or (
        repr(target) if not isinstance(target, Plan) or len(lines) == 1 else f"Plan of {len(lines)} lines"
    )
    named = isinstance(target, Plan)
    body = [piece for line in lines[:LISTED] for piece in _line(line, run, position, named)]
    if len(lines) > LISTED:
        body.append(f"<p>and {len(lines) - LISTED:,} more lines</p>")
    return card([f"<p><code>{escape(shortened(text, _LONGEST_TEXT))}</code></p>", *body])


def card(pieces: Sequence[str]) -> str:
    """Pieces of HTML as one output of a notebook, with the rules of its charts."""
    return f'<div class="preheat-card"><style>{_style()}</style>{"".join(pieces)}</div>'


def chart(panel: Curves, height: int = HEIGHT, *, legend: bool = False) -> str:
    """A panel, as a card holds it."""
    return svg(panel, width=WIDTH, height=height, in_page=True, legend=legend)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a table, the first one its head."""
    head, *others = rows
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in others)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _style() -> str:
    """The rules of charts and cards, for light and dark: by the system, unless the notebook says it."""
    light, dark = rules()
    hosts = "".join(f"{host}{{{dark if is_dark else light}}}" for host, is_dark in HOSTS.items())
    return f"{light}{_CARD}@media(prefers-color-scheme:dark){{{dark}}}{hosts}"


def _line(line: Line, run: Run | None, position: float | None, named: bool) -> Iterator[str]:
    """The curve of a line of a plan and its phases; where it cannot be drawn, the reason and its parts."""
    if named:
        yield f"<p><code>{escape(f'{line.key}: {shortened(to_text(line.target), _LONGEST_TEXT)}')}</code></p>"
    try:
        drawn = _laid(line.schedule, run)
        values = _curve(drawn)
    except PreheatError as error:
        yield f"<p>No curve: {escape(str(error))}.</p>"
        yield _listed(line.schedule)
        return
    series = [values]
    if position is not None and 0 <= position <= drawn.total:
        now = drawn.bound.function(position)
        series.append(Series("now", [position], [now], 1, dots=True))
    what = "" if line.is_absolute else ", factor"
    yield chart(Curves(title=f"{line.key}{what}", x_label=drawn.axis, series=series))
    if drawn.worth == 1:
        found = [phase for phase in phases(drawn.bound) if phase.start < drawn.total]
        rows = [(*extent(one), ends(one, drawn.total), shown(one.part, 200)) for one in found]
        yield table(_cut([(f"{drawn.axis.partition(',')[0]}s", "length", "value", "part"), *rows]))
    else:
        yield _listed(line.schedule)


def _laid(schedule: Schedule, run: Run | None) -> _Drawn:
    """A schedule as it is drawn; raises PreheatError where its lengths are not known."""
    if run is None and _in_shares(schedule):
        return _Drawn(schedule.bind(Run(total=_SHARES)), _SHARES, 100 / _SHARES, "% of the run")
    bound = schedule.bind(run)
    clock = "update" if run is None or run.clock == "step" else run.clock
    length = bound.length if run is None or run.total is None else run.total
    if length == math.inf:
        return _Drawn(bound, horizon(bound), 1, f"{clock}, goes on")
    return _Drawn(bound, max(1, math.ceil(length)), 1, clock)


def _curve(drawn: _Drawn) -> Series:
    at = sampled(drawn.total, edges(drawn.bound, drawn.total), POINTS)
    value = drawn.bound.function
    return Series("value", [t * drawn.worth for t in at], [value(t) for t in at])


def _in_shares(node: Schedule) -> bool:
    """Whether every length in it is a share of the run, so that its curve is the same on every run."""
    if isinstance(node, Rectified | Table | Shifted) or (isinstance(node, Ramp) and "log" in repr(node.shape)):
        return False
    spans = [value for name in node.__match_args__ if isinstance(value := getattr(node, name), Span)]
    return all(span.is_rest or span.parts[1] == "%" for span in spans) and all(map(_in_shares, node._children))


def _listed(schedule: Schedule) -> str:
    """The parts of a schedule, without their phases."""
    parts = schedule.parts if isinstance(schedule, InTurn) else (schedule,)
    return table(_cut([("part",), *((shown(part, 200),) for part in parts)]))


def _cut(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """A table of so many rows as one can read."""
    more = len(rows) - 1 - LISTED
    return rows if more <= 0 else [*rows[: LISTED + 1], (f"and {more:,} more",)]
