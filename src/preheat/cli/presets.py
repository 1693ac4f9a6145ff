"""`preheat presets`: the published runs by name, one of them whole, or the table of docs/presets.md."""

import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Annotated

from cyclopts import Parameter

import preheat
from preheat.cli.columns import columns
from preheat.plots.terminal import Terminal
from preheat.recipes.published import Preset

LINKS = (
    (r"arXiv:(\d{4}\.\d{5})", r"[arXiv:\1](https://arxiv.org/abs/\1)"),
    (r"((?:github\.com|huggingface\.co|research\.nvidia\.com|thinkingmachines\.ai)/[\w./-]*\w)", r"[\1](https://\1)"),
)  # what a source says, and the link that it is


def presets(
    name: str | None = None, /, *, markdown: Annotated[bool, Parameter(negative=(), show_default=False)] = False
) -> None:
    """List the schedules of published runs, or show one of them whole.

    Try:

        preheat presets
        preheat presets gpt3
        preheat show --preset gpt3

    A preset is in factors of its peak, and its lengths are in the units of its
    source. It is verified if the numbers of its schedule were read in that source;
    else it is recalled: its note says which were not read.

    Parameters
    ----------
    name
        The preset to show: schedule, peak, total, batch, source, and how far it was checked.
    markdown
        A table in Markdown instead, of that one or of all: the table of docs/presets.md.
    """
    if markdown:
        print("\n".join(_table(preheat.presets.values() if name is None else [preheat.presets[name]])))
        return
    terminal = Terminal.of(sys.stdout)
    lines = _list(terminal) if name is None else _whole(preheat.presets[name], terminal)
    print(terminal.text("\n".join(lines)))


def _list(terminal: Terminal) -> list[str]:
    """A line for each preset."""
    rows = [(one.name, _peak(one), str(one.year), _checked(one), one.model) for one in preheat.presets.values()]
    return columns([("name", "peak", "year", "checked", "what was trained"), *rows], "<<<<<", terminal)


def in_a_line(preset: Preset) -> str:
    """What was published with a schedule: model, year, peak, batch, total, and how far it was checked."""
    known = {"peak": preset.peak_lr and _peak(preset), "batch": preset.batch, "total": preset.total}
    facts = [f"{name} {fact}" for name, fact in known.items() if fact]
    return f"{', '.join([f'{preset.model} ({preset.year})', *facts])}; {_checked(preset)}"


def _table(chosen: Iterable[Preset]) -> list[str]:
    """A Markdown table with a row for each preset, all that is known of it."""
    head = (
        "preset",
        "what was trained",
        "schedule in factors of the peak",
        "peak",
        "batch",
        "total",
        "source",
        "checked",
    )
    rows = [
        (
            f"`{one.name}`",
            one.model,
            f"`{one.schedule!r}`<br>{one.note}",
            _peak(one),
            one.batch or "-",
            one.total or "-",
            f"{_linked(one.source)} ({one.year})",
            _checked(one),
        )
        for one in chosen
    ]
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


def _linked(source: str) -> str:
    """A source with what can be opened in it as links."""
    for pattern, link in LINKS:
        source = re.sub(pattern, link, source)
    return source


def _whole(preset: Preset, terminal: Terminal) -> list[str]:
    """All that is known of one preset, and the command that draws it."""
    facts = {
        "model": preset.model,
        "schedule": repr(preset.schedule),
        "peak": _peak(preset),
        "total": preset.total or "-",
        "batch": preset.batch or "-",
        "source": f"{preset.source} ({preset.year})",
        "checked": _checked(preset),
        "note": preset.note,
    }
    wrapped = textwrap.TextWrapper(terminal.width - 2, subsequent_indent=" " * 10, break_on_hyphens=False)
    lines = [line for key, text in facts.items() for line in wrapped.wrap(f"{key:<10}{text}")]
    return [terminal.styled(preset.name, "1"), *lines, f"{'draw it':<10}{_drawing(preset)}"]


def _drawing(preset: Preset) -> str:
    """The command that draws a preset on its own run, N where its source does not say the number."""
    text = f"{preset.schedule!r} {preset.total}"
    asked = [] if preset.total else ["--total N"]
    if re.search(r"\bepochs?\b", text) and preset.steps_per_epoch is None:
        asked.append("--steps-per-epoch N")
    if re.search(r"\btokens?\b", text) and preset.clock != "token" and not (preset.batch or "").endswith("tokens"):
        asked.append("--tokens-per-step N")
    return " ".join(["preheat show --preset", preset.name, *asked])


def _peak(preset: Preset) -> str:
    return "-" if preset.peak_lr is None else f"{preset.peak_lr:g}"


def _checked(preset: Preset) -> str:
    return "verified" if preset.verified else "recalled"
