"""The emitted Python: what a person would have written, stand-alone, within the limits of Python's compiler."""

import ast
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import FIXED, callable_trees, ready

import preheat as ph
from preheat.core.codegen.python import source

PHASES = ph.warmup(100) >> ph.hold(1, 200) >> ph.decay(300, 0.1, "cosine")


def test_the_source_of_three_phases_can_be_read_and_pasted() -> None:
    assert source(PHASES, "rate") == (
        '''\
from math import sin


def rate(t):
    """ramp(0.0, 1.0, 100) >> hold(1.0, 200) >> ramp(1.0, 0.1, 300, shape='cosine')"""
    x1 = 0 if t < 0 else 600 if t > 600 else t
    if x1 < 100:
        if x1 < 50:
            return x1 / 100
        return 1.0 - (100 - x1) / 100
    if x1 < 300:
        return 1.0
    x2 = x1 - 300
    if x2 < 150:
        x3 = sin(1.5707963267948966 * (x2 / 300))
        return 1.0 - 0.9 * (x3 * x3)
    x3 = sin(1.5707963267948966 * ((300 - x2) / 300))
    return 0.1 + 0.9 * (x3 * x3)
'''
    )


@given(callable_trees)
def test_the_source_stands_alone_and_imports_what_it_uses(s: ph.Schedule) -> None:
    text = source(ready(s))
    tree = ast.parse(text)
    imported = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {node.module for node in tree.body if isinstance(node, ast.ImportFrom)} <= {"bisect", "math"}
    assert imported == {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & set(dir(math)) | (
        {"bisect_right"} if "bisect_right(" in text else set()
    )
    assert text == text.rstrip() + "\n"
    scope: dict = {}
    exec(text, scope)
    assert scope["schedule"](3) == s(3)


@pytest.mark.parametrize("parts", [255, 257, 600, 3000])
def test_as_many_parts_as_you_like(parts: int) -> None:
    s = ph.parse(" >> ".join(f"ramp({i % 7}, {i % 5}, 3)" for i in range(parts)))
    assert [s.function(t) for t in range(0, 3 * parts, 5)] == [s(t) for t in range(0, 3 * parts, 5)]


def test_deep_trees_stay_within_the_limits_of_the_compiler() -> None:
    s = ph.ramp(0, 1, 5)
    for _ in range(14):
        s = ((s >> ph.decay(3)) * ph.warmup(9)).repeated(2)
        if s._depth > 28:
            break
    assert [s.function(t) for t in range(200)] == [s(t) for t in range(200)]


def test_a_function_is_made_once_and_does_not_travel() -> None:
    assert PHASES.function is PHASES.function
    assert "function" not in repr(PHASES.__reduce__())


@pytest.mark.parametrize("s", FIXED, ids=lambda s: repr(s)[:60])
def test_emitted_and_called_are_one_at_every_step_of_a_run(s: ph.Schedule) -> None:
    assert [s.function(t) for t in range(0, 10_001, 7)] == [s(t) for t in range(0, 10_001, 7)]


ENDLESS = [ph.hold(1), ph.invsqrt(4), ph.decay(3).repeated(), ph.decay(3).repeated(stretch=2.0), ph.rectified(0.99)]


@given(st.floats(0.01, 50), st.sampled_from(ENDLESS), st.integers(0, 300))
def test_a_fractional_length_before_a_part_without_end_is_emitted_too(n: float, endless: ph.Schedule, t: int) -> None:
    s = ph.ramp(0, 1, n) >> endless
    assert s.function(t) == s(t) == s(np.array([t]))[0]
