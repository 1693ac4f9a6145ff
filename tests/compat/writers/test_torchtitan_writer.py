"""What is written is read again and is the same; what cannot be said is refused with the update where it differs."""

import random

import numpy as np
import pytest

from preheat import PreheatError, Run, compat, decay, hold, parse, ramp, warmup
from preheat.compat.configs import Config, read_config
from preheat.compat.writers.torchtitan import write


@pytest.mark.parametrize("seed", range(60))
def test_what_torchtitan_can_say_is_written_so_that_it_is_read_again(seed) -> None:
    r = random.Random(seed)
    total = r.randint(2, 300)
    said = {"training_steps": total, "warmup_steps": r.choice([0, 1, r.randint(0, total)]), "base_lr": 3e-4}
    said |= {
        "decay_type": r.choice(["linear", "sqrt", "cosine"]),
        "min_lr_factor": r.choice([0.0, 0.1, r.random() / 2]),
    }
    if r.random() < 0.5:
        said["decay_ratio"] = r.choice([0.1, 0.2, r.random()])
    restated = compat.torchtitan.lr_schedulers_container(**said)
    again = read_config(Config("a.toml", write(restated, Run(total=total))))
    np.testing.assert_allclose(again.target.table(total), restated.table(total), rtol=0, atol=1e-15)


def test_a_schedule_of_ones_own_is_written_if_it_can_be_said() -> None:
    text = write(ramp(0.1, 1, 9) >> hold(1, 11) >> decay(80, 0.1, "cosine"), Run(total=100), 3e-4)
    assert "warmup_steps = 10" in text
    assert 'decay_type = "cosine"' in text


@pytest.mark.parametrize(
    "schedule", [warmup(10) >> decay(90), decay(50) >> hold(0.0, 50), hold(1, 50) >> decay(50, shape="rex")]
)
def test_what_it_cannot_say_is_refused_with_the_first_update_that_differs(schedule) -> None:
    with pytest.raises(PreheatError, match="differs from update"):
        write(schedule, Run(total=100), 3e-4)


def test_a_peak_or_a_total_that_is_not_said_is_asked_for() -> None:
    with pytest.raises(PreheatError, match="peak"):
        write(hold(1, 10), Run(total=10))
    with pytest.raises(PreheatError, match="total"):
        write(hold(1, 10), Run(), 1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "relative((ramp(0.1, 1.0, 9) >> hold(1.0, 31) >> decay()).scaled(0.1))",
        "(ramp(0.1, 1.0, 9) >> hold(1.0, 31) >> decay()).scaled(0.1)",
    ],
)
def test_factors_are_said_by_the_rate_that_they_reach(text):
    found = write(parse(text), Run(total=100), 3e-3)
    assert float(found.partition("lr = ")[2].partition("\n")[0]) == pytest.approx(3e-4, rel=1e-12)


def test_what_cannot_be_said_names_an_update_and_the_nearest():
    given = parse("relative(ramp(0.01, 0.1, 50) >> hold(0.1))")
    with pytest.raises(PreheatError, match=r"differs from update \d+ on \(\{"):
        write(given, Run(total=100), 3e-4)
