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
    module.__file__, module.__package__ = str(found[0]), ".".join((package, *Path(path).parent.parts))
    standing = {name: module, **stubs}
    before = {one: sys.modules.get(one) for one in standing}
    sys.modules.update(standing)
    try:
        exec(compile(found[0].read_text(encoding="utf-8"), str(found[0]), "exec"), vars(module))
    finally:  # those alone: numpy, first imported meanwhile, cannot be loaded again
        for one, other in before.items():
            sys.modules.pop(one) if other is None else sys.modules.update({one: other})
    return module
