"""The files that a command names: those of settings are part of what is run, scripts and others are its version."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from glob import escape, iglob
from itertools import islice
from pathlib import Path

from preheat.lab.identity.shell import commands

LARGEST = 1 << 20
"""Bytes up to which a file is looked at: what is larger is data."""

MOST = 1000
"""Files that are looked at for one word: of a folder, or of a name that is filled in."""

_SETTINGS = (
    *(".yaml", ".yml", ".toml", ".json", ".json5", ".ini", ".cfg", ".conf", ".gin", ".jsonnet", ".libsonnet", ".xml"),
    *(".env", ".hocon", ".properties"),
)
_WRITTEN = re.compile(r"(out|output|log|save|result|dump|write|report|history|metric|checkpoint|ckpt|resume|state)s?")
_FOLDERS = re.compile(r"config|conf|cfg|setting|cd$")  # options that name a folder of settings
_FILLED = re.compile(r"\{(?:seed|arm)\}")
_ATTACHED = re.compile(r"-[A-Za-z](?=[^-=])")  # -cconf.yaml


def files_in(words: Sequence[str]) -> list[Path]:
    """The files of moderate size that the words name, and the commands in them; not those that the training writes to."""
    return [path for path, _ in _named(words)]


def settings_files(words: Sequence[str]) -> list[Path]:
    """Those of the files that are settings, by their ending or as `@file`: another content is another configuration."""
    return [path for path, sure in _named(words) if sure or path.name.casefold().endswith(_SETTINGS)]


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """What each file holds, as digits, by its name; of files of one name all together."""
    contents: dict[str, list[bytes]] = {}
    for path in sorted(set(paths)):
        with suppress(OSError):
            contents.setdefault(path.name, []).append(hashlib.sha256(path.read_bytes()).digest())
    return {name: hashlib.sha256(b"".join(parts)).hexdigest()[:12] for name, parts in contents.items()}


def _named(words: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """Each file, and whether it is one of settings whatever its ending is."""
    option = ""
    for word in words:
        name, equals, value = word.rpartition("=")
        asked = (name if equals else option).lstrip("-+~").casefold()
        option = word if word.startswith("-") and not equals else ""
        if not _WRITTEN.fullmatch(re.split(r"[-_.]", asked)[0]):
            for text in dict.fromkeys([word, value, _ATTACHED.sub("", word), *re.split(r"[=,]", word)]):
                yield from _files(text.removeprefix("@"), asked, is_list=text.startswith("@"))
        for inner in commands(word):
            values = [one.value for one in inner[inner[0].after == ">" :]]  # not what output goes to
            if values not in ([], [word]) and values[0] != "tee":
                yield from _named(values)


def _files(text: str, asked: str, *, is_list: bool) -> Iterator[tuple[Path, bool]]:
    """The files of one name: for every seed and arm, and of a folder of settings those that are some."""
    text = text.removeprefix("file://").removeprefix("file:")
    parts = _FILLED.split(text)
    is_name = any(
        char.isalnum() for part in parts for char in part
    )  # {seed} alone is a number, and every name is like it
    found = [text] if len(parts) == 1 else islice(iglob("*".join(map(escape, parts))), MOST) if is_name else []
    for path in map(Path, found):
        if text and _small_file(path):
            yield path, is_list
        elif text and _FOLDERS.search(asked) and path.name and _is_folder(path):
            inside = (one for one in path.rglob("*") if one.name.casefold().endswith(_SETTINGS))
            yield from ((one, True) for one in islice(filter(_small_file, inside), MOST))


def _small_file(path: Path) -> bool:
    with suppress(OSError, ValueError):  # a name that is too long, or holds what no name can
        return path.is_file() and path.stat().st_size <= LARGEST
    return False


def _is_folder(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.is_dir()
    return False
