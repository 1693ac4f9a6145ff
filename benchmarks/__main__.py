"""`python -m benchmarks`: the tables of docs/performance.md, on this machine, now."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings

import numpy
import torch

import preheat as ph
from benchmarks import steps
from benchmarks.timing import medians

TOTAL = 1_000_000


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}\n"
    )
    for tensor in (False, True):
        print(f"## One step, {'tensor' if tensor else 'float'} rates: µs (× the loop by hand)\n")
        table = {groups: steps.compare(groups, tensor) for groups in (1, 8, 100, 1000)}
        print("| |", " | ".join(f"{groups} groups" for groups in table), "|")
        print("|---|" + "---|" * len(table))
        for name in table[1]:
            cells = [f"{row[name] * 1e6:.2f} ({row[name] / row['by hand']:.1f}×)" for row in table.values()]
            print(f"| {name} |", " | ".join(cells), "|")
        print()
    whole_runs()
    one_value()
    imports()
    resume()


def whole_runs() -> None:
    """A table of a million updates against numpy by hand, in place on each slice."""
    schedule = (ph.warmup(10_000) >> ph.hold(1.0, "rest") >> ph.decay("20%", shape="cosine")).bind(ph.Run(total=TOTAL))

    def by_hand() -> numpy.ndarray:
        out = numpy.empty(TOTAL)
        warm, decay = out[:10_000], out[800_000:]
        numpy.divide(numpy.arange(10_000), 10_000, out=warm)
        out[10_000:800_000] = 1.0
        decay[:] = numpy.arange(200_000)
        decay *= numpy.pi / 200_000
        numpy.cos(decay, out=decay)
        decay += 1
        decay *= 0.5
        return out

    cosine = ph.decay(TOTAL, shape="cosine")

    def cosine_by_hand() -> numpy.ndarray:
        out = numpy.arange(TOTAL, dtype=float)
        out *= numpy.pi / TOTAL
        numpy.cos(out, out=out)
        out += 1
        out *= 0.5
        return out

    print("## A table of 10⁶ updates, ns an update\n")
    took = medians(
        {
            "warmup, hold, cosine: numpy in place": by_hand,
            "warmup, hold, cosine: preheat": lambda: schedule.table(TOTAL),
            "cosine: numpy in place": cosine_by_hand,
            "cosine: preheat": lambda: cosine.table(TOTAL),
        },
        rounds=21,
    )
    for name, seconds in took.items():
        print(f"* {name}: {seconds / TOTAL * 1e9:.2f}")
    print()


def one_value() -> None:
    """One value of three phases."""
    schedule = (ph.warmup(10_000) >> ph.hold(1.0, "rest") >> ph.decay("20%", shape="cosine")).bind(ph.Run(total=TOTAL))
    function = schedule.function
    took = medians({f"s.function({t})": lambda t=t: function(t) for t in (5_000, 500_000, 900_000)})
    took |= medians({"s(900000)": lambda: schedule(900_000)})
    print("## One value of three phases, µs\n")
    for name, seconds in took.items():
        print(f"* {name}: {seconds * 1e6:.2f}")
    print()


def imports() -> None:
    """What a process pays for `import preheat`, the best of several."""
    code = "import time; start = time.perf_counter(); import preheat; print(time.perf_counter() - start)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout) for _ in range(9)
    ]
    print(f"## import preheat\n\n{min(times) * 1e3:.0f} ms (best of {len(times)})\n")


def loading(groups: int, times: int = 15) -> float:
    """Microseconds in which a scheduler that was just built goes to a saved position; the median over several."""
    taken = []
    for _ in range(times):
        scheduler = steps.preheat(steps.optimizer(groups, False))
        state = {**scheduler.state_dict(), "position": TOTAL, "last_epoch": TOTAL}
        start = time.perf_counter()
        scheduler.load_state_dict(state)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


def resume() -> None:
    """Going to update 1,000,000, and what a checkpoint holds."""
    print("## Going to update 1,000,000; the state with 1000 groups\n")
    for groups in (1, 1000):
        print(f"* load_state_dict, {groups} groups: {loading(groups):.0f} µs")
    scheduler = steps.preheat(steps.optimizer(1000, False))
    function = scheduler.plan["lr"].function
    print(f"* the value alone: {medians({'seek': lambda: function(TOTAL)})['seek'] * 1e6:.2f} µs")
    print(f"* state: {len(json.dumps(scheduler.state_dict()))} bytes")


if __name__ == "__main__":
    main()
