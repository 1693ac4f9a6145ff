"""Every message of preheat, read from its source: `{errors}` on a page lists them by what one was doing.

A message is the text that its call gives, with ‹names› in the place of what is known only then.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import preheat

SOURCE = Path(preheat.__file__).parent
_VARIANTS = 8  # of one message that its source chooses from
_NEAREST = "‹; did you mean …?›"
_DEPTH = 4  # from a call to a name to another name …
DOING = (  # what one was doing, by where in the source a message stands; the first that fits
    ("Writing a schedule", ("core/text/", "core/spans", "core/checks", "core/nodes/", "core/", "recipes/")),
    ("Building a Scheduler, and stepping it", ("torch/resuming", "torch/", "session/session", "session/clock")),
    ("Rules", ("session/rules", "session/plateau", "session/re", "session/hold", "session/loss", "session/greedy")),
    ("Loading a checkpoint", ("session/",)),
    ("In a framework", ("transformers", "axolotl", "accelerate", "lightning", "jax", "keras", "timm", "torchtitan")),
    ("Checking, explaining, comparing schedules", ("review/",)),
    ("Reading and writing other libraries' schedulers", ("compat/",)),
    ("Measuring and predicting", ("measure/",)),
    ("Comparing runs", ("lab/",)),
    ("On the command line", ("cli/",)),
    ("Drawing", ("plots/", "studio/", "widget")),
    ("Testing a scheduler of your own", ("testing/",)),
)
_BY_KIND = {"BindError": "Fitting a schedule to a run", "StateError": "Loading a checkpoint"}


@dataclass(frozen=True)
class Entry:
    """A message.

    text: what is said.   cure: what to write, where the message says it apart.   kind: its class, or "PreheatWarning".
    place: the file that says it.   doing: what one was doing.
    """

    text: str
    cure: str
    kind: str
    place: str
    doing: str

    @property
    def whole(self) -> str:
        """As it is printed."""
        return f"{self.text}; {self.cure}" if self.cure else self.text

    def is_of(self, message: str) -> bool:
        """Whether a message that was printed is this one."""
        literal = [re.escape(part) for part in re.split(r"‹[^›]*›", self.whole)]
        return re.fullmatch(".*".join(literal), message, re.DOTALL) is not None

    @property
    def says_what_to_do(self) -> bool:
        """Whether it has a cure, or says itself what is taken."""
        return bool(self.cure) or bool(_TEACHES.search(self.text))


_TEACHES = re.compile(
    r"\b(write|pass|give|use|say|see|install|put|leave|name|did you mean|known:|nearest|takes?|must|lies?|needs?|at least|"
    r"at most|one of|such as|either|cannot be both|above|below|between|from \d|is an? |are (?:an? )?|has (?:the|one)|have)\b"
    r"|^unknown |; "
)


@dataclass
class _Scope:
    """What is done in one function, or at the top of a file, as far as messages need it."""

    place: str
    function: ast.FunctionDef | None = None
    calls: list[ast.Call] = field(default_factory=list)
    returned: list[ast.expr] = field(default_factory=list)
    given: dict[str, list[ast.expr]] = field(default_factory=dict)  # by name, what it was set to
    added: dict[str, list[ast.expr]] = field(default_factory=dict)  # and what was put behind it

    def sees(self, node: ast.AST) -> None:
        """Take note of what matters."""
        if isinstance(node, ast.Call):
            self.calls.append(node)
        elif isinstance(node, ast.Return) and node.value is not None:
            self.returned.append(node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self.added.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                self._set(target, node.value)

    def _set(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.given.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=False):
                self._set(one, its)


@cache
def _scopes() -> tuple[_Scope, ...]:
    """Every function of the source, and the top of every file, each looked through once."""
    found: list[_Scope] = []

    def look(node: ast.AST, scope: _Scope) -> None:
        for child in ast.iter_child_nodes(node):
            scope.sees(child)
            inner = scope
            if isinstance(child, ast.FunctionDef):
                inner = _Scope(scope.place, child)
                found.append(inner)
            look(child, inner)

    for path in sorted(SOURCE.rglob("*.py")):
        top = _Scope(path.relative_to(SOURCE).as_posix())
        found.append(top)
        look(_tree(path), top)
    return tuple(found)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _constants() -> dict[str, ast.expr]:
    """Texts that stand under a name, those of all files: a name that is imported is the same one."""
    tops = [scope for scope in _scopes() if scope.function is None]
    return {name: values[-1] for scope in tops for name, values in scope.given.items()}


@cache
def _kinds() -> frozenset[str]:
    """PreheatError, and every class that is one."""
    classes = [one for path in SOURCE.rglob("*.py") for one in _tree(path).body if isinstance(one, ast.ClassDef)]
    bases = {one.name: {base.id for base in one.bases if isinstance(base, ast.Name)} for one in classes}
    kinds = {"PreheatError"}
    while new := {name for name, above in bases.items() if above & kinds} - kinds:
        kinds |= new
    return frozenset(kinds)


@cache
def _spoken() -> dict[str, tuple[ast.expr, ...]]:
    """What functions that give text return, by their name where it is the only one of that name."""
    found: dict[str, list[tuple[ast.expr, ...]]] = {}
    for scope in _scopes():
        if scope.function and scope.function.returns is not None and ast.unparse(scope.function.returns) == "str":
            found.setdefault(scope.function.name, []).append(tuple(scope.returned))
    return {name: every[0] for name, every in found.items() if len(every) == 1}


def _named(node: ast.expr) -> str:
    """A name for what stands in a message's place."""
    if isinstance(node, ast.Call) and node.args and _called(node) in ("shown", "repr", "str", "plural", "float", "int"):
        return _named(node.args[0])
    words = re.findall(r"[A-Za-z]{2,}", ast.unparse(node).split("(")[-1])
    names = [word for word in words if word not in ("self", "state", "type", "len", "join", "for", "in", "if", "else")]
    return f"‹{names[0].lower() if len(names) == 1 else '…'}›"


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


class _Reader:
    """Texts of expressions inside one function."""

    def __init__(self, scope: _Scope) -> None:
        self.scope = scope

    def texts(self, node: ast.expr, depth: int = 0) -> list[str]:
        """What an expression may say."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [node.value]
        if isinstance(node, ast.JoinedStr):
            return self._joined([self.texts(part, depth) for part in node.values])
        if isinstance(node, ast.FormattedValue):
            inside = self.texts(node.value, depth + 1)
            quoted = repr if node.conversion == ord("r") else str
            known = [text in ("", _NEAREST) or _has_words(text) for text in inside]
            kept = [quoted(text) if "‹" not in text and text else text for text in inside]
            return [text if one else _named(node.value) for text, one in zip(kept, known, strict=True)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined([self.texts(node.left, depth), self.texts(node.right, depth)])
        if isinstance(node, ast.IfExp):
            return [*self.texts(node.body, depth), *self.texts(node.orelse, depth)][:_VARIANTS]
        return self._looked_up(node, depth)

    def _looked_up(self, node: ast.expr, depth: int) -> list[str]:
        if isinstance(node, ast.Call) and _called(node) == "nearest":
            return [_NEAREST]
        if depth < _DEPTH and isinstance(node, ast.Name):
            constant = _constants().get(node.id) if node.id.isupper() else None  # other names are arguments
            values = self.scope.given.get(node.id) or ([] if constant is None else [constant])
            found = [text for value in values for text in self.texts(value, depth + 1)]
            more = [text for value in self.scope.added.get(node.id, []) for text in self.texts(value, depth + 1)]
            found += [text + after for text in found for after in more]
            kept = [text for text in dict.fromkeys(found) if not text or _has_words(text)]
            if any(kept):
                return kept[:_VARIANTS]
        if depth < _DEPTH and isinstance(node, ast.Call) and _called(node) in _spoken():
            inside = [text for value in _spoken()[_called(node)] for text in self.texts(value, depth + 1)]
            if found := [text for text in inside if _has_words(text)]:
                return found[:_VARIANTS]
        return [_named(node)]

    @staticmethod
    def _joined(parts: Sequence[list[str]]) -> list[str]:
        return ["".join(one) for one, _ in zip(product(*parts), range(_VARIANTS), strict=False)]


def _has_words(text: str) -> bool:
    """Whether there is more in a text than what stands in for others."""
    return re.search(r"[A-Za-z]{2,}", re.sub(r"‹[^›]*›", "", text)) is not None


def _doing(place: str, kind: str) -> str:
    if kind in _BY_KIND and place.startswith(("core/", "session/", "torch/")):
        return _BY_KIND[kind]
    fits = (doing for doing, starts in DOING if place.startswith(starts))
    return next(fits, "Everything else")


class _Said(NamedTuple):
    """What a call says: its kind, what is wrong, the cure, and whether what was given is quoted."""

    kind: str
    what: ast.expr
    write: ast.expr | None = None
    quotes: bool = False


def _said(call: ast.Call) -> _Said | None:
    """What a call says, if it is one that says something."""
    name, given = _called(call), {keyword.arg: keyword.value for keyword in call.keywords}
    first = call.args[0] if call.args else given.get("what")
    if first is None:
        return None
    if name in _kinds():
        return _Said(name.lstrip("_"), first, given.get("write"), "given" in given)
    if name == "restated" and len(call.args) == 2:
        again = ast.unparse(call.args[0])
        return _Said(again if again in _kinds() else "PreheatError", call.args[1])
    if name == "warn" and len(call.args) > 1 and ast.unparse(call.args[1]) == "PreheatWarning":
        return _Said("PreheatWarning", first)
    if name in ("_warn", "alarm"):
        return _Said("PreheatWarning", call.args[-1])
    if name == "refuse":  # the reader of text, which says the column
        return _Said("ParseError", first, given.get("write"))
    return None


def _of_the_audit(scope: _Scope) -> list[ast.expr]:
    """What a function of the audit finds."""
    if scope.place != "torch/audit.py" or scope.function is None or scope.function.returns is None:
        return []
    if ast.unparse(scope.function.returns) != "list[str]":
        return []
    lists = [one for value in scope.returned for one in ast.walk(value) if isinstance(one, ast.List | ast.ListComp)]
    return [words for one in lists for words in (one.elts if isinstance(one, ast.List) else [one.elt])]


@cache
def _calls() -> dict[str, list[tuple[_Scope, ast.Call]]]:
    """Every call of a function, by its name."""
    found: dict[str, list[tuple[_Scope, ast.Call]]] = {}
    for scope in _scopes():
        for call in scope.calls:
            found.setdefault(_called(call), []).append((scope, call))
    return found


@cache
def _sources(place: str) -> dict[str, str]:
    """The names that a file imports from preheat or defines, to the file that they are from."""
    body = _tree(SOURCE / place).body
    named = {one.name: place for one in body if isinstance(one, ast.FunctionDef)}
    for one in body:
        if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("preheat."):
            path = (one.module or "").removeprefix("preheat.").replace(".", "/") + ".py"
            named |= dict.fromkeys((alias.name for alias in one.names), path)
    return named


def _given(called: ast.FunctionDef, call: ast.Call) -> dict[str, ast.expr]:
    """What a call gives for each parameter of a function."""
    names = [one.arg for one in called.args.args if one.arg != "self"]
    return dict(zip(names, call.args, strict=False)) | {one.arg: one.value for one in call.keywords if one.arg}


def _spread(scope: _Scope, said: _Said, depth: int = 0) -> list[tuple[_Scope, _Said]]:
    """Where what is said stands: where the function that says it is called, if it says just what it is given."""
    function, name = scope.function, said.what.id if isinstance(said.what, ast.Name) else ""
    taken = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)} if function else set()
    if function is None or name not in taken - scope.given.keys() or depth == _DEPTH:
        return [(scope, said)]
    found: list[tuple[_Scope, _Said]] = []
    for caller, call in _calls().get(function.name, ()):
        if isinstance(call.func, ast.Name) and _sources(caller.place).get(function.name) != scope.place:
            continue  # another function of that name
        given = _given(function, call)
        if (what := given.get(name)) is None:
            continue
        passed_on = isinstance(said.write, ast.Name) and said.write.id in taken
        write = given.get(said.write.id) if passed_on else said.write
        found += _spread(caller, said._replace(what=what, write=write), depth + 1)
    return found or [(scope, said)]


@cache
def entries() -> tuple[Entry, ...]:
    """Every message, in the order of what one was doing."""
    found: dict[tuple[str, str], Entry] = {}
    for scope in _scopes():
        said = [one for call in scope.calls if (one := _said(call))]
        said += [_Said("finding of the audit", words) for words in _of_the_audit(scope)]
        for there, one in (inner for outer in said for inner in _spread(scope, outer)):
            reader = _Reader(there)
            cures = reader.texts(one.write) if one.write is not None else [""]
            for text, cure in list(product(reader.texts(one.what), cures))[:_VARIANTS]:
                if _has_words(text) and (there is scope or " " in text):
                    whole = text + ", not ‹given›" * one.quotes
                    entry = Entry(whole, cure, one.kind, there.place, _doing(there.place, one.kind))
                    found.setdefault((one.kind, entry.whole), entry)
    order = [*dict.fromkeys([doing for doing, _ in DOING] + [one.doing for one in found.values()])]
    return tuple(sorted(found.values(), key=lambda one: (order.index(one.doing), one.text.lower())))


def refusals() -> dict[str, int]:
    """How many calls there are that make a refusal, by file."""
    counts = {scope.place: 0 for scope in _scopes()}
    for scope in _scopes():
        counts[scope.place] += sum(_called(call) in _kinds() for call in scope.calls)
    return counts


def words_of(entry: Entry) -> int:
    """How many words of a message are known before anything is refused."""
    return len(re.findall(r"[A-Za-z]{2,}", re.sub(r"‹[^›]*›", "", entry.whole)))


def setup(app: Any) -> dict[str, bool]:
    from errors_page import ErrorsDirective, with_script  # they need docutils, which the tests of the list do without

    app.add_directive("errors", ErrorsDirective)
    app.connect("html-page-context", with_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
