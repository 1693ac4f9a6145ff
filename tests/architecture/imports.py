"""Every import of the package, read from its text: which module takes what from which, and whether inside a function."""

import ast
from pathlib import Path
from typing import NamedTuple

import preheat

ROOT = Path(preheat.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


class Import(NamedTuple):
    """`user` imports `name` from `source` (a module of preheat or another)."""

    user: str
    source: str
    name: str
    inside: str  # the function that it stands in, or ""


def module_of(path: Path) -> str:
    """`preheat.core.node` for a file; a package is its own `__init__`."""
    return ".".join(("preheat", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imports(path: Path) -> list[Import]:
    """All imports of a file that run, those inside functions too; not those for type checkers only."""
    found = []

    def visit(node: ast.AST, inside: str) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{inside}.{node.name}" if inside else node.name
        if isinstance(node, ast.Import):
            found.extend(Import(module_of(path), alias.name, "", inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the whole name of what is imported"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                source = whole if whole in MODULES else str(node.module)
                found.append(Import(module_of(path), source, alias.name, inside))
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(path.read_text(encoding="utf-8")), "")
    return found


ALL = [one for path in FILES for one in imports(path)]


def circles() -> list[list[str]]:
    """Groups of modules that import one another, directly or by a detour: strongly connected components."""
    edges: dict[str, set[str]] = {}
    for one in ALL:
        if one.source in MODULES and one.source != one.user:
            edges.setdefault(one.user, set()).add(one.source)
    reach = {module: _reached(module, edges) for module in edges}
    groups = {frozenset(other for other in reach[module] if module in reach.get(other, ())) for module in edges}
    return sorted(sorted(group) for group in groups if group)


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    seen, waiting = set(), [start]
    while waiting:
        for target in edges.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen
