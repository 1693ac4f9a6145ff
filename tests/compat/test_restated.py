"""What holds for every restatement, whatever the library: it is a value of the language, found by the library's own names."""

import inspect
import json
from pathlib import Path

import pytest

import preheat as ph
from preheat import compat
from preheat.compat.parts.restated import curve_of
from preheat.core.findings import CODES

GOLDEN = Path(__file__).parents[1] / "parity" / "golden"
FIRST = {
    (content["peer"], vector["scheduler"]): vector
    for content in (json.loads(path.read_text(encoding="utf-8")) for path in sorted(GOLDEN.glob("*.json")))
    for vector in reversed(content["vectors"])
}
EVERY = [
    pytest.param(library, name, id=f"{library}-{name}")
    for library in compat.PEERS
    for name in compat.peer(library).functions
]
KEPT = [pytest.param(*key, vector["arguments"], id="-".join(key)) for key, vector in FIRST.items()]


@pytest.mark.parametrize(("library", "name"), EVERY)
def test_its_arguments_are_taken_by_name_and_it_says_its_formula(library: str, name: str) -> None:
    function = compat.peer(library)[name]
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
    assert "base_lr" in inspect.signature(function).parameters or inspect.Parameter.VAR_KEYWORD in kinds
    assert function.__doc__
    assert getattr(getattr(compat, library), name) is function


@pytest.mark.parametrize(("library", "name"), EVERY)
def test_an_argument_that_is_not_known_is_refused_with_the_nearest(library: str, name: str) -> None:
    parameters = inspect.signature(compat.peer(library)[name]).parameters
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return
    with pytest.raises(ph.PreheatError, match=r"has no argument 'base_rl'; did you mean 'base_lr'"):
        compat.restate(library, name, base_rl=1.0)


@pytest.mark.parametrize(("library", "name", "arguments"), KEPT)
def test_it_is_text_and_data_of_the_language(library: str, name: str, arguments: dict) -> None:
    found = compat.restate(library, name, **arguments)
    assert ph.parse(repr(found)) == found.target == ph.parse(found)
    assert ph.from_dict(ph.to_dict(found.target)) == found.target
    assert ph.Plan(found) == found.plan
    assert all(one.code in CODES for one in found.findings)
    assert found(0) == curve_of(found)(0) == found.function(0) == found.table(1)[0]


@pytest.mark.parametrize(("library", "name", "arguments"), KEPT)
def test_factors_where_the_base_is_one_and_rates_where_it_is_said(library: str, name: str, arguments: dict) -> None:
    """A restatement never gives a Scheduler rates that would be taken for factors."""
    found = compat.restate(library, name, **arguments | {"base_lr": 1.5 * arguments.get("base_lr", 1.0) + 1})
    assert found.schedule == ph.absolute(curve_of(found))


def test_the_doors_say_what_is_known() -> None:
    assert compat.restate("hf", "get_cosine_schedule_with_warmup", num_warmup_steps=1, num_training_steps=4).length == 4
    with pytest.raises(ph.PreheatError, match="no library 'transfomers' is restated; did you mean 'transformers'"):
        compat.restate("transfomers", "cosine")
    with pytest.raises(ph.PreheatError, match="transformers has no scheduler 'cosinus'; did you mean 'cosine'"):
        compat.restate("transformers", "cosinus")
    with pytest.raises(ph.PreheatError, match=r"cosine needs num_warmup_steps and num_training_steps"):
        compat.transformers.cosine()
    with pytest.raises(ph.PreheatError, match="takes its arguments by name, not 10"):
        compat.transformers.cosine(10, 100)
    with pytest.raises(AttributeError, match="did you mean 'transformers'"):
        compat.transfomers  # noqa: B018


def test_whatever_takes_a_schedule_takes_a_restatement() -> None:
    torch = pytest.importorskip("torch")
    from preheat.torch import Scheduler

    found = compat.transformers.linear(num_warmup_steps=2, num_training_steps=8)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    assert Scheduler(optimizer, found).get_last_lr() == [0.0]
    assert ph.Plan({"lr": found, "momentum": "absolute(hold(0.9))"})["lr"] == found.schedule
    assert ph.Plan({"lr": ph.presets["llama2_7b"]})["lr"] == ph.presets["llama2_7b"].schedule


def test_both_are_found_by_the_names_that_people_write() -> None:
    for library, name, function in (
        ("pytorch", "SWALR", "swalr"),
        ("torch", "swa_lr", "swalr"),
        ("timm", "cosine", "cosine_lr_scheduler"),
        ("tf", "CosineDecay", "cosine_decay"),
        ("Megatron-LM", "OptimizerParamScheduler", "optimizer_param_scheduler"),
    ):
        assert compat.peer(library)[name].__name__ == function
    assert compat.timm.cosine is compat.timm.cosine_lr_scheduler
