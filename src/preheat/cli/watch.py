"""`preheat watch`: what a monitor writes, live."""

import json as jsons
import math
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from preheat.cli.columns import columns
from preheat.cli.pictures import Picture, saved
from preheat.core.checks import positive_number
from preheat.core.errors import PreheatError, on_one_line, plural
from preheat.measure.monitoring.history import History, Reader
from preheat.plots.terminal import Terminal, braille, number

_HEIGHT, _EVENTS = 4, 5  # rows of a chart; events that are shown
_Flag = Parameter(negative=(), show_default=False)


def watch(
    file: Path,
    /,
    *,
    once: Annotated[bool, _Flag] = False,
    json: Annotated[bool, _Flag] = False,
    every: float = 1.0,
    png: Picture = None,
    svg: Picture = None,
) -> int:
    """Show what a preheat.measure.Monitor writes, as it grows.

    Try:

        preheat watch runs/monitor.jsonl

    Loss, rate, gradient norm, and how far the layers move in one update, with the
    alarms and what to do about them. It waits for a file that is not there yet,
    and ends when the run has said that it ended, or by Ctrl-C (exit code 130).
    Into a pipe it prints a line for each record and alarm. Only data is read.

    Parameters
    ----------
    file
        The file= of the monitor.
    once
        Print the present state and end; there has to be one.
    json
        Print the present state as one line of JSON, and end.
    every
        Seconds between two looks at the file.
    png
        Also write how far the layers move to this file, as PNG, at the end; needs matplotlib.
    svg
        The same as SVG.
    """
    reader, seconds = Reader(file), positive_number(every, "--every")
    if once or json:
        reader.more()
        if reader.history.header is None:
            raise PreheatError(f"{file} has nothing of a monitor yet: {reader.lacks}", write="leave out --once to wait")
        print(
            jsons.dumps(_summary(reader.history), ensure_ascii=False)
            if json
            else _state(reader.history, Terminal.of(sys.stdout))
        )
    else:
        (_live if sys.stdout.isatty() else _lines)(reader, seconds)
    if png or svg:
        from preheat.measure.monitoring.monitored import Watched

        for path in saved(Watched(reader.history).panel(), png=png, svg=svg):
            print(f"Wrote {path}", file=sys.stderr)
    return 0


def _live(reader: Reader, seconds: float) -> None:
    """Draw the state anew whenever the file has grown, until the run ends."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(), auto_refresh=False, vertical_overflow="visible") as live:
        for _ in _looks(reader, seconds):
            state = _state(reader.history, Terminal.of(sys.stdout)) if reader.history.header else _waiting(reader)
            live.update(Text.from_ansi(state), refresh=True)


def _lines(reader: Reader, seconds: float) -> None:
    """A line for each new record and event, until the run ends."""
    told, terminal, before = (0, 0), Terminal.of(sys.stdout), reader.history
    for _ in _looks(reader, seconds):
        history = reader.history
        if history.header is None:
            print(_waiting(reader), file=sys.stderr, flush=True)
        if history is not before or len(history.records) < told[0]:  # begun anew, or gone back
            told, before = (0, 0), history
        new = [*history.records[told[0] :], *history.events[told[1] :]]
        told = len(history.records), len(history.events)
        for one in sorted(new, key=lambda one: one["update"]):
            print(terminal.text(_line(one)), flush=True)


def _looks(reader: Reader, seconds: float) -> Iterator[None]:
    """One turn whenever there is something new, the first at once, until the run has ended."""
    grown = reader.more()
    while True:
        yield
        if reader.history.ended is not None:
            return
        grown = False
        while not grown:
            time.sleep(seconds)
            grown = reader.more()


def _waiting(reader: Reader) -> str:
    return f"waiting for {reader.path}: {reader.lacks}; Ctrl-C ends this"


def _line(one: dict[str, Any]) -> str:
    """A record or an event in one line."""
    if one["type"] == "event":
        return f"{one['update']}  {on_one_line(one['kind'])}: {on_one_line(one['what'])}; {on_one_line(one['write'])}"
    worst = one["relative"]["worst"]
    moved = f"  {on_one_line(worst[0][0])} {worst[0][1]:.3%}" if worst else ""
    numbers = (f"{name} {_short(one.get(name))}" for name in ("loss", "rate", "gradient"))
    return "  ".join((str(one["update"]), *numbers)) + moved


def _state(history: History, terminal: Terminal) -> str:
    """All there is to see, as text."""
    parts = [_heading(history), *_charts(history, terminal), _layers(history, terminal), _alarms(history, terminal)]
    return terminal.text("\n\n".join(parts))


def _heading(history: History) -> str:
    header = history.header or {}
    what = f"{on_one_line(str(header.get('model')))}, {plural(header.get('layers', 0), 'layer')}"
    now = "no record yet" if history.update is None else f"update {history.update:,}"
    ended = "" if history.ended is None else f"; the run has ended ({on_one_line(history.ended)})"
    plan = f"\n{on_one_line(str(header['plan']))}" if header.get("plan") else ""
    lost = f"\n{plural(history.damaged, 'damaged line')} passed over" if history.damaged else ""
    return f"{what}: {now}{ended}{plan}{lost}"


def _charts(history: History, terminal: Terminal) -> Iterator[str]:
    """Small charts, two in a row."""
    if not history.records:
        return
    wide = (terminal.width - 3) // 2
    plain = Terminal(wide, terminal.unicode)
    charts = [
        ("loss, mean between records", history.series("loss"), False),
        ("rate", history.series("rate"), False),
        ("gradient norm", history.series("gradient"), True),
        ("largest relative update", history.worst(), True),
    ]
    drawn = [
        [f"{name}: {_short(values[-1])}", *_chart(at, values, log, plain).split("\n")]
        for name, (at, values), log in charts
    ]
    for left, right in zip(drawn[::2], drawn[1::2], strict=True):
        rows = zip_longest(left, right, fillvalue="")
        yield "\n".join(f"{a:<{wide}}   {b}".rstrip() for a, b in rows)


def _chart(at: Sequence[int], values: Sequence[float], log: bool, terminal: Terminal) -> str:
    """One chart; where nothing is known of it, a word."""
    known = [math.isfinite(value) and (value > 0 or not log) for value in values]
    if not any(known):
        return "not known"
    return braille(values, at=at, width=terminal.width, height=_HEIGHT, log_y=log, terminal=terminal)


def _layers(history: History, terminal: Terminal) -> str:
    """The layers that move most, the median, and those that were named, at the last record."""
    if not history.records:
        return "no layers yet"
    last = history.records[-1]
    relative, angular = last["relative"], last["angular"]
    angles = dict(angular["worst"]) | angular["named"]
    shown = dict(relative["worst"]) | relative["named"]
    rows = [(on_one_line(name), _percent(value), _degrees(angles.get(name))) for name, value in shown.items()]
    rows.append(("the layer in the middle", _percent(relative["median"]), _degrees(angular["median"])))
    head = last.get("head")
    grown = "" if head is None else f"\noutput head: {head:.3g} times its norm at first"
    return "\n".join(columns([("layer", "relative update", "turned by"), *rows], "<>>", terminal)) + grown


def _alarms(history: History, terminal: Terminal) -> str:
    """The latest events, and how many there were."""
    events = history.events
    if not events:
        return "no alarms"
    more = f", the last {_EVENTS}" if len(events) > _EVENTS else ""
    lines = [f"{plural(len(events), 'alarm')}{more}"]
    for one in events[-_EVENTS:]:
        text = f"{number(one['update'])}  {on_one_line(one['kind'])}: {on_one_line(one['what'])} → {on_one_line(one['write'])}"
        lines += textwrap.wrap(text, terminal.width - 2, subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join(lines)


def _summary(history: History) -> dict[str, Any]:
    """The present state, for programs."""
    header = {name: value for name, value in (history.header or {}).items() if name not in ("type", "names")}
    last = {name: value for name, value in history.records[-1].items() if name != "type"} if history.records else None
    events = [{name: value for name, value in one.items() if name != "type"} for one in history.events]
    return {
        "header": header,
        "records": len(history.records),
        "last": last,
        "events": events,
        "ended": history.ended,
        "damaged": history.damaged,
    }


def _short(value: float | None) -> str:
    return "not known" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3%}"


def _degrees(value: float | None) -> str:
    return "" if value is None else f"{math.degrees(value):.3f}°"
