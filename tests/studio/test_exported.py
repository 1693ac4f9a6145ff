"""One file, which may run its own script and nothing else, with what the page would have asked in it."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import preheat as ph
from preheat.studio.copying import forms
from preheat.studio.drawing import MOST_POINTS
from preheat.studio.service import answer

NASTY = "</script><script>alert(1)</script><!-- & \"' "
PLAN = {"lr": "warmup(10) >> decay()", "weight_decay": "absolute(hold(0.1))"}


class Read(HTMLParser):
    """The elements of a page: their attributes, and what stands in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[int, str] = {}
        self.open = -1
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open = len(self.elements) - 1

    def handle_endtag(self, tag: str) -> None:
        self.open = -1

    def handle_data(self, data: str) -> None:
        self.inside[self.open] = self.inside.get(self.open, "") + data

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        found = ((number, given) for number, (name, given) in enumerate(self.elements) if name == tag)
        return [(given, self.inside.get(number, "")) for number, given in found]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    given = ["warmup(5%) >> decay(shape=cosine)", PLAN]
    target = tmp_path_factory.mktemp("exported") / "page.html"
    return ph.studio.export(given, target, run=ph.Run(total=1000), peak=0.1, names=[NASTY, "a plan"])


@pytest.fixture(scope="module")
def page(path: Path) -> Read:
    return Read(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def answers(page: Read) -> dict[str, Any]:
    return json.loads(next(text for given, text in page.all("script") if given.get("id") == "answers"))


def test_it_runs_its_own_script_and_style_and_asks_nothing(page: Read) -> None:
    policy = next(given["content"] for given, _ in page.all("meta") if given.get("http-equiv"))
    scripts = [text for given, text in page.all("script") if given.get("type") == "module"]
    styles = [text for _, text in page.all("style")]
    for kind, (text,) in (("script", scripts), ("style", styles)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "connect-src" not in policy
    assert "unsafe" not in policy
    linked = [value for _, given in page.elements for name, value in given.items() if name in ("src", "href")]
    assert all((value or "").startswith("data:") for value in linked)


def test_the_policy_stands_before_what_it_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.index("Content-Security-Policy") < min(text.index("<style"), text.index("<script"))


def test_whatever_a_schedule_is_called_is_text(path: Path, page: Read, answers: dict[str, Any]) -> None:
    assert answers["document"]["schedules"][0]["name"] == NASTY
    assert len(page.all("script")) == 2
    assert "<script>alert" not in path.read_text(encoding="utf-8")
    (title,) = page.all("title")
    assert "alert(1)" in title[1]


def test_it_holds_what_the_page_would_ask(answers: dict[str, Any]) -> None:
    document = answers["document"]
    assert document["run"]["total"] == "1000"
    assert list(answers["drawn"]) == ["lr", "weight_decay"]
    for line, drawn in answers["drawn"].items():
        asked = {**document, "line": line, "difference": True}
        assert drawn == answer("draw", {"document": asked, "points": MOST_POINTS})
        assert drawn["differences"][1]["says"]
        assert all(len(curve["at"]) <= MOST_POINTS for curve in drawn["curves"])
    assert answers["drawn"]["weight_decay"]["curves"][1]["values"][0] == 0.1
    for place in (0, 1):
        assert answers["reviewed"][place] == answer("review", {"document": document, "schedule": place})
        for form, copied in zip(forms(), answers["copied"][place], strict=True):
            assert copied == answer("copy", {"document": document, "schedule": place, "form": form["id"]})
    assert answers["catalogue"]["forms"] == forms()
    assert answers["picture"]["svg"].startswith("<svg")


def test_what_cannot_be_drawn_or_written_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    with pytest.raises(ph.PreheatError, match="not known"):
        ph.studio.export(["hold(1.0, 10)", "warmup(5%)"], target)
    with pytest.raises(ph.PreheatError, match="warmpu"):
        ph.studio.export("warmpu(5)", target)
    with pytest.raises(ph.PreheatError, match="at most 12"):
        ph.studio.export(["hold(1.0, 10)"] * 13, target)
    assert not target.exists()
    with pytest.raises(ph.PreheatError, match="cannot write"):
        ph.studio.export("hold(1.0, 10)", tmp_path / "no" / "page.html")


@pytest.mark.parametrize(
    ("given", "path", "more", "said"),
    [
        (["decay(5)"], "n.html", {"names": "ours"}, "a list of texts"),
        (["decay(5)", "decay(6)"], "n.html", {"names": "ab"}, "a list of texts"),
        (["decay(5)"], "n.html", {"names": [None]}, "a list of texts"),
        (["decay(5)"], "n.html", {"names": ["a", "b"]}, "2 names for 1 schedule"),
        (["decay(5)"], "n.html", {"names": ["\ud800"]}, "cannot be written"),
        ("decay(5)", "n.html", {"peak": 10**400}, "must be finite"),
        ("decay(5)", b"n.html", {}, "the name of a file"),
        ("decay(5)", "", {}, "the name of a file"),
        ("decay(5)", 5, {}, "the name of a file"),
        ("decay(5)", "a\0b", {}, "the name of a file"),
        ("decay(5)", "\ud800.html", {}, "no file can be called"),
        ("decay(5)", ".", {}, "cannot write"),
        ([], "n.html", {}, "at least one schedule"),
        ((), "n.html", {}, "at least one schedule"),
    ],
)
def test_whatever_is_given_wrongly_is_refused_in_words(
    given: Any, path: Any, more: dict[str, Any], said: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ph.PreheatError, match=said):
        ph.studio.export(given, path, **more)
    assert not list(tmp_path.iterdir())


def test_a_preset_is_the_same_by_its_name_and_as_a_value() -> None:
    from preheat.studio.starting import given, started

    by_name, by_value = (started(given(one, None, None)) for one in ("llama2_7b", ph.presets["llama2_7b"]))
    assert by_name == by_value
    assert by_name["document"]["peak"] == "3e-4"
    assert by_name["document"]["run"]["total"] == "500000"


def test_a_comparisons_runs_are_in_it(tmp_path: Path) -> None:
    from preheat.studio.exported import page as written
    from preheat.studio.starting import given, started

    start = started(given("hold(1.0, 10)", None, None))
    runs = [{"arm": "a", "study": "s", "seed": 0, "at": [0], "loss": [None], "rate_at": [], "rate": []}]
    start["opened"]["runs"] = runs
    found = re.search(r'id="answers">(.*?)</script>', written(start), re.DOTALL)
    assert json.loads(found[1])["runs"] == runs
