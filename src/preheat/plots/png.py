"""Curves as a PNG, drawn by matplotlib without a screen."""

import io
import textwrap
from collections.abc import Sequence

from preheat.core.errors import PreheatError
from preheat.plots.charts import Series

COLOURS = ("#d1590a", "#0b63b5", "#0a7d5c", "#a3379b", "#8a6a00", "#55606e")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 2)), (0, (6, 2, 1.5, 2)))
TITLE_WIDTH, TITLE_LINES = 94, 3


def png_of(series: Sequence[Series], *, title: str, x_label: str, y_label: str, log_y: bool = False) -> bytes:
    """The curves over a common axis, as the bytes of a PNG file, 1200 × 660 pixels.

    Raises PreheatError, with what to install, where there is no matplotlib; it is imported here.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter
    except ImportError:
        raise PreheatError('a PNG needs matplotlib; pip install "preheat[plots]"') from None
    figure = Figure(figsize=(8, 4.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    for one in series:
        look = {"color": COLOURS[one.style % len(COLOURS)], "ls": DASHES[one.style % len(DASHES)]}
        axis.plot([float(x) for x in one.xs], one.ys, lw=2, label=_plain(one.name), **look)
    if log_y:
        axis.set_yscale("log")
    elif (low := axis.get_ylim()[0]) > 0 and low < 0.3 * axis.get_ylim()[1]:
        axis.set_ylim(bottom=0)
    if len(series) > 1:
        axis.legend(frameon=False)
    lines = textwrap.wrap(title, TITLE_WIDTH, max_lines=TITLE_LINES, placeholder=" …", break_on_hyphens=False)
    axis.set_title(_plain("\n".join(lines)), fontsize="small", family="monospace", loc="left")
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set(xlabel=x_label, ylabel=y_label)
    axis.margins(x=0.01)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.25)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _plain(text: str) -> str:
    """Text that matplotlib shows as it is: `$` would begin a formula, and a leading `_` hide a legend entry."""
    text = text.replace("$", r"\$")
    return f"ˍ{text[1:]}" if text.startswith("_") else text
