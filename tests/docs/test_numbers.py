"""Numbers are quoted, not remembered: what a page says in figures stands on a page that it links to beside them."""

import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import pages  # noqa: E402

import preheat  # noqa: E402
from preheat.cli import main  # noqa: E402
from preheat.lab.statistics.inference import LEVEL  # noqa: E402
from preheat.lab.tasks import DigitsOptions  # noqa: E402

NEED, LENGTHS = "docs/need.md", "docs/lengths.md"
NEED_CHINESE = "docs/zh/need.md"
DEMO = "What `make demo` printed"  # where the demo's own numbers stand; every other page quotes them from there
_CODE = re.compile(r"^ {4}.*$|^#.*$|[a-z]-[\d.]+|`[^`]*`|arXiv:[\d.]+\d|\]\([^)]*\)|\d+\.\d+\.\d+", re.MULTILINE)
_NUMBER = re.compile(r"[−+]?\d+\.\d+|(?<![.\d])\d+ %")
_LINK = re.compile(r"\]\((?!http)([^)#\s]+\.md)(?:#[^)]*)?\)")


def quotations(page: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each paragraph, item or row of a page that has numbers: its text, its numbers, and the pages that it links to; a row
    without links has those of the paragraph above its table."""
    above: list[str] = []
    for paragraph in re.split(r"\n\s*\n", re.sub(r"```.*?```", "", pages.read(page), flags=re.DOTALL)):
        rows = paragraph.split("\n") if paragraph.startswith("|") else re.split(r"\n(?=\* )", paragraph)
        for row in rows:
            links = _LINK.findall(row) or (above if row.startswith("|") else [])
            if numbers := _NUMBER.findall(_CODE.sub(" ", row)):
                yield row, numbers, links
        if not paragraph.startswith("|"):
            above = _LINK.findall(paragraph)


def missing(page: str, texts: list[str], own: str = "") -> list[str]:
    """The numbers of a page that stand neither in `texts` nor on a page that is linked beside them."""
    folder, lost = pages.PAGES[page].parent, []
    for row, numbers, links in quotations(page):
        said = "\n".join(
            [f"{100 * LEVEL:g} %", *texts, *((folder / link).read_text(encoding="utf-8") for link in links)]
        )
        lost += [
            f"{number} in {row[:100]}"
            for number in numbers
            if row not in own and not re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", said)
        ]
    return lost


def demo() -> str:
    """The part of the page that says what the demo printed, which has no other source."""
    text = pages.read(NEED)
    return text[text.index(DEMO) : text.index("One peak is not the whole question")]


def test_a_number_that_its_source_does_not_have_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "source.md").write_text("ends lower by 0.163, or −0.5", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("a 0.163, 0.5, +0.5, 2.5 ([there](source.md#x))\n\nb 0.163", encoding="utf-8")
    monkeypatch.setitem(pages.PAGES, "page", page)
    assert [one.split()[0] for one in missing("page", [])] == ["+0.5", "2.5", "0.163"]


def test_what_the_decision_page_quotes_is_where_it_links_to() -> None:
    import need

    assert len(list(quotations(NEED))) > 20
    assert missing(NEED, [], own=demo() + "\n".join(need.table())) == []


COUNTS = {  # what the decision page and its Chinese one say of the peaks around the best one
    NEED: {
        (-2, False): "{0} of {1} peaks two steps below",
        (-3, False): "{0} of {1} three steps below",
        (0, False): "At the best peak {0} of {1}",
        (1, False): "a step above it {0} of {1}",
        (-2, True): "warmup is needed at {0} of {1}",
    },
    NEED_CHINESE: {
        (-2, False): "低两档的 {1} 个峰值里 {0} 个",
        (-3, False): "低三档的 {1} 个里 {0} 个",
        (0, False): "最佳峰值处 {1} 个里 {0} 个",
        (1, False): "高一档 {1} 个里 {0} 个",
        (-2, True): "比最佳峰值低两档，{1} 个里仍有 {0} 个",
    },
}


@pytest.mark.parametrize("page", COUNTS)
def test_its_table_and_counts_are_those_of_the_grid(page: str) -> None:
    import need

    text = " ".join(pages.read(page).split())
    for row in need.table(need.CHINESE if page == NEED_CHINESE else need.ENGLISH):
        assert row in text
    for (distance, of_sgd), said in COUNTS[page].items():
        count = need.at(distance, of_sgd=of_sgd)
        assert said.format(count.needed, count.decided) in text


def test_what_it_says_of_trainings_by_name_is_so() -> None:
    import need

    assert need.needing(-2, of_sgd=True) == {
        *("bytes-post-depth2-sgd", "bytes-post-depth4-sgd", "bytes-pre-depth4-sgd"),  # the three byte models
        *("digits-cnn-sgd", "digits-cnn-gain2-sgd", "digits-cnn-layernorm-sgd"),  # the three CNNs, one with norms
        *("digits-mlp-width384-sgd", "digits-mlp-gain0.5-sgd"),  # a wide MLP, and half of He's initialisation
    }
    assert {name for name in need.TRAINED if "cnn" in name and need.sgd(name)} <= need.needing(-2, of_sgd=True)
    assert need.short(0, 1) == (5, 5, 15, 15)  # "in 5 of 5 trainings and 15 of 15 seeds"
    assert need.short(2, 2)[:2] == (0, 5)  # "end lower in 5 of 5"
    assert {trained.warmups[1:3] for trained in need.of_kind("byte transformer, pre-norm, Adam")} == {(7, 20)}
    assert {trained.steps for trained in need.of_kind("byte transformer, pre-norm, Adam")} == {400}
    assert "in 5 of 5 trainings and 15 of 15 seeds; two steps above it 20 of 400 end lower in 5 of 5" in pages.read(
        NEED
    )
    assert "5/5 个训练、15/15 个种子都是；比它高两档处，预热 20/400 次，5/5 个训练都更低" in pages.read(NEED_CHINESE)


def test_its_pictures_are_those_that_the_script_draws() -> None:
    import need

    drawn = need.figures()
    assert {name: pages.figure(name) for name in drawn} == drawn, "python docs/figures/need.py"
    assert "(figures/need.svg)" in pages.read(NEED)
    assert "(../figures/need.zh.svg)" in pages.read(NEED_CHINESE)


def test_the_commands_that_it_ends_in_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As they stand, but for the comparison, whose runs would take a minute: it is read and laid out."""
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr("preheat.cli.compare._run", lambda *given: seen.append(given[0]) or 0)
    ending = pages.read(NEED).partition("## Ask your own training")[2]
    commands = re.findall(r"^ {4}(preheat [^\n]+)", ending, re.MULTILINE)[:3]
    assert [command.split()[1] for command in commands] == ["advise", "compare", "find"]
    for command in commands:
        assert main(pages.tokens(command)) == 0
        assert capsys.readouterr().out or seen


def test_what_the_front_page_quotes_is_where_it_links_to() -> None:
    assert len(list(quotations("README.md"))) >= 2
    geometric = f"{preheat.ramp(0.01, 0.1, 1000, shape='exponential')(500):.10f}"[:6]
    assert missing("README.md", [f"it prints {geometric}"]) == []


def test_what_the_page_of_choices_quotes_is_where_it_links_to() -> None:
    import lengths

    own = [
        lengths.untuned(),
        lengths.decided(),
        lengths.at_best(),
        lengths.drawn_at_best(),
        *(lengths.move(of_sgd=of_sgd) for of_sgd in (False, True)),
    ]
    rows = [row for choice in lengths.CHOICES for row in lengths.table(choice)]
    beta2 = DigitsOptions().beta2
    asked = [f"{beta2:g}", f"{inspect.signature(lengths.untuned).parameters['beta2'].default:g}"]
    asked += [f"{record['peak']:g}" for record in lengths.records().values()]
    assert len(list(quotations(LENGTHS))) > 20
    assert missing(LENGTHS, [*own, *asked, *rows], own="\n".join(rows)) == []
    text = " ".join(pages.read(LENGTHS).split())
    assert f"which is {2 / (1 - beta2):,.0f} at β₂ = {beta2:g}" in text
    assert [said for said in (*own, *rows) if said not in text] == []


def test_its_figures_are_those_that_the_script_draws() -> None:
    import lengths

    for name, drawn in lengths.figures().items():
        assert f"(figures/{name}.svg)" in pages.read(LENGTHS)
        assert drawn == (pages.ROOT / "docs/figures" / f"{name}.svg").read_text(encoding="utf-8").strip()


def test_its_records_are_of_the_runs_that_its_commands_make() -> None:
    """Ten seeds of every arm that a command names, at the peak that stands there."""
    import lengths

    commands = [pages.tokens(command) for command in pages.commands(LENGTHS) if "--out" in command]
    assert [tokens[tokens.index("--out") + 1].rpartition("/")[2] for tokens in commands] == ["start-sgd", "shape-sgd"]
    for tokens, choice in zip(commands, lengths.CHOICES, strict=True):
        arms = [word.partition("=")[0] for before, word in pairwise(tokens) if before == "--arm"]
        for setting in lengths.SETTINGS:
            for ending in ("", "-control"):
                record = lengths.records()[f"{choice}-{setting}{ending}"]
                assert list(record["arms"]) == arms
                assert {len(arm["losses"]) for arm in record["arms"].values()} == {
                    int(tokens[tokens.index("--seeds") + 1])
                }
                assert f"{record['peak']:g}" in pages.read(LENGTHS)
