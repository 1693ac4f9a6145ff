"""The options refuse what cannot be trained, with a sentence, and cost no import of torch."""

import dataclasses
import inspect
import json
import subprocess
import sys

import pytest

from preheat.core.errors import PreheatError
from preheat.lab.tasks import TASKS, BytesOptions, DigitsOptions, TrainingOptions, load


def test_the_options_load_without_torch_numpy_and_sklearn():
    program = (
        "import sys, preheat.lab.tasks.options, preheat.lab.tasks;"
        "print(sorted({'torch', 'numpy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", TASKS)
def test_the_defaults_survive_json(name):
    options = TASKS[name]()
    assert TASKS[name](**json.loads(json.dumps(dataclasses.asdict(options)))) == options


@pytest.mark.parametrize("name", TASKS)
def test_every_field_is_documented(name):
    source = "".join(inspect.getsource(owner) for owner in TASKS[name].__mro__[:-1])
    for field in dataclasses.fields(TASKS[name]):
        after = source.split(f"\n    {field.name}: ", 1)[1].split("\n", 2)
        assert after[1].strip().startswith('"""'), field.name


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        (BytesOptions, {"norm": "pots"}, "norm cannot be 'pots'; did you mean 'post'?"),
        (BytesOptions, {"optimizer": "lion"}, "optimizer cannot be 'lion'; known: adam, adamw, rmsprop, sgd"),
        (
            BytesOptions,
            {"width": 30, "heads": 4},
            "width 30 cannot be shared among 4 heads; write a multiple, such as width=28",
        ),
        (
            BytesOptions,
            {"width": 2, "heads": 4},
            "width 2 cannot be shared among 4 heads; write a multiple, such as width=4",
        ),
        (BytesOptions, {"context": 1}, "context must be a whole number of at least 2, not 1; write context=2"),
        (BytesOptions, {"depth": True}, "depth must be a whole number of at least 1, not True; write depth=1"),
        (BytesOptions, {"batch": 8.0}, "batch must be a whole number of at least 1, not 8.0; write batch=8"),
        (BytesOptions, {"batch": "8"}, "batch must be a whole number of at least 1, not '8'; write batch=1"),
        (BytesOptions, {"peak": 0.0}, "peak must be a number > 0, not 0.0"),
        (BytesOptions, {"peak": float("nan")}, "peak must be finite, not nan"),
        (BytesOptions, {"peak": float("inf")}, "peak must be finite, not inf"),
        (
            BytesOptions,
            {"peak": "3e-3"},
            "peak must be a number, not '3e-3'; write 0.003 without quotes; YAML too reads it as a number then",
        ),
        (BytesOptions, {"beta2": 1.0}, "beta2 must be a number in [0, 1), not 1.0"),
        (DigitsOptions, {"weight_decay": -0.1}, "weight_decay must be a number >= 0, not -0.1"),
        (DigitsOptions, {"model": "forest"}, "model cannot be 'forest'; known: cnn, mlp"),
        (DigitsOptions, {"norm": "batch"}, "norm cannot be 'batch'; known: layer, none"),
        (DigitsOptions, {"init_gain": -1}, "init_gain must be a number > 0, not -1"),
    ],
)
def test_what_cannot_be_trained_is_refused(options, given, message):
    with pytest.raises(PreheatError) as refused:
        options(**given)
    assert str(refused.value) == message


def test_options_of_no_task_are_refused():
    with pytest.raises(PreheatError, match=r"no task has the options .*; write one of BytesOptions, DigitsOptions"):
        load(TrainingOptions())


def test_a_batch_larger_than_the_training_part_is_refused():
    with pytest.raises(PreheatError, match="batch 1348 is more than the 1347 training images; write fewer"):
        load(DigitsOptions(batch=1348))


def test_a_context_longer_than_the_text_is_refused():
    with pytest.raises(PreheatError, match="context 100000000 is longer than the text"):
        load(BytesOptions(context=10**8))
