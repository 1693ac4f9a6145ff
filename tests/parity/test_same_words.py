"""docs/conventions.md: what one sentence is in many libraries, by the restatements and by the libraries themselves."""

import pytest
from benchmarks.parity import same_words

from preheat import Run, parse
from preheat.compat import PEERS

ROWS = same_words.ROWS
LINES = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in same_words.PAGE.read_text("utf-8").splitlines()
]
WRITTEN = {
    line[0]: line
    for line in LINES
    if len(line) == same_words.TOTAL + 3 and line[-1].startswith("`") and len(line[1]) == 1
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.library)
def test_a_restatement_is_what_the_page_says(row):
    (found,) = (one for one in same_words.made() if one.row == row)
    cells = [row.library, found.letter, *map(same_words.shown, found.values[: same_words.TOTAL]), f"`{row.scheduler}`"]
    assert WRITTEN[row.library] == cells, "python -m benchmarks.parity.same_words --write"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.library)
def test_a_restatement_is_what_the_running_library_does(row):
    off = same_words.beside(row)
    if off is None:
        pytest.skip(f"{row.library} is not installed")
    assert off <= 2e-6


def test_libraries_of_one_letter_have_one_sequence_and_others_another():
    sequences: dict[str, set[tuple[str, ...]]] = {}
    for line in WRITTEN.values():
        sequences.setdefault(line[1], set()).add(tuple(line[2:-1]))
    assert all(len(each) == 1 for each in sequences.values())
    assert len(set.union(*sequences.values())) == len(sequences)
    text = same_words.PAGE.read_text("utf-8")
    assert f"{len(WRITTEN)} libraries make {len(sequences)} different sequences of it." in text


@pytest.mark.parametrize(("page", "words"), same_words.PAGES.items(), ids=["English", "Chinese"])
def test_the_page_is_what_the_generator_prints(page, words):
    text = same_words.text_of(same_words.made(), words)
    written = page.read_text("utf-8").partition(f"{same_words.BEGIN}\n")[2].partition(same_words.END)[0]
    assert written == f"\n{text}\n\n", "python -m benchmarks.parity.same_words --write"
    for shown in words.table.values() if words.table else ():
        assert all(part in text for part in shown.split("{}")), "it is written nowhere"


def test_every_library_says_it_or_is_named_with_the_reason():
    assert {row.library for row in ROWS} | set(same_words.LEFT_OUT) == set(PEERS)
    assert not {row.library for row in ROWS} & set(same_words.LEFT_OUT)


def test_what_a_sequence_is_in_our_words_is_that_sequence():
    for one in same_words.made():
        ours = parse(same_words.written(one.row)).bind(Run(total=same_words.TOTAL)).table(same_words.TOTAL)
        assert ours.tolist() == pytest.approx(one.values[: same_words.TOTAL], abs=same_words.NEAR)


@pytest.mark.parametrize(("updates", "text"), [([], ""), ([3], "3"), ([0, 1, 2, 5, 7, 8], "0 to 2, 5, 7 to 8")])
def test_updates_in_a_row_are_a_range(updates, text):
    assert same_words.ranges(updates) == text
    in_chinese = same_words.ranges(updates, same_words.CHINESE)
    assert in_chinese == text.replace("to", "至").replace(", ", "、")


def test_transformers_has_the_sequence_that_preheats_own_words_have():
    (one,) = (one for one in same_words.made() if one.row.library == "transformers")
    assert one.values == parse("warmup(4) >> decay(8)").table(same_words.SHOWN).tolist()
