"""`preheat watch`: the state of a monitored run, live, in a pipe, once, and for programs."""

import json
import re
import signal
import time

import pytest

from preheat.measure.monitoring.history import FORMAT, VERSION, Writer

HEADER = {
    "type": "header",
    "format": FORMAT,
    "version": VERSION,
    "update": 0,
    "model": "Net\x1b[2J",
    "layers": 3,
    "head": {"name": "head", "norm": 1.0},
    "plan": None,
}
END = {"type": "end", "update": 100, "reason": "closed"}


def record(update: int) -> dict:
    moved = {"median": 0.001, "worst": [["head", 0.01 + update / 1e4], ["body\x07", 0.002]], "named": {}}
    return {
        "type": "record",
        "update": update,
        "loss": 3.0 - update / 100,
        "rate": 0.1,
        "gradient": None if update == 50 else 1.5,
        "head": 1.25,
        "relative": moved,
        "angular": moved,
    }


EVENT = {"type": "event", "update": 70, "kind": "loss spike", "what": "the loss is 9", "write": "wait", "value": 9.0}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "m.jsonl"
    writer = Writer(path)
    writer.write(HEADER, *map(record, range(0, 100, 10)), EVENT)
    writer.close()
    return path


def test_the_present_state(ask, file):
    answer = ask("watch", "--once", str(file))
    assert answer.code == 0
    assert "update 90" in answer.out
    for words in (
        "loss, mean between records: 2.1",
        "rate: 0.1",
        "gradient norm: 1.5",
        "largest relative update: 0.019",
    ):
        assert words in answer.out
    assert "loss spike: the loss is 9 → wait" in answer.out
    assert re.search(r"head +1\.900% +1\.089°", answer.out)
    assert all(len(line) <= 80 for line in answer.out.splitlines())
    assert not set("\x1b\x07") & set(answer.out), "what a file says moves no cursor"


def test_a_second_file_is_not_taken_for_a_schedule(ask, file):
    answer = ask("watch", str(file), "b")
    assert "Unused Tokens: ['b']; see preheat watch --help" in answer.err


def test_one_is_one(ask, tmp_path):
    writer = Writer(tmp_path / "m")
    writer.write({**HEADER, "layers": 1}, record(0))
    writer.write({"type": "damaged"})
    writer.close()
    found = ask("watch", "--once", str(tmp_path / "m")).out
    assert "1 layer:" in found
    assert "1 damaged line passed over" in found


def test_for_programs(ask, file):
    found = json.loads(ask("watch", str(file), "--json").out)
    assert (found["records"], found["last"]["update"], found["ended"]) == (10, 90, None)
    assert found["events"][0]["kind"] == "loss spike"


def test_what_is_not_there_is_refused_where_one_does_not_wait(ask, tmp_path):
    answer = ask("watch", "--once", str(tmp_path / "none"))
    assert (answer.code, answer.out) == (2, "")
    assert "leave out --once" in answer.err
    (tmp_path / "empty").touch()
    assert "it is empty" in ask("watch", "--once", str(tmp_path / "empty")).err
    (tmp_path / "torn").write_text('{"type": "header", "format": "preheat.mon')
    assert "its first line is cut off" in ask("watch", "--once", str(tmp_path / "torn")).err
    (tmp_path / "x").write_text("a,b\n1,2\n")
    assert "no file of a preheat monitor" in ask("watch", str(tmp_path / "x")).err


def test_a_pipe_gets_a_line_for_each_until_the_run_ends(start, tmp_path):
    path = tmp_path / "m.jsonl"
    process = start("watch", str(path), "--every", "0.05")
    try:
        assert "waiting for" in process.stderr.readline()
        writer = Writer(path)
        writer.write(HEADER, record(0))
        assert process.stdout.readline() == "0  loss 3  rate 0.1  gradient 1.5  head 1.000%\n"
        with path.open("a") as half:
            half.write('{"type": "end", "update"')
            half.flush()
            time.sleep(0.2)
            assert process.poll() is None
            half.write(': 1, "reason": "closed"}\n')
        assert process.wait(60) == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()


def test_ctrl_c_ends_it(start, file):
    process = start("watch", str(file))
    try:
        for _ in range(11):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()


def test_it_draws_what_it_watched(ask, file, tmp_path):
    Writer(file).write(END)
    answer = ask("watch", "--once", str(file), "--svg", str(tmp_path / "a.svg"))
    assert "the run has ended (closed)" in answer.out
    assert "‖Δw‖" in (tmp_path / "a.svg").read_text(encoding="utf-8")
