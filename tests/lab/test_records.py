import json
import math
import zlib

import numpy as np
import pytest
from fake_runs import experiment_of, write_record
from hypothesis import given
from hypothesis import strategies as st

from preheat.core.errors import ParseError, PreheatError
from preheat.lab.records.record import Result, Writer, header, is_of, read_record
from preheat.lab.records.series import Logged


@pytest.fixture
def trial():
    return next(experiment_of().trials())


def test_what_is_written_is_read_back(trial, tmp_path):
    record = read_record(write_record(trial, tmp_path, 2.5, losses=[3.0, 2.0]))
    assert record.steps == [0, 1]
    assert record.columns == {"loss": [3.0, 2.0], "lr": [1e-3] * 2, "grad_norm": [0.5] * 2}
    assert record.result.metrics["val_loss"] == 2.5
    assert record.seconds == 1.5
    assert is_of(record, trial)


def test_numbers_that_are_not_finite_are_valid_json(trial, tmp_path):
    path = write_record(trial, tmp_path, None, losses=[math.nan, math.inf, -math.inf])

    def refuse(text):
        raise AssertionError(text)

    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=refuse)
    record = read_record(path)
    assert math.isnan(record.column("loss")[0])
    assert record.column("loss")[1:] == [math.inf, -math.inf]
    assert record.result.metrics["val_loss"] is None


rows_of_metrics = st.lists(
    st.tuples(st.integers(0, 20), st.dictionaries(st.sampled_from("abc"), st.floats(allow_nan=False), max_size=3))
)


@given(rows_of_metrics)
def test_steps_ascend_each_once_and_whoever_goes_back_forgets_what_lay_ahead(rows):
    table = Logged(rows).tables().get("")
    if table is None:
        assert rows == []
        return
    steps, columns = table.steps, table.columns
    assert steps == sorted(set(steps))
    assert set(steps) <= {step for step, _ in rows}
    assert all(len(values) == len(steps) for values in columns.values())
    assert steps[-1] == rows[-1][0]
    for name, value in rows[-1][1].items():
        assert columns[name][-1] == value
    again = Logged(zip(steps, ({name: columns[name][at] for name in columns} for at in range(len(steps))), strict=True))
    assert repr(again.tables()[""]) == repr(table)


def test_what_was_not_logged_is_nan(trial, tmp_path):
    path = tmp_path / "a.jsonl"
    with Writer(path, header(trial, 1)) as record:
        record.step(0, {"loss": 1.0})
        record.step(0, {"lr": 0.1})
        record.step(2, {"loss": np.float32(0.5)})
        assert not path.exists()
        record.end(Result(metrics={"val_loss": 1.0}), 1.0)
    found = read_record(path)
    assert found.steps == [0, 2]
    assert found.column("loss") == [1.0, 0.5]
    assert found.column("lr")[0] == 0.1
    assert math.isnan(found.column("lr")[1])
    assert len(found.column("grad_norm")) == 2
    assert all(map(math.isnan, found.column("grad_norm")))


def test_a_run_that_breaks_off_leaves_no_file(trial, tmp_path):
    with Writer(tmp_path / "a.jsonl", header(trial, 1)) as record:
        record.step(0, {"loss": 1.0})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("step", "metrics"), [(0.5, {}), (-1, {}), (True, {}), (0, {"loss": "low"}), (0, {"a": None})])
def test_what_is_no_number_is_refused_when_it_is_logged(trial, tmp_path, step, metrics):
    with Writer(tmp_path / "a.jsonl", header(trial, 1)) as record, pytest.raises(PreheatError, match="not "):
        record.step(step, metrics)


def test_a_header_names_no_folder_and_no_host(trial):
    text = json.dumps(header(trial, 1))
    assert "/" not in text.replace("m/", "")
    assert set(header(trial, 1)) == {
        *("format", "kind", "study", "arm", "task", "trainer", "options", "steps", "spec", "seed"),
        *("versions", "platform", "cpus", "date", "threads", "code"),
    }


RESULT = (
    '{"metrics": {"val_loss": 2.5}, "diverged": false, "reason": "", "steps": 1, "parameters": null, "data": "x", '
    '"chance_loss": 3.2}'
)
HEAD = '{"format": 3, "kind": "run"}'
STEP = '{"step": 0, "loss": 1.0, "lr": 0.1}'
END = f'{{"kind": "end", "result": {RESULT}, "seconds": 1.0}}'


def checked(lines):
    """The lines, an end at their end with its checksum."""
    if not lines or not lines[-1].endswith("1.0}"):
        return lines
    *before, end = lines
    check = zlib.crc32("".join(f"{line}\n" for line in before).encode() + end.encode())
    return [*before, f'{end[:-1]}, "check": "{check:08x}"}}']


def test_the_smallest_record_is_read(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(checked([HEAD, STEP, END])) + "\n")
    assert read_record(tmp_path / "a.jsonl").result.metrics == {"val_loss": 2.5}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the first line must hold"),
        ([HEAD], "the run was cut off"),
        ([HEAD, STEP], "the run was cut off"),
        ([HEAD, STEP, END[:40]], "line 3: not JSON"),
        ([HEAD.replace('"run"', '"summary"'), END], 'must hold "format": 3'),
        ([HEAD, STEP, END.replace("1.0}", "1.00}")], "the last line is not an end"),
        ([HEAD, END, END], "line 3 comes after the end"),
        ([HEAD, STEP.replace("0,", f"{2**53 + 1},", 1), END], "line 2: an update must hold"),
        ([HEAD, STEP.replace("loss", "\\ud800"), END], "line 2: not JSON"),
        ([HEAD, "[1]", END], "line 2: an object was expected"),
        ([HEAD, STEP.replace("1.0", "NaN"), END], "line 2: not JSON"),
        ([HEAD, STEP.replace("1.0", '"low"'), END], "line 2: loss must be a number"),
        ([HEAD, STEP.replace("1.0", "true"), END], "line 2: loss must be a number"),
        ([HEAD, STEP.replace("1.0", "1" + "0" * 400), END], "line 2: loss must be a number"),
        ([HEAD, STEP.replace("0,", "0.5,", 1), END], "line 2: an update must hold"),
        ([HEAD, STEP.replace("0,", "-1,", 1), END], "line 2: an update must hold"),
        ([HEAD, STEP.replace("step", "at"), END], "line 2: an update must hold"),
        ([HEAD, END.replace("2.5", '"nan"')], "val_loss must be finite or null"),
        ([HEAD, END.replace("false", "0")], "diverged must be of type bool"),
        ([HEAD, END.replace('"data"', '"more": 1, "data"')], "a result must hold"),
        ([HEAD, END.replace("null", "true")], "parameters must be of type int"),
        ([HEAD, END.replace('{"val_loss": 2.5}', "[2.5]")], "a result must hold"),
        ([HEAD, "[" * 100_000, END], "line 2"),
        ([HEAD, END, "__import__('os').system('true')"], "line 3: not JSON"),
    ],
)
def test_anything_else_is_refused_with_the_line(tmp_path, lines, message):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(checked(lines)))
    with pytest.raises(ParseError, match=message) as refusal:
        read_record(path)
    assert str(refusal.value).startswith("a.jsonl")
    assert len(str(refusal.value)) < 500


def test_bytes_that_are_no_text_and_missing_files_are_refused(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ParseError, match="is not the record"):
        read_record(tmp_path / "a.jsonl")
    with pytest.raises(ParseError, match="cannot be read"):
        read_record(tmp_path / "b.jsonl")
