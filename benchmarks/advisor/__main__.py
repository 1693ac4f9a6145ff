"""`python -m benchmarks.advisor`: train the grid, or score advice against it."""

import argparse
import sys
from pathlib import Path

from benchmarks.advisor import grid
from preheat.core.errors import PreheatError


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.advisor", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    one = commands.add_parser("grid", help="train what the results file does not hold yet")
    one.add_argument("--results", type=Path, required=True)
    one.add_argument("--device", default="cpu", help="cpu or cuda")
    one.add_argument("--only", default="*", metavar="NAME", help="a name, or a pattern of names")
    one.add_argument("--chunk", type=int, metavar="N", help="runs at once; fewer need less memory")
    said = parser.parse_args(arguments)
    try:
        grid.run(said.results, said.device, said.only, said.chunk)
    except PreheatError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
