"""The gallery: nothing is missing, what is copied is what is drawn, and the page finds, copies and speaks."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import launched

import preheat as ph
from preheat.core.node import KINDS, Schedule
from preheat.core.shapes import WRITTEN
from preheat.core.stated import Stated, plain
from preheat.plots.panel import DARK, LIGHT
from preheat.recipes.registry import RECIPES

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

import gallery_cards  # noqa: E402  found there

CARDS = gallery_cards.cards()
NO_SCHEDULE = {  # the public functions that make no schedule
    *(
        "check",
        "compare",
        "diff",
        "explain",
        "export",
        "from_env",
        "log",
        "merge_weights",
        "scaled_adam",
        "scaled_peak",
    ),
    *("from_dict", "parse", "to_dict"),  # they read and write one
}
CONF = """
import sys
sys.path.insert(0, {ext!r})
extensions = ["myst_parser", "gallery"]
html_theme = "furo"
html_static_path = [{static!r}]
exclude_patterns = ["_build"]
root_doc = "gallery"
"""


def names(kind: str) -> set[str]:
    return {card.name for card in CARDS if card.kind == kind}


def test_no_function_that_makes_a_schedule_is_missing() -> None:
    public = {name for name in ph.__all__ if inspect.isfunction(getattr(ph, name))}
    assert names("recipe") | names("word") | names("shape") >= public - NO_SCHEDULE
    assert not (names("recipe") | names("word")) & NO_SCHEDULE


def test_no_recipe_shape_preset_sign_or_transformation_is_missing() -> None:
    assert names("recipe") >= set(RECIPES)
    assert names("shape") == {*WRITTEN, "power", "reverse", "compose"}
    assert names("preset") == set(ph.presets)
    changed = {name for name, one in vars(Schedule).items() if hasattr(Stated, name) and _gives_a_schedule(one)}
    assert names("word") >= changed - {"bind"}
    assert names("word") >= {kind._sign for kind in KINDS.values() if kind._form == "infix"}


def _gives_a_schedule(method: Any) -> bool:
    return (
        inspect.isfunction(method) and not method.__name__.startswith("_") and "Schedule" in str(method.__annotations__)
    )


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.anchor)
def test_what_is_copied_is_what_is_drawn(card: gallery_cards.Card) -> None:
    assert ph.parse(card.text) == card.value
    pictures = list(gallery_cards.drawn(card))
    assert pictures
    for picture, course, _ in pictures:
        assert '<path class="line' in picture
        assert "nan" not in picture
        assert re.search(r"\d", course)
    assert card.says.endswith(".")


def test_a_docstrings_own_example_is_used_and_as_it_is_written() -> None:
    text = {card.anchor: card.text for card in CARDS}
    assert text["recipe-cosine"] == "cosine(10_000, warmup_ratio=0.05, peak_lr=3e-4, min_lr_ratio=0.1)"
    assert text["recipe-cosine"] in inspect.getdoc(ph.cosine)
    assert text["word-repeated"] in inspect.getdoc(Schedule.repeated)
    without = [name for name in gallery_cards._UNWRITTEN if name.isidentifier()]
    assert all(gallery_cards.example(getattr(Schedule, name)) is None for name in without), "it has an example now"


def test_a_published_run_is_drawn_on_its_run_at_its_peak() -> None:
    (card,) = (card for card in CARDS if card.name == "llama2_7b")
    preset = ph.presets["llama2_7b"]
    theirs = preset.schedule.bind(preset.run(), peak=preset.peak_lr)
    (on,) = [gallery_cards.laid(plain(card.value), card.run)]
    assert [card.peak * on.bound.function(t) for t in (0, 2000, 250_000)] == [theirs(t) for t in (0, 2000, 250_000)]
    ((_, course, remark),) = gallery_cards.drawn(card)
    assert course == "Begins at 0, highest 0.0003 at update 2,000, ends at 3e-05."
    assert not remark


def test_a_run_that_nobody_published_is_said() -> None:
    remarks = {
        card.name: [remark for *_, remark in gallery_cards.drawn(card)] for card in CARDS if card.kind == "preset"
    }
    assert (
        "the source leaves that open" in remarks["vit_b16_imagenet21k"][0]
    )  # its warmup is in updates, its run in epochs
    assert remarks["nanochat"] == ["Drawn on a run of 10,000 updates."]
    assert remarks["mae"] == [""]  # all of it in epochs


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, built alone."""
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    pytest.importorskip("furo")
    folder = tmp_path_factory.mktemp("site")
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    (folder / "gallery.md").write_text(re.sub(r"\[([\w.]+)\]\([\w/]+\.md\)", r"\1", text), encoding="utf-8")
    conf = CONF.format(ext=str(DOCS / "_ext"), static=str(DOCS / "_static"))
    (folder / "conf.py").write_text(conf, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(folder), str(folder / "_build")]
    built = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert built.returncode == 0, built.stderr[-2000:]
    return folder / "_build" / "gallery.html"


def test_every_card_has_its_anchor_and_its_text_without_a_script(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert len(html) < 1_500_000
    assert {card.anchor for card in CARDS} <= set(re.findall(r'<section class="gallery-card" id="([^"]+)"', html))
    assert html.count('class="preheat-chart"') >= len(CARDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as opened:
        yield opened


def test_typing_finds_enter_copies_and_both_are_said(page: Path, browser: Any) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(page.as_uri())
    found = tab.locator(".gallery-card:visible")
    assert found.count() == len(CARDS)
    tab.get_by_label("Find in the gallery").fill("llama 405b")
    assert found.count() == 1
    assert tab.get_by_role("status").inner_text() == f"1 of {len(CARDS)}"
    button = tab.get_by_role("button", name="Copy the text of llama3_405b")
    button.focus()
    tab.keyboard.press("Enter")
    wanted = repr(ph.presets["llama3_405b"].schedule)
    tab.get_by_role("alert").get_by_text("Copied ramp").wait_for()
    assert button.inner_text() == "Copied"
    assert tab.evaluate("navigator.clipboard.readText()") == wanted
    tab.get_by_label("Find in the gallery").fill("")
    tab.get_by_label("Show").select_option("shape")
    assert found.count() == len(names("shape"))
    tab.goto(f"{page.as_uri()}#preset-gpt3")  # a link shows its card, whatever was being looked for
    tab.locator("#preset-gpt3:visible").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not complaints
    context.close()


def test_a_click_copies_colours_follow_the_page_and_without_a_script_all_is_there(page: Path, browser: Any) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.locator("#recipe-wsd .preheat-chart").click()
    tab.get_by_role("alert").get_by_text("Copied wsd").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == "wsd(1000, warmup_steps=100, peak_lr=1e-3)"
    tab.evaluate("document.body.dataset.theme = 'dark'")  # what the page is set to comes before the system
    assert _stroke(tab) == _rgb(DARK[0])
    tab.evaluate("document.body.dataset.theme = 'light'")
    assert _stroke(tab) == _rgb(LIGHT[0])
    context.close()
    context = browser.new_context(java_script_enabled=False, color_scheme="dark")
    tab = context.new_page()
    tab.goto(page.as_uri())
    assert tab.locator(".gallery-card:visible").count() == len(CARDS)
    assert tab.locator(".gallery-card .gallery-text code:visible").count() == len(CARDS)
    assert _stroke(tab) == _rgb(DARK[0])
    context.close()


def _stroke(tab: Any) -> str:
    return tab.evaluate("getComputedStyle(document.querySelector('.preheat-chart .line.s0')).stroke")


def _rgb(colour: str) -> str:
    return "rgb({}, {}, {})".format(*(int(colour[k : k + 2], 16) for k in (1, 3, 5)))
