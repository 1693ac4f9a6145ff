"""What is seen on the page, as SVG."""

from __future__ import annotations

import math
from typing import Any

from preheat.core.errors import PreheatError
from preheat.plots.panel import Curves, Series, shortened
from preheat.plots.svg import svg
from preheat.studio.document import Document
from preheat.studio.drawing import draw

POINTS = 2000
SIZES = (160, 4000)  # the least and the most of a side
_LONGEST = 40  # letters of a name in the legend


def picture(document: Document, size: tuple[int, int], axis: str = "", log: bool = False) -> dict[str, Any]:
    """The curves that can be drawn, in the part of the run that is seen; raises PreheatError where there is none.

    size: width and height.   axis: what the horizontal axis counts, by its id; updates where nothing has that.
    log: whether the vertical one is logarithmic.
    """
    width, height = (max(SIZES[0], min(SIZES[1], side)) for side in size)
    drawn = draw(document, POINTS)
    curves = {place: curve for place, curve in enumerate(drawn["curves"]) if "error" not in curve}
    if not curves:
        raise PreheatError("there is no curve to draw", write="write a schedule, such as warmup(5%) >> decay()")
    unit = next((one for one in drawn["axes"] if one["id"] == axis), drawn["axes"][0])
    series = [_series(document, place, curve, unit["worth"]) for place, curve in curves.items()]
    title = series[0].name if len(series) == 1 else f"{len(series)} schedules"
    quantity = " and ".join(dict.fromkeys(curve["quantity"] for curve in curves.values()))
    shown = Curves(title=title, x_label=unit["label"], y_label=quantity, series=series, log_y=log)
    return {"svg": svg(shown, width=width, height=height, legend=len(series) > 1)}


def _series(document: Document, place: int, curve: dict[str, Any], worth: float) -> Series:
    """A curve as far as it is in view; what is not finite is a gap."""
    low, high = document.view or (-math.inf, math.inf)
    seen = [(t, value) for t, value in zip(curve["at"], curve["values"], strict=True) if low <= t <= high]
    ys = [math.nan if value is None else value for _, value in seen]
    return Series(_name(document, place), [t * worth for t, _ in seen], ys, place)


def _name(document: Document, place: int) -> str:
    written = document.schedules[place]
    return shortened(written.name or " ".join(written.text.split()), _LONGEST)
