"""No example on a page is left out: each is run by some test, or its page says why not; each command can be typed."""

import ast
import re
import shlex
from pathlib import Path

import pages
import pytest

from preheat.cli import _parsed as parsed

RUN_BY = {  # pages whose own test runs all of their Python; all others are run here
    "README.md": "tests/test_readme.py",
    "docs/convert.md": "tests/cli/test_convert_page.py",
    "docs/explain.md": "tests/cli/test_page_of_explain.py",
    "docs/measure.md": "tests/measure/test_page.py",
    "docs/theory.md": "tests/measure/theory/test_page.py",
    "docs/predict.md": "tests/measure/predicting/test_page.py",
    **{page: "tests/frameworks/test_pages.py" for page in pages.PAGES if page.startswith("docs/frameworks/")},
}
for test in (pages.ROOT / "tests" / "docs").glob("test_*.py"):  # and those that run a page as it is run here
    text = test.read_text(encoding="utf-8")
    for page in (
        re.findall(r"\"(docs/[\w/]+\.md)\"", text) if "pages.run(" in text and test.name != Path(__file__).name else ()
    ):
        RUN_BY[page] = test.relative_to(pages.ROOT).as_posix()
PYTHON = {page: [block for block in pages.blocks(page) if block.kind == "python"] for page in pages.PAGES}
HERE = [page for page, found in PYTHON.items() if page not in RUN_BY and any(not block.why_not for block in found)]
KINDS = {"python", "text", "console", "json", "yaml", "toml", ""}
COMMANDS = [
    pytest.param(line, id=f"{page}: {line[:60]}")
    for page, line in sorted({(page, line) for page in pages.PAGES for line in pages.commands(page)})
]


@pytest.mark.parametrize("page", HERE)
def test_a_page_runs_and_prints_what_it_says(page: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pages.run(page, tmp_path)


def test_a_page_that_is_run_elsewhere_is_named_there() -> None:
    for page, test in RUN_BY.items():
        text = (pages.ROOT / test).read_text(encoding="utf-8")
        assert "python" in text or "pages.run" in text, test
        assert Path(page).name in text or Path(page).parent.name in text, f"{test} says nothing of {page}"


def test_code_is_marked_as_code_and_what_is_not_run_says_why() -> None:
    """A block without a language is a picture or a table: code there would be run by nobody."""
    hidden = []
    for page in pages.PAGES:
        for block in pages.blocks(page):
            if block.kind in ("", "py", "python3") and not block.why_not and _is_code(block.text):
                hidden.append(f"{page}:{block.line}")
    assert hidden == []


def _is_code(text: str) -> bool:
    try:
        tree = ast.parse(text.replace("…", "..."))
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Call | ast.Import | ast.ImportFrom) for node in ast.walk(tree))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_on_a_page_is_one_that_can_be_typed(line: str) -> None:
    """Read by the command line's own parser; what it then does is tested where the command is."""
    if "…" in line or re.search(r"\b[A-Z]{2,}\b(?!=)", re.sub(r"\"[^\"]*\"", "", line)):
        pytest.skip("it has a placeholder")
    parsed(pages.tokens(line))


def test_commands_were_found_on_many_pages_and_their_scripts_exist() -> None:
    found = {line for page in pages.PAGES for line in pages.commands(page)}
    assert len(found) > 40
    names = {word for line in found for word in shlex.split(line, comments=True) if word.startswith("examples/")}
    assert [name for name in sorted(names) if not (pages.ROOT / name).is_file()] == []
