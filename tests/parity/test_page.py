"""docs/parity.md says of every restatement how it was held, and nothing else."""

import json
from pathlib import Path

import pytest
from benchmarks.parity.pages import part

from preheat import compat

ROOT = Path(__file__).parents[2]
PAGE, GOLDEN = ROOT / "docs" / "parity.md", ROOT / "tests" / "parity" / "golden"
ROWS = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in part(PAGE, "parity").splitlines()[2:]]
RUN = {(library, scheduler): float(inside) for library, _, scheduler, _, inside, _ in ROWS if inside}
EVERY = {(library, name) for library in compat.PEERS for name in compat.peer(library).functions}
KEPT = {
    (content["peer"], vector["scheduler"])
    for content in (json.loads(path.read_text(encoding="utf-8")) for path in GOLDEN.glob("*.json"))
    if content["how"] == "run"
    for vector in content["vectors"]
}


def test_every_restatement_has_a_row() -> None:
    assert {(library, scheduler) for library, _, scheduler, *_ in ROWS} == EVERY
    assert len(ROWS) == len(EVERY)


@pytest.mark.parametrize("library", compat.PEERS)
def test_what_was_run_is_equal_and_has_vectors_that_are_kept(library: str) -> None:
    found = {name: inside for (whose, name), inside in RUN.items() if whose == library}
    assert all(inside <= 2e-6 for inside in found.values()), found
    assert set(found) <= {name for whose, name in KEPT if whose == library}


def test_most_are_run_and_each_published_config_too() -> None:
    assert len(RUN) >= 0.9 * len(EVERY)
    published = [line.split("|")[4].strip() for line in part(PAGE, "published").splitlines()[2:]]
    assert len(published) >= 10
    assert all(float(difference) <= 2e-6 for difference in published)
