"""Folders that somebody or something has damaged: the same result, or a refusal that names the file. Never a guess."""

import io
import json
import os
import random
import shutil
import threading

import pytest
from rich.console import Console

import preheat
from preheat.core.errors import PreheatError

ARMS = {"a": preheat.decay(), "b": preheat.warmup(3) >> preheat.decay()}
ROUNDS = int(os.environ.get("PREHEAT_DAMAGED_ROUNDS", "40"))


def train(schedule, seed, log):
    for step in range(12):
        log(step, loss=3.0 - 0.1 * step + 0.01 * seed - 0.1 * (repr(schedule) == repr(ARMS["b"])), lr=0.5)
    return {"val_loss": 2.0 + seed / 7, "accuracy": 0.5}


@pytest.fixture
def compare(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "preheat.lab.report.figure.save_figure", lambda studies, records, *paths: [path.touch() for path in paths]
    )

    def run(train=train, out=tmp_path / "out", **more):
        page = io.StringIO()
        settings = {"arms": ARMS, "seeds": 2, "metric": ("val_loss", "loss"), "engine": "inline", **more}
        return preheat.compare(train, out=out, console=Console(file=page, width=200), **settings), page.getvalue()

    return run


def said(summary):
    """What a comparison says, without the time that it took."""
    runs = {key: (record.steps, record.columns, record.result) for key, record in summary.records[0].items()}
    return summary.verdicts, runs


def flip(path, rng):
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 3)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(path, rng):
    os.truncate(path, rng.randrange(path.stat().st_size))


def replaced(make):
    def damage(path, rng):
        path.unlink()
        make(path)

    return damage


def holding(content):
    return replaced(lambda path: path.write_bytes(content))


DAMAGES = {
    "a byte": flip,
    "cut": cut,
    "a directory": replaced(lambda path: path.mkdir()),
    "a full directory": replaced(lambda path: (path / "deep").mkdir(parents=True)),
    "a pipe": replaced(os.mkfifo),
    "a loop": replaced(lambda path: path.symlink_to(path.name)),
    "a device": replaced(lambda path: path.symlink_to("/dev/zero")),
    "brackets": holding(b"[" * 1_000_000),
    "nested": holding(b'{"looked": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "half a character": holding(b'{"format": 3, "kind": "run", "arm": "\\ud800"}\n'),
    "no text": holding(b"\xff\xfe\x00"),
    "nothing": holding(b""),
    "a long line": holding(b" " * ((16 << 20) + 2)),
}


def test_a_damaged_folder_gives_the_same_result_or_names_the_file(compare, tmp_path):
    rng, out = random.Random(7), tmp_path / "out"
    whole = said(compare()[0])
    shutil.copytree(out, tmp_path / "whole")
    files = ["summary.json", "report.html", ".lock", *[f"runs/{path.name}" for path in (out / "runs").iterdir()]]
    for number in range(ROUNDS):
        name, kind = rng.choice(files[:3] + files[3:] * 3), rng.choice(list(DAMAGES))
        if (out / name).stat().st_size:
            DAMAGES[kind](out / name, rng)
        refusal = ""
        try:
            assert said(compare()[0]) == said(compare()[0]) == whole, f"round {number}: {kind} as {name}"
        except PreheatError as error:
            refusal = str(error)
        assert not refusal or name.rpartition("/")[2] in refusal, f"round {number}: {kind} as {name}: {refusal}"
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "whole", out)


def test_what_is_no_record_is_moved_aside_and_said_and_nothing_is_lost(compare, tmp_path):
    compare()
    path = next((tmp_path / "out" / "runs").iterdir())
    for count in ("", "-2"):
        content = path.read_bytes().replace(b'"loss": 2.', b'"loss": 1.', 1)
        path.write_bytes(content)
        _, text = compare()
        assert f"{path.name} is not the record of a finished run: its checksum is another one" in text
        assert path.with_name(f"{path.name}.unreadable{count}").read_bytes() == content
    path.write_bytes(path.read_bytes().replace(b'"format": 3', b'"format": 4'))
    with pytest.raises(PreheatError, match=f"{path.name} was written by another version of preheat, in format 4"):
        compare()


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"val_loss": 1.0, "data": 50_000}, "training returned data, which must be text, not 50000"),
        ({"val_loss": 1.0, "data": "\ud800"}, "training returned data, which must be text"),
        (
            {"val_loss": 1.0, "steps": 30.0},
            "training returned steps, which must be a whole number of at least 0, not 30.0",
        ),
        ({"val_loss": 1.0, "steps": -1}, "training returned steps"),
        ({"val_loss": 1.0, "diverged": 1}, "training returned diverged, which must be True or False, not 1"),
        ({"val_loss": 1.0, "chance_loss": float("nan")}, "training returned chance_loss, which must be finite"),
        ({"val_loss": {"mean": 1.0}}, "the metric 'val_loss' must be one number"),
        ({"val_loss": 1.0, 3: 1.0}, "the name of a metric is text, and not 'step', not 3"),
        ({"val_loss": 1.0, "\ud800": 1.0}, "the name of a metric is text"),
        ({"accuracy": 1.0}, "training neither returned nor logged 'val_loss'"),
    ],
)
def test_a_result_of_another_type_is_that_runs_failure_by_name(compare, tmp_path, returned, message):
    summary, text = compare(lambda schedule, seed, log: returned, seeds=1)
    assert {failure.message[: len(message)] for failure in summary.failures} == {message}
    assert message in text
    assert {path.suffix for path in (tmp_path / "out" / "runs").iterdir()} == {".txt"}  # the traceback alone


def test_a_result_whose_meaning_is_plain_is_taken(compare):
    import numpy as np
    import torch

    def train(schedule, seed, log):
        log(np.int64(3), loss=torch.tensor(1.5))
        log(torch.tensor(4), **{"self": 2.0, "step ": 1.0})
        facts = {"steps": np.int64(30), "diverged": np.bool_(False), "reason": None, "data": None, "parameters": None}
        return {"val_loss": np.float32(0.5), "chance_loss": None, **facts}

    summary, _ = compare(train, seeds=1)
    record = summary.records[0]["a", 0]
    assert (record.result.steps, record.result.diverged, record.result.reason, record.result.data) == (
        30,
        False,
        "",
        "",
    )
    assert record.steps == [3, 4]
    assert record.column("self")[1] == 2.0


def test_a_metric_that_one_run_has_not_is_missing_there_and_told(compare):
    def train(schedule, seed, log):
        found = {"val_loss": 2.0 - 0.1 * (repr(schedule) == repr(ARMS["b"])) + seed / 10, "accuracy": 0.5 + seed / 10}
        return found if seed != 1 else {"val_loss": found["val_loss"]}

    summary, text = compare(train, seeds=3, metric=("val_loss", "accuracy:max"))
    assert summary.failures == ()
    told = "Accuracy was neither returned nor logged in 2 of 6 runs (a 1, b 1) when they were made"
    assert told in " ".join(text.split())
    assert told in summary.verdicts[0]
    own, other = summary.studies[0].arms[1], summary.studies[0].others["accuracy"][1]
    assert (own.difference.seeds, other.difference.seeds) == (3, 2)
    assert other.non_finite == 0
    with pytest.raises(PreheatError, match=r"'accuracy' is to decide, but runs/train-a-seed1\.jsonl neither"):
        compare(train, seeds=3, metric="accuracy:max")


def test_a_metric_that_is_asked_for_later_is_what_it_would_have_been_at_the_end(compare, tmp_path):
    def train(schedule, seed, log):
        for step in range(40):
            log(step, loss=1.0, accuracy=step / 100 + 0.1 * (repr(schedule) == repr(ARMS["b"])) + seed / 50)

    compare(train, metric="loss")
    beside, _ = compare(train, metric=["loss", "accuracy:max"])
    alone, _ = compare(train, metric="accuracy:max")
    fresh = compare(train, metric="accuracy:max", out=tmp_path / "fresh")[0].studies[0]
    assert [arm.losses for arm in alone.studies[0].arms] == [arm.losses for arm in fresh.arms]
    assert [arm.losses for arm in beside.studies[0].others["accuracy"]] == [arm.losses for arm in fresh.arms]
    never, _ = compare(train, metric=["loss", "bleu:max"])
    assert "Bleu was neither returned nor logged in any of the" in never.verdicts[0]
    assert "no seed has finished in both" not in never.verdicts[0]


def test_threads_of_one_training_write_whole_lines(compare):
    def train(schedule, seed, log):
        def work(number):
            for step in range(300):
                log(step, **{f"thread{number}/loss": number + step})

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return 1.0

    summary, _ = compare(train, seeds=1)
    assert summary.failures == ()
    record = summary.records[0]["a", 0]
    for number in range(8):
        assert record.column(f"thread{number}/loss") == [number + step for step in range(300)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_neither_writes_into_the_record_nor_ends_it(compare, tmp_path):
    def train(schedule, seed, log):
        log(0, loss=1.0)
        if (child := os.fork()) == 0:
            try:
                log(1, loss=5.0)
            except PreheatError:
                log._record.__exit__()  # what leaving the block does, where the child ends by an exception
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        log(1, loss=2.0)
        return 1.0

    summary, _ = compare(train, seeds=1)
    assert summary.failures == ()
    assert summary.records[0]["a", 0].columns == {"loss": [1.0, 2.0]}


def test_a_record_into_which_another_process_writes_gets_no_name(compare, tmp_path):
    def train(schedule, seed, log):
        log(0, loss=1.0)
        with next((tmp_path / "out" / "runs").glob("*.part")).open("ab") as file:
            file.write(b"stray" * 50_000)
        return 1.0

    summary, _ = compare(train, seeds=1)
    assert "another process writes to its file" in summary.failures[0].message
    assert {path.suffix for path in (tmp_path / "out" / "runs").iterdir()} == {".txt"}  # the traceback alone


def test_losses_beyond_what_can_be_added_and_steps_beyond_what_can_be_counted(compare, tmp_path):
    def train(schedule, seed, log):
        for step in range(60):
            log(step, loss=1.7e308, tiny=5e-324)
        return {"val_loss": 1.7e308 - seed * 1e306}

    summary, _ = compare(train, seeds=3)
    assert summary.failures == ()
    assert summary.records[0]["a", 0].result.metrics["loss"] == 1.7e308
    assert summary.studies[0].arms[0].mean is None  # their squares, and sums, are beyond what can be reckoned with
    json.loads((tmp_path / "out" / "summary.json").read_text())
    summary, _ = compare(lambda schedule, seed, log: log(10**30, loss=1.0), seeds=1, out=tmp_path / "steps")
    assert "step is the number of an update, 0, 1, 2 … up to 2^53, not 1000000000" in summary.failures[0].message


def test_what_a_run_says_does_nothing_to_the_terminal(compare):
    def train(schedule, seed, log):
        if seed:
            raise RuntimeError("\x1b[2J gone")
        return {"val_loss": 1.0, "diverged": True, "reason": "\x1b]0;title\x07"}

    _, text = compare(train)
    assert "\x1b" not in text
    assert r"\x1b[2J gone" in text
    assert r"diverged: \x1b]0;title\x07" in text
