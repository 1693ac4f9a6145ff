"""How to do an experiment again, and where it was done, as text for the page and for Markdown."""

from typing import Any

from preheat.lab.command_line import written
from preheat.lab.experiment import Experiment, Study
from preheat.lab.identity.holdings import KEY
from preheat.lab.identity.secrets import Mask
from preheat.lab.naming import printable, relative


def reproduction(experiment: Experiment) -> str:
    """The command that made the experiment; the Python where there was none. No folder, no secret, nothing unprintable."""
    if experiment.command:
        return written(experiment.command)
    if any(study.function is not None for study in experiment.studies):
        return printable("\n".join(map(_compare_text, experiment.studies)))
    return printable(_public_lines(_python_text(experiment)))


def _public_lines(text: str) -> str:
    """Python without folders and secrets, line by line."""
    return "\n".join(relative(Mask().text(line)) for line in text.split("\n"))


def _python_text(experiment: Experiment) -> str:
    """A script that makes the same runs."""
    kinds = {type(study.options) for study in experiment.studies if study.options is not None}
    imports = "".join(
        f"from {kind}\n" for kind in sorted(f"{one.__module__} import {one.__qualname__}" for one in kinds)
    )
    studies = "    ".join(f"{study!r},\n" for study in experiment.studies)
    return f"""\
from pathlib import Path
from preheat.lab.driver import run_experiment
from preheat.lab.experiment import Arm, Experiment, Metric, Study, TargetValue
{imports}
if __name__ == "__main__":
    studies = (
    {studies}    )
    run_experiment(Experiment({experiment.title!r}, studies), Path("runs/again"))"""


def _compare_text(study: Study) -> str:
    """The call of `preheat.compare` that makes the runs of a study of somebody's own training."""
    module, _, qualified = study.trainer.partition(":")
    name = qualified.partition(".")[0]
    arms = "".join(
        f"\n            {arm.family!r}: {arm.spec!r}," for arm in {one.family: one for one in study.arms}.values()
    )
    metrics = [metric.name + (":max" if metric.goal == "max" else "") for metric in study.metrics]
    peaks = f"\n        peaks={list(dict.fromkeys(arm.peak for arm in study.arms))!r}," if study.is_grid else ""
    steps = f"\n        steps={study.steps}," if study.steps is not None else ""
    held = study.held or {}
    named_by = f"\n        key={held[KEY][0]!r}," if KEY in held else ""
    values = "".join(f"    # {name} = {value}\n" for name, (value, _) in held.items() if name != KEY)
    known = f"    # what it held:\n{values}" if values else ""
    aim = study.target
    asked = {"target": aim.value, "target_sd": aim.sd, "target_level": aim.level} if aim else {}
    target = "".join(f"\n        {option}={value!r}," for option, value in asked.items() if value is not None)
    return f"""\
import preheat
from {module} import {name if name.isidentifier() else "train"}

if __name__ == "__main__":
{known}    preheat.compare(
        {qualified if qualified.isidentifier() else "train"},
        arms={{{arms}
        }},
        seeds={list(study.seeds)!r},{peaks}
        metric={metrics!r},{target}{steps}
        title={study.title!r},{named_by}
    )"""


def environment_pairs(group: dict[str, Any]) -> list[tuple[str, str]]:
    """Versions, machine, day."""
    versions = group["versions"] if isinstance(group["versions"], dict) else {}
    pairs = [(str(name), str(version)) for name, version in versions.items()]
    machine = f"{group['platform']}, {group['cpus']} cores, threads a run: {group['threads']}"
    return [*pairs, ("machine", machine), ("date", str(group["date"]))]
