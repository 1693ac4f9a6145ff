"""Which lines of a command's file belong to the run, whatever its attempts did with the file."""

import json
import os
import random
from types import SimpleNamespace

import pytest

from preheat.core.errors import PreheatError
from preheat.lab.records.attempts import Attempt
from preheat.lab.records.series import Logged


class Seen:
    """A log that keeps its rows."""

    def __init__(self, identity="one"):
        self.trial, self.rows, self.steps = SimpleNamespace(identity={"spec": identity}), [], []

    def __call__(self, /, step, **values):
        self.rows.append((step, values))

    def progress(self, step, line):
        self.steps.append(step)

    def held(self):
        """Every value that counts, by metric and update."""
        found = {}
        for table in Logged(self.rows).tables().values():
            for name, values in table.columns.items():
                found |= {(name, at): value for at, value in zip(table.steps, values, strict=True) if value == value}
        return found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.metrics"


def line(step, **values):
    return json.dumps({"step": step, **values}).encode() + b"\n"


def attempted(path, content, mode="ab", identity="one"):
    """An attempt that writes this and ends well; what of it counts."""
    attempt = Attempt(path, log := Seen(identity))
    with path.open(mode) as file:
        file.write(content)
    attempt.pass_on()
    return log.held()


def failed(path, content):
    """An attempt that writes this and fails."""
    Attempt(path, Seen())
    with path.open("ab") as file:
        file.write(content)


def a_training(rng):
    """What a training reports, in its order: (update, metric), and where it may go on from a checkpoint."""
    events, starts = [], []
    for stage, updates in (("", rng.randint(1, 8)), ("stage2/", rng.randint(0, 5))):
        for step in range(updates):
            starts.append(len(events))
            events.append((step, f"{stage}loss"))
            if step % 3 == 2:
                events.append((step, f"{stage}val_loss"))
            if step % 4 == 3:
                events.append((step // 4, f"{stage}probe/accuracy"))
    starts.append(len(events))
    last, name = events[-1]
    events.append((last, f"{name.rpartition('/')[0]}/done".lstrip("/")))
    return events, starts


def write_in(mode, path, content):
    """Write to the file of metrics in one of the ways in which scripts do."""
    if mode == "replace":
        path.with_name("new").write_bytes(content)
        path.with_name("new").rename(path)
    elif mode == "truncate":
        with path.open("r+b" if path.exists() else "wb") as file:
            file.truncate(0)
            file.write(content)
    else:
        with path.open({"append": "ab", "overwrite": "wb"}[mode]) as file:
            file.write(content)


@pytest.mark.parametrize("seed", range(150))
def test_the_record_holds_what_the_last_training_of_each_update_said(path, seed):
    rng = random.Random(seed)
    events, starts = a_training(rng)
    begun, reached, truth, crashes = 0, 0, {}, rng.randint(0, 4)
    for number in range(crashes + 1):
        attempt = Attempt(path, log := Seen())
        if rng.random() < 0.5:
            attempt.look()
        mode = rng.choice(["append", "append", "append", "overwrite", "replace", "truncate"])
        begin = rng.choice([at for at in starts if begun <= at <= reached] + [0])
        whole = [line(step, **{name: 100.0 * number + at}) for at, (step, name) in enumerate(events)][begin:]
        content = b"".join(whole)
        if number < crashes:
            content = content[: rng.randint(0, len(content))]
            whole = whole[: content.count(b"\n") + (content.rpartition(b"\n")[2].endswith(b"}"))]
        if content or mode != "append":
            write_in(mode, path, content if number < crashes or rng.random() < 0.5 else content[:-1])
        attempt.look()
        if mode != "append":
            truth, begun = {}, begin
        if whole or mode != "append":
            begun, reached = min(begun, begin), begin + len(whole)
            truth = {at: value for at, value in truth.items() if at < begin}
        truth |= {begin + at: 100.0 * number + begin + at for at in range(len(whole))}
    attempt.pass_on()
    assert log.held() == {(events[at][1], events[at][0]): value for at, value in truth.items()}


def test_values_of_an_attempt_that_failed_do_not_pass_for_those_of_one_that_logged_nothing(path):
    failed(path, line(0, loss=9.0) + line(5, val_loss=1.0))
    for nothing in (b"", b"\n"):
        with pytest.raises(
            PreheatError, match=r"the command logged nothing, and the lines in \S+/run.metrics are of an earlier"
        ):
            attempted(path, nothing)
    assert attempted(path, line(0, loss=3.0)) == {("loss", 0): 3.0}


def test_the_same_lines_written_once_more_are_the_attempts_own(path):
    failed(path, line(0, loss=9.0))
    assert attempted(path, line(0, loss=9.0), "wb") == {("loss", 0): 9.0}


def test_another_runs_lines_are_not_taken(path):
    failed(path, line(0, loss=9.0))
    assert attempted(path, line(1, loss=3.0), identity="two") == {("loss", 1): 3.0}


def test_half_a_line_of_a_killed_attempt_is_cut_off_and_a_whole_one_counts(path):
    failed(path, line(0, loss=1.0) + line(1, loss=2.0)[:-3])
    assert attempted(path, line(1, loss=5.0)[:-1]) == {("loss", 0): 1.0, ("loss", 1): 5.0}


def test_lines_that_are_none_do_not_block_the_next_attempt_and_are_kept(path):
    failed(path, line(0, loss=1.0) + b"nonsense\n")
    assert attempted(path, line(1, loss=2.0)) == {("loss", 0): 1.0, ("loss", 1): 2.0}
    assert b"nonsense" in path.with_name("run.metrics.unreadable").read_bytes()


@pytest.mark.parametrize("odd", ["directory", "pipe", "loop"])
@pytest.mark.parametrize("name", ["run.metrics", "run.attempt"])
def test_what_lies_in_the_way_is_moved_aside(path, odd, name):
    other = path.with_name(name)
    {"directory": other.mkdir, "pipe": lambda: os.mkfifo(other), "loop": lambda: other.symlink_to(name)}[odd]()
    assert attempted(path, line(0, loss=2.0)) == {("loss", 0): 2.0}
    assert os.path.lexists(path.with_name(f"{name}.unreadable"))


def test_a_line_that_is_none_is_told_while_the_command_runs_but_not_half_a_line(path):
    attempt = Attempt(path, log := Seen())
    path.write_bytes(line(0, loss=1.0) + line(1, loss=2.0)[:-5])
    for _ in range(3):
        attempt.look()
    assert log.steps == [0]
    path.write_bytes(line(0, loss=1.0) + b"oh\n" + line(2, loss=1.0))
    attempt.look()  # it may be half written
    with pytest.raises(PreheatError, match="line 2 of the metrics is 'oh'"):
        attempt.look()
    path.write_bytes(line(0, loss=1.0) * 9000)
    attempt = Attempt(path, log := Seen())
    attempt.look()
    attempt.look()
    assert 0 < len(log.steps) < 9000, "of much news the last part is enough"
