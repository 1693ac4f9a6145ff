"""Keys, tokens and passwords: found in a command and kept out of everything that is written or shown.

A secret is found by the name before it (`--api-key X`, `HF_TOKEN=X`), by its shape (`ghp_…`), or because somebody says
`--secret NAME`. What cannot be one stays: `--tokenizer gpt2`, `--max_tokens=5`, `--key-dim 64`.

Letters are marked, never words replaced: what is hidden is the value and nothing else. Where it cannot be known how far a value
reaches, more of it is hidden than is taken out of what makes a run the same (`Mask.cut`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from preheat.lab.identity.shell import commands

HIDDEN = "***"
"""What stands in the place of a secret."""

CUT = "\0"
"""What stands there where configurations are compared: no command can hold it."""

_ALWAYS = "password passwd passphrase secret secrets credential credentials apikey accesskey secretkey authtoken"
_OFTEN = "bearer jwt pat cookie pw signature sig"
_KEYS = "api access secret private auth account license signing encryption service wandb openai anthropic comet neptune"
_TOKENS = (
    "api access auth bearer bot refresh session security personal hf hub huggingface github gh gitlab wandb mlflow"
)
_SURE, _MAYBE = tuple(_ALWAYS.split()), frozenset(_OFTEN.split())
_BEFORE = {"key": frozenset(_KEYS.split()), "token": frozenset(_TOKENS.split())}
_PLAIN = re.compile(r"[-+]?[\d._]+(e[-+]?\d+)?|true|false|none|null|yes|no|auto|<.*>|\$.*|\{.*\}|\*+|", re.IGNORECASE)
_SHAPES = re.compile(
    r"(?<![\w-])(?:sk-[\w-]{16,}|hf_\w{16,}|gh[pousr]_\w{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|A[KS]IA[A-Z0-9]{12,}"
    r"|xox[abeprs]-[\w-]{10,}|AIza[\w-]{30,}|npm_\w{30,}|pypi-[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+)"
)
_END = r"\s\"',;&|<>()`"  # what ends a value in a text
_HEADER = re.compile(
    r"(?:\bauthorization[\"']?\s*[:=]\s*[\"']?|\bbearer\s+(?=\S*\d))(?:(?:bearer|basic|token)\s+)?"
    rf"(?P<value>[^{_END}]{{6,}})",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\b(?:https?://(?P<web>[^\s/@\"']+)|[A-Za-z][\w+.-]{0,30}://(?:[^\s/@:\"']*:(?P<password>[^\s/@\"']+)|(?P<key>[\w-]{20,})))(?=@)"
)
_PAIR = re.compile(
    r"(?<![\w.+~-])(?P<name>[\w.+~-]{0,80}\w)[\"']?(?:[ \t]*:[ \t]*|[ \t]+=[ \t]*|=)[\"']?(?!//)"
    rf"(?=(?P<value>[^{_END}}}\]]+))"
)
_QUOTED = re.compile(r"\"(?P<name>[\w.+~-]{1,80})\"\s*:\s*\"(?P<value>(?:[^\"\\]|\\.)+)\"")  # as JSON writes it
_WHOLE = re.compile(r"([-+~]*[\w.-]*\w=)(.*)", re.DOTALL)
_OPTION = re.compile(r"-{1,2}[A-Za-z][\w.-]*[=:]?")
_FIRST = re.compile(rf"[^{_END}]*")
_FILE = re.compile(
    r"-.*|\S*\.(?:py|sh|jl|lua|js|R|ipynb|txt|csv|pt|yaml|yml|toml|json|ini|cfg)"
)  # another option, a script: the one before may have no value
_USERS = ("-u", "--user")
_SHELLS = re.compile(r"(?:.*/)?(?:ssh|mosh|eval|su|srun|(?:ba|z|da|k|c|fi|tc)?sh)")
_COMMANDS = ("-c", "-lc", "-ic", "--command", "--launch")  # the next word is a command
_COMMAND = re.compile(
    r"\s(-|\S*(python|torchrun|accelerate|\.(py|sh)\b))"
)  # KEY=x python …: more than a value with blanks
_LEAST = 4  # characters of a value that is looked for wherever it may stand


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
    if last.endswith(_SURE):
        return value != "" and not value.startswith(("$", "{"))
    if _PLAIN.fullmatch(value):
        return False
    if last in _BEFORE:
        alone = last == "token" and not before
        return alone or not _BEFORE[last].isdisjoint(before) or _random(value)
    return last in _MAYBE or any(last.endswith(kind) and last[: -len(kind)] in known for kind, known in _BEFORE.items())


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
        self._said: set[str] = set()  # values of the options and variables that are named
        self._numbers = count(1)

    def words(self, words: Sequence[str]) -> list[str]:
        """The words of a command; a value of what is named is hidden wherever it stands."""
        marks = self._in_words(words)
        for word, own in zip(words, marks, strict=True):
            for value in sorted(value for value in self._said if len(value) >= _LEAST):
                for found in re.finditer(re.escape(value), word):
                    own.put(found.start(), found.end(), next(self._numbers), sure=0)
        return [own.over(word, HIDDEN) for word, own in zip(words, marks, strict=True)]

    def cut(self, words: Sequence[str]) -> list[str]:
        """The words without what surely is a secret's value, so that other words are never taken for the same."""
        return [own.over(word, CUT, sure=True) for word, own in zip(words, self._in_words(words), strict=True)]

    def text(self, text: str) -> str:
        """Any text: what follows a telling name, or has the shape of a known kind of key."""
        return self._in_text(text).over(text, HIDDEN)

    def _in_words(self, words: Sequence[str]) -> list["_Marks"]:
        found, option, shell = [], "", False
        for word in words:
            if option and not word.startswith("--") and is_secret(option, word, self.named):
                marks = _Marks(word)
                self._hide(marks, option, word, 0, sure=0 if _FILE.fullmatch(word) else len(word))
            else:
                marks = self._in_word(word, command=shell or option in _COMMANDS, operators=option != "--launch")
                self._in_user(marks, option, word)
            found.append(marks)
            option = word.rstrip("=:") if _OPTION.fullmatch(word) else ""
            shell = shell or _SHELLS.fullmatch(word) is not None
        return found

    def _in_word(self, word: str, *, command: bool, operators: bool) -> "_Marks":
        """One word; a word with blanks in it may be a command itself. command: whether it surely is; operators: in a shell."""
        whole = _WHOLE.fullmatch(word)
        if whole and is_secret(whole[1][:-1], whole[2], self.named):
            first, option = len(_FIRST.match(whole[2])[0]), word.startswith("-")  # type: ignore[index]
            nested = (command and first < len(whole[2])) or _COMMAND.search(whole[2])
            if option or not nested:
                marks, start = _Marks(word), len(whole[1])
                self._hide(marks, whole[1][:-1], whole[2], start, sure=len(word) if option else start + first)
                return marks
        marks = self._in_text(word)
        if whole and whole[1] == "--user=":
            self._in_user(marks, "--user", word)
        for inner in commands(word, operators=operators) if command or any(map(str.isspace, word)) else ():
            if [one.value for one in inner] != [word]:
                values = [one.value for one in inner]
                for one, own in zip(inner, self._in_words(values), strict=True):
                    marks.take(own, one.places)
        return marks

    def _in_text(self, text: str) -> "_Marks":
        marks = _Marks(text)
        for pattern in (_SHAPES, _HEADER, _ADDRESS):
            for found in pattern.finditer(text):
                group = found.lastgroup or 0
                value, start = found[group], found.start(group)
                self._hide(marks, "", value, start, sure=found.end(group) if _FIRST.fullmatch(value) else 0)
        for found in (*_PAIR.finditer(text), *_QUOTED.finditer(text)):
            name, value = found["name"], found["value"]
            prose = name.casefold() == "token" and ":" in found[0] and not _random(value)  # "unexpected token: x"
            if not prose and not marks.numbers[found.start("name")] and is_secret(name, value, self.named):
                self._hide(marks, name, value, found.start("value"))
        return marks

    def _in_user(self, marks: "_Marks", option: str, word: str) -> None:
        """`-u name:password`, as curl takes it."""
        name, _, password = word.rpartition("=")[2].partition(":")
        if option in _USERS and name and not password.startswith("//") and not _PLAIN.fullmatch(password):
            self._hide(marks, "", password, len(word) - len(password))

    def _hide(self, marks: "_Marks", name: str, value: str, start: int, *, sure: int | None = None) -> None:
        """Mark a value that begins there; sure: where what is surely the value ends, if that is not its end."""
        end = start + len(value)
        marks.put(start, end, next(self._numbers), sure=end if sure is None else sure)
        self.values |= {value, value.split()[-1] if value.strip() else value}  # of "Bearer x" also x alone
        if _same(name) in map(_same, self.named):
            self._said.add(value)


class _Marks:
    """Which letters of a word belong to a secret: of each the secret's number, or 0, and whether that is sure."""

    def __init__(self, word: str) -> None:
        self.numbers, self.sure = [0] * len(word), [False] * len(word)

    def put(self, start: int, end: int, number: int, *, sure: int) -> None:
        """Mark from `start` to `end`, for sure up to `sure`."""
        for at in range(start, end):
            self.numbers[at] = number
            self.sure[at] |= at < sure

    def take(self, inner: "_Marks", places: Sequence[tuple[int, int]]) -> None:
        """Take over the marks of a word that stands in this one."""
        for number, sure, (start, end) in zip(inner.numbers, inner.sure, places, strict=True):
            if number:
                self.put(start, end, number, sure=end if sure else 0)

    def over(self, word: str, hidden: str, *, sure: bool = False) -> str:
        """The word with `hidden` once for each secret, quotes within a secret as they are."""
        text, before, seen = "", 0, set[int]()
        for letter, number, known in zip(word, self.numbers, self.sure, strict=True):
            if number == 0 or (sure and not known):
                text, before = text + letter, 0
                continue
            if not before and number not in seen:
                text += hidden
            before = number
            seen.add(number)
        return text


def without(text: str, values: Iterable[str]) -> str:
    """`text` with `***` for each of the values, and for what looks like a secret besides."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN) if len(value) >= _LEAST else text
    return Mask().text(text)


def environment_values(environment: Mapping[str, str], named: Iterable[str] = ()) -> set[str]:
    """The values of the variables whose names say that they are secrets."""
    named = tuple(named)
    return {value for name, value in environment.items() if len(value) >= 8 and is_secret(name, value, named)}
