"""What is written for DeepSpeed and Megatron, read again: the same rates; what they cannot say is refused."""

import json

import pytest

import preheat as ph
from preheat import PreheatError, absolute, compat, decay, hold, invsqrt, ramp, warmup
from preheat.compat.configs import Config, read_config
from preheat.compat.writers import deepspeed, megatron

RUN, PEAK = ph.Run(total=300), 3e-4
log = hold(0.0, 1) >> warmup(49, shape="log")
MEGATRON = [
    warmup(30) >> decay("rest", 0.1, "cosine"),
    warmup("10%") >> hold(1.0, "70%") >> decay("20%", shape="1-sqrt"),
    warmup(30) >> hold(1.0, 210) >> decay(60, 0.1),
    ramp(0.1, 1.0, 30) >> decay("rest"),
    warmup(30) >> decay(200, 0.1, "cosine") >> hold(0.1),
    warmup(30) >> invsqrt(30),
    warmup(30) >> hold(),
    decay("rest"),
]
DEEPSPEED = [
    log >> hold(),
    log >> decay("rest", 0.1, "cosine"),
    hold(0.1, 1) >> ramp(0.1, 1.0, 50) >> hold(),
    hold(0.0, 1) >> warmup(50) >> decay("rest"),
]


@pytest.mark.parametrize("s", MEGATRON, ids=repr)
def test_megatrons_options_give_the_same_rates(s) -> None:
    text = megatron.write(s, RUN, PEAK)
    reading = read_config(Config("train.sh", "torchrun pretrain.py \\\n" + text + "--global-batch-size 8"))
    goal = s.bind(RUN, peak=PEAK).table(300)
    assert reading.target.table(300) == pytest.approx(goal, rel=0, abs=1e-12 * PEAK)


@pytest.mark.parametrize("s", DEEPSPEED, ids=repr)
def test_deepspeeds_json_gives_the_same_rates(s) -> None:
    content = json.loads(deepspeed.write(s, RUN, PEAK)) | {"train_batch_size": 8}
    reading = read_config(Config("ds.json", json.dumps(content)))
    goal = s.bind(RUN, peak=PEAK).table(300)
    assert reading.target.table(300) == pytest.approx(goal, rel=0, abs=1e-12 * PEAK)


def test_what_they_cannot_say_is_refused_with_where_and_by_how_much() -> None:
    rex = warmup(30) >> decay("rest", shape="rex")
    with pytest.raises(PreheatError, match=r"off from update 31 on, by \d"):
        megatron.write(rex, RUN, PEAK)
    with pytest.raises(PreheatError, match=r"off from update \d+ on, by \d"):
        deepspeed.write(warmup(30) >> decay("rest", 0.1, "cosine"), RUN, PEAK)


@pytest.mark.parametrize("write", [megatron.write, deepspeed.write])
def test_what_is_needed_is_asked_for(write) -> None:
    with pytest.raises(PreheatError, match="peak"):
        write(warmup(3) >> decay(7), RUN, None)
    with pytest.raises(PreheatError, match="how long"):
        write(absolute(hold(1e-3)), ph.Run(), None)
    with pytest.raises(PreheatError, match="weight_decay"):
        write(ph.Plan({"lr": absolute(hold(1e-3)), "weight_decay": hold()}), RUN, None)


def test_rates_need_no_peak() -> None:
    assert "--lr 0.001 " in megatron.write(absolute(ramp(0.0, 1e-3, 30) >> ramp(1e-3, 0.0, 270)), RUN, None)


def test_the_batch_is_written_where_it_is_known() -> None:
    text = megatron.write(warmup(30) >> invsqrt(30), ph.Run(total=300, samples_per_step=64), PEAK)
    assert "--global-batch-size 64" in text
    assert compat.PEERS.count("megatron") == 1
