"""The law of resuming: every update of a random program uses the right rate, or what would make it wrong is refused.

PREHEAT_RESUMES is how many programs are run, PREHEAT_SEED where they begin: `make soak` runs 50,000 from a fresh one. A program
that fails is shrunk and printed as a script that can be run.
"""

import os
import random
import warnings
from collections import Counter

import pytest
from resuming.curves import Curve
from resuming.drawing import program
from resuming.running import failure, run, shrunk

PROGRAMS = int(os.environ.get("PREHEAT_RESUMES", "2000"))
PARTS = 20
SEED = int(os.environ.get("PREHEAT_SEED", "0")) or (random.randrange(10**9) if PROGRAMS > 2000 else 1)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_update_uses_the_right_rate_or_is_refused(part: int, capsys: pytest.CaptureFixture[str]) -> None:
    each = -(-PROGRAMS // PARTS)
    first = SEED + part * each
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something looks wrong is said by warnings; here rates are compared
        for seed in range(first, first + each):
            if failure(program(seed)) is not None:
                smallest = shrunk(program(seed))
                pytest.fail(f"program {seed}, which can be run as it stands:\n\n{failure(smallest)}", pytrace=False)
    if PROGRAMS > 2000:
        with capsys.disabled():
            print(f"\n{each} programs from {first}")


def test_the_programs_go_through_what_can_go_wrong() -> None:
    """A law about programs that do nothing would be kept by anything."""
    said = Counter(word for seed in range(SEED, SEED + 300) for word in _words(seed))
    often = {
        "LoadScheduler": 300,
        "LoadOptimizer": 300,
        "Build": 400,
        "Travel": 10,
        "SetPeak": 10,
        "Change": 15,
        "AddGroup": 8,
    }
    assert all(said[word] >= count for word, count in often.items()), said


def _words(seed: int) -> list[str]:
    return [type(action).__name__ for action in program(seed)]


def test_most_programs_are_followed_to_their_end() -> None:
    """The reference may say that the rules leave something open; it must not say so often."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counts = sum((run(program(seed)).counts for seed in range(SEED, SEED + 100)), Counter())
    assert counts["whole"] >= 85
    assert counts["load right"] >= 60
    assert counts["load refused"] >= 5


def test_a_program_that_fails_is_printed_as_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the reference is what is wrong."""
    monkeypatch.setattr("resuming.reference.bound", lambda parts, total: Curve(lambda t: 0.123))
    text = failure(next(made for made in map(program, range(SEED, SEED + 50)) if failure(made) is not None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(text, "<script>", "exec"), {"__name__": "script"})
    assert "# here: " in text


def test_a_program_is_shrunk_to_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resuming.reference.bound", lambda parts, total: Curve(lambda t: 0.123))
    wrong = next(made for made in map(program, range(SEED, SEED + 50)) if failure(made) is not None)
    assert len(shrunk(wrong)) <= 4
