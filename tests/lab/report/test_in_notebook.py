from xml.etree import ElementTree

import pytest
from made_runs import compared, gridded, unstable

pytest.importorskip("scipy")


@pytest.mark.parametrize("make", [compared, gridded, unstable])
def test_a_comparison_shows_its_table_its_verdict_and_the_loss(make):
    summary = make()
    tree = ElementTree.fromstring(summary._repr_html_())
    said = ["".join(element.itertext()) for element in tree.iter("p")]
    assert said[0] == repr(summary).partition("\n")[0]
    assert all(verdict in said for verdict in summary.verdicts)
    rows = [[cell.text for cell in row] for row in tree.iter("tr")]
    assert [row[0] for row in rows[1:]] == list(summary.studies[0].study.families)
    assert said.index(summary.headlines[0]) == 1
    charts = [one for one in tree.iter("svg") if one.get("role") == "img"]
    assert len(charts) == len(summary.studies)
    legend = {text.text for text in charts[0].iter("text")}
    assert {arm.name for arm in summary.studies[0].study.arms} & legend or make is gridded
