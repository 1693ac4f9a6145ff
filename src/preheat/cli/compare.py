"""`preheat compare`: the same training under several schedules, and what the difference is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from preheat.cli.arms import Arms, arm_words, arms_of, seeds_of
from preheat.cli.laying import as_options
from preheat.core.errors import PreheatError, nearest, shown
from preheat.lab.demo import demo_experiment
from preheat.lab.experiment import Experiment, Metric, Study
from preheat.lab.tasks.options import TASKS, BytesOptions, DigitsOptions, TrainingOptions

NEEDED = {
    "torch": "torch",
    "sklearn": "scikit-learn",
    "scipy": "scipy",
    "matplotlib": "matplotlib",
    "filelock": "filelock",
}
SOME_FAILED = 1

app = App(
    name="compare",
    help_format="plaintext",
    help="""
Train the same model under several schedules, and say what the difference is.

Try:

    preheat compare demo
    preheat compare bytes --arm no='decay()' --arm yes='warmup(90) >> decay()'
    preheat compare digits --optimizer adam --peaks 1e-3,3e-3 --warmups 0,50
    preheat compare --launch "python train.py" --warmups 0,5%

All arms have the same data, the same peak rate and, seed by seed, the same
initial weights; only the schedule differs. The folder --out then holds a record
of every run, summary.json, figure.png and report.html. The same command again
runs only what is missing. It needs pip install "preheat[lab]".
""",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Length:
    """How long a run of a built-in task is."""

    steps: int = 400
    """Updates of each run."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where the runs are carried out, and what is printed."""

    engine: Literal["processes", "inline", "ray", "slurm"] = "processes"
    """A process for each run, all of them in this one (for a debugger), a Ray cluster, or Slurm."""

    jobs: int | None = None
    """Runs at a time; one for each GPU, or for each core."""

    gpus: int | None = None
    """GPUs for each run, 1 by default where there are some."""

    address: str | None = None
    """The Ray cluster: auto, HOST:PORT or ray://HOST:PORT; without it a new one on this machine."""

    patience: float | None = None
    """Seconds without a logged update after which a run is ended, an hour by default; for processes only."""

    markdown: bool = False
    """Print the report as Markdown, for a pull request; everything else goes to stderr."""

    def settings(self) -> dict[str, Any]:
        """What the engine is told."""
        for name, value, low in (("jobs", self.jobs, 1), ("gpus", self.gpus, 0)):
            if value is not None and value < low:
                raise PreheatError(f"--{name} must be at least {low}, not {value}")
        given = {"jobs": self.jobs, "gpus": self.gpus, "address": self.address, "patience": self.patience}
        return {name: value for name, value in given.items() if value is not None}


@app.default
def launch(
    *task: Annotated[str, Parameter(show=False)],
    launch: str | None = None,
    arms: Arms = Arms(),  # noqa: B008  frozen
    metric: tuple[str, ...] = ("val_loss",),
    steps: int | None = None,
    machine: Machine = Machine(),
    out: Path = Path("runs/launch"),
) -> int:
    """Your own training script, in any language.

    Try:

        preheat compare --launch "torchrun --nproc-per-node 8 train.py" --seeds 5

    Parameters
    ----------
    launch
        The command. {seed}, {arm}, {run} and {log} in it are filled in. The script gets its schedule by
        preheat.from_env() and reports by preheat.log(step, loss=…), or reads PREHEAT_SCHEDULE and PREHEAT_SEED and
        appends lines such as {"step": 0, "loss": 5.6} to the file PREHEAT_LOG. One run at a time unless --jobs says more.
    metric
        The logged number that decides, accuracy:max where higher is better; more of them are told beside it.
    steps
        Updates of a run, where that is known: it only shows how much is left.
    out
        The folder for records and report.
    """
    if task or launch is None:
        known = ["bytes", "digits", "demo"]
        asked = (
            f"there is no task {shown(task[0])}{nearest(task[0], known)}" if task else "nothing to compare was given"
        )
        raise PreheatError(f'{asked}; write one of {", ".join(known)}, or --launch "python train.py"')
    from preheat.lab.command import TRAINER, LaunchOptions, fingerprint

    options = LaunchOptions(command=launch)
    study = Study(
        title="launch",
        task="launch",
        options=options,
        arms=arms_of(arms),
        seeds=seeds_of(arms),
        steps=steps,
        trainer=TRAINER,
        metrics=tuple(map(Metric.read, metric)),
        code=fingerprint(launch),
    )
    words = ["--launch", launch, *arm_words(study, arms), *(word for name in metric for word in ("--metric", name))]
    experiment = Experiment(
        options.public()["command"][:60], (study,), ("preheat", "compare", *words, "--out", str(out))
    )
    usual = {"jobs": 1, "gpus": 0} if machine.engine == "processes" else {}
    return _carried_out(experiment, machine, out, arms.race, usual)


@app.command(name="bytes", sort_key=1)
def compare_bytes(
    *,
    arms: Arms = Arms(),  # noqa: B008  frozen
    length: Length = Length(),
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
    return _compare(task, arms, length, machine, out)


@app.command(name="digits", sort_key=2)
def compare_digits(
    *,
    arms: Arms = Arms(),  # noqa: B008  frozen
    length: Length = Length(),
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
    return _compare(task, arms, length, machine, out)


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


def experiment_of(task: TrainingOptions, arms: Arms, length: Length, out: Path) -> Experiment:
    """The experiment that the command line describes. Raises PreheatError for an arm or number that cannot be run."""
    name = next(name for name, kind in TASKS.items() if isinstance(task, kind))
    try:
        study = Study(name, name, task, arms_of(arms), seeds_of(arms), length.steps)
    except PreheatError as error:
        raise PreheatError(as_options(str(error)).replace("--total", "--steps")) from None
    families = dict.fromkeys(arm.family for arm in study.arms)
    title = f"{name}: {' vs '.join(families)}"
    words = [*arm_words(study, arms), "--steps", str(length.steps), *task_words(name, task)]
    command = ("preheat", "compare", name, *words, "--out", str(out))
    return Experiment(title if len(title) <= 60 else f"{name}: {len(families)} arms", (study,), command)


def task_words(name: str, task: TrainingOptions) -> list[str]:
    """What is not the default of the task."""
    usual, given = asdict(TASKS[name]()), asdict(task)
    changed = [(name, value) for name, value in given.items() if value != usual[name]]
    return [word for name, value in changed for word in (f"--{name.replace('_', '-')}", str(value))]


def _compare(task: TrainingOptions, arms: Arms, length: Length, machine: Machine, out: Path) -> int:
    return _carried_out(experiment_of(task, arms, length, out), machine, out, arms.race)


def _carried_out(
    experiment: Experiment, machine: Machine, out: Path, race: bool = False, usual: Mapping[str, Any] | None = None
) -> int:
    """Run it, and return the exit code."""
    settings = {**(usual or {}), **machine.settings()}
    if missing := [package for module, package in NEEDED.items() if find_spec(module) is None]:
        raise PreheatError(f'preheat compare needs {", ".join(missing)}; pip install "preheat[lab]"')
    from rich.console import Console

    from preheat.lab.driver import run_experiment

    console = Console(stderr=machine.markdown)
    summary = run_experiment(experiment, out, engine=machine.engine, race=race, console=console, **settings)
    if machine.markdown:
        print((out / "report.md").read_text(encoding="utf-8"), end="")
    return SOME_FAILED if summary.failures else 0
