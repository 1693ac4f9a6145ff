"""Stacked runs are the runs that the lab would have trained one by one, and none disturbs another."""

import math
from dataclasses import replace

import pytest
import torch
from benchmarks.advisor.families import CONFIGURATIONS, Configuration
from benchmarks.advisor.grid import results, run, trained
from benchmarks.advisor.modular import ModularOptions
from benchmarks.advisor.stacked import Cell, schedule, train_cells

from preheat.core.errors import PreheatError
from preheat.lab.tasks import BytesOptions, DigitsOptions, TrainingOptions
from preheat.lab.tasks.training import train

STEPS = 12
OPTIONS: dict[str, TrainingOptions] = {
    "mlp-sgd": DigitsOptions(batch=32, depth=3, width=32),
    "mlp-layernorm-adam": DigitsOptions(batch=32, depth=3, width=32, norm="layer", optimizer="adam"),
    "cnn": DigitsOptions(batch=32, depth=2, width=4, model="cnn", norm="layer"),
    "post-norm-adam": BytesOptions(depth=1, width=16, context=16, beta2=0.95),
    "pre-norm-sgd": BytesOptions(depth=1, width=16, context=16, norm="pre", optimizer="sgd"),
}


def silent(*_: object, **__: object) -> None:
    """A log that nobody reads."""


@pytest.mark.parametrize("name", OPTIONS)
def test_a_cell_is_what_the_lab_trains_with_the_same_seed_beside_one_that_diverges(name: str) -> None:
    options = OPTIONS[name]
    cells = [Cell(3e-3, 4, seed=7), Cell(1e30, 0, seed=7), Cell(2e-3, 0, seed=8)]
    outcomes = train_cells(options, cells, STEPS)
    for cell, outcome in zip(cells, outcomes, strict=True):
        alone = train(replace(options, peak=cell.peak), schedule(cell.warmup), cell.seed, silent, steps=STEPS)
        if alone["val_loss"] is None:
            assert math.isnan(outcome.loss)
        else:
            assert outcome.loss == pytest.approx(alone["val_loss"], rel=2e-5)
            assert outcome.accuracy == pytest.approx(alone["val_accuracy"], abs=0.005)
    assert [math.isfinite(one.loss) for one in outcomes] == [True, False, True]


def test_a_run_is_the_same_in_any_company() -> None:
    options = DigitsOptions(batch=32, depth=2, width=16)
    cells = [Cell(peak, warmup, seed) for peak in (1e-2, 1e12) for warmup in (0, 4) for seed in (0, 1)]
    together = train_cells(options, cells, STEPS)
    apart = [train_cells(options, [cell], STEPS)[0] for cell in cells]
    for one, other in zip(together, apart, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-5, nan_ok=True)


@pytest.mark.parametrize("model", ["mlp", "transformer"])
def test_modular_addition_is_learned(model: str) -> None:
    options = ModularOptions(model=model, modulus=7, width=16, batch=49)  # type: ignore[arg-type]
    task = options.load()
    inputs, targets = task.validation()
    assert torch.equal(inputs.sum(1) % 7, targets)
    (outcome,) = train_cells(options, [Cell(0.02, 5, 0)], 60)
    assert outcome.loss < 0.5 * task.chance_loss()


def test_other_optimizers_are_refused() -> None:
    with pytest.raises(PreheatError, match="sgd and adam"):
        train_cells(DigitsOptions(optimizer="adamw"), [Cell(0.1, 0, 0)], 2)
    with pytest.raises(PreheatError, match="without weight decay"):
        train_cells(DigitsOptions(weight_decay=0.1), [Cell(0.1, 0, 0)], 2)


def tiny(**changed: object) -> Configuration:
    """A configuration that is trained in a second."""
    options = DigitsOptions(batch=16, depth=1, width=4)
    said = {
        "name": "tiny",
        "family": "f",
        "split": "once",
        "options": options,
        "steps": 6,
        "lowest": 0.01,
        "factor": 3.0,
    }
    return Configuration(**(said | changed))  # type: ignore[arg-type]


def test_the_grid_is_resumed_by_what_it_trains(tmp_path, monkeypatch, capsys) -> None:
    path = tmp_path / "grid.jsonl"
    monkeypatch.setattr("benchmarks.advisor.grid.CONFIGURATIONS", (tiny(),))
    run(path, chunk=50)
    path.write_text(path.read_text() + '{"key": "cut o')
    run(path)
    assert "there already" in capsys.readouterr().out
    monkeypatch.setattr("benchmarks.advisor.grid.CONFIGURATIONS", (tiny(steps=5),))
    run(path)
    both = results(path)
    assert len(both) == 2
    line = both[tiny().key]
    assert [len(line["loss"]), len(line["loss"][0]), len(line["loss"][0][0])] == [8, 6, 3]
    again = trained(tiny(), "cpu", 144)
    for ours, theirs in zip(again["loss"], line["loss"], strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert one == pytest.approx(other, rel=1e-5)
    with pytest.raises(PreheatError, match="write one of tiny"):
        run(path, only="large")


def test_a_name_does_not_decide_what_is_trained() -> None:
    assert tiny(name="other", options=replace(tiny().options, peak=0.5)).key == tiny().key
    assert tiny(factor=2.0).key != tiny().key != tiny(options=replace(tiny().options, depth=2)).key


def test_no_family_is_on_both_sides() -> None:
    sides = {(one.family, one.split) for one in CONFIGURATIONS}
    assert len(sides) == len({family for family, _ in sides})
    for unique in ("name", "key"):
        assert len({getattr(one, unique) for one in CONFIGURATIONS}) == len(CONFIGURATIONS)
    constants = sum(one.split == "constants" for one in CONFIGURATIONS)
    assert 0.4 < constants / len(CONFIGURATIONS) < 0.6
