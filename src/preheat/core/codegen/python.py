"""A schedule as stand-alone Python source, and the function that it defines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from preheat.core.codegen.blocks import Language, Module
from preheat.core.codegen.texts import ATOM, COMPARE, FUNCTIONS, IF, SIGN, Text, binary, constant, tight
from preheat.core.codegen.trace import record
from preheat.core.errors import shown

TAKEN = (*FUNCTIONS, "bisect_right")  # names that the source uses
_CALLED = re.compile(rf"\b({'|'.join(TAKEN)})\(")


def source(schedule: Any, name: str = "schedule") -> str:
    """Python source of a function `name(t)` equal to the bound `schedule`, bit for bit; it needs the standard library only."""
    return sources({name: schedule})


def sources(schedules: dict[str, Any], imports: str = "", after: str = "") -> str:
    """The same of several, by name, in one file, with further imports and with what stands after them."""
    module = Module(Python())
    for name, schedule in schedules.items():
        t, value = record(schedule)
        module.define(name, t, value, shown(schedule._ready, 1000))
    header = "\n".join(part for part in (_imports(module), imports) if part)
    return file_of(header, [*module.definitions, *([after] if after else [])])


def file_of(imports: str, definitions: list[str]) -> str:
    """A file of imports, lines that end, and of definitions, with as many empty lines as are usual."""
    between = ("\n\n" if definitions[0].startswith("def ") else "\n") if imports else ""
    return imports + between + "\n\n\n".join(definitions) + "\n"


def compiled(schedule: Any) -> Callable[[float], float]:
    """The function that `source` describes."""
    scope: dict[str, Any] = {}
    t, value = record(schedule)
    module = Module(Python())
    module.define("schedule", t, value)
    for part in (
        _imports(module),
        *module.definitions,
    ):  # one by one: for all at once the compiler takes much more memory
        exec(compile(part, "<schedule>", "exec"), scope)  # our own text, made from validated nodes
    return scope["schedule"]


def _imports(module: Module) -> str:
    """The imports that the definitions need."""
    called = {word for text in module.definitions for word in _CALLED.findall(text)}
    used = [word for word in FUNCTIONS if word in called]
    header = "from bisect import bisect_right\n" * ("bisect_right" in called)
    return header + f"from math import {', '.join(used)}\n" * bool(used)


class Python(Language):
    """Python's statements."""

    indent = "    "
    result, assigned, opened = "return {}", "{} = {}", "if {}:"

    def function(self, name: str, doc: str, lines: list[str]) -> str:
        docstring = [f'    """{doc}"""'] if doc else []
        return "\n".join([f"def {name}(t):", *docstring, *lines])

    def numbers(self, name: str, values: list[str]) -> str:
        return f"{name} = ({', '.join(values)}{',' * (len(values) == 1)})"

    def declared(self, name: str) -> list[str]:
        return []

    def local(self, name: str, text: str) -> str:
        return f"{name} = {text}"

    def otherwise(self, returned: bool) -> list[str]:
        return [] if returned else ["else:"]

    def closed(self, returned: bool) -> list[str]:
        return []

    def constant(self, value: float) -> Text:
        return constant(value)

    def position(self, table: str, t: str) -> Text:
        return f"bisect_right({table}, {t})", ATOM

    def operation(self, op: str, texts: list[Text], atom: Callable[[Text], str]) -> Text:
        if op in FUNCTIONS:
            return f"{op}({texts[0][0]})", ATOM
        if op == "neg":
            return f"-{tight(texts[0], SIGN)}", SIGN
        if op == "where":
            condition, yes, no = (tight(text, COMPARE) for text in texts)
            return f"{yes} if {condition} else {no}", IF
        if op in ("minimum", "maximum"):
            a, b = map(atom, texts)
            return f"{a} if {a} {'<' if op == 'minimum' else '>'} {b} else {b}", IF
        if op == "within":
            t, low, high = atom(texts[0]), texts[1][0], texts[2][0]
            above = "" if high == "inf" else f"{high} if {t} > {high} else "
            return f"{low} if {t} < {low} else {above}{t}", IF
        return binary(op, *texts)
