"""Published runs by name: the schedule as its source states it, in factors of the peak, and how far it was checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.meant import Meant
from preheat.core.node import Schedule
from preheat.core.spans import Run, Span
from preheat.core.text.language import parse


@dataclass(frozen=True, slots=True)
class Preset(Meant):
    """A published run: its schedule in factors of its peak, its peak, its source, and how far it was checked.

    name: its key in `presets`.   model: what was trained.   year: when its source was first published.
    schedule: 1 is the peak; lengths in the source's own units, so bind it to a Run that knows them.
    peak_lr: the rate at the peak, for the model and batch that `note` names; None where the source leaves it open.
    verified: whether the numbers of the schedule were read in the source. If not, `note` says which were not: read the
    source before you quote them.
    batch: what one update takes, such as '2M tokens'; where it grows during the run, what it grows to.
    total: the whole run, such as '143k steps'.   clock: what its Run counts, "step" unless the batch grows and the
    lengths are in what it is made of.   steps_per_epoch: the updates in an epoch. Each is None where it is not published.

    Where a source is a text, its code may be an update off (a warmup that counts from 1, or gets to the peak one sooner).

    >>> presets["llama2_7b"].schedule
    ramp(0.0, 1.0, '2000 steps') >> ramp(1.0, 0.1, 'rest', shape='cosine')
    """

    name: str
    model: str
    year: int
    schedule: Schedule
    peak_lr: float | None
    source: str
    verified: bool
    note: str
    batch: str | None = None
    total: str | None = None
    clock: str = "step"
    steps_per_epoch: int | None = None

    @property
    def target(self) -> Schedule:
        """The schedule, so that whatever takes one takes a preset."""
        return self.schedule

    def run(self, **known: Any) -> Run:
        """The run that the source states; known: what it does not, or what is otherwise in yours, as a Run takes it.

        >>> presets["mae"].run(steps_per_epoch=313)
        Run(total=250400, steps_per_epoch=313, samples_per_step=4096)

        Raises PreheatError where a length needs a worth that is neither published nor given.
        """
        stated: dict[str, Any] = {"total": self.total, "clock": self.clock, "steps_per_epoch": self.steps_per_epoch}
        if self.batch is not None:
            unit = self.batch.split()[-1].rstrip("s")
            stated[f"{unit}s_per_step"] = int(Span(self.batch).exact(Run(clock=unit)))
        return Run(**(stated | known))


class Presets(Mapping[str, Preset]):
    """Preset by name, in alphabetical order; read-only. `presets[name]` raises PreheatError for an unknown name.

    >>> llama2 = presets["llama2_7b"]
    >>> llama2.schedule.bind(llama2.run())
    ramp(0.0, 1.0, 2000) >> ramp(1.0, 0.1, 498000, shape='cosine')
    >>> llama2.peak_lr, llama2.verified
    (0.0003, True)
    """

    __slots__ = ()

    def __getitem__(self, name: str) -> Preset:
        if name not in self:
            raise PreheatError(f"no preset {shown(name)}{nearest(str(name), _rows())}")
        return _preset(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in _rows()

    def get(self, name: str, default: Any = None) -> Any:
        """The preset of that name, or `default`."""
        return _preset(name) if name in self else default

    def __iter__(self) -> Iterator[str]:
        return iter(_rows())

    def __len__(self) -> int:
        return len(_rows())

    def __repr__(self) -> str:
        return f"<presets: {', '.join(self)}>"


@cache
def _rows() -> Mapping[str, dict[str, Any]]:
    """What presets.toml says of each preset, in alphabetical order; read when the first one is asked for."""
    import tomllib
    from importlib.resources import files

    rows = tomllib.loads(files("preheat.recipes").joinpath("presets.toml").read_text(encoding="utf-8"))
    return {name: rows[name] for name in sorted(rows)}


@cache
def _preset(name: str) -> Preset:
    """The preset of one table of the file."""
    known: dict[str, Any] = {"peak_lr": None, **_rows()[name]}
    return Preset(name=name, schedule=parse(known.pop("schedule")), **known)


presets = Presets()
