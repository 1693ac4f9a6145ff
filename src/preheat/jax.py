"""preheat in JAX: hyper-parameters of an optax optimizer that follow a plan, inside jit and lax.scan.

A bound schedule of rates is already the `learning_rate=` of any optax optimizer: `optax.adamw(s.bind(run, peak=3e-4))`.
`inject` is for the rest: several hyper-parameters, groups of parameters, rules, reading what is in force, and resuming.
`critical_lr` measures which rate the parameters stand.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from preheat.core.checks import finite_number, positive_number
from preheat.core.crossing import Crossing, crossing
from preheat.core.errors import PreheatError, PreheatWarning, StateError, nearest, shown
from preheat.core.extras import needed
from preheat.core.node import Schedule
from preheat.core.peaks import refuse_unclear
from preheat.core.plan import RATE, Absolute, Line, Plan, families
from preheat.core.spans import Run
from preheat.core.text.language import Target
from preheat.core.text.words import Source
from preheat.session.clock import check_counts_updates
from preheat.session.rules import Rule, combined_gain, rules_to_text
from preheat.session.session import Session

with needed("preheat.jax", "jax"):
    import jax
    import jax.numpy as jnp
    import optax

__all__ = ["Injected", "critical_lr", "inject"]

# what a plan and optax call by different names
_ARGUMENTS = {RATE: "learning_rate", "betas[0]": "b1", "betas[1]": "b2"}
_REST = ""  # the label of parameters that no line names
_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_PASSING = (optax.MultiStepsState, optax.ApplyIfFiniteState)  # of what does not update at every call
_SAME = 1e-6  # how far, relatively, a rate may be from what the rules make of it


def inject(
    factory: Callable[..., optax.GradientTransformation],
    plan: Target | Source,
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
        parameters to one, as `optax.multi_transform` takes it. A label "head/decay" follows the lines of "head" too, where
        none is closer. Parameters under another label follow the lines without a group.
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
    groups without labels, and for a clock other than updates; BindError for a plan that does not fit the run; `init` does
    for labels that do not fit, and for a factory that accumulates or skips updates, which would be counted.
    """
    if not callable(factory):
        what = "inject takes the function that makes the optimizer"
        raise PreheatError(what, given=type(factory).__name__, write="write inject(optax.sgd, …), without calling it")
    if isinstance(run, Run):
        check_counts_updates(run, "an optax")
    given = plan if isinstance(plan, Plan) else Plan(plan)
    if peak is not None and _ARGUMENTS[RATE] in arguments:
        raise PreheatError("peak= and learning_rate= are the same", given=peak, write="leave one of them out")
    bases = arguments if peak is None else {**arguments, _ARGUMENTS[RATE]: positive_number(peak, "peak")}
    recipe = _Recipe(factory, labels, _rates(factory, given, bases), arguments)
    _check_groups(recipe)
    session = Session(recipe.plan, run, rules=rules)
    session.check_floors([(group,) for group in recipe.groups] or [()])
    return _built(recipe, session)


def critical_lr(
    loss: Callable[[Any], Any],
    params: Any,
    updates: Any,
    *,
    at: float = 1.0,
    guess: float | None = None,
    noise: float = 0.0,
) -> Crossing:
    """The smallest rate η > 0 at which loss(params + η·updates/at) > loss(params), to 1/16; 2·gᵀD/DᵀHD on a parabola.

    loss: of parameters, on one batch, which should be large and the one that made the updates.
    updates: what `optimizer.update` gave.   at: the learning rate of that optimizer, 1 where it was made with 1.
    guess: a rate to look at first: at most 8 looks from within 2 ×, else 16.
    noise: changes of the loss below 3 × it say nothing.

    >>> import jax.numpy as jnp
    >>> found = critical_lr(lambda x: (2 * x**2).sum(), jnp.ones(3), -4 * jnp.ones(3))
    >>> found.low <= 0.5 <= found.high, round(found.high / found.low, 2) <= 1.06
    (True, True)

    `rate` is None where it is not known, and `why` says why. Raises PreheatError for a loss or a slope that is not finite, and
    for parameters and updates that do not fit.
    """
    scale = positive_number(at, "at")
    if jax.tree.structure(params) != jax.tree.structure(updates):
        raise PreheatError("updates have the structure of params", given=str(jax.tree.structure(updates)))
    along = jax.tree.map(lambda one: one / scale, updates)
    value, change = jax.jvp(loss, (params,), (along,))
    moved = jax.jit(lambda rate: loss(jax.tree.map(lambda one, by: one + rate.astype(one.dtype) * by, params, along)))
    at_zero = float(value)
    return crossing(
        lambda rate: float(moved(jnp.asarray(rate))),
        at_zero,
        -float(change),
        guess=None if guess is None else positive_number(guess, "guess"),
        noise=max(finite_number(noise, "noise"), float(jnp.finfo(value.dtype).eps) * abs(at_zero)),
    )


class Injected(optax.GradientTransformationExtraArgs):
    """An optax optimizer that follows a plan, made by `inject`: `init` and `update`, and what is read off its state.

    Every method takes the state of this optimizer, or one in which it is found once: of `optax.chain`, `optax.MultiSteps`,
    or the `opt_state` of a flax `nnx.Optimizer`.
    """

    _recipe: _Recipe
    _labels: _Labels | None
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
        return _number_in(next(iter(self._nodes(state).values())).count)

    def step(self, state: Any, metrics: Mapping[str, Any] | None = None) -> Any:
        """For rules: tell them what was measured after the last update, and give the state in which they have their effect.

        Call it outside jit, after every update. It reads from the state how many updates there were, so that accumulation and
        skipped updates are counted right, and waits for the device. After several (lax.scan over updates) the rules act once,
        and where an update between would have had another rate, that is a PreheatWarning.

        What the rules have seen belongs to one training: go on with the state that `step` gave. A fresh state begins anew.

        Raises PreheatError without rules, for a metric that no rule listens to or that is no number, and for a state that
        does not follow from the one that `step` gave last; StateError for one of another plan.
        """
        if not self.session.rules:
            raise PreheatError(
                "step() is for rules, and there are none", write="leave it out, or pass rules= to inject"
            )
        session = self._session_of(state)
        late = _caught_up(session, self.position(state), metrics)
        self.session = session
        if late is not None:
            warnings.warn(
                f"the rules came too late: update {late} was made at a rate that they had changed; call step(state) after "
                "every update, and scan over several only where no rule changes the rate within them",
                PreheatWarning,
                stacklevel=2,
            )
        return self._written(state)

    def state_dict(self, state: Any) -> dict[str, Any]:
        """The plan, and the position that the state has counted: plain values, to be saved beside the state.

        Raises StateError for a state that was trained under another plan, and PreheatError for one that rules do not know.
        """
        session = self._session_of(state)
        _caught_up(session, self.position(state), None)
        return {**session.state_dict(), **({} if self._labels is None else {"labels": self._labels.known()})}

    def resumed(self, saved: Mapping[str, Any], state: Any, on_change: str = "refuse") -> tuple[Injected, Any]:
        """The optimizer and the state to go on with, from what `state_dict` gave and the optimizer state saved with it.

        on_change: what happens if the plan differs from the saved one from the saved position on: "refuse"; "adopt" the new
            plan, "keep" the saved one, or "rebase": the new one scaled to go on from the value in force. Other labels than
            the saved ones are taken by "adopt" alone; those of a function are compared at the first update.

        Raises StateError for a changed plan or labels, or if the two were not saved together.
        """
        session = Session(self._recipe.plan, self.session.run, rules=self.session.rules, on_change=on_change)
        given: Any = dict(saved) if isinstance(saved, Mapping) else saved
        labels = given.pop("labels", "") if isinstance(given, dict) else ""
        session.load_state_dict(given)
        if (counted := self.position(state)) != session.updates:
            raise StateError(
                f"the optimizer's state has counted {counted} updates and the plan was saved after {session.updates}",
                write="restore both from one checkpoint",
            )
        if self._plan_in(state) != _digest(given["plan"]):
            what = "the optimizer's state was trained under another plan than the saved one"
            raise StateError(what, write="restore both from one checkpoint")
        optimizer = _built(self._recipe, session, "" if on_change == "adopt" else labels)
        if optimizer._labels is not None and self._labels is not None:
            optimizer._labels.compare(self._labels.seen)
        return optimizer, optimizer._written(state)

    def __reduce__(self) -> tuple[Any, ...]:
        known = () if self._labels is None else (self._labels.wanted, self._labels.seen)
        return _built, (self._recipe, self.session, *known)

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
        fits = len(nodes) == len(found) and set(nodes) == set(groups or (_REST,))
        if not fits or any(not self._recipe.lines_of(label).keys() <= _followed(nodes[label]) for label in nodes):
            write = "pass the state of this optimizer, or one that contains it once"
            if len(nodes) < len(found):
                write += "; of optax.chain(…, …) that is state[0] or state[1]"
            elif isinstance(state, dict) and not found:
                write += "; orbax gives one as it was with StandardRestore(optimizer.init(params))"
            raise PreheatError("that is not a state of this optimizer", given=type(state).__name__, write=write)
        return nodes

    def _node(self, nodes: Mapping[str, Any], line: Line) -> Any:
        """The part of a group that follows a line."""
        label = next(label for label in nodes if line in self._recipe.lines_of(label).values())
        return nodes[label]

    def _entry(self, state: Any) -> _Followed:
        """What the state holds of the plan and the rules: the same in every group and line."""
        node = next(iter(self._nodes(state).values()))
        return next(one for one in node.hyperparams_states.values() if isinstance(one, _Followed))

    def _plan_in(self, state: Any) -> int:
        return _number_in(self._entry(state).plan)

    def _session_of(self, state: Any) -> Session:
        """A copy of the session that a state follows: of this one, or a fresh one where the state is fresh."""
        entry, session = self._entry(state), copy(self.session)
        counted = self.position(state)
        if _number_in(entry.plan) != _plan_digest(session):
            what = "the state was trained under another plan than this optimizer's"
            raise StateError(
                what, write="write optimizer, state = optimizer.resumed(saved, state), and go on with both"
            )
        memory = _number_in(entry.memory)
        if memory == _memory(session) and counted >= session.updates:
            return session
        if not memory and counted < session.updates:
            return _fresh(session)
        raise PreheatError(
            f"the rules remember another training, or an earlier state was given: it has counted {counted} updates, and "
            f"the one that step() gave last {session.updates}",
            write="go on with state = optimizer.step(state, …); make an optimizer with inject for every training, and go "
            "back to a checkpoint with resumed(saved, state)",
        )

    def _written(self, state: Any) -> Any:
        """The state with the plan that it follows, and what the rules make of rates and of time."""
        nodes, gains, lag = self._nodes(state), _gains(self.session), _lag(self.session)
        label_of = {id(node): label for label, node in nodes.items()}
        plan, memory = _plan_digest(self.session), _memory(self.session)

        def written(leaf: Any) -> Any:
            if not _is_node(leaf):
                return leaf
            lines, found = self._recipe.lines_of(label_of[id(leaf)]), dict(leaf.hyperparams_states)
            for argument, line in lines.items():
                old, new = found[argument], {"lag": lag, "gain": gains[line.key], "plan": plan, "memory": memory}
                found[argument] = old._replace(**{name: _put(getattr(old, name), new[name]) for name in new})
            return leaf._replace(hyperparams_states=found)

        return jax.tree.map(written, state, is_leaf=_is_node)


def _caught_up(session: Session, updates: int, metrics: Mapping[str, Any] | None) -> int | None:
    """Count in the session the updates that were made; the first of them at a rate that rules had changed, else None."""
    if not session.rules:
        session.updates = updates
        session.move_to(updates)
        return None
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


class _Followed(NamedTuple):
    """What the state of the optimizer holds of a line."""

    count: Any  # updates
    lag: Any  # those of them during which a rule held the time
    gain: Any  # what rules multiply the rate with
    plan: Any  # a digest of the plan that is followed
    memory: Any  # a digest of what the rules have seen; 0 at the beginning


class _Follows:
    """A schedule whose time and values the host may change: an optax schedule with a state, `gain · s(count − lag)`."""

    def __init__(self, schedule: Schedule, gain: float, plan: int) -> None:
        self.schedule, self.gain, self.plan = schedule, gain, plan

    def init(self) -> _Followed:
        count = jnp.zeros([], jnp.int32)
        digests = [jnp.asarray(number, jnp.uint32) for number in (self.plan, 0)]
        return _Followed(count, count, jnp.asarray(self.gain, _dtype()), *digests)

    def update(self, state: _Followed, **_: Any) -> _Followed:
        return state._replace(count=optax.safe_increment(state.count))

    def __call__(self, state: _Followed, **_: Any) -> Any:
        return state.gain * self.schedule(state.count - state.lag)


class _Open:
    """A factory of which only what is scheduled is left open: optax would make arrays of the other numbers, in the
    parameters' type, and take every function among the arguments for a schedule."""

    def __init__(self, factory: Callable[..., Any], fixed: Mapping[str, Any], names: Iterable[str]) -> None:
        self.factory, self.fixed = factory, dict(fixed)
        self.__signature__ = inspect.Signature([inspect.Parameter(name, _KEYWORD) for name in names])

    def __call__(self, **values: Any) -> optax.GradientTransformationExtraArgs:
        inner = optax.with_extra_args_support(self.factory(**self.fixed, **values))
        return optax.GradientTransformationExtraArgs(partial(_init, inner), partial(_update, inner))


def _init(inner: Any, params: Any) -> Any:
    """The state of a factory's optimizer; refuses one that does not update at every call, as every call is counted."""
    state = inner.init(params)
    for leaf in jax.tree.leaves(state, is_leaf=lambda one: isinstance(one, _PASSING)):
        if isinstance(leaf, _PASSING):
            name = "MultiSteps" if isinstance(leaf, optax.MultiStepsState) else "apply_if_finite"
            what = f"the factory has {name} inside, and calls would be counted where no update is made"
            raise PreheatError(what, write=f"put it around: optax.{name}(inject(…), …)")
    return state


def _update(inner: Any, updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
    """An update in which everything keeps its type, though rates are float32 where parameters are bfloat16."""
    given, old = updates, state
    try:
        updates, state = inner.update(updates, state, params, **extra)
    except (AttributeError, KeyError, TypeError, ValueError):
        made = jax.eval_shape(inner.init, updates if params is None else params)
        if jax.tree.structure(made) == jax.tree.structure(old):
            raise
        what = "the state is of another optimizer, or of parameters with another structure or other labels"
        raise PreheatError(what, write="make the optimizer as it was when the state was made") from None
    return jax.tree.map(_like, given, updates), jax.tree.map(_like, old, state)


def _like(old: Any, new: Any) -> Any:
    kinds = getattr(old, "dtype", None), getattr(new, "dtype", None)
    return new if None in kinds or kinds[0] == kinds[1] else new.astype(kinds[0])


class _Labels:
    """The labels of parameters, as the groups of the plan that they follow, those that no line names under one label.

    wanted: the digest of the labels that a checkpoint was saved with, "" for any.   seen: that of those met last.
    """

    def __init__(self, recipe: _Recipe, wanted: str = "", seen: str = "") -> None:
        self.labels, self.groups, self.has_rest = recipe.labels, recipe.groups, recipe.has_rest
        self.wanted, self.seen = wanted, seen
        if not callable(self.labels):
            self.seen = _labels_digest(self.labels)

    def __call__(self, params: Any) -> Any:
        found = self.labels(params) if callable(self.labels) else self.labels
        try:
            jax.tree.map(lambda *_: None, found, params)
        except ValueError as error:
            what = f"the labels have another structure than the parameters ({str(error).splitlines()[0]})"
            raise PreheatError(what, write="write labels=jax.tree.map(…, params), or a function that does so") from None
        self.seen = _labels_digest(found)
        self.compare(self.seen)
        every = {str(label) for label in jax.tree.leaves(found)}
        if missing := [group for group in self.groups if not any(_is_part(label, group) for label in every)]:
            what = f"no parameter has the label {missing[0]!r}, and the plan has lines for it"
            raise PreheatError(what + nearest(missing[0], every))
        if not self.has_rest and (others := sorted(label for label in every if self._group(label) == _REST)):
            what = f"parameters with the label {others[0]!r} would follow no learning rate"
            raise PreheatError(what, write=f"write a line {RATE!r}, or {others[0] + '/' + RATE!r}")
        return jax.tree.map(lambda label: self._group(str(label)), found)

    def known(self) -> str:
        """The digest of the labels, to be saved. Raises PreheatError where a function has not been asked for them yet."""
        if not self.seen:
            what = "labels is a function, and has not been called yet"
            raise PreheatError(what, write="call init(params) or update(…) before state_dict(state)")
        return self.seen

    def compare(self, seen: str) -> None:
        """Refuse other labels than were saved."""
        if self.wanted and seen and seen != self.wanted:
            what = "the labels have changed since this state was saved, so parameters would go to other groups"
            raise StateError(what, write="label them as before, or pass on_change='adopt' to resumed")

    def _group(self, label: str) -> str:
        """The closest group that a label belongs to."""
        return max((group for group in self.groups if _is_part(label, group)), key=len, default=_REST)


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
        named = [line for line in self.plan.lines if line.group is not None and _is_part(label, line.group)]
        lines += sorted(named, key=lambda line: len(line.group or ""))  # what is closer overrides
        return {_argument_of(line): line for line in lines}

    def transformation(self, session: Session, labels: _Labels | None) -> Any:
        """What optax makes of it, following a session."""
        if labels is None:
            return self._of(_REST, session)
        every: dict[Any, Any] = {label: self._of(label, session) for label in self.labelled}
        return optax.multi_transform(every, labels)

    def _of(self, label: str, session: Session) -> Any:
        bound, gains = {line.key: line for line in session.plan.lines}, _gains(_fresh(session))
        lines, plan = self.lines_of(label).items(), _plan_digest(session)
        scheduled: dict[str, Any] = {
            argument: _Follows(bound[line.key].schedule, gains[line.key], plan) for argument, line in lines
        }
        fixed = {name: value for name, value in self.fixed.items() if name not in scheduled}
        factory = _Open(self.factory, fixed, scheduled)
        return optax.inject_hyperparams(factory, hyperparam_dtype=_dtype())(**scheduled)


def _built(recipe: _Recipe, session: Session, wanted: str = "", seen: str = "") -> Injected:
    labels = _Labels(recipe, wanted, seen) if recipe.groups else None
    built = Injected(*recipe.transformation(session, labels))
    built._recipe, built.session, built._labels = recipe, session, labels
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


def _fresh(session: Session) -> Session:
    """A copy of a session as it was before its first update."""
    fresh = copy(session)
    fresh.states, fresh.updates = [rule.start() for rule in session.rules], 0
    fresh.move_to(0)
    return fresh


def _digest(text: str) -> int:
    """A number that stands for a text in a state, which holds numbers only; never 0."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1 or 1


def _plan_digest(session: Session) -> int:
    return _digest(session.plan.to_text())


def _memory(session: Session) -> int:
    """What stands for all that rules have seen; 0 at the beginning. Equal memories are one, whatever state they are of."""
    if not session.rules or (not session.updates and session.states == [rule.start() for rule in session.rules]):
        return 0
    return _digest(f"{session.updates} {session.position} {rules_to_text(session.rules, session.states)}")


def _labels_digest(labels: Any) -> str:
    """What stands for labels and the parameters that have them."""
    found = jax.tree_util.tree_leaves_with_path(labels)
    names = [("/".join(map(_key, path)), label) for path, label in found]
    # flax wraps parameters, as name/value, and hands gradients over without
    text = "\n".join(f"{name.removesuffix('/value')} {label}" for name, label in names)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _key(entry: Any) -> str:
    """A step of the way to a leaf: the key of a dict, the name of an attribute, the number in a list."""
    return str(next(getattr(entry, name) for name in ("key", "name", "idx") if hasattr(entry, name)))


def _is_part(label: str, group: str) -> bool:
    """Whether a label is a group's, as "head/decay" is of "head"."""
    return group in (label, *families(label))


def _followed(node: Any) -> set[str]:
    """The arguments that follow a plan in a group's part of a state."""
    return {name for name, one in node.hyperparams_states.items() if isinstance(one, _Followed)}


def _is_node(leaf: Any) -> bool:
    return isinstance(leaf, optax.InjectStatefulHyperparamsState)


def _leaf(tree: Any) -> Any:
    """The array of an entry of the state, which flax wraps."""
    return jax.tree.leaves(tree)[0]


def _number_in(tree: Any) -> int:
    """An entry of the state as a number. Raises PreheatError inside jit, and where vmap has made many states of one."""
    leaf = _leaf(tree)
    if isinstance(leaf, jax.core.Tracer):
        raise PreheatError(
            "inside jit there are no numbers yet", write="call it with the state that the update returned"
        )
    if leaf.ndim:
        what = f"that is {leaf.shape[0]} states in one, as vmap makes them"
        raise PreheatError(what, write="pass one of them: jax.tree.map(lambda leaf: leaf[0], state)")
    return int(leaf)


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
