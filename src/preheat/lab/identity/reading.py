"""What code reads by name, and the source of functions, classes and files: nothing is imported or called for it."""

import ast
import dis
import importlib.util
import inspect
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from preheat.lab.identity.values import Digest, code_parts

_OTHERS = ("site-packages", "dist-packages")
_LIBRARY = tuple({os.path.join(os.path.realpath(sysconfig.get_path(name)), "") for name in ("stdlib", "platstdlib")})
_IMPORT = dis.opmap["IMPORT_NAME"]


@lru_cache(maxsize=4096)
def is_own_file(file: str) -> bool:
    """Whether a file of Python is the user's own: not of the standard library, and not installed from elsewhere."""
    real = os.path.realpath(file)
    if any(place in real.replace("\\", "/").split("/") for place in _OTHERS):
        return False
    return real.endswith((".py", ".ipynb")) and not real.startswith(_LIBRARY)


def is_own(module: str | None) -> bool:
    """Whether a module that is loaded is the user's own; so is the script or notebook that is being run."""
    if not isinstance(module, str) or module.partition(".")[0] == "preheat":
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return module == "__main__" or (isinstance(file, str) and is_own_file(file))


def reads(code: CodeType) -> Iterator[tuple[str, ...]]:
    """The global names that code reads, functions inside it too, each with the attributes that it asks of them.

    `package.module.width` is ("package", "module", "width"), and so is `getattr(package.module, "width")`.
    """
    chain, asks = list[str](), False
    for one in _steps(code) if code.co_names else ():
        if chain and one.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            chain.append(one.argval)
            continue
        if chain and asks and one.opname == "LOAD_CONST" and isinstance(one.argval, str):
            chain.append(one.argval)
        if chain:
            yield tuple(chain)
        asks = chain == ["getattr"]
        chain = [one.argval] if one.opname in ("LOAD_GLOBAL", "LOAD_NAME") else []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from reads(constant)


def imports(code: CodeType, package: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The modules that code imports itself, functions inside it too, and the names that it may read of each."""
    before: list[Any] = [0, None]
    for one in _steps(code) if _IMPORT in code.co_code[::2] else ():  # most functions import nothing
        if one.opname == "IMPORT_NAME":
            level, names = before[-2:]
            if (module := _absolute(one.argval, level, package)) is not None:
                yield module, frozenset(names or code.co_names)
        before = [*before[-1:], one.argval]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from imports(constant, package)


def _steps(code: CodeType) -> Iterator[dis.Instruction]:
    return (one for one in dis.get_instructions(code) if one.opname != "EXTENDED_ARG")


def _absolute(name: str, level: object, package: str) -> str | None:
    try:
        return importlib.util.resolve_name("." * level + name, package) if isinstance(level, int) and level else name
    except ImportError:
        return None


@dataclass(frozen=True, slots=True)
class File:
    """A module as its file says it: the text, plain values that its first level gives names to, and what it imports."""

    text: str
    values: dict[str, Any]
    imports: tuple[str, ...]


def file_of(module: str) -> File | None:
    """The file of one of the user's own modules; None where there is none, or it cannot be read."""
    path = None if module.partition(".")[0] == "preheat" else _place(module)
    if path is None or not is_own_file(path):
        return None
    try:
        with open(path, "rb") as file:
            text = importlib.util.decode_source(file.read())
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
    values = dict[str, Any]()
    for one in tree.body:
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        for target in targets:
            if isinstance(target, ast.Name):
                values.pop(target.id, None)
                try:
                    values[target.id] = ast.literal_eval(one.value)  # type: ignore[attr-defined]
                except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                    continue
    package = module if os.path.basename(path) == "__init__.py" else module.rpartition(".")[0]
    return File(text, values, tuple(_imports_of(tree, package)))


def _imports_of(tree: ast.Module, package: str) -> Iterator[str]:
    for one in ast.walk(tree):
        if isinstance(one, ast.Import):
            yield from (name.name for name in one.names)
        elif isinstance(one, ast.ImportFrom) and (module := _absolute(one.module or "", one.level, package)):
            yield module
            yield from (f"{module}.{name.name}" for name in one.names)


def _place(module: str) -> str | None:
    """Where the file of a module is, whether it is loaded or not."""
    path, origin, name = None, None, ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        spec = getattr(sys.modules.get(name), "__spec__", None)
        try:
            found = (finder.find_spec(name, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
            spec = spec or next((one for one in found if one is not None), None)
        except Exception:  # whatever a foreign finder raises
            return None
        if spec is None:
            return None
        path, origin = spec.submodule_search_locations, spec.origin
        if path is None and name != module:
            return None
    return origin


class Sources:
    """The source of functions and classes, each file looked at once; their code where the source cannot be read."""

    def __init__(self) -> None:
        self._classes: dict[str, dict[str, str]] = {}
        self._checked: set[str] = set()

    def of(self, met: Any) -> str:
        """The text of one, or digits for it."""
        if isinstance(met, FunctionType):
            code = met.__code__
            lines = self._lines(code.co_filename, met.__globals__)[code.co_firstlineno - 1 : _last_line(code)]
        else:
            module = sys.modules.get(met.__module__)
            lines = [self._classes_in(getattr(module, "__file__", None) or "").get(met.__qualname__, "")]
        if text := inspect.cleandoc("".join(lines)):
            return text
        digest = Digest()
        digest.add(code_parts(met.__code__) if isinstance(met, FunctionType) else met)
        return digest.text

    def _lines(self, name: str, names: dict[str, Any] | None = None) -> list[str]:
        if name not in self._checked:
            self._checked.add(name)
            linecache.checkcache(name)
        return linecache.getlines(name, names)

    def _classes_in(self, file: str) -> dict[str, str]:
        """The text of every class in a file, by its qualified name."""
        if file not in self._classes:
            lines = self._lines(file)
            try:
                tree = ast.parse("".join(lines))
            except (ValueError, SyntaxError, RecursionError):
                tree = ast.Module([], [])
            self._classes[file] = dict(_classes(tree, "", lines))
        return self._classes[file]


def _classes(tree: ast.AST, prefix: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    for one in ast.iter_child_nodes(tree):
        if isinstance(one, ast.ClassDef):
            first = min([one.lineno, *(decorator.lineno for decorator in one.decorator_list)])
            yield f"{prefix}{one.name}", "".join(lines[first - 1 : one.end_lineno])
            yield from _classes(one, f"{prefix}{one.name}.", lines)
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes(one, f"{prefix}{one.name}.<locals>.", lines)
        elif isinstance(one, ast.stmt):
            yield from _classes(one, prefix, lines)


def _last_line(code: CodeType) -> int:
    """The last line that any of the code comes from."""
    ends = [end for _, end, _, _ in code.co_positions() if end is not None]
    starts = [line for _, _, line in code.co_lines() if line is not None]
    inner = [_last_line(one) for one in code.co_consts if isinstance(one, CodeType)]
    return max([code.co_firstlineno, *ends, *starts, *inner])
