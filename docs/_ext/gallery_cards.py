"""What the gallery shows: every word, shape, recipe and preset with the text that makes it, found where it is written."""

from __future__ import annotations

import ast
import doctest
import inspect
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import preheat
from preheat.cli.presets import LINKS, in_a_line
from preheat.core.errors import PreheatError
from preheat.core.node import KINDS, Schedule
from preheat.core.plan import BATCH, RATE, Plan
from preheat.core.sampling import edges, highest, horizon, sampled
from preheat.core.shapes import WRITTEN, shape_of
from preheat.core.spans import Run
from preheat.core.stated import Absolute, Sizes, Stated, plain
from preheat.core.text.language import Target, parse, to_text
from preheat.plots.panel import Curves, Series
from preheat.plots.svg import svg
from preheat.recipes.published import Preset

KINDS_SHOWN = {"recipe": "Recipes", "word": "Words", "shape": "Shapes", "preset": "Published runs"}
POINTS, FEW = 150, 24  # values of a curve; a curve of fewer is shown with its dots
WIDTH, HEIGHT = 320, 196
TOTAL, PER_EPOCH = 10_000, 100  # of a run, for what says neither
_UNWRITTEN = {  # the words whose docstring has no example, or that have no docstring: the signs
    ">>": 'warmup("10%") >> hold() >> decay("20%")',
    "*": 'warmup("10%") * steps([1, 0.3], ["50%", "rest"])',
    "+": "decay(8) + hold(0.1)",
    "scaled": "decay(8).scaled(0.5)",
    "shifted": "decay(8).shifted(4)",
    "truncated": "decay(8).truncated(4)",
}
_SIGNS = {
    ">>": "One schedule, and then another.",
    "*": "The product of two schedules at every time.",
    "+": "The sum of two schedules at every time.",
}
_WHERE = {  # where what makes schedules is written
    shape_of.__module__: "shape",
    preheat.ramp.__module__: "word",
    preheat.absolute.__module__: "word",
    preheat.recipes.__name__: "recipe",
}
_PAPER = re.compile(r"([A-Z][^().;,\n]*?(?: et al\.)? \d{4}), arXiv:(\d{4}\.\d{5})")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


class Card(NamedTuple):
    """One picture of the gallery, with what is copied: `parse(text) == value`."""

    kind: str
    name: str
    says: str
    text: str
    value: Target
    sources: list[tuple[str, str]]  # what is said, and the address that it leads to, if any
    choose: str = ""
    run: Run | None = None
    peak: float | None = None
    defined: str = ""  # the name under which the reference has it

    @property
    def anchor(self) -> str:
        """Where it is on the page."""
        return f"{self.kind}-{_SIGN_NAMES.get(self.name, self.name)}"


_SIGN_NAMES = {kind._sign: word for word, kind in KINDS.items() if kind._form == "infix"}


class Laid(NamedTuple):
    """A schedule on the run on which it is drawn; a tick is `worth` so much on the axis."""

    bound: Schedule
    total: int
    worth: float
    axis: str
    remark: str = ""


def cards() -> list[Card]:
    """All that is shown, kind by kind, each in alphabetical order."""
    found = [*_functions(), *_methods(), *_shapes(), *map(_preset, preheat.presets.values())]
    order = list(KINDS_SHOWN)
    return sorted(found, key=lambda card: (order.index(card.kind), card.name))


def _functions() -> Iterator[Card]:
    """The public functions whose docstring shows them making a schedule, rates or a plan."""
    for name in preheat.__all__:
        function = getattr(preheat, name)
        kind = next((kind for module, kind in _WHERE.items() if function.__module__.startswith(module)), None)
        if kind and inspect.isfunction(function) and (found := example(function)):
            yield _described(kind, f"preheat.{name}", function, *found)


def _methods() -> Iterator[Card]:
    """The transformations of a schedule, which rates have too, and the signs between two."""
    for name, method in inspect.getmembers(Schedule, inspect.isfunction):
        if name.startswith("_") or not hasattr(Stated, name) or name in ("bind", "table", "along", "computed"):
            continue
        text = _UNWRITTEN.get(name)
        found = (text, parse(text)) if text else example(method)
        if found:
            yield _described("word", f"preheat.Schedule.{name}", method, *found)
    for sign in _SIGN_NAMES:
        yield Card("word", sign, _SIGNS[sign], _UNWRITTEN[sign], parse(_UNWRITTEN[sign]), [])


def _described(kind: str, defined: str, function: Any, text: str, value: Target) -> Card:
    says = inspect.getdoc(function) or ""
    parts = [" ".join(part.split()) for part in says.split("\n\n")]
    choose = next((part for part in parts if part.startswith("Choose ")), "")
    papers = [(who, f"https://arxiv.org/abs/{number}") for who, number in _PAPER.findall(" ".join(parts))]
    name = defined.rpartition(".")[2]
    return Card(kind, name, _sentence(says), text, value, papers, choose, defined=defined)


def _sentence(text: str) -> str:
    """The first sentence."""
    first = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z`])", first)[0]


def example(function: Any) -> tuple[str, Target] | None:
    """The first schedule, rates or plan that the examples of a docstring make, with the text that makes it.

    The text is as it is written there, where the language reads it; else as the language prints it.
    """
    scope: dict[str, Any] = {name: getattr(preheat, name) for name in preheat.__all__}
    for each in doctest.DocTestParser().get_examples(inspect.getdoc(function) or ""):
        tree = ast.parse(each.source)
        if isinstance(tree.body[0], ast.ImportFrom):
            exec(compile(tree, "<docstring>", "exec"), scope)
        for call in _calls(tree, function.__name__):
            try:
                value = eval(compile(ast.Expression(call), "<docstring>", "eval"), scope)
            except NameError:  # the variable of a comprehension
                continue
            if isinstance(value, Schedule | Stated | Plan):
                return _written(ast.get_source_segment(each.source, call) or "", value), value
    return None


def _calls(node: ast.AST, name: str) -> Iterator[ast.expr]:
    """The calls in which a name is used, the outer ones first, in the order of the text."""
    for inner in ast.walk(node):
        used = {getattr(one, "id", getattr(one, "attr", "")) for one in ast.walk(inner)}
        if isinstance(inner, ast.Call) and name in used and "bind" not in used:
            yield inner


def _written(text: str, value: Target) -> str:
    try:
        return text if parse(text) == value else to_text(value)
    except PreheatError:
        return to_text(value)


def _shapes() -> Iterator[Card]:
    """Each name of a shape, as a warmup and as a decay."""
    for name in WRITTEN:
        start, to = (", start=0.01", ", to=0.01") if name == "exponential" else ("", "")
        text = f"warmup(50%{start}, shape={name}) >> decay(50%{to}, shape={name})"
        yield Card("shape", name, _way(name), text, parse(text), [])


def _way(name: str) -> str:
    """How far a ramp of a shape has come, in words that are computed from it."""
    same = "" if repr(shape_of(name)) == repr(name) else f"Another name of {shape_of(name)!r}. "
    ramp = preheat.ramp(0.01, 1.0, 1000, name) if name == "exponential" else preheat.ramp(0.0, 1.0, 1000, name)
    gone = [f"{100 * (ramp(t) - ramp(0)) / (1 - ramp(0)):.0f} %" for t in (250, 500, 750)]
    ends = " from 0.01 to 1" if name == "exponential" else " of 1000 updates" if name == "log" else ""
    quarters = (
        f"{gone[0]} of the way after a quarter of its length, {gone[1]} after half, {gone[2]} after three quarters"
    )
    return f"{same}A ramp{ends} has gone {quarters}."


def _preset(one: Preset) -> Card:
    # its text is the bare schedule, so that it goes wherever one goes; peak and run stand beside it
    return Card(
        "preset",
        one.name,
        f"{in_a_line(one)}.",
        repr(one.schedule),
        one.schedule,
        linked(one.source),
        one.note,
        published_run(one),
        one.peak_lr,
    )


def published_run(one: Preset) -> Run | None:
    """The run that was published; with epochs of so many updates where that is left open, None where its length is."""
    known = {"steps_per_epoch": 1000} if "epoch" in (one.total or "") and one.steps_per_epoch is None else {}
    run = one.run(**known)
    return run if run.total else None


def linked(source: str) -> list[tuple[str, str]]:
    """A source in pieces, with the address of those that can be opened."""
    for pattern, link in LINKS:
        source = re.sub(pattern, link, source)
    pieces, at = list[tuple[str, str]](), 0
    for found in _LINK.finditer(source):
        pieces += [(source[at : found.start()], ""), (found[1], found[2])]
        at = found.end()
    return [piece for piece in (*pieces, (source[at:], "")) if piece[0]]


def laid(schedule: Schedule, run: Run | None, open_epochs: bool = False) -> Laid:
    """A schedule as it is drawn: on the run that is known, on its own length, or on a run that is said in the remark."""
    if run is not None:
        total = math.ceil(run.total or 0)
        if open_epochs:
            mixed = "steps" in repr(schedule)
            remark = (
                f"Drawn with {run.steps_per_epoch:,} updates an epoch: the source leaves that open." if mixed else ""
            )
            return Laid(schedule.bind(run), total, 1 / (run.steps_per_epoch or 1), "epoch", remark)
        worth, unit = (1e9, "billion tokens") if run.clock == "token" else (1, run.clock.replace("step", "update"))
        return Laid(schedule.bind(run), total, 1 / worth, unit)
    try:
        bound = schedule.bind()
        if bound.length == math.inf:
            total = horizon(bound)
            return Laid(bound, total, 1, "update", f"It needs no end: the first {total:,} updates.")
        return Laid(bound, math.ceil(bound.length), 1, "update")
    except PreheatError:
        epochs = f", {PER_EPOCH} an epoch" if "epoch" in repr(schedule) else ""
        bound = schedule.bind(Run(total=TOTAL, steps_per_epoch=PER_EPOCH))
        return Laid(bound, TOTAL, 1, "update", f"Drawn on a run of {TOTAL:,} updates{epochs}.")


def drawn(card: Card) -> Iterator[tuple[str, str, str]]:
    """The pictures of a card, one for each line of a plan: the SVG, what it shows in words, and on which run."""
    for key, value in _lines(card.value):
        s = plain(value)
        open_epochs = (
            card.kind == "preset" and preheat.presets[card.name].steps_per_epoch is None and _in_epochs(card.name)
        )
        on = laid(s, card.run, open_epochs)
        scale = card.peak or 1.0
        what = key if card.peak or isinstance(value, Absolute) else f"{key}, factor"
        curves = list(_curves(what, on, scale))
        even = (0.0, 2.0) if {*curves[0].ys} == {1.0} else None
        title = what.replace(RATE, "learning rate")
        panel = Curves(title=title, x_label=on.axis, series=curves, y_range=even)
        yield svg(panel, width=WIDTH, height=HEIGHT, in_page=True), _course(on, scale), on.remark


def _curves(what: str, on: Laid, scale: float) -> Iterator[Series]:
    """The curve, jumps upright; and of a short run its updates as dots, which no line joins."""

    def series(at: list[float], values: list[float], dots: bool = False) -> Series:
        return Series(what, [t * on.worth for t in at], values, dots=dots)

    def value(t: float) -> float:
        return scale * on.bound.function(t)

    found = edges(on.bound, on.total)
    updates = [*sampled(on.total, found, POINTS), on.total]
    between = [t / 16 for t in range(16 * on.total)] if on.total <= FEW else []
    fine = sorted({*updates, *between, *(math.nextafter(edge, 0) for edge in found)})
    yield series(fine, [value(t) for t in fine])
    if between:
        apart = [t / 2 for t in range(2 * on.total + 1)]
        yield series(apart, [value(t) if t == int(t) else math.nan for t in apart], dots=True)


def _lines(value: Target) -> list[tuple[str, Schedule | Stated]]:
    """What is driven, and by what."""
    if isinstance(value, Plan):
        return [(line.key, line.target) for line in value.lines]
    return [(BATCH if isinstance(value, Sizes) else RATE, value)]


def _in_epochs(name: str) -> bool:
    return "epoch" in (preheat.presets[name].total or "")


def _course(on: Laid, scale: float) -> str:
    """From where to where, and how high and how low between."""
    value = on.bound.function
    at = sampled(on.total, edges(on.bound, on.total), 2000)
    top, low = highest(value, at), highest(lambda t: -value(t), at)
    ends = value(0), value(on.total)
    said = [f"begins at {_shown(scale * ends[0])}"]
    if value(top) > max(ends):
        said.append(f"highest {_shown(scale * value(top))} {_when(on, top)}")
    if value(low) < min(ends):
        said.append(f"lowest {_shown(scale * value(low))} {_when(on, low)}")
    if len(said) == 1 and ends[0] == ends[1]:
        return f"{_shown(scale * ends[0])} throughout."
    return f"{', '.join([*said, f'ends at {_shown(scale * ends[1])}'])}.".capitalize()


def _shown(value: float) -> str:
    return f"{value:.4g}"


def _when(on: Laid, tick: int) -> str:
    return f"at update {tick:,}" if on.axis == "update" else f"after {tick * on.worth:,.4g} {on.axis.rstrip('s')}s"
