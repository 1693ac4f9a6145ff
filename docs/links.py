"""Where the built site leads outwards: `python docs/links.py` writes the list, `make docs-links` asks each address.

The list is committed as docs/links.txt, so that an added link is seen; a test holds it to the pages without a network.
"""

import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

DOCS = Path(__file__).parent
LIST, BUILT = DOCS / "links.txt", DOCS / "_build" / "html"
_AGENT = {"User-Agent": "Mozilla/5.0 (a check of links)"}
_REFUSALS = frozenset({401, 403, 405, 429})  # a page that is there, and not for programs


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        address = dict(attributes).get("href") or ""
        if tag == "a" and address.startswith(("http:", "https:")):
            self.found.add(address)


def outward(site: Path) -> list[str]:
    """Every address of another host that a page of the site links to."""
    links = _Links()
    for page in site.rglob("*.html"):
        links.feed(page.read_text())
    return sorted(links.found)


def problem(address: str) -> str:
    """What is wrong with an address; "" where it answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=_AGENT), timeout=30):
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code in _REFUSALS else f"{error.code} {address}"
    except OSError as error:
        return f"{error} {address}"


def main(check: bool) -> int:
    if not check:
        LIST.write_text("\n".join(outward(BUILT)) + "\n")
        return 0
    with ThreadPoolExecutor(8) as pool:
        problems = [found for found in pool.map(problem, LIST.read_text().split()) if found]
    print("\n".join(problems) or "every link answers")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
