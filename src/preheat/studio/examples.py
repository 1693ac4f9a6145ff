"""Examples, taken from where they are tested: the docstring of the function that they call."""

from __future__ import annotations

import ast
import doctest
import inspect
from collections.abc import Callable
from typing import Any


def example_of(function: Callable[..., Any], name: str) -> str:
    """The first call of a function in the examples of its docstring, as it is written there."""
    for one in doctest.DocTestParser().get_examples(inspect.getdoc(function) or ""):
        for node in ast.walk(ast.parse(one.source)):
            if isinstance(node, ast.Call) and _called(node.func) == name:
                return ast.get_source_segment(one.source, node) or ""
    return ""


def _called(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )
