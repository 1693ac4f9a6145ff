"""A value: equal by its fields, and never changed. Written once here: `dataclass` would compile it anew for each kind."""

from typing import Any


class Value:
    """The base of what `@dataclass(eq=False)` describes; `_depth`, which each node sets last, seals it."""

    __match_args__: tuple[str, ...] = ()
    _depth: int = 1

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), self._values()

    def __setattr__(self, name: str, value: object) -> None:
        if "_depth" in vars(self):
            raise AttributeError(f"a schedule is a value; make a new one instead of setting {name}")
        vars(self)[name] = value

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a schedule is a value; {name} cannot be deleted")
