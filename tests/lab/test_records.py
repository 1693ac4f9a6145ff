import json
import math

import pytest
from fake_runs import experiment_of, write_record

from preheat.core.errors import ParseError
from preheat.lab.records import Writer, header, is_of, read_record


@pytest.fixture
def trial():
    return next(experiment_of().trials())


def test_what_is_written_is_read_back(trial, tmp_path):
    record = read_record(write_record(trial, tmp_path, 2.5, losses=[3.0, 2.0]))
    assert (record.steps, record.losses, record.rates, record.grad_norms) == ([0, 1], [3.0, 2.0], [1e-3] * 2, [0.5] * 2)
    assert record.result.val_loss == 2.5
    assert record.seconds == 1.5
    assert is_of(record, trial)


def test_numbers_that_are_not_finite_are_valid_json(trial, tmp_path):
    path = write_record(trial, tmp_path, None, losses=[math.nan, math.inf, -math.inf])

    def refuse(text):
        raise AssertionError(text)

    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=refuse)
    record = read_record(path)
    assert math.isnan(record.losses[0])
    assert record.losses[1:] == [math.inf, -math.inf]
    assert not record.result.finite


def test_a_gradient_norm_that_was_not_measured_is_null(trial, tmp_path):
    path = tmp_path / "a.jsonl"
    with Writer(path, header(trial, 1)) as record:
        record.step(0, 1.0, 0.1, None)
        assert not path.exists()
        record.end({**json.loads(RESULT), "steps": 1}, 1.0)
    assert '"grad_norm": null' in path.read_text()
    assert math.isnan(read_record(path).grad_norms[0])


def test_a_run_that_breaks_off_leaves_no_file(trial, tmp_path):
    with Writer(tmp_path / "a.jsonl", header(trial, 1)) as record:
        record.step(0, 1.0, 0.1, 0.2)
    assert list(tmp_path.iterdir()) == []


def test_a_trainer_that_returns_something_else_is_refused_before_the_file_appears(trial, tmp_path):
    with pytest.raises(ParseError, match="a result must hold val_loss"), Writer(tmp_path / "a.jsonl", {}) as record:
        record.end({"loss": 1.0}, 1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_header_names_no_folder_and_no_host(trial):
    text = json.dumps(header(trial, 1))
    assert "/" not in text.replace("m/", "")
    assert set(header(trial, 1)) == {
        *("format", "kind", "study", "arm", "task", "trainer", "options", "steps", "spec", "seed"),
        *("versions", "platform", "cpus", "date", "threads"),
    }


RESULT = (
    '{"val_loss": 2.5, "val_accuracy": null, "chance_loss": 3.2, "diverged": false, "reason": "", "steps": 1, '
    '"parameters": 10, "data": "x"}'
)
HEAD = '{"format": 1, "kind": "run"}'
STEP = '{"step": 0, "loss": 1.0, "rate": 0.1, "grad_norm": 0.2}'
END = f'{{"kind": "end", "result": {RESULT}, "seconds": 1.0}}'


def test_the_smallest_record_is_read(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join([HEAD, STEP, END]) + "\n")
    assert read_record(tmp_path / "a.jsonl").result.val_loss == 2.5


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the first line must hold"),
        ([HEAD], "the first line must hold"),
        ([HEAD, STEP], "the run was cut off"),
        ([HEAD, STEP, END[:40]], "line 3: not JSON"),
        ([HEAD.replace("1", "2"), END], 'must hold "format": 1'),
        ([HEAD, "[1]", END], "line 2: an object was expected"),
        ([HEAD, STEP.replace("1.0", "NaN"), END], "line 2: not JSON"),
        ([HEAD, STEP.replace("1.0", '"low"'), END], "line 2: loss must be a number"),
        ([HEAD, STEP.replace("1.0", "true"), END], "line 2: loss must be a number"),
        ([HEAD, STEP.replace("1.0", "1" + "0" * 400), END], "line 2: loss must be a number"),
        ([HEAD, STEP.replace("0,", "0.5,", 1), END], "line 2: an update must hold"),
        ([HEAD, STEP.replace("rate", "lr"), END], "line 2: an update must hold"),
        ([HEAD, STEP, STEP, END], "steps do not follow"),
        ([HEAD, END.replace("2.5", '"nan"')], "val_loss must be finite or null"),
        ([HEAD, END.replace("false", "0")], "diverged must be of type bool"),
        ([HEAD, END.replace('"data"', '"more": 1, "data"')], "a result must hold"),
        ([HEAD, "[" * 100_000, END], "line 2"),
        ([HEAD, END, "__import__('os').system('true')"], "line 3: not JSON"),
    ],
)
def test_anything_else_is_refused_with_the_line(tmp_path, lines, message):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
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
