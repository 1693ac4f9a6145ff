"""The pages that one reads first: they run, they print what they say, and their figures are those that the scripts draw."""

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import pages  # noqa: E402

FIGURES = pages.ROOT / "docs" / "figures"
START = "docs/start.md"


def test_the_page_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    pages.run(START, tmp_path)


def test_the_figure_is_the_run_of_the_page() -> None:
    import runs
    import start

    text = pages.read(START)
    said = [re.search(pattern, text) for pattern in (r"lr=([\de.-]+\d)", r"total=(\d+)", r"range\((\d+)\)")]
    assert [float(found[1]) for found in said if found] == [start.PEAK, runs.TOTAL, start.SAVED_AT]
    for name, drawn in start.figures().items():
        assert drawn == (FIGURES / f"{name}.svg").read_text(encoding="utf-8").strip()
