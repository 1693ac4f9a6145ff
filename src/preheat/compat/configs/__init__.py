"""Other libraries' configs, read as data: the schedule, the run, and what could not be carried over."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading, not_known
from preheat.compat.expressions import expressed, is_expression
from preheat.compat.recognise import recognised
from preheat.compat.states import is_state, of_groups, restated_from
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.spans import Run

__all__ = ["Config", "Given", "Keys", "Reading", "read", "read_config"]

READERS: tuple[str, ...] = (
    "timm",
)  # fmt: skip
"""Whose configs are read, the most telling first: each a module here with `recognises(config)` and `read(config, given)`."""


def read(
    path: Any,
    *,
    library: str | None = None,
    scheduler: str | None = None,
    total: int | None = None,
    steps_per_epoch: float | None = None,
    samples: int | None = None,
    world_size: int | None = None,
    base_lr: float | None = None,
) -> Reading:
    """A config file of another library as a schedule (or a plan), its Run, and findings; or what stands for a scheduler.

    path: the file; a scheduler as it is written in Python; the state_dict of a torch scheduler; a live scheduler, or a function
    of the update number, which are sampled. Text and files are data: nothing in them is imported or evaluated.
    library: whose it is, if that cannot be told.   scheduler: which one a state_dict is of, if its keys do not tell.
    total, steps_per_epoch, samples (of the data set), world_size (processes), base_lr: what the file does not say.

    Raises PreheatError for a file that cannot be read or recognised, where something is needed that it does not say, and where
    two are said that contradict each other.
    """
    given = Given(total, steps_per_epoch, samples, world_size, base_lr)
    if isinstance(path, str) and is_expression(path) and not _is_file(path):
        found = expressed(path, base_lr, library)
        return Reading.of(found.restated, Run(total=total), (), found.library)
    if is_state(path):
        return Reading.of(restated_from(path, scheduler), Run(total=total), of_groups(path), "torch")
    if not isinstance(path, str | Path):
        if total is None:
            raise PreheatError("a live scheduler does not say how long its run is", write="give total=")
        return recognised(path, total)
    return read_config(Config.of(path), given, library)


def _is_file(text: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(text).exists()
    return False


def read_config(config: Config, given: Given = Given(), library: str | None = None) -> Reading:  # noqa: B008  immutable
    """The same for a config that has been loaded."""
    if library is not None:
        if library not in READERS:
            raise PreheatError(f"no configs of {shown(library)} are read{nearest(library, READERS)}")
        return import_module(f"preheat.compat.configs.{library}").read(config, given)
    for name in READERS:
        module = import_module(f"preheat.compat.configs.{name}")
        if module.recognises(config):
            return module.read(config, given)
    raise not_known(config, READERS)
