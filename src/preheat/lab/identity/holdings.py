"""What a training function holds: arguments of a partial, a closure, defaults, an object's state, values of its module.

All of that is configuration: runs with another value are other runs. The source of the functions that it reaches in its
own module is the version of the code, which is told beside the runs and does not make them others.
"""

import dis
import enum
import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from uuid import uuid4

from preheat.core.errors import PreheatError
from preheat.lab.identity.secrets import Mask, is_secret
from preheat.lab.identity.values import Digest, UnknownError, code_parts, name_of, reduced_of
from preheat.lab.naming import printable, relative

UNKNOWN = "unknown "
"""How the digits of a value begin that cannot be known: they differ at every call, so no earlier run is taken for it."""

KEY = "key"
"""The name of the only entry where a text stands for all that the function holds."""

_SHORT = 40
_PLAIN = (type(None), bool, int, float, complex, str)
_WRAPPED = "_lru_cache_wrapper"


def holdings(function: Callable[..., Any]) -> tuple[dict[str, list[str]], str]:
    """What a function holds, by name: what is shown of the value, and its digits; and twelve digits for its source.

    Values that are secrets by their name are left out; no folder of this machine is shown.
    """
    reach = _Reach()
    reach.start(function)
    reach.finish()
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


class _Reach:
    """Follows a function to all that it holds and to the functions and classes of its own module."""

    def __init__(self) -> None:
        self.held: dict[str, list[str]] = {}
        self.sources: dict[str, str] = {}
        self._done: set[int] = set()
        self._waiting: list[tuple[Any, str]] = []
        self._module: str | None = None

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
        while self._waiting:
            met, prefix = self._waiting.pop(0)
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
            state = reduced_of(owner)[2:3]
        except UnknownError:
            state = (vars(owner),) if hasattr(owner, "__dict__") else ("",)
        parts = [one for one in (state[0] if state and isinstance(state[0], tuple) else state) if one]
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
        for name, attribute in sorted(set(_globals_of(function.__code__))):
            if name not in function.__globals__ or name.startswith("__"):
                continue
            value = function.__globals__[name]
            if not isinstance(value, ModuleType):
                self._named(name, name, value)
            elif type(found := getattr(value, attribute, ...)) in _PLAIN and not attribute.startswith("__"):
                self._hold(f"{name}.{attribute}", found)

    def _named(self, name: str, own: str, value: Any) -> None:
        """A value that code reaches by a name: functions and classes are followed, the rest is held."""
        if isinstance(value, FunctionType | type) and value.__name__ == own and "<" not in value.__qualname__:
            self.sources.setdefault(name, name_of(value))
            self._follow_later(value)
        else:
            self._hold(name, value)

    def _class(self, met: type) -> None:
        """The functions of a class, and the values that stand in it."""
        if id(met) in self._done or met.__module__ != self._module:
            return
        self._done.add(id(met))
        self._source(met)
        for base in met.__bases__:
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
        self.sources[name] = self.sources.get(name, "") + _source_of(met)

    def _follow_later(self, met: Any) -> None:
        if getattr(met, "__module__", None) == self._module and id(met) not in self._done:
            self._waiting.append((met, f"{met.__name__}."))

    def _hold(self, name: str, value: Any) -> None:
        if isinstance(value, str) and is_secret(name, value):
            return
        digest = Digest(self._met)
        try:
            digest.add(Mask().text(value) if type(value) is str else value)
            entry = [description(value), digest.text]
        except UnknownError as error:
            entry = [str(error), f"{UNKNOWN}{uuid4().hex}"]
        while name in self.held and self.held[name] != entry:
            name += "'"
        self.held[name] = entry

    def _met(self, met: Any) -> bytes:
        """What counts of a function or class inside a value besides its name: its code, where the name says nothing."""
        self._follow_later(met)
        if isinstance(met, FunctionType) and "<" in met.__qualname__:
            digest = Digest(lambda met: b"")
            digest.add(code_parts(met.__code__))
            if met.__module__ != self._module and id(met) not in self._done:
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


def _globals_of(code: CodeType) -> Iterator[tuple[str, str]]:
    """The names of the module that code reads, in functions and comprehensions inside it too, and what it asks them for."""
    name = ""
    for one in dis.get_instructions(code):
        if name:
            yield name, one.argval if one.opname in ("LOAD_ATTR", "LOAD_METHOD") else ""
        name = one.argval if one.opname in ("LOAD_GLOBAL", "LOAD_NAME") else ""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_of(constant)


def _functions_in(member: Any) -> list[Any]:
    """The functions of a member of a class."""
    if isinstance(member, property):
        return [member.fget, member.fset, member.fdel]
    if isinstance(member, staticmethod | classmethod):
        return _functions_in(member.__func__)
    if isinstance(member, cached_property):
        return [member.func]
    return [member.__wrapped__ if type(member).__name__ == _WRAPPED else member]


def _source_of(met: Any) -> str:
    """The source of a function or class; its code where the source cannot be read."""
    try:
        return inspect.getsource(met.__code__ if isinstance(met, FunctionType) else met)
    except (OSError, TypeError, IndexError):
        digest = Digest()
        digest.add(code_parts(met.__code__) if isinstance(met, FunctionType) else met)
        return digest.text
