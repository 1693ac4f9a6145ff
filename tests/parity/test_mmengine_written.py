"""mmengine's `param_scheduler`, written and run by mmengine itself."""

import pytest

from preheat import PreheatError, Run, parse
from preheat.compat.configs.assigned import assigned
from preheat.compat.writers.mmengine import write

RUN = Run(total=60)


@pytest.mark.parametrize(
    "text",
    [
        "warmup(10, start=0.01) >> decay(shape=cosine)",
        "warmup(10, start=0.001) >> hold() >> decay(20%, to=0.1)",
        "ramp(0.1, 1, 10) >> hold(1, 40) >> hold(0.1)",
        "warmup(5, start=0.1) >> decay(to=0.1, shape=reverse(power(2)))",
    ],
)
def test_what_is_written_gives_the_same_rates_in_mmengine(text: str) -> None:
    mmengine = pytest.importorskip("benchmarks.parity.peers.mmengine")
    schedulers = assigned(write(parse(text), RUN, 1.0))[0]["param_scheduler"]
    rates = mmengine.stepped({"schedulers": schedulers, "base_lr": 1.0}, 60)["lr"]
    assert rates == pytest.approx(parse(text).bind(RUN).table(60).tolist(), abs=1e-12)


@pytest.mark.parametrize("text", ["decay().repeated(2)", "warmup(10) >> decay()", "decay(shape=smooth)"])
def test_what_mmengine_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(PreheatError):
        write(parse(text), RUN)
