"""A config as a file: its text, and its data by what kind of file it is. Nothing is imported or evaluated."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from preheat.compat.configs.assigned import assigned
from preheat.core.errors import ParseError, PreheatError, on_one_line
from preheat.core.extras import needed
from preheat.core.findings import Finding

MOST = 4 << 20  # bytes of a config
MOST_VALUES = 1_000_000  # in one of YAML, whose aliases let a few bytes stand for any number
_TOO_LONG = "set_int_max_str_digits"  # in what Python says of a number that is too long


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
            what = f"{where.name} is no text, as configs are, and no whole file of torch.save, as checkpoints are"
            raise PreheatError(what, write="name a config, a checkpoint that loads, or its folder") from None

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
        """What may change any of it and is not read, and what it says twice."""
        asked = self.kind == "python" or "_read" in vars(
            self
        )  # a reader may want the text alone, which need not be data
        return self._read[1] if asked else ()

    @cached_property
    def _read(self) -> tuple[dict[str, Any], tuple[Finding, ...]]:
        read = {"json": _json, "yaml": _yaml, "toml": tomllib.loads, "python": assigned}.get(self.kind)
        if read is None:
            return {}, ()
        try:
            found = read(self.text)
        except PreheatError:
            raise
        except (RecursionError, MemoryError):
            raise ParseError(f"{self.name} cannot be read as {self.kind}: it is nested too deeply") from None
        except (ValueError, SyntaxError) as error:
            why = "a number in it has too many digits" if _TOO_LONG in str(error) else error
            raise ParseError(f"{self.name} cannot be read as {self.kind}: {why}") from None
        found, findings = found if isinstance(found, tuple) else (found, ())
        if not isinstance(found, Mapping):
            raise ParseError(f"{self.name} holds no keys at its top")
        return dict(found), findings

    def __repr__(self) -> str:
        return self.name


def _json(text: str) -> tuple[Any, tuple[Finding, ...]]:
    twice = list[str]()

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.extend(_twice(key for key, _ in pairs))
        return dict(pairs)

    return json.loads(text, object_pairs_hook=mapping), _said_twice(twice)


def _yaml(text: str) -> tuple[Any, tuple[Finding, ...]]:
    with needed("a YAML config", "configs"):
        import yaml
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None, ()
        twice = list[str]()
        _size(node, {}, twice)
        return loader.construct_document(node), _said_twice(twice)
    except yaml.YAMLError as error:
        raise ParseError(f"not readable as YAML: {error}") from None


def _size(node: Any, known: dict[int, int], twice: list[str]) -> int:
    """How many values a node of YAML stands for, each alias written out; refuses too many, and one in itself."""
    if id(node) in known:
        if known[id(node)] < 0:
            raise ParseError("a value in it holds itself")
        return known[id(node)]
    known[id(node)] = -1
    children = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    inside = [] if isinstance(node.value, str) else children
    if inside and isinstance(node.value[0], tuple):
        twice.extend(_twice(key.value for key, _ in node.value if isinstance(key.value, str) and key.value != "<<"))
    size = 1 + sum(_size(child, known, twice) for child in inside)
    if size > MOST_VALUES:
        raise ParseError(f"its aliases stand for more than {MOST_VALUES:,} values", write="write out what is meant")
    known[id(node)] = size
    return size


def _twice(keys: Iterable[str]) -> Iterator[str]:
    return (key for key, count in Counter(keys).items() if count > 1)


def _said_twice(keys: Iterable[str]) -> tuple[Finding, ...]:
    what = "said more than once; the last is taken, as its library does"
    return tuple(Finding("said-twice", on_one_line(key[:80]), what) for key in dict.fromkeys(keys))
