"""The recipes are scripts: the tests import them as a script beside them would, or run them as a user would."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess]:
    """Runs Python with these arguments in a process of its own; fails with what it printed unless it ends as `ends`."""

    def done(*arguments: object, ends: int = 0, **variables: str) -> subprocess.CompletedProcess:
        own = {"OMP_NUM_THREADS": "1", **variables}
        if sys.platform == "linux":
            own["GLOO_SOCKET_IFNAME"] = "lo"  # whatever the machine's name resolves to
        command = [sys.executable, *map(str, arguments)]
        result = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, timeout=300)
        assert result.returncode == ends, f"{result.stdout}\n{result.stderr[-4000:]}"
        return result

    return done


@pytest.fixture
def run_here(capfd: pytest.CaptureFixture[str]) -> Callable[..., subprocess.CompletedProcess]:
    """The same for a script, in this process, which has imported what is slow."""

    def done(script: Path, *arguments: object, ends: int = 0, **variables: str) -> subprocess.CompletedProcess:
        command = [str(script), *map(str, arguments)]
        code, said = 0, ""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", command)
            for name, value in {"OMP_NUM_THREADS": "1", **variables}.items():
                patch.setenv(name, value)
            try:
                runpy.run_path(str(script), run_name="__main__")
            except SystemExit as left:  # Python prints a text, and ends with 1
                code, said = (1, left.code) if isinstance(left.code, str) else (left.code or 0, "")
        out, err = capfd.readouterr()
        assert code == ends, f"{out}\n{err}{said}"
        return subprocess.CompletedProcess(command, code, out, err + said)

    return done


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """These models are too small for two threads, which only wait for each other."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
