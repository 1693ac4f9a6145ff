"""A plan with nothing but a rate is that rate; what a config cannot say beside it is refused by its name."""

import time

import pytest

import preheat as ph
from preheat.compat.writers import WRITERS, write

RATE, RUN = "warmup(10, start=0.1) >> decay(shape=cosine)", ph.Run(total=100)


def said(target: object, library: str) -> str:
    try:
        return write(target, library, RUN, 0.1)
    except ph.PreheatError as error:
        return f"refused: {error}"


@pytest.mark.parametrize("library", WRITERS)
def test_a_plan_of_a_rate_is_the_rate(library: str) -> None:
    assert said(ph.Plan({"lr": RATE}), library) == said(RATE, library)


@pytest.mark.parametrize("library", WRITERS)
@pytest.mark.parametrize("other", ["weight_decay", "head/lr", "momentum"])
def test_what_stands_beside_the_rate_is_refused_by_its_name(library: str, other: str) -> None:
    for lines in ({"lr": RATE, other: "absolute(hold(0.1))"}, {other: "absolute(hold(0.1))"}):
        with pytest.raises(ph.PreheatError, match=f"cannot say {other}; write lr alone"):
            write(ph.Plan(lines), library, RUN, 0.1)


def test_a_long_run_is_written_too() -> None:
    """Its values were looked through once for every update."""
    begin = time.perf_counter()
    assert "CosineAnnealingLR" in write("decay(shape=cosine)", "mmengine", ph.Run(total=100_000), 0.1)
    assert time.perf_counter() - begin < 20


@pytest.mark.parametrize("library", WRITERS)
def test_a_run_of_no_update_is_refused(library: str) -> None:
    with pytest.raises(ph.PreheatError, match="give a total of at least 1"):
        write(RATE, library, ph.Run(total=0), 0.1)
