"""`preheat advise`: whether a training needs warmup, how long, and from which rate, measured on the model itself."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from preheat.cli.columns import columns
from preheat.cli.counts import Count, CountOrNone, Seed
from preheat.cli.explain import fitted
from preheat.cli.pictures import Picture, saved
from preheat.cli.subjects import Made, module_subject, task_subject, told
from preheat.core.errors import PreheatError, nearest, shown
from preheat.lab.tasks import TASKS, TrainingOptions
from preheat.plots.terminal import Terminal

if TYPE_CHECKING:
    from preheat.measure.advising.advice import Advice
    from preheat.measure.advising.facts import Facts, Raced

app = App(
    name="advise",
    help_format="plaintext",
    help="""
Measure on a model whether it needs warmup, how long, and from which rate.

Try:

    preheat advise digits --init-gain 2 --peak 0.0256
    preheat advise bytes --norm pre --peak 4e-3 --json
    preheat advise --module train.py:build --steps 20000 --peak 3e-4

It takes some hundred updates and short runs that are thrown away; a model is
as it was afterwards. With --race-budget it also races peaks and warmups in
whole runs, kept in the folder --out and resumed by the same command. It needs
PyTorch, and for the race pip install "preheat[lab]".
""",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is measured, and what is shown."""

    trial: CountOrNone = None
    """Updates of each short run, 0 for none; a fiftieth of the run by default, from 200 to 400 and at most half of it."""

    seed: Seed = 0
    """Fixes the weights and the order of the data."""

    race_budget: CountOrNone = None
    """Race peaks and warmups with at most so many updates."""

    out: Path | None = None
    """The folder of the race."""

    jobs: CountOrNone = None
    """Runs of the race at a time; one for each GPU, or for each core."""

    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False
    """Print everything as JSON."""

    png: Picture = None
    """Also draw the critical rate to this file, as PNG; needs matplotlib."""

    svg: Picture = None
    """Also draw it to this file, as SVG."""

    def __post_init__(self) -> None:
        if self.race_budget is not None and self.out is None:
            raise PreheatError("the race keeps its runs in a folder", write="add --out runs/race")
        if self.race_budget is None and (self.out is not None or self.jobs is not None):
            raise PreheatError(
                "--out and --jobs are of the race", write="add --race-budget, such as --race-budget 20000"
            )


@app.default
def advise_own_training(
    *task: Annotated[str, Parameter(show=False)],
    module: str | None = None,
    steps: CountOrNone = None,
    peak: float | None = None,
    asked: Asked = Asked(),
) -> int:
    """A model of your own.

    Try:

        preheat advise --module train.py:build --steps 20000 --peak 3e-4

    Parameters
    ----------
    module
        A file and a function in it that returns model, optimizer, loss and batches; loss(batch) gives the mean loss of a
        batch. With an argument seed it gets the seed. A fifth, held_out, are batches to judge by that are never trained on.
        A dict of these by name may also have kept_loss and kept_batches: what a model that is fine-tuned knows already.
    steps
        Updates of the run that is planned.
    peak
        The peak rate of the largest group; by default the one that the optimizer was given.
    """
    if task or module is None:
        known = list(TASKS)
        what = f"there is no task {shown(task[0])}{nearest(task[0], known)}" if task else "nothing to measure was given"
        raise PreheatError(f"{what}; write one of {', '.join(known)}, or --module train.py:build --steps 20000")
    if steps is None:
        raise PreheatError("how long the run is decides how long a warmup may be", write="add --steps, such as 20000")
    with told(module):
        return _advised(partial(_made_by_module, module=module), steps, peak, asked)


def _task_command(name: str, options: type[TrainingOptions]) -> Callable[..., int]:
    """The command that measures the built-in task `name`."""

    def advise_task(
        *,
        steps: Count = 400,
        task: TrainingOptions = options(),  # noqa: B008  frozen
        asked: Asked = Asked(),
    ) -> int:
        made = partial(_made_by_task, name=name, options=task)
        return _advised(made, steps, task.peak, asked)

    advise_task.__annotations__["task"] = Annotated[options, Parameter(name="*")]
    advise_task.__doc__ = f"""The built-in task {name}.

Try:

    preheat advise {name} --peak 4e-3 --steps 400

Parameters
----------
steps
    Updates of the run that is planned.
"""
    return advise_task


for _place, (_name, _options) in enumerate(TASKS.items(), start=1):
    app.command(_task_command(_name, _options), name=_name, sort_key=_place)


def _made_by_task(seed: int, *, name: str, options: TrainingOptions) -> Made:
    """A built-in task, made anew, in whichever process."""
    return task_subject(name, options).made(seed)


def _made_by_module(seed: int, *, module: str) -> Made:
    """What a function in a file gives, in whichever process."""
    return module_subject(module).made(seed)


def _advised(made: Callable[[int], Made], steps: int, peak: float | None, asked: Asked) -> int:
    """Measure, race where that is asked for, and print."""
    from preheat.measure import advise

    given = made(asked.seed)
    more = {"held_out": given.held_out, "keep": given.keep}
    advice = advise(*given.four, **more, steps=steps, peak=peak, trial=asked.trial, progress=_said)
    _said("")
    if asked.race_budget is not None:
        raced = _raced(made, advice.facts, asked.race_budget, asked)
        advice = replace(advice, raced=raced)
    wrote = saved(advice.panel(), png=asked.png, svg=asked.svg)
    if asked.json:
        print(json.dumps(advice.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        return 0
    terminal = Terminal.of(sys.stdout)
    print(terminal.text("\n".join(_page(advice, terminal))))
    print("".join(f"\nWrote {path}" for path in wrote), end="\n" if wrote else "")
    return 0


def _raced(made: Callable[[int], Made], facts: "Facts", budget: int, asked: Asked) -> "Raced":
    """The race, its tables on stderr."""
    from rich.console import Console

    from preheat.lab.racing import race

    settings: dict[str, Any] = {} if asked.jobs is None else {"jobs": asked.jobs}
    console = Console(stderr=True)
    return race(
        made, facts, budget=budget, out=asked.out or Path("runs/race"), seed=asked.seed, console=console, **settings
    )


def _said(text: str) -> None:
    """One line of progress, where somebody looks at it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _page(advice: "Advice", terminal: Terminal) -> list[str]:
    """The verdict, the schedule, the reasons, the other rules, the cost."""
    decision = advice.decision
    sure = "" if advice.needed is None or advice.raced is not None else f" (probability {advice.sure})"
    lines = [
        f"{advice.verdict}{sure}",
        "",
        f"    {advice.schedule}",
        f"    peak {advice.peak:.4g}, from {advice.start:.3g}",
        "",
    ]
    lines += fitted([*(f"Not known: {one}." for one in decision.unknown), *advice.reasons], terminal)
    if decision.verdict != "no warmup needed":
        lines += [
            "",
            "What points to why:" if decision.mechanisms else "Nothing measured points to a reason for warmup.",
        ]
        lines += [f"  {one}" for one in decision.mechanisms]
    lines += ["", "What would change it:", *(f"  {one}" for one in advice.would_change)]
    others: list[tuple[str, ...]] = [
        ("other rules", "what they would have said"),
        *((rule.name, rule.says) for rule in advice.rules),
    ]
    lines += ["", *columns(others, "<<", terminal)]
    cost = advice.facts.cost
    raced = f", and {advice.raced.spent} of the race" if advice.raced else ""
    share = advice.cost / advice.facts.steps
    spent = f"Cost: {cost.updates} updates and {cost.forwards} forward passes{raced}"
    said = [f"It rests on {decision.rests_on}.", f"{spent}, {share:.1f} × the run that is planned."]
    said += [advice.sentence[advice.sentence.index("It is for this") :]]
    return [*lines, "", *fitted(said, terminal)]
