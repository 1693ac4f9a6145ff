"""What the libraries gave when they were run, kept with their versions: the restatements are held to it everywhere."""

import json
from pathlib import Path

import pytest
from benchmarks.parity.case import off

from preheat import compat

FILES = sorted((Path(__file__).parent / "golden").glob("*.json"))
VECTORS = [
    pytest.param(content["peer"], vector, id=f"{content['peer']}-{vector['scheduler']}-{i}")
    for content in (json.loads(path.read_text(encoding="utf-8")) for path in FILES)
    for i, vector in enumerate(content["vectors"])
]


@pytest.mark.parametrize(("peer", "vector"), VECTORS)
def test_a_restatement_gives_what_the_library_gave(peer, vector) -> None:
    plain, faithful = (
        compat.restate(peer, vector["scheduler"], **vector["arguments"], faithful=faithful)
        for faithful in (False, True)
    )
    for key, values in vector["values"].items():
        assert off(plain, key, values[: vector["updates"]], 0) <= vector["tolerance"]
        assert off(faithful, key, values, vector["updates"]) <= vector["tolerance"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_scheduler_of_a_library_that_was_run_has_vectors(path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["how"] in ("run", "read")
    assert content["version"]
    assert {vector["scheduler"] for vector in content["vectors"]} <= set(compat.peer(content["peer"]).functions)
