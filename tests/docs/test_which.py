"""docs/which.md: each line binds, reaches its peak and passes the check; the published runs beside it are near to it."""

from __future__ import annotations

import re

import pages
import pytest
import which

import preheat as ph
from preheat.core.sampling import edges, sampled
from preheat.review.checking.check import check

PAGE = pages.read("docs/which.md")
LINES = which.lines()


def test_every_section_with_a_line_is_read() -> None:
    assert len(LINES) == PAGE.count("```none ") == PAGE.count("* **Why**") == PAGE.count("* **Not**")
    assert len({line.trained for line in LINES}) == len(LINES) >= 20


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.anchor)
def test_a_line_binds_reaches_its_peak_and_passes_the_check(line: which.Line) -> None:
    schedule = ph.parse(line.text)
    assert isinstance(schedule, ph.Schedule)  # factors: whatever rate the optimizer has is the peak
    total = line.run.total
    bound = schedule.bind(line.run)
    at = sampled(total, edges(bound, total), 4000)
    assert max(bound.function(t) for t in at) == pytest.approx(1.0, abs=1e-12)
    known = {"beta2": float(line.facts["beta2"])} if "beta2" in line.facts else {}
    assert check(schedule, line.run, optimizer=line.facts["optimizer"], **known) == ()


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.anchor)
def test_the_published_runs_beside_a_line_are_near_to_it(line: which.Line) -> None:
    assert line.near
    for name in line.near:
        assert which.distance(line.curve, which.published(name)) < which.NEAR
        preset = ph.presets[name]  # no distance to a run of which the share that it warms up is not known
        assert not (
            "epoch" in (preset.total or "") and preset.steps_per_epoch is None and "step" in repr(preset.schedule)
        )


def test_the_distance_tells_shapes_apart() -> None:
    """So that near means something: most published runs are not near to a line, and a staircase is near to no cosine."""
    curves = {line.anchor: line.curve for line in LINES}
    near = sum(
        which.distance(one, which.published(name)) < which.NEAR for one in curves.values() for name in ph.presets
    )
    assert near < len(LINES) * len(ph.presets) / 2
    assert which.distance(curves["resnet-with-sgd"], curves["vision-transformer"]) > which.NEAR
    assert which.distance(curves["diffusion"], curves["speech"]) > which.NEAR
    assert which.distance(curves["speech"], curves["speech"]) == 0


def test_the_tree_leads_to_every_line() -> None:
    tree = PAGE.partition("## All of them")[0]
    assert set(re.findall(r"\]\(#([\w-]+)\)", tree)) == {line.anchor for line in LINES}


def test_the_table_and_the_figures_are_what_the_script_makes() -> None:
    assert f"{which.BEGIN}\n{which.table()}\n{which.END}" in PAGE, "python docs/figures/which.py"
    drawn = which.figures()
    assert {name: pages.figure(name) for name in drawn} == drawn, "python docs/figures/which.py"
    assert all(f"(figures/{name}.svg)" in PAGE for name in drawn)


def test_every_number_of_ours_is_on_the_page_that_it_links_to() -> None:
    """Of the sentences that link to what we measured."""
    links = re.compile(r"\]\((experiments|recipes|advisor/advisor)\.md")
    items = [
        item
        for item in re.split(r"^\* ", PAGE, flags=re.MULTILINE)
        if item.startswith("**Why**") and links.search(item)
    ]
    assert len(items) >= 8
    for item in items:
        source = " ".join(pages.read(f"docs/{page}.md") for page in set(links.findall(item)))
        for number in re.findall(r"\d\.\d+", re.sub(r"arXiv:\S+", "", item)):
            assert number in source, (number, item)
