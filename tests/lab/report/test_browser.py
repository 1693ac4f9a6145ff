"""The report in a real browser: nothing goes wrong in it, and everybody can use it."""

from pathlib import Path

import pytest
from chromium import CONTRAST, LEAST, VIEWS, launched
from made_runs import compared, gridded, many_arms, two_studies, unstable

from preheat.lab.report.html import report_html

PAGES = {
    "plain": compared,
    "one seed": lambda: compared(seeds=1, every=10, lr=False),
    "unstable": unstable,
    "grid": gridded,
    "many arms": many_arms,
    "two studies": two_studies,
}
LAPTOP = {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}}
MOST_TABS = 400

USABLE = "a[href], button, input, select, textarea, summary, [tabindex='0']"
PLACES = f'[...document.querySelectorAll("{USABLE}")].filter(e => e.checkVisibility())'


@pytest.fixture(scope="module")
def browser():
    with launched() as opened:
        yield opened


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """Every page as a file."""
    folder = tmp_path_factory.mktemp("pages")
    for name, make in PAGES.items():
        (folder / f"{name}.html").write_text(report_html(make()), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}


@pytest.fixture
def opened(browser, files):
    """Open a page in a view; fails at the end if the browser complained, or asked for anything but the file."""
    contexts, complaints, asked, expected = [], [], [], []

    def go(name, view="light", **more):
        context = browser.new_context(**{**VIEWS[view], **more})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        expected.append(files[name].as_uri())
        page.goto(expected[-1])
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []
    assert asked == expected


def unfolded(page):
    """The page with everything that is folded opened."""
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    return page


@pytest.mark.parametrize("view", ["light", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_the_browser_has_nothing_to_complain_of_and_the_page_fits_its_width(opened, name, view):
    page = unfolded(opened(name, view))
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate(
        "[...document.querySelectorAll('figure > svg')].every(e => e.getBoundingClientRect().width > 250)"
    )


@pytest.mark.parametrize("view", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_text_stands_out_from_what_is_behind_it(opened, name, view):
    found = unfolded(opened(name, view)).evaluate(CONTRAST)
    assert len(found) > 50
    assert min(found) >= [LEAST, ""]


def test_the_page_is_light_or_dark_as_the_reader_has_it(opened):
    light, dark = (
        opened("plain", view).evaluate("getComputedStyle(document.body).backgroundColor") for view in ("light", "dark")
    )
    assert light != dark


@pytest.mark.parametrize("view", ["light", "phone"])
@pytest.mark.parametrize("name", ["plain", "grid", "unstable"])
def test_everything_is_reached_by_tab_and_shows_that_it_is(opened, name, view):
    page = opened(name, view)
    wanted = page.evaluate(f"{PLACES}.length")
    assert 10 < wanted < MOST_TABS
    reached = set()
    for _ in range(wanted + 2):
        page.keyboard.press("Tab")
        place, outline, visible = page.evaluate(
            f"""() => {{
              const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect()
              const seen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth
              return [{PLACES}.indexOf(e), style.outlineStyle == "none" ? 0 : parseFloat(style.outlineWidth), seen]
            }}"""
        )
        if place >= 0:
            reached.add(place)
            assert outline >= 2, place
            assert visible, place
    assert reached == set(range(wanted))


def test_the_first_tab_leads_past_the_head_of_the_page(opened):
    page = opened("plain")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#results"


def test_every_link_within_the_page_leads_somewhere(opened):
    page = opened("grid")
    assert page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].every(e => document.querySelector(e.getAttribute('href')))"
    )


@pytest.mark.parametrize("name", PAGES)
def test_charts_boxes_and_regions_have_names(opened, name):
    page = opened(name)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("svg:not([aria-hidden] *), input, [role=region], table, figure")].filter(e =>
          e.tagName == "INPUT" ? !e.labels.length || !e.labels[0].textContent.trim()
          : e.tagName == "FIGURE" ? !e.querySelector("svg[role=img][aria-label]")
          : e.tagName == "svg" ? !(e.getAttribute("aria-label") || e.hasAttribute("aria-hidden") || e.ownerSVGElement)
          : !e.getAttribute("aria-label")).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []


@pytest.mark.parametrize("name", ["unstable", "two studies"])
def test_the_first_screen_has_the_sentence_the_picture_and_what_to_do_next(opened, name):
    page = opened(name, **LAPTOP)
    for part in (".headline", ".picture > div > svg:last-child", ".next pre"):
        for box in (one.bounding_box() for one in page.locator(part).all()):
            assert 0 <= box["y"] < box["y"] + box["height"] <= 800, part
    assert page.locator(".next pre").count() >= 1


def test_a_box_of_the_legend_hides_its_curves_and_no_others(opened):
    page = opened("plain")
    shown = "[0, 1].map(k => [...document.querySelectorAll(`.curves .k${k}`)].every(e => e.checkVisibility()))"
    assert page.evaluate(shown) == [True, True]
    page.get_by_label("linear").press("Space")
    assert page.evaluate(shown) == [True, False]
    page.get_by_label("linear").press("Space")
    assert page.evaluate(shown) == [True, True]


def test_wide_tables_scroll_by_themselves_on_a_phone(opened):
    page = opened("grid", "phone")
    box = page.locator(".scroll:has(.heat)")
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    box.focus()
    for _ in range(100):  # it scrolls smoothly, so not at once
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(20)
        if box.evaluate("e => e.scrollLeft > 0"):
            return
    pytest.fail("the table did not scroll")


def test_on_paper_the_page_has_no_controls(opened):
    page = opened("grid")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator(".legend input").first.is_visible()
    assert page.locator(".heat").is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_on_paper_no_table_is_cut_off(opened, name):
    page = opened(name, viewport={"width": 700, "height": 1000})  # A4 within usual margins
    page.emulate_media(media="print")
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].every(e => !e.checkVisibility() || e.scrollWidth <= e.clientWidth)"
    )


def test_on_paper_nothing_of_the_verdict_is_folded(opened):
    page = opened("grid")
    rest = page.locator(".verdict details span").last
    assert rest.count() == 1
    assert not rest.is_visible()
    page.emulate_media(media="print")
    assert rest.is_visible()
