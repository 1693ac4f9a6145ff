"""A refusal of the core in the words of the command line: the same fault, and what to write at a prompt."""

from collections.abc import Mapping

from preheat.core.errors import PreheatError

_WORTH = ("steps_per_epoch", "samples_per_step", "tokens_per_step")

SCHEDULE = {
    "total": "add --total, for example --total 10_000",
    "total_or_span": "add --total, for example --total 10_000, or give it a span",
    "fixed_total": "write --total 10_000",
    "clock": "add --clock second and a --total such as '6 h'",
    "truncate": "shorten them, give one of them the span 'rest', or give a longer --total",
    **{name: f"add --{name.replace('_', '-')} N" for name in _WORTH},
}
"""What to write for each hint of a refusal, where a schedule is shown or printed."""

TASK = {
    "clock": "a task counts updates: write a number of them, or '5%'",
    "truncate": "shorten them, give one of them the span 'rest', or give a longer --steps",
    **dict.fromkeys(_WORTH, "a task counts updates: write a number of them, or '5%'"),
}
"""The same where a built-in task is trained."""


def at_prompt(error: PreheatError, cures: Mapping[str, str]) -> PreheatError:
    """`error` with the cure of its hint instead of the Python that it advises; as it is where it has none."""
    return PreheatError(error.reason, write=cures[error.hint]) if error.hint in cures else error
