"""Engines that other packages register."""

import sys

import pytest
from fake_runs import experiment_of
from remote_runs import jobs_of

from preheat.core.errors import PreheatError
from preheat.lab.driver import run_experiment
from preheat.lab.engines.base import Inline
from preheat.lab.engines.registry import BUILT_IN, as_engine, engine_named, engines

ENGINE = """
from preheat.lab.engines.base import Inline

class Counting(Inline):
    def __init__(self, limit=None):
        self.limit, self.jobs = limit, []

    def run(self, jobs):
        self.jobs += jobs
        return super().run(jobs)
"""
ENTRIES = """
[preheat.engines]
counting = made_up_engine:Counting
inline = made_up_engine:Counting
broken = made_up_engine:Absent
elsewhere = no_such_module:Engine
"""


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """An installed package with engines of its own."""
    folder = tmp_path / "made_up-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "made_up_engine.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("made_up_engine", None)


def test_an_engine_of_another_package_is_found_by_its_name_and_takes_its_settings(tmp_path):
    engine = engine_named("counting", limit=3, jobs=None)
    assert engine.limit == 3
    jobs = jobs_of(tmp_path / "runs", seeds=(0,))
    assert [event.kind for event in engine.run(jobs)] == ["started", "finished"] * 2
    assert engine.jobs == jobs
    with pytest.raises(PreheatError, match="the engine counting takes no gpus; what it takes: limit"):
        engine_named("counting", gpus=1)


def test_a_comparison_runs_on_it(tmp_path, monkeypatch):
    monkeypatch.setattr("preheat.lab.driver._write", lambda summary, out: None)
    summary = run_experiment(experiment_of(seeds=(0,)), tmp_path / "out", engine="counting")
    assert len(summary.records[0]) == 2


def test_preheats_own_names_cannot_be_taken_and_come_first():
    assert type(engine_named("inline")) is Inline
    assert list(engines())[: len(BUILT_IN)] == list(BUILT_IN)
    with pytest.raises(PreheatError, match="an engine is one of processes, inline, ray, slurm, counting, broken"):
        as_engine(3)
    with pytest.raises(PreheatError, match="did you mean 'counting'"):
        engine_named("countin")


@pytest.mark.parametrize(("name", "words"), [("broken", "Absent"), ("elsewhere", "No module named 'no_such_module'")])
def test_one_that_cannot_be_loaded_is_refused_with_its_address(name, words):
    with pytest.raises(PreheatError, match=rf"the engine {name} \(.*\) cannot be loaded: .*{words}"):
        engine_named(name)
