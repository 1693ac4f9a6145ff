"""The bundle that is committed is what its sources give, is small, and asks nobody for anything."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import preheat
from preheat.plots.panel import DARK, LIGHT

ROOT = Path(__file__).parents[2]
PAGE = Path(preheat.__file__).parent / "studio" / "page"
SOURCES = ROOT / "studio"
NODE = shutil.which("node")
MOST = 160_000  # bytes of script and style together: 150,000 would be full with the axes of runs that diverge

# what names things and is never asked for
NAMES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml", "http://www.w3.org/1998/Math/MathML"}


@pytest.fixture
def built(tmp_path) -> Path:
    """The page built anew, elsewhere."""
    if NODE is None or not (SOURCES / "node_modules" / "esbuild").is_dir():
        pytest.skip("needs node, and the packages that `make studio` installs in studio/node_modules")
    copied = tmp_path / "studio"
    shutil.copytree(SOURCES, copied, ignore=shutil.ignore_patterns("node_modules"))
    (copied / "node_modules").symlink_to(SOURCES / "node_modules")
    page = tmp_path / "src" / "preheat" / "studio" / "page"
    page.mkdir(parents=True)
    for folder in (PAGE.parents[1], PAGE.parent):  # it takes colours and words from modules of the package
        for path in folder.iterdir():
            there = tmp_path / "src" / path.relative_to(PAGE.parents[2])
            if not there.exists():
                there.symlink_to(path)
    subprocess.run([NODE, "build.mjs"], cwd=copied, check=True, capture_output=True, text=True)
    return page


def test_what_is_committed_is_what_the_sources_give(built):
    for name in ("studio.js", "studio.css"):
        same = (built / name).read_bytes() == (
            PAGE / name
        ).read_bytes()  # not compared by assert, which would print both
        assert same, f"{name} is another: run make studio, and commit it"


def test_it_is_small():
    assert sum(path.stat().st_size for path in PAGE.iterdir()) < MOST


@pytest.mark.parametrize("path", sorted(PAGE.iterdir()), ids=lambda path: path.name)
def test_it_names_no_other_host(path):
    addresses = set(re.findall(r"(?:https?:)?//[\w-]+(?:\.[\w-]+)+[\w./%-]*", path.read_text(encoding="utf-8")))
    assert {one for one in addresses if one not in NAMES and not _in_a_comment(one)} == set()


def _in_a_comment(address: str) -> bool:
    """The licences of what is in the bundle say where it comes from."""
    text = (PAGE / "studio.js").read_text(encoding="utf-8")
    return any(address in comment for comment in re.findall(r"/\*.*?\*/", text, flags=re.DOTALL))


def test_its_curves_have_the_colours_of_all_our_pictures():
    text = (PAGE / "studio.js").read_text(encoding="utf-8")
    for colour in (*LIGHT, *DARK):
        assert f'"{colour}"' in text
