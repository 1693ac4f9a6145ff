"""What the page begins with: schedules that were named at a prompt or given in Python, as one document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from preheat.core.checks import encodable, positive_number
from preheat.core.errors import PreheatError, plural
from preheat.core.spans import Run
from preheat.review.opened import subject_of
from preheat.studio.opening import document_of, of_given
from preheat.studio.server import run as answered

FIRST = "warmup(5%) >> decay(shape=cosine)"
ITS_TOTAL = "10_000"


def started(all_opened: Sequence[dict[str, Any]], run: Run | None = None, total: str | None = None) -> dict[str, Any]:
    """The document of all that was opened over each other, and what there is to say of it; of nothing an example.

    run: on which the example stands, where its total is known.   total: that of the run as it was typed, which stays.
    """
    known = Run(total=ITS_TOTAL) if run is None or run.total is None else run
    found = list(all_opened) or [of_given(FIRST, lambda text: subject_of(text, known))]
    if total is not None and run is not None:
        for one in found:
            if one["run"] is not None and one["run"]["total"] == str(run.total):
                one["run"] = one["run"] | {"total": total}
    joined = {name: [one for each in found for one in each[name]] for name in ("findings", "notes", "runs")}
    document = document_of(found)
    return {"document": document, "opened": {name: document[name] for name in ("schedules", "run", "peak")} | joined}


def given(schedules: Any, run: Run | None, peak: float | None, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Schedules as they are opened: one, or several in a list or tuple.

    names: what they are called, one for each.   Raises PreheatError for what cannot be read.
    """
    several = list(schedules) if isinstance(schedules, list | tuple) else [schedules]
    peak = None if peak is None else positive_number(peak, "peak")
    called = _called(names, len(several))
    found = [of_given(one, lambda each: subject_of(each, run), peak) for one in several]
    for one, name in zip(found, called, strict=False):
        one["schedules"] = [{**written, "name": name, "given": False} for written in one["schedules"]]
    return found


def _called(names: Any, count: int) -> list[str]:
    """The names that were given, of as many schedules."""
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise PreheatError(
            "names= is a list of texts, one for each schedule", given=names, write="write names=['ours']"
        )
    for name in names:
        encodable(name, "a name")
    if names and len(names) != count:
        what = f"names= has {plural(len(names), 'name')} for {plural(count, 'schedule')}"
        raise PreheatError(what, write="give one for each, or leave it out")
    return list(names)


def serve(
    schedules: Any = (), *, run: Run | None = None, peak: float | None = None, port: int = 0, browser: bool = True
) -> None:
    """Open the studio on schedules, and answer it until Ctrl-C.

    schedules: one, or several in a list: whatever `parse` takes, presets' names, paths of configs, checkpoints and folders of
    comparisons.   run: what is known of the run.   peak: the rate at the peak, where they are factors.   port: 0 for any
    that is free.   browser: whether it is opened too; its address is printed in any case.

    Raises PreheatError for what cannot be read, and for a port that is taken.
    """
    answered(started(given(schedules, run, peak), run), port, browser=browser)
