"""The card for a pull request: short, whole, and with a picture that needs no file."""

import re
from dataclasses import FrozenInstanceError, replace

import pytest
from made_runs import LINEAR, NONE, compared, gridded, made_run, made_summary, many_arms, plain_study, unstable

from preheat.lab.experiment import Arm, TargetValue
from preheat.lab.report.marked import safe


def test_it_has_title_sentence_curves_table_command_and_the_rest_folded_in_few_lines():
    summary = compared(lr=False)
    text = summary.to_markdown()
    words = [
        "### A made-up question?",
        safe(summary.headlines[0]),
        "none = ramp(",
        "linear = ramp(",
        "| arm |",
        "preheat compare demo",
    ]
    places = [text.index(word) for word in [*words, "<details>", safe(summary.verdicts[0]), "torch 2.5", "</details>"]]
    assert places == sorted(places)
    assert len(text.splitlines()) < 60


def test_the_curves_are_those_of_the_schedules():
    text = compared(lr=False).to_markdown()
    none, linear = re.search(r"none = .*?\n(.*?)linear = .*?\n(.*?)```", text, re.DOTALL).groups()

    def height(chart, column):
        """The first row from above that has a dot there."""
        rows = [line.partition("┤")[2] or line.partition("│")[2] for line in chart.splitlines()]
        return next(place for place, row in enumerate(rows) if row[column : column + 2].strip(" ⠀"))

    assert height(none, 1) == 0 < height(none, 50)
    assert height(linear, 1) > 0
    assert min(height(linear, column) for column in (25, 27, 29)) == 0


@pytest.mark.parametrize("make", [compared, gridded, unstable, many_arms])
def test_whatever_was_compared_the_card_is_short_and_its_blocks_are_closed(make):
    text = make().to_markdown()
    assert len(text.splitlines()) < 75
    assert text.count("```") % 2 == 0
    assert text.count("<details>") == text.count("</details>")


def test_many_arms_are_folded_and_a_few_are_drawn():
    text = many_arms().to_markdown()
    assert text.count("update 59") == 3
    assert "<details><summary>All 8 rows</summary>" in text


def test_where_nothing_has_run_there_is_no_curve_and_a_card_all_the_same():
    text = made_summary(plain_study(), lambda arm, seed: None).to_markdown()
    assert "None of the 6 runs has finished." in text
    assert "update" not in text


def test_a_name_cannot_leave_its_block():
    odd = Arm("``` </details>", "decay()")
    text = made_summary(plain_study((NONE, odd, LINEAR)), lambda arm, seed: made_run(2.0, seed=seed)).to_markdown()
    outside = re.sub(r"^(````+).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "``` </details>" in text
    assert outside.count("</details>") == 1


def test_a_target_has_its_table():
    study = replace(plain_study(), target=TargetValue(2.2))
    text = made_summary(study, lambda arm, seed: made_run(2.0 + seed / 100)).to_markdown()
    assert "Against the target 2.2:" in text
    assert "| p (t) |" in text


def test_a_summary_cannot_be_changed_and_says_so():
    with pytest.raises(FrozenInstanceError):
        compared().x = 1
