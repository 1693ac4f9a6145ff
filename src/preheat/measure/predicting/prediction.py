"""What was predicted: differences between schedules, how sure they are, and where the laws disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from preheat.core.errors import plural
from preheat.measure.evidence import Evidence
from preheat.measure.predicting.guards import ABSOLUTE
from preheat.plots.panel import Curves, Series, short, shortened


@dataclass(frozen=True)
class Predicted:
    """One schedule. difference: its final loss less the first schedule's, with an interval of 95 %.

    disagreement: how far the laws lie apart on that difference.   best: the probability that it ends lowest of all.
    regret: by how much it is expected to end above the lowest.   known: whether it is known to end above the best one: the
    interval of that difference is above 0, and the difference larger than the laws' disagreement on it.
    loss: the final loss with its interval, within 1.5 times the longest run; None beyond.
    """

    name: str
    difference: float
    low: float
    high: float
    disagreement: float
    best: float
    regret: float
    known: bool
    loss: tuple[float, float, float] | None


@dataclass(frozen=True)
class ByLaw:
    """One law. error: how far off it was on the ends of the runs, which were held back.   weight: its share in the prediction.

    source: where it is from.   differences: what it says of each schedule, less the first.
    """

    name: str
    source: str
    error: float
    weight: float
    differences: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class Prediction(Evidence):
    """What schedules would have given at `total` updates, from runs of at most `horizon`.

    Printed it is its sentence; `table` has the numbers, `schedules` in the order of what was asked, `ordered` best first.
    """

    total: int
    horizon: int
    runs: tuple[str, ...]
    schedules: tuple[Predicted, ...]
    laws: tuple[ByLaw, ...]
    control: ByLaw
    new_peak: bool

    @property
    def ordered(self) -> list[Predicted]:
        """The schedules, lowest predicted loss first."""
        return sorted(self.schedules, key=lambda one: one.difference)

    @property
    def undecided(self) -> list[Predicted]:
        """Those that may be the best: first the one that is predicted to be, then all that are not known to end above it."""
        return [one for one in self.ordered if not one.known]

    @property
    def trusted(self) -> bool:
        """Whether some law foretold the ends of the runs better than the control did, which knows of no decay."""
        return min(one.error for one in self.laws) < self.control.error

    @property
    def sentence(self) -> str:
        """What is predicted to be best, what is not known, and what this is good for."""
        return " ".join(self._sentences())

    def _sentences(self) -> list[str]:
        times = f"{self.total / self.horizon:.1f} times the longest of {plural(len(self.runs), 'run')}"
        said = [f"At {plural(self.total, 'update')}, {times}: {self._verdict()}"]
        if not self.trusted:
            said.append(
                "No law foretold the ends of these runs better than a power law that knows of no decay: nothing is known."
            )
        if self.new_peak:
            said.append("A peak here is none of the runs': laws are much less sure of that than of shapes.")
        if self.total > ABSOLUTE * self.horizon:
            said.append("Losses themselves are not predicted so far ahead, only their differences.")
        said.append(
            "Good for: the order of schedules of this model, data, batch and optimizer, without the spread between seeds. "
            "Not for: whether a warmup is needed, whether a rate diverges, another batch or weight decay."
        )
        return said

    def _verdict(self) -> str:
        best, *others = self.undecided
        if others:
            names = ", ".join(one.name for one in (best, *others))
            return f"which of {names} ends lowest is not known{self._lost(best)}."
        first = self.schedules[0]
        if best is first:
            following = self.ordered[1]
            by = f"{following.difference:.4f} ({following.low:.4f} to {following.high:.4f})"
            return f"{best.name} ends lowest, {by} below {following.name}, the next."
        return (
            f"{best.name} ends lowest, {-best.difference:.4f} ({-best.high:.4f} to {-best.low:.4f}) below {first.name}."
        )

    def _lost(self, best: Predicted) -> str:
        return f"; {best.name} is expected to be within {best.regret:.4f} of it" if self.trusted else ""

    @property
    def table(self) -> list[tuple[str, ...]]:
        """The numbers as text, the names of the columns first, the schedules best first and each with a letter."""
        letters, first = self._letters(), self.schedules[0]
        loss_too = first.loss is not None
        rows: list[tuple[str, ...]] = [
            ("", "less A", "95 % interval", "laws apart", "P(best)", "regret", *(["loss"] * loss_too), "", "schedule")
        ]
        for one in self.ordered:
            same = one is first
            rows.append(
                (
                    letters[one.name],
                    "–" if same else _signed(one.difference),
                    "–" if same else f"{_signed(one.low)} to {_signed(one.high)}",
                    "–" if same else f"{one.disagreement:.4f}",
                    f"{one.best:.2f}",
                    f"{one.regret:.4f}",
                    *(() if one.loss is None else ("{:.3f} ({:.3f} to {:.3f})".format(*one.loss),)),
                    "not the best" if one.known else "perhaps best" if len(self.undecided) > 1 else "the best",
                    one.name,
                )
            )
        return rows

    @property
    def law_table(self) -> list[tuple[str, ...]]:
        """What each law says of each schedule, by its letter: the names of the columns first, the control last."""
        letters, ordered = self._letters(), self.ordered
        rows: list[tuple[str, ...]] = [("law", "weight", "off by", *(f"{letters[one.name]} less A" for one in ordered))]
        for law in (*self.laws, self.control):
            weight = "control" if law is self.control else f"{law.weight:.2f}"
            said = dict(zip(letters, law.differences, strict=True))
            rows.append((law.name, weight, f"{law.error:.4f}", *(_signed(said[one.name]) for one in ordered)))
        return rows

    def _letters(self) -> dict[str, str]:
        """A letter for each schedule, in the order of what was asked; after Z two."""
        names = [one.name for one in self.schedules]
        return {name: _letter(place) for place, name in enumerate(names)}

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        return {**asdict(self), "trusted": self.trusted, "sentence": self.sentence}

    def panel(self) -> Curves:
        """What each law says of each schedule, best first, and the interval of what is predicted."""
        ordered = self.ordered
        at = list(range(1, len(ordered) + 1))
        place = [self.schedules.index(one) for one in ordered]
        predicted = Series(
            "predicted",
            at,
            [one.difference for one in ordered],
            low=[one.low for one in ordered],
            high=[one.high for one in ordered],
            dots=True,
        )
        laws = [
            Series(one.name, at, [one.differences[p] for p in place], style, dots=True)
            for style, one in enumerate((*self.laws, self.control), start=1)
        ]
        return Curves(
            title=f"Final loss less that of {self.schedules[0].name}, predicted at {plural(self.total, 'update')}",
            series=[predicted, *laws],
            x_label=_numbered([one.name for one in ordered]),
            y_label="difference of the loss",
            x_ticks=at,
            level=(self.schedules[0].name, 0.0),
            note=f"{short(self.total / self.horizon)} times the longest run; the band is 95 %",
        )


def _letter(place: int) -> str:
    return (_letter(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def _numbered(names: Sequence[str]) -> str:
    return shortened(", ".join(f"{place} {name}" for place, name in enumerate(names, start=1)), 100)


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")
