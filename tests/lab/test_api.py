"""`preheat.compare` on a function of one's own, and what a folder is protected from."""

import io
import resource
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy
import own_training
import pytest
from rich.console import Console

import preheat
from preheat.core.errors import PreheatError
from preheat.lab.engines.processes import Processes, accelerators
from preheat.lab.experiment import Metric
from preheat.lab.identity.holdings import holdings
from preheat.lab.report.panels import StudyPanels

ARMS = {"none": preheat.decay(), "warm": preheat.warmup("50%") >> preheat.decay()}


pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def compare(tmp_path):
    """`preheat.compare` with what is the same in all tests; returns the summary and what was printed."""

    def run(train=own_training.train, **more):
        page = io.StringIO()
        usual = {"arms": ARMS, "seeds": 3, "metric": "loss", "engine": "inline", "out": tmp_path / "out"}
        return preheat.compare(train, console=Console(file=page, width=200), **{**usual, **more}), page.getvalue()

    return run


def test_a_function_is_compared_in_processes_of_its_own_as_in_this_one(compare, tmp_path):
    here, text = compare(metric="val_loss")
    there, _ = compare(metric="val_loss", engine="processes", jobs=2, out=tmp_path / "there")
    assert here.failures == there.failures == ()
    assert "warm is lower" in here.verdicts[0]
    assert "3 of 3" in text
    for key, record in here.records[0].items():
        assert there.records[0][key].columns == record.columns
        assert there.records[0][key].result == record.result
    record = here.records[0]["warm", 2]
    assert (record.result.parameters, record.result.data, record.result.steps) == (7, "own", 30)
    assert record.header["trainer"] == "own_training:train"


@pytest.mark.filterwarnings("ignore::preheat.core.errors.PreheatWarning")
def test_alarms_of_a_monitor_are_in_the_report(compare, tmp_path):
    found, _ = compare(own_training.watched, seeds=2)
    assert found.failures == ()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    panels = StudyPanels(found.studies[0], found.records[0])
    alarms = [("none", seed, "not finite", "1", "6") for seed in "01"]
    assert panels.alarm_rows() == [("arm", "seed", "alarm", "times", "first at update"), *alarms]
    assert "Alarms of monitors" in page
    without, _ = compare(out=tmp_path / "without", seeds=2)
    assert StudyPanels(without.studies[0], without.records[0]).alarm_rows() == []
    assert "Alarms of monitors" not in (tmp_path / "without" / "report.html").read_text(encoding="utf-8")


def test_a_target_is_asked_of_the_runs_and_kept_out_of_what_makes_them_the_same(compare):
    first, _ = compare(metric="val_loss")
    found = first.studies[0].arms[1]
    above = found.mean + 10 * found.sd
    asked, text = compare(metric="val_loss", target=above, target_level=0.01)
    assert "6 of 6 runs were finished before" in text
    assert f"warm is below {above:g} (mean" in asked.verdicts[0]
    assert asked.studies[0].target.level == 0.01
    with pytest.raises(PreheatError, match="without a target"):
        compare(metric="val_loss", target_sd=0.1)


def test_a_metric_that_is_not_returned_is_the_end_of_what_was_logged(compare, tmp_path):
    logged, _ = compare(own_training.only_logs, out=tmp_path / "a")
    record = logged.records[0]["warm", 0]
    assert record.result.metrics["loss"] == record.column("loss")[-1]
    returned, _ = compare(own_training.returns_a_number, metric="val_loss", out=tmp_path / "b")
    assert returned.records[0]["warm", 0].result.metrics["val_loss"] == record.column("loss")[-1] + 0.1
    missing, _ = compare(own_training.only_logs, metric="reward", out=tmp_path / "c")
    assert len(missing.failures) == 6
    assert "neither returned nor logged 'reward'" in missing.failures[0].message


def test_what_decides_by_default_is_that_of_the_command_line(tmp_path):
    quiet = {"arms": ARMS, "seeds": 1, "engine": "inline", "console": Console(file=io.StringIO())}
    summary = preheat.compare(own_training.train, out=tmp_path / "a", **quiet)
    assert [metric.name for metric in summary.studies[0].study.metrics] == ["val_loss"]


def test_a_loss_that_is_not_finite_at_the_end_is_a_divergence(compare):
    summary, _ = compare(own_training.blows_up)
    assert summary.failures == ()
    assert all(record.result.diverged for record in summary.records[0].values())
    assert summary.records[0]["none", 0].result.reason == "loss is not finite"


def test_peaks_make_a_grid_and_the_function_gets_rates(compare):
    summary, _ = compare(peaks=(0.5, 0.25), seeds=2)
    assert summary.studies[0].study.is_grid
    assert max(summary.records[0]["warm @ 0.25", 1].column("lr")) == 0.25


def test_a_goal_says_what_is_better(compare):
    summary, _ = compare(metric=("accuracy:max", "val_loss"))
    study = summary.studies[0]
    assert study.study.metrics == (Metric("accuracy", "max"), Metric("val_loss"))
    assert study.arms[1].difference.better == 3
    assert study.others["val_loss"][1].difference.better == 3


def test_a_race_runs_less_and_its_folder_takes_the_rest_later(compare):
    arms = {
        **ARMS,
        "also none": preheat.hold() >> preheat.decay(1),
        "high": preheat.relative(preheat.hold(2.0)),
        "mid": preheat.relative(preheat.hold(0.5)),
    }
    raced, _ = compare(arms=arms, seeds=8, race=True)
    made = len(raced.records[0])
    assert made < 40
    assert {seed for name, seed in raced.records[0] if name in ("none", "warm")} == set(range(8))
    again, text = compare(arms=arms, seeds=8, race=True)
    assert again.studies == raced.studies
    assert f"{made} of 40 runs were finished before" in text
    whole, _ = compare(arms=arms, seeds=8)
    assert len(whole.records[0]) == 40


def test_looking_again_with_more_seeds_is_counted_also_where_the_summary_was_lost(compare, tmp_path):
    assert [compare(seeds=2)[0].studies[0].looks for _ in range(2)] == [0, 0]
    again = compare(seeds=4)[0].studies[0]
    assert (again.looks, [one.made for one in again.reports]) == (1, ["0 1", "0 1 2 3"])
    for path in tmp_path.rglob("summary.json"):
        path.write_text("{")
    assert compare(seeds=4)[0].studies[0].looks == 0
    for path in tmp_path.rglob("summary.json"):
        path.unlink()
    assert compare(seeds=5)[0].studies[0].looks == 1


def test_runs_of_another_version_of_the_function_are_kept_and_told(compare, monkeypatch):
    compare()
    monkeypatch.setattr("preheat.lab.experiment.holdings", lambda function: (holdings(function)[0], "changed"))
    _, text = compare(seeds=4)
    assert "6 of 8 runs were finished before and are kept" in text
    assert "6 of them were made by another version of the training code" in text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"arms": {}}, "has no arm"),
        ({"arms": [preheat.decay()]}, "arms are schedules by name"),
        ({"arms": {"a": "decayy()"}}, "did you mean 'decay'"),
        ({"arms": {"a": preheat.absolute(preheat.hold(1.0))}, "peaks": (1.0,)}, "no peak to vary"),
        ({"seeds": ()}, "seeds must be different from one another and at least one"),
        ({"seeds": 0}, r"seeds is how many there are, at least 1, .*, not 0; write seeds=3"),
        *(({"seeds": seeds}, "seeds is how many there are") for seeds in (-1, 1.5, None, True, "3")),
        *(({"seeds": [seed]}, "a seed must be a whole number of at least 0") for seed in (-1, 1.5, None, True, "3")),
        ({"peaks": [0.1, 0.1]}, "the peak 0.1 is given twice"),
        *(({"peaks": peaks}, "peaks are a list of rates") for peaks in (0.1, "0.1", numpy.float64(0.1), {0.1: 1})),
        *(({"peaks": [peak]}, "a peak must be") for peak in ("x", True, None, -1)),
        *(({"metric": metric}, "a metric is the name") for metric in (None, 3, [None], numpy.int64(3))),
        *(({"out": out}, "out is the path of a folder") for out in ("a\0b", 5, "", b"a")),
        *(({"console": console}, "console is a") for console in (5, sys.stdout)),
        *(({"race": race}, "race must be True or False") for race in ("yes", 1, None)),
        ({"seeds": (1, 1)}, "seeds must be different"),
        ({"metric": "loss:low"}, 'the goal of loss is "min" or "max"'),
        ({"engine": "prcesses"}, "did you mean 'processes'"),
        ({"engine": 3}, "an engine is one of processes, inline, ray, slurm, an Engine or an Executor"),
        ({"engine": "processes", "patience": 0}, "patience must be above 0"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_starts(compare, tmp_path, given, words):
    with pytest.raises(PreheatError, match=words):
        preheat.compare(own_training.train, **{"arms": ARMS, "engine": "inline", "out": tmp_path / "out", **given})
    assert not (tmp_path / "out").exists()
    with pytest.raises(PreheatError, match="compare takes a function"):
        compare("train")


def test_whole_numbers_of_numpy_and_rates_of_any_kind_are_taken(compare, tmp_path):
    summary, _ = compare(seeds=numpy.int64(2), peaks=numpy.array([0.25, 0.5]), steps=numpy.int32(30))
    assert len(summary.records[0]) == 8
    _, text = compare(seeds=numpy.arange(2), peaks=(0.25, Fraction(1, 2)))
    assert "8 of 8 runs were finished before" in text  # steps= only shows how much is left
    compare(seeds=1, peaks=None, out=tmp_path / "without")


@pytest.mark.parametrize("place", ["out", "out/runs"])
def test_a_file_where_a_folder_is_to_be_is_named(compare, tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).touch()
    with pytest.raises(PreheatError, match=rf"{place} is a file, and should be a folder; write to another folder"):
        compare()


def test_a_second_driver_is_kept_out_of_the_folder(compare, tmp_path):
    code = (
        "import preheat, own_training, sys; preheat.compare(own_training.waits, arms={'a': preheat.decay()}, seeds=1, "
    )
    code += "metric='loss', engine='inline', out=sys.argv[1])"
    folder = Path(__file__).parent
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {code}", str(tmp_path / "out")]
    first = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "started").exists():
            assert time.monotonic() < end
            assert first.poll() is None
            time.sleep(0.05)
        with pytest.raises(PreheatError, match="another comparison is at work in"):
            compare()
        (tmp_path / "go").touch()
        assert first.wait(60) == 0
    finally:
        first.kill()
        first.wait()
    assert compare(own_training.waits, arms={"a": preheat.decay()}, seeds=1)[1].startswith("1 of 1 runs were finished")


@pytest.fixture
def small_files():
    """No file of this process and its children may grow beyond 200 kB, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_a_full_disk_costs_the_run_that_met_it_and_nothing_else(compare, small_files, tmp_path, engine):
    summary, _ = compare(own_training.fills_the_disk, seeds=2, engine=engine)
    assert {failure.run for failure in summary.failures} == {"fills_the_disk-warm-seed0", "fills_the_disk-warm-seed1"}
    assert "File too large" in summary.failures[0].message
    assert {name for name, _ in summary.records[0]} == {"none"}
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_report_that_cannot_be_written_says_that_the_runs_are_kept(compare, monkeypatch, tmp_path):
    def full(path, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("preheat.lab.driver.write_file", full)
        with pytest.raises(
            PreheatError, match=r"the runs are kept, but the report could not be written \(No space left"
        ):
            compare()
    assert compare()[1].startswith("6 of 6 runs were finished before")


def test_functions_without_a_module_travel_too(compare, tmp_path):
    offset = 0.25
    summary, _ = compare(
        lambda schedule, seed, log: seed + offset, engine="processes", seeds=2, arms={"a": preheat.hold()}
    )
    assert [summary.records[0]["a", seed].result.metrics["loss"] for seed in (0, 1)] == [0.25, 1.25]


def test_each_run_sees_the_gpus_of_its_place(compare, monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert accelerators() == ["3", "5"]
    assert Processes().jobs == 2
    assert Processes(gpus=2).jobs == 1
    with pytest.raises(PreheatError, match="cannot have 3 GPUs where there are 2"):
        Processes(gpus=3)

    def seen(schedule, seed, log):
        import os

        return float(os.environ["CUDA_VISIBLE_DEVICES"].replace(",", "."))

    arms = {"a": preheat.hold()}
    one, _ = compare(seen, engine="processes", seeds=4, arms=arms, out=tmp_path / "one")
    assert {record.result.metrics["loss"] for record in one.records[0].values()} <= {3.0, 5.0}
    both, _ = compare(seen, engine="processes", gpus=2, seeds=1, arms=arms, out=tmp_path / "both")
    assert both.records[0]["a", 0].result.metrics["loss"] == 3.5
    free, _ = compare(seen, engine="processes", gpus=0, jobs=1, seeds=1, arms=arms, out=tmp_path / "free")
    assert free.records[0]["a", 0].result.metrics["loss"] == 3.5
