"""A folder from which tests and spawned workers import the fakes, and the summary of a made-up table."""

import sys
from functools import partial
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # spawned workers get a copy of sys.path


@pytest.fixture
def summary_from(tmp_path):
    """Summaries of `{arm name: losses by seed}`."""
    from fake_runs import summary_of_table

    return partial(summary_of_table, tmp_path / "written")


@pytest.fixture
def no_pictures(monkeypatch):
    """Empty files in their place: matplotlib takes longer than everything else that a comparison does."""
    monkeypatch.setattr(
        "preheat.lab.report.figure.save_figure", lambda studies, records, *paths: [path.touch() for path in paths]
    )
