"""A real Chromium for tests of pages, and what they measure in it."""

import atexit
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
LEAST = 4.5  # of ink to paper, WCAG 2 AA
VIEWS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1200, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1200, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "has_touch": True},
}

CONTRAST = """() => {
  const colours = text => [...text.matchAll(/rgba?\\(([^)]+)\\)/g)].map(m => m[1].split(/[ ,/]+/).map(Number))
  const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0)
  const papers = e => {
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e), image = colours(style.backgroundImage).filter(([, , , seen]) => seen !== 0)
      if (image.length) return image
      const [own] = colours(style.backgroundColor)
      if (own && (own[3] ?? 1) > 0) return [own]
    }
    return [[255, 255, 255]]
  }
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const e = node.parentElement
    if (!node.data.trim() || !e.checkVisibility() || e.tagName == "STYLE" || e.tagName == "title") continue
    const style = getComputedStyle(e), [shade] = colours(e instanceof SVGElement ? style.fill : style.color)
    if (shade[3] === 0) continue  // it is not seen at all
    const ink = light(shade)
    for (const paper of papers(e).map(light))
      found.push([(Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05), node.data.trim().slice(0, 40)])
  }
  return found
}"""
"""The contrast of every text with what is behind it, as pairs of it and the text."""


@cache
def _browser() -> Any:
    """The one browser of this process: a second driver beside a first is refused by the package."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    if CHROMIUM is None:
        pytest.skip(f"needs a Chromium on the PATH: {', '.join(NAMES)}")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    driver = api.sync_playwright().start()
    opened = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
    atexit.register(lambda: (opened.close(), driver.stop()))
    return opened


@contextmanager
def launched() -> Iterator[Any]:
    """A browser, with no page of anybody's left in it afterwards; skips, saying so, where there is none."""
    opened = _browser()
    before = list(opened.contexts)
    yield opened
    for context in [one for one in opened.contexts if one not in before]:
        context.close()
