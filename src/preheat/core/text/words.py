"""The words of the language: every kind of node, the constructors, the recipes, `absolute` and `relative`. What holds one
schedule is read here, from text or data."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from preheat.core import shapes
from preheat.core.checks import MAX_TEXT
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.core.meant import Meant
from preheat.core.node import KINDS, Schedule
from preheat.core.spans import REST, Span
from preheat.core.stated import Absolute, Relative, Stated, joined
from preheat.core.text.codec import value_from
from preheat.core.text.located import Locating, Place
from preheat.core.text.parser import Language, Reader
from preheat.core.text.printer import TIGHTNESS

BUILDERS = {"_target_": ("hydra.utils.instantiate", ""), "class_path": ("jsonargparse", "init_args")}
"""The keys by which configuration packages say what to call: who calls it, and the key of the arguments if not beside it."""
_EXAMPLE = "write for example warmup('5%') >> decay()"

Source = Schedule | Absolute | Relative | str | Mapping[str, Any]
"""What a schedule is read from: itself, what is stated of it, its text, or its data."""


def absolute(schedule: Source) -> Absolute:
    """Say that the values of a schedule are the rates themselves, not factors: `absolute(ramp(0.01, 0.1, 1000))`.

    schedule: a Schedule, its text, or its data; rates (what recipes with a peak_lr give) stay what they are.

    Without it a schedule multiplies what each group was given. Rates are called, bound, tabled, transformed and written
    as a schedule is, and joined with other rates by `>>` and `+`; `*` takes factors.

    >>> from preheat import ramp
    >>> absolute(ramp(0.01, 0.1, 1000))
    absolute(ramp(0.01, 0.1, 1000))
    >>> absolute("hold(0.1)")(7)
    0.1

    Raises PreheatError for what is not a schedule, and for `relative(…)`, which says the opposite.
    """
    found = target(schedule)
    if isinstance(found, Relative):
        raise PreheatError(
            f"{shown(found)} says that its values are factors, and absolute that they are not",
            write="write one of them",
        )
    return found if isinstance(found, Absolute) else Absolute(found)


def relative(schedule: Source) -> Relative:
    """Say that the values of a schedule are factors although the largest is not 1: `relative(ramp(10, 1, 1000))`.

    schedule: a Schedule, its text, or its data.

    A line of a plan whose peak is not 1 is refused without it, because it may be meant as rates. `relative(s) == s`: it is the
    same schedule.

    >>> from preheat import ramp
    >>> relative(ramp(10, 1, 1000)) == ramp(10, 1, 1000)
    True

    Raises PreheatError for what is not a schedule, and for rates, which say the opposite.
    """
    found = target(schedule)
    if isinstance(found, Absolute):
        raise PreheatError(
            f"{shown(found)} is rates, and relative says that its values are factors",
            write="write one of them; recipes without peak_lr give factors",
        )
    return found if isinstance(found, Relative) else Relative(found)


_learned: dict[str, Callable[..., Any]] = {**shapes.WORDS, "absolute": absolute, "relative": relative}


def learn(*functions: Callable[..., Any]) -> None:
    """Add words by their names: how constructors and recipes, which stand above, become readable."""
    _learned.update((function.__name__, function) for function in functions)


def read(text: str) -> Any:
    """Whatever the language says in `text`: a schedule, rates, or a shape."""
    return Reader(text, _language()).result()


def located(text: str) -> Place:
    """What `read` reads, with where each part of it stands in `text`."""
    return Locating(text, _language()).place()


def target(value: Any) -> Schedule | Absolute | Relative:
    """One schedule, and what is said of it, from all that can be meant by it: see `parse`. A plan is refused."""
    if isinstance(value, Meant):
        value = value.target
    if isinstance(value, Schedule | Absolute | Relative):
        return value
    if isinstance(value, str):
        if is_json(value):
            return target(mapping_from(value))
        found = read(value)
        if isinstance(found, Schedule | Absolute | Relative):
            return found
        hint = f"as a schedule write {value.strip()}()" if value.strip() in _language().words else _EXAMPLE
        raise ParseError(f"{shown(value)} is not a schedule", write=hint)
    if isinstance(value, Mapping):
        if "kind" not in value:
            refuse_unbuilt(value)
            raise PreheatError("one schedule is needed here, not a plan's lines by name", given=value, write=_EXAMPLE)
        return value_from(value)  # type: ignore[return-value]
    raise _no_schedule(value)


def refuse_unbuilt(data: Mapping[str, Any]) -> None:
    """Refuse a mapping that tells a configuration package what to call, as Hydra and jsonargparse have them: nothing is called
    here, and its keys are no hyper-parameters."""
    for key, (package, arguments) in BUILDERS.items():
        if key in data:
            given = data.get(arguments, {}) if arguments else data
            named = given.items() if isinstance(given, Mapping) else ()
            called = ", ".join(f"{name}={value!r}" for name, value in named if not name.startswith("_"))
            word = str(data[key]).rpartition(".")[2]
            what = f"a schedule is needed, not what {package} would build one from: {shown(dict(data))}"
            raise PreheatError(what, write=f'let it, or write the text "{word}({called})"')


def is_json(text: str) -> bool:
    """Whether text is an object of JSON rather than the language."""
    return text.lstrip(" \t\r\n").startswith("{")


def mapping_from(text: str) -> dict[str, Any]:
    """The object that a text of JSON describes; refuses a key that stands twice, of which JSON would keep the last."""
    import json  # not every import of preheat reads data

    if len(text) > MAX_TEXT:
        raise ParseError(f"the text has {len(text)} characters; at most {MAX_TEXT}")
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except PreheatError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        column = getattr(error, "pos", None)  # of a text nested too deeply there is none
        raise ParseError(f"cannot read {shown(text)} as JSON: {error}", column=column) from None
    if not isinstance(found, dict):
        raise ParseError("a plan is a JSON object from line to schedule", given=found)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ParseError(f"{shown(twice)} stands twice in one object", write="keep one of them")
    return found


def _no_schedule(value: Any) -> PreheatError:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = shown(value)
        write = f"write absolute(hold({number})) for the value itself, relative(hold({number})) for a factor"
        return PreheatError(f"a schedule is needed, and {number} is a number", write=write)
    name = getattr(value, "__name__", None)
    if isinstance(name, str) and name in _language().words:
        return PreheatError(f"{name} is the function that makes a schedule", write=f"call it: {name}(…)")
    return PreheatError("a schedule is needed, or its text", given=value, write=_EXAMPLE)


def _language() -> Language:
    """As it is now: a kind of node is part of it once its class exists."""
    called = {word: kind for word, kind in KINDS.items() if kind._form == "call"}
    names = [*(word for word, kind in KINDS.items() if kind._form == "method"), "clipped"]
    infix: list[Any] = sorted(
        (kind for kind in KINDS.values() if kind._form == "infix"), key=lambda kind: TIGHTNESS[kind._sign]
    )
    return Language(
        words=called | _learned,
        methods_of=lambda value: _methods(value, names),
        signs=[(kind._sign, partial(joined, kind._sign, kind)) for kind in infix],
        names=(*shapes.WRITTEN, REST),
        length=_length,
    )


def _length(text: str) -> str:
    """A length as the words take it: its text, once it has been read."""
    Span(text)
    return text


def _methods(value: Any, names: list[str]) -> dict[str, Callable[..., Any]]:
    """The transformations of a schedule or of rates; nothing else has any."""
    return {name: getattr(type(value), name) for name in names} if isinstance(value, Schedule | Stated) else {}
