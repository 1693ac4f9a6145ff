"""Panels drawn by matplotlib, without a screen; it is imported where it is needed."""

import io
import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from warnings import catch_warnings, filterwarnings

from preheat.core.errors import PreheatError
from preheat.plots.axis import drawable
from preheat.plots.panel import DASHES, INK, LIGHT, SCALE, Curves, FinalValues, HeatMap, Panel, shortened

_DOTS = "osD^"  # by the round of colours, which come again after six
_FALLBACKS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "PingFang SC", "Microsoft YaHei", "SimHei")
_MARKERS = {"spike": "^", "nonfinite": "x", "at chance": "o"}


def new_figure(extra: str, **shape: Any) -> Any:
    """An empty figure. Raises PreheatError where there is no matplotlib: the extra of ours that brings it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise PreheatError(f'a picture needs matplotlib; pip install "preheat[{extra}]"') from None
    figure = Figure(layout="constrained", **shape)
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def any_letters() -> Iterator[None]:
    """Letters that the first font has not come from another, where one is installed; else boxes, without a warning."""
    from matplotlib import font_manager, rc_context

    known = {one.name for one in font_manager.fontManager.ttflist}
    with rc_context({"font.family": ["sans-serif", *(name for name in _FALLBACKS if name in known)]}), catch_warnings():
        filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def png(panel: Curves) -> bytes:
    """The curves as the bytes of a PNG file, 1200 × 660 pixels. Raises PreheatError where there is no matplotlib."""
    figure = new_figure("plots", figsize=(8, 4.4), dpi=150)
    with any_letters():
        return _drawn(figure, panel)


def _drawn(figure: Any, panel: Curves) -> bytes:
    """The bytes of a figure with these curves."""
    axis = figure.add_subplot()
    draw(axis, panel)
    for line in axis.lines:
        line.set_linewidth(2)
    if len(panel.named) > 1:
        axis.legend(frameon=False)
    title = textwrap.wrap(panel.title, 94, max_lines=3, placeholder=" …", break_on_hyphens=False)
    axis.set_title(plain("\n".join(title)), fontsize="small", family="monospace", loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def draw(axis: Any, panel: Panel) -> None:
    """Draw a panel on the axes; the title is left to the caller."""
    match panel:
        case Curves():
            _curves(axis, panel)
        case HeatMap():
            _heat(axis, panel)
        case FinalValues():
            _finals(axis, panel)
        case _:
            raise TypeError(f"no picture is drawn of {type(panel).__name__}")
    label = f"{panel.x_label}\n({panel.note})" if panel.note else panel.x_label
    axis.set(xlabel=plain(label), ylabel=plain(panel.y_label))


def look(style: int) -> dict[str, Any]:
    """Colour and dashes of a style, as matplotlib takes them."""
    dashes = DASHES[style % len(DASHES)]
    return {"color": LIGHT[style % len(LIGHT)], "ls": (0, dashes) if dashes else "-"}


def _dot(style: int) -> str:
    """The sign of a point of a style."""
    return _DOTS[style // len(LIGHT) % len(_DOTS)]


def plain(text: str) -> str:
    """Text that matplotlib shows as it is: `$` would begin a formula, and a leading `_` hide a legend entry."""
    text = text.replace("$", r"\$")
    return f"ˍ{text[1:]}" if text.startswith("_") else text


def _curves(axis: Any, panel: Curves) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    if panel.log_x:
        axis.set_xscale("log")
        axis.set_xticks(panel.x_ticks, [f"{tick:g}" for tick in panel.x_ticks], fontsize=6.5)
        axis.minorticks_off()
    else:
        whole = panel.x_limits[1] - panel.x_limits[0] >= 6  # updates, and not rates
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=whole, steps=[1, 2, 2.5, 5, 10]))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}" if whole else "{x:.3g}"))
    axis.set_yscale("log" if panel.log_y else "linear")
    for one in sorted(panel.series, key=lambda one: not one.faint):
        xs = [float(x) if drawable(x, panel.log_x) else math.nan for x in one.xs]
        colour = look(one.style)["color"]
        if len(one.low):
            axis.fill_between(xs, panel.drawn(one.low), panel.drawn(one.high), color=colour, alpha=0.18, lw=0)
        if one.faint:
            axis.plot(xs, panel.drawn(one.ys), color=colour, lw=0.5, alpha=0.35)
        else:
            marker = _dot(one.style) if one.dots else ""
            axis.plot(xs, panel.drawn(one.ys), marker=marker, ms=3, label=plain(one.name), **look(one.style))
    for mark in panel.marks:
        place, colour = (mark.x, panel.mark_height(mark)), look(mark.style)["color"]
        axis.plot(*place, _MARKERS[mark.kind], color=colour, ms=4, mfc="none", mew=0.9, zorder=3, clip_on=False)
    low, high = panel.y_limits
    if panel.level and low <= panel.level[1] <= high:
        name, value = panel.level
        axis.axhline(value, color="#777777", lw=0.8, ls=":")
        paper = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.6}  # a curve may end just there
        place = {"ha": "right", "va": "bottom", "transform": axis.get_yaxis_transform()}
        axis.text(0.97, value, plain(name), color="#555555", bbox=paper, zorder=4, **place)
    axis.set_ylim(low, high)
    axis.margins(x=0.03)
    axis.grid(alpha=0.25)


def _heat(axis: Any, panel: HeatMap) -> None:
    from matplotlib.patches import Rectangle

    for row, (_, cells) in enumerate(panel.rows):
        for column, cell in enumerate(cells):
            corner, ink, box = (column - 0.5, row - 0.5), "black", None
            if cell.colour is None:
                axis.add_patch(Rectangle(corner, 1, 1, lw=0.8, fc="white", ec="#999999", hatch="////"))
                box = {"fc": "white", "ec": "none", "pad": 0.8}
            else:
                axis.add_patch(Rectangle(corner, 1, 1, lw=0.8, fc=SCALE[cell.colour], ec="white"))
                ink = INK[cell.colour]
            axis.text(column, row, cell.text, ha="center", va="center", color=ink, fontsize=6.5, bbox=box)
            if cell.best:
                axis.add_patch(Rectangle(corner, 1, 1, fill=False, ec="black", lw=1.6, zorder=3))
            if cell.edge:
                axis.plot([column + 0.5] * 2, [row - 0.46, row + 0.46], color=LIGHT[0], lw=2, zorder=4)
    axis.set(xlim=(-0.5, len(panel.columns) - 0.5), ylim=(len(panel.rows) - 0.5, -0.5))
    axis.set_xticks(range(len(panel.columns)), panel.columns, fontsize=6.5)
    axis.set_yticks(range(len(panel.rows)), [plain(shortened(name, 14)) for name, _ in panel.rows])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _finals(axis: Any, panel: FinalValues) -> None:
    places, columns = range(len(panel.rows)), [values for _, values in panel.rows]
    for joined in zip(*columns, strict=True):
        axis.plot(joined, places, color="#999999", lw=0.5, zorder=1)
    for place, values in zip(places, columns, strict=True):
        axis.scatter(values, [place] * len(values), color=look(place)["color"], marker=_dot(place), s=12, zorder=2)
    axis.set_yticks(places, [plain(name) for name, _ in panel.rows])
    axis.set_ylim(len(places) - 0.5, -0.5)
    axis.grid(alpha=0.25, axis="x")
