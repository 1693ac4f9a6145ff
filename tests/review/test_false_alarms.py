"""Over all that is published: what is found is listed in docs/check.md, with why it is no false alarm, and nothing else is."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import preheat as ph
from preheat import Run, check
from preheat.core.findings import CODES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
README, START = (ROOT.joinpath(page).read_text(encoding="utf-8") for page in ("README.md", "docs/start.md"))
PUBLISHED = tomllib.loads((Path(__file__).parent / "published.toml").read_text(encoding="utf-8"))["config"]
OPEN = {"steps_per_epoch": 313, "total": 20_000}  # what sources leave open: epochs of ImageNet-1k at 4096, a length

# a file, what stands in it, the schedule that this makes, updates
EXAMPLES = {
    "examples/rewarm.py": (
        "first >> ph.ramp(0.01, 1.0, span) >> ph.decay()",
        "warmup(50) >> decay(450, to=0.01) >> ramp(0.01, 1, 100) >> decay()",
        1300,
    ),
    "examples/rewarm.py, at once": (
        "else first >> ph.decay()",
        "warmup(50) >> decay(450, to=0.01) >> decay()",
        1300,
    ),
    "examples/rewind.py": ('ph.warmup(20) >> ph.decay(shape="cosine")', "warmup(20) >> decay(shape=cosine)", 1500),
    "examples/stages.py": ("warmup('10%') >> decay()", "warmup(10%) >> decay()", 2000),
    "examples/stages.py, fine-tuning": ('ph.warmup("5%") >> ph.decay()', "warmup(5%) >> decay()", 2000),
    "examples/pretrain.py, cosine": (
        '"cosine": ph.decay(to=0.1, shape="cosine")',
        "warmup(5%) >> decay(to=0.1, shape=cosine)",
        2000,
    ),
    "examples/pretrain.py, wsd": (
        'ph.hold() >> ph.decay("20%", shape="1-sqrt")',
        "warmup(5%) >> hold() >> decay(20%, shape=1-sqrt)",
        2000,
    ),
    "examples/finetune.py": ("warmup('10%') >> decay()", "warmup(10%) >> decay()", 200),
}


def of_presets():
    for name, preset in ph.presets.items():
        known = {} if preset.total else {"total": OPEN["total"]}
        if "epoch" in f"{preset.schedule!r} {preset.total}" and preset.steps_per_epoch is None:
            known["steps_per_epoch"] = OPEN["steps_per_epoch"]
        yield f"`{name}`", name, preset.run(**known)


def of_configs():
    for config in PUBLISHED:
        worths = {key: config[key] for key in ("clock", "steps_per_epoch", "tokens_per_step") if key in config}
        yield config["name"], config["spec"], Run(total=config["total"], **worths)


def of_examples():
    for name, (text, spec, total) in EXAMPLES.items():
        assert text in (ROOT / name.partition(",")[0]).read_text(encoding="utf-8"), name
        yield name, spec, Run(total=total)


def of_first_pages():
    scope = {"ph": ph}
    blocks = re.findall(r"```python\n(.*?)```", START, re.DOTALL)
    (recipes,) = [block for block in blocks if block.startswith("# 1. pre-train")]
    for number, statement in enumerate(ast.parse(recipes).body):
        exec(compile(ast.Module([statement], []), "start", "exec"), scope)
        if statement.targets[0].id != "s":
            continue
        # two of them say their run in the next statement, or have none
        runs = {3: Run(total="100B tokens", tokens_per_step=1_048_576), 5: Run()}
        run = runs.get(number, Run(total=10_000))
        yield f"docs/start.md, recipe {number + 1}", scope["s"], run
    first = re.search(r"ph\.absolute\((ph\.ramp\(0\.01.*?)\), run=ph\.Run\(total=(\d+)\)", README)
    yield "README, the first example", ph.absolute(eval(first[1], scope)), Run(total=int(first[2]))
    for theirs, ours in re.findall(r"\| (.*?) \| `Scheduler\(optimizer, (ph\..*)\)` \|", START):
        name = "OneCycleLR" if "OneCycle" in theirs else theirs[:60]
        yield f"docs/start.md, {name}", eval(ours, scope), Run(total=10_000)


ALL = [*of_presets(), *of_configs(), *of_examples(), *of_first_pages()]


def justified():
    table = PAGE[PAGE.index("## What is found in what is published") :]
    return {
        (name, code)
        for name, code, why in re.findall(r"^\| (.*?) \| `([a-z-]+)` \| (.+) \|$", table, re.MULTILINE)
        if why
    }


def test_there_is_enough_to_look_at():
    assert len(PUBLISHED) >= 40
    assert len(ALL) > 110
    assert len({name for name, _, _ in ALL}) == len(ALL)
    assert all(config["source"] and config["spec"] for config in PUBLISHED)


def test_what_is_found_is_listed_and_justified_and_nothing_else_is():
    found = {(name, finding.code) for name, subject, run in ALL for finding in check(subject, run)}
    assert found == justified()


@pytest.mark.parametrize("config", PUBLISHED, ids=lambda config: config["name"])
def test_a_config_says_what_is_found_of_it(config):
    mine = [(subject, run) for name, subject, run in of_configs() if name == config["name"]]
    assert [finding.code for finding in check(*mine[0])] == config["finds"]


def test_the_page_explains_every_code_once():
    rows = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \| [^|]*\|$", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(CODES)


def test_the_blocks_of_the_page_run(capsys):
    first, second = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    scope = {}
    exec(first, scope)
    assert scope["ph"].check("warmup(50) >> decay(500)", Run(total=2000))[0].code == "floor-early"
    exec(second, scope)
    assert "update 500" in capsys.readouterr().out
