"""Whatever names a schedule, opened: a value, text, a preset's name, the path of a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from preheat.compat.configs import Config, Given, read_config
from preheat.core.errors import PreheatError, shown
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.text.language import parse
from preheat.recipes.published import presets
from preheat.review.subject import Subject


def subject_of(given: Any, run: Run | None = None, beside: Given = Given()) -> Subject:  # noqa: B008  immutable
    """What is meant by a schedule, a plan, text, JSON, a preset's name, or the path of a config or a checkpoint.

    run: what is known of the run beside it.   beside: the same for a config.
    Raises PreheatError for anything else.
    """
    if isinstance(given, Subject):
        return given
    if isinstance(given, Path) or (isinstance(given, str) and _is_path(given)):
        return _opened(Path(given), beside)
    if isinstance(given, str) and given in presets:
        preset = presets[given]
        known = run if run is not None else preset.run()
        return Subject(given, preset.schedule, known, peak=preset.peak_lr)
    target = parse(given)
    return Subject(shown(target, 60) if not isinstance(target, Plan) else "the plan", target, run or Run())


def _is_path(text: str) -> bool:
    try:
        return "\n" not in text and len(text) < 4096 and Path(text).exists()
    except OSError:
        return False


def _opened(path: Path, beside: Given) -> Subject:
    if not path.exists():
        raise PreheatError(f"there is no file {path}")
    reading = read_config(Config.of(path), beside)
    return Subject(path.name, reading.target, reading.run, reading.findings, reading.library)
