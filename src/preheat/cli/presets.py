"""`preheat presets`: the published runs by name, and one of them whole."""

import re
import sys
import textwrap

import preheat
from preheat.cli.columns import columns
from preheat.plots.terminal import Terminal
from preheat.recipes.published import Preset


def presets(name: str | None = None, /) -> None:
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
    """
    terminal = Terminal.of(sys.stdout)
    lines = _list(terminal) if name is None else _whole(preheat.presets[name], terminal)
    print(terminal.text("\n".join(lines)))


def _list(terminal: Terminal) -> list[str]:
    """A line for each preset."""
    rows = [(preset.name, _peak(preset), _checked(preset), preset.source) for preset in preheat.presets.values()]
    return columns([("name", "peak", "checked", "source"), *rows], "<<<<", terminal)


def _whole(preset: Preset, terminal: Terminal) -> list[str]:
    """All that is known of one preset, and the command that draws it."""
    facts = {
        "schedule": repr(preset.schedule),
        "peak": _peak(preset),
        "total": preset.total or "-",
        "batch": preset.batch or "-",
        "source": preset.source,
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
