"""The site, built once: every link leads somewhere, everything public is in the reference, and everybody can read it."""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from chromium import CONTRAST, LEAST, launched

import preheat
from preheat.core.extras import MissingError

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MADE_BY_THEME = {"search.html", "genindex.html", "py-modindex.html"}
MARKDOWN = [path for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")] if "_build" not in path.parts]
TALLEST = ("index", "reference/language", "reference/commands", "reference/compat", "presets", "parity", "gallery")


class _Page(HTMLParser):
    """What a page has: places that are led to, links, what is loaded with it, pictures, and its titles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.titles = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.ids += [given["id"]] if given.get("id") else []
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        self.loaded += [given[key] for key in ("src", "data", "poster", "action") if given.get(key)]
        if tag == "link" and given.get("href"):
            self.loaded.append(given["href"])
        if tag == "img":
            self.pictures.append(given)
        self.titles += tag == "h1"


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The site as `make docs` builds it, where a warning is an error."""
    if built := os.environ.get("PREHEAT_SITE"):  # while the tests are written
        return Path(built)
    folder = tmp_path_factory.mktemp("site")
    flags = re.search(r"-m sphinx (.*) docs docs/_build/html", (ROOT / "Makefile").read_text())[1].split()
    command = [
        sys.executable,
        "-m",
        "sphinx",
        *flags,
        "--doctree-dir",
        str(folder / "read"),
        str(DOCS),
        str(folder / "html"),
    ]
    alone = {**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    built = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, timeout=600)
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture(scope="session")
def pages(site) -> dict[str, _Page]:
    return {path.relative_to(site).as_posix(): _Page(path.read_text()) for path in sorted(site.rglob("*.html"))}


def test_every_page_of_the_folder_is_in_the_site_and_in_its_navigation(pages):
    wanted = {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md") if path in MARKDOWN}
    assert wanted - set(pages) == set()
    led_to = {unquote(urlsplit(link).path) for link in pages["index.html"].links}
    assert wanted - led_to - {"index.html"} == set()


def test_every_link_leads_to_a_page_and_a_place_in_it(site, pages):
    lost = []
    for name, page in pages.items():
        for link in {*page.links, *page.loaded}:
            parts = urlsplit(link)
            if parts.scheme or not (parts.path or parts.fragment) or parts.fragment.startswith(":"):
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            if not target.resolve().is_file():
                lost.append((name, link))
            elif parts.fragment and target.suffix == ".html":
                inside = pages[target.resolve().relative_to(site.resolve()).as_posix()]
                lost += [(name, link)] * (unquote(parts.fragment) not in inside.ids)
    assert lost == []


def test_no_page_asks_another_host_for_anything(site, pages):
    asked = [(name, one) for name, page in pages.items() for one in page.loaded if urlsplit(one).netloc]
    styles = [
        (path.name, one)
        for path in site.rglob("*.css")
        for one in re.findall(r"(?:url|@import)\W*(?:https?:)?//\S+", path.read_text())
    ]
    assert asked + styles == []


def test_a_page_has_one_title_one_of_each_place_and_pictures_that_are_told(site, pages):
    for name, page in pages.items():
        assert page.titles == 1 or name in MADE_BY_THEME, name
        assert [one for one, times in Counter(page.ids).items() if times > 1] == [], name
        for picture in page.pictures:
            assert (picture.get("alt") or "").strip(), (name, picture)
            assert not re.search(r"\.(svg|png)$", picture["alt"]), (name, picture)


def test_outward_links_are_listed(site):
    sys.path.insert(0, str(DOCS))
    links = importlib.import_module("links")
    assert links.outward(site) == links.LIST.read_text().split(), "python docs/links.py, after make docs"


def _anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the titles of a page."""
    text = re.sub(r"^( *)(```+|~~~+).*?^\1\2[ ]*$", "", text, flags=re.MULTILINE | re.DOTALL)
    seen: Counter[str] = Counter()
    for title in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE):
        bare = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title.strip())
        slug = re.sub(r"[^\w\- ]", "", bare.lower()).replace(" ", "-")
        seen[slug] += 1
    return {slug if k == 0 else f"{slug}-{k}" for slug, times in seen.items() for k in range(times)}


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere_on_github_too(path):
    text = re.sub(r"^( *)(```+|~~~+).*?^\1\2[ ]*$|`[^`\n]+`", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^()\s]+)\)", text):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        assert target.exists(), link
        if parts.fragment and target.suffix == ".md" and "```{" not in target.read_text():  # which the site alone fills
            assert parts.fragment in _anchors(target.read_text()), link


def _rooms() -> dict[str, object]:
    """Every module of preheat that says which of its names are public, as far as its library is here."""
    found = {"preheat": preheat}
    for one in pkgutil.iter_modules(preheat.__path__, "preheat."):
        if not one.name.endswith("__main__"):
            try:
                found[one.name] = importlib.import_module(one.name)
            except MissingError:
                continue
    return {name: room for name, room in found.items() if getattr(room, "__all__", ())}


@pytest.fixture(scope="session")
def reference():
    """How the reference finds what it shows."""
    sys.path.insert(0, str(DOCS / "_ext"))
    return importlib.import_module("reference")


def _shown(reference) -> list:
    return [item for lines in reference.said().values() for line in lines for item in reference.items(line)]


def test_every_public_name_is_in_the_reference(pages, reference):
    placed = {one for name, page in pages.items() if name.startswith("reference/") for one in page.ids}
    values = {id(item.value) for item in _shown(reference) if item.name in placed}
    rooms = _rooms()
    assert {"preheat", "preheat.torch", "preheat.measure", "preheat.session"} <= set(rooms)
    missing = [
        f"{name}.{one}" for name, room in rooms.items() for one in room.__all__ if id(getattr(room, one)) not in values
    ]
    # a framework module that is no room of schedules may be one itself: preheat.compat.torch
    assert missing == []


def test_every_scheduler_of_every_library_is_in_the_reference(pages):
    from preheat.compat import PEERS, peer

    wanted = {f"preheat.compat.{library}.{name}" for library in PEERS for name in peer(library).functions}
    assert len(wanted) > 150
    assert wanted - set(pages["reference/compat.html"].ids) == set()


def test_every_command_and_option_is_in_the_reference(site):
    commands = importlib.import_module("commands")
    text = (site / "reference/commands.html").read_text()
    every = list(commands.every())
    assert len(every) > 15
    for command, told in every:
        assert all(f">{part}<" in text or part in text for part in command)
        assert told.boxes, command


def test_every_parameter_of_what_is_public_is_described(reference):
    """By its own docstring, or by that of another object that is named beside it."""
    bare = [
        f"{item.name}({one})"
        for item in _shown(reference)
        if item.name.rpartition(".")[2] in getattr(sys.modules.get(item.name.rpartition(".")[0]), "__all__", ())
        if callable(item.value)
        for one in reference.untold(item.value)
        if not reference.teller(item.name, item.value, one)
    ]
    assert bare == []


def test_formulas_are_drawn(site, reference):
    formulas = importlib.import_module("formulas")
    docstrings = importlib.import_module("docstrings")
    drawn = [
        part.text
        for item in _shown(reference)
        for part in docstrings.paragraphs(inspect.getdoc(item.value) or "")
        if part.kind == "formula"
    ]
    assert len(drawn) > 25
    for block in drawn:
        for line in formulas.formulas(block):
            assert len("".join(ElementTree.fromstring(line).itertext())) > 5, block
    for path in (site / "reference").glob("*.html"):
        assert not re.findall(r"<pre>[^<]*s\(t\) =", path.read_text()), path.name


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("s(t) = start + (end − start) · t/n", "<mfrac><mi>t</mi><mi>n</mi></mfrac>"),
        ("s(t) = (end/start)^(t/n)", "<msup><mrow><mo>(</mo><mrow><mfrac>"),
        ("s(t) = √(τ/(τ + t))", "<msqrt><mrow><mfrac><mi>τ</mi><mrow><mi>τ</mi>"),
        ("x = ρₖ − 2kβ₂ᵏ", "<msup><msub><mi>β</mi><mn>2</mn></msub><mi>k</mi></msup>"),
    ],
)
def test_a_formula_is_drawn_as_it_is_meant(reference, text, drawn):
    (line,) = importlib.import_module("formulas").formulas(text)
    assert drawn in line


@pytest.mark.parametrize(
    "text", ["meter = NoiseMeter(model)", "preheat presets gpt3", "s(t) = (1", "hidden    lr · k   d: what"]
)
def test_what_is_no_formula_is_left_as_it_is(reference, text):
    assert importlib.import_module("formulas").formulas(text) is None


@pytest.fixture(scope="session")
def browser():
    with launched() as opened:
        yield opened


@pytest.fixture
def opened(browser, site):
    """Open a page from the disk; fails at the end if the browser complained, or asked another host for something."""
    contexts, complaints = [], []

    def go(name, width=1200, scheme="light"):
        contexts.append(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}))
        page = contexts[-1].new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda asked: None if asked.url.startswith(("file:", "data:")) else complaints.append(asked.url)
        )
        page.goto((site / f"{name}.html").as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("name", TALLEST)
def test_a_phone_scrolls_downwards_only(opened, name):
    page = opened(name, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "reference/language", "compare", "gallery"])
def test_text_stands_out_from_what_is_behind_it(opened, name, scheme):
    found = opened(name, scheme=scheme).evaluate(CONTRAST)
    assert len(found) > 50
    assert min(found) >= [LEAST, ""]


def test_the_search_finds_a_page_from_a_disk(opened):
    page = opened("index")
    page.locator(".sidebar-search").fill("cooldown")
    page.locator(".sidebar-search").press("Enter")
    page.wait_for_selector("#search-results li a")
    led = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.href)")
    assert any("cooldown" in link for link in led)
    page.goto(next(link for link in led if "cooldown" in link))
    assert "cooldown" in page.locator("article").inner_text()
