"""docs/resuming.md: everything on it runs, its tables are complete, and its figures are those that the script draws."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import pages  # noqa: E402

PAGE = "docs/resuming.md"


def test_the_page_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    pages.run(PAGE, tmp_path)


def test_every_policy_has_a_row_and_a_figure() -> None:
    from preheat.session.session import POLICIES

    for policy in POLICIES:
        assert f'| `"{policy}"' in pages.read(PAGE)
        assert f"(figures/policy-{policy}.svg)" in pages.read(PAGE)


def test_the_figures_are_what_the_script_draws() -> None:
    import policies

    drawn = policies.figures()
    assert {name: pages.figure(name) for name in drawn} == drawn
