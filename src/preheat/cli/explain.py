"""`preheat explain`: what a schedule does on its run, in sentences and a small table."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

from cyclopts import Parameter

from preheat.cli.columns import columns
from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.cli.resolved import RunOptions
from preheat.cli.sources import ConfigOptions, opened
from preheat.core.errors import PreheatError
from preheat.plots.terminal import Terminal
from preheat.review.explaining.explain import Explanation
from preheat.review.explaining.explain import explain as explained
from preheat.review.explaining.sentences import wrapped


def explain(
    source: str,
    /,
    *,
    run: RunOptions = RunOptions(),  # noqa: B008  frozen
    config: ConfigOptions = ConfigOptions(),  # noqa: B008  frozen
    peak: float | None = None,
    weight_decay: float | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> None:
    """Say what a schedule does on its run: phases, peak, area, what remains.

    Try:

        preheat explain "warmup(5%) >> decay(shape=cosine)" --total 10k --peak 3e-4
        preheat explain "warmup(2k) >> decay(to=0.1)" --total 50k --peak 3e-4 \\
            --weight-decay 0.1
        preheat explain llama2_7b --weight-decay 0.1

    The table has a row for each phase: its updates, their share of the run, the
    rate at its start and end, the mean, its share of rate × updates (the area), and,
    with a weight decay, which part of the final weights its updates have written:
    AdamW multiplies what earlier ones wrote by 1 − rate × decay at every update.

    Parameters
    ----------
    source
        A schedule in quotes, a plan as JSON, a preset's name, or the path of a config or a checkpoint.
    peak
        The rate at the peak, where the schedule is factors. For a preset what was published, by default.
    weight_decay
        AdamW's weight decay, where the plan has no line for it.
    as_json
        All numbers and sentences as JSON instead.
    """
    try:
        found = explained(opened(source, run, config), peak=peak, weight_decay=weight_decay)
    except PreheatError as error:
        raise at_prompt(error, SCHEDULE) from None
    if as_json:
        print(json.dumps(found.to_dict(), indent=1))
        return
    terminal = Terminal.of(sys.stdout)
    print("\n\n".join("\n".join(piece) for piece in _pieces(found, terminal)))


def _pieces(found: Explanation, terminal: Terminal) -> Iterator[list[str]]:
    """What is said of all, then the table and the sentences of each line."""
    yield fitted(found.heading, terminal)
    for one in found.lines:
        rows = found.rows(one.line.key)
        yield columns(rows, "<" * len(rows[0]), terminal)
        yield fitted(found.said(one), terminal)


def fitted(sentences: Iterable[str], terminal: Terminal) -> list[str]:
    """Sentences as lines that fit the terminal, in characters that it can show."""
    return wrapped(map(terminal.text, sentences), terminal.width - 1, "  ")
