"""python -m benchmarks.parity [--tries N] [--golden] [PEER …]: run every library that is installed beside its restatement.

Prints a table, one row a scheduler: the version, how many random arguments, the largest difference, as a share of the largest
value. --golden also writes golden vectors, a few runs each, to tests/parity/golden/.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.parity.case import Case, Compared, arguments_of, compared, installed

GOLDEN = Path(__file__).parents[2] / "tests" / "parity" / "golden"
KEPT, LONGEST = 4, 60  # golden runs of a scheduler, and their updates


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("peers", nargs="*", help="the libraries, all that are installed by default")
    parser.add_argument("--tries", type=int, default=200, help="random arguments for each scheduler")
    parser.add_argument("--golden", action="store_true", help="write golden vectors")
    options = parser.parse_args()
    for module in installed():
        if options.peers and module.PEER not in options.peers:
            continue
        if options.golden:
            write_golden(module)
        for case in module.CASES:
            print(" | ".join(("", *row(module, case, options.tries), "")).strip())


def row(module: ModuleType, case: Case, tries: int) -> tuple[str, ...]:
    """The library, the scheduler, the version, arguments tried, the largest differences inside the run and after it."""
    found = [compared(module.PEER, case, arguments_of(module.PEER, case, seed)) for seed in range(tries)]
    inside, after = max(one.inside for one in found), max(one.after for one in found)
    return module.PEER, case.scheduler, module.VERSION, f"{tries}", f"{inside:.1e}", f"{after:.1e}"


def write_golden(module: ModuleType) -> None:
    """A few short runs of every scheduler of a library, as it gave them."""
    vectors = [
        vector
        for case in module.CASES
        for vector in (_vector(module, case, seed) for seed in range(1000, 1000 + 10 * KEPT))
        if vector is not None
    ]
    kept = [v for i, v in enumerate(vectors) if [w["scheduler"] for w in vectors[:i]].count(v["scheduler"]) < KEPT]
    content = {"peer": module.PEER, "version": module.VERSION, "how": "run", "vectors": kept}
    (GOLDEN / f"{module.PEER}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _vector(module: ModuleType, case: Case, seed: int) -> dict[str, Any] | None:
    arguments = arguments_of(module.PEER, case, seed)
    if case.updates(arguments) > LONGEST:
        return None
    found: Compared = compared(module.PEER, case, arguments)
    return {
        "scheduler": case.scheduler,
        "arguments": arguments,
        "updates": case.updates(arguments),
        "tolerance": case.tolerance,
        "values": found.values,
    }


if __name__ == "__main__":
    main()
