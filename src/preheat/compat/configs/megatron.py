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
from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.findings import Finding
from preheat.core.spans import Run

OPTIONS = tuple(name for name in inspect.signature(arguments).parameters if name not in ("base_lr", "faithful"))
WHOLE = ("_iters", "_samples", "_size")  # how the names of whole numbers end
_ASSIGNED = re.compile(
    r"^([ \t]*)(?:(?:export|local|readonly|declare|typeset)[ \t]+(?:-[xrg]+[ \t]+)?)?([A-Za-z_]\w*)=([^(\n].*)$",
    re.MULTILINE,
)
_OPTION = re.compile(r"(?<![\w-])--([A-Za-z][\w-]*)")
_NAME = re.compile(r"\$(?:\{(\w+)(?::-([^{}]*))?\}|(\w+))")
_SUM = re.compile(r"\$\(\(([^()]*)\)\)")
_SAID = re.compile(
    r"^[ \t]*(?:echo|printf(?! -v))\b.*$|^[ \t]*export(?:[ \t]+[A-Za-z_]\w*)+[ \t]*$", re.MULTILINE
)  # no change
_EXPANDED = re.compile(r"\$\{?(?:@|\*)[^\s\"']*|\$\((?!\()[^)\n]*\)?|`[^`\n]*`|\$\{?(\w+)([^\s\"'}]*)\}?")
_MANY = re.compile(r"arg|opt|extra|flag|param", re.IGNORECASE)  # in the name of what holds options, and not a value
_BREAK = "\N{NO-BREAK SPACE}"  # where a line was broken: a space that is no end of a line
_SOURCED = re.compile(r"(?:^|[;&|]|\bthen\b|\bdo\b)[ \t]*(?:source|\.)[ \t]+([^\s;&|]+)", re.MULTILINE)


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
    return Reading.of(restated, run, [*script.findings, *script.untold(), *_left(script.names())], "megatron")


class _Script:
    """The options of a script, and the variables that it assigns."""

    def __init__(self, text: str) -> None:
        self.findings: list[Finding] = []
        lines = (re.sub(r"(^|\s)#.*$", "", line) for line in text.splitlines())
        self._text = "\n".join(lines).replace("\\\n", f"{_BREAK} ")
        self._assigned: dict[str, set[str]] = {}
        self._indented: set[str] = set()
        for indent, name, value in _ASSIGNED.findall(self._text):
            self._assigned.setdefault(name, set()).add(value.split(";")[0].strip().strip("\"'"))
            self._indented |= {name} if indent else set()
        rest = _ASSIGNED.sub(lambda match: match[3], self._text)
        rest = _SAID.sub("", rest)
        self._otherwise = _SUM.sub(
            lambda match: match[0] if re.search(r"[^=!<>]=[^=]|\+\+|--", match[1]) else "0", rest
        )
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
            self._told(match[1] or match[3], where)
            if len(known) > 1:
                raise PreheatError(
                    f"{where} is {match[0]}, which the script assigns differently: {' and '.join(sorted(known))}"
                )
            return self._followed(next(iter(known)), name, depth - 1)

        inner = _SUM.sub(lambda match: _sum(self._names(match[1]), variable, where), text)
        return _NAME.sub(variable, inner)

    def _told(self, name: str, where: str) -> None:
        """Refuse a variable that something else than a plain assignment may change; say where one stands in a block."""
        other = re.search(rf"^.*(?<![\w$\-{{./]){name}(?![\w\-./]).*$", self._otherwise, re.MULTILINE)
        if other:
            what = f"{where} is ${name}, which `{shown(other[0].strip(), 60)[1:-1]}` may change"
            raise PreheatError(what, write="write the number")
        if name in self._indented:
            what = f"${name} is assigned inside a block, which may not be run"
            self.findings.append(Finding("assumed", where, what, "write the number"))

    def untold(self) -> list[Finding]:
        """What may say other options, or assign other variables, and does not stand in the script."""
        found = [f"`source {name}`" for name in _SOURCED.findall(self._text)]
        found += [f"`{text}`" for line in self._commands() for text in self._missing(line)]
        what = "may say other options or numbers, and is not read"
        return [Finding("not-carried", one, what, "write out what it says") for one in dict.fromkeys(found)]

    def _commands(self) -> list[str]:
        """The lines that have options, those of an array as one."""
        arrays = re.sub(
            r"=\(((?:[^()]|\$\([^()]*\))*)\)", lambda match: "=" + match[1].replace("\n", f"{_BREAK} "), self._text
        )
        return [line for line in arrays.splitlines() if "--" in line and not _SAID.match(line)]

    def _missing(self, line: str) -> Iterable[str]:
        """Expansions that stand alone, as options do, and are not what the script assigns."""
        for match in _EXPANDED.finditer(line):
            before, name, more = line[: match.start()].rstrip("\"'"), match[1], match[2] or ""
            last = before.split()[-1] if before.split() else ""
            if (before.endswith("=") and name) or (before[-1:] != "=" and before[-1:].strip()):
                continue  # what is assigned is followed where it is asked for; a part of a word
            broken = _BREAK in before[len(before.rstrip()) :]
            if last in ("cd", "mkdir") or (last.startswith("-") and not broken and name and not _MANY.search(name)):
                continue  # the value of an option
            if last.startswith("--") and not broken and match[0][1:2] in "(`":
                continue
            plain = name and (not more or more.startswith(("[", ":-", ":=", "-", "+", ":+")))
            if not plain or not re.search(rf"(?<![\w$]){name}\+?=", self._text):
                yield match[0]

    def _names(self, text: str) -> str:
        """In a sum, names stand for variables without a $ too."""
        return re.sub(r"(?<![\w${])([A-Za-z_]\w*)", r"${\1}", text)


def _sum(text: str, variable: Any, where: str) -> str:
    """A sum of whole numbers, as the shell computes it."""
    try:
        return str(_whole(ast.parse(_NAME.sub(variable, text).strip(), mode="eval").body))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise PreheatError(f"{where} is $(({text})), which cannot be computed here", write="write the number") from None


def _whole(node: ast.expr) -> int:
    """A division of the shell's goes towards 0, and its remainder has the sign of what is divided."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand) if not _is_power(
            operand
        ):  # the shell's minus binds before its **
            return -_whole(operand)
        case ast.BinOp(left=left, op=ast.Div() | ast.Mod() as op, right=right):
            a, b = _whole(left), _whole(right)
            if not b:
                raise ValueError("a division by zero")
            whole = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            return whole if isinstance(op, ast.Div) else a - whole * b
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Pow() as op, right=right):
            a, b = ast.Constant(_whole(left)), ast.Constant(_whole(right))
            return int(literal(ast.BinOp(left=a, op=op, right=b), {}))
    raise ValueError("no sum of whole numbers")


def _is_power(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def _left(names: set[str]) -> list[Finding]:
    """Options that look like those of the schedule and are none, and those that are not carried over."""
    found = []
    for name in sorted(names):
        plain = name.replace("-", "_")
        if plain in ("decoupled_lr", "decoupled_min_lr"):
            what = "embedding and output layer have a rate of their own"
            found.append(Finding("not-carried", f"--{name}", what, 'write a line of their group, as in "decoupled/lr"'))
        elif plain in ("yaml_cfg", "use_checkpoint_opt_param_scheduler"):
            what = "the schedule is taken from another file, which is not read"
            found.append(Finding("not-carried", f"--{name}", what))
        elif plain == "step_batch_size_schedule":
            found.append(Finding("not-carried", f"--{name}", "the batch grows, and with it what an update is worth"))
        elif re.match(r"(lr_|min_lr|weight_decay|warmup)", plain) and plain not in OPTIONS:
            found.append(Finding("unknown-key", f"--{name}", f"no option that is known here{nearest(plain, OPTIONS)}"))
    return found
