"""python -m benchmarks.parity [--tries N] [--golden] [--write PAGE] [PEER …]: run libraries beside their restatements.

Prints a table, one row a scheduler: the version, how many random arguments, the largest difference, as a share of the largest
value; and one row for each published config. --golden also writes golden vectors, a few runs each, to tests/parity/golden/.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.parity.case import Case, Compared, Public, arguments_of, compared, installed, off
from benchmarks.parity.case import lines as lines_of
from benchmarks.parity.pages import rewritten
from preheat.compat import PEERS, Restated, peer, read

GOLDEN = Path(__file__).parents[2] / "tests" / "parity" / "golden"
HANDED_ON = ("axolotl", "diffusers", "llama_factory")  # which have transformers' schedulers beside their own
METRIC = ("plateau", "greedy", "adafactor")
KEPT, LONGEST = 4, 60  # golden runs of a scheduler, and their updates


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("peers", nargs="*", help="the libraries, all that are installed by default")
    parser.add_argument("--tries", type=int, default=200, help="random arguments for each scheduler")
    parser.add_argument("--golden", action="store_true", help="write golden vectors")
    parser.add_argument("--write", type=Path, help="a page with parts between the marks of this command")
    options = parser.parse_args()
    modules = [one for one in installed() if not options.peers or one.PEER in options.peers]
    if options.golden:
        for module in modules:
            write_golden(module)
    tables = {"parity": schedulers(modules, options.tries), "published": configs(options.peers)}
    for name, lines in tables.items():
        print("\n".join([*lines, ""]))
        if options.write:
            rewritten(options.write, name, "\n".join(lines))


def schedulers(modules: list[ModuleType], tries: int) -> list[str]:
    """The table of schedulers, and of those that are restated and not run here."""
    head = ("library", "version", "scheduler", "runs", "largest difference", "after the end")
    ran = [(module.PEER, case.scheduler) for module in modules for case in module.CASES]
    found = [row(module, case, tries) for module in modules for case in module.CASES]
    for name in PEERS:
        found += [
            (name, peer(name).version, scheduler, _instead(name, scheduler), "", "")
            for scheduler in peer(name).functions
            if (name, scheduler) not in ran
        ]
    return [_line(head), "|---" * len(head) + "|", *map(_line, sorted(found))]


def _instead(library: str, scheduler: str) -> str:
    """How a scheduler is held that is not run here."""
    if any(word in scheduler for word in METRIC):
        return "a metric decides"
    if library in HANDED_ON and scheduler in peer("transformers").functions:
        return "that of transformers"
    return "read, not run"


def configs(peers: list[str]) -> list[str]:
    """The table of published configs."""
    head = ("config", "library", "updates", "largest difference", "source")
    rows = [
        (public.file, module.PEER, f"{public.updates:,}", f"{_apart(public):.1e}", public.source)
        for module in installed("public")
        if not peers or module.PEER in peers
        for public in module.PUBLIC
    ]
    return [_line(head), "|---" * len(head) + "|", *map(_line, rows)]


def _apart(public: Public) -> float:
    reading = read(Path(__file__).parent / "public" / public.file, **public.beside)
    restated = Restated.of(reading.target, reading.run)
    return max(off(restated, key, rates, 0) for key, rates in lines_of(public.rates(public.updates)).items())


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def row(module: ModuleType, case: Case, tries: int) -> tuple[str, ...]:
    """The library, its version, the scheduler, arguments tried, the largest differences inside the run and after it."""
    found = [compared(module.PEER, case, arguments_of(module.PEER, case, seed)) for seed in range(tries)]
    inside, after = max(one.inside for one in found), max(one.after for one in found)
    return module.PEER, module.VERSION, case.scheduler, f"{tries}", f"{inside:.1e}", f"{after:.1e}"


def write_golden(module: ModuleType) -> None:
    """A few short runs of every scheduler of a library, as it gave them."""
    kept = [vector for case in module.CASES for vector in _vectors(module, case)]
    content = {"peer": module.PEER, "version": module.VERSION, "how": "run", "vectors": kept}
    (GOLDEN / f"{module.PEER}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _vectors(module: ModuleType, case: Case) -> list[dict[str, Any]]:
    """Some of its shortest runs: of at most so many updates, or else the shortest of all."""
    drawn = [arguments_of(module.PEER, case, seed) for seed in range(1000, 1000 + 10 * KEPT)]
    short = [one for one in drawn if case.updates(one) <= LONGEST] or [min(drawn, key=case.updates)]
    runs = ((one, compared(module.PEER, case, one)) for one in short)
    found = [_vector(case, arguments, run) for arguments, run in runs if run.values]
    return found[:KEPT]


def _vector(case: Case, arguments: dict[str, Any], run: Compared) -> dict[str, Any]:
    return {
        "scheduler": case.scheduler,
        "arguments": arguments,
        "updates": case.updates(arguments),
        "tolerance": case.tolerance,
        "values": run.values,
    }


if __name__ == "__main__":
    main()
