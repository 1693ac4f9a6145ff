"""Interleaved timing: every candidate runs a little in every round, so that a busy machine slows all of them alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping

Call = Callable[[], object]


def medians(candidates: Mapping[str, Call], rounds: int = 41, seconds: float = 0.002) -> dict[str, float]:
    """Seconds a call of each candidate: the median over rounds of the mean within a round of about `seconds`."""
    calls = {name: _calls(function, seconds) for name, function in candidates.items()}
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, function in candidates.items():
                samples[name].append(_mean(function, calls[name]))
    finally:
        gc.enable()
    return {name: statistics.median(times) for name, times in samples.items()}


def _calls(function: Call, seconds: float) -> int:
    calls = 1
    while (taken := _mean(function, calls) * calls) < seconds:
        calls = max(calls * 2, int(calls * seconds / max(taken, 1e-9) * 0.9))
    return calls


def _mean(function: Call, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls
