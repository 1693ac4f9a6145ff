"""`preheat compare`: the same training under several schedules, and what the difference is."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path, PurePath
from typing import Annotated, Any

from cyclopts import App, Parameter

from preheat.cli.arms import Arms, arm_options, read_arms, read_seeds, read_target
from preheat.cli.counts import Count, CountOrNone
from preheat.cli.refusals import TASK, at_prompt
from preheat.core.errors import PreheatError, nearest, shown
from preheat.lab.command_line import COMPARE, option_words
from preheat.lab.demo import demo_experiment
from preheat.lab.experiment import Arm, Experiment, Metric, Study
from preheat.lab.naming import LONGEST_NAME
from preheat.lab.tasks import TASKS, TrainingOptions

_NEEDED = {
    "torch": "torch",
    "sklearn": "scikit-learn",
    "scipy": "scipy",
    "matplotlib": "matplotlib",
    "filelock": "filelock",
}
_SCRIPTS = (".py", ".sh", ".jl", ".r", ".R", ".lua", ".js")
_SOME_FAILED = 1

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

    steps: Count = 400
    """Updates of each run."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where the runs are carried out, and what is printed."""

    engine: str = "processes"
    """processes: one for each run; inline: all in this one, for a debugger; ray; slurm; or an engine that a package brings."""

    jobs: CountOrNone = None
    """Runs at a time; one for each GPU, or for each core."""

    gpus: CountOrNone = None
    """GPUs for each run, 1 by default where there are some."""

    address: str | None = None
    """The Ray cluster: auto, HOST:PORT or ray://HOST:PORT; without it a new one on this machine."""

    patience: float | None = None
    """Seconds without a logged update after which a run is ended, an hour by default; for processes only."""

    markdown: bool = False
    """Print a card in Markdown, for a pull request; everything else goes to stderr."""

    title: Annotated[str | None, Parameter(show_default=False)] = None
    """What the comparison is called in the report; without one, what is compared. Another title finds the same runs."""

    def settings(self) -> dict[str, Any]:
        """The keyword arguments of the engine."""
        for name, value, low in (("jobs", self.jobs, 1), ("gpus", self.gpus, 0)):
            if value is not None and value < low:
                raise PreheatError(f"--{name} must be at least {low}, not {value}")
        given = {"jobs": self.jobs, "gpus": self.gpus, "address": self.address, "patience": self.patience}
        return {name: value for name, value in given.items() if value is not None}

    def words(self) -> list[str]:
        """The options that were given, as they are typed."""
        given = [("title", self.title), ("engine", None if self.engine == "processes" else self.engine)]
        given += [
            (name, f"{value:g}" if isinstance(value, float) else value) for name, value in self.settings().items()
        ]
        return [word for name, value in given if value is not None for word in (f"--{name}", str(value))]


@app.default
def compare_own_training(
    *task: Annotated[str, Parameter(show=False)],
    launch: str | None = None,
    arms: Arms = Arms(),  # noqa: B008  frozen
    metric: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ("val_loss",),
    steps: CountOrNone = None,
    secret: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
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
        The logged number that decides, val_loss by default, accuracy:max where higher is better; more of them are told
        beside it.
    steps
        Updates of a run, where that is known: it only shows how much is left.
    secret
        The name of an option or variable whose value is never written, such as --secret site-code; what looks like a
        key, token or password is left out anyway.
    out
        The folder for records and report.
    """
    if task or launch is None:
        known = [*TASKS, "demo"]
        asked = (
            f"there is no task {shown(task[0])}{nearest(task[0], known)}" if task else "nothing to compare was given"
        )
        raise PreheatError(f'{asked}; write one of {", ".join(known)}, or --launch "python train.py"')
    from preheat.lab.running.command import TRAINER, LaunchOptions, fingerprint

    options, known_arms = LaunchOptions(command=launch, hide=secret), read_arms(arms)
    title = machine.title or _title(_script(options.public()["command"]), known_arms)
    study = Study(
        title=title,
        task="launch",
        options=options,
        arms=known_arms,
        seeds=read_seeds(arms),
        steps=steps,
        trainer=TRAINER,
        metrics=tuple(map(Metric.read, metric)),
        code=fingerprint(launch),
        target=read_target(arms),
        prefix="launch",
    )
    words = ["--launch", launch, *arm_options(study, arms), *_repeated(metric=metric, secret=secret)]
    words += ["--steps", str(steps)] if steps is not None else []
    experiment = Experiment(title, (study,), (*COMPARE, *words, *machine.words(), "--out", str(out)))
    defaults = {"jobs": 1, "gpus": 0} if machine.engine == "processes" else {}
    return _run(experiment, machine, out, arms.race, defaults)


def _repeated(**options: tuple[str, ...]) -> list[str]:
    """Options that may be given several times, as they are typed."""
    return [word for option, given in options.items() for one in given for word in (f"--{option}", one)]


def _task_command(name: str, options: type[TrainingOptions]) -> Callable[..., int]:
    """The command that compares schedules on the built-in task `name`; its page is the docstring of the options."""

    def compare_task(
        *,
        arms: Arms = Arms(),  # noqa: B008  frozen
        length: Length = Length(),
        task: TrainingOptions = options(),  # noqa: B008  frozen
        machine: Machine = Machine(),
        out: Path = Path(f"runs/{name}"),
    ) -> int:
        words = (*machine.words(), "--out", str(out))
        return _run(_experiment(name, task, arms, length, title=machine.title, words=words), machine, out, arms.race)

    compare_task.__annotations__["task"] = Annotated[options, Parameter(name="*")]
    compare_task.__doc__ = f"""{cleandoc(options.__doc__ or name)}

Parameters
----------
out
    The folder for records and report.
"""
    return compare_task


for _place, (_name, _options) in enumerate(TASKS.items(), start=1):
    app.command(_task_command(_name, _options), name=_name, sort_key=_place)


@app.command(sort_key=len(TASKS) + 1)
def demo(*, machine: Machine = Machine(), out: Path = Path("runs/demo")) -> int:
    """Does a deep post-norm transformer need warmup? 18 runs, about two minutes.

    A post-norm transformer and its pre-norm control, without warmup, with one over 5 % of the run, as is usual, and with
    one over half of it; three seeds.

    Try:

        preheat compare demo --out runs/demo

    Parameters
    ----------
    out
        The folder for records and report.
    """
    experiment = demo_experiment()
    command = (*COMPARE, "demo", *machine.words(), "--out", str(out))
    return _run(replace(experiment, title=machine.title or experiment.title, command=command), machine, out)


def _experiment(
    name: str, task: TrainingOptions, arms: Arms, length: Length, *, title: str | None, words: Iterable[str]
) -> Experiment:
    """The experiment that the command line describes; `words` end the command.

    Raises PreheatError for an arm or number that cannot be run.
    """
    try:
        known, aim = read_arms(arms), read_target(arms)
        name_of_all = title or _title(name, known)
        study = Study(name_of_all, name, task, known, read_seeds(arms), length.steps, target=aim, prefix=name)
    except PreheatError as error:
        raise at_prompt(error, TASK) from None
    command = (*COMPARE, name, *arm_options(study, arms), "--steps", str(length.steps), *option_words(task), *words)
    return Experiment(study.title, (study,), command)


def _title(what: str, arms: Iterable[Arm]) -> str:
    """What is trained, and what it is compared under."""
    families = list(dict.fromkeys(arm.family for arm in arms))
    title = f"{what}: {' vs '.join(families)}"
    return title if len(title) <= LONGEST_NAME else f"{what[: LONGEST_NAME - 20]}: {len(families)} arms"


def _script(command: str) -> str:
    """What a command runs: its first word that is the name of a script, else its first word."""
    words = shlex.split(command)
    found = next((word for word in words if word.endswith(_SCRIPTS)), words[0])
    text = "".join(letter if letter.isprintable() else " " for letter in PurePath(found).name)
    return text.strip() or "command"


def _run(
    experiment: Experiment, machine: Machine, out: Path, race: bool = False, defaults: Mapping[str, Any] | None = None
) -> int:
    """Run it, and return the exit code."""
    settings = {**(defaults or {}), **machine.settings()}
    if missing := [package for module, package in _NEEDED.items() if find_spec(module) is None]:
        raise PreheatError(f'preheat compare needs {", ".join(missing)}; pip install "preheat[lab]"')
    from rich.console import Console

    from preheat.lab.driver import run_experiment

    console = Console(stderr=machine.markdown)
    summary = run_experiment(experiment, out, engine=machine.engine, race=race, console=console, **settings)
    if machine.markdown:
        print(summary.to_markdown(), end="")
    return _SOME_FAILED if summary.failures else 0
