"""docs/errors.md: the wrong code says what is shown, the right code runs; and the list has every message of the source."""

import re
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import pages  # noqa: E402

sys.path.insert(0, str(pages.ROOT / "docs" / "_ext"))
import errors  # noqa: E402

PAGE = "docs/errors.md"
SHOWN = [
    block.text.strip().partition(": ")
    for block in pages.blocks(PAGE)
    if block.kind == "text" and pages.is_refusal(block.text)
]


def test_the_page_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    pages.run(PAGE, tmp_path)


def test_thirty_are_explained_each_with_wrong_and_right_code() -> None:
    assert len(SHOWN) >= 30
    sections = re.split(r"^### ", pages.read(PAGE).split("\n## On the command line")[0], flags=re.MULTILINE)[1:]
    assert len(sections) == len(SHOWN)
    assert all(section.count("```python\n") == 2 and "\nWrite:\n" in section for section in sections)


@pytest.mark.parametrize(("kind", "_", "message"), SHOWN, ids=[message[:50] for *_, message in SHOWN])
def test_what_is_shown_is_found_in_the_list(kind: str, _: str, message: str) -> None:
    inner = re.sub(r"^column \d+: (.*); in '.*'$", r"\1", message)  # the reader of text says where
    found = [one for one in errors.entries() if one.is_of(inner) and errors.words_of(one) > 1]
    assert found, message
    kinds = {one.kind for one in found}
    assert kind in kinds | {"ParseError"} or (kind == "PreheatWarning" and "finding of the audit" in kinds)


def test_no_refusal_of_the_source_is_left_out() -> None:
    """Every file that refuses is in the list, with about as many messages as it has calls."""
    listed = [one.place for one in errors.entries()]
    calls = errors.refusals()
    assert sum(calls.values()) > 900
    short = {place: count for place, count in calls.items() if count > 2 and listed.count(place) < 0.6 * count}
    assert short == {}


def test_every_message_belongs_to_something_that_one_was_doing() -> None:
    assert "Everything else" not in {one.doing for one in errors.entries()}


def test_most_messages_say_what_to_do() -> None:
    """What is wrong with no word of what is taken or done is rare, and does not become more frequent."""
    silent = [one.whole for one in errors.entries() if not one.says_what_to_do]
    assert len(silent) <= 0.12 * len(errors.entries()), silent
