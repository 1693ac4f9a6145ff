"""The pictures of docs/studio.md, taken in a browser: `python docs/figures/studio.py [folder]`.

Needs playwright, and a Chromium on the PATH. On the page stand the two schedules of `DOCUMENT`, in light and in dark.
"""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from preheat.studio.link import link
from preheat.studio.server import Server

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
DOCUMENT: dict[str, Any] = {
    "schedules": [
        {"name": "cosine", "text": "warmup(5%) >> decay(to=0.1, shape=cosine)"},
        {"name": "cool down", "text": "warmup(1B tokens) >> hold() >> decay(20%, shape=1-sqrt)"},
    ],
    "run": {"total": "40B tokens", "tokens_per_step": "4M", "clock": "step"},
    "peak": "3e-4",
    "axis": "tokens",
    "chosen": 1,
}
WIDTH, HEIGHT = 1200, 952
POINTED = 0.55  # of the chart's width: where the pointer rests, so that values are read


def taken(browser: Browser, address: str, theme: str, width: int = WIDTH) -> bytes:
    """The page as PNG once all of it is there."""
    page = browser.new_page(color_scheme=theme, viewport={"width": width, "height": HEIGHT}, reduced_motion="reduce")
    page.goto(f"{address}#{link(DOCUMENT)}")
    page.get_by_role("slider").first.wait_for()
    page.locator(".explain td").first.wait_for()
    page.locator(".copy code").first.wait_for()
    over = page.locator("canvas").first.bounding_box()
    page.mouse.move(over["x"] + POINTED * over["width"], over["y"] + over["height"] / 2)
    page.wait_for_timeout(500)
    picture = page.screenshot()
    page.close()
    return picture


def main(folder: Path) -> None:
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    with Server() as server, sync_playwright() as driver:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for theme in ("light", "dark"):
            (folder / f"studio-{theme}.png").write_bytes(taken(browser, server.address, theme))
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
