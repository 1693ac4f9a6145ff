"""How soon the studio is there, and how many frames a second it shows under a drag: `python -m benchmarks.studio`.

A real Chromium without a screen, and the real server beside it on this machine; a million updates unless told otherwise.
Opening is from the navigation to the handles over the first curve, once for each fresh page. While a handle is dragged as fast
as a mouse reports, each frame of the browser is looked at: how many came, and how many of them showed another text than the
one before, which is the whole way to Python and back: read, edited, evaluated, drawn. On a machine that is busy with other
things the frames are fewer; the CPU time of the page and of Python for each new text is what they cost anywhere. Linux only.
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
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import CDPSession, Page, sync_playwright

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
            report(asked, [seconds for _, seconds in pages], dragged(pages[-1][0], server.pid))
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


class Drag(NamedTuple):
    """A handle dragged: ms between frames, the texts that were seen, in how many seconds, CPU seconds of page and Python."""

    between: list[float]
    texts: int
    seconds: float
    page: float
    python: float


def dragged(page: Page, server: int) -> Drag:
    """Drag the first edge, and look at every frame; `server` is the process that answers."""
    page.get_by_role("button", name="Copy", exact=True).wait_for()
    page.wait_for_timeout(1000)  # what is asked after the first curve has been answered
    browser = page.context.new_cdp_session(page)
    browser.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    browser.send("Performance.enable")
    box = page.get_by_role("slider", name="end of warmup").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(f"({WATCHED})()")
    cost, answered, started = worked(browser), answering(server), time.perf_counter()
    for move in range(1, MOVES + 1):
        page.mouse.move(x + move, y)
        time.sleep(max(0.0, started + move * PAUSE - time.perf_counter()))
    seconds = time.perf_counter() - started
    cost, answered = worked(browser) - cost, answering(server) - answered
    frames, texts = page.evaluate("[seen.frames, seen.texts]")
    page.mouse.up()
    return Drag([later - now for now, later in pairwise(frames)], texts, seconds, cost, answered)


def worked(browser: CDPSession) -> float:
    """CPU seconds of the page's thread so far: scripts, layout and painting."""
    found = {one["name"]: one["value"] for one in browser.send("Performance.getMetrics")["metrics"]}
    return found["TaskDuration"]


def answering(server: int) -> float:
    """CPU seconds of the server so far."""
    after_name = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")


def report(asked: argparse.Namespace, opening: list[float], drag: Drag) -> None:
    frames, slowest = len(drag.between) / drag.seconds, statistics.quantiles(drag.between, n=100)[98]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    )
    print(f"{asked.updates:,} updates, {asked.schedules} over each other")
    print(f"opened in {statistics.median(opening):.2f} s (of {len(opening)}: {min(opening):.2f} to {max(opening):.2f})")
    print(f"dragged: {frames:.0f} frames a second, {drag.texts / drag.seconds:.0f} of them with a new text")
    print(f"between frames {statistics.median(drag.between):.0f} ms; of a hundred the slowest {slowest:.0f} ms")
    each = [1000 * cost / drag.texts for cost in (drag.page, drag.python)]
    print(f"CPU for each new text: the page {each[0]:.1f} ms, Python {each[1]:.1f} ms")


if __name__ == "__main__":
    main()
