"""One file of an installed package, run without importing the package: schedulers that stand beside heavy imports."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


def module_from(package: str, path: str, stubs: Mapping[str, Any] = {}) -> ModuleType:
    """The module that a file of `package` defines, its source unchanged.

    path: inside the package, such as "core/optimizer_param_scheduler.py".   stubs: by module name, what its own imports get in
    place of those modules: a module, or an object whose attributes are taken.
    Raises ImportError where the package, or the file, is not installed.
    """
    file = _file_of(package, path)
    name = f"stubbed_{package}_{Path(path).stem}"
    module = ModuleType(name)
    module.__file__ = str(file)
    module.__package__ = ".".join((package, *Path(path).parts[:-1]))  # where its relative imports are looked up
    with _in_place_of({name: module, **stubs}):
        exec(compile(file.read_text(encoding="utf-8"), str(file), "exec", dont_inherit=True), vars(module))
    return module


def definitions_from(package: str, path: str, names: Sequence[str], globals_: Mapping[str, Any]) -> dict[str, Any]:
    """Functions and classes out of a file that cannot be run, such as a training script: their source alone is.

    package: a package, or a folder on the path, such as a clone of a repository.   names: which definitions of the file's top.
    globals_: what they find around them.   Raises ImportError where the file, or one of them, is not there.
    """
    file = _file_of(package, path)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    if len(tree.body) != len(names):
        raise ImportError(f"{package}/{path} does not define {', '.join(names)}")
    around = {"__name__": "__parity__", **globals_}
    exec(compile(tree, str(file), "exec", dont_inherit=True), around)
    return around


@contextmanager
def _in_place_of(stubs: Mapping[str, Any]) -> Iterator[None]:
    """These modules while it lasts. Others that are imported meanwhile stay: some, of torch, cannot be imported twice."""
    before = {name: sys.modules.get(name) for name in stubs}
    sys.modules.update(stubs)
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def _file_of(package: str, path: str) -> Path:
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    found = [Path(folder) / path for folder in folders if (Path(folder) / path).is_file()]
    if not found:
        raise ImportError(f"{package}/{path} is not installed")
    return found[0]
