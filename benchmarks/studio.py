"""How soon the studio is there, and how many frames a second it shows under a drag: `python -m benchmarks.studio`.

A real Chromium without a screen, and the real server beside it on this machine; a million updates unless told otherwise.
Opening is from the navigation to the handles over the first curve, once for each fresh page. While a handle is dragged as fast
as a mouse reports, each frame of the browser is looked at: how many came, and how many of them showed another text than the
one before, which is the whole way to Python and back: read, edited, evaluated, drawn.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from itertools import pairwise

from playwright.sync_api import Page, sync_playwright

from preheat.studio.link import link

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TEXTS = (
    "warmup(5%) >> decay(shape=cosine)",
    "warmup(5%) >> hold() >> decay(20%, shape=1-sqrt)",
    "warmup(2%) >> decay(to=0.1)",
)
MOVES, PAUSE = 240, 1 / 120  # of the mouse, and seconds between them
THERE = """() => new MutationObserver((_, watch) => {
  if (!document.querySelector("[role=slider]")) return
  watch.disconnect()
  requestAnimationFrame(() => window.there = performance.now())
}).observe(document, {childList: true, subtree: true})"""
WATCHED = """() => {
  const seen = window.seen = {frames: [], texts: 0}
  let before = ""
  const look = now => {
    const text = document.querySelector("textarea").value
    seen.frames.push(now)
    seen.texts += text != before
    before = text
    if (window.seen === seen) requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}"""


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    told.add_argument("--updates", type=int, default=1_000_000)
    told.add_argument("--schedules", type=int, default=1, choices=range(1, len(TEXTS) + 1))
    told.add_argument("--pages", type=int, default=5)
    asked = told.parse_args()
    document = {
        "schedules": [{"text": text} for text in TEXTS[: asked.schedules]],
        "run": {"total": str(asked.updates), "clock": "step"},
    }
    chromium = next(filter(None, map(shutil.which, BROWSERS)))
    command = [sys.executable, "-m", "preheat", "studio", "hold()", "--total", "10", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            pages = [opened(browser.new_page(), f"{address}#{link(document)}") for _ in range(asked.pages)]
            report(asked, [seconds for _, seconds in pages], dragged(pages[-1][0]))
            browser.close()
    finally:
        server.terminate()
        server.wait()


def opened(page: Page, address: str) -> tuple[Page, float]:
    """The page, and the seconds from its navigation to the curve with its handles."""
    page.add_init_script(f"({THERE})()")
    page.goto(address)
    page.get_by_role("slider").first.wait_for()
    page.wait_for_timeout(100)
    return page, page.evaluate("window.there") / 1000


def dragged(page: Page) -> tuple[list[float], int, float]:
    """The times between frames in ms while a handle is dragged, how many texts were seen, and in how many seconds."""
    page.get_by_role("button", name="Copy", exact=True).wait_for()
    page.wait_for_timeout(1000)  # what is asked after the first curve has been answered
    box = page.get_by_role("slider", name="end of warmup").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(f"({WATCHED})()")
    started = time.perf_counter()
    for move in range(1, MOVES + 1):
        page.mouse.move(x + move, y)
        time.sleep(max(0.0, started + move * PAUSE - time.perf_counter()))
    seconds = time.perf_counter() - started
    frames, texts = page.evaluate("[seen.frames, seen.texts]")
    page.mouse.up()
    return [later - now for now, later in pairwise(frames)], texts, seconds


def report(asked: argparse.Namespace, opening: list[float], dragging: tuple[list[float], int, float]) -> None:
    between, texts, seconds = dragging
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    )
    print(f"{asked.updates:,} updates, {asked.schedules} schedules over each other")
    print(
        f"opened in {statistics.median(opening):.2f} s (median of {len(opening)}; {min(opening):.2f} to {max(opening):.2f})"
    )
    print(f"dragged: {len(between) / seconds:.0f} frames a second, {texts / seconds:.0f} of them with a new text;")
    print(
        f"between frames {statistics.median(between):.0f} ms, the slowest of a hundred {percentile(between, 99):.0f} ms"
    )


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    main()
