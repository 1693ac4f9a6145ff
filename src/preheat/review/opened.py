"""Whatever names a schedule, opened: a value, text, a preset's name, the path of a config or a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from preheat.compat.configs import READERS, Config, Given, Reading, read_config
from preheat.compat.parts.restated import Restated
from preheat.core.errors import PreheatError, shown
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.text.language import parse
from preheat.recipes.published import Preset, presets
from preheat.review.checkpoints.checkpoint import is_checkpoint, not_known, read_checkpoint
from preheat.review.subject import Subject
from preheat.session.clock import given_run


def subject_of(given: Any, run: Run | None = None, beside: Given = Given()) -> Subject:  # noqa: B008  immutable
    """What is meant by a schedule, a plan, text, JSON, a preset's name, or the path of a config or a checkpoint.

    run: what is known of the run beside it.   beside: the same for a config.
    Raises PreheatError for anything else, and for a checkpoint that does not say what it follows.
    """
    subject = opened(given, run, beside)
    if subject.target is None:
        raise not_known(subject)
    return subject


def opened(given: Any, run: Run | None = None, beside: Given = Given(), library: str | None = None) -> Subject:  # noqa: B008  immutable
    """The same; the target is None of a checkpoint that does not say what it follows.

    library: whose config it is, where that is one whose configs are read; else the file tells.
    """
    run = None if run is None else given_run(run)
    if isinstance(given, Subject):
        return given
    if isinstance(given, Path) or (isinstance(given, str) and _is_path(given)):
        return _opened(Path(given), run, beside, library if library in READERS else None)
    if isinstance(given, Preset) or (isinstance(given, str) and given in presets):
        preset = given if isinstance(given, Preset) else presets[given]
        known = run if run is not None else preset.run()
        return Subject(preset.name, preset.schedule, known, peak=preset.peak_lr)
    if isinstance(given, Reading):
        return Subject(shown(given, 60), given.target, _on(given.run, run), given.findings, given.library, foreign=True)
    if isinstance(given, Restated):
        return Subject(shown(given, 60), given.target, run or Run(), given.findings, foreign=True)
    target = parse(given)
    return Subject(shown(target, 60) if not isinstance(target, Plan) else "the plan", target, run or Run())


def _is_path(text: str) -> bool:
    try:
        return bool(text.strip()) and "\n" not in text and len(text) < 4096 and Path(text).exists()
    except OSError:
        return False


def _opened(path: Path, run: Run | None, beside: Given, library: str | None) -> Subject:
    if not path.exists():
        raise PreheatError(f"there is no file {path}")
    if is_checkpoint(path):
        subject = read_checkpoint(path)
        return subject._replace(run=_on(subject.run, run))
    reading = read_config(Config.of(path), beside, library)
    run = _on(reading.run, run)
    return Subject(path.name, reading.target, run, reading.findings, reading.library, foreign=True)


def _on(own: Run, run: Run | None) -> Run:
    """The run that a file says, with what somebody says beside it."""
    if run is None:
        return own
    if run.clock not in ("step", own.clock):
        what = f"its own run counts {own.clock}s, and its lengths with it"
        raise PreheatError(what, given=run.clock, write="leave clock= (--clock) out")
    said = {
        name: value
        for name in ("total", "steps_per_epoch", "samples_per_step", "tokens_per_step")
        if (value := getattr(run, name)) is not None
    }
    return own.replace(**said) if said else own
