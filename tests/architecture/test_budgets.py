"""Small and light, as rules that fail: sizes, names, kinds of node, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import preheat
from preheat.core import namespaces
from preheat.core.node import KINDS, Schedule

ROOT = Path(preheat.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FUNCTIONS = [
    pytest.param(node, id=f"{path.relative_to(ROOT)}:{node.name}")
    for path in FILES
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_at_most_40_lines_and_5_positional_parameters(function: ast.FunctionDef) -> None:
    first = function.body[0]
    docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    lines = function.end_lineno - function.lineno + 1 - (first.end_lineno - first.lineno + 1 if docstring else 0)
    assert lines <= 40
    positional = [
        arg.arg for arg in (*function.args.posonlyargs, *function.args.args) if arg.arg not in ("self", "cls")
    ]
    assert len(positional) <= 5, positional


def test_there_are_at_most_16_kinds_of_node_and_all_can_be_written() -> None:
    def leaves(kind: type) -> set[type]:
        below = [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]
        return set(below) or {kind}

    assert set(KINDS.values()) == leaves(Schedule)
    assert len(KINDS) <= 16


def test_formulas_have_ten_functions() -> None:
    assert len(namespaces.FUNCTIONS) == 10
    assert all(hasattr(namespaces.Scalars, name) for name in namespaces.FUNCTIONS)


def test_public_names_are_sorted_documented_and_at_most_40_besides_the_recipes() -> None:
    assert preheat.__all__ == sorted(preheat.__all__)
    recipes = set(preheat.recipes.__all__)
    assert len(set(preheat.__all__) - recipes) <= 40
    for name in preheat.__all__:
        assert getattr(preheat, name).__doc__, f"{name} has no docstring"


def _printed(code: str) -> str:
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_the_standard_library_only() -> None:
    loaded = _printed(
        "import sys; before = set(sys.modules); import preheat; print(*set(sys.modules) - before)"
    ).split()
    foreign = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert foreign == {"preheat"}


def test_import_costs_at_most_60_ms() -> None:
    """The best of several, so that a busy machine does not decide."""
    code = "import time; start = time.process_time(); import preheat; print(time.process_time() - start)"
    assert min(float(_printed(code)) for _ in range(7)) <= 0.060
