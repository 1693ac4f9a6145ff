"""Whatever the page asks, it is answered or refused, as JSON, and soon: nothing that somebody types is a fault of ours."""

import json
import random
import time
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
    float("inf"),
    float("nan"),
    "",
    "lr",
    "x" * 300,
    [],
    {},
    [1, 2],
    {"a": [{}]},
)
CLOCKS = ("step", "step", "step", "epoch", "sample", "token", "second", "hour")
PATHS = ("/tmp", "/dev/null", "/dev/zero", "/proc/self/mem", ".", "", "a\0b", "x" * 5000)
FIELDS = ("total", "steps_per_epoch", "samples_per_step", "tokens_per_step", "seconds_per_step")
FORMS = [form["id"] for form in answer("catalogue", {})["forms"]]
FILES = ("a.json", "a.yaml", "a.toml", "a.py", "a.pt", "a.jsonl", "a", "..", "")
CONTENTS = ("e30=", "W10=", "UEs=", "gAI=", "AAAA", "", "*")


def asked(chance: random.Random) -> tuple[str, dict[str, Any]]:
    """A question, most of it as the page asks it."""

    def some(good: Any, odds: float = 0.03) -> Any:
        return chance.choice(JUNK) if chance.random() < odds else good

    def run() -> dict[str, Any]:
        said = {name: some(chance.choice(NUMBERS)) for name in FIELDS if chance.random() < 0.3}
        return {"total": chance.choice(("10k", "1M", *NUMBERS)), **said, "clock": some(chance.choice(CLOCKS))}

    schedules = [
        {
            "text": some(chance.choice(TEXTS)),
            "name": some(""),
            "peak": some(chance.choice(("", "", *NUMBERS))),
            "run": run() if chance.random() < 0.2 else None,
            "position": some(chance.choice((0, 7, 1e6))),
        }
        for _ in range(chance.choice((1, 1, 2, 3)))
    ]
    flags = {name: some(chance.random() < 0.5) for name in ("log", "difference")}
    view = chance.choice((None, None, [10, 900], [0, 0], [5, 2], [-1e9, 1e18], chance.choice(JUNK)))
    line = some(chance.choice(("", "lr", "weight_decay")))
    document = {
        "schedules": schedules,
        "run": run(),
        "peak": some(chance.choice(("", *NUMBERS))),
        "line": line,
        "view": view,
    }
    question = chance.choice(sorted(set(QUESTIONS) - {"catalogue"}))
    kinds = ("preset", "recipe", "peer", "file", "path")
    source = {
        "kind": some(chance.choice(kinds)),
        "name": some(chance.choice((*FILES, "gpt3", "cosine", "one_cycle_lr", "LinearLR"))),
        "library": some(chance.choice(("torch", "timm", "transformers"))),
        "arguments": some(
            chance.choice(("", "max_lr=0.1, total_steps=9", "max_lr=", "total_iters=-3", "start_factor=[]"))
        ),
        "content": some(chance.choice(CONTENTS)),
        "path": some(chance.choice(PATHS)),
    }
    handle = {
        "handle": some(chance.choice(("start:0", "end:0", "end:1", "end:99"))),
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
        assert said[question, False] > 1, (question, said)
