"""A config as a file: its text, and its data by what kind of file it is. Nothing is imported or evaluated."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from preheat.compat.configs.assigned import assigned
from preheat.core.errors import ParseError, PreheatError
from preheat.core.extras import needed
from preheat.core.findings import Finding

MOST = 4 << 20  # bytes of a config


class Config:
    """A config: its name, its text, and what it says.

    >>> config = Config("train.toml", "[training]\\nsteps = 10")
    >>> config.kind, config.data
    ('toml', {'training': {'steps': 10}})
    """

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    @classmethod
    def of(cls, path: str | Path) -> Config:
        """The file; raises PreheatError where it cannot be read, or is too large to be a config."""
        where = Path(path)
        try:
            with where.open("rb") as file:
                content = file.read(MOST + 1)  # a device may have no end, and a pipe says no size
            if len(content) > MOST:
                size = max(where.stat().st_size, len(content))
                raise PreheatError(f"{where.name} is too large to be a config: {size:,} bytes or more")
            return cls(where.name, content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n"))
        except OSError as error:
            raise PreheatError(f"cannot read {where.name}: {error.strerror}") from None
        except UnicodeDecodeError:
            what = f"{where.name} is no text, as configs are"
            raise PreheatError(what, write="preheat check and preheat explain read checkpoints") from None

    @property
    def kind(self) -> str:
        """json, yaml, toml, python, or text for anything else."""
        suffixes = {"json": "json", "yaml": "yaml", "yml": "yaml", "toml": "toml", "py": "python"}
        return suffixes.get(self.name.lower().rpartition(".")[2], "text")

    @property
    def data(self) -> dict[str, Any]:
        """What a file of JSON, YAML, TOML, or of Python's assignments says, by key; {} of any other.

        Raises ParseError where it cannot be read as what its name says.
        """
        return self._read[0]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What may change any of it and is not read."""
        return self._read[1] if self.kind == "python" else ()

    @cached_property
    def _read(self) -> tuple[dict[str, Any], tuple[Finding, ...]]:
        read = {"json": json.loads, "yaml": _yaml, "toml": tomllib.loads, "python": assigned}.get(self.kind)
        if read is None:
            return {}, ()
        try:
            found = read(self.text)
        except PreheatError:
            raise
        except (RecursionError, MemoryError):
            raise ParseError(f"{self.name} cannot be read as {self.kind}: it is nested too deeply") from None
        except (ValueError, SyntaxError) as error:
            raise ParseError(f"{self.name} cannot be read as {self.kind}: {error}") from None
        found, findings = found if isinstance(found, tuple) else (found, ())
        if not isinstance(found, Mapping):
            raise ParseError(f"{self.name} holds no keys at its top")
        return dict(found), findings

    def __repr__(self) -> str:
        return self.name


def _yaml(text: str) -> Any:
    with needed("a YAML config", "configs"):
        import yaml
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParseError(f"not readable as YAML: {error}") from None
