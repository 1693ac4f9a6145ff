"""Imports go downward only, and neighbours on a layer are strangers to one another."""

import ast
from pathlib import Path

import pytest

import preheat

ROOT = Path(preheat.__file__).parent
# from the top down; a room may use the rooms of lower layers only
LAYERS = (
    ("__main__",),
    ("cli",),
    ("widget",),
    ("studio",),
    ("lab",),
    ("axolotl",),  # its trainers are those of transformers
    ("accelerate", "jax", "keras", "lightning", "measure", "testing", "timm", "torchtitan", "transformers"),
    ("torch", "plots"),
    ("review",),
    ("recipes", "compat", "session"),
    ("core",),
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
STANDARD_LIBRARY_ONLY = ("core", "recipes", "compat", "session")
FILES = sorted(ROOT.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the whole name of what is imported"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downward_only(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        return
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "preheat" and len(parts) > 1 and parts[1] in RANK and parts[1] != room:
            assert RANK[room] < RANK[parts[1]], f"{room} may not import {name}"


@pytest.mark.parametrize("path", [p for p in FILES if _room(p) in STANDARD_LIBRARY_ONLY], ids=lambda p: p.name)
def test_the_language_needs_the_standard_library_only(path: Path) -> None:
    import sys

    foreign = {name.split(".")[0] for name in _imports(path)} - set(sys.stdlib_module_names) - {"preheat"}
    if path.name == "files.py":
        foreign -= {"yaml"}  # a config in YAML; said where it is not installed
    assert foreign <= {"numpy"}, f"{path.name} imports {foreign}"
    if "numpy" in foreign:
        assert path.name in ("node.py", "comparison.py"), "numpy is imported where whole runs are computed only"


@pytest.mark.parametrize(
    ("room", "may_not"),
    [("engines", ("statistics", "report")), ("statistics", ("engines", "report")), ("report", ("engines",))],
)
def test_in_the_lab_running_judging_and_showing_are_kept_apart(room: str, may_not: tuple[str, ...]) -> None:
    for path in (ROOT / "lab" / room).rglob("*.py"):
        for name in _imports(path):
            assert not name.startswith(tuple(f"preheat.lab.{other}" for other in may_not)), f"{path.name}: {name}"


def test_every_room_has_a_layer() -> None:
    assert {_room(path) for path in FILES} - {"__init__"} <= set(RANK)


def test_no_name_of_the_lab_is_a_module_too() -> None:
    """Else `preheat.lab.x` would be the one or the other, depending on what was imported before."""
    from preheat import lab

    assert set(lab.__all__).isdisjoint(path.stem for path in (ROOT / "lab").iterdir())
