"""Published runs by name: the schedule as its source states it, in factors of the peak, and how far it was checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.node import Schedule
from preheat.core.text.language import parse


@dataclass(frozen=True, slots=True)
class Preset:
    """A published run: its schedule in factors of its peak, its peak, its source, and how far it was checked.

    schedule: 1 is the peak; lengths in the source's own units, so bind it to a Run that knows them.
    peak_lr: the rate at the peak, for the model and batch that `note` names; None where the source leaves it open.
    verified: whether the numbers of the schedule were read in a public source. If not, some are from memory, and
    `note` says which: read the source before you quote them.
    batch: what one update takes at that peak, such as '2M tokens'; None where it is not published, or changes during the
    run.

    >>> presets["pythia_1.4b"].schedule
    ramp(0.0, 1.0, '1%') >> ramp(1.0, 0.1, 'rest', shape='cosine')
    """

    name: str
    schedule: Schedule
    peak_lr: float | None
    source: str
    verified: bool
    note: str
    batch: str | None = None


class Presets(Mapping[str, Preset]):
    """Preset by name, in alphabetical order; read-only. `presets[name]` raises PreheatError for an unknown name.

    >>> from preheat import Run
    >>> gpt3 = presets["gpt3"]
    >>> gpt3.schedule.bind(Run(total="300B tokens", tokens_per_step=3_200_000))
    ramp(0.0, 1.0, 117) >> ramp(1.0, 0.1, 81250, shape='cosine') >> hold(0.1, 12383)
    >>> gpt3.peak_lr, gpt3.verified
    (6e-05, False)
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
    return Preset(name, parse(known.pop("schedule")), **known)


presets = Presets()
