"""`preheat.compare`: people's own training under several schedules."""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from preheat.core.checks import counted
from preheat.core.errors import PreheatError, shown
from preheat.core.text.language import Target
from preheat.core.text.words import Source
from preheat.lab.driver import run_experiment
from preheat.lab.experiment import Arm, Experiment, Metric, Study, TargetValue, grid, peaks_of
from preheat.lab.identity.holdings import keyed, origin
from preheat.lab.naming import slug, titled
from preheat.lab.summary import Summary


def compare(
    train: Callable[..., Any],
    *,
    arms: Mapping[str, Target | Source],
    seeds: int | Iterable[int] = 3,
    peaks: Sequence[float] = (),
    metric: str | Sequence[str] = "val_loss",
    target: float | None = None,
    target_sd: float | None = None,
    target_level: float | None = None,
    steps: int | None = None,
    title: str | None = None,
    key: str | None = None,
    out: str | Path | None = None,
    engine: Any = "processes",
    race: bool = False,
    console: Console | None = None,
    **settings: Any,
) -> Summary:
    """Train under every schedule with every seed, and say what the difference is: tables, verdict and report in `out`.

        def train(schedule, seed, log):
            torch.manual_seed(seed)                                  # weights and data order: from the seed alone
            model, data = ...
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
            scheduler = Scheduler(optimizer, schedule, run=preheat.Run(total=1000))
            for step, batch in enumerate(data):
                loss = ...
                log(step, loss=loss, lr=scheduler.get_last_lr()[0])
            return {"val_loss": evaluate(model)}

        preheat.compare(train, arms={"none": preheat.decay(), "warm": preheat.warmup("5%") >> preheat.decay()},
                        seeds=range(5), out="runs/warmup")

    train: called as `train(schedule, seed, log)`, by default in a process of its own. `log(step, loss=…, lr=…)` takes
    any numbers by name. What it returns are the final metrics: a dict, one number, or nothing; a metric that it does
    not return is the mean over the last twentieth of what it logged of it. None in the place of a number says that it is not
    finite.
    arms: the schedules by name: factors of the peak, `absolute(…)`, a `Plan`, or whatever else `parse` takes. The others are
    compared with the first. Factors have 1 as their peak, unless they say `relative(…)`.
    seeds: the same ones for every arm; a number n means 0 to n − 1.
    peaks: with peaks every arm is run at each, and `train` gets `absolute(schedule.scaled(peak))`.
    metric: what decides, by default "val_loss" as on the command line, and after it what is reported beside it;
    "accuracy:max" where higher is better. One number that `train` returns is the metric that decides.
    target: a value that the mean of the deciding metric is to be better than, asked of each arm by a one-sided test:
    Student's, or with target_sd, a standard deviation known from other runs, a z test. target_level: the probability of
    a false claim, all arms together, 0.05 by default.
    steps: updates of a run, where that is known beforehand: it only shows how much is left, and is no configuration.
    title: what the report is called, by default the name of `train`; with another title the same runs are found.
    key: names the configuration, such as "width=64", and stands for all that `train` holds; see below.
    out: the folder, by default `runs/` and the name of `train`. The same call runs only what is missing.
    engine: "processes" (jobs=…, gpus=…, patience=…), "inline", "ray" (address=…), "slurm" (folder=…), one
    that a package registers (`preheat.lab.engines.registry`), or any `concurrent.futures.Executor`.
    race: after each round of seeds only the better half of the arms goes on.
    console: where progress and tables are shown, by default the terminal.   settings: what the engine takes, by name.

    What `train` holds is configuration: arguments of a partial, a closure, defaults, the state of an object whose method it
    is, and the values that it and the functions that it calls read of your own modules. A folder with runs of other values is
    refused. What cannot be seen, such as environment variables, is for `key`. Where a value cannot be known in the next call,
    such as an open file, its runs are not taken up again without a `key`. Other source is no other configuration: such runs
    are kept, and that is said.

    Returns a `Summary`: `.verdicts`, `.studies`, `.records`, `.failures`. A script that calls this needs
    `if __name__ == "__main__":` around the call, as always with processes.

    Raises `PreheatError`, before anything is run, for what cannot be compared, or a folder that holds something else.
    """
    _check_signature(train)
    _check_ways(race, console)
    name = getattr(origin(train), "__name__", "train")
    study = Study(
        title=titled(name) if title is None else title,
        task=name,
        options=None,
        arms=_arms(arms, peaks),
        seeds=_seeds(seeds),
        steps=steps,
        trainer=_reference(origin(train)),
        metrics=tuple(map(Metric.read, metric if _is_list(metric) else [metric])),  # type: ignore[arg-type]
        function=train,
        target=TargetValue.given(target, target_sd, target_level),
        prefix=name,
        held=None if key is None else keyed(key),
    )
    experiment = Experiment(study.title, (study,))
    folder = Path("runs") / slug(name) if out is None else _folder(out)
    return run_experiment(experiment, folder, engine=engine, race=race, console=console, **settings)


def _arms(arms: Mapping[str, Target | Source], peaks: Sequence[float]) -> tuple[Arm, ...]:
    """The arms of a study, at every peak where there are some."""
    if not isinstance(arms, Mapping):
        raise PreheatError(f"arms are schedules by name, such as {{'none': preheat.decay()}}, not {shown(arms)}")
    known = tuple(Arm(name, target) for name, target in arms.items())
    rates = () if peaks is None else peaks_of(peaks)
    return grid(known, rates) if rates else known


def _seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """The seeds of a number of them, or those that are given."""
    if _is_list(seeds):
        return tuple(seeds)  # type: ignore[arg-type]
    what, write = (
        "seeds is how many there are, at least 1, or the seeds themselves",
        "write seeds=3, or seeds=(0, 1, 2)",
    )
    return tuple(range(counted(seeds, what, 1, write=write)))


def _is_list(given: object) -> bool:
    """Whether several things are given; arrays of no dimension say so only when they are gone through."""
    return isinstance(given, Iterable) and not isinstance(given, str | bytes) and getattr(given, "ndim", 1) != 0


def _folder(out: object) -> Path:
    """The folder for the results."""
    if not isinstance(out, str | Path) or not str(out).strip() or "\0" in str(out):
        raise PreheatError("out is the path of a folder", given=out, write="write for example out='runs/warmup'")
    return Path(out)


def _reference(function: Callable[..., Any]) -> str:
    """`module:name`; for a function or class of the script that is being run, the script's name."""
    module = getattr(function, "__module__", None) or "unknown"
    if module == "__main__":
        module = Path(getattr(sys.modules["__main__"], "__file__", None) or "notebook").stem
    return f"{module}:{getattr(function, '__qualname__', type(function).__name__)}"


def _check_ways(race: object, console: object) -> None:
    """Refuse what says neither yes nor no, and what cannot be printed on."""
    if not isinstance(race, bool):
        raise PreheatError("race must be True or False", given=race)
    if not isinstance(console, Console | None):
        raise PreheatError("console is a rich.console.Console", given=console, write="write Console(file=…)")


def _check_signature(train: Callable[..., Any]) -> None:
    """Refuse a function that cannot be called with a schedule, a seed and a log."""
    if not callable(train):
        raise PreheatError(f"compare takes a function train(schedule, seed, log), not {shown(train)}")
    try:
        signature = inspect.signature(train)
    except (TypeError, ValueError):  # a built-in one that does not say
        return
    try:
        signature.bind(None, 0, None)
    except TypeError as error:
        raise PreheatError(
            f"compare calls train(schedule, seed, log), and {shown(train)} cannot be called so: {error}",
            write="write def train(schedule, seed, log), and give what else it needs by functools.partial(train, width=64)",
        ) from None
