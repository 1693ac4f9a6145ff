"""`python -m benchmarks.advisor`: train the grid, ask the advisor about it, set its constants, and score its answers."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.advisor import asking, fitting, grid
from benchmarks.advisor.advice import read
from benchmarks.advisor.families import CONFIGURATIONS, Configuration
from benchmarks.advisor.report import compared, written
from benchmarks.advisor.truth import Trained
from preheat.core.errors import PreheatError


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.advisor", description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("grid", help="train what the results file does not hold yet")
    one.add_argument("--results", type=Path, required=True)
    one.add_argument("--device", default="cpu", help="cpu or cuda")
    one.add_argument("--only", default="*", metavar="NAME", help="a name, or a pattern of names")
    one.add_argument("--chunk", type=int, metavar="N", help="runs at once; fewer need less memory")
    one.set_defaults(run=lambda said: grid.run(said.results, said.device, said.only, said.chunk))
    one = commands.add_parser("ask", help="ask the advisor what the answers' file does not hold yet")
    one.add_argument("--answers", type=Path, required=True)
    one.add_argument("--results", type=Path, required=True)
    one.add_argument("--jobs", type=int, default=2)
    one.add_argument("--only", default="*", metavar="NAME", help="a name, or a pattern of names")
    one.add_argument("--no-races", action="store_true", help="only at the peaks of the grid")
    one.set_defaults(run=lambda said: asking.run(said.answers, said.results, said.jobs, said.only, not said.no_races))
    one = commands.add_parser("fit", help="set the advisor's constants on its answers about the families that set them")
    one.add_argument("--answers", type=Path, required=True)
    one.add_argument("--results", type=Path, required=True)
    one.set_defaults(run=lambda said: fitting.run(said.answers, said.results))
    one = commands.add_parser("score", help="score advice against the grid")
    one.add_argument(
        "advice", type=Path, help="JSON lines: config, seed, peak, probability, warmup, advised_peak, cost"
    )
    one.add_argument("--results", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True, help="the folder of the report")
    one.add_argument("--once", action="store_true", help="show the families that are looked at once too")
    one.add_argument("--valley", type=Path, help="JSON lines: config, rate; what a range test suggests")
    one.set_defaults(run=score)
    said = parser.parse_args(arguments)
    try:
        said.run(said)
    except PreheatError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def score(said: argparse.Namespace) -> None:
    """Write the report. Raises PreheatError where the grid lacks a configuration, or a line is no advice."""
    lines = grid.results(said.results)
    missing = [one.name for one in CONFIGURATIONS if one.key not in lines]
    if missing:
        raise PreheatError(
            f"the grid is not complete: {', '.join(missing)}; run python -m benchmarks.advisor grid first"
        )
    used = [lines[one.key] for one in CONFIGURATIONS]
    trained = [Trained(line) for line in used]
    advice = read(said.advice, trained)
    splits = ["constants", "once"] if said.once else ["constants"]
    shown = {one.name for one in trained if one.split in splits}
    machines = ", ".join(sorted({f"{line['machine']} (torch {line['torch']})" for line in used}))
    hours = sum(line["seconds"] for line in used) / 3600
    source = f"Advice: {said.advice.name}. Grid: {len(used)} trainings of 144 runs, {hours:.2f} hours on {machines}."
    parts = [compared(split, trained, advice, _suggested(said.valley)) for split in splits]
    print(written(said.out, parts, sum(one.config not in shown for one in advice), source))


def _suggested(path: Path | None) -> Callable[[Configuration], float | None] | None:
    """A range test's rates from a file."""
    if path is None:
        return None
    rates = {line["config"]: line["rate"] for line in map(json.loads, path.read_text().splitlines())}
    return lambda configuration: rates.get(configuration.name)


if __name__ == "__main__":
    sys.exit(main())
