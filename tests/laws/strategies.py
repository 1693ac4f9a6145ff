"""Random schedules of every kind, runs to bind them to, and moments to look at them."""

import functools
import math
import operator
from fractions import Fraction
from functools import cache

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.core.shapes import NAMES

# Strategies stand outside the functions that draw from them: to make one takes longer than to draw from it.

# To draw a tree takes most of a law's time. In CI, whose examples are the same every time, all laws on trees of one kind draw
# from the same 500; any other profile draws fresh ones, which also shrink.


def shared(strategy: st.SearchStrategy) -> st.SearchStrategy:
    """The strategy; in CI 500 of its examples, drawn once a process."""
    if settings.get_current_profile_name() != "laws":
        return strategy
    return st.deferred(lambda: st.sampled_from(_drawn(strategy)))


@cache
def _drawn(strategy: st.SearchStrategy) -> list:
    found = []

    @settings(suppress_health_check=list(HealthCheck), database=None)
    @given(strategy)
    def collect(example: object) -> None:
        found.append(example)

    collect()
    return found


# -- numbers and spans ------------------------------------------------------------------------------------------------

ordinary = st.sampled_from([0.0, 1.0, 0.1, 0.5, 3e-4, 1e-6, 2.0, -1.0, -0.25])
wide = st.floats(1e-30, 1e30)
positive_values = st.one_of(st.sampled_from([1.0, 0.1, 0.5, 3e-4, 1e-6, 2.0]), st.floats(1e-3, 1e3), wide)
values = st.one_of(ordinary, ordinary, st.floats(-10.0, 10.0), wide, wide.map(lambda x: -x))

whole_spans = st.one_of(st.sampled_from([0, 1, 2, 3, 7, 10, 64]), st.integers(0, 200), st.integers(0, 100_000))
fractional_spans = st.one_of(
    st.sampled_from([0.5, 2.5, 0.1, 7.3, 33.3, 1e-9]), st.integers(0, 400).map(lambda k: k / 8), st.floats(0, 300)
)
bare_spans = st.one_of(whole_spans, whole_spans, fractional_spans)
lasting_spans = bare_spans.filter(lambda span: span >= 0.01)
percents = st.one_of(
    st.sampled_from(["5%", "10%", "33.3%", "0.1%", "12.5%", "7%", "0%"]),
    st.integers(0, 400).map(lambda k: f"{k / 10:g}%"),
)
counted_spans = st.one_of(
    st.integers(0, 50).map(lambda k: f"{k} steps"),
    st.integers(0, 30).map(lambda k: f"{k / 10:g} epochs"),
    st.integers(0, 900).map(lambda k: f"{k}k tokens"),
    st.integers(0, 3000).map(lambda k: f"{k} samples"),
)
unit_spans = st.one_of(percents, counted_spans)
rest = st.just("rest")
written_spans = st.one_of(bare_spans, unit_spans, unit_spans)


_runs = st.builds(
    ph.Run,
    total=st.one_of(st.sampled_from([1, 2, 100, 999, 9_999]), st.integers(1, 50_000)),
    steps_per_epoch=st.sampled_from([1, 7, 100, 333]),
    samples_per_step=st.sampled_from([1, 32, 37]),
    tokens_per_step=st.sampled_from([1000, 4096, 65_537]),
)


def runs() -> st.SearchStrategy[ph.Run]:
    """A run on which every unit but time has a worth."""
    return _runs


# -- shapes -----------------------------------------------------------------------------------------------------------

exponents = st.one_of(st.sampled_from([0.01, 0.25, 0.5, 1.0, 2.0, 3, 100]), st.floats(0.01, 100))
plain_shapes = st.one_of(st.sampled_from([n for n in NAMES if n != "exponential"]), exponents.map(ph.power))
simple_shapes = st.one_of(plain_shapes, plain_shapes.map(ph.reverse))
gentle_shapes = st.sampled_from(["cosine", "sqrt", "square", "rex", "log", ph.power(1.5), ph.reverse("sqrt")])
shapes = st.one_of(simple_shapes, simple_shapes, st.builds(ph.compose, gentle_shapes, gentle_shapes))


one_in_seven = st.integers(0, 6)


@cache
@st.composite
def ramps(draw: st.DrawFn, spans: st.SearchStrategy = bare_spans, ends: st.SearchStrategy = values) -> ph.Schedule:
    """A ramp of any shape."""
    span = draw(spans)
    if draw(one_in_seven) == 0:
        return ph.ramp(draw(positive_values), draw(positive_values), span, "exponential")
    return ph.ramp(draw(ends), draw(ends), span, draw(shapes))


leaf_kinds = st.sampled_from(["ramp", "ramp", "ramp", "hold", "invsqrt", "saturating", "rectified", "table"])
tables = st.lists(values, min_size=1, max_size=8)
betas = st.sampled_from([0.9, 0.95, 0.98, 0.99, 0.999, 0.9999])
decay_powers = st.sampled_from([0.5, 0.5, 1.0, 0.75, 2.0])
taus = st.one_of(st.integers(1, 5000), st.floats(0.5, 100))


@cache
@st.composite
def leaves(draw: st.DrawFn, spans: st.SearchStrategy = bare_spans) -> ph.Schedule:
    """A part without parts, of any kind."""
    kind = draw(leaf_kinds)
    if kind == "ramp":
        return draw(ramps(spans))
    if kind == "hold":
        return ph.hold(draw(values), ph.Span(draw(spans)))
    if kind == "table":
        return ph.table(draw(tables))
    if kind == "rectified":
        return ph.rectified(draw(betas), draw(spans))
    tau, span = draw(taus), draw(spans)
    return ph.saturating(tau, span) if kind == "saturating" else ph.invsqrt(tau, span, draw(decay_powers))


# -- trees ------------------------------------------------------------------------------------------------------------


one_in_five = st.integers(0, 4)
node_kinds = st.sampled_from(["sequence", "sequence", "pointwise", "change", "repeated"])
several = cache(st.lists)


@cache
@st.composite
def trees(draw: st.DrawFn, spans: st.SearchStrategy = bare_spans, depth: int = 3) -> ph.Schedule:
    """A schedule of every kind of node, none of whose spans is `rest`."""
    if depth == 0 or draw(one_in_five) == 0:
        return draw(leaves(spans))
    inner = trees(spans, depth - 1)
    kind = draw(node_kinds)
    if kind == "sequence":
        return _joined(draw(several(inner, min_size=2, max_size=4)))
    if kind == "pointwise":
        return _pointwise(draw, draw(several(inner, min_size=2, max_size=3)))
    if kind == "change":
        return _changed(draw, draw(inner), spans)
    return _repeated(draw, draw(inner))


growing_leaves = leaves(rest).filter(lambda leaf: leaf._grows)
places = [st.integers(0, number) for number in range(4)]
shifts = st.integers(-20, 20)
either = st.booleans()


@cache
@st.composite
def growing(draw: st.DrawFn, spans: st.SearchStrategy = written_spans, depth: int = 3) -> ph.Schedule:
    """A schedule that takes what a run leaves: it has a `rest` somewhere, however deep."""
    if depth == 0 or draw(one_in_five) == 0:
        return draw(growing_leaves)
    kind = draw(node_kinds)
    inner = growing(spans, depth - 1)
    if kind == "sequence":
        others = draw(several(trees(spans, depth - 1), min_size=1, max_size=3))
        place = draw(places[len(others)])
        return _joined([*others[:place], draw(inner), *others[place:]])
    if kind == "pointwise":
        others = draw(several(st.one_of(inner, trees(spans, depth - 1)), min_size=1, max_size=2))
        found = _pointwise(draw, [draw(inner), *others])
        return found if found._grows else found >> draw(growing_leaves)
    if kind == "change":
        base = draw(inner)
        return base.scaled(draw(ordinary)) if draw(either) else base.shifted(draw(shifts))
    return _repeated(draw, draw(inner))


open_ends = st.one_of(
    st.builds(ph.hold, values), st.builds(ph.invsqrt, taus, rest, decay_powers), st.builds(ph.saturating, taus)
)


@cache
@st.composite
def endless(draw: st.DrawFn, spans: st.SearchStrategy = bare_spans) -> ph.Schedule:
    """A schedule that goes on until the run ends, whenever that is, or by itself for ever."""
    end = draw(open_ends) if draw(either) else trees(lasting_spans, 1)
    if not isinstance(end, ph.Schedule):
        end = draw(end.filter(lambda s: s._lasts > 0.01)).repeated(None, draw(_lengthening), draw(_lessening))
    tree = draw(trees(spans, 1)) >> end
    kind = draw(endless_kinds)
    if kind == "pointwise":
        return _pointwise(draw, [tree, draw(trees(spans, 1))])
    return tree if kind == "sequence" else tree.scaled(draw(ordinary)) if draw(either) else tree.shifted(draw(shifts))


endless_kinds = st.sampled_from(["sequence", "pointwise", "change"])
_lengthening, _lessening = st.sampled_from([1.0, 1.0, 2.0, 1.5]), st.sampled_from([1.0, 1.0, 0.5, -0.9])
written = shared(
    st.one_of(trees(written_spans), growing(), endless(written_spans))
)  # as a user writes it: units, percents, rest
any_tree, whole_tree, shallow = shared(trees()), shared(trees(whole_spans)), shared(trees(depth=2))


@cache
@st.composite
def bound(draw: st.DrawFn) -> ph.Schedule:
    """A written schedule laid out on a run."""
    return lay(draw(written), draw(runs()))


callable_trees = shared(
    st.one_of(trees(), trees(whole_spans), bound(), endless())
)  # whatever has a value without more ado


def lay(schedule: ph.Schedule, run: ph.Run) -> ph.Schedule:
    """`schedule` on `run`, cut at its end; an example whose values overflow or whose lengths are unknown is dropped."""
    try:
        return schedule.bind(run, truncate=True)
    except ph.BindError:
        assume(False)
        raise


def ready(schedule: ph.Schedule) -> ph.Schedule:
    """`schedule`, if its values do not overflow."""
    try:
        schedule.length  # noqa: B018
    except ph.BindError:
        assume(False)
    return schedule


def _joined(parts: list[ph.Schedule]) -> ph.Schedule:
    schedule = parts[0]
    for part in parts[1:]:
        schedule = schedule >> part
    return schedule


_operations = st.sampled_from(["product", "sum", "lower", "upper"])


def _pointwise(draw: st.DrawFn, parts: list[ph.Schedule]) -> ph.Schedule:
    kind = draw(_operations)
    if kind == "product":
        return math.prod(parts[1:], start=parts[0])  # type: ignore[arg-type]
    if kind == "sum":
        return functools.reduce(operator.add, parts)
    return (ph.lower if kind == "lower" else ph.upper)(*parts)


_changes = st.sampled_from(["scaled", "shifted", "truncated", "clipped", "stepwise"])
_steps = st.one_of(st.integers(1, 50), st.sampled_from([0.5, 2.5, 7.3]))
_factors = st.one_of(ordinary, st.floats(-100, 100))
_delays = st.one_of(st.integers(-50, 50), st.floats(-20, 20))


def _changed(draw: st.DrawFn, base: ph.Schedule, spans: st.SearchStrategy) -> ph.Schedule:
    kind = draw(_changes)
    if kind == "scaled":
        return base.scaled(draw(_factors))
    if kind == "shifted":
        return base.shifted(draw(_delays))
    if kind == "truncated":
        return base.truncated(draw(spans))
    if kind == "stepwise":
        return base.stepwise(draw(_steps))
    low, high = sorted([draw(ordinary), draw(ordinary)])
    return base.clipped(low, high)


_stretches = st.sampled_from([1.0, 1.0, 2.0, 0.5, 1.5, 1.1])
_shrinks = st.sampled_from([1.0, 1.0, 0.5, 0.9, 2.0, 0.0, -0.5])
_times = st.integers(1, 4)


def _repeated(draw: st.DrawFn, base: ph.Schedule) -> ph.Schedule:
    stretch = draw(_stretches)
    return base.repeated(draw(_times), stretch, draw(_shrinks))


# -- moments ----------------------------------------------------------------------------------------------------------


Picks = list[tuple[int, float]]
picks = st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1)), min_size=1, max_size=12)


def moments(schedule: ph.Schedule, picks: Picks) -> list[float]:
    """Times before, at, between and after the ends of `schedule`, whole and not, and beside the edges of its parts."""
    length = schedule.length
    until = 1000.0 if length == math.inf else float(length)
    special = [0, 1, until, until + 1, -1, 2 * until + 10, until / 2, math.floor(until), 2**31, 1e18]
    special += [float(edge) for edge in edges(schedule)[:8]]
    special += [math.nextafter(t, toward) for t in special[:1] + special[10:] for toward in (-math.inf, math.inf)]
    return [
        special[k] if k < len(special) else math.floor(u * (until + 3)) - 1 if k % 2 else u * until for k, u in picks
    ]


def edges(schedule: ph.Schedule) -> list[Fraction]:
    """Where the outermost parts of a schedule meet, exactly."""
    parts = getattr(schedule._ready, "parts", ())
    lengths = [part._length for part in parts if part._length != math.inf]
    return [sum(map(Fraction, lengths[:i]), Fraction(0)) for i in range(len(lengths) + 1)]


def leaf_count(schedule: ph.Schedule) -> int:
    """How many leaves a tree has."""
    return sum(map(leaf_count, schedule._children)) or 1


def agree(s: ph.Schedule, found: object, expected: list[float], each: float) -> None:
    """Within `each` for every leaf, relative to the largest value that goes into it: parts of opposite sign cancel."""
    found = np.asarray(found, dtype=np.float64)
    most = each * leaf_count(s._ready) * max(s._ready._magnitude(), 1e-300)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=0, atol=most)


# -- for compiled back-ends, which take seconds for each new tree -------------------------------------------------------

RUN = ph.Run(total=9_999, steps_per_epoch=333, samples_per_step=32, tokens_per_step=4096)
FIXED = [
    s.bind(RUN)
    for s in (
        ph.hold(0.1),
        ph.warmup(100) >> ph.hold(),
        ph.warmup("5%") >> ph.decay(),
        ph.warmup(1000) >> ph.hold(1.0, "60%") >> ph.decay(to=0.1, shape="cosine"),
        ph.warmup("1 epoch", 0.01, "exponential") >> ph.decay(to=1e-6, shape="exponential"),
        ph.ramp(1e-30, 1e30, 9000, "exponential"),
        ph.ramp(1, 0, 500, "sqrt") >> ph.ramp(0, 1, 500, ph.reverse("sqrt")) >> ph.decay(shape="1-sqrt"),
        ph.ramp(0, 1, 500, ph.power(0.3))
        >> ph.decay(shape=ph.reverse(ph.power(2)))
        >> ph.ramp(0, 1, 99, ph.power(0.05)),
        ph.ramp(0, 1, 500, ph.reverse(ph.power(0.05))) >> ph.decay(shape=ph.power(7)),
        ph.ramp(0, 2, 70, "square") >> ph.ramp(2, 1, 70, "smooth") >> ph.decay(shape="mirror-cosine"),
        ph.ramp(0, 1, 3000, "log") >> ph.decay(shape=ph.reverse("log")),
        ph.warmup(400) >> ph.invsqrt(400),
        ph.saturating("4M tokens") * ph.hold(0.3),
        ph.rectified(0.999) * (ph.warmup(10) >> ph.decay(to=0.1)),
        ph.table([0.0, 0.5, 0.25, 1.0, 1.0]) >> ph.steps([1.0, 0.1, 0.01], ["30%", "30%", "rest"]),
        ph.lower(ph.warmup(2000), ph.decay(9000)) >> ph.hold(0.0),
        ph.upper(ph.decay(9000), ph.hold(0.2)).clipped(0.25, 0.75).scaled(3e-4),
        (ph.warmup(10) >> ph.decay(90, shape="cosine")).repeated(6, stretch=2, shrink=0.5),
        (ph.ramp(0, 1, 30) >> ph.ramp(1, 0, 30)).repeated(shrink=-0.99),
        (ph.decay(1000, shape="cosine").shifted(300) >> ph.warmup("0.5 epochs").shifted(-20)).truncated("12%"),
        (ph.warmup(500) >> ph.hold()) * ph.decay(to=0.01, shape="rex").stepwise("1 epoch")
        + ph.ramp(10, 0, 500, ph.compose("cosine", ph.power(2))),
        ph.hold(0.01) + ph.decay(300, shape=ph.compose(ph.power(1.5), "cosine")).repeated(stretch=2, shrink=0.5),
        (ph.warmup(61.7) >> ph.invsqrt(100, power=0.75)).stepwise(12.5),
        ph.ramp(1, 0.1, 5000, ph.reverse(ph.compose("log", "sqrt"))) >> ph.decay(0, to=0.5),
    )
]
