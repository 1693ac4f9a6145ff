import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import compared, gridded, many_arms, unstable

from preheat.lab.report.markdown import report_markdown
from preheat.lab.report.marked import code, safe
from preheat.lab.summary import Failure

HOSTILE = ["<script>alert(1)</script>", "a | b", "*a* _b_ `c`", "[x](https://example.org)", "@someone #12", "![i](x)"]


def rows(text):
    """The tables, as lists of cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_question_comes_first_then_the_verdict_then_the_tables_then_how_to_do_it_again():
    summary = compared()
    text = report_markdown(summary)
    said = safe(summary.headlines[0])
    words = [
        "## A made-up question?",
        said,
        "### made study",
        safe(summary.verdicts[0]),
        "| arm |",
        "<details>",
        "preheat compare demo",
        "Linux x86",
    ]
    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert text.count("<details>") == text.count("</details>") == 1
    assert "torch 2.5" in text


def test_every_row_of_a_table_has_as_many_cells_as_its_heading():
    for summary in (compared(), gridded(), unstable(), many_arms()):
        lengths = {len(row) for row in rows(report_markdown(summary))}
        assert len(lengths) == (3 if summary.studies[0].grid else 1)


def test_numbers_are_those_of_the_page():
    table = {row[0]: row for row in rows(report_markdown(compared()))}
    assert table["none"][1:3] == ["2.520 ± 0.020", "–"]
    assert table["linear"][1:3] == ["2.320 ± 0.020", "−0.200"]


def test_a_grid_shows_its_families_and_folds_its_arms():
    text = report_markdown(gridded())
    assert "| schedule | best peak |" in text
    assert "<summary>All 6 arms</summary>" in text
    assert "Accuracy, higher is better:" in text
    assert "made-study-x-seed9: WorkerDied" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_text(name, summary_from):
    text = report_markdown(
        summary_from({name: [2.0, 2.1], "other": [1.9, 2.0]}, failures=[Failure(name, "Error: /secret")])
    )
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert "<script" not in outside
    assert "secret" not in text
    assert not re.search(r"(?<!\\)\[x\]|(?<!\\)!\[i|https://|@someone|#12", outside)
    assert len({len(row) for row in rows(text)}) == 1


@given(st.text(alphabet=st.sampled_from("ab |\\`*_[]<>&@#1!~$:/\n"), max_size=20))
def test_no_text_ends_a_cell_or_begins_a_tag(text):
    marked = safe(text)
    assert "<" not in marked
    assert "\n" not in marked
    assert not re.search(r"(?<!\\)(?:\\\\)*\|", marked)
    assert not re.search(r"@\w|://|^[-+#=] |^\d+[.)] ", marked)


@given(st.text(alphabet=st.sampled_from("ab`"), min_size=1, max_size=12))
def test_code_is_between_more_backticks_than_it_holds(text):
    marked = code(text)
    fence = re.match("`+", marked)[0]
    assert marked.endswith(fence)
    assert fence not in marked[len(fence) : -len(fence)]


def test_the_picture_is_a_relative_link_or_none():
    assert "](figure.png)" in report_markdown(compared())
    assert "![" not in report_markdown(compared(), picture="")
