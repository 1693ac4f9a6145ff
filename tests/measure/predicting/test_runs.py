"""Logs are read as what they say; what is no curve is refused with what to do."""

import json

import numpy as np
import pytest

from preheat import PreheatError
from preheat.measure.predicting.runs import Logged, logged_runs

RATES = np.concatenate(
    [np.linspace(0, 0.1, 10, endpoint=False), np.full(60, 0.1), np.linspace(0.1, 0, 30, endpoint=False)]
)
LOSSES = 1 + 1 / np.sqrt(1 + np.arange(100))
ROWS = [{"step": k, "lr": float(RATES[k]), "loss": float(LOSSES[k])} for k in range(100)]


def lines(rows) -> str:
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def csv_of(rows) -> str:
    return "step,lr,loss\n" + "".join(f"{r['step']},{r['lr']!r},{r['loss']!r}\n" for r in rows)


HEAD = {"format": 3, "kind": "run", "study": "s", "arm": "a", "options": {"depth": 2}}
END = {"kind": "end", "result": {"metrics": {}}, "seconds": 1.0, "check": "0"}
FILES = {
    "run.csv": csv_of(ROWS),
    "run.jsonl": lines(ROWS),
    "record.jsonl": lines([HEAD, *ROWS, END]),
    "trainer_state.json": json.dumps({"global_step": 100, "log_history": ROWS}),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_run(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    (run,) = logged_runs(tmp_path / name)
    assert run.rates == pytest.approx(RATES)
    assert run.losses == pytest.approx(LOSSES)
    assert list(run.steps) == list(range(100))
    assert (run.total, run.peak, run.warmup) == (100, 0.1, 10)


def test_a_folder_and_rows_and_a_value(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a-s0.jsonl").write_text(lines([HEAD, *ROWS]))
    for given in (tmp_path, [ROWS], Logged("x", RATES, np.arange(100), LOSSES)):
        assert logged_runs(given)[0].losses == pytest.approx(LOSSES)


def test_seeds_of_one_schedule_are_averaged():
    other = [{**row, "loss": row["loss"] + 0.2} for row in ROWS]
    longer = [*ROWS, {"step": 100, "lr": 0.0, "loss": 1.0}]
    first, second = logged_runs([ROWS, longer, other])
    assert first.losses == pytest.approx(LOSSES + 0.1)
    assert second.total == 101


def test_what_was_redone_counts_once():
    again = [{**row, "loss": 9.0} for row in ROWS[:50]]
    (run,) = logged_runs([[*again, *ROWS[20:]]])
    assert list(run.losses) == pytest.approx([*[9.0] * 20, *LOSSES[20:]])


def test_the_held_out_loss_is_preferred_where_it_is_a_curve():
    rows = [{**row, "val_loss": row["loss"] + 1} for row in ROWS]
    assert logged_runs([rows])[0].losses == pytest.approx(LOSSES + 1)
    seldom = [{**row, "val_loss": 5.0} if row["step"] % 10 == 0 else row for row in ROWS]
    assert logged_runs([seldom])[0].losses == pytest.approx(LOSSES)
    assert list(logged_runs([seldom], "val_loss")[0].losses) == [5.0] * 10


def test_rates_between_logged_ones_are_interpolated():
    rows = [row if row["step"] % 5 == 0 else {"step": row["step"], "loss": row["loss"]} for row in ROWS]
    assert logged_runs([rows])[0].rates[:96] == pytest.approx(RATES[:96])


def test_the_beginning_is_left_out_and_many_losses_are_averaged():
    steps, losses = Logged("x", RATES, np.arange(100), LOSSES).curve()
    assert (steps[0], steps[-1]) == (20, 99)
    long = Logged("x", np.repeat(RATES, 20), np.arange(2000), np.full(2000, 2.0))
    steps, losses = long.curve()
    assert len(steps) == 100
    assert set(losses) == {2.0}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"step": r["step"], "loss": r["loss"]} for r in ROWS], "no column for the rate"),
        ([{"lr": r["lr"], "loss": r["loss"]} for r in ROWS], "no column for the number of the update"),
        (ROWS[::10], "no 20 values of val_loss"),
        ([{**r, "loss": "nan"} if r["step"] == 50 else r for r in ROWS], "leave out runs that diverged"),
        (ROWS[30:], "logs its rate from update 30 of 100 on"),
        ([{**r, "lr": 0.0} for r in ROWS], "not all 0"),
    ],
)
def test_what_is_no_curve_is_refused(rows, words):
    with pytest.raises(PreheatError, match=words):
        logged_runs([rows])


@pytest.mark.parametrize(
    ("steps", "words"),
    [(range(21, 39), "20 are needed; log more often"), (range(10, 60), "its last loss is of 59")],
)
def test_a_run_that_was_logged_too_little_is_refused(steps, words):
    at = np.array(list(steps))
    with pytest.raises(PreheatError, match=words):
        Logged("x", RATES, at, LOSSES[at]).curve()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", "{no", "a.jsonl is no JSON"),
        ("a.json", "[1, 2]", "holds no log_history"),
        ("a.csv", "", "no column for the number"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(PreheatError, match=words):
        logged_runs(tmp_path / name)


def test_other_things_are_refused(tmp_path):
    with pytest.raises(PreheatError, match=r"missing.csv cannot be read"):
        logged_runs(tmp_path / "missing.csv")
    with pytest.raises(PreheatError, match=r"holds no .jsonl"):
        logged_runs(tmp_path)
    with pytest.raises(PreheatError, match="a run is a path"):
        logged_runs([3])
    with pytest.raises(PreheatError, match="runs of 2 trainings"):
        logged_runs([[HEAD, *ROWS], [{**HEAD, "options": {"depth": 4}}, *ROWS]])
    with pytest.raises(PreheatError, match="did you mean 'loss'"):
        logged_runs([ROWS], "los")
