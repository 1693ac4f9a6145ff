"""What a training function holds: arguments of a partial, a closure, defaults, an object's state, values of modules.

All of that is configuration: runs with another value are other runs. The source of the functions that it reaches is the
version of the code, which is told beside the runs and does not make them others. Both are looked for in all modules that are
the user's own; what is installed from elsewhere is not entered.
"""

import enum
import hashlib
import inspect
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import PurePath
from types import FunctionType, MethodType, ModuleType
from typing import Any
from uuid import uuid4

from preheat.core.errors import PreheatError
from preheat.lab.identity.reading import Sources, file_of, imports, is_own, reads
from preheat.lab.identity.secrets import HIDDEN, Mask, is_secret
from preheat.lab.identity.values import Digest, UnknownError, code_parts, is_sure, name_of, state_of
from preheat.lab.naming import printable, relative

UNKNOWN = "unknown "
"""How the digits of a value begin that cannot be known: they differ at every call, so no earlier run is taken for it."""

KEY = "key"
"""The name of the only entry where a text stands for all that the function holds."""

MOST = 5000
"""Functions and classes that are followed, so that code that makes itself anew for ever has an end."""

_SHORT = 40
_PLAIN = (type(None), bool, int, float, complex, str)
_WRAPPED = "_lru_cache_wrapper"


def holdings(function: Callable[..., Any]) -> tuple[dict[str, list[str]], str]:
    """What a function holds, by name: what is shown of the value, and its digits; and twelve digits for its source.

    Values that are secrets by their name are left out; no folder of this machine is shown.
    """
    reach = _reached(function)
    source = "\n".join(f"{name}\n{text}" for name, text in sorted(reach.sources.items()))
    return reach.held, hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()[:12]


def keyed(key: str) -> dict[str, list[str]]:
    """A text that names the configuration, in the place of all that a function holds."""
    if not isinstance(key, str) or not key.strip():
        raise PreheatError("key is a text that names the configuration, such as 'width=64'", given=key)
    digest = Digest()
    digest.add(Mask().text(key))
    return {KEY: [printable(relative(Mask().text(key))), digest.text]}


def origin(function: Callable[..., Any]) -> Any:
    """The function behind partials, bound methods and caches; the class of an object that can be called."""
    while True:
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif type(function).__name__ == _WRAPPED:
            function = function.__wrapped__  # type: ignore[attr-defined]
        else:
            return function if hasattr(function, "__qualname__") else type(function)


def secrets_of(function: Callable[..., Any]) -> set[str]:
    """The secrets among what a function holds: they are in nothing that is written."""
    return _reached(function).mask.values


def _reached(function: Callable[..., Any]) -> "_Reach":
    """All that a function reaches."""
    reach = _Reach()
    reach.start(function)
    reach.finish()
    return reach


class _Reach:
    """Follows a function to all that it holds and to the functions and classes of the user's own modules."""

    def __init__(self) -> None:
        self.held: dict[str, list[str]] = {}
        self.sources: dict[str, str] = {}
        self.mask = Mask()
        self._done: set[int] = set()
        self._files: set[str] = set()
        self._waiting: deque[tuple[Any, str]] = deque()
        self._module: str | None = None
        self._sources = Sources()

    def start(self, function: Any) -> None:
        """The outermost function: what its partials and objects hold has the plain names."""
        given: set[str] = set()
        self._module = getattr(origin(function), "__module__", None)
        while True:
            if isinstance(function, partial):
                arguments = _arguments(function)
                for name, value in arguments.items():
                    self._hold(name, value)
                given, function = given | set(arguments), function.func
            elif isinstance(function, MethodType):
                self._state(function.__self__)
                function = function.__func__
            elif type(function).__name__ == _WRAPPED:
                function = function.__wrapped__
            elif isinstance(function, FunctionType):
                return self._function(function, "", given)
            elif isinstance(function, type):
                return self._class(function)
            else:
                return self._state(function)

    def finish(self) -> None:
        """Look at what was met on the way."""
        while self._waiting and len(self._done) < MOST:
            met, prefix = self._waiting.popleft()
            if isinstance(met, type):
                self._class(met)
            else:
                self._function(met, prefix)

    def _state(self, owner: Any) -> None:
        """What an object holds, attribute by attribute where it is an ordinary one."""
        if isinstance(owner, type):
            return self._follow_later(owner)
        self._follow_later(type(owner))
        try:
            state = state_of(owner)
        except UnknownError:
            state = vars(owner) if hasattr(owner, "__dict__") else ""
        parts = [one for one in (state if isinstance(state, tuple) else (state,)) if one]
        if not isinstance(owner, list | dict | set | tuple) and all(isinstance(part, Mapping) for part in parts):
            for name, value in sorted((str(name), value) for part in parts for name, value in part.items()):
                self._hold(f"self.{name}", value)
        else:
            self._hold("self", owner)
        return None

    def _function(self, function: FunctionType, prefix: str, given: Iterable[str] = ()) -> None:
        if id(function) in self._done:
            return
        self._done.add(id(function))
        self._source(function)
        defaults = {**_defaults(function), **(function.__kwdefaults__ or {})}
        for name, value in defaults.items():
            if name not in given:
                self._hold(prefix + name, value)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # not set yet
                continue
            self._named(prefix + name, name, value)
        for name, value in vars(function).items():
            if not name.startswith("__"):
                self._hold(f"{function.__name__}.{name}", value)
        if self._is_own(module := function.__globals__.get("__name__")):
            self._globals(function, "" if module == self._module else f"{module}.")

    def _globals(self, function: FunctionType, prefix: str) -> None:
        """What a function reads of its module, and of modules that it imports itself."""
        names = function.__globals__
        for chain in sorted(set(reads(function.__code__))):
            if chain[0] in names and not chain[0].startswith("__"):
                self._read(names, chain, prefix)
        for module, asked in imports(function.__code__, names.get("__package__") or ""):
            self._file(module, asked)

    def _read(self, names: Mapping[str, Any], chain: Sequence[str], prefix: str) -> None:
        """A value behind a name, or behind `package.module.name`."""
        value, at = names[chain[0]], 1
        own = True
        while isinstance(value, ModuleType) and at < len(chain):
            own, found = self._is_own(value.__name__), vars(value).get(chain[at], ...)
            if found is ... or chain[at].startswith("__"):
                return
            value, at = found, at + 1
        if not isinstance(value, ModuleType) and (own or type(value) in _PLAIN):
            self._named(prefix + ".".join(chain[:at]), chain[at - 1], value)

    def _file(self, module: str, asked: Iterable[str]) -> None:
        """A module that is imported inside a function: its file is code, and so are those that it imports.

        It may or may not have been loaded by now, and what is held must not depend on that: of the names that are asked for,
        those count that the file gives a plain value.
        """
        if (file := file_of(module)) is None:
            return
        loaded = vars(sys.modules[module]) if module in sys.modules else {}
        for name in sorted(file.values.keys() & set(asked)):
            self._hold(f"{module}.{name}", loaded.get(name, file.values[name]))
        self._files_from(module, [f"{module}.{name}" for name in asked])

    def _files_from(self, module: str, more: Iterable[str]) -> None:
        waiting = [module, *more]
        while waiting and len(self._files) < MOST:
            name = waiting.pop()
            if name not in self._files:
                self._files.add(name)
                if file := file_of(name):
                    self.sources[f"{name} (file)"] = file.text
                    waiting += file.imports

    def _is_own(self, module: str | None) -> bool:
        return module == self._module or is_own(module)

    def _named(self, name: str, own: str, value: Any) -> None:
        """A value that code reaches by a name: functions and classes are followed, the rest is held."""
        if isinstance(value, FunctionType | type) and value.__name__ == own and "<" not in value.__qualname__:
            self.sources.setdefault(name, name_of(value))
            self._follow_later(value)
        else:
            self._hold(name, value)

    def _class(self, met: type) -> None:
        """The functions of a class, and the values that stand in it."""
        if id(met) in self._done or not self._is_own(met.__module__):
            return
        self._done.add(id(met))
        self._source(met)
        for base in (*met.__bases__, type(met)):
            self._follow_later(base)
        members = {m.name: m.value for m in met} if issubclass(met, enum.Enum) else vars(met)
        for name, member in members.items():
            functions = [one for one in _functions_in(member) if isinstance(one, FunctionType)]
            for one in functions:
                self._waiting.append((one, f"{met.__name__}.{name}."))
            plain = not functions and not name.startswith(("__", "_abc_")) and not hasattr(type(member), "__get__")
            if plain:
                self._hold(f"{met.__name__}.{name}", member)

    def _source(self, met: Any) -> None:
        name = name_of(met)  # a wrapper has the name of what it wraps
        self.sources[name] = self.sources.get(name, "") + self._sources.of(met)

    def _follow_later(self, met: Any) -> None:
        if id(met) not in self._done and self._is_own(getattr(met, "__module__", None)):
            self._waiting.append((met, f"{met.__name__}."))

    def _hold(self, name: str, value: Any) -> None:
        if isinstance(value, str) and is_sure(name, value):
            self.mask.values.add(value)
            return
        digest = Digest(self._met, self.mask)
        try:
            digest.add(value)
            hidden = type(value) is str and is_secret(name, value)
            entry = [HIDDEN if hidden else description(value), digest.text]
        except UnknownError as error:
            entry = [str(error), f"{UNKNOWN}{uuid4().hex}"]
        while name in self.held and self.held[name] != entry:
            name += "'"
        self.held[name] = entry
        if type(value) is partial:  # so that it can be said which of its arguments is another one
            for inner, argument in _arguments(value).items():
                self._hold(f"{name}.{inner}", argument)

    def _met(self, met: Any) -> bytes:
        """What counts of a function or class inside a value besides its name: its code, where the name says nothing."""
        self._follow_later(met)
        if isinstance(met, FunctionType) and "<" in met.__qualname__:
            digest = Digest(lambda met: b"")
            digest.add(code_parts(met.__code__))
            if id(met) not in self._done and not self._is_own(met.__module__):
                self._waiting.append((met, f"{met.__name__}."))
            return digest.text.encode()
        return b""


def description(value: Any) -> str:
    """A value in a few words: itself where it is plain and short, else of what kind it is; no secret and no folder."""
    if isinstance(value, str | PurePath):
        text = repr(printable(relative(Mask().text(str(value)))))
    elif type(value) in _PLAIN or (
        type(value) in (tuple, list) and len(value) < _SHORT and set(map(type, value)) <= set(_PLAIN[:-1])
    ):
        text = repr(value) if not isinstance(value, int) or abs(value) < 10**_SHORT else "a large number"
    elif isinstance(value, enum.Enum):
        text = f"{type(value).__name__}.{value.name}"
    elif isinstance(value, type | FunctionType):
        text = name_of(value)
    else:
        text = f"a {name_of(type(value)).removeprefix('builtins.')}"
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _arguments(given: partial) -> dict[str, Any]:
    """The arguments of a partial by the names of the parameters."""
    try:
        return dict(inspect.signature(given.func).bind_partial(*given.args, **given.keywords).arguments)
    except (TypeError, ValueError):
        places = {f"argument {place}": value for place, value in enumerate(given.args, start=1)}
        return {**places, **given.keywords}


def _defaults(function: FunctionType) -> dict[str, Any]:
    values = function.__defaults__ or ()
    count = function.__code__.co_argcount
    return dict(zip(function.__code__.co_varnames[count - len(values) : count], values, strict=True))


def _functions_in(member: Any) -> list[Any]:
    """The functions of a member of a class."""
    if isinstance(member, property):
        return [member.fget, member.fset, member.fdel]
    if isinstance(member, staticmethod | classmethod):
        return _functions_in(member.__func__)
    if isinstance(member, cached_property):
        return [member.func]
    return [member.__wrapped__ if type(member).__name__ == _WRAPPED else member]
