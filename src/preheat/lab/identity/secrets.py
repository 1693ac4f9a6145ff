"""Keys, tokens and passwords: found in a command and kept out of everything that is written or shown.

A secret is found by the name before it (`--api-key X`, `HF_TOKEN=X`), by its shape (`ghp_…`), or because somebody says
`--secret NAME`. What cannot be one stays: `--tokenizer gpt2`, `--max_tokens=5`, `--key-dim 64`.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

HIDDEN = "***"
"""What stands in the place of a secret."""

_ALWAYS = "password passwd passphrase secret secrets credential credentials apikey accesskey secretkey authtoken"
_KEYS = "api access secret private auth account license signing encryption service wandb openai anthropic comet neptune"
_TOKENS = (
    "api access auth bearer bot refresh session security personal hf hub huggingface github gh gitlab wandb mlflow"
)
_SURE = frozenset(_ALWAYS.split())
_BEFORE = {"key": frozenset(_KEYS.split()), "token": frozenset(_TOKENS.split())}
_PLAIN = re.compile(r"[-+]?[\d._]+(e[-+]?\d+)?|true|false|none|null|yes|no|auto|<.*>|\$.*|\{.*\}|\*+|", re.IGNORECASE)
_SHAPES = re.compile(
    r"(?<![\w-])(?:sk-[\w-]{16,}|hf_\w{16,}|gh[pousr]_\w{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|A[KS]IA[A-Z0-9]{12,}"
    r"|xox[abeprs]-[\w-]{10,}|AIza[\w-]{30,}|npm_\w{30,}|pypi-[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+)"
)
_HEADER = re.compile(
    r"(\bauthorization[\"']?\s*[:=]\s*[\"']?|\bbearer\s+(?=\S*\d))((?:(?:bearer|basic|token)\s+)?[^\s\"',;]{6,})",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\b([A-Za-z][\w+.-]{0,30}://)([^\s/@:\"']*:[^\s/@\"']*|[\w-]{20,})(?=@)")
_PAIR = re.compile(r"(?<![\w.+~-])([\w.+~-]{0,80}[A-Za-z])([\"']?\s*[=:]\s*[\"']?)(?!//)([^\s\"',;&}\])]+)")
_WHOLE = re.compile(r"([-+~]*[\w.-]*[A-Za-z]=)(.*)", re.DOTALL)
_OPTION = re.compile(r"-{1,2}[A-Za-z][\w.-]*")
_COMMAND = re.compile(
    r"\s(-|\S*(python|torchrun|accelerate|\.(py|sh)\b))"
)  # KEY=x python …: more than a value with blanks


def is_secret(name: str, value: str, named: Iterable[str] = ()) -> bool:
    """Whether what is given under this name is a secret. named: names that were said to be some.

    >>> is_secret("--api-key", "abc"), is_secret("--key-dim", "64"), is_secret("eos_token", "</s>")
    (True, False, False)
    """
    if value == HIDDEN:
        return False
    if _same(name) in map(_same, named):
        return True
    parts = [part.casefold() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name) if not part.isdigit()]
    last, before = (parts[-1], parts[-2:-1]) if parts else ("", [])
    if last in _SURE:
        return value != "" and not value.startswith(("$", "{"))
    if _PLAIN.fullmatch(value):
        return False
    if last in _BEFORE:
        alone = last == "token" and not before
        return alone or not _BEFORE[last].isdisjoint(before) or _random(value)
    return False


def _same(name: str) -> str:
    return name.strip("-").replace("-", "_").casefold()


def _random(value: str) -> bool:
    """Whether a value looks drawn by chance: long, of letters and digits, no file or address."""
    letters, digits = sum(map(str.isalpha, value)), sum(map(str.isdigit, value))
    return len(value) >= 20 and re.fullmatch(r"[\w+=-]+", value) is not None and letters >= 3 and digits >= 3


class Mask:
    """Puts `***` in the place of secrets, and keeps what they were: `values`.

    named: options and variables whose values are secrets whatever they look like.
    """

    def __init__(self, named: Iterable[str] = ()) -> None:
        self.named = tuple(named)
        self.values: set[str] = set()

    def words(self, words: Sequence[str]) -> list[str]:
        """The words of a command."""
        found, option = [], ""
        for word in words:
            hide = option and not word.startswith("--") and is_secret(option, word, self.named)
            found.append(self._hidden(word) if hide else self._word(word))
            option = word if _OPTION.fullmatch(word) else ""
        return found

    def text(self, text: str) -> str:
        """Any text: what follows a telling name, or has the shape of a known kind of key."""
        text = _SHAPES.sub(lambda found: self._hidden(found[0]), text)
        text = _HEADER.sub(lambda found: found[1] + self._hidden(found[2]), text)
        text = _ADDRESS.sub(lambda found: found[1] + self._hidden(found[2]), text)
        return _PAIR.sub(self._pair, text)

    def _word(self, word: str) -> str:
        """One word; a word with blanks in it may be a command itself."""
        whole = _WHOLE.fullmatch(word)
        if whole and is_secret(whole[1][:-1], whole[2], self.named) and not _COMMAND.search(whole[2]):
            return whole[1] + self._hidden(whole[2])
        word = self.text(word)
        if any(map(str.isspace, word)):
            try:
                inner = shlex.split(word)
            except ValueError:
                return word
            if len(inner) > 1 and (hidden := self.words(inner)) != inner:
                return _replaced(word, inner, hidden)
        return word

    def _pair(self, found: re.Match[str]) -> str:
        name, between, value = found.groups()
        prose = name.casefold() == "token" and ":" in between and not _random(value)  # "unexpected token: x"
        secret = not prose and is_secret(name, value, self.named)
        return name + between + self._hidden(value) if secret else found[0]

    def _hidden(self, value: str) -> str:
        self.values |= {value, value.split()[-1] if value.strip() else value}  # of "Bearer x" also x alone
        return HIDDEN


def _replaced(text: str, words: Sequence[str], hidden: Sequence[str]) -> str:
    """A command in which the words that are hidden have changed, its quotes and blanks as they are where that is easy."""
    for before, after in zip(words, hidden, strict=True):
        if before != after:
            text, times = re.subn(rf"(?<![^\s'\"]){re.escape(before)}(?![^\s'\"])", lambda _: after, text)  # noqa: B023
            if not times:
                return shlex.join(hidden)
    return text


def without(text: str, values: Iterable[str]) -> str:
    """`text` with `***` for each of the values, and for what looks like a secret besides."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN) if len(value) > 3 else text
    return Mask().text(text)


def environment_values(environment: Mapping[str, str], named: Iterable[str] = ()) -> set[str]:
    """The values of the variables whose names say that they are secrets."""
    named = tuple(named)
    return {value for name, value in environment.items() if len(value) >= 8 and is_secret(name, value, named)}
