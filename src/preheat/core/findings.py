"""A finding: something that whoever trains should know before the run, with its evidence and the cure."""

from __future__ import annotations

from typing import NamedTuple

CODES = {
    # what a restatement or a config says of itself
    "ignored-argument": "an argument that the other library accepts and does not use",
    "rate-argument": "an argument that is a rate, while the rates are given as factors of an unknown base",
    "after-the-end": "the other library rebounds or goes below 0 after the run; here the last value is kept",
    "raises-after-the-end": "the other library raises an error after the run; here the last value is kept",
    "no-end": "the other library goes on for ever, and the schedule ends there; in a run it is cut at the run's end",
    "not-equal": "equality is impossible; says by how much at most",
    "metric-driven": "what a metric decides: a rule, no schedule",
    "unexpected-value": "a value that the other library computes and that its arguments do not suggest",
    "not-carried": "a setting that changes the rates and cannot be carried over",
    "unknown-key": "a key of a config that its library does not know, or that is not known here",
    "said-twice": "a key of a config that is there more than once, of which the last is taken",
    "stuck": "a length of 0 leaves the rate at its first value for good, in the other library and so here",
    "not-recognised": "values that no schedule of few words gives: a table",
    "assumed": "a number that the file does not say, and what was taken for it",
    # what a check finds of a schedule on its run
    "zero-start": "first updates at rate 0, where they are a share of the run that counts",
    "zero-warmup": "a warmup of no update: rounded away, or 0, which some libraries keep the start of, or refuse",
    "no-update": "another part that is written with a length and is rounded to no update",
    "warmup-over-run": "a warmup that takes the whole run, or more",
    "warmup-share": "a warmup longer than a fifth of the run",
    "peak-not-reached": "no update runs at the peak that is written",
    "jump": "a rate that changes at once, where phases do not meet: no restart, no staircase",
    "decay-clock": "a decay whose length counts the warmup where that is not meant, or does not count it",
    "above-floor": "a last rate above the one that the plan goes down to",
    "floor-early": "a decay that is over well before the run",
    "ends-mid-phase": "a run that ends in the middle of a phase that goes up",
    "does-not-fit": "parts that need more than the run has",
    "unclear-peak": "factors whose peak is not 1, which may be meant as the rates themselves; a Scheduler refuses them",
    "out-of-range": "a value that the hyper-parameter cannot have",
    "negative": "a rate below 0",
    "rebound": "another library's rate that climbs again after its end",
    # what a check finds of a training around a schedule
    "per-epoch": "a plan in updates, stepped or counted once an epoch",
    "total-differs": "a total that the data, the epochs, the accumulation and the processes do not make",
    "double-warmup": "something else that warms up beside the plan",
    "short-warmup": "a warmup several times shorter than the untuned rule 2/(1 − β₂)",
    "peak-range": "a peak far outside of what is published for the optimizer and the size",
    "decayed-group": "weight decay on a group that was given none",
    # what a check finds of a checkpoint
    "unknown-plan": "a checkpoint that does not say what it follows",
    "resume-differs": "what resuming under another plan would change",
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
