"""Another end: what was written is bound anew."""

import pytest

import preheat as ph
from preheat.session import Session


def extended(s: ph.Schedule, run: ph.Run, *totals: object) -> ph.Schedule:
    session = Session(s, run)
    for total in totals:
        session.extend(total)
    return session.plan["lr"]


def test_extending_binds_what_was_written_anew() -> None:
    s, run = ph.warmup("10%") >> ph.hold() >> ph.decay("20%"), ph.Run(total=100)
    assert extended(s, run, 200) == s.bind(ph.Run(total=200))
    assert extended(s, run, 200, 100) == s.bind(run)
    assert extended(s, ph.Run(total="1M tokens", clock="token"), "2M tokens").length == 2_000_000


@pytest.mark.parametrize("total", [99, 100, 101, 109])
def test_a_share_that_rounds_to_the_same_is_still_a_share(total: int) -> None:
    s = ph.warmup("5%") >> ph.hold(1.0, 10)
    assert extended(s, ph.Run(total=100), total) == s.bind(ph.Run(total=total))


@pytest.mark.parametrize("s", [ph.warmup(10) >> ph.decay(20), ph.hold(1.0, 30), ph.decay(20).clipped(0.1, 0.9)])
def test_what_cannot_grow_is_refused(s: ph.Schedule) -> None:
    with pytest.raises(ph.BindError, match="so nothing can grow; write what is to come"):
        extended(s, ph.Run(total=100), 200)
