"""What is written as TrainingArguments reads back as the same rates, and transformers runs at them."""

import json

import pytest

import preheat as ph
from preheat import PreheatError
from preheat.compat.configs import Config, read_config
from preheat.compat.writers.transformers import write

WSD = "warmup_stable_decay"
SAID = [
    ("hold(1)", "constant", {}),
    ("warmup(10) >> hold(1)", "constant_with_warmup", {}),
    ("warmup(5%) >> decay()", "linear", {}),
    ("decay(100, shape=cosine)", "cosine", {}),
    ("warmup(7) >> decay(shape=cosine)", "cosine", {}),
    ("warmup(7) >> invsqrt(7)", "inverse_sqrt", {}),
    ("warmup(7) >> invsqrt(40)", "inverse_sqrt", {"timescale": 40}),
    ("warmup(10) >> decay(30, shape=cosine).repeated(3)", "cosine_with_restarts", {"num_cycles": 3}),
    ("warmup(10) >> decay(to=0.1, shape=cosine)", "cosine_with_min_lr", {"min_lr_rate": 0.1}),
    ("ramp(0.1, 1, 9) >> decay(90, to=0.1, shape=cosine)", "cosine_warmup_with_min_lr", {"min_lr_rate": 0.1}),
    ("warmup(10) >> decay(to=0.2)", "polynomial", {"power": 1.0, "lr_end": 0.2 * 3e-4}),
    ("warmup(10) >> decay(to=0.0, shape=reverse(power(2)))", "polynomial", {"power": 2.0, "lr_end": 0.0}),
    ("warmup(10) >> hold() >> decay(20%, shape=1-sqrt)", WSD, {"num_decay_steps": 20, "decay_type": "1-sqrt"}),
    ("ramp(0.1, 1, 10) >> hold() >> decay(20, to=0.1, shape=cosine)", WSD, {"num_decay_steps": 20, "min_lr_ratio": 0.1}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "kwargs"), SAID)
def test_it_is_said_by_the_plainest_type_and_reads_back(text: str, kind: str, kwargs: dict) -> None:
    run = ph.Run(total=100)
    written = json.loads(write(ph.parse(text), run, 3e-4))
    assert written["lr_scheduler_type"] == kind
    assert written.get("lr_scheduler_kwargs", {}) == pytest.approx(kwargs)
    back = read_config(Config("written.json", json.dumps(written)))
    wanted = ph.parse(text).bind(run, peak=3e-4).table(100).tolist()
    assert back.target.table(100).tolist() == pytest.approx(wanted, abs=3e-13)
    assert back.run.total == 100


def test_what_it_cannot_say_is_refused_with_the_update() -> None:
    with pytest.raises(PreheatError, match=r"differs from update \d+ on"):
        write(ph.parse("ramp(0.1, 1, 10) >> decay()"), ph.Run(total=100), 1e-3)
    with pytest.raises(PreheatError, match="total"):
        write(ph.parse("warmup(10) >> decay(90)"), ph.Run(), 1e-3)
    with pytest.raises(PreheatError, match="peak="):
        write(ph.parse("warmup(10) >> decay(90)"), ph.Run(total=100), None)
    with pytest.raises(PreheatError, match="weight_decay"):
        write(ph.Plan({"lr": ph.hold(), "weight_decay": ph.absolute(ph.hold(0.1))}), ph.Run(total=100), 1e-3)


def test_rates_need_no_peak() -> None:
    written = json.loads(write(ph.parse("absolute(ramp(0, 0.002, 10) >> ramp(0.002, 0, 90))"), ph.Run(total=100), None))
    assert written == {"learning_rate": 0.002, "lr_scheduler_type": "linear", "warmup_steps": 10, "max_steps": 100}
