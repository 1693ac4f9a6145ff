"""A schedule that is written as another library's config and read again has the same values."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.compat.configs import READERS, Config, Given, read_config
from preheat.compat.writers import WRITERS, write
from preheat.core.stated import Absolute, plain

NAMES = {"megatron": "train.sh", "mmengine": "config.py", "torchtitan": "train.toml"}  # of a config's file; else JSON
BOTH_WAYS = [name for name in WRITERS if name in READERS]

ends = st.sampled_from([0.0, 0.0, 0.1, 0.5, 1e-3])
shapes = st.sampled_from(["linear", "cosine", "sqrt", "exponential", "1-sqrt", ph.power(2), ph.reverse(ph.power(2))])
lengths = st.one_of(st.sampled_from([0, 1, 2]), st.integers(0, 60))


@st.composite
def usual(draw: st.DrawFn) -> tuple[ph.Schedule, ph.Run]:
    """Warmup, a hold, and a decay, each of which may be missing: what configs can say; and its run."""
    warm, hold, left = draw(lengths), draw(st.one_of(st.just(0), lengths)), draw(st.integers(1, 60))
    start, end = draw(st.sampled_from([0.0, 0.0, 0.0, 0.1, 1e-3])), draw(ends)
    up, down = draw(st.sampled_from(["linear", "linear", "linear", "cosine", "exponential"])), draw(shapes)
    schedule = ph.ramp(start or 1e-6 * (up == "exponential"), 1.0, warm, up) >> ph.hold(1.0, hold)
    main = draw(st.sampled_from(["decay", "decay", "decay", "hold", "invsqrt"]))
    if main == "decay":
        schedule = schedule >> ph.ramp(1.0, end or 1e-6 * (down == "exponential"), left, down)
    else:
        schedule = schedule >> (ph.hold(1.0, left) if main == "hold" else ph.invsqrt(max(1, warm), left))
    return schedule, ph.Run(total=warm + hold + left, samples_per_step=draw(st.sampled_from([None, 16])))


def read_again(text: str, library: str, run: ph.Run, peak: float) -> np.ndarray:
    """The rates of every update of the run that the written config says, what it does not say given beside it."""
    config = Config(NAMES.get(library, "config.json"), text)
    reading = read_config(config, Given(total=run.total, base_lr=peak), library)
    target = reading.target["lr"] if isinstance(reading.target, ph.Plan) else reading.target
    bound = target.bind(run, truncate=True)
    return plain(bound).table(run.total) * (1.0 if isinstance(target, Absolute) else peak)


@pytest.mark.parametrize("library", BOTH_WAYS)
def test_what_is_written_is_read_again_with_the_same_values(library: str) -> None:
    accepted = 0

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(usual(), st.sampled_from([1.0, 3e-4, 0.1]), st.booleans())
    def holds(drawn: tuple[ph.Schedule, ph.Run], peak: float, as_rates: bool) -> None:
        nonlocal accepted
        schedule, run = drawn
        target = ph.absolute(schedule.scaled(peak)) if as_rates else schedule
        try:
            text = write(target, library, run, None if as_rates else peak)
        except ph.PreheatError:  # with the reason: what this library cannot say
            return
        accepted += 1
        expected = schedule.bind(run).table(run.total) * peak
        np.testing.assert_allclose(read_again(text, library, run, peak), expected, rtol=0, atol=1e-12 * peak)

    holds()
    assert accepted >= 5, f"{library} accepts next to nothing"


@pytest.mark.parametrize("library", WRITERS)
def test_a_writer_refuses_what_no_config_says(library: str) -> None:
    odd = ph.table([1.0, 0.2, 0.7]) * ph.rectified(0.99, 3)
    with pytest.raises(ph.PreheatError):
        write(odd, library, ph.Run(total=3), 0.1)


def test_a_library_whose_configs_are_not_written_is_named() -> None:
    with pytest.raises(ph.PreheatError, match="no configs of 'nosuch' are written"):
        write("decay(5)", "nosuch")
