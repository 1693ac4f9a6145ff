"""A schedule as stand-alone JavaScript: a function of one number, for a page or for node."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from preheat.core.codegen.blocks import Language, Module
from preheat.core.codegen.texts import ATOM, COMPARE, FUNCTIONS, IF, SIGN, Text, binary, constant, tight
from preheat.core.codegen.trace import record
from preheat.core.errors import shown

_HELPERS = {
    "countUpTo": """\
/** How many numbers of a rising table are at most t. */
function countUpTo(table, t) {
  let low = 0;
  let high = table.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t < table[middle]) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}""",
    "wholeTimes": """\
/** How often n fits into t ≥ 0 as a whole. */
function wholeTimes(t, n) {
  return Math.round((t - (t % n)) / n);
}""",
}

TAKEN = (  # words of the language, and names that the source uses
    *_HELPERS,
    *(
        "arguments",
        "case",
        "catch",
        "const",
        "debugger",
        "default",
        "delete",
        "do",
        "enum",
        "eval",
        "export",
        "extends",
    ),
    *(
        "false",
        "function",
        "instanceof",
        "interface",
        "let",
        "new",
        "null",
        "package",
        "private",
        "protected",
        "public",
    ),
    *("static", "super", "switch", "this", "throw", "true", "typeof", "undefined", "var", "void", "Math", "Infinity"),
)


def sources(schedules: dict[str, Any]) -> str:
    """JavaScript source of a function of t for each bound schedule, by name, with what these need before them."""
    module = Module(JavaScript())
    for name, schedule in schedules.items():
        t, value = record(schedule)
        module.define(name, t, value, shown(schedule._ready, 1000))
    code = "\n\n".join(module.definitions)
    helpers = [text for name, text in _HELPERS.items() if re.search(rf"\b{name}\(", code)]
    return "\n\n".join([*helpers, code]) + "\n"


class JavaScript(Language):
    """JavaScript's statements."""

    indent = "  "
    result, assigned, opened = "return {};", "{} = {};", "if ({}) {{"

    def function(self, name: str, doc: str, lines: list[str]) -> str:
        comment = [f"/** {doc.replace('*/', '* /')} */"] if doc else []
        return "\n".join([*comment, f"function {name}(t) {{", *lines, "}"])

    def numbers(self, name: str, values: list[str]) -> str:
        return f"const {name} = [{', '.join(values)}];"

    def declared(self, name: str) -> list[str]:
        return [f"let {name};"]

    def local(self, name: str, text: str) -> str:
        return f"const {name} = {text};"

    def otherwise(self, returned: bool) -> list[str]:
        return ["}"] if returned else ["} else {"]

    def closed(self, returned: bool) -> list[str]:
        return [] if returned else ["}"]

    def constant(self, value: float) -> Text:
        return (json.dumps(value), ATOM) if value == math.inf else constant(value)

    def position(self, table: str, t: str) -> Text:
        return f"countUpTo({table}, {t})", ATOM

    def operation(self, op: str, texts: list[Text], atom: Callable[[Text], str]) -> Text:
        if op in FUNCTIONS:
            return f"Math.{op}({texts[0][0]})", ATOM
        if op == "//":
            return f"wholeTimes({texts[0][0]}, {texts[1][0]})", ATOM
        if op == "neg":  # no power may follow a sign there, and two signs are a decrement
            return f"-{tight(texts[0], ATOM)}", SIGN
        if op == "where":
            condition, yes, no = (tight(text, COMPARE) for text in texts)
            return f"{condition} ? {yes} : {no}", IF
        if op in ("minimum", "maximum"):
            a, b = map(atom, texts)
            return f"{a} {'<' if op == 'minimum' else '>'} {b} ? {a} : {b}", IF
        if op == "within":
            t, low, high = atom(texts[0]), texts[1][0], texts[2][0]
            above = "" if high == "Infinity" else f"{t} > {high} ? {high} : "
            return f"{t} < {low} ? {low} : {above}{t}", IF
        return binary(op, *texts)
