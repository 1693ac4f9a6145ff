"""A value: equal by its fields, never changed, and with nothing hidden in its `__dict__`.

Fields and what is computed from them live in slots. `__dict__` stays empty: torch's LambdaLR copies that of a callable into
its state, where a field would be overwritten on loading and a compiled function could not be saved.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Value:
    """The base: `__init__` checks its arguments and calls `_set`; its parameters are the fields.

    A slot `_x` (or `x`) that was not set is computed by `_compute_x` when it is first asked for, and kept.
    """

    __slots__ = ("__dict__", "__weakref__")

    __match_args__: tuple[str, ...] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__init__" in vars(cls):
            function: Any = cls.__init__
            code, defaults = function.__code__, function.__defaults__ or ()
            positional = code.co_varnames[1 : code.co_argcount]
            cls.__match_args__ = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
            cls._defaults = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
            cls._defaults |= function.__kwdefaults__ or {}

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def _with(self, **changes: object) -> Any:
        """The same with some fields changed."""
        return type(self)(**dict(zip(self.__match_args__, self._values(), strict=True)) | changes)

    def __getattr__(self, name: str) -> Any:
        compute = getattr(type(self), f"_compute_{name.removeprefix('_')}", None)
        if compute is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        value = compute(self)
        object.__setattr__(self, name, value)
        return value

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return type(self), self._values()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is a value; make a new one instead of setting {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is a value; {name} cannot be deleted")
