"""Whatever the page asks, it is answered or refused, as JSON, and soon: nothing that somebody types is a fault of ours."""

import json
import random
import time
from base64 import b64encode
from collections import Counter
from typing import Any

import pytest

from preheat.studio.service import QUESTIONS, answer

TEXTS = (
    *(
        "warmup(5%) >> decay()",
        "warmup(1 epoch) >> decay()",
        "warmup(5%) >> hold() >> decay(20%, shape=1-sqrt)",
        "hold()",
    ),
    *(
        "noam(512)",
        "cosine(10)",
        "radam()",
        "invsqrt(4)",
        "table([1, 2, 3])",
        "absolute(hold(0.1))",
        "hold(1, 0)",
        "decay(",
    ),
    *("ramp(0, 1, 1e300)", "ramp(1e308, -1e308, 10)", "decay(10).repeated(100000)", "lower(decay(10), hold(0.5, 10))"),
    *(
        '{"lr": "decay()", "weight_decay": "absolute(hold(0.1))"}',
        '{"head/lr": "decay()"}',
        '{"lr": 3}',
        "{",
        "",
        "\0",
        "λ",
    ),
    *(
        "steps([1, 0.1], [30, 60])",
        "(warmup(3) >> decay(7)).repeated(None)",
        "batch_ramp(16, 64, 300)",
        "decay().shifted(-5)",
    ),
)
NUMBERS = (
    "",
    "10",
    "10k",
    "1M",
    "3e-4",
    "0",
    "-5",
    "3 epochs",
    "2B tokens",
    "6 h",
    "1e400",
    "nan",
    "∞",
    "9000000000000000",
    "x",
)
JUNK = (
    None,
    True,
    -1,
    3,
    2**70,
    0.5,
    -1e308,
    "",
    "lr",
    "x" * 300,
    [],
    {},
    [1, 2],
    {"a": [{}]},
)
CLOCKS = (*["step"] * 12, "epoch", "sample", "token", "second", "hour")
PATHS = ("/tmp", "/dev/null", "/dev/zero", "/proc/self/mem", ".", "", "a\0b", "x" * 5000)
FIELDS = ("total", "steps_per_epoch", "samples_per_step", "tokens_per_step", "seconds_per_step")
FORMS = [form["id"] for form in answer("catalogue", {})["forms"]]
NAMES = {
    "preset": ("gpt3", "mae", "bert_base", "x"),
    "recipe": ("cosine", "noam", "wsd", "x"),
    "peer": ("one_cycle_lr", "LinearLR", "x"),
    "file": ("a.json", "a.yaml", "a.toml", "a.py", "a.jsonl", "a", "..", ""),
    "path": ("",),
}
ARGUMENTS = b64encode(b'{"learning_rate": 1e-4, "lr_scheduler_type": "cosine", "max_steps": 100}').decode()
CONTENTS = ("e30=", "W10=", "AAAA", "", "*", ARGUMENTS)


def asked(chance: random.Random) -> tuple[str, dict[str, Any]]:
    """A question, most of it as the page asks it."""

    def some(good: Any, odds: float = 0.01) -> Any:
        return chance.choice(JUNK) if chance.random() < odds else good

    def number(*usual: str) -> Any:
        return some(chance.choice(usual if chance.random() < 0.8 else NUMBERS))

    def run() -> dict[str, Any]:
        said = {name: number("10", "0.5", "4M") for name in FIELDS[1:] if chance.random() < 0.3}
        return {"total": number("10k", "1M", "3000"), **said, "clock": some(chance.choice(CLOCKS))}

    schedules = [
        {
            "text": some(chance.choice(TEXTS[:5] if chance.random() < 0.5 else TEXTS)),
            "name": some(""),
            "peak": number("", "3e-4"),
            "run": run() if chance.random() < 0.1 else None,
            "position": some(chance.choice((0, 7, 1e6))),
        }
        for _ in range(chance.choice((1, 1, 2, 3)))
    ]
    flags = {name: some(chance.random() < 0.5) for name in ("log", "difference")}
    view = chance.choice((None, None, None, [10, 900], [10, 900], [0, 0], [5, 2], [-1e9, 1e18], chance.choice(JUNK)))
    line = some(chance.choice(("", "lr", "weight_decay")))
    document = {"schedules": schedules, "run": run(), "peak": number("", "0.1"), "line": line, "view": view}
    question = chance.choice(sorted(set(QUESTIONS) - {"catalogue"}))
    kind = chance.choice(tuple(NAMES))
    source = {
        "kind": some(kind),
        "name": some(chance.choice(NAMES[kind])),
        "library": some(chance.choice(("torch", "torch", "timm"))),
        "arguments": some(
            chance.choice(("max_lr=0.1, total_steps=9", "total_iters=7", "max_lr=", "total_iters=-3", ""))
        ),
        "content": some(chance.choice(CONTENTS)),
        "path": some(chance.choice(PATHS)),
    }
    handle = {
        "handle": some(chance.choice(("start:0", "end:0", "end:0", "end:99"))),
        "at": some(500),
        "value": some(0.5),
    }
    sizes = {"points": some(chance.choice((-5, 2, 300, 10**6))), "width": some(600), "height": some(0)}
    more = {"schedule": some(0), "form": some(chance.choice(FORMS)), "source": some(source), **handle, **sizes}
    return question, {"document": some({**document, **flags, "axis": some("updates")}), **more}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_asked_is_answered_or_refused_and_soon(seed: int) -> None:
    chance, said = random.Random(seed), Counter[tuple[str, bool]]()
    for _ in range(150):
        question, given = asked(chance)
        begin = time.process_time()
        try:
            found = answer(question, given)
            json.dumps(found, allow_nan=False)
        except Exception as error:
            raise AssertionError(f"{question}: {json.dumps(given)}") from error
        assert time.process_time() - begin < 10, (question, given)
        if "error" in found:
            assert found["error"]["message"], (question, given)
        said[question, "error" in found] += 1
    for question in set(QUESTIONS) - {"catalogue"}:  # else this would be a test of refusals alone
        assert said[question, False], (question, said)
