"""Other libraries' configs, read as data: the schedule, the run, and what could not be carried over."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading, not_known
from preheat.core.errors import PreheatError, nearest, shown

__all__ = ["Config", "Given", "Keys", "Reading", "read", "read_config"]

READERS: tuple[str, ...] = (
    "torchtitan",
    "nanogpt",
    "olmo",
    "axolotl",
    "llama_factory",
    "deepspeed",
    "megatron",
    "composer",
    "transformers",
    "keras",
    "timm",
    "mmengine",
    "detectron2",
    "kohya",
    "ultralytics",
)  # fmt: skip
"""Whose configs are read: each a module here with `recognises(config)` and `read(config, given)`."""


def read(
    path: str | Path,
    *,
    library: str | None = None,
    total: int | None = None,
    steps_per_epoch: float | None = None,
    samples: int | None = None,
    world_size: int | None = None,
    base_lr: float | None = None,
) -> Reading:
    """A config file of another library as a schedule (or a plan), its Run, and findings.

    path: the file. It is data: nothing in it is imported or evaluated.   library: whose it is, if that cannot be told.
    total, steps_per_epoch, samples (of the data set), world_size (processes), base_lr: what the file does not say.

    Raises PreheatError for a file that cannot be read or recognised, where something is needed that it does not say, and where
    two are said that contradict each other.
    """
    return read_config(Config.of(path), Given(total, steps_per_epoch, samples, world_size, base_lr), library)


def read_config(config: Config, given: Given = Given(), library: str | None = None) -> Reading:  # noqa: B008  immutable
    """The same for a config that has been loaded."""
    if library is not None:
        if library not in READERS:
            raise PreheatError(f"no configs of {shown(library)} are read{nearest(library, READERS)}")
        return _read_by(import_module(f"preheat.compat.configs.{library}"), config, given)
    modules = {name: import_module(f"preheat.compat.configs.{name}") for name in READERS}
    found = [name for name, module in modules.items() if module.recognises(config)]
    if not found:
        raise not_known(config, READERS)
    if len(found) > 1:
        what = f"{shown(config)} may be a config of {' or '.join(found)}"
        raise PreheatError(what, write=f"say whose: library={found[0]!r} (--library {found[0]})")
    return _read_by(modules[found[0]], config, given)


def _read_by(module: Any, config: Config, given: Given) -> Reading:
    try:
        return module.read(config, given.checked()).having(*config.findings)
    except ArithmeticError as error:
        what = f"{config} has a number that nothing can be counted with: {error}"
        raise PreheatError(what, write="look for a 0, or a very large one, among its lengths and sizes") from None
