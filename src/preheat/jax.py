"""preheat in JAX: hyper-parameters of an optax optimizer that follow a plan, inside jit and lax.scan.

A bound schedule of rates is already the `learning_rate=` of any optax optimizer: `optax.adamw(s.bind(run, peak=3e-4))`.
`inject` is for the rest: several hyper-parameters, groups of parameters, rules, reading what is in force, and resuming.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from preheat.core.checks import finite_number, positive_number
from preheat.core.errors import PreheatError, PreheatWarning, StateError, nearest, shown
from preheat.core.extras import needed
from preheat.core.node import Schedule
from preheat.core.peaks import refuse_below_zero, refuse_unclear
from preheat.core.plan import RATE, Absolute, Line, Plan
from preheat.core.spans import Run
from preheat.core.stated import Relative
from preheat.session.rules import Rule, combined_gain
from preheat.session.session import Session

with needed("preheat.jax", "jax"):
    import jax
    import jax.numpy as jnp
    import optax

__all__ = ["Injected", "inject"]

_ARGUMENTS = {
    RATE: "learning_rate",
    "betas[0]": "b1",
    "betas[1]": "b2",
}  # what a plan and optax call by different names
_REST = ""  # the label of parameters that no line names
_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_SAME = 1e-6  # how far, relatively, a rate may be from what the rules make of it


def inject(
    factory: Callable[..., optax.GradientTransformation],
    plan: Plan | Schedule | Absolute | Relative | Mapping[str, Any] | str,
    run: Run | None = None,
    *,
    peak: float | None = None,
    labels: Any = None,
    rules: Sequence[Rule | Mapping[str, Any]] = (),
    **arguments: Any,
) -> Injected:
    """An optax optimizer whose hyper-parameters follow a plan: update t, counted from 0, uses s(t), in float32 or better.

    factory: makes the optimizer, such as `optax.adamw` or a function of your own.
    plan: a schedule for "lr", or a Plan. A line names an argument of the factory: "lr" is `learning_rate`, "betas[0]" and
        "betas[1]" are `b1` and `b2`, every other word is the argument itself. Factors multiply what the factory is given.
    run: the Run that gives lengths their worth; its clock is updates.
    peak: what factor 1 of "lr" stands for. `learning_rate=` says so too, and is the rate of parameters without a line.
    labels: where the plan has lines for groups ("head/lr"), the group of every parameter: a tree of labels, or a function from
        parameters to one, as `optax.multi_transform` takes it. Parameters under another label follow the lines without a group.
    rules: Plateau, HoldUntil, Rewarm; they work on the host, see `Injected.step`.
    arguments: what the factory takes beside; it is passed on as it is.

    >>> import jax.numpy as jnp, optax
    >>> from preheat import Run, decay, warmup
    >>> optimizer = inject(optax.sgd, warmup("50%") >> decay(), Run(total=4), peak=1.0)
    >>> params, rates = jnp.ones(()), []
    >>> state = optimizer.init(params)
    >>> for update in range(4):
    ...     updates, state = optimizer.update(jnp.ones(()), state, params)
    ...     rates.append(float(updates))
    >>> rates
    [-0.0, -0.5, -1.0, -0.5]

    Raises PreheatError for a line that is no argument of the factory, for factors of nothing or whose peak is not 1, for
    groups without labels, and for a clock other than updates; BindError for a plan that does not fit the run.
    """
    if isinstance(run, Run) and run.clock != "step":
        what = "an optax optimizer counts updates, and the run has another clock"
        raise PreheatError(what, given=run.clock, write="leave clock= out; lengths in tokens or epochs may stay")
    given = plan if isinstance(plan, Plan) else Plan(plan)
    if peak is not None and _ARGUMENTS[RATE] in arguments:
        raise PreheatError("peak= and learning_rate= are the same", given=peak, write="leave one of them out")
    bases = arguments if peak is None else {**arguments, _ARGUMENTS[RATE]: positive_number(peak, "peak")}
    recipe = _Recipe(factory, labels, _rates(factory, given, bases), arguments)
    _check_groups(recipe)
    session = Session(recipe.plan, run, rules=rules)
    session.check_floors([(group,) for group in recipe.groups] or [()])
    refuse_below_zero(session.plan)
    return _built(recipe, session)


class Injected(optax.GradientTransformationExtraArgs):
    """An optax optimizer that follows a plan, made by `inject`: `init` and `update`, and what is read off its state.

    Every method takes the state of this optimizer, or one in which it is found once: of `optax.chain`, `optax.MultiSteps`,
    or the `opt_state` of a flax `nnx.Optimizer`.
    """

    _recipe: _Recipe
    session: Session

    def values(self, state: Any) -> dict[str, Any]:
        """What the last update used (before the first: what it will use), by line: `{"lr": …, "head/lr": …}`.

        Arrays, so that nothing waits for the device: call it inside jit or scan too. Raises PreheatError for another state.
        """
        nodes = self._nodes(state)
        return {
            line.key: _leaf(self._node(nodes, line).hyperparams[_argument_of(line)]) for line in self._recipe.plan.lines
        }

    def position(self, state: Any) -> int:
        """How many updates the state has counted; waits for the device. Raises PreheatError for another state."""
        return int(_leaf(next(iter(self._nodes(state).values())).count))

    def step(self, state: Any, metrics: Mapping[str, Any] | None = None) -> Any:
        """For rules: tell them what was measured after the last update, and give the state in which they have their effect.

        Call it outside jit, after every update. It reads from the state how many updates there were, so that accumulation and
        skipped updates are counted right, and waits for the device. After several (lax.scan over updates) the rules act once,
        and where they should have acted before, that is a PreheatWarning.

        Raises PreheatError without rules, and for a metric that no rule listens to or that is no number.
        """
        if not self.session.rules:
            raise PreheatError(
                "step() is for rules, and there are none", write="leave it out, or pass rules= to inject"
            )
        late = self._catch_up(self.session, self.position(state), metrics)
        if late is not None:
            warnings.warn(
                f"the rules came too late: update {late} was made at a rate that they had changed; call step(state) after "
                "every update, and scan over several only where no rule changes the rate within them",
                PreheatWarning,
                stacklevel=2,
            )
        return self._written(state)

    def state_dict(self, state: Any) -> dict[str, Any]:
        """The plan, and the position that the state has counted: plain values, to be saved beside the state."""
        session = copy(self.session)
        self._catch_up(session, self.position(state), None)
        return session.state_dict()

    def resumed(self, saved: Mapping[str, Any], state: Any, on_change: str = "refuse") -> tuple[Injected, Any]:
        """The optimizer and the state to go on with, from what `state_dict` gave and the optimizer state saved with it.

        on_change: what happens if the plan differs from the saved one from the saved position on: "refuse"; "adopt" the new
            plan, "keep" the saved one, or "rebase": the new one scaled to go on from the value in force.

        Raises StateError for a changed plan (on_change="refuse"), or if the two were not saved at the same update.
        """
        session = Session(self._recipe.plan, self.session.run, rules=self.session.rules, on_change=on_change)
        session.load_state_dict(dict(saved) if isinstance(saved, Mapping) else saved)
        if (counted := self.position(state)) != session.updates:
            raise StateError(
                f"the optimizer's state has counted {counted} updates and the plan was saved after {session.updates}",
                write="restore both from one checkpoint",
            )
        optimizer = _built(self._recipe, session)
        return optimizer, optimizer._written(state) if session.rules else state

    def __reduce__(self) -> tuple[Any, ...]:
        return _built, (self._recipe, self.session)

    def __repr__(self) -> str:
        name = getattr(self._recipe.factory, "__name__", "…")
        return f"inject({name}, {shown(self.session.plan, 200)})"

    # -- the state ----------------------------------------------------------------------------------------------------

    def _nodes(self, state: Any) -> dict[str, Any]:
        """The state's part of every group, by its label."""
        groups, found = self._recipe.labelled, list[tuple[str, Any]]()
        for path, leaf in jax.tree_util.tree_leaves_with_path(state, is_leaf=_is_node):
            if _is_node(leaf):
                keys = [key.key for key in path if isinstance(key, jax.tree_util.DictKey) and key.key in groups]
                found.append((keys[-1] if keys else _REST, leaf))
        nodes = dict(found)
        if len(nodes) != len(found) or set(nodes) != set(groups or (_REST,)):
            write = "pass the state of this optimizer, or one that contains it once"
            raise PreheatError("that is not a state of this optimizer", given=type(state).__name__, write=write)
        return nodes

    def _node(self, nodes: Mapping[str, Any], line: Line) -> Any:
        """The part of a group that follows a line."""
        label = next(label for label in nodes if line in self._recipe.lines_of(label).values())
        return nodes[label]

    def _catch_up(self, session: Session, updates: int, metrics: Mapping[str, Any] | None) -> int | None:
        """Count in the session the updates that were made; the first of them at a rate that rules had changed, else None."""
        if not session.rules:
            session.updates = updates
            session.move_to(updates)
            return None
        if updates < session.updates:
            what = f"the state has counted {updates} updates, and the rules {session.updates}"
            raise PreheatError(what, write="go back to a checkpoint with resumed(saved, state)")
        gains, lag = _gains(session), _lag(session)
        made, late = range(session.updates, updates), None
        for update in made:
            used = {line: gains[line.key] * line.schedule.function(update - lag) for line in session.plan.lines}
            if late is None and any(not math.isclose(used[line], session.value(line), rel_tol=_SAME) for line in used):
                late = update
            if update != made[-1]:
                session.advance()
        if metrics is not None:
            session.observe(metrics)
        if made:
            session.advance()
        return late

    def _written(self, state: Any) -> Any:
        """The state with what the rules make of rates and of time."""
        nodes, gains, lag = self._nodes(state), _gains(self.session), _lag(self.session)
        label_of = {id(node): label for label, node in nodes.items()}

        def written(leaf: Any) -> Any:
            if not _is_node(leaf):
                return leaf
            lines, found = self._recipe.lines_of(label_of[id(leaf)]), dict(leaf.hyperparams_states)
            for argument, line in lines.items():
                old = found[argument]
                found[argument] = old._replace(lag=_put(old.lag, lag), gain=_put(old.gain, gains[line.key]))
            return leaf._replace(hyperparams_states=found)

        return jax.tree.map(written, state, is_leaf=_is_node)


class _RuledState(NamedTuple):
    count: Any  # updates
    lag: Any  # those of them during which a rule held the time
    gain: Any  # what rules multiply the rate with


class _Ruled:
    """A schedule whose time and values the host may change: an optax schedule with a state, `gain · s(count − lag)`."""

    def __init__(self, schedule: Schedule, gain: float) -> None:
        self.schedule, self.gain = schedule, gain

    def init(self) -> _RuledState:
        return _RuledState(jnp.zeros([], jnp.int32), jnp.zeros([], jnp.int32), jnp.asarray(self.gain, _dtype()))

    def update(self, state: _RuledState, **_: Any) -> _RuledState:
        return state._replace(count=optax.safe_increment(state.count))

    def __call__(self, state: _RuledState, **_: Any) -> Any:
        return state.gain * self.schedule(state.count - state.lag)


class _Open:
    """A factory of which only what is scheduled is left open: optax would make arrays of the other numbers, in the
    parameters' type, and take every function among the arguments for a schedule."""

    def __init__(self, factory: Callable[..., Any], fixed: Mapping[str, Any], names: Iterable[str]) -> None:
        self.factory, self.fixed = factory, dict(fixed)
        self.__signature__ = inspect.Signature([inspect.Parameter(name, _KEYWORD) for name in names])

    def __call__(self, **values: Any) -> optax.GradientTransformationExtraArgs:
        inner = optax.with_extra_args_support(self.factory(**self.fixed, **values))
        return optax.GradientTransformationExtraArgs(inner.init, partial(_update, inner))


def _update(inner: Any, updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
    """An update in which everything keeps its type, though rates are float32 where parameters are bfloat16."""
    given, old = updates, state
    updates, state = inner.update(updates, state, params, **extra)
    return jax.tree.map(_like, given, updates), jax.tree.map(_like, old, state)


def _like(old: Any, new: Any) -> Any:
    kinds = getattr(old, "dtype", None), getattr(new, "dtype", None)
    return new if None in kinds or kinds[0] == kinds[1] else new.astype(kinds[0])


class _Labels:
    """The labels of parameters, those that no line names under one label."""

    def __init__(self, labels: Any, groups: Sequence[str], has_rest: bool) -> None:
        self.labels, self.groups, self.has_rest = labels, groups, has_rest

    def __call__(self, params: Any) -> Any:
        found = self.labels(params) if callable(self.labels) else self.labels
        every = {str(label) for label in jax.tree.leaves(found)}
        if missing := [group for group in self.groups if group not in every]:
            what = f"no parameter has the label {missing[0]!r}, and the plan has lines for it"
            raise PreheatError(what + nearest(missing[0], every))
        if not self.has_rest and (others := sorted(every - set(self.groups))):
            what = f"parameters with the label {others[0]!r} would follow no learning rate"
            raise PreheatError(what, write=f"write a line {RATE!r}, or {others[0] + '/' + RATE!r}")
        return jax.tree.map(lambda label: str(label) if str(label) in self.groups else _REST, found)


@dataclass(frozen=True)
class _Recipe:
    """What `inject` was given: the plan as rates, unbound, and what its factory takes beside."""

    factory: Callable[..., Any]
    labels: Any
    plan: Plan
    fixed: Mapping[str, Any]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that the plan names."""
        return tuple(dict.fromkeys(line.group for line in self.plan.lines if line.group is not None))

    @property
    def labelled(self) -> tuple[str, ...]:
        """The labels of all transformations; none where there is one without any."""
        return (*self.groups, *[_REST] * self.has_rest) if self.groups else ()

    @property
    def has_rest(self) -> bool:
        """Whether parameters that no line names can be trained."""
        return not self.open_of(_REST)

    def open_of(self, label: str) -> list[str]:
        """The arguments that the factory needs for a group, and nobody gives."""
        given = {*self.lines_of(label), *self.fixed}
        parameters = inspect.signature(self.factory).parameters.values()
        return [one.name for one in parameters if _is_needed(one) and one.name not in given]

    def lines_of(self, label: str) -> dict[str, Line]:
        """The lines that a group follows, by the argument of the factory."""
        lines = [line for line in self.plan.lines if line.group is None]
        lines += [line for line in self.plan.lines if line.group is not None and line.group == label]
        return {_argument_of(line): line for line in lines}

    def transformation(self, session: Session) -> Any:
        """What optax makes of it, following a session."""
        if not self.groups:
            return self._of(_REST, session)
        every: dict[Any, Any] = {label: self._of(label, session) for label in self.labelled}
        return optax.multi_transform(every, _Labels(self.labels, self.groups, self.has_rest))

    def _of(self, label: str, session: Session) -> Any:
        bound, gains = {line.key: line for line in session.plan.lines}, _gains(session)
        scheduled: dict[str, Any] = {}
        for argument, line in self.lines_of(label).items():
            target = bound[line.key]
            scheduled[argument] = _Ruled(target.schedule, gains[line.key]) if session.rules else target.target
        fixed = {name: value for name, value in self.fixed.items() if name not in scheduled}
        factory = _Open(self.factory, fixed, scheduled)
        return optax.inject_hyperparams(factory, hyperparam_dtype=_dtype())(**scheduled)


def _built(recipe: _Recipe, session: Session) -> Injected:
    built = Injected(*recipe.transformation(session))
    built._recipe, built.session = recipe, session
    return built


def _argument_of(line: Line) -> str:
    """The argument of an optax optimizer that a line names: `learning_rate` for "lr"."""
    return _ARGUMENTS.get(line.hyper, line.hyper)


def _rates(factory: Callable[..., Any], plan: Plan, given: Mapping[str, Any]) -> Plan:
    """The plan with factors multiplied by what the factory is given."""
    parameters = inspect.signature(factory).parameters
    known = [
        name for name, one in parameters.items() if one.kind in (_KEYWORD, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    name_of = getattr(factory, "__name__", "the factory")
    for line in plan.lines if not takes_any else ():
        if _argument_of(line) not in known:
            what = f"{name_of} has no argument {_argument_of(line)!r}, which the line {line.key!r} names"
            raise PreheatError(what + nearest(_argument_of(line), known))
    if unknown := [name for name in given if name not in known and not takes_any]:
        raise PreheatError(f"{name_of} has no argument {unknown[0]!r}{nearest(unknown[0], known)}")
    _check_once(plan, given)

    def base(line: Line) -> Any:
        argument = _argument_of(line)
        return given[argument] if argument in given else getattr(parameters.get(argument), "default", None)

    refuse_unclear(plan, lambda line: base(line) if _is_number(base(line)) else None)
    return Plan({line.key: _multiplied(line, base(line)) for line in plan.lines})


def _check_once(plan: Plan, given: Mapping[str, Any]) -> None:
    """Refuse an argument that two lines name, or a line and the caller, where only one of them would count."""
    seen: dict[tuple[str | None, str], Line] = {}
    for line in plan.lines:
        argument = _argument_of(line)
        other = seen.setdefault((line.group, argument), line)
        if other is not line:
            what = f"the lines {other.key!r} and {line.key!r} are both the argument {argument!r}"
            raise PreheatError(what, write="leave one of them out")
        multiplies = any(_argument_of(one) == argument and not one.is_absolute for one in plan.lines)
        if argument in given and line.group is None and not multiplies:
            said = "peak= or learning_rate=" if line.is_rate else f"{argument}="
            what = f"the line {line.key!r} is the values themselves, and {said} would count for nothing"
            raise PreheatError(what, given=given[argument], write="leave it out, or write the line as factors")


def _multiplied(line: Line, base: Any) -> Absolute:
    """A line as the values themselves."""
    if isinstance(line.target, Absolute):
        return line.target
    name = _argument_of(line)
    if not _is_number(base) or base == 0:
        what = f"the line {line.key!r} is factors, and what they multiply is {'0' if base == 0 else 'not given'}"
        cure = "peak=3e-4" if line.is_rate else f"{name}=… to inject"
        raise PreheatError(what, write=f"pass {cure}, or write absolute(…) if these are the values themselves")
    return Absolute(line.schedule.scaled(finite_number(base, name)))


def _check_groups(recipe: _Recipe) -> None:
    """Refuse groups without labels, labels without groups, and groups whose optimizer lacks an argument."""
    if recipe.groups and recipe.labels is None:
        what = f"the plan has lines for the group {recipe.groups[0]!r}, and which parameters are in it is not said"
        raise PreheatError(what, write="pass labels=, a tree of labels or a function from parameters to one")
    if recipe.labels is not None and not recipe.groups:
        what = "labels= is for lines of groups, and the plan has none"
        raise PreheatError(what, write="write for example {'lr': s, 'head/lr': s.scaled(10)}, or leave labels= out")
    for label in recipe.groups or (_REST,):
        if missing := recipe.open_of(label):
            whose = f" of the group {label!r}" if label else ""
            cure = f"write a line {RATE!r}" if missing[0] == _ARGUMENTS[RATE] else f"pass {missing[0]}="
            raise PreheatError(
                f"the optimizer{whose} needs {missing[0]!r}, and the plan has no line for it", write=cure
            )


def _gains(session: Session) -> dict[str, float]:
    """What the rules make of every line, by its key: what its schedule's value is multiplied with."""
    found: dict[str, float] = {}
    for line in session.plan.lines:
        plain = line.schedule.function(session.position)
        gain = combined_gain(session.rules, session.states, session.position, line.group) if line.is_rate else 1.0
        found[line.key] = session.value(line) / plain if plain and session.has_floor(line) else gain
    return found


def _lag(session: Session) -> int:
    """The updates during which a rule held the time."""
    return session.updates - int(session.position)


def _is_node(leaf: Any) -> bool:
    return isinstance(leaf, optax.InjectStatefulHyperparamsState)


def _leaf(tree: Any) -> Any:
    """The array of an entry of the state, which flax wraps."""
    return jax.tree.leaves(tree)[0]


def _put(old: Any, value: float) -> Any:
    """An entry of the state with another value."""
    return jax.tree.map(lambda leaf: jnp.asarray(value, leaf.dtype), old)


def _dtype() -> Any:
    """The floats that rates are: float32, or float64 where JAX has them."""
    return jax.dtypes.canonicalize_dtype(float)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_needed(parameter: inspect.Parameter) -> bool:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in variadic
