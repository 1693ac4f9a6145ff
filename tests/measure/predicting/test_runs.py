"""Logs are read as what they say; what is no curve is refused with what to do."""

import json

import numpy as np
import pytest

from preheat import PreheatError
from preheat.core.errors import PreheatWarning
from preheat.measure.predicting.runs import Logged, logged_runs
from preheat.review.laid_out import MOST

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


@pytest.mark.parametrize("every", [MOST // 99 + 1, 10**6, 10**12])
def test_steps_that_are_no_updates_are_refused_with_what_to_divide_by(every):
    with pytest.raises(PreheatError, match=f"they are all multiples of {every:,}: if they count tokens"):
        logged_runs([[{**row, "step": row["step"] * every} for row in ROWS]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": 0.5}, "steps are whole numbers from 0, not 0.5"),
        ({"step": -3}, "steps are whole numbers from 0, not -3"),
        ({"step": "inf"}, "steps are whole numbers from 0, not 'inf'"),
    ],
)
def test_steps_are_numbers_of_updates(change, words):
    with pytest.raises(PreheatError, match=words):
        logged_runs([[{**ROWS[0], **change}, *ROWS[1:]]])


def test_a_list_of_equal_rates_is_one():
    assert logged_runs([[{**row, "lr": [row["lr"]] * 2} for row in ROWS]])[0].rates == pytest.approx(RATES)
    with pytest.raises(PreheatError, match="lists in its column lr, and one number is needed for the rate"):
        logged_runs([[{**row, "lr": [row["lr"] + 1, 0.5]} for row in ROWS]])


@pytest.mark.parametrize("end", ['{"step": 100, "lr"', "{", "\x00\x00"])
def test_a_last_line_that_was_cut_off_is_passed_over_with_a_word(tmp_path, end):
    (tmp_path / "a.jsonl").write_text(lines(ROWS) + end)
    with pytest.warns(PreheatWarning, match=r"a.jsonl: line 101 is cut off, and passed over"):
        (run,) = logged_runs(tmp_path / "a.jsonl")
    assert run.losses == pytest.approx(LOSSES)
    (tmp_path / "a.jsonl").write_text(lines(ROWS) + end + "\n" + lines(ROWS))
    with pytest.raises(PreheatError, match=r"a.jsonl is no JSON in line 101: "):
        logged_runs(tmp_path / "a.jsonl")


@pytest.mark.parametrize("head", ["\ufeffstep,lr,loss", "Step, LR, Loss", "\ufeffSTEP,Learning_Rate,loss"])
def test_columns_are_known_by_any_case_and_behind_a_mark_of_bytes(tmp_path, head):
    (tmp_path / "a.csv").write_text(csv_of(ROWS).replace("step,lr,loss", head), encoding="utf-8")
    assert logged_runs(tmp_path / "a.csv")[0].rates == pytest.approx(RATES)


def test_what_was_seen_is_said(tmp_path):
    (tmp_path / "a.csv").write_text(csv_of(ROWS).replace(",", ";"))
    with pytest.raises(PreheatError, match=r"no column for the number of the update.*its columns are 'step;lr;loss'"):
        logged_runs(tmp_path / "a.csv")


def test_losses_of_two_kinds_are_not_mixed():
    held_out = [{**row, "val_loss": row["loss"] + 1} for row in ROWS]
    with pytest.raises(
        PreheatError, match="not one quantity: loss in the rows and val_loss in the rows; write metric="
    ):
        logged_runs([ROWS, held_out])
    assert len(logged_runs([ROWS, held_out], "loss")) == 1


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
