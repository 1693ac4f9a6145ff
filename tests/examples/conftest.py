"""The recipes are scripts: the tests import them as a script beside them would, or run them as a user would."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture
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


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """These models are too small for two threads, which only wait for each other."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
