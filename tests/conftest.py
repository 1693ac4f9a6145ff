"""How the property tests run: the same examples in CI every time, more and fresh ones when asked for.

HYPOTHESIS_PROFILE=search looks for new failures; =quick is for a first glance.
"""

import gc
import os
import signal
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras chooses when it is imported, by default the slowest to start
if "PYTEST_XDIST_WORKER" in os.environ:  # one process on each core: torch's own threads would stand in their way
    os.environ.setdefault("OMP_NUM_THREADS", "1")
gc.disable()  # while everything is imported, nothing is garbage

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks, which run what is held to them
sys.path.insert(0, str(Path(__file__).parent / "laws"))  # the strategies, for laws and core alike
sys.path.insert(0, str(Path(__file__).parent / "browsing"))  # what tests of pages need of a browser

_COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.nested_given,  # examples that laws share are drawn, once, by whichever law comes to them first
    ],
}
settings.register_profile("laws", max_examples=500, derandomize=True, **_COMMON)
settings.register_profile("search", max_examples=5000, **_COMMON)
settings.register_profile("quick", max_examples=50, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "laws"))

# a shell's background jobs ignore Ctrl-C, those of nohup SIGHUP, and so would what they start
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Only tests are collected in this folder: what they share has no doctests, and the scripts that they start would run."""
    return True if collection_path.suffix == ".py" and not collection_path.name.startswith("test_") else None


def pytest_collection_finish() -> None:
    """What is imported by now stays to the end, and is no longer looked through."""
    gc.freeze()
    gc.enable()
