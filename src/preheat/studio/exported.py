"""The page as one file that anyone opens: with its answers inside, and without a request."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from preheat.core.checks import encodable
from preheat.core.errors import PreheatError, shown
from preheat.core.spans import Run
from preheat.plots.panel import shortened
from preheat.studio.catalogue import catalogue
from preheat.studio.document import document_from
from preheat.studio.drawing import MOST_POINTS
from preheat.studio.service import answer
from preheat.studio.starting import given, started

_SCRIPT = re.compile(r'<script[^>]* src="(?P<name>[\w.]+)"[^>]*></script>')
_STYLE = re.compile(r'<link[^>]* rel="stylesheet"[^>]* href="(?P<name>[\w.]+)"[^>]*>')
_TITLE = re.compile(r"<title>[^<]*</title>")


def export(
    schedules: Any,
    path: str | Path,
    *,
    run: Run | None = None,
    peak: float | None = None,
    names: Sequence[str] = (),
) -> Path:
    """Write schedules as one page that anyone opens in a browser, without preheat and without a network; returns its path.

    On it they are seen, compared, zoomed and copied in every form; nothing can be edited.

    schedules: one, or several in a list: whatever `parse` takes, presets' names, paths of configs, checkpoints and folders of
    comparisons.   run: what is known of the run.   peak: the rate at the peak, where they are factors.
    names: what they are called, one for each.

    Raises PreheatError for what cannot be read or drawn, and where the file cannot be written.
    """
    if isinstance(schedules, list | tuple) and not schedules:
        raise PreheatError("a page has at least one schedule", given=schedules, write="write export('decay()', path)")
    target = _file(path)
    return written(page(started(given(schedules, run, peak, names), run)), target)


def _file(path: object) -> Path:
    """A path that a file can have."""
    if not isinstance(path, str | PathLike) or not str(path) or "\0" in str(path) or isinstance(fspath(path), bytes):
        raise PreheatError("the page's path is the name of a file", given=path, write="write for example 'page.html'")
    return Path(path)


def written(text: str, path: str | Path) -> Path:
    """Write the page to its file."""
    file = _file(path)
    try:
        file.write_text(encodable(text, "the page"), encoding="utf-8")
    except OSError as error:
        raise PreheatError(f"cannot write {shown(str(path), 200)}: {error.strerror}") from None
    except UnicodeEncodeError:
        raise PreheatError(f"no file can be called {shown(str(path), 200)}") from None
    return file


def page(start: Mapping[str, Any]) -> str:
    """The page of a document with all its answers in it. It may do nothing but run its own script and style."""
    answers = _answers(start["document"], start["opened"]["runs"])
    folder = files("preheat.studio") / "page"
    text = (folder / "index.html").read_text(encoding="utf-8")
    script, style = (_inside(text, kind, folder) for kind in (_SCRIPT, _STYLE))
    rules = (
        f"default-src 'none'; script-src {_hashed(script)}; style-src {_hashed(style)}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    names = ", ".join(one["name"] or " ".join(one["text"].split()) for one in start["document"]["schedules"])
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{rules}">\n<title>{escape(shortened(names, 80))}</title>'
    )
    data = json.dumps(answers, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    held = f'<script type="application/json" id="answers">{data}</script>'
    text = _TITLE.sub(lambda _: head, text, count=1)
    text = _STYLE.sub(lambda _: f"<style>{style}</style>", text, count=1)
    return _SCRIPT.sub(lambda _: f'{held}\n<script type="module">{script}</script>', text, count=1)


def _answers(document: dict[str, Any], runs: list[Any]) -> dict[str, Any]:
    """What the page would ask, asked beforehand; `studio/src/transport.ts` reads it."""
    drawn = _drawn(document)
    places = range(len(document["schedules"]))
    known = catalogue()
    return {
        "document": document,
        "drawn": drawn,
        "reviewed": [answer("review", {"document": document, "schedule": place}) for place in places],
        "copied": [
            [answer("copy", {"document": document, "schedule": place, "form": form["id"]}) for form in known["forms"]]
            for place in places
        ],
        "catalogue": {"forms": known["forms"], "words": [], "recipes": [], "presets": [], "peers": []},
        "runs": runs,
        "picture": answer("picture", {"document": document}),
    }


def _drawn(document: dict[str, Any]) -> dict[str, Any]:
    """The curves by the line of the plans that is shown; raises PreheatError where one cannot be drawn."""
    read = document_from(document)
    for place in range(len(read.schedules)):
        read.line_of(read.subject(place))

    several = len(read.schedules) > 1  # then the page can show their difference

    def of(line: str) -> dict[str, Any]:
        return answer("draw", {"document": {**document, "line": line, "difference": several}, "points": MOST_POINTS})

    first = of("")
    curves = [curve for curve in first["curves"] if "error" not in curve]
    shown, *others = dict.fromkeys((curves[0]["line"], *(line for curve in curves for line in curve["lines"])))
    return {shown: first, **{line: of(line) for line in others}}


def _inside(text: str, kind: re.Pattern[str], folder: Any) -> str:
    """The file that an element of the page names, as it stands inside the page; nothing in it may end the element."""
    found = kind.search(text)
    assert found is not None, f"the page has no {kind.pattern}"
    content = (folder / found["name"]).read_text(encoding="utf-8")
    return re.sub(r"</(?=script|style)", r"<\\/", content, flags=re.IGNORECASE).replace("<!--", r"<\!--")


def _hashed(content: str) -> str:
    """What allows exactly this script, or this style."""
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
