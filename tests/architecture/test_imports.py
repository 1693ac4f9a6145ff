"""No circles, no borrowed underscores, and no import inside a function without a reason."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from imports import ALL, MODULES, circles

# every import of preheat inside a function, by the module and the function, with its reason
LATE: dict[tuple[str, str], str] = {
    ("preheat", "_draw"): "only a notebook needs what draws",
    ("preheat.cli.advise", "_advised"): "only a measurement brings torch; --help must not wait for it",
    ("preheat.cli.advise", "_raced"): "only a race brings the lab",
    ("preheat.cli.bound", "bound"): "the bound brings numpy, and --help must not wait for it",
    ("preheat.cli.compare", "compare_own_training"): "only a command of one's own needs what starts it",
    ("preheat.cli.compare", "_run"): "the lab brings scipy and matplotlib; --help must not wait for them",
    ("preheat.cli.diff", "_panel"): "only a picture needs what draws it",
    ("preheat.cli.find", "_launched"): "only a command of one's own needs what starts it",
    ("preheat.cli.find", "_measured"): "measuring brings torch; --help must not wait for it",
    ("preheat.cli.pictures", "_written"): "only a picture needs what draws it",
    ("preheat.cli.predict", "predict"): "measuring brings numpy and what draws; --help must not wait for them",
    ("preheat.cli.show", "_panel"): "only a picture needs what draws it",
    ("preheat.cli.studio", "studio"): "the page brings all that can be opened; --help must not wait for it",
    ("preheat.cli.subjects", "_four"): "measuring brings torch; --help must not wait for it",
    ("preheat.cli.subjects", "task_subject.made"): "a task brings torch; --help must not wait for it",
    ("preheat.cli.watch", "watch"): "only a picture needs what draws it",
    ("preheat.lab.driver", "_write"): "the report brings Jinja and matplotlib, which a run does not need",
    ("preheat.lab.summary", "_repr_html_"): "only a notebook needs what draws",
    ("preheat.lab.summary", "to_markdown"): "only a card needs what draws",
    ("preheat.studio.opening", "comparison"): "only a comparison's folder brings what reads its records",
    (
        "preheat.recipes.batches",
        "batch_ramp",
    ): "scaling rules bring dataclasses, a quarter of what import preheat costs",
    ("preheat.lab.tasks.bytes", "model"): "models bring torch, and the command line reads the options without it",
    ("preheat.lab.tasks.digits", "model"): "models bring torch, and the command line reads the options without it",
}


def test_no_circle_of_imports_those_inside_functions_counted() -> None:
    assert circles() == []


def test_no_module_takes_an_underscored_name_from_another() -> None:
    borrowed = [one for one in ALL if one.source in MODULES and one.name.startswith("_") and one.source != one.user]
    assert borrowed == []


def test_every_import_of_preheat_inside_a_function_has_a_reason() -> None:
    late = {(one.user, one.inside) for one in ALL if one.inside and one.source.split(".")[0] == "preheat"}
    assert late == set(LATE)
    assert all(LATE.values())
