"""A real Ray cluster of two nodes on this machine, one of which is killed while it trains.

Ray lives in processes of its own, here as well: one that holds the cluster, and drivers that connect to it.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from remote_runs import alive, content, jobs_of, of_process, trainings, until

import preheat
from preheat.core.errors import PreheatError
from preheat.lab.engines.base import Inline
from preheat.lab.engines.processes import Processes
from preheat.lab.engines.ray import Ray
from preheat.lab.engines.registry import engine_named

PATHS = [str(Path(__file__).parents[1]), str(Path(preheat.__file__).parents[1])]
ray_needed = pytest.mark.skipif(find_spec("ray") is None or os.name != "posix", reason="Ray is not installed")

CLUSTER = """
import json, sys
from ray.cluster_utils import Cluster
if __name__ == "__main__":
    node = {"num_cpus": 1, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    nodes = [cluster.head_node, cluster.add_node(**node)]
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
    sys.stdin.read()
    cluster.shutdown()
"""

DRIVER = """
import json, sys
from contextlib import closing
from pathlib import Path
from remote_runs import jobs_of, trainings, until
from preheat.core.errors import PreheatError
from preheat.lab.engines.ray import Ray

def tell(*words):
    print(json.dumps(words), flush=True)

def scene(address, out, options, settings, stop):
    out = Path(out)
    with closing(Ray(address, **settings).run(jobs_of(out, **options))) as events:
        for event in events:
            tell(event.kind, event.job.trial.name, event.message)
            if stop:
                return until(lambda: trainings(out))

if __name__ == "__main__":
    for arguments in json.loads(sys.argv[1]):
        if arguments == "init":
            import ray
            ray.init(sys.argv[2], log_to_driver=False, logging_level="ERROR")
        else:
            try:
                scene(**arguments)
            except PreheatError as error:
                tell("refused", "", str(error))
            import ray
            tell("connected", ray.is_initialized(), "")
"""


def environment(folder):
    """For Ray's processes: where the fakes are, and a folder of their own for sockets, whose paths must be short."""
    (folder / "ray").mkdir(exist_ok=True)
    own = {"RAY_TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(PATHS), "RAY_USAGE_STATS_ENABLED": "0"}
    return {**{name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}, **own}


@pytest.fixture(scope="module")
def short():
    """A folder with a short path."""
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def cluster(short):
    """The address of two nodes with one CPU each, and the processes that hold them: the head's, the other's."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        env=environment(short),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield json.loads(process.stdout.readline())
    finally:
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


class Driver:
    """A driver on its way; what it tells is read line by line."""

    def __init__(self, folder, scenes, address=""):
        arguments = [json.dumps(scenes), address]
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", "-c", DRIVER, *arguments],
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def told(self):
        """All that it tells until its end; anything else than events would be noise in somebody's terminal."""
        text, _ = self.process.communicate(timeout=240)
        assert self.process.returncode == 0, text
        return [json.loads(line) for line in text.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def scene(tmp_path, name, address, *, stop=False, settings=None, **options):
    """The arguments of a scene, which has a folder of its own."""
    return {
        "address": address,
        "out": str(tmp_path / name),
        "options": options,
        "settings": settings or {},
        "stop": stop,
    }


@ray_needed
def test_a_node_that_is_killed_while_it_trains_changes_no_result_and_no_run_counts_twice(cluster, short, tmp_path):
    options = {"seeds": [0, 1], "steps": 100}
    doomed = cluster["raylets"][1]
    with Driver(short, [scene(tmp_path, "ray", cluster["address"], pause=0.025, **options)]) as driver:
        until((tmp_path / "ray" / "marks").exists)
        victim = until(lambda: next((at for at in trainings(tmp_path / "ray") if parent(at) == doomed), None))
        for process in (doomed, victim):  # all of the node at once, as where the power fails
            os.kill(process, signal.SIGKILL)
        told = driver.told()
    list(Processes(jobs=2).run(jobs_of(tmp_path / "processes", **options)))
    assert content(tmp_path / "ray") == content(tmp_path / "processes")
    names = sorted(content(tmp_path / "ray"))
    assert len(names) == 4
    assert sorted(name for kind, name, _ in told if kind == "finished") == names
    assert sorted(name for kind, name, _ in told if kind == "started") == names
    assert len(told) == 2 * len(names) + 1
    assert len(trainings(tmp_path / "ray")) == len(names) + 1, "only the run that was lost began again"
    assert sorted(path.name for path in (tmp_path / "ray").iterdir()) == [*(f"{name}.jsonl" for name in names), "marks"]


@ray_needed
def test_errors_deaths_hanging_and_stopping_on_a_cluster(cluster, short, tmp_path):
    """Several scenes with one driver, for Ray takes seconds to load."""
    address, one = cluster["address"], {"seeds": [0], "steps": 20}
    scenes = [
        scene(tmp_path, "error", address, fault="raise", fault_seed=0, **one),
        scene(tmp_path, "death", address, fault="kill", fault_seed=0, settings={"retries": 1}, **one),
        scene(tmp_path, "slow", address, settings={"limit": 1.0, "jobs": 1}, seeds=[0], steps=2, pause=600),
        scene(tmp_path, "stopped", address, stop=True, steps=1000, pause=0.6),
        scene(tmp_path, "nobody", "nonsense", **one),
        "init",
        scene(tmp_path, "kept", address, **one),
    ]
    with Driver(short, scenes, address) as driver:
        told = driver.told()
    assert [connected for kind, connected, _ in told if kind == "connected"] == [False] * 5 + [True]
    failed = [(name, message) for kind, name, message in told if kind == "failed"]
    assert [name for name, _ in failed[:2]] == ["fake-study-none-seed0"] * 2
    assert failed[0][1].startswith("RuntimeError: the disk /secret/place is full at seed 0 (fake_trainer.py, line ")
    assert failed[1][1].startswith("lost by Ray: WorkerCrashedError: ")
    assert [message for _, message in failed[2:]] == ["ended: the run lasted longer than 1 s"] * 2
    begun = [len(trainings(tmp_path / name)) for name in ("error", "death")]
    assert begun == [2, 3], "a process that died is tried again, an error is not"
    finished = [len(content(tmp_path / name)) for name in ("error", "death", "slow", "stopped", "kept")]
    assert finished == [1, 1, 0, 0, 2]
    until(lambda: not any(map(alive, trainings(tmp_path / "stopped"))))
    (refused,) = [message for kind, _, message in told if kind == "refused"]
    assert refused.startswith("no Ray cluster at 'nonsense' (")
    assert refused.endswith("; start one with: ray start --head")


@ray_needed
def test_without_a_cluster_ray_is_started_here_and_ended_with_the_comparison(tmp_path):
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        with Driver(Path(folder), [scene(tmp_path, "here", None, seeds=[0])]) as driver:
            assert driver.told()[-1] == ["connected", False, ""]
        until(lambda: not left_in(folder))
    list(Inline().run(jobs_of(tmp_path / "inline", seeds=[0])))
    assert content(tmp_path / "here") == content(tmp_path / "inline")
    assert len(content(tmp_path / "here")) == 2


def parent(process):
    """The process that started this one; 0 where it is gone."""
    return int(of_process(process, "ppid") or 0)


def left_in(folder):
    """The processes of the Ray that keeps its files in this folder."""
    found = subprocess.run(["ps", "-eo", "pid=,args=", "-ww"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if folder in line and alive(line.split()[0])]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cpus": 0}, "cpus must be a number above 0, not 0"),
        ({"cpus": True}, "cpus must be a number above 0, not True"),
        ({"gpus": -1}, "gpus must be a number of at least 0, not -1"),
        ({"jobs": 0}, "jobs must be a whole number of at least 1"),
        ({"retries": -1}, "retries must be a whole number of at least 0"),
        ({"limit": 0}, "limit must be a number above 0, not 0"),
        ({"patience": 3}, "the engine ray takes no patience; what it takes: address"),
    ],
)
@ray_needed
def test_what_ray_cannot_be_given_is_refused(settings, message):
    with pytest.raises(PreheatError, match=message):
        engine_named("ray", **settings)


@ray_needed
def test_a_run_has_as_many_threads_as_whole_cpus_and_at_least_one():
    assert [Ray(cpus=cpus).threads(10) for cpus in (0.5, 1, 4)] == [1, 1, 4]


@ray_needed
@pytest.mark.parametrize(
    ("settings", "fits", "room"),
    [
        ({}, 10, 10),
        ({"cpus": 0.5}, 21, 21),
        ({"cpus": 3}, 3, 3),
        ({"cpus": 1, "gpus": 1}, 2, 2),
        ({"cpus": 1, "gpus": 0.25}, 4, 4),
        ({"jobs": 3}, 10, 3),
        ({"cpus": 64}, 0, 1),
    ],
)
def test_a_cluster_has_room_for_what_fits_on_each_of_its_living_nodes(settings, fits, room):
    sizes = [({"CPU": 4.0, "GPU": 2.0}, True), ({"CPU": 6.5}, True), ({"CPU": 100.0, "GPU": 8.0}, False), ({}, True)]
    found = [{"Resources": size, "Alive": alive} for size, alive in sizes]
    ray, engine = SimpleNamespace(nodes=lambda: found), Ray(**settings)
    assert (engine._fits(ray), engine._room(ray)) == (fits, room)
    with (
        nullcontext()
        if fits
        else pytest.warns(UserWarning, match="no node of the Ray cluster has cpus=64 gpus=0; runs")
    ):
        engine._warn_if_nothing_fits(ray)


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_package_that_is_not_installed_is_named_with_the_line_that_installs_it(monkeypatch, engine, package):
    monkeypatch.setattr("preheat.lab.engines.remote.find_spec", lambda name: None)
    with pytest.raises(PreheatError, match=rf"needs the package {package}: pip install 'preheat\[{engine}\]'"):
        engine_named(engine)
