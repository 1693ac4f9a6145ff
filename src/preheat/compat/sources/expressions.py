"""A scheduler as its library's users write it: an expression as text, read as syntax and never run.

CosineAnnealingLR(optimizer, T_max=100)
optax.join_schedules([optax.linear_schedule(0.0, 1.0, 10), optax.constant_schedule(1.0)], [10])
"""

from __future__ import annotations

import ast
import inspect
from typing import Any, NamedTuple

from preheat.compat import PEERS, peer
from preheat.compat.configs.literals import literal
from preheat.compat.parts.restated import Restated, within
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.core.findings import Finding
from preheat.core.stated import Absolute

MOST = 64 * 1024  # characters of an expression
_ROOTS = {"tf": "keras", **{name: name for name in PEERS}}
_USUAL = ("torch", "transformers", "timm", "optax", "keras")  # whose a name is that stands alone and several have
_GIVEN = (  # whose first argument is the optimizer
    *("torch", "timm", "transformers", "diffusers", "mmengine", "deepspeed", "pytorch_optimizer"),
)


class Expressed(NamedTuple):
    """A scheduler that was written: whose it is, what it is called, and what it gives."""

    library: str
    name: str
    restated: Restated
    findings: tuple[Finding, ...] = ()


def is_expression(text: str) -> bool:
    """Whether a text looks like the call of a scheduler, and not like a path."""
    stripped = text.strip()
    return stripped.endswith(")") and "(" in stripped and stripped[:1].isidentifier()


def names_scheduler(text: str) -> bool:
    """Whether a text calls what a restated library has, by its name or by the library's."""
    try:
        tree = ast.parse(text[:MOST].strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    node = tree[0].value if len(tree) == 1 and isinstance(tree[0], ast.Expr | ast.Assign) else None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
        return False
    try:
        name = _dotted(node.func)
    except ParseError:
        return False
    root, own = name.partition(".")[0], name.rpartition(".")[2]
    return ("." in name and root in _ROOTS) or any(_has(library, own) for library in PEERS)


def expressed(
    text: str, base_lr: float | None = None, library: str | None = None, total: int | None = None
) -> Expressed:
    """What an expression of another library's schedulers stands for.

    text: a call, of names, literals and arithmetic; `x = …` before it may stand.   base_lr: the optimizer's rate.
    library: whose it is, where its name does not tell.   total: updates of the run, where that is longer than the scheduler.

    >>> expressed("torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)").restated
    ramp(1.0, 0.0, 4, shape='cosine')

    Raises PreheatError for what is no scheduler, and ParseError for what is no literal, with its place.
    """
    if len(text) > MOST:
        raise ParseError(f"an expression has at most {MOST} characters")
    try:
        tree = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = str(error) or "it is nested too deeply"
        raise ParseError(f"no expression of Python: {why}") from None
    node = tree[0].value if len(tree) == 1 and isinstance(tree[0], ast.Expr | ast.Assign) else None
    if not isinstance(node, ast.Call):
        raise ParseError(
            f"no call of a scheduler: {shown(text)}", write="write for example CosineAnnealingLR(optimizer, 100)"
        )
    return _Reader(base_lr, library, total).scheduler(node)


class _Reader:
    def __init__(self, base_lr: float | None, library: str | None, total: int | None = None) -> None:
        self.base, self.library, self.total = base_lr, library, total
        self.findings: list[Finding] = []

    def scheduler(self, node: ast.Call, inside: str | None = None) -> Expressed:
        """A call as a restatement; inside: the library of the call around it, whose base rate counts."""
        name = _dotted(node.func)
        whose = self._library(name, inside)
        own = name.rpartition(".")[2]
        function = peer(whose)[own]
        parameters = [one for one in inspect.signature(function).parameters if one != "faithful"]
        given: dict[str, Any] = {}
        for i, argument in enumerate(self._positional(node, whose)):
            known = [one for one in parameters if one not in ("base_lr", "total", "use_beta1") or own == "CyclicLR"]
            if i >= len(known):
                raise PreheatError(f"{own} takes {len(known)} arguments after the optimizer, not {i + 1} or more")
            given[known[i]] = self._value(argument, whose, f"{own}: {known[i]}")
        for keyword in node.keywords:
            if keyword.arg is None:
                raise ParseError(f"{own}(**…) does not say its arguments", write="write them out")
            if keyword.arg == "optimizer":
                continue
            if keyword.arg in given:
                raise PreheatError(f"{own} is given {keyword.arg} twice")
            given[keyword.arg] = self._value(keyword.value, whose, f"{own}: {keyword.arg}")
        given |= self._based(function, given) if inside is None and "base_lr" in parameters else {}
        restated = within(self.total, function, given) if inside is None else function(**given)
        return Expressed(whose, own, restated, tuple(self.findings))

    def _based(self, function: Any, given: dict[str, Any]) -> dict[str, Any]:
        """The optimizer's rate, for what multiplies it; with a finding, none for what is rates."""
        if self.base is None or "base_lr" in given:
            return {}
        based = {"base_lr": self.base}
        if inspect.signature(function).parameters["base_lr"].default is inspect.Parameter.empty:
            return based
        alone = function(**given)
        if not isinstance(alone.schedule, Absolute) or function(**given, **based).schedule != alone.schedule:
            return based  # it, or some of what it holds, multiplies the rate
        what = f"{self.base!r} is not used: the values are rates already"
        self.findings.append(Finding("ignored-argument", "base_lr", what, "leave base_lr out"))
        return {}

    def _positional(self, node: ast.Call, whose: str) -> list[ast.expr]:
        """The positional arguments without the optimizer, which a ChainedScheduler alone is not given first."""
        if any(isinstance(one, ast.Starred) for one in node.args):
            raise ParseError("a call with *… does not say its arguments", write="write them out")
        own = _dotted(node.func).rpartition(".")[2]
        given = [i for i, one in enumerate(node.args) if _is_optimizer(one)]
        if given:
            return [*node.args[: given[0]], *node.args[given[0] + 1 :]]
        if whose not in _GIVEN:
            return node.args
        return node.args[:1] if own == "ChainedScheduler" else node.args[1:]

    def _value(self, node: ast.expr, whose: str, where: str) -> Any:
        """A literal, a scheduler, or a list of them."""
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id == "dict"):
            return self.scheduler(node, whose).restated
        if isinstance(node, ast.List | ast.Tuple) and any(isinstance(one, ast.Call) for one in node.elts):
            return [self._value(one, whose, where) for one in node.elts]
        try:
            return literal(node, {})
        except ValueError:
            text = ast.unparse(node)
            if isinstance(node, ast.Lambda | ast.Name):
                what = f"{where} is {shown(text)}, which text does not tell, as it is not run"
                raise ParseError(what, write="give the scheduler itself to compat.read, with total=") from None
            raise ParseError(
                f"{where} is {text!r}, which is no literal", write=f"write its value for {text!r}"
            ) from None

    def _library(self, name: str, inside: str | None) -> str:
        """Whose a name is: by its first part, by what is asked for, or by who alone has a scheduler of that name."""
        own = name.rpartition(".")[2]
        said = self.library or _ROOTS.get(name.partition(".")[0] if "." in name else "")
        if said is not None:
            if said not in PEERS:
                raise PreheatError(f"no schedulers of {said} are restated", given=name)
            return said
        having = [one for one in PEERS if _has(one, own)]
        if inside in having:
            return inside  # type: ignore[return-value]
        if len(having) == 1:
            return having[0]
        if not having:
            raise PreheatError(f"{shown(own)} is no scheduler of {', '.join(PEERS)}")
        if usual := [one for one in _USUAL if one in having]:
            others = ", ".join(one for one in having if one != usual[0])
            what, write = f"taken for {usual[0]}'s; {others} has one of that name too", f"write {usual[0]}.{own}(…)"
            self.findings.append(Finding("assumed", own, what, write))
            return usual[0]
        raise PreheatError(
            f"{own} may be of {' or '.join(having)}", write=f"write {having[0]}.{own}(…), or library={having[0]!r}"
        )


def _is_optimizer(node: ast.expr) -> bool:
    """Whether an argument is called as optimizers are: it is not given here."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.lower() in ("optimizer", "optim", "opt")


def _has(library: str, name: str) -> bool:
    try:
        peer(library)[name]
    except PreheatError:
        return False
    return True


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise ParseError(f"no name of a scheduler: {shown(ast.unparse(node))}")
    return ".".join([node.id, *reversed(parts)])
