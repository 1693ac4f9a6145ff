"""One file of an installed package, run without importing the package: schedulers that stand beside heavy imports."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any


def module_from(package: str, path: str, stubs: Mapping[str, Any] = {}) -> ModuleType:
    """The module that a file of `package` defines, its source unchanged.

    path: inside the package, such as "core/optimizer_param_scheduler.py".   stubs: by module name, what its own imports get in
    place of those modules: a module, or an object whose attributes are taken.
    Raises ImportError where the package, or the file, is not installed.
    """
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    found = [Path(folder) / path for folder in folders if (Path(folder) / path).is_file()]
    if not found:
        raise ImportError(f"{package}/{path} is not installed")
    name = f"stubbed_{package}_{Path(path).stem}"
    module = ModuleType(name)
    module.__file__ = str(found[0])
    there = {name: module, **stubs}
    before = {key: sys.modules[key] for key in there if key in sys.modules}
    sys.modules.update(there)
    try:
        exec(compile(found[0].read_text(encoding="utf-8"), str(found[0]), "exec"), vars(module))
    finally:  # not mock.patch.dict, which forgets what was imported meanwhile too: numpy cannot be loaded twice
        for key in there:
            del sys.modules[key]
        sys.modules.update(before)
    return module
