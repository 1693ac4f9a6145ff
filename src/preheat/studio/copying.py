"""A schedule on its run in the forms that it is taken away in: each a whole that runs or is read as it stands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from preheat.compat.parts.tried import MOST_UPDATES
from preheat.compat.writers import WRITERS, write
from preheat.core.codegen.export import FORMS as SOURCES
from preheat.core.codegen.export import export
from preheat.core.errors import PreheatError, nearest
from preheat.core.peaks import refuse_unclear
from preheat.core.plan import RATE, Plan
from preheat.core.sampling import edges, highest, sampled
from preheat.core.spans import CLOCKS, Run
from preheat.core.stated import Absolute, Relative
from preheat.core.text.language import to_text
from preheat.core.updates import in_updates, refuse_other_clock, ticks_per_update
from preheat.review.laid_out import Laid, has_factors, laid_out
from preheat.review.subject import Subject
from preheat.studio.document import Document, in_field

_SCHEDULER = """\
import preheat as ph
from preheat.torch import Scheduler

scheduler = Scheduler(
    optimizer,
    {schedule},
    run={run},{peak}
)

"""
_UPDATES = """\
for batch in batches:
    optimizer.zero_grad()
    loss(batch).backward()
    optimizer.step()
    scheduler.step({advance})
"""
_EPOCHS = """\
for epoch in range(epochs):
    for batch in batches:
        optimizer.zero_grad()
        loss(batch).backward()
        optimizer.step()
    scheduler.step()
"""
_TICKS = {clock: f"{clock}s" for clock in CLOCKS} | {"step": "updates"}
_LOOKED_AT = 4000  # updates among which the highest rate is looked for


class _Taken(NamedTuple):
    """What is copied: the schedule, its text as it was typed, its run and its lines on it, the peak where it has factors."""

    target: Any
    text: str
    run: Run
    lines: tuple[Laid, ...]
    shown: Laid
    peak: float | None

    @property
    def is_plan(self) -> bool:
        """Whether it has lines with names."""
        return isinstance(self.target, Plan)

    @property
    def worth(self) -> int | None:
        """The ticks of an update on a clock that does not count updates; None where it does, or they are not known."""
        return None if self.run.clock == "step" else ticks_per_update(self.run)

    @property
    def known(self) -> dict[str, Any]:
        """What is known of the run, by the arguments of Run."""
        names = ("total", "clock", "steps_per_epoch", "samples_per_step", "tokens_per_step")
        found = {name: getattr(self.run, name) for name in names}
        return {name: value for name, value in found.items() if value not in (None, "step")}


class Form(NamedTuple):
    """A form: its id, what it is called, the language that it is in, and what writes it. note: what one has to know.

    keeps_clock: whether it is made of the run as it is; else it is told in updates where the run says what one is worth.
    """

    id: str
    label: str
    language: str
    written: Callable[[_Taken], str]
    note: Callable[[_Taken], str] = lambda taken: ""
    keeps_clock: bool = False


def copied(document: Document, index: int, form: str) -> dict[str, Any]:
    """A schedule of a document in a form; raises PreheatError where the form cannot say it, with the reason."""
    found = FORMS.get(form)
    if found is None:
        raise PreheatError(f"there is no form {form!r}{nearest(form, FORMS)}")
    subject = document.subject(index)
    text = document.schedules[index].text.strip()
    lines, shown = in_field("run", lambda: laid_out(subject)), document.line_of(subject)
    given = _Taken(subject.target, text, subject.run, lines, shown, subject.peak if has_factors(subject) else None)
    taken = given if found.keeps_clock or given.worth is None else in_field("run", lambda: _in_updates(given))
    said = in_field("", lambda: found.written(taken))
    notes = [note for note in (found.note(taken), "" if found.keeps_clock else _counted(given)) if note]
    return {"form": found.id, "text": said if said.endswith("\n") else f"{said}\n", "notes": notes}


def forms() -> list[dict[str, str]]:
    """Every form as the page lists it."""
    return [{"id": form.id, "label": form.label, "language": form.language} for form in FORMS.values()]


def _counted(given: _Taken) -> str:
    """What t is, on a clock that does not count updates."""
    if given.worth is not None:
        return f"Told in updates, of {given.worth:,} {given.run.clock}s each."
    return "" if given.run.clock == "step" else f"t is the {given.run.clock}s that have passed, not updates."


def _python(taken: _Taken) -> str:
    """What gives the value of every update: a function, of a plan one for each line."""
    head = f"import preheat as ph\n\nrun = ph.{taken.run!r}\n"
    if not taken.is_plan:
        return f"{head}value = ph.parse({_quoted(taken.text)}).{_bind(taken.shown)}\n"
    bound = [f"    {_quoted(line.key)}: {_of_plan(line)}.{_bind(line)},\n" for line in taken.lines]
    return f"{head}plan = ph.Plan({_lines(taken, 4)})\nvalue = {{\n{''.join(bound)}}}\n"


def _called(taken: _Taken) -> str:
    """What the function is asked with."""
    return f"{'value[line](t)' if taken.is_plan else 'value(t)'} is that of {taken.shown.unit} t."


def _of_plan(line: Laid) -> str:
    """A line of the plan; a group's factors may be any multiple of the others'."""
    name = f"plan[{_quoted(line.key)}]"
    return name if line.factor is None or line.key == RATE else f"ph.relative({name})"


def _bind(line: Laid) -> str:
    return "bind(run)" if line.factor is None else f"bind(run, peak={line.factor!r})"


def _scheduler(taken: _Taken) -> str:
    peak = "" if taken.peak is None else f"\n    peak={taken.peak!r},"
    schedule = _lines(taken, 8) if taken.is_plan else _quoted(taken.text)
    _refuse_unclear(taken)
    loop = _EPOCHS if taken.run.clock == "epoch" else _UPDATES.format(advance=_advance(taken))
    return _SCHEDULER.format(schedule=schedule, run=f"ph.{taken.run!r}", peak=peak) + loop


def _refuse_unclear(taken: _Taken) -> None:
    """Refuse factors that a Scheduler would refuse."""
    refuse_unclear(Plan(taken.target), lambda line: None)


def _advance(taken: _Taken) -> str:
    """What a step has to be told where the run does not know it: seconds are measured."""
    if taken.worth is not None or taken.run.clock not in ("sample", "token"):
        return ""
    return f"advance={taken.run.clock}s_of(batch)"


def _yours(taken: _Taken) -> str:
    """What of a loop is not in it."""
    if taken.run.clock == "epoch":
        return "optimizer, batches, loss and epochs are your own; a step of the scheduler is an epoch."
    if _advance(taken):
        each = f"{taken.run.clock}s_of(batch)"
        return f"optimizer, batches and loss are your own, and {each}: how many {taken.run.clock}s the update has seen."
    return "optimizer, batches and loss are your own."


def _built(taken: _Taken) -> str:
    """How the configuration becomes a Scheduler, and what its steps need."""
    note = "instantiate(config.scheduler)(optimizer) builds it."
    if taken.run.clock == "epoch":
        return f"{note} A step of it is an epoch."
    return (
        f"{note} It is stepped with step(advance=…), the {taken.run.clock}s of an update." if _advance(taken) else note
    )


def _command(taken: _Taken) -> str:
    """The command line that prints every value, and above it the one that draws them."""
    options = [word for name, value in taken.known.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    options += ["--line", taken.shown.key] if taken.is_plan and len(taken.lines) > 1 else []
    options += [] if taken.shown.factor is None else ["--peak", repr(taken.shown.factor)]
    rows = [] if taken.shown.ends else ["--total", str(taken.shown.total)]
    rows += [] if taken.worth is None else ["--every", str(taken.worth)]
    show, table = (" ".join(map(_shell, (taken.text, *options, *more))) for more in ([], rows))
    return f"preheat show {show}\npreheat table {table}\n"


def _prints(taken: _Taken) -> str:
    """What the command prints, where that is not a row for every update of the run."""
    note = "Quoted for a shell of Unix."
    if not taken.shown.ends:
        note += (
            f" It never ends: the table has what is looked at here, {taken.shown.total:,} {_TICKS[taken.run.clock]}."
        )
    if taken.worth is not None:
        note += f" Its rows are updates, by the {taken.run.clock}s that have passed."
    elif taken.run.clock != "step":
        note += f" Its rows are {taken.run.clock}s."
    return note


def _shell(word: str) -> str:
    """A word as a shell reads it: in double quotes where that hides nothing, for texts with quotes of their own."""
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def _yaml(taken: _Taken) -> str:
    """The Scheduler as configuration packages build it: Hydra, hydra-zen."""
    _refuse_unclear(taken)
    run = "".join(f"    {name}: {_scalar(value)}\n" for name, value in taken.known.items())
    peak = "" if taken.peak is None else f"  peak: {_scalar(taken.peak)}\n"
    return (
        "scheduler:\n  _target_: preheat.torch.Scheduler\n  _partial_: true\n"
        f"{_said(taken, '  schedule')}  run:\n    _target_: preheat.Run\n{run}{peak}"
    )


def _axolotl(taken: _Taken) -> str:
    """What axolotl's config says where preheat's plugin makes its trainer follow a schedule."""
    refuse_other_clock(taken.run, "axolotl's max_steps count")
    if taken.run.total is None:
        raise PreheatError("axolotl's max_steps are the run's total", write="say it", hint="total")
    rates = [line for line in taken.lines if line.is_rate]
    if not all(line.rates for line in rates):
        raise PreheatError("axolotl's learning_rate is the rate at the peak", write="say the peak", hint="peak")
    peak = taken.peak if taken.peak is not None else max((_highest(line) for line in rates), default=1.0)
    known = taken if _needs_total_alone(taken) else _in_updates(taken)
    return (
        f"plugins:\n  - preheat.axolotl.PreheatPlugin\n{_said(known, 'preheat_schedule')}"
        f"learning_rate: {_scalar(peak)}\nmax_steps: {taken.run.total}\n"
    )


def _needs_total_alone(taken: _Taken) -> bool:
    """Whether it is the same on a run of which nothing but the total is known: no epochs, samples and tokens in it."""
    plan, alone = Plan(taken.target), Run(total=taken.run.total)
    try:
        return plan.bind(alone) == plan.bind(taken.run)
    except PreheatError:
        return False


def _in_updates(taken: _Taken) -> _Taken:
    """The same with every length in updates, on a clock of updates."""
    target, run = in_updates(taken.target.bind(taken.run), taken.run)
    lines = {line.key: line for line in laid_out(Subject("", target, run, peak=taken.peak))}
    return _Taken(target, to_text(target), run, tuple(lines.values()), lines[taken.shown.key], taken.peak)


def _highest(line: Laid) -> float:
    """The highest rate of a line that is rates."""
    value = line.curve.function
    return value(highest(value, sampled(line.total, edges(line.curve, line.total), _LOOKED_AT)))


def _said(taken: _Taken, key: str) -> str:
    """A schedule in YAML, of a plan a line each."""
    if not taken.is_plan:
        return f"{key}: {_scalar(taken.text)}\n"
    indent = " " * (len(key) - len(key.lstrip()) + 2)
    rows = "".join(f"{indent}{_scalar(line.key)}: {_scalar(to_text(line.written))}\n" for line in taken.lines)
    return f"{key}:\n{rows}"


def _plan(taken: _Taken) -> str:
    """A plan of what is meant: in updates, as rates where the peak is known, so that nothing is left to say."""
    return json.dumps({line.key: to_text(_meant(line)) for line in taken.lines}, indent=2, ensure_ascii=False)


def _read(taken: _Taken) -> str:
    """What its lengths are."""
    if taken.run.clock == "step":
        return "Every length is in updates; whatever takes a schedule reads it."
    clock = taken.run.clock
    return f"Every length is in {clock}s; whatever takes a schedule reads it, with a run of clock={clock!r}."


def _meant(line: Laid) -> Any:
    if line.rates:
        return Absolute(line.curve)
    return Relative(line.curve) if isinstance(line.written, Relative) else line.curve


def _source(to: str) -> Callable[[_Taken], str]:
    return lambda taken: export(taken.target, to, run=taken.run, peak=taken.peak)


def _config(library: str) -> Callable[[_Taken], str]:
    """A config of a library, whose rates are held against the schedule's at every update."""

    def written(taken: _Taken) -> str:
        refuse_other_clock(taken.run, f"a config of {library} counts")
        if (total := taken.run.total or 0) > MOST_UPDATES:
            what = f"a config is held against every update, and at most {MOST_UPDATES:,} are looked at"
            raise PreheatError(what, given=total, write="give a shorter run")
        return write(taken.target, library, taken.run, taken.peak)

    return written


def _lines(taken: _Taken, indent: int) -> str:
    """A plan's lines as a dict of Python."""
    rows = (f"{' ' * indent}{_quoted(line.key)}: {_quoted(to_text(line.written))},\n" for line in taken.lines)
    return f"{{\n{''.join(rows)}{' ' * (indent - 4)}}}"


def _quoted(text: str) -> str:
    """A text as it is written in Python, in double quotes where it can be."""
    return repr(text) if '"' in text else json.dumps(text, ensure_ascii=not text.isprintable())


def _scalar(value: Any) -> str:
    """A value in YAML: text in quotes; a number with a point, because YAML takes 1e-4 for text."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=not value.isprintable())
    digits = repr(value)
    return digits.replace("e", ".0e") if "e" in digits and "." not in digits else digits


def _made() -> Iterator[Form]:
    """Every form, those that keep the text first."""
    yield Form("scheduler", "PyTorch, with preheat", "python", _scheduler, _yours, keeps_clock=True)
    yield Form("python", "Python, with preheat", "python", _python, _called)
    yield Form("command", "Command line", "shell", _command, _prints, keeps_clock=True)
    yield Form("yaml", "YAML (Hydra)", "yaml", _yaml, _built, keeps_clock=True)
    yield Form("axolotl", "YAML (axolotl)", "yaml", _axolotl)
    yield Form("json", "Plan as JSON", "json", _plan, _read)
    for name in SOURCES:
        language = {"latex": "latex", "javascript": "javascript"}.get(name, "python")
        label = _LABELS.get(name, f"{name}, without preheat")
        yield Form(_OTHERWISE.get(name, name), label, language, _source(name), _counted, keeps_clock=True)
    for name in WRITERS:
        yield Form(name, f"{name} config", _WRITTEN.get(name, "text"), _config(name))


_OTHERWISE = {"python": "source"}
_LABELS = {
    "python": "Python, without preheat",
    "torch": "PyTorch LambdaLR, without preheat",
    "optax": "optax, without preheat",
    "jax": "JAX, without preheat",
    "javascript": "JavaScript",
    "latex": "LaTeX",
}
_WRITTEN = {
    "transformers": "json",
    "deepspeed": "json",
    "mmengine": "python",
    "torchtitan": "toml",
    "megatron": "shell",
}
FORMS: dict[str, Form] = {form.id: form for form in _made()}
"""What a schedule is copied as, by id."""
