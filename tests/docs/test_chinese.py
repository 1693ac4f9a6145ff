"""The Chinese pages cannot go stale: code, numbers, links and headings are those of the English page."""

import io
import re
import tokenize
from collections import Counter
from pathlib import PurePosixPath

import pages
import pytest
from chromium import launched

PAIRS = {  # each page, and the one that says the same in Chinese
    "README.md": "README.zh.md",
    "docs/index.md": "docs/zh/index.md",
    "docs/start.md": "docs/zh/start.md",
    "docs/need.md": "docs/zh/need.md",
    "docs/conventions.md": "docs/zh/conventions.md",
}
BACK = {chinese: english for english, chinese in PAIRS.items()}
DRAWN = {  # pictures whose words are Chinese
    f"docs/figures/{name}.svg": f"docs/figures/{name}.zh.svg" for name in ("start", "need", "conventions")
}
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^ {4}\S.*$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_NUMBER = re.compile(r"[−+]?\d+(?:[.,]\d+)*(?:e[−-]?\d+)?(?: %)?")
_PRECISE = re.compile(r"[−+]?\d+\.\d+|\d+ %|\d+e-\d+|arXiv:[\d.]+\d")  # numbers that no language spells out
_CJK = r"\u4e00-\u9fff"

every_pair = pytest.mark.parametrize(("english", "chinese"), PAIRS.items(), ids=PAIRS.values())


def prose(page: str) -> str:
    """A page without its fenced blocks and its comments."""
    return re.sub(r"<!--.*?-->", "", _FENCE.sub("", pages.read(page)), flags=re.DOTALL)


def headings(page: str) -> list[tuple[int, str]]:
    """The level of each heading, and its anchor as GitHub and the site make it."""
    found = _HEADING.findall(prose(page))
    return [(len(level), re.sub(r"[^\w -]", "", text.strip().lower()).replace(" ", "-")) for level, text in found]


def without_comments(block: pages.Block) -> str:
    """The code of a block; where it is no Python, all of it."""
    if block.kind != "python":
        return block.text
    text = block.text.replace("…", "...")
    lines = block.text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    return "\n".join(lines)


def links(page: str) -> list[tuple[str, str]]:
    """Where a page leads to, from the top of the repository, with the anchor."""
    found = []
    for link in _LINK.findall(prose(page)):
        target, _, anchor = link.partition("#")
        found.append((link, "") if "://" in link else (_joined(page, target), anchor))
    return found


def _joined(page: str, target: str) -> str:
    parts: list[str] = list(PurePosixPath(page).parent.parts) if target else [*PurePosixPath(page).parts]
    for part in PurePosixPath(target).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def in_chinese(target: str, anchor: str) -> tuple[str, str]:
    """What an English page's link must be on its Chinese page: the Chinese page where there is one, at the same heading."""
    there = (PAIRS | BACK | DRAWN).get(target, target)
    if not anchor or there == target:
        return there, anchor
    place = [own for _, own in headings(target)].index(anchor)
    return there, headings(there)[place][1]


@every_pair
def test_the_code_is_the_same(english: str, chinese: str) -> None:
    ours, theirs = pages.blocks(english), pages.blocks(chinese)
    assert [(one.kind, one.more, one.given) for one in theirs] == [(one.kind, one.more, one.given) for one in ours]
    assert [bool(one.why_not) for one in theirs] == [bool(one.why_not) for one in ours]
    for own, other in zip(ours, theirs, strict=True):
        assert without_comments(other) == without_comments(own)


@every_pair
def test_the_commands_are_the_same(english: str, chinese: str) -> None:
    ours, theirs = (
        [line.partition(" # ")[0].rstrip() for line in _INDENTED.findall(prose(page))] for page in (english, chinese)
    )
    assert theirs == ours


@every_pair
def test_what_stands_in_backquotes_is_the_same(english: str, chinese: str) -> None:
    ours, theirs = (Counter(re.findall(r"`([^`]+)`", " ".join(prose(page).split()))) for page in (english, chinese))
    assert theirs == ours


@every_pair
def test_the_tables_have_the_same_numbers(english: str, chinese: str) -> None:
    ours, theirs = (re.findall(r"^\|.*\|$", prose(page), re.MULTILINE) for page in (english, chinese))
    assert len(theirs) == len(ours)
    for own, other in zip(ours, theirs, strict=True):
        own, other = (re.sub(r"`[^`]*`|\]\([^)]*\)", " ", row) for row in (own, other))
        assert own.count("|") == other.count("|")
        assert Counter(_NUMBER.findall(other)) == Counter(_NUMBER.findall(own)), other


@every_pair
def test_the_sentences_have_the_same_numbers(english: str, chinese: str) -> None:
    ours, theirs = (Counter(_PRECISE.findall(re.sub(r"`[^`]*`", " ", prose(page)))) for page in (english, chinese))
    assert theirs == ours


@every_pair
def test_the_headings_are_as_many(english: str, chinese: str) -> None:
    assert [level for level, _ in headings(chinese)] == [level for level, _ in headings(english)]


@every_pair
def test_the_links_lead_to_the_same_places_in_chinese_where_there_is_a_page(english: str, chinese: str) -> None:
    assert Counter(links(chinese)) == Counter(in_chinese(*link) for link in links(english))


@every_pair
def test_each_leads_to_the_other_at_its_top(english: str, chinese: str) -> None:
    for page, other, line in (
        (english, chinese, r"English · \[中文\]"),
        (chinese, english, r"\[English\]\([^)]+\) · 中文"),
    ):
        top = pages.read(page).split("\n\n")[1]
        assert re.match(line, top), top
        assert (other, "") in links(page)


@pytest.mark.parametrize("page", PAIRS.values())
def test_chinese_stands_apart_from_latin_and_has_its_own_signs(page: str) -> None:
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|!(?=\[)|[*\[\]]", "", _INDENTED.sub("", prose(page)))
    assert re.findall(rf"[{_CJK}][A-Za-z0-9].{{0,9}}|.{{0,9}}[A-Za-z0-9][{_CJK}]", text) == []
    assert re.findall(rf"[{_CJK}][,;:?!(].{{0,9}}|.{{0,9}}[,;:?!)][{_CJK}]", text) == []
    code = rf"[{_CJK}]`[^`]*`|`[^`]*`[{_CJK}]"  # code stands apart too
    assert re.findall(code, re.sub(r"`([^`]*)`", lambda found: f"`{'x' * len(found[1])}`", prose(page))) == []


@pytest.mark.parametrize("page", PAIRS.values())
def test_no_line_ends_between_two_characters(page: str) -> None:
    """A browser makes a space of the end of a line, and there is none between Chinese characters."""
    wide = rf"{_CJK}\u3001-\u301f\uff01-\uff60"
    assert re.findall(rf".{{0,9}}[{wide}]\n *[{wide}].{{0,9}}", prose(page)) == []


def test_the_search_finds_what_stands_on_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index has every pair of neighbouring characters, and English words as before."""
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(pages.ROOT / "docs" / "_ext"))
    import chinese

    search = chinese.Search({})
    assert search.split("Adam 的学习率，warmup预热") == ["Adam", "的学", "学习", "习率", "warmup", "预热"]
    for page in PAIRS.values():
        assert {"学习", "习率", "预热"} <= set(search.split(prose(page)))


def test_what_is_typed_is_cut_as_the_index_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(pages.ROOT / "docs" / "_ext"))
    import chinese

    typed = {
        "预热": ["预热"],
        "学习率预热": ["学习", "习率", "预热"],
        "学习率的峰值": ["学习", "习率", "峰值"],
        "各库的约定": ["各库", "库的", "的约", "约定"],
        "AdamW warmup": ["AdamW", "warmup"],
        "轮": ["轮"],
    }
    with launched() as browser:
        page = browser.new_page()
        page.add_script_tag(content=chinese.Search.js_splitter_code)
        assert page.evaluate("(all) => all.map(splitQuery)", list(typed)) == list(typed.values())
        page.close()


@pytest.mark.parametrize(("page", "language"), [("zh/start", "zh-CN"), ("start", "en")])
def test_a_chinese_page_says_so(monkeypatch: pytest.MonkeyPatch, page: str, language: str) -> None:
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(pages.ROOT / "docs" / "_ext"))
    import chinese

    context = {"language": "en"}
    chinese.marked(None, page, "page.html", context, None)
    assert context["language"] == language
