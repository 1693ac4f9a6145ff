"""The `preheat` command. Each sub-command is a module of its own, imported when it is asked for."""

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import preheat
from preheat.core.errors import PreheatError

if TYPE_CHECKING:
    from cyclopts import App

COMMANDS = (
    "show",
    "table",
    "check",
    "explain",
    "studio",
    "diff",
    "convert",
    "export",
    "presets",
    "advise",
    "find",
    "predict",
    "bound",
    "watch",
    "compare",
    "schema",
)
REFUSED, INTERRUPTED = 2, 130

HELP = """
Learning-rate warmup and schedules: see one, print one, and measure whether a
model needs it.

A schedule is text: parts joined by >> , each with a length in updates, in
percent of the run, or 'rest'. Update 0 is the first. Four commands to paste:

    preheat show "warmup(5%) >> decay(shape=cosine)" --total 10k --peak 3e-4
    preheat table "ramp(0.01, 0.1, 1000) >> hold(0.1)" --total 3000 --every 500
    preheat advise digits
    preheat compare demo

The first draws the curve and lists its phases. The second prints the values.
The third measures on a model whether it needs warmup, how long and to which
peak, with short runs only; `find`, `predict`, `bound` and `watch` answer from a
range test, from logged runs, from theory and while a model trains. The fourth
trains a small transformer with and without warmup, about two minutes on two
cores, and says what the difference is.

`preheat show --help` lists the words, and `preheat presets` the schedules of
published runs. In Python, preheat.parse(text) gives the schedule, and
preheat.torch.Scheduler trains with it.
"""


_NO_SCHEDULE = ("presets", "schema", "watch")  # commands whose arguments are no schedules, which a shell would split


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line, `sys.argv` by default, and return the exit code.

    0: done. 1: some runs of a comparison failed, or two schedules differ. 2: refused, with one line on stderr. 130: Ctrl-C.
    A comparison that is ended by SIGTERM or SIGHUP gives 143 or 129.
    """
    try:
        if tokens is None:
            with _kept():
                command = _parsed(sys.argv[1:])
        else:
            command = _parsed(list(tokens))
        result = command()
        sys.stdout.flush()
        return result
    except PreheatError as error:
        print(f"preheat: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter's last flush complains
        if isinstance(error, BrokenPipeError):  # the reader, such as head, has seen enough
            return 0
        print(f"preheat: {error}", file=sys.stderr)
        return REFUSED


@contextmanager
def _kept() -> Iterator[None]:
    """What is made inside is not searched for garbage, then or later: modules and parsers stay until the process ends."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _parsed(tokens: list[str]) -> Callable[[], int]:
    """What carries out the command that `tokens` name, and returns its exit code."""
    from cyclopts import CycloptsError, UnusedCliTokensError

    app = _app()
    if not tokens or tokens[0] in app.help_flags:
        for name in COMMANDS:
            app[name]  # loads it: the list of commands shows the first line of each
    if not {*app.help_flags}.isdisjoint(tokens):
        from rich.console import Console  # which help is printed with anyway

        app.console = Console()  # a command that has commands would keep its own, as wide as the first terminal was
    try:
        command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        asked = _asked(app, tokens)
        split = isinstance(error, UnusedCliTokensError) and asked.removeprefix("preheat ") not in _NO_SCHEDULE
        hint = "put the schedule in quotes, and " if split else ""
        raise PreheatError(f"{str(error).rstrip('.')}; {hint}see {asked} --help") from None

    def carry_out() -> int:
        result = command(*bound.args, **bound.kwargs)
        return result if isinstance(result, int) else 0

    return carry_out


def _app() -> "App":
    """The commands, none of them loaded yet."""
    from cyclopts import App

    app = App(
        name="preheat",
        help=HELP,
        help_format="plaintext",
        version=preheat.__version__,
        suppress_keyboard_interrupt=False,
    )
    app.command("preheat.cli.show:show", sort_key=1)
    app.command("preheat.cli.table:table", sort_key=2)
    app.command("preheat.cli.check:check", sort_key=3)
    app.command("preheat.cli.explain:explain", sort_key=4)
    app.command("preheat.cli.studio:studio", sort_key=5)
    app.command("preheat.cli.diff:diff", sort_key=6)
    app.command("preheat.cli.convert:convert", sort_key=7)
    app.command("preheat.cli.export:export", sort_key=8)
    app.command("preheat.cli.presets:presets", sort_key=9)
    app.command("preheat.cli.advise:app", name="advise", sort_key=10)
    app.command("preheat.cli.find:app", name="find", sort_key=11)
    app.command("preheat.cli.predict:predict", sort_key=12)
    app.command("preheat.cli.bound:bound", sort_key=13)
    app.command("preheat.cli.watch:watch", sort_key=14)
    app.command("preheat.cli.compare:app", name="compare", sort_key=15)
    app.command("preheat.cli.schema:schema", sort_key=16)
    return app


def _asked(app: "App", tokens: list[str]) -> str:
    """The command that was asked for, as far as there is one of that name."""
    return " ".join(["preheat", *app.parse_commands(tokens)[0]])
