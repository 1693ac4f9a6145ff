"""```{shapes}```: the formula of every shape, read from what `preheat.export` prints of a ramp from 0 to 1."""

import math
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import preheat
from preheat.core.shapes import NAMES

_TICKS, _POWER = 100, 3  # of the examples in which a length and an exponent are told from their printed numbers
_FIRST = re.compile(r"\\begin\{cases\}\n  (.*?) & ", re.DOTALL)


def formulas() -> list[tuple[str, str]]:
    """Each shape by its name, with its w as LaTeX: of u, of the ticks t where its length n matters."""
    found = [(name, _formula(name)) for name in NAMES if name not in ("log", "exponential")]
    logarithm = _formula("log", _TICKS).replace(f"{math.log1p(_TICKS):.10g}", r"\ln\left(1 + n\right)")
    power = _formula(preheat.power(_POWER)).replace(str(_POWER), "p")
    geometric = r"\left(\frac{\text{end}}{\text{start}}\right)^{u}"
    return [*found, ("log", logarithm), ("power(p)", power), ("exponential", rf"\text{{start}} \cdot {geometric}")]


def _formula(shape: object, ticks: int = 1) -> str:
    text = _FIRST.search(preheat.export(preheat.ramp(0, 1, ticks, shape=shape), "latex"))[1]
    return re.sub(r"\bt\b", "u", text) if ticks == 1 else text


class Shapes(SphinxDirective):
    """A row for each shape."""

    def run(self) -> list[nodes.Node]:
        head = nodes.row("", _entry(nodes.Text("shape")), _entry(nodes.Text("w, where u = t/n")))
        rows = [nodes.row("", _entry(nodes.literal(name, name)), _entry(nodes.math(w, w))) for name, w in formulas()]
        group = nodes.tgroup(
            "",
            nodes.colspec(colwidth=1),
            nodes.colspec(colwidth=2),
            nodes.thead("", head),
            nodes.tbody("", *rows),
            cols=2,
        )
        return [nodes.table("", group)]


def _entry(inside: nodes.Node) -> nodes.entry:
    return nodes.entry("", nodes.paragraph("", "", inside))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("shapes", Shapes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
