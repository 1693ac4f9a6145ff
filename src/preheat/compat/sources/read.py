"""Whatever says what somebody trains with, read: a config, a scheduler as written, as saved or as it lives."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from preheat.compat.configs import read as read_file
from preheat.compat.configs.reading import Reading
from preheat.compat.sources.expressions import expressed, is_expression
from preheat.compat.sources.recognise import recognised
from preheat.compat.sources.states import is_state, of_groups, restated_from
from preheat.core.errors import PreheatError
from preheat.core.spans import Run


def read(
    source: Any,
    *,
    library: str | None = None,
    scheduler: str | None = None,
    total: int | None = None,
    base_lr: float | None = None,
    **beside: Any,
) -> Reading:
    """A schedule (or a plan), its Run, and findings, from a config of another library or what stands for a scheduler of it.

    source: the path of a config; a scheduler as it is written in Python; the state_dict of a torch scheduler; a live scheduler,
    or a function of the update number, which are sampled on a copy. Text and files are data: nothing is imported or evaluated.
    library: whose it is, if that cannot be told.   scheduler: which one a state_dict is of, if its keys do not tell.
    total, base_lr: the updates of the run and the optimizer's rate, where that is not said.
    beside: for a config, what it does not say: steps_per_epoch, samples (of the data set), world_size (processes).

    Raises PreheatError for what cannot be read or recognised, where something is needed that it does not say, and where two
    are said that contradict each other.
    """
    written = isinstance(source, str) and is_expression(source) and not _is_file(source)
    if isinstance(source, str | Path) and not written:
        return read_file(source, library=library, total=total, base_lr=base_lr, **beside)
    for name, value in beside.items():
        if value is not None:
            raise PreheatError(f"{name}= is for a config", given=value, write="leave it out")
    if written:
        found = expressed(source, base_lr, library, total)
        return Reading.of(found.restated, Run(total=total), found.findings, found.library)
    if isinstance(source, Mapping) and is_state(source):
        return Reading.of(restated_from(source, scheduler, total), Run(total=total), of_groups(source), "torch")
    if not callable(source) and not hasattr(source, "step"):
        write = "give the path of a config, a scheduler as it is written, its state_dict, or the scheduler itself"
        raise PreheatError("nothing that says what somebody trains with", given=source, write=write)
    if total is None:
        raise PreheatError("a live scheduler does not say how long its run is", write="give total=")
    return recognised(source, total)


def _is_file(text: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(text).exists()
    return False
