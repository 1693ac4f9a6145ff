"""The field of the page of errors finds a message by the whole of it and by a part, with the values that it had."""

import json
import random
import re
import shutil
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
import pages  # noqa: E402

import preheat as ph  # noqa: E402
from preheat.torch import Scheduler, describe  # noqa: E402

sys.path.insert(0, str(pages.ROOT / "docs" / "_ext"))
import errors  # noqa: E402

SCRIPT = pages.ROOT / "docs" / "_static" / "errors.js"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
ASK = """
const {prepared, found} = require(process.argv[1]);
const {messages, asked} = JSON.parse(require("fs").readFileSync(0, "utf8"));
const ready = prepared(messages);
console.log(JSON.stringify(asked.map((one) => found(ready, one))));
"""
WRONG = """
ph.warmup(0.05)
ph.warmup(-3)
ph.warmup("5 parsecs")
ph.warmup("5 K tokens")
ph.warmup(None)
ph.ramp(float("nan"), 1, 10)
ph.ramp("0", 1, 10)
ph.ramp(0, 1, 10, shape="cosin")
ph.ramp(0, 1, 10, shape=3)
ph.warmup(100, shape="exponential")
ph.power(0)
ph.power(1000)
ph.reverse("exponential")
ph.compose("exponential", "cosine")
ph.Shape("foo")
ph.Shape("power")
ph.Shape("cosine", exponent=3)
ph.hold(True)
ph.hold("3e-4")
ph.table([])
ph.table([1.0, True])
ph.decay(10).table(-1)
ph.hold(1, 10).repeated(0)
0.5 * ph.warmup(100)
ph.warmup(100) >> 3
ph.warmup(100) >> ph.absolute(ph.hold(3e-4))
ph.hold() >> ph.hold()
ph.hold().scaled(float("inf"))
ph.warmup("5%")(3)
ph.parse("warmp(5)")
ph.parse("warmup()")
ph.parse("decay(1, 2, 3, 4)")
ph.parse("warmup(5) > decay()")
ph.parse("warmup(5) then decay()")
ph.parse("warmup(5) » decay()")
ph.parse("hold().foo()")
ph.parse("warmup(5, tart=1)")
ph.parse("decay(")
ph.parse('{"lr": ')
ph.Run(clock="day")
ph.Run(total="10 epochs")
ph.Run(total=5).worth("parsec")
ph.Run(total=5).replace(totl=5)
ph.from_dict({"kind": "ramp"})
ph.from_dict({"kind": "hold", "value": 1.0, "x": 3})
ph.cosine(1000, warmup_steps=50, warmup_ratio=0.05)
ph.cosine(100, warmup_steps=200)
ph.cosine(1000, min_lr_ratio=1.5)
ph.cosine(1000, peak_lr=-1)
ph.cosine(1000, min_lr=0.1)
ph.Plateau("loss", factor=10)
ph.Plateau("loss", mode="mn")
ph.Plateau("loss", patience=-1)
Scheduler(adamw(), "warmup(5%) >> decay()")
Scheduler(adamw(), "warmup(800) >> decay(800)", run=RUN)
Scheduler(adamw(), "ramp(0, 3e-4, 100) >> hold(3e-4)", run=RUN)
Scheduler(adamw(), "hold()", run=1000)
Scheduler(adamw(), "hold()", run=RUN, peak="3e-4")
Scheduler(adamw(), "hold()", run=RUN, on_change="kep")
Scheduler(adamw(), {"lr": "hold()", "head/lr": "hold()"}, run=RUN)
Scheduler(adamw(), {"learning_rate": "hold()"}, run=RUN)
Scheduler(adamw(), {"lr": "hold()", "betas": "absolute(hold(0.9))"}, run=RUN)
Scheduler(adamw(), "absolute(hold(0.1))", run=RUN, peak=0.1)
Scheduler(adamw(), "hold()", run=RUN).go_to(-1)
Scheduler(adamw(), "hold()", run=RUN).go_to(10**18)
Scheduler(adamw(), "hold()", run=RUN).step(3)
Scheduler(adamw(), "hold()", run=RUN, rules=[ph.Plateau("loss")]).step(metrics={"los": 1.0})
Scheduler(adamw(), "hold()", run=RUN, rules=[ph.Plateau("loss")]).step(metrics={"loss": "x"})
Scheduler([], "hold()", run=RUN)
describe(torch.nn.Linear(4, 2))
""".strip().splitlines()
RUN = ph.Run(total=1000)


def adamw() -> torch.optim.Optimizer:
    return torch.optim.AdamW(torch.nn.Linear(4, 2).parameters(), lr=1e-3)


KNOWN = {"ph": ph, "torch": torch, "RUN": RUN, "adamw": adamw, "Scheduler": Scheduler, "describe": describe}


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What each of them says."""
    messages = []
    for code in WRONG:
        with pytest.raises(ph.PreheatError) as refused:
            eval(code, KNOWN)
        messages.append(str(refused.value))
    return messages


def found(asked: list[str]) -> list[list[errors.Entry]]:
    """What the field shows for each of what is typed."""
    listed = errors.entries()
    given = json.dumps({"messages": [one.whole for one in listed], "asked": asked})
    ran = subprocess.run(["node", "-e", ASK, str(SCRIPT)], input=given, capture_output=True, text=True, check=True)
    return [[listed[at] for at in fits] for fits in json.loads(ran.stdout)]


def bare(message: str) -> str:
    """A message without where the reader of text found it."""
    return re.sub(r"^.*?column \d+: (.*?)(; in ['\"].*)?$", r"\1", message, flags=re.DOTALL)


def lost(messages: list[str], asked: list[str], among: int) -> list[tuple[str, list[str]]]:
    """What was typed for a message that is not among the first that are shown."""
    shown = zip(messages, asked, found(asked), strict=True)
    return [
        (typed, [one.whole for one in fits[:3]])
        for message, typed, fits in shown
        if not any(errors.words_of(one) and one.is_of(bare(message)) for one in fits[:among])
    ]


def test_seventy_messages_are_found_by_the_whole_of_them(said: list[str]) -> None:
    assert len(set(said)) >= 65
    assert lost(said, said, 5) == []


def test_with_the_class_before_it_too(said: list[str]) -> None:
    assert lost(said, [f"preheat.core.errors.PreheatError: {one}" for one in said], 5) == []


@pytest.mark.parametrize("seed", range(3))
def test_each_is_found_by_its_first_words(said: list[str], seed: int) -> None:
    drawn = random.Random(seed)
    asked = [
        " ".join(words[: max(8, drawn.randint(len(words) // 2, len(words)))])
        for words in map(str.split, map(bare, said))
    ]
    assert lost(said, asked, 10) == []


def test_what_is_in_no_message_finds_none() -> None:
    assert found(["zzz qqq", "ünbekannt"]) == [[], []]


def test_the_nearest_comes_first() -> None:
    asked = ["peak must be above 0", "peak must be a number, not '3e-4'; write 0.0003 without quotes"]
    first = [fits[0].whole for fits in found(asked)]
    assert first[0] == "‹what› must be above 0, not ‹given›"
    assert first[1].startswith("‹what› must be a number, not ‹given›; write ‹number› without quotes")
