"""`preheat compare`: the same training under several schedules, and what the difference is."""

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from preheat.cli.laying import as_options
from preheat.core.errors import ParseError, PreheatError, shown
from preheat.lab.demo import LINEAR, NONE, demo_experiment
from preheat.lab.experiment import Arm, Experiment, Study
from preheat.lab.tasks.options import TASKS, BytesOptions, DigitsOptions, TrainingOptions

NEEDED = {"torch": "torch", "sklearn": "scikit-learn", "scipy": "scipy", "matplotlib": "matplotlib"}
SOME_FAILED = 1

app = App(
    name="compare",
    help_format="plaintext",
    help="""
Train the same model under several schedules, and say what the difference is.

Try:

    preheat compare demo
    preheat compare bytes --arm no='decay()' --arm yes='warmup(90) >> decay()'
    preheat compare digits --optimizer adam --peak 3e-3 --steps 200

All arms have the same data, the same peak rate and, seed by seed, the same
initial weights; only the schedule differs. The folder --out then holds a record
of every run, summary.json, figure.png and report.html. The same command again
runs only what is missing. It needs pip install "preheat[lab]".
""",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Runs:
    """What every comparison is asked: which schedules, how often, how long, and where to."""

    arm: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ()
    """NAME=SCHEDULE, with 1 as the peak; once for each arm, the others are compared with the first. Without any:
    none='decay()' and linear='warmup("50%") >> decay()'."""

    seeds: int = 3
    """Runs of each arm: seeds 0, 1, 2 …; the same ones in every arm."""

    steps: int = 400
    """Updates of each run."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where the runs are carried out."""

    jobs: int | None = None
    """Runs at a time; the number of cores by default."""

    engine: Literal["processes", "inline"] = "processes"
    """A process for each run, or all of them in this one, for a debugger."""


@app.command(name="bytes", sort_key=1)
def compare_bytes(
    *,
    runs: Runs = Runs(),
    task: Annotated[BytesOptions, Parameter(name="*")] = BytesOptions(),  # noqa: B008  frozen
    machine: Machine = Machine(),
    out: Path = Path("runs/bytes"),
) -> int:
    """A byte-level transformer on the source text of Python's own library.

    Try:

        preheat compare bytes --arm no='decay()' --arm yes='warmup(90) >> decay()'
        preheat compare bytes --norm pre --depth 4 --peak 1e-3 --out runs/pre

    Parameters
    ----------
    out
        The folder for records and report.
    """
    return _compare("bytes", runs, task, machine, out)


@app.command(name="digits", sort_key=2)
def compare_digits(
    *,
    runs: Runs = Runs(),
    task: Annotated[DigitsOptions, Parameter(name="*")] = DigitsOptions(),  # noqa: B008  frozen
    machine: Machine = Machine(),
    out: Path = Path("runs/digits"),
) -> int:
    """A deep MLP or a small CNN on scikit-learn's handwritten digits.

    Try:

        preheat compare digits --seeds 5
        preheat compare digits --model cnn --optimizer adam --peak 3e-3

    Parameters
    ----------
    out
        The folder for records and report.
    """
    return _compare("digits", runs, task, machine, out)


@app.command(sort_key=3)
def demo(*, machine: Machine = Machine(), out: Path = Path("runs/demo")) -> int:
    """Does a deep post-norm transformer need warmup? 15 runs, about two minutes.

    Three arms of a post-norm transformer, two of its pre-norm control, three seeds.

    Try:

        preheat compare demo --out runs/demo

    Parameters
    ----------
    out
        The folder for records and report.
    """
    return _carried_out(demo_experiment(), machine, out)


def experiment_of(task: str, runs: Runs, options: TrainingOptions, out: Path) -> Experiment:
    """The experiment that the command line describes. Raises PreheatError for an arm or number that cannot be run."""
    if runs.seeds < 1:
        raise PreheatError(f"--seeds must be at least 1, not {runs.seeds}")
    arms = tuple(map(_arm, runs.arm)) or (NONE, LINEAR)
    try:
        study = Study(task, task, options, arms, tuple(range(runs.seeds)), runs.steps)
    except PreheatError as error:
        raise PreheatError(as_options(str(error)).replace("--total", "--steps")) from None
    title = f"{task}: {' vs '.join(arm.name for arm in arms)}"
    return Experiment(title if len(title) <= 60 else f"{task}: {len(arms)} arms", (study,), _command(study, out))


def _arm(text: str) -> Arm:
    try:
        return Arm.read(text)
    except ParseError as error:
        raise PreheatError(f"--arm {shown(text)}: {error}") from None


def _command(study: Study, out: Path) -> tuple[str, ...]:
    """The words that make this comparison again: arms, seeds and steps, and what is not the default of the task."""
    usual, given = asdict(TASKS[study.task]()), asdict(study.options)
    changed = [(name, value) for name, value in given.items() if value != usual[name]]
    words = [word for name, value in changed for word in (f"--{name.replace('_', '-')}", str(value))]
    texts = [
        f"{arm.name}={arm.spec}".replace("'", '"') for arm in study.arms
    ]  # a shell quotes what has these marks best
    arms = [word for text in texts for word in ("--arm", text)]
    size = ["--seeds", str(len(study.seeds)), "--steps", str(study.steps)]
    return ("preheat", "compare", study.task, *arms, *size, *words, "--out", str(out))


def _compare(task: str, runs: Runs, options: TrainingOptions, machine: Machine, out: Path) -> int:
    return _carried_out(experiment_of(task, runs, options, out), machine, out)


def _carried_out(experiment: Experiment, machine: Machine, out: Path) -> int:
    """Run it, and return the exit code."""
    if machine.jobs is not None and machine.jobs < 1:
        raise PreheatError(f"--jobs must be at least 1, not {machine.jobs}")
    if missing := [package for module, package in NEEDED.items() if find_spec(module) is None]:
        raise PreheatError(f'preheat compare needs {", ".join(missing)}; pip install "preheat[lab]"')
    from preheat.lab.compare import run_experiment

    summary = run_experiment(experiment, out, jobs=machine.jobs, engine=machine.engine)
    return SOME_FAILED if summary.failures else 0
