"""Sentences and rows: what is measured of a schedule, said so that it is understood at first reading."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence

from preheat.core.errors import plural, shown
from preheat.core.peaks import peaks_at_one
from preheat.core.plan import Plan
from preheat.review.explaining.measured import Explained
from preheat.review.explaining.phases import Phase
from preheat.review.held import of_the_first
from preheat.review.laid_out import Laid
from preheat.review.subject import Subject

SAID, LISTED = 6, 12  # phases that have a sentence, and a row
_LONGEST = 300


def wrapped(sentences: Iterable[str], width: int = 100, indent: str = "") -> list[str]:
    """Sentences as lines of a width, a % never parted from its number; indent: before what goes on in the next line."""
    held = (sentence.replace(" %", "\u00a0%") for sentence in sentences)
    lines = (textwrap.wrap(one, width, break_on_hyphens=False, subsequent_indent=indent) for one in held)
    return [line.replace("\u00a0", " ") for each in lines for line in each]


def number(value: float) -> str:
    """A count, with thousands marked."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"


def share(part: float, whole: float = 1.0) -> str:
    """A share in percent, with three digits."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return f"{percent:.0f} %" if abs(percent) >= 99.95 or not percent else f"{percent:.3g} %"


def counted(count: float, unit: str) -> str:
    """ "1 update", "2,000 updates"."""
    return plural(count, unit) if count == int(count) else f"{number(count)} {unit}s"


def called(subject: Subject) -> str:
    """A subject by its name and its text, of a plan the text of its only line."""
    target = subject.target
    if isinstance(target, Plan):
        return subject.name if list(target) != ["lr"] else f"{subject.name}, {shown(target['lr'], _LONGEST)}"
    text = shown(target, _LONGEST)
    return text if subject.name == shown(subject.target, 60) else f"{subject.name}, {text}"


def subject_sentences(subject: Subject, lines: Sequence[Laid]) -> list[str]:
    """What is looked at, on which run, where it stands, and what its source says of itself."""
    line = lines[0]
    whole = counted(line.updates, line.unit)
    if line.tick > 1:
        whole += f" ({number(line.total)} {line.run.clock}s)"
    length = f"on a run of {whole}" if line.ends else f"which never ends; looked at are the first {whole}"
    what = called(subject)
    if len(lines) > 1:
        what += f", {counted(len(lines), 'line')}: {', '.join(one.key for one in lines)}"
    said = [f"{what}, {length}."]
    if subject.position:
        said.append(_stands(line, math.ceil(subject.position / line.tick)))
    said += of_the_first(subject)
    if subject.findings:
        said.append(f"What {subject.library or 'its source'} does by itself, and what could not be carried over:")
        said += [f"- {finding}" for finding in subject.findings]
    return said


def _stands(line: Laid, passed: int) -> str:
    """Where a run under way stands, and what is left of it."""
    where, left = f"It stands at {line.unit} {number(passed)}", line.updates - passed
    if not line.ends:
        return f"{where}."
    if left <= 0:
        return f"{where}: the run is over{f', since {counted(-left, line.unit)}' * (left < 0)}."
    return f"{where}: {share(passed, line.updates)} of the run has passed, and {counted(left, line.unit)} are left."


def line_sentences(one: Explained) -> list[str]:
    """All that there is to say of one line."""
    return [*_phases(one), *_factors(one.line), *_notable(one), *_area(one), *_weights(one), *_left(one)]


def phase_rows(one: Explained) -> list[tuple[str, ...]]:
    """The phases as a table, its head first."""
    line, decayed = one.line, one.all.kept is not None
    head = (f"{line.unit}s", "share", line.quantity, "mean", "area", *(("final weights",) if decayed else ()))
    rows: list[tuple[str, ...]] = [head]
    for phase, summed in list(zip(one.phases, one.summed, strict=True))[:LISTED]:
        mean = f"{summed.area / phase.updates:.4g}" if phase.updates else "–"
        kept = () if summed.kept is None else (share(summed.kept),)
        extent, area = _extent(phase), share(summed.area, one.all.area)
        rows.append((extent, share(phase.updates, line.updates), _between(phase), mean, area, *kept))
    if more := len(one.phases) - LISTED:
        rows += [(f"and {more:,} more", *("" for _ in head[1:]))] if more > 0 else []
    if one.initial is not None:
        rows.append(("first weights", "", "", "", "", share(one.initial)))
    return rows


def _between(phase: Phase) -> str:
    """The values of a phase: at its ends, of what goes up and down the least and the greatest."""
    if phase.does.startswith("moves"):
        return f"{phase.low:.6g} to {phase.high:.6g}"
    return f"{phase.begins:.6g}" if phase.begins == phase.ends else f"{phase.begins:.6g} → {phase.ends:.6g}"


def _extent(phase: Phase) -> str:
    if not phase.updates:
        return "none"
    return number(phase.first) if phase.updates == 1 else f"{number(phase.first)} … {number(phase.stop - 1)}"


def _phases(one: Explained) -> list[str]:
    """What happens, phase by phase."""
    line, said = one.line, list[str]()
    for phase in one.phases[:SAID]:
        length = counted(phase.updates, line.unit) if phase.updates else f"less than one {line.unit}"
        over = f"over {length} ({share(phase.updates, line.updates)})"
        subject = f"The {line.quantity}" if not said else "Then it"
        if phase.does in ("stays", "keeps its last value"):
            verb, comma = ("stays at", "") if phase.does == "stays" else ("keeps its last value,", ",")
            said.append(f"{subject} {verb} {phase.begins:.6g}{comma} {over}.")
        elif phase.does.startswith("moves"):
            said.append(f"{subject} {phase.does}, {over}.")
        else:
            said.append(f"{subject} {_with_ends(phase)} {over}.")
    if (more := len(one.phases) - SAID) > 0:
        said.append(f"And so on: {counted(more, 'more phase')}.")
    return said


def _with_ends(phase: Phase) -> str:
    """ "rises linearly from 0 to 1"; where how it does so takes several words: "falls from 1 to 0, in steps, one each day,"."""
    ends = f"from {phase.begins:.6g} to {phase.ends:.6g}"
    verb, _, how = phase.does.partition(" ")
    return f"{verb} {ends}, {how}," if "," in how else f"{phase.does} {ends}"


def _factors(line: Laid) -> list[str]:
    """What it means that values are factors."""
    if line.rates:
        return []
    if not peaks_at_one(line.written):
        text = shown(line.written, 60)
        return [
            f"These are factors of what the optimizer was given, and 1 is not their peak: if they are the values themselves, "
            f"write absolute({text})."
        ]
    if line.is_rate:
        return [
            "These are factors: 1 is the rate that the optimizer was given, which is not known here. With a peak (peak= in "
            "Python, --peak) rates follow, and what each phase keeps of the final weights."
        ]
    return ["These are factors: 1 is the value that the optimizer was given."]


def _notable(one: Explained) -> list[str]:
    """The peak and how long it lasts, half of it, the first update and the last."""
    line, unit = one.line, one.line.unit
    often = "there only" if one.at_peak == 1 else f"and has that value at {counted(one.at_peak, unit)}"
    said = [
        f"It is highest at {unit} {number(one.peak_at)}, {one.peak:.6g}, {often} ({share(one.at_peak, line.updates)})."
    ]
    if one.peak == min(one.first, one.last) and one.at_peak == line.updates:
        said = [f"It has the value {one.peak:.6g} throughout."]
    elif one.half is not None:
        first, last = one.half
        said.append(
            f"Half of the peak or more is at {counted(one.above_half, unit)} ({share(one.above_half, line.updates)}), "
            f"the first of them {number(first)}, the last {number(last)}."
        )
    if one.first == 0 and line.is_rate:
        said.append(f"{unit.capitalize()} 0 uses 0, so it does not move the weights.")
    after = f"after the run it keeps {one.after:.6g}" if line.ends else "and it goes on"
    said.append(f"The last {unit}, {number(line.updates - 1)}, uses {one.last:.6g}; {after}.")
    return said


def _area(one: Explained) -> list[str]:
    """The sum of the values, and what it is of a constant's."""
    if not one.line.is_rate:
        return []
    what = f"{one.line.quantity} × {one.line.unit}s"
    constant = one.peak * one.line.updates
    of_constant = f", {share(one.all.area, constant)} of what a constant at the peak would have" if constant > 0 else ""
    return [f"{what.capitalize()} is {one.all.area:.6g} in all, a mean of {one.mean:.6g}{of_constant}."]


def _weights(one: Explained) -> list[str]:
    """What AdamW's decay leaves of each phase."""
    if one.initial is None or one.all.kept is None:
        return []
    decay = "the plan's weight decay" if one.decay == "scheduled" else f"a weight decay of {one.decay:g}"
    since = f"; half of that is written from update {number(one.half_kept)} on" if one.half_kept is not None else ""
    return [
        f"Under AdamW with {decay}, which multiplies the weights by 1 − rate × decay at every update, {share(one.initial)} of "
        f"the final weights are what they began with, and {share(one.all.kept)} are what the updates wrote{since}."
    ]


def _left(one: Explained) -> list[str]:
    """What is to come, of a run under way."""
    if not one.position or one.position >= one.line.updates:
        return []
    now = one.line.at(one.position)
    said = f"The next {one.line.unit}, {number(one.position)}, uses {now:.6g}"
    if one.line.is_rate and one.line.ends:
        said += f"; {share(one.left.area, one.all.area)} of {one.line.quantity} × {one.line.unit}s is still to come"
    if one.left.kept is not None and one.line.ends:
        said += f", and what is to come writes {share(one.left.kept)} of the final weights"
    return [f"{said}."]
