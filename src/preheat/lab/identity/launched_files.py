"""The files that a command names: those of settings are part of what is run, scripts and others are its version."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

LARGEST = 1 << 20
"""Bytes up to which a file is looked at: what is larger is data."""

_SETTINGS = (".yaml", ".yml", ".toml", ".json", ".ini", ".cfg", ".conf", ".gin", ".jsonnet", ".libsonnet", ".xml")
_WRITTEN = re.compile(r"(out|output|log|save|result|dump|write|report|history|metric|checkpoint|ckpt|resume|state)s?")


def files_in(words: Sequence[str]) -> list[Path]:
    """The files of moderate size that the words name: alone, after `=` or after `@`; not those the training writes to."""
    found, option = [], ""
    for word in words:
        name, equals, value = word.rpartition("=")
        asked = name if equals else option
        option = word if word.startswith("-") and not equals else ""
        if not _WRITTEN.fullmatch(re.split(r"[-_.]", asked.lstrip("-").casefold())[0]):
            found += [path for one in {word, value} if (path := Path(one.removeprefix("@"))) and _small_file(path)]
    return found


def settings_files(words: Sequence[str]) -> list[Path]:
    """Those of the files that are settings by their ending: another content is another configuration."""
    return [path for path in files_in(words) if path.suffix.casefold() in _SETTINGS]


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """What each file holds, as digits, by its name; of files of one name all together."""
    contents: dict[str, list[bytes]] = {}
    for path in sorted(paths):
        with suppress(OSError):
            contents.setdefault(path.name, []).append(hashlib.sha256(path.read_bytes()).digest())
    return {name: hashlib.sha256(b"".join(parts)).hexdigest()[:12] for name, parts in contents.items()}


def _small_file(path: Path) -> bool:
    with suppress(OSError, ValueError):  # a name that is too long, or holds what no name can
        return path.is_file() and path.stat().st_size <= LARGEST
    return False
