"""What holds for all recipes: short, documented, readable, and no two of them the same."""

import ast
import inspect
from itertools import combinations

import pytest

import preheat as ph
from preheat import recipes
from preheat.recipes import RECIPES

REQUIRED = {
    "noam": {"d_model": 512},
    "step_decay": {"every": 100},
    "multistep": {"milestones": [300, 600]},
    "restarts": {"cycle_steps": 100},
}
NAMES = {
    *("linear", "cosine", "wsd", "noam", "inverse_sqrt", "polynomial", "step_decay", "multistep", "exponential_decay"),
    *("one_cycle", "restarts", "constant", "untuned_linear", "untuned_exponential", "radam"),
}
each = pytest.mark.parametrize("name", sorted(RECIPES))


def plain(name: str) -> ph.Schedule:
    return RECIPES[name](**REQUIRED.get(name, {}))


def test_the_recipes_are_those_of_the_design() -> None:
    assert set(RECIPES) == NAMES
    beside = {"AdamScaling", "scaled_adam", "scaled_peak", "batch_ramp", "merge_weights", "seesaw", "yolo_warmup"}
    assert set(recipes.__all__) == {*NAMES, *beside, "Preset", "RECIPES", "presets"}


def test_no_two_recipes_are_equal_at_their_defaults() -> None:
    run = ph.Run(total=20_000)
    tables = {name: plain(name).bind(run).table(20_001) for name in RECIPES}
    for a, b in combinations(sorted(RECIPES), 2):
        assert plain(a) != plain(b), (a, b)
        assert not (tables[a] == tables[b]).all(), (a, b)


@each
def test_a_recipe_is_at_most_ten_lines(name) -> None:
    (function,) = ast.parse(inspect.getsource(RECIPES[name])).body
    statements = function.body[1:]
    assert statements[-1].end_lineno - statements[0].lineno + 1 <= 10


@each
def test_a_recipe_is_composition_only(name) -> None:
    tree = ast.parse(inspect.getsource(RECIPES[name]))
    loops = (ast.For, ast.While, ast.If, ast.Try, ast.With, ast.Lambda, ast.FunctionDef)
    assert not [node for node in ast.walk(tree.body[0]) if isinstance(node, loops) and node is not tree.body[0]]


@each
def test_arguments_are_named_alike_and_typed(name) -> None:
    signature = inspect.signature(RECIPES[name])
    positional = [p for p in signature.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    assert len(positional) <= 2
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    gives = {"noam": "Absolute"}.get(name, "Schedule | Absolute" if "peak_lr" in signature.parameters else "Schedule")
    assert signature.return_annotation == gives
    assert not set(signature.parameters) & {"T_max", "eta_min", "num_training_steps", "lr", "warmup"}
    assert ("decay_steps" in signature.parameters) == (name == "wsd")


@each
def test_a_docstring_is_complete(name) -> None:
    text = inspect.getdoc(RECIPES[name])
    first = text.splitlines()[0]
    assert first.endswith(".")
    assert len(first) <= 100
    assert "s(t) = " in text, "the formula"
    for argument in inspect.signature(RECIPES[name]).parameters:
        assert f"{argument}:" in text, argument
    for part in ("Starts at", "Choose it", "Prefer", ">>> ", "Raises PreheatError", "arXiv:"):
        assert part in text, part


@each
def test_it_is_a_word_of_the_language(name) -> None:
    given = ", ".join(f"{key}={value!r}" for key, value in REQUIRED.get(name, {}).items())
    assert ph.parse(f"{name}({given})") == plain(name)


@each
def test_what_it_prints_is_the_language_and_survives_json(name) -> None:
    s = plain(name)
    assert ph.parse(repr(s)) == s == ph.from_dict(ph.to_dict(s))


@each
def test_it_binds_to_any_run_without_changing_length(name) -> None:
    for total in (10_000, 12_345):
        b = plain(name).bind(ph.Run(total=total))
        assert b.length in (total, float("inf"))
        assert b.table(total).min() >= 0


@pytest.mark.parametrize("name", sorted(NAMES - {"noam", "radam", "untuned_linear", "untuned_exponential"}))
def test_its_peak_is_the_peak_lr(name) -> None:
    s = RECIPES[name](**REQUIRED.get(name, {}), peak_lr=3e-4).bind(ph.Run(total=20_000))
    assert max(s.table(20_000)) == 3e-4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cosin()", "unknown word 'cosin'; did you mean 'cosine'?"),
        ("cosine(warmup=100)", "cosine has no argument 'warmup'"),
        ("cosine(warmup_steps=1, warmup_ratio=0.1)", "column 1: warmup_steps=1 and warmup_ratio=0.1 say the same"),
        ("cosine(peak_lr='x')", "peak_lr must be a number, not 'x'"),
        ("cosine(warmup_steps=hold())", "a span must be a number"),
        ("multistep([hold()])", "a span must be a number"),
        ("noam()", "missing a required argument: 'd_model'"),
    ],
)
def test_the_parser_refuses_a_recipe_in_its_own_words(text, words) -> None:
    with pytest.raises(ph.ParseError) as caught:
        ph.parse(text)
    assert words in str(caught.value)


def test_a_recipe_composes_like_any_schedule() -> None:
    s = ph.parse("untuned_linear() * cosine(peak_lr=1e-3)").bind(ph.Run(total=10_000))
    assert s(1000) == pytest.approx(1001 / 2000 * 1e-3 * 0.9755282581475768)
    assert ph.parse("(linear(100) >> hold(0, 10)).repeated(3)")(110) == 1.0
