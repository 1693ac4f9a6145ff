"""Published configs, read, beside what the library itself makes of the same facts, where it is installed."""

from pathlib import Path

import pytest
from benchmarks.parity.case import installed, lines, off

from preheat import compat

PUBLIC = Path(__file__).parents[2] / "benchmarks" / "parity" / "public"
CONFIGS = [pytest.param(module.PEER, one, id=one.file) for module in installed("public") for one in module.PUBLIC]


@pytest.mark.parametrize(("library", "public"), CONFIGS)
def test_a_published_config_gives_the_rates_of_its_library(library: str, public) -> None:
    reading = compat.read(PUBLIC / public.file, **public.beside)
    assert reading.library == library
    assert public.source.startswith("http")
    restated = compat.Restated.of(reading.target, reading.run)
    for key, rates in lines(public.rates(public.updates)).items():
        assert off(restated, key, rates, 0) <= public.tolerance
