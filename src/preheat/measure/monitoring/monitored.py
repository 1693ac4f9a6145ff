"""What a monitor has written, as evidence: a sentence and a picture. No torch is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from preheat.core.errors import PreheatError, plural
from preheat.measure.evidence import Evidence
from preheat.measure.monitoring.alarms import LIMITS
from preheat.measure.monitoring.history import History, Reader
from preheat.plots.panel import Curves, Mark, Series

_MARKS = {"not finite": "nonfinite"}  # all others are drawn as spikes


@dataclass(frozen=True, repr=False)
class Watched(Evidence):
    """What the file of a monitor says so far."""

    history: History

    @property
    def sentence(self) -> str:
        records, events = self.history.records, self.history.events
        moved = ""
        if records:
            _, worst = self.history.worst()
            largest = max((value for value in worst if value == value), default=None)
            moved = f" up to update {self.history.update:,}; "
            moved += f"the layer that moved most changed by {_share(largest)} of its norm in one update"
            if largest is not None and records[-1].get("not_finite"):
                moved += " where that is known, which it is no longer: numbers are not finite"
        alarms = ", ".join(dict.fromkeys(one["kind"] for one in events)) or "none"
        return (
            f"{plural(len(records), 'record')}{moved}. Alarms: {alarms}. Between two records only the "
            "loss is looked at; limits were set on small models, so no alarm is no proof that a rate is right."
        )

    def panel(self) -> Curves:
        """The relative update of the layer that moves most and of the one in the middle, with the alarms."""
        xs, worst = self.history.worst()
        _, middle = self.history.series("relative", "median")
        series = [
            Series("the layer that moves most", xs, worst),
            Series("the layer in the middle", xs, middle, style=1),
        ]
        top = max((value for value in worst if value == value), default=1.0)
        events = self.history.events
        marks = [
            Mark(one["update"], top, _MARKS.get(one["kind"], "spike"), 0, f"{one['update']}: {one['what']}")
            for one in events
        ]
        return Curves(
            title="Relative update of the layers, ‖Δw‖ / ‖w‖",
            x_label="update",
            y_label="relative update",
            series=series,
            log_y=True,
            level=(f"{LIMITS['large update'].value:.0%}", LIMITS["large update"].value),
            marks=marks,
        )


def _share(value: float | None) -> str:
    return "a share that is not known" if value is None else f"{value:.2%}"


def watched(path: str | Path) -> Watched:
    """What the file of a monitor says so far.

    path: of the file that a Monitor writes. Raises PreheatError where there is none, or it is of another kind.
    """
    reader = Reader(path)
    reader.more()
    if reader.history.header is None:
        raise PreheatError(f"{path} has nothing of a monitor yet: {reader.lacks}")
    return Watched(reader.history)
