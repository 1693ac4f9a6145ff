"""The oldest versions that are claimed are the ones that `make oldest` installs."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOOR = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9.]+)$")


def test_make_oldest_installs_the_floors_of_pyproject() -> None:
    """Tools of the developers (`dev`, `docs`, `frameworks`) have no oldest version that anybody else would notice."""
    listed = ROOT / "constraints-oldest.txt"
    if not listed.exists():
        pytest.skip("an sdist has no constraints")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    claimed = [
        *project["dependencies"],
        *(one for name in extras if name not in ("dev", "docs", "frameworks") for one in extras[name]),
    ]
    floors = {match[1]: match[2] for one in claimed if (match := FLOOR.match(one))}
    assert len(floors) == len([one for one in claimed if not one.startswith("preheat[")]), (
        "a dependency without a floor"
    )
    lines = listed.read_text(encoding="utf-8").splitlines()
    assert dict(line.split("==") for line in lines if "==" in line) == floors
