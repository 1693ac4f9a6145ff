"""The studio in a notebook: a schedule is seen and bent in a cell, and what was dragged comes back as a value.

    from preheat.widget import Studio

    studio = Studio("warmup(5%) >> decay(shape=cosine)", run=ph.Run(total=10_000), peak=3e-4)
    studio  # the last line of a cell shows it

In another cell: `Scheduler(optimizer, studio.value, run=studio.run)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from importlib.resources import files
from typing import Any, TypeVar

from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError
from preheat.core.extras import needed
from preheat.core.spans import Run
from preheat.core.text.language import Target, parse, to_text
from preheat.plots.notebook import HOSTS
from preheat.review.opened import subject_of
from preheat.studio.document import Document, document_from, fields_of
from preheat.studio.opening import document_of, of_given
from preheat.studio.service import answer

with needed("preheat.widget", "widget"):
    import anywidget
    from traitlets import Dict, List, TraitType, Unicode, observe, validate

_PAGE = files("preheat.studio") / "page"
_Result = TypeVar("_Result")


class Studio(anywidget.AnyWidget):
    """The page of `preheat studio` as a widget, wherever anywidget works; all views of one show the same.

    schedule: whatever `parse` takes: a schedule, rates, a Plan, or text; or a preset, by its name too, or the path of a config,
    a checkpoint or a comparison's folder.   run: what is known of the run; of a preset what was published, by default.
    peak: the rate at the peak, where the schedule is factors; the same.

    `value`, `text`, `run` and `peak` are those of the schedule that is chosen on the page. Each can be set, which changes the
    page, and watched: `studio.observe(print, "value")`. While something on the page cannot be read, `value` is None, so that
    nothing trains with what is no longer meant, and `problem` says why; else it is "".

    Raises PreheatError for what is no schedule; importing it raises MissingError where anywidget is not installed.
    """

    _esm = (_PAGE / "studio.js").read_text(encoding="utf-8")
    sheet = Unicode((_PAGE / "studio.css").read_text(encoding="utf-8"), read_only=True).tag(sync=True)
    hosts = List([list(host) for host in HOSTS.items()], read_only=True).tag(sync=True)
    document = Dict().tag(sync=True)

    value = TraitType(None)  # of no kind: `_accepted` judges it, None too
    text = TraitType("")
    run = TraitType(None)
    peak = TraitType(None)
    problem = Unicode(read_only=True)

    def __init__(
        self, schedule: Target | str | Mapping[str, Any], *, run: Run | None = None, peak: float | None = None
    ):
        found = of_given(schedule, lambda one: subject_of(one, None if run is None else _run(run)), _peak(peak))
        document = document_of([found])
        # what the page says, by the names of traits: taken as it is, and not written back
        self._shown: dict[str, Any] = {}
        super().__init__(document={**document, "peak": document["peak"] or _typed(peak)})
        self.on_msg(self._asked)

    def _asked(self, _: object, content: Mapping[str, Any], __: object) -> None:
        """A question of the page; its number goes back with the answer."""
        try:
            self.send({"id": content["id"], "answer": answer(content["question"], content["given"])})
        except Exception as error:
            said = f"Python failed with {type(error).__name__}; the kernel's log has more."
            self.send({"id": content.get("id"), "failed": said})
            raise

    @property
    def _chosen(self) -> int:
        return min(self.document.get("chosen", 0), len(self.document["schedules"]) - 1)

    @observe("document")
    def _take(self, _: object) -> None:
        """What stands on the page, as values."""
        document, index, problems = document_from(self.document), self._chosen, []
        written = document.schedules[index]
        value = _tried(problems, lambda: parse(written.text))
        run = _tried(problems, (written.run or document.run).run)
        peak = _tried(problems, lambda: document.peak_of(index))
        self._shown = {"text": written.text, "run": run, "peak": peak, "value": None if problems else value}
        with self.hold_trait_notifications():  # nobody is told of one before all are there
            for name, found in self._shown.items():
                setattr(self, name, found)
            self.set_trait("problem", "; ".join(problems))

    @validate("value", "text", "run", "peak")
    def _accepted(self, proposal: dict[str, Any]) -> Any:
        """What may be set; on the page anything may stand."""
        name, found = proposal["trait"].name, proposal["value"]
        return found if self._is_shown(name, found) else _GATES[name](found)

    def _is_shown(self, name: str, found: object) -> bool:
        known = self._shown.get(name)
        return name in self._shown and type(known) is type(found) and known == found  # True is no peak of 1

    @observe("value", "text", "run", "peak")
    def _put(self, change: dict[str, Any]) -> None:
        """What was set in Python, onto the page: where the schedule has a run or a peak of its own, there."""
        name, new = change["name"], change["new"]
        if self._is_shown(name, new):
            return
        document, index = document_from(self.document), self._chosen
        written = document.schedules[index]
        if name in ("value", "text"):
            written = written.with_text(_text(new))
        elif name == "peak" and written.peak:
            written = replace(written, peak=_typed(new))
        elif name == "peak":
            document = replace(document, peak=_typed(new))
        elif written.run:
            written = replace(written, run=fields_of(new, written.run))
        else:
            document = replace(document, run=fields_of(new, document.run))
        schedules = [*document.schedules]
        schedules[index] = written
        self.document = {**self.document, **_data(replace(document, schedules=tuple(schedules)))}


def _data(document: Document) -> dict[str, Any]:
    """What of a document is written, as the page has it."""
    found = asdict(document)
    return {"schedules": list(found["schedules"]), "run": found["run"], "peak": found["peak"]}


def _text(schedule: object) -> str:
    """A schedule as the page shows it: text as it is written, anything else as it prints."""
    target = parse(schedule)  # type: ignore[arg-type]
    return schedule if isinstance(schedule, str) else to_text(target)


def _run(run: object) -> Run:
    if run is not None and not isinstance(run, Run):
        raise PreheatError("the run of a Studio is a Run", given=run, write="write run=preheat.Run(total=10_000)")
    return run or Run()


def _typed(peak: float | None) -> str:
    return "" if peak is None else repr(_peak(peak))


def _peak(peak: float | None) -> float | None:
    return None if peak is None else float(positive_number(peak, "the peak"))


_GATES: dict[str, Callable[[Any], Any]] = {"value": parse, "text": _text, "run": _run, "peak": _peak}


def _tried(problems: list[str], asked: Callable[[], _Result]) -> _Result | None:
    """What is asked for; None where it is refused, and why is noted."""
    try:
        return asked()
    except PreheatError as error:
        problems.append(str(error))
        return None
