"""What a Python value is, as digits: equal for equal values in every process, whatever the seed of the hashes.

Numbers, text and containers count by what they hold, arrays and tensors by dtype, shape and bytes, functions, classes and
modules by name, any other object by what pickling it would write. Nothing is imported for it.
"""

import copyreg
import hashlib
import marshal
import sys
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from preheat.lab.identity.secrets import HIDDEN, Mask, is_secret

MOST = 2_000_000
"""Objects that are looked at in one value, so that a value that makes itself anew for ever has an end."""

_ATOMS = frozenset({type(None), bool, int, float, complex, str, type(Ellipsis)})
_NUMBERS = _ATOMS - {str}
_BYTES = (bytes, bytearray, memoryview)
_LOCKS = frozenset({"lock", "RLock"})


class UnknownError(Exception):
    """What a value holds cannot be known; the text says of what kind it is."""


class Digest:
    """Takes values in, and gives the digits for all of them.

    follow: called with every function and class that is met; what it returns counts besides the name. Secrets do not count,
    and are put into `mask.values`.
    """

    def __init__(self, follow: Callable[[Any], bytes] = lambda met: b"", mask: Mask | None = None) -> None:
        self._follow, self._hash, self._mask = follow, hashlib.blake2b(digest_size=8), mask or Mask()
        self._met: dict[int, int] = {}
        self._kept: list[object] = []  # else another object could get the address of one that was met

    @property
    def text(self) -> str:
        """Sixteen digits."""
        return self._hash.hexdigest()

    def add(self, value: Any) -> None:
        """Take in a value. Raises `UnknownError` for one that is known by its address only, such as an open file."""
        try:
            self._add(value)
        except RecursionError:
            raise UnknownError("a value that is nested too deeply") from None

    def _put(self, kind: str, *parts: bytes) -> None:
        for part in (kind.encode(errors="surrogatepass"), *parts):
            self._hash.update(len(part).to_bytes(8, "big"))
            self._hash.update(part)

    def _add(self, value: Any) -> None:
        kind = type(value)
        if kind is str:
            value = self._mask.text(value)
        if kind in _ATOMS:
            return self._put(kind.__name__, marshal.dumps(value, 2))
        if kind in _BYTES:
            return self._put(kind.__name__, bytes(value))
        if kind in (tuple, frozenset):  # the compiler may or may not make one of two equal ones
            return self._container(value, kind)
        if isinstance(value, ModuleType):
            return self._put("module", value.__name__.encode())
        if isinstance(value, type | FunctionType):
            return self._put("name", name_of(value).encode(), self._follow(value))
        if (place := self._met.get(id(value))) is not None:
            return self._put("again", str(place).encode())
        if len(self._kept) > MOST:
            raise UnknownError("a value of too many parts")
        self._met[id(value)] = len(self._met)
        self._kept.append(value)
        if kind in (list, set, dict, MappingProxyType):
            return self._container(value, kind)
        return self._object(value, kind)

    def _container(self, value: Any, kind: type) -> None:
        self._put(kind.__name__, str(len(value)).encode())
        if kind in (set, frozenset):
            return self._unordered(value)
        if kind in (dict, MappingProxyType):
            return self._mapping(value.items())
        kinds = set(map(type, value))
        if len(value) > 8 and kinds <= _NUMBERS:  # in one piece
            return self._put("flat", marshal.dumps(value, 2))
        for one in self._mask.words(value) if kinds == {str} else value:
            self._add(one)
        return None

    def _mapping(self, items: Any) -> None:
        for key, value in items:
            self._add(key)
            if type(key) is type(value) is str and is_sure(key, value):
                self._mask.values.add(value)
                value = HIDDEN
            self._add(value)

    def _unordered(self, values: Any) -> None:
        """The elements of a set, in the order of their own digits."""
        digits = []
        for one in values:
            alone = Digest(self._follow, self._mask)
            alone._met, alone._kept = dict(self._met), self._kept[:]
            alone._add(one)
            digits.append(alone.text.encode())
        self._put("sorted", *sorted(digits))

    def _object(self, value: Any, kind: type) -> None:
        self._put("object", name_of(kind).encode(), self._follow(kind))
        if (content := _numbers(value)) is not None:
            return self._put("numbers", *content)
        if isinstance(value, MethodType | BuiltinFunctionType):
            self._put("function", value.__name__.encode())
            own = None if isinstance(value.__self__, ModuleType) else value.__self__
            return self._all(getattr(value, "__func__", None), getattr(value, "__module__", None), own)
        if kind is partial:
            return self._all(value.func, value.args, value.keywords)
        if isinstance(value, CodeType):
            return self._all(*code_parts(value))
        if isinstance(value, staticmethod | classmethod):
            return self._add(value.__func__)
        if kind.__name__ == "_lru_cache_wrapper":
            return self._add(value.__wrapped__)
        if kind.__name__ in _LOCKS and kind.__module__ == "_thread":
            return None
        return self._pickled(value, kind)

    def _all(self, *values: Any) -> None:
        for one in values:
            self._add(one)

    def _pickled(self, value: Any, kind: type) -> None:
        """An object by its class and what pickling it would write."""
        if kind is object:
            raise UnknownError("an object() that nothing but its address tells from another")
        reduced = reduced_of(value)
        if isinstance(reduced, str):
            return self._put("global", reduced.encode())
        made, arguments, _, items, pairs = (*reduced, None, None, None)[:5]
        state = state_of(value, reduced)
        self._put("made", name_of(made).encode())
        self._add(tuple(arguments))
        states = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        for one in states:
            if type(one) is dict:
                self._put("state", str(len(one)).encode())
                self._mapping(sorted(one.items(), key=lambda item: str(item[0])))
            else:
                self._add(one)
        for one in items or ():
            self._add(one)
        return self._mapping(pairs or ())


def reduced_of(value: Any) -> Any:
    """What pickling makes of an object first. Raises `UnknownError` for one that cannot be pickled."""
    special = copyreg.dispatch_table.get(type(value))
    try:
        return special(value) if special else value.__reduce_ex__(4)
    except RecursionError:
        raise
    except Exception:  # whatever a foreign class raises, it says that there is no way to know
        raise UnknownError(f"a {name_of(type(value))}") from None


def state_of(value: Any, reduced: Any = None) -> Any:
    """The state that pickling would write; where the class has nothing written, what its attributes hold all the same."""
    reduced = reduced_of(value) if reduced is None else reduced
    state = reduced[2] if isinstance(reduced, tuple) and len(reduced) > 2 else None
    own = getattr(type(value), "__getstate__", None)
    return object.__getstate__(value) if not state and own not in (None, object.__getstate__) else state


def is_sure(name: str, value: str) -> bool:
    """Whether a value of Python is surely a secret. A bare `token` may be one, or a piece of text: its value has to tell."""
    return is_secret("a_token" if name.casefold() == "token" else name, value)


def name_of(value: Any) -> str:
    """`module.name` of a function, a class, or whatever has a name."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__
    return f"{getattr(value, '__module__', None) or 'builtins'}.{name}"


def code_parts(code: CodeType) -> tuple[Any, ...]:
    """What makes compiled code what it is; not where it stands."""
    return code.co_code, code.co_consts, code.co_names, code.co_varnames, code.co_freevars, code.co_flags


def _numbers(value: Any) -> tuple[bytes, ...] | None:
    """Dtype, shape and bytes of an array or tensor; None for anything else."""
    bases = {(base.__module__.partition(".")[0], base.__name__) for base in type(value).__mro__}
    try:
        if ("torch", "Tensor") in bases:
            flat = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
            content = flat.view(sys.modules["torch"].uint8).numpy()
            return str(value.dtype).encode(), str(tuple(value.shape)).encode(), content.tobytes()
        if bases & {("numpy", "ndarray"), ("numpy", "generic")}:
            if value.dtype.hasobject:
                return None
            return str(value.dtype.descr).encode(), str(value.shape).encode(), value.tobytes()
        if {root for root, _ in bases} & {"jax", "jaxlib"} and hasattr(value, "__array__"):
            return _numbers(value.__array__())
    except Exception:  # such as a tensor without storage
        raise UnknownError(f"a {name_of(type(value))} whose numbers cannot be read") from None
    return None
