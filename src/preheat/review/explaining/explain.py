"""What a schedule does on its run, before it does: in sentences, a table and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from preheat.core.errors import PreheatError, shown
from preheat.core.notebook import html_of
from preheat.core.spans import Run
from preheat.review.explaining.measured import Explained, explained
from preheat.review.explaining.sentences import line_sentences, phase_rows, subject_sentences, wrapped
from preheat.review.held import with_rates
from preheat.review.laid_out import has_factors, laid_out
from preheat.review.opened import subject_of
from preheat.review.subject import Subject


@dataclass(frozen=True, repr=False)
class Explanation:
    """What a schedule, a plan, a config or a checkpoint does on its run: printed, it is sentences and a small table.

    subject: what is explained.   lines: the numbers behind, one Explained for each line of its plan.

    >>> from preheat import Run, explain
    >>> print(explain("warmup(100) >> decay(900)", peak=3e-4).lines[0].all.area)
    0.15
    """

    subject: Subject
    lines: tuple[Explained, ...]

    @property
    def sentences(self) -> list[str]:
        """All that it says beside the tables."""
        return [*self.heading, *(sentence for one in self.lines for sentence in self.said(one))]

    @property
    def heading(self) -> list[str]:
        """What is said of all lines together: what it is, on which run, where it stands, what its source says of itself."""
        return subject_sentences(self.subject, [one.line for one in self.lines])

    def said(self, one: Explained) -> list[str]:
        """What is said of one line, of several which it is first."""
        which = [f"{one.line.key} is {shown(one.line.written, 300)}."] if len(self.lines) > 1 else []
        return [*which, *line_sentences(one)]

    def rows(self, key: str = "lr") -> list[tuple[str, ...]]:
        """The table of the phases of one line of the plan, as text, its head first."""
        return phase_rows(next(one for one in self.lines if one.line.key == key))

    def to_dict(self) -> dict[str, Any]:
        """All its numbers and sentences as plain data, for JSON."""
        return {
            "subject": self.subject.name,
            "library": self.subject.library,
            "findings": [finding._asdict() for finding in self.subject.findings],
            "lines": [_data(one) for one in self.lines],
            "sentences": self.sentences,
        }

    def __str__(self) -> str:
        pieces = ["\n".join(wrapped(self.heading))]
        for one in self.lines:
            pieces += ["\n".join(_aligned(phase_rows(one))), "\n".join(wrapped(self.said(one)))]
        return "\n\n".join(pieces)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.sentences)
        drawn = html_of(
            self.subject.target,
            run=self.subject.run,
            heading=self.subject.name,
            position=self.subject.position or None,
        )
        return f"{drawn or ''}{said}"


def explain(
    subject: Any, *, run: Run | None = None, peak: float | None = None, weight_decay: float | None = None
) -> Explanation:
    """What a schedule does on its run: phases, peak, area, and what each phase's updates keep of the final weights.

    subject: a schedule, rates, a plan, text, a preset's name, or the path of a config or a checkpoint.   run: what is known of
    the run, where the subject does not say it.   peak: the rate that factor 1 stands for; a checkpoint holds its own.
    weight_decay: AdamW's, where the plan has no line for it; the shares of the final weights need it, and rates.

    Raises PreheatError for what is no schedule, does not fit its run, or where a peak or weight decay contradicts it.

    >>> from preheat import Run
    >>> print(explain("warmup(10%) >> decay()", run=Run(total=1000), peak=3e-4).sentences[1])
    The rate rises linearly from 0 to 0.0003 over 100 updates (10 %).
    """
    found = subject_of(subject, run)
    if peak is not None and not has_factors(found):
        raise PreheatError(
            "peak= (--peak) makes rates of factors, and these are rates", given=peak, write="leave it out"
        )
    found = with_rates(found, peak)
    lines = laid_out(found)
    if weight_decay is not None and not any(line.is_rate and line.rates for line in lines):
        what = "how much of the final weights an update keeps follows from rates, and these are factors"
        raise PreheatError(what, write="give peak= (--peak), the rate that factor 1 stands for")
    if weight_decay is not None and lines[0].unit != "update":
        what = f"a weight decay acts at every update, and how many updates one {lines[0].unit} has is not known here"
        raise PreheatError(what, write="give a run that counts steps, or what a step is worth on its clock")
    return Explanation(found, tuple(explained(line, lines, weight_decay, found.position) for line in lines))


def _data(one: Explained) -> dict[str, Any]:
    """The numbers of a line as plain data."""
    left_out = ("line", "phases", "summed", "all", "left")
    numbers = {name: value for name, value in one._asdict().items() if name not in left_out}
    line = one.line
    rows = [{**p._asdict(), **s._asdict()} for p, s in zip(one.phases, one.summed, strict=True)]
    head = {"key": line.key, "schedule": repr(line.written), "bound": repr(line.curve), "rates": line.rates}
    head |= {"updates": line.updates, "tick": line.tick, "clock": line.run.clock, "ends": line.ends}
    return {
        **head,
        **numbers,
        "mean": one.mean,
        "run": one.all._asdict(),
        "left": one.left._asdict(),
        "phases": rows,
    }


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
