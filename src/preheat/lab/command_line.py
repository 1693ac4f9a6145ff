"""A comparison as the words of a `preheat compare` command: how a study is typed, and a command with an option changed."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from preheat.lab.experiment import Study
from preheat.lab.identity.secrets import HIDDEN, Mask
from preheat.lab.naming import printable, relative

_TEXTS = ("--arm", "--launch", "--metric", "--out", "--secret", "--title")  # options that take any text
COMPARE = ("preheat", "compare")


def arm_words(study: Study) -> list[str]:
    """The options that make these arms again."""
    named = {arm.family: arm.spec.replace("'", '"') for arm in study.arms}  # what a shell quotes best
    texts = [f"{name}={spec}" for name, spec in named.items()]
    return [word for text in texts for word in ("--arm", text)]


def option_words(options: Any) -> list[str]:
    """The options of a built-in task that are not its defaults."""
    defaults, given = asdict(type(options)()), asdict(options)
    changed = [(name, value) for name, value in given.items() if value != defaults[name]]
    return [word for name, value in changed for word in (f"--{name.replace('_', '-')}", str(value))]


def task_words(study: Study, *, seeds: int) -> tuple[str, ...]:
    """The command for a study of a built-in task, without a folder; what varies over peaks is left to the caller."""
    length = ["--seeds", str(seeds), "--steps", str(study.steps)]
    return (*COMPARE, study.task, *arm_words(study), *length, *option_words(study.options))


def option_of(words: Sequence[str], name: str) -> str | None:
    """What an option of a command is; None where it is not given."""
    places = [place for place, word in enumerate(words[:-1]) if word == name]
    return words[places[-1] + 1] if places else None


def with_option(words: Sequence[str], name: str, value: str) -> tuple[str, ...]:
    """The command with an option set to a value: in its place, or at the end, but before the folder.

    >>> with_option(("preheat", "compare", "bytes", "--seeds", "3", "--out", "x"), "--seeds", "9")
    ('preheat', 'compare', 'bytes', '--seeds', '9', '--out', 'x')
    """
    found = list(words)
    places = [place for place, word in enumerate(found[:-1]) if word == name]
    if places:
        found[places[-1] + 1] = value
        return tuple(found)
    end = len(found) - 2 if found[-2:-1] == ["--out"] else len(found)
    return (*found[:end], name, value, *found[end:])


def typed(words: Sequence[str]) -> str:
    """The command as it is pasted into a terminal: `***` in the place of secrets, which have to be put back."""
    return printable(shlex.join(_joined(_masked(words))))


def written(words: Sequence[str]) -> str:
    """The same for a file that others read: without the folders of this machine, too."""
    return printable(shlex.join(_joined(map(relative, _masked(words)))))


def _joined(words: Iterable[str]) -> list[str]:
    """The words with `--arm=-c=…` for `--arm -c=…`: what begins with a dash would be read as an option."""
    found = list[str]()
    for word in words:
        if found and found[-1] in _TEXTS and word.startswith("-"):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def has_secret(words: Sequence[str]) -> bool:
    """Whether something of the command is not shown."""
    return any(HIDDEN in shown and HIDDEN not in word for word, shown in zip(words, _masked(words), strict=True))


def _masked(words: Sequence[str]) -> list[str]:
    """The words without secrets: those of the options and variables that `--secret` names, and what looks like one."""
    named = [after for before, after in pairwise(words) if before == "--secret"]
    shown = Mask(named).words(words)
    return [
        word if before in ("--secret", "--arm") else one
        for before, word, one in zip(("", *words), words, shown, strict=False)
    ]


def peaks_text(peaks: Sequence[float]) -> str:
    """Peaks as `--peaks` takes them, every digit that counts.

    >>> peaks_text([0.0005, 1e-3, 2e-3])
    '0.0005,0.001,0.002'
    """
    return ",".join(short if float(short := f"{peak:g}") == peak else repr(peak) for peak in peaks)
