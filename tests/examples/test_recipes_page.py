"""Every command on the page of recipes is one that the scripts take, and every schedule on it one that can be read."""

import re
import shlex
from pathlib import Path

import pytest

import preheat as ph

pytest.importorskip("torch")
pretrain = pytest.importorskip("pretrain", reason="the examples are not part of this distribution")
finetune = pytest.importorskip("finetune")

EXAMPLES = Path(pretrain.__file__).parent
PAGE = EXAMPLES.parent / "docs" / "recipes.md"
WORDS = (PAGE.read_text(encoding="utf-8"), pretrain.__doc__, finetune.__doc__)
TEXT = "\n".join(WORDS).replace("\\\n", " ")  # a command may go on in the next line
COMMANDS = [
    pytest.param(script, line.split("  #")[0].rstrip("`\"' "), id=f"{script} {line.strip()[:60]}")
    for script, line in re.findall(
        r"(?:python|--nproc-per-node 2) examples/(pretrain|finetune)\.py([^\n|]*?)(?=\" +--arm|`|\n)", TEXT
    )
    if "…" not in line
]


@pytest.mark.parametrize(("script", "line"), COMMANDS)
def test_a_command_on_the_page_is_understood(script: str, line: str) -> None:
    read = {"pretrain": pretrain.options, "finetune": finetune.options}[script]
    if line.count('"') % 2:
        line += '"'
    o = read(shlex.split(line.replace("{seed}", "7")))
    if script == "finetune":
        pretrain.options(shlex.split(o.start_options))


@pytest.mark.parametrize("text", sorted(set(re.findall(r"--arm \w+='([^']+)'", TEXT))))
def test_a_schedule_on_the_page_can_be_read_and_fits_the_run(text: str) -> None:
    assert ph.parse(text).bind(ph.Run(total=200)).table(200).max() <= 1


def test_nothing_on_the_page_is_still_to_be_measured() -> None:
    assert len(COMMANDS) > 10
    text = PAGE.read_text(encoding="utf-8")
    assert "<!--" not in re.sub(r"<!-- (given|not run):.*?-->", "", text, flags=re.DOTALL)
