"""`python -m benchmarks.gpu.capture`: a training step captured in a CUDA graph with its schedule inside.

Checks that replaying the graph advances the schedule and gives the host's rates, also where updates are skipped and
after a state was loaded, without any synchronisation; then measures what a step costs the host beside a scheduler that
the host steps. Prints the table for docs/performance.md and the machine's name.
"""

import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

import preheat as ph
from preheat.torch import Scheduler

Call = Callable[[], object]
BASE, WARM, TOTAL = 1e-3, 100, 100_000
SCHEDULE = ph.warmup(WARM, start=0.1) >> ph.hold(1.0, "rest") >> ph.decay("20%", shape="cosine")
BOUND = SCHEDULE.bind(ph.Run(total=TOTAL))
BEFORE = 3  # updates before a capture, which cuBLAS and the optimizer's state need


class Training:
    """A small model whose update has fixed inputs, as a captured one must."""

    def __init__(self, device: str, groups: int) -> None:
        torch.manual_seed(0)
        layers = [torch.nn.Linear(64, 64) for _ in range(groups)]
        self.model = torch.nn.Sequential(*layers).to(device)
        self.inputs = torch.randn(32, 64, device=device)
        parts = [{"params": list(layer.parameters())} for layer in layers]
        rate = torch.tensor(BASE, device=device)
        self.optimizer: Optimizer = AdamW(parts, lr=rate, capturable=device == "cuda")

    def update(self) -> None:
        """One update, without a scheduler."""
        self.optimizer.zero_grad(set_to_none=True)
        self.model(self.inputs).square().mean().backward()
        self.optimizer.step()

    def scheduler(self, on_device: bool) -> Scheduler:
        """Ours, by the device or by the host."""
        return Scheduler(self.optimizer, SCHEDULE, run=ph.Run(total=TOTAL), on_device=on_device)

    def rates(self) -> list[float]:
        """The rates as the device has them; waits for it."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]


def captured(update: Call, device: str) -> Call:
    """Run `update` a few times, capture it, and give back the replay; on a CPU, `update` itself."""
    if device != "cuda":
        for _ in range(BEFORE):
            update()
        return update
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(BEFORE):
            update()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        update()
    return graph.replay


# -- checks ----------------------------------------------------------------------------------------------------------


def check_rates(device: str, groups: int = 4) -> None:
    """Replaying advances the schedule, skips where it is told to, and goes on from a loaded state."""
    training = Training(device, groups)
    scheduler, found_inf = training.scheduler(True), torch.zeros((), device=device)
    update = captured(lambda: (training.update(), scheduler.step(found_inf=found_inf)), device)
    at = BEFORE
    for replay in range(2 * WARM):
        found_inf.fill_(replay % 5 == 4)
        update()
        at += replay % 5 != 4
        if replay % 7 == 0:
            _same(training.rates(), at)
    assert scheduler.position == at
    for position in (0, TOTAL - TOTAL // 10, TOTAL + 5):
        scheduler.load_state_dict({**scheduler.state_dict(), "position": position, "last_epoch": position})
        found_inf.zero_()
        _same(training.rates(), position)
        update()
        _same(training.rates(), position + 1)
    print(f"* replayed {2 * WARM + 3} updates of {groups} groups: the host's rates, {WARM * 2 // 5} of them skipped")


def check_no_synchronisation(device: str) -> None:
    """torch raises where an operation would make the host wait."""
    training = Training(device, 4)
    scheduler, found_inf = training.scheduler(True), torch.zeros((), device=device)
    training.update()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(10):
            scheduler.step()
            scheduler.step(found_inf=found_inf)
    finally:
        if device == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    print("* a step that is not captured synchronises nothing either")


def check_host_stepped(device: str) -> None:
    """A captured optimizer reads the rates that the host writes between replays."""
    training = Training(device, 4)
    scheduler = training.scheduler(False)
    update = captured(training.update, device)
    weight = next(training.model.parameters())
    for t in range(1, 20):
        update()
        scheduler.step()
        _same(training.rates(), t)
    before = weight.detach().clone()
    scheduler.load_state_dict(
        {**scheduler.state_dict(), "position": TOTAL, "last_epoch": TOTAL, "_step_count": TOTAL + 1}
    )
    update()
    assert torch.equal(weight, before), "at rate 0 nothing moves: the graph reads the rate of after the load"
    print("* stepped by the host, the captured optimizer reads the rates in place, after loading a state too")


def _same(found: list[float], t: int) -> None:
    expected = float(torch.tensor(BASE, dtype=torch.float32)) * BOUND(t)
    for rate in found:
        assert abs(rate - expected) <= 1e-7 * BASE, f"update {t}: {rate} and not {expected}"


# -- measurements ----------------------------------------------------------------------------------------------------


def candidates(device: str, groups: int) -> dict[str, Call]:
    """One training step of everyone, the training itself captured."""

    def alone() -> Call:
        return captured(Training(device, groups).update, device)

    def on_device() -> Call:
        training = Training(device, groups)
        scheduler = training.scheduler(True)
        return captured(lambda: (training.update(), scheduler.step()), device)

    def by_host(make: Callable[[Training], object]) -> Call:
        training = Training(device, groups)
        scheduler = make(training)
        update = captured(training.update, device)
        return lambda: (update(), scheduler.step())  # type: ignore[attr-defined]

    return {
        "no scheduler": alone(),
        "preheat, on the device": on_device(),
        "preheat, by the host": by_host(lambda training: training.scheduler(False)),
        "torch LambdaLR, by the host": by_host(lambda training: LambdaLR(training.optimizer, BOUND.function)),
    }


def host_microseconds(step: Call, wait: Call, rounds: int = 400) -> float:
    """What the host spends on a step while the device is idle: the median."""
    times = []
    for _ in range(rounds):
        wait()
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    wait()
    return statistics.median(times) * 1e6


def throughput_microseconds(step: Call, wait: Call, steps: int = 400) -> float:
    """What a step takes, host and device together, in an unbroken row of them."""
    wait()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    wait()
    return (time.perf_counter() - start) / steps * 1e6


def measure(device: str, sizes: tuple[int, ...] = (1, 8, 100)) -> None:
    """The table: host time of a step, and the time of a step in a row of them."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    rows: dict[str, list[str]] = {}
    for groups in sizes:
        everyone = candidates(device, groups)
        rounds = [
            {
                name: (host_microseconds(step, wait), throughput_microseconds(step, wait))
                for name, step in everyone.items()
            }
            for _ in range(5)  # interleaved, so that a busy machine slows all alike
        ]
        for name in everyone:
            host, whole = (statistics.median(row[name][i] for row in rounds) for i in (0, 1))
            rows.setdefault(name, []).append(f"{host:.1f} / {whole:.1f}")
    print("\n## A captured training step: host µs / µs in a row of steps\n")
    print("| |", " | ".join(f"{groups} groups" for groups in sizes), "|")
    print("|---|" + "---|" * len(sizes))
    for name, cells in rows.items():
        print(f"| {name} |", " | ".join(cells), "|")


def main() -> None:
    """All checks and measurements, if there is a GPU."""
    if not torch.cuda.is_available():
        print("There is no CUDA device on this machine, so nothing was captured and nothing was measured.")
        return
    print(f"{torch.cuda.get_device_name()}, {platform.machine()}, Python {platform.python_version()}, ", end="")
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}\n")
    check_rates("cuda")
    check_no_synchronisation("cuda")
    check_host_stepped("cuda")
    measure("cuda")


if __name__ == "__main__":
    main()
