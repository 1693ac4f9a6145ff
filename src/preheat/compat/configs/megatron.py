"""Megatron's options in a shell script: read as text, never run."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable
from typing import Any

from preheat.compat.configs.files import Config
from preheat.compat.configs.literals import literal
from preheat.compat.configs.reading import Given, Reading, number
from preheat.compat.megatron import arguments
from preheat.core.errors import PreheatError, nearest
from preheat.core.findings import Finding
from preheat.core.spans import Run

OPTIONS = tuple(name for name in inspect.signature(arguments).parameters if name not in ("base_lr", "faithful"))
WHOLE = ("_iters", "_samples", "_size")  # how the names of whole numbers end
_ASSIGNED = re.compile(r"^[ \t]*(?:export[ \t]+|local[ \t]+|readonly[ \t]+)?([A-Za-z_]\w*)=([^(\n].*)$", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--([A-Za-z][\w-]*)")
_NAME = re.compile(r"\$(?:\{(\w+)(?::-([^{}]*))?\}|(\w+))")
_SUM = re.compile(r"\$\(\(([^()]*)\)\)")


def recognises(config: Config) -> bool:
    """A text with --lr and with --train-iters or --train-samples."""
    found = {name.replace("-", "_") for name in _OPTION.findall(config.text)} if config.kind == "text" else set()
    return "lr" in found and bool(found & {"train_iters", "train_samples"})


def read(config: Config, given: Given) -> Reading:
    """The schedule as rates, with the weight decay where that moves too.

    Variables are followed where the script itself assigns them, once. Raises PreheatError for others that an option names,
    for an option that is said twice and differently, and where Megatron's own checks fail.
    """
    script = _Script(config.text)
    options = {name: value for name in OPTIONS if (value := script.value(name)) is not None}
    for name in OPTIONS:  # what the caller says of a script that is silent
        if name == "train_iters" and given.total is not None and not {"train_iters", "train_samples"} & set(options):
            options[name] = given.total
    if "lr" not in options and given.base_lr is not None:
        options["lr"] = given.base_lr
    if "lr" not in options:
        raise PreheatError("the script does not say --lr", write="give base_lr")
    restated = arguments(**options)
    batch, length = options.get("global_batch_size"), script.value("seq_length")
    total = options.get("train_iters") or options["train_samples"] // batch
    if given.total is not None and given.total != total:
        raise PreheatError(f"the script trains for {total} updates", given=given.total)
    tokens = batch * length if batch and length else None
    run = Run(total=total, samples_per_step=batch, tokens_per_step=tokens)
    return Reading.of(restated, run, [*script.findings, *_left(script.names())], "megatron")


class _Script:
    """The options of a script, and the variables that it assigns."""

    def __init__(self, text: str) -> None:
        self.findings: list[Finding] = []
        lines = (re.sub(r"(^|\s)#.*$", "", line) for line in text.splitlines())
        self._text = "\n".join(lines).replace("\\\n", " ")
        self._assigned: dict[str, set[str]] = {}
        for name, value in _ASSIGNED.findall(self._text):
            self._assigned.setdefault(name, set()).add(value.split(";")[0].strip().strip("\"'"))
        words = _SUM.sub(lambda match: match[0].replace(" ", ""), self._text)  # a sum is one word
        self._words = re.findall(r"\$\(\([^()]*\)\)|[^\s\"'()]+", words)

    def names(self) -> set[str]:
        """The options that stand in it."""
        return {match[1] for word in self._words if (match := _OPTION.match(word))}

    def value(self, name: str) -> Any:
        """The value of an option by its name in Python; None where it is not said."""
        said = {" ".join(values) for values in self._said(name)}
        if not said:
            return None
        if len(said) > 1:
            raise PreheatError(f"--{name.replace('_', '-')} is said differently: {' and '.join(sorted(said))}")
        text = self._followed(said.pop(), name)
        if name.endswith("_style"):
            return text
        if name == "rampup_batch_size":
            return tuple(int(number(part, "--rampup-batch-size")) for part in text.split())
        found = number(text, f"--{name.replace('_', '-')}")
        return int(found) if name.endswith(WHOLE) or name == "seq_length" else found

    def _said(self, name: str) -> Iterable[list[str]]:
        many = 3 if name == "rampup_batch_size" else 1
        for i, word in enumerate(self._words):
            option, equals, value = word.partition("=")
            if option[:2] == "--" and option[2:].replace("-", "_") == name:
                yield [value] if equals else self._words[i + 1 : i + 1 + many]

    def _followed(self, text: str, name: str, depth: int = 10) -> str:
        """A text with its variables and sums replaced by what they are."""
        where = f"--{name.replace('_', '-')}"

        def variable(match: re.Match[str]) -> str:
            known, default = self._assigned.get(match[1] or match[3], set()), match[2]
            if not known or depth == 0:
                if default is None:
                    raise PreheatError(
                        f"{where} is {match[0]}, which the script does not assign", write="write the number"
                    )
                self.findings.append(Finding("assumed", where, f"{match[0]} is taken for its default, {default}"))
                return default
            if len(known) > 1:
                raise PreheatError(
                    f"{where} is {match[0]}, which the script assigns differently: {' and '.join(sorted(known))}"
                )
            return self._followed(next(iter(known)), name, depth - 1)

        inner = _SUM.sub(lambda match: _sum(self._names(match[1]), variable, where), text)
        return _NAME.sub(variable, inner)

    def _names(self, text: str) -> str:
        """In a sum, names stand for variables without a $ too."""
        return re.sub(r"(?<![\w${])([A-Za-z_]\w*)", r"${\1}", text)


def _sum(text: str, variable: Any, where: str) -> str:
    """A sum of whole numbers, as the shell computes it."""
    try:
        return str(literal(ast.parse(_NAME.sub(variable, text).replace("/", "//"), mode="eval").body, {}))
    except (ValueError, SyntaxError):
        raise PreheatError(f"{where} is $(({text})), which cannot be computed here", write="write the number") from None


def _left(names: set[str]) -> list[Finding]:
    """Options that look like those of the schedule and are none, and those that are not carried over."""
    found = []
    for name in sorted(names):
        plain = name.replace("-", "_")
        if plain in ("decoupled_lr", "decoupled_min_lr"):
            what = "embedding and output layer have a rate of their own"
            found.append(Finding("not-carried", f"--{name}", what, 'write a line of their group, as in "decoupled/lr"'))
        elif plain == "step_batch_size_schedule":
            found.append(Finding("not-carried", f"--{name}", "the batch grows, and with it what an update is worth"))
        elif re.match(r"(lr_|min_lr|weight_decay|warmup)", plain) and plain not in OPTIONS:
            found.append(Finding("unknown-key", f"--{name}", f"no option that is known here{nearest(plain, OPTIONS)}"))
    return found
