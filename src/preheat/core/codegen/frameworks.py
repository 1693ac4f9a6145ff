"""What makes an optimizer of torch, or of optax, follow the functions that are exported."""

from __future__ import annotations

from preheat.core.codegen import arrays, python
from preheat.core.errors import PreheatError, shown
from preheat.core.peaks import peaks_at_one, refuse_unclear
from preheat.core.plan import Line, Plan
from preheat.core.spans import Run
from preheat.core.updates import refuse_other_clock

TAKEN = ("apply", "group", "jnp", "optimizer", "scheduler", "t", "values", "LambdaLR")  # names that the snippets use
_SCHEDULER = '''\
def scheduler(optimizer):
    """{doc}"""
{before}    return LambdaLR(optimizer, {name})'''
_ONE = """\
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] = 1.0
"""
_APPLY = '''\
def apply(optimizer, t):
    """Give every group its values for update t, counted from 0: call it before optimizer.step()."""
    for group in optimizer.param_groups:
'''


def torch(named: dict[str, Line], run: Run) -> str:
    """Python's source, and a LambdaLR for a lone rate; for other lines a function that writes what each update uses.

    Raises PreheatError for what LambdaLR and a loop over groups cannot follow: a clock that does not tell updates, and groups
    by name.
    """
    refuse_other_clock(run, "torch's schedulers count")
    lines = list(named.values())
    refuse_unclear(Plan({line.key: line.target for line in lines}), lambda line: None)
    schedules = {name: line.schedule for name, line in named.items()}
    if [line.key for line in lines] == ["lr"]:
        made = _lambda(next(iter(named)), lines[0])
        return python.sources(schedules, "from torch.optim.lr_scheduler import LambdaLR\n", made)
    return python.sources(schedules, after=_APPLY + "".join(map(_written, named, lines)).rstrip())


def optax(named: dict[str, Line], run: Run) -> str:
    """JAX's source of rates, for learning_rate= of an optimizer.

    Raises PreheatError for factors, which optax would train at, for a clock that does not tell updates, and for lines of
    groups.
    """
    refuse_other_clock(run, "optax counts")
    for line in named.values():
        if line.group is not None:
            what = f"the line {line.key!r} is of one group, and what belongs to it only optax.multi_transform knows"
            raise PreheatError(what, write="export the lines one by one")
        if not line.is_absolute:
            what = f"optax needs the values themselves, not factors: {shown(line.target, 60)}"
            if line.is_rate and peaks_at_one(line.schedule):
                raise PreheatError(what, write="give peak=, the rate that factor 1 stands for", hint="peak")
            raise PreheatError(what, write="write absolute(…) if these are the values themselves")
    return arrays.sources({name: line.schedule for name, line in named.items()})


def _lambda(name: str, line: Line) -> str:
    """The function that makes the LambdaLR of one line."""
    if not line.is_absolute:
        return _SCHEDULER.format(doc="Multiplies the rate that each group was given.", before="", name=name)
    doc = "Gives every group these rates, whatever lr it was given: LambdaLR multiplies, so their own becomes 1."
    return _SCHEDULER.format(doc=doc, before=_ONE, name=name)


def _written(name: str, line: Line) -> str:
    """The statement that writes one line into a group."""
    if line.group is not None:
        what = f"the line {line.key!r} is of one group, and which it is only your optimizer knows"
        raise PreheatError(what, write="export to python, and write the function of each line into its own group")
    if line.is_batch:
        what = f"the line {line.key!r} is a size of the batch, which no optimizer holds"
        raise PreheatError(what, write="export it to python, and ask the function when you draw a batch")
    hyper, _, index = line.hyper.partition("[")
    if not index:
        return f'        group["{hyper}"] = {_value(name, line, hyper, "")}\n'
    place = int(index[:-1])
    value = _value(name, line, hyper, f"[{place}]")
    return f"""\
        values = list(group["{hyper}"])
        values[{place}] = {value}
        group["{hyper}"] = tuple(values)
"""


def _value(name: str, line: Line, hyper: str, place: str) -> str:
    """The value itself, or the factor times what the group was given."""
    if line.is_absolute:
        return f"{name}(t)"
    return f'{name}(t) * group.setdefault("initial_{hyper}", group["{hyper}"]){place}'
