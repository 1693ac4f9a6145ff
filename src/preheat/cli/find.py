"""`preheat find`: a range test of the learning rate, drawn, and what it suggests."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from preheat.cli.columns import columns
from preheat.cli.counts import Count
from preheat.cli.pictures import Picture, saved
from preheat.cli.subjects import Subject, module_subject, task_subject, told
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.extras import needed
from preheat.lab.tasks import TASKS, TrainingOptions
from preheat.plots.terminal import Terminal, braille

if TYPE_CHECKING:
    from preheat.measure.rates.swept import RangeTest

app = App(
    name="find",
    help_format="plaintext",
    help="""
Find a learning rate by a range test: a short training whose rate grows.

Try:

    preheat find digits
    preheat find bytes --norm pre --repeats 5
    preheat find --module train.py:build
    preheat find --launch "python train.py"

The rate of update i of N is low * (high/low)^(i/N), and four rules read the
curve of the loss: valley, slide, minimum and steep. Each repeat begins with
other weights and batches, so that every suggestion has an interval. What is
found holds for training without warmup from such weights; it says nothing
about how long to warm up.
""",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """The sweep, and what is written."""

    low: float = 1e-7
    """The rate of the first update."""

    high: float = 10.0
    """The rate towards which it grows."""

    updates: Count = 100
    """Updates of a sweep that does not diverge."""

    repeats: Count = 3
    """Sweeps, with the seeds 0, 1, 2 ..."""

    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False
    """Print JSON: suggestions, sweeps, the sentence."""

    png: Picture = None
    """Also write the picture to this file, as PNG; needs matplotlib."""

    svg: Picture = None
    """Also write the picture to this file, as SVG."""

    def seeds(self) -> range:
        """The seeds. Raises PreheatError for none."""
        if self.repeats < 1:
            raise PreheatError(f"--repeats must be at least 1, not {self.repeats}")
        return range(self.repeats)


@app.default
def find_own(
    *task: Annotated[str, Parameter(show=False)],
    module: str | None = None,
    launch: str | None = None,
    sweep: SweepOptions = SweepOptions(),
    micro_batches: Count = 1,
    out: Path = Path("runs/find"),
) -> int:
    """A training of your own: a function that makes it, or a script in any language.

    Try:

        preheat find --module train.py:build --repeats 5
        preheat find --launch "python train.py --seed {seed}" --low 1e-6 --high 1

    Parameters
    ----------
    module
        A file and a function in it, such as train.py:build. It is called with seed=, if it takes that, and returns model,
        optimizer, loss and batches: loss(batch) gives the loss of a batch as a tensor of one number.
    launch
        A command. The script gets its rates by preheat.from_env(), and reports by preheat.log(step, loss=…, lr=…) at every
        update. It is run once for each repeat, and ended when the sweep is.
    micro_batches
        Batches that make one update, for --module.
    out
        The folder for what the script prints.
    """
    if task:
        raise PreheatError(f"there is no task {shown(task[0])}{nearest(task[0], TASKS)}")
    if (module is None) == (launch is None):
        given = "nothing to train was given" if module is None else "--module and --launch were both given"
        raise PreheatError(f'{given}; write digits, --module train.py:build, or --launch "python train.py"')
    if module is not None:
        with told(module):
            return _answer(lambda: _measured(module_subject(module), sweep, micro_batches), module, sweep)
    if micro_batches != 1:
        raise PreheatError("--micro-batches is for --module; a script of --launch logs once for each update")
    return _answer(lambda: _launched(str(launch), sweep, out), str(launch), sweep)


def _task_command(name: str, options: type[TrainingOptions]) -> Callable[..., int]:
    """The command that finds a rate for the built-in task `name`."""

    def find_task(
        *,
        sweep: SweepOptions = SweepOptions(),
        micro_batches: Count = 1,
        task: TrainingOptions = options(),  # noqa: B008  frozen
    ) -> int:
        return _answer(lambda: _measured(task_subject(name, task), sweep, micro_batches), name, sweep)

    find_task.__annotations__["task"] = Annotated[options, Parameter(name="*")]
    about = (options.__doc__ or name).splitlines()[0]
    find_task.__doc__ = f"""{about}

Try:

    preheat find {name}
    preheat find {name} --optimizer adam --updates 200 --svg found.svg

Parameters
----------
micro_batches
    Batches that make one update.
"""
    return find_task


for _place, (_name, _options) in enumerate(TASKS.items(), start=1):
    app.command(_task_command(_name, _options), name=_name, sort_key=_place)


def _measured(subject: Subject, sweep: SweepOptions, micro_batches: int) -> "RangeTest":
    """A sweep for each seed, of a model that is made anew."""
    with needed("preheat find", "lab"):
        from preheat.measure.rates.range_test import lr_range_test
    from preheat.measure.rates.swept import RangeTest

    settings: dict[str, Any] = {"low": sweep.low, "high": sweep.high, "updates": sweep.updates}
    settings |= {"repeats": 1, "micro_batches": micro_batches}
    return RangeTest.pooled(lr_range_test(*subject.made(seed).four, **settings) for seed in sweep.seeds())


def _launched(command: str, sweep: SweepOptions, out: Path) -> "RangeTest":
    """A sweep for each seed, by the script."""
    from preheat.lab.running.command import LaunchOptions
    from preheat.lab.running.sweeping import swept_command
    from preheat.measure.rates.suggesters import sweep_rates
    from preheat.measure.rates.swept import RangeTest

    options = LaunchOptions(command=command)
    sweep_rates(sweep.low, sweep.high, sweep.updates)  # refused before anything runs
    rates = (sweep.low, sweep.high, sweep.updates)
    return RangeTest(tuple(swept_command(options, rates, seed, out) for seed in sweep.seeds()), "seeds")


def _answer(measure: Callable[[], "RangeTest"], name: str, sweep: SweepOptions) -> int:
    """Measure, and print what was found."""
    found = measure()
    wrote = saved(found.panel(), png=sweep.png, svg=sweep.svg)
    if sweep.json:
        print(json.dumps(_plain(found), indent=1, allow_nan=False))
        return 0
    terminal = Terminal.of(sys.stdout)
    parts = [terminal.styled(name, "1"), _curve(found, terminal), "\n".join(_table(found, terminal)), str(found)]
    print(terminal.text("\n\n".join(part for part in parts if part)))
    print("".join(f"\nWrote {path}" for path in wrote), end="\n" if wrote else "")
    return 0


def _curve(found: "RangeTest", terminal: Terminal) -> str:
    """The smoothed loss of the first sweep over its updates, with the rates below."""
    one = found.sweeps[0]
    curve = one.kept()
    if len(curve.losses) < 2:
        return ""
    at = range(curve.begin, curve.begin + len(curve.losses))
    width = terminal.width if terminal.unicode else terminal.width - 1
    drawn = braille(curve.losses, at=at, width=width, height=12, terminal=terminal)
    places = (0, len(at) // 2, len(at) - 1)
    rates = ", ".join(f"{curve.rates[place]:.2g} at update {at[place]}" for place in places)
    return f"smoothed loss{' of the first sweep' * (len(found.sweeps) > 1)}\n{drawn}\nrate: {rates}"


def _table(found: "RangeTest", terminal: Terminal) -> list[str]:
    """A line for each suggestion."""
    rows: list[tuple[str, ...]] = [("suggestion", "rate", "95 % interval", "each sweep")]
    for one in found.suggestions.values():
        rate = "none" if one.rate is None else f"{one.rate:.3g}"
        ends = "" if one.low is None or one.high is None else f"{one.low:.2g} to {one.high:.2g}"
        each = ", ".join("none" if own is None else f"{own:.2g}" for own in one.rates[:6])
        rows.append((one.name, rate, ends, each + (", …" if len(one.rates) > 6 else "")))
    return columns(rows, "<><<", terminal)


def _plain(found: "RangeTest") -> dict[str, Any]:
    """All of it as JSON holds it; a loss that is not finite is null."""
    sweeps = [
        {**asdict(one), "losses": [loss if math.isfinite(loss) else None for loss in one.losses]}
        for one in found.sweeps
    ]
    return {
        "suggestions": {name: asdict(one) for name, one in found.suggestions.items()},
        "varied": found.varied,
        "sentence": found.sentence,
        "sweeps": sweeps,
    }
