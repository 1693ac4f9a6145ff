"""A folder of torch's distributed checkpoints: the small entries, read without unpickling its index into classes."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from preheat.core.errors import StateError, shown

METADATA = ".metadata"
_ROOMS = ("torch", "pathlib")  # whose names an index holds; each becomes an inert stand-in, none is imported
_LARGEST, _MOST = 1 << 20, 4000  # bytes of an entry, entries


class _Inert:
    """Stands in for whatever class an index names: keeps what it is given, does nothing."""

    def __new__(cls, *args: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            vars(self).update(state)


class _Index(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module.split(".")[0] not in _ROOMS:
            raise StateError(f"the index of the checkpoint names {shown(f'{module}.{name}')}, which no index holds")
        return _Inert

    def persistent_load(self, pid: Any) -> Any:
        raise StateError("the index of the checkpoint refers to something outside of it", given=pid)


def read_dcp(folder: Path, load: Callable[[Any], Any]) -> dict[str, Any]:
    """What a folder holds beside tensors, as nested mappings.

    load: reads one entry, a file of torch's own, with weights_only. Raises StateError where the folder cannot be read.
    """
    index = _index(folder / METADATA)
    paths, stored = getattr(index, "planner_data", None), getattr(index, "storage_data", None)
    if not isinstance(stored, Mapping):
        raise StateError(f"{METADATA} of {folder.name} has no list of entries")
    tree: dict[str, Any] = {}
    for place, info in list(stored.items())[: 50 * _MOST]:
        name, where = getattr(place, "fqn", None), getattr(info, "relative_path", None)
        if not isinstance(name, str) or not isinstance(where, str) or getattr(place, "offset", None) is not None:
            continue
        path = paths.get(name) if isinstance(paths, Mapping) else None
        keys = path if isinstance(path, tuple) and path else tuple(name.split("."))
        if info.length <= _LARGEST and len(tree) < _MOST:
            _put(tree, keys, load(io.BytesIO(_bytes(folder, where, info.offset, info.length))))
    return tree


def _index(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _Index(file).load()
    except StateError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise StateError(f"{path.name} of {path.parent.name} cannot be read: {error}") from None


def _bytes(folder: Path, where: str, offset: int, length: int) -> bytes:
    file = (folder / where).resolve()
    if folder.resolve() not in file.parents:
        raise StateError(f"an entry of {folder.name} lies outside of it", given=where)
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(length)
    except OSError as error:
        raise StateError(f"{where} of {folder.name} cannot be read: {error.strerror}") from None


def _put(tree: dict[Any, Any], keys: tuple[Any, ...], value: Any) -> None:
    for key in keys[:-1]:
        inner = tree.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    tree[keys[-1]] = value
