"""A library that is restated here, and the schedulers of it by their names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from preheat.compat.parts.restated import Restated
from preheat.core.errors import PreheatError, nearest, shown

Function = TypeVar("Function", bound=Callable[..., Restated])


class Peer:
    """One library: its version, where its formulas stand, and a function for each of its schedulers.

    name: as it is imported.   version: that the restatements were held against.   source: the file or module there.
    beside: arguments that all of them take, as `**` of any name.
    """

    def __init__(self, name: str, version: str, source: str, beside: tuple[str, ...] = ()) -> None:
        self.name, self.version, self.source, self.beside = name, version, source, beside
        self.functions: dict[str, Callable[..., Restated]] = {}
        self._names: dict[str, str] = {}

    def restates(self, *own: str) -> Callable[[Function], Function]:
        """Register a function as the restatement of the scheduler that the library itself calls by these names."""

        def register(function: Function) -> Function:
            signature, name = inspect.signature(function), function.__name__

            @wraps(function)
            def call(*args: Any, **arguments: Any) -> Restated:
                self._check(name, signature, args, arguments)
                return function(*args, **arguments)

            self.functions[name] = call
            for known in map(_key, (name, *own)):
                assert self._names.setdefault(known, name) == name, f"{known} is two schedulers of {self.name}"
            return call  # type: ignore[return-value]

        return register

    def __getitem__(self, name: str) -> Callable[..., Restated]:
        """The function for a scheduler, by the name of either; raises PreheatError, with the nearest, for an unknown one."""
        if not isinstance(name, str) or _key(name) not in self._names:
            raise PreheatError(f"{self.name} has no scheduler {shown(name)}{nearest(str(name), self.functions)}")
        return self.functions[self._names[_key(name)]]

    def attribute(self, name: str) -> Callable[..., Restated]:
        """The same as an attribute of the library's module, for a name of its own that is no function's here."""
        if name.startswith("__") or _key(name) not in self._names:
            raise AttributeError(f"preheat.compat.{self.name} has no scheduler {name!r}{nearest(name, self.functions)}")
        return self[name]

    def _check(self, name: str, signature: inspect.Signature, args: tuple[Any, ...], arguments: dict[str, Any]) -> None:
        """Refuse, in our words, arguments that do not fit."""
        if not isinstance(arguments.get("faithful", False), bool):
            raise PreheatError("faithful must be True or False", given=arguments["faithful"])
        known = [one for one, parameter in signature.parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]
        where = f"compat.{self.name}.{name}"
        if self.beside or len(known) == len(signature.parameters):
            for one in arguments:
                if one not in (*known, *self.beside):
                    raise PreheatError(f"{where} has no argument {shown(one)}{nearest(one, (*known, *self.beside))}")
        if args:
            write = f"write {where}({', '.join(f'{one}=…' for one in known[:2])})"
            raise PreheatError(f"{where} takes its arguments by name", given=args[0], write=write)
        needed = [one for one, p in signature.parameters.items() if p.default is p.empty and p.kind is p.KEYWORD_ONLY]
        if missing := [one for one in needed if one not in arguments]:
            raise PreheatError(f"{where} needs {' and '.join(missing)}", write=f"write {missing[0]}=…")


def _key(name: str) -> str:
    """Names that differ in case, hyphens and underscores alone are one: SWALR, swa_lr."""
    return name.lower().replace("-", "").replace("_", "")
