"""A finding: something that whoever trains should know before the run, with its evidence and the cure."""

from __future__ import annotations

from typing import NamedTuple

CODES = {
    # what a restatement or a config says of itself
    "ignored-argument": "an argument that the other library accepts and does not use",
    "rate-argument": "an argument that is a rate, while the rates are given as factors of an unknown base",
    "after-the-end": "the other library rebounds, goes below 0 or fails after the run; here the last value is kept",
    "not-equal": "equality is impossible; says by how much at most",
    "metric-driven": "what a metric decides: a rule, no schedule",
    "unexpected-value": "a value that the other library computes and that its arguments do not suggest",
    "not-carried": "a setting that changes the rates and cannot be carried over",
    "unknown-key": "a key of a config that its library does not know, or that is not known here",
    "assumed": "a number that the file does not say, and what was taken for it",
}
"""Every code and what it stands for. docs/check.md explains each."""


class Finding(NamedTuple):
    """What was found.

    code: one of CODES.   place: where: an argument, a key, a file's line, an update.
    what: the evidence, as a sentence without its full stop.   write: what to write instead, "" where nothing is to be done.

    >>> print(Finding("ignored-argument", "num_warmup_steps", "constant has no warmup", "write constant_with_warmup"))
    num_warmup_steps: constant has no warmup; write constant_with_warmup (ignored-argument)
    """

    code: str
    place: str
    what: str
    write: str = ""

    def __str__(self) -> str:
        cure = f"; {self.write}" if self.write else ""
        return f"{self.place}: {self.what}{cure} ({self.code})"
