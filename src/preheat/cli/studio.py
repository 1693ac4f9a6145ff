"""`preheat studio`: a page in the browser on which a schedule is seen, bent and taken away."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.cli.resolved import RunOptions
from preheat.cli.sources import ConfigOptions, opened
from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError


def studio(
    *sources: str,
    checkpoint: Path | None = None,
    run: RunOptions = RunOptions(),  # noqa: B008  frozen
    config: ConfigOptions = ConfigOptions(),  # noqa: B008  frozen
    peak: float | None = None,
    port: int = 0,
    no_browser: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    export: Path | None = None,
) -> None:
    """Open a page on which schedules are seen, edited, compared and copied.

    Try:

        preheat studio
        preheat studio "warmup(5%) >> decay(shape=cosine)" --total 10k --peak 3e-4
        preheat studio "warmup(2%) >> decay()" llama2_7b --total 50k --no-browser
        preheat studio "warmup(5%) >> decay()" --total 10k --export page.html

    Type the text and see the curve at every key; drag a phase and the text follows.
    Beside it stand what `preheat check` finds and what `preheat explain` says, and
    the schedule is copied as Python, a config, or source that needs no preheat.

    The page is for this machine alone: it is served on 127.0.0.1, at an address
    that holds a random word, and asks nothing of the network. Ctrl-C ends it.

    Parameters
    ----------
    sources
        Schedules in quotes, plans as JSON, presets' names, paths of configs and checkpoints, or the folder of a comparison.
    checkpoint
        A checkpoint, beside the sources: its plan, its rates, and where it stands.
    peak
        The rate at the peak, where schedules are factors; of a preset what was published, by default.
    port
        Where the page is served; by default any port that is free.
    no_browser
        Only print the address.
    export
        Write one file instead, which anyone opens: seen, compared and copied from there, not edited.
    """
    from preheat.studio.exported import page, written
    from preheat.studio.opening import of_given
    from preheat.studio.server import run as served
    from preheat.studio.starting import started

    peak = None if peak is None else positive_number(peak, "--peak")
    named = [*sources, *([] if checkpoint is None else [str(checkpoint)])]
    try:
        known = run.run()
        start = started(
            [of_given(source, lambda one: opened(one, run, config), peak) for source in named], known, run.total
        )
        if export is None:
            served(start, port, browser=not no_browser)
        else:
            print(f"{written(page(start), export)}: open it in a browser; it asks nothing of the network")
    except PreheatError as error:
        raise at_prompt(error, SCHEDULE) from None
