"""`preheat export`: a schedule as source that needs no preheat."""

from typing import Literal

import preheat
from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.cli.resolved import RunOptions, asked
from preheat.core.checks import positive_number
from preheat.core.codegen.export import export as exported
from preheat.core.errors import PreheatError

Form = Literal["python", "torch", "optax", "jax", "javascript", "latex"]
EXPORTED = SCHEDULE | {"peak": "add --peak, for example --peak 3e-4"}
"""What to write for each hint of a refusal, where a schedule is exported."""


def export(
    spec: str | None = None,
    /,
    *,
    to: Form = "python",
    preset: str | None = None,
    run: RunOptions = RunOptions(),  # noqa: B008  frozen
    peak: float | None = None,
    name: str = "schedule",
) -> None:
    """Print a schedule as source that needs no preheat, to paste into a project.

    Try:

        preheat export "warmup(5%) >> decay(shape=cosine)" --total 10k
        preheat export "warmup(500) >> invsqrt(500)" --to torch
        preheat export --preset llama2_7b --to optax
        preheat export "warmup(10) >> hold()" --to javascript --name rate

    Every form is a function of t, the number of updates that have passed; on
    another clock its first line says what t is.

        python      the standard library alone, equal bit for bit
        torch       the same, and the LambdaLR that makes an optimizer follow it
        jax         works inside jit; 32 bits hold 6e-7 of the largest value
        optax       the same as rates, for learning_rate=
        javascript  for a page, or node
        latex       for a paper

    A plan becomes a function for each line, and for torch a function that gives
    every group its values.

    Parameters
    ----------
    spec
        The schedule, in quotes, or a plan as JSON; `preheat show --help` lists the words.
    to
        The form: python, torch, optax, jax, javascript or latex.
    preset
        A published run by its name, instead of a schedule; preheat presets lists them.
    peak
        The rate at the peak, where the schedule is factors: the values become rates. With --preset what was published.
    name
        What the function is called.
    """
    target, _ = asked(spec, preset)
    published = None if preset is None else preheat.presets[preset]
    if peak is None and published is not None:
        peak = published.peak_lr
    if peak is not None:
        positive_number(peak, "--peak")
    try:
        known = run.run(published)
        print(exported(target, to, run=known, peak=peak, name=name), end="")
    except PreheatError as error:
        raise at_prompt(error, EXPORTED) from None
