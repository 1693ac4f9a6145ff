"""Beside the curve stands what `check` and `explain` say, of a run of any length."""

import json
import re
import time
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

import preheat as ph
from preheat.core.findings import CODES
from preheat.review.explaining.sentences import phase_rows
from preheat.studio.service import answer


def asked(question: str, text: str, total: str, peak: str = "", **more: Any) -> dict[str, Any]:
    document = {"schedules": [{"text": text}], "run": {"total": total, **more.pop("run", {})}, "peak": peak, **more}
    found = answer(question, {"document": document, "schedule": 0})
    json.dumps(found, allow_nan=False)
    return found


def test_findings_are_those_of_check_with_what_they_mean() -> None:
    found = asked("review", "warmup(50) >> decay(500)", "2000")["findings"]
    own = ph.check("warmup(50) >> decay(500)", ph.Run(total=2000))
    assert len(own) == 1
    assert found == [one._asdict() | {"means": CODES[one.code]} for one in own]


def test_sentences_and_rows_are_those_of_explain() -> None:
    found = asked("review", "warmup(5%) >> decay(shape=cosine)", "10k", "3e-4")
    own = ph.explain("warmup(5%) >> decay(shape=cosine)", run=ph.Run(total=10_000), peak=3e-4)
    assert found["sentences"] == own.sentences
    assert found["rows"] == [list(row) for row in own.rows()]
    assert "area" in found["rows"][0]


def test_of_a_plan_the_line_that_is_shown_is_explained() -> None:
    plan = json.dumps({"lr": "warmup(5) >> decay()", "weight_decay": "absolute(ramp(0.0, 0.1, 40) >> hold(0.1))"})
    run = ph.Run(total=100)
    for line in ("lr", "weight_decay"):
        found = asked("review", plan, "100", line=line)
        own = next(one for one in ph.explain(plan, run=run).lines if one.line.key == line)
        assert found["rows"] == [list(row) for row in phase_rows(own)]


@pytest.mark.parametrize(
    ("total", "run", "says"),
    [
        ("1M", {}, "Rate × updates"),
        ("1000B", {}, "preheat explain"),
        ("9000000000000000", {}, "preheat explain"),
        ("1000B tokens", {"clock": "token"}, "tokens per step"),
        ("1000B tokens", {"clock": "token", "tokens_per_step": "4M"}, "Rate × updates"),
        ("100000 h", {"clock": "second"}, "what an update is worth"),
    ],
    ids=str,
)
def test_it_is_quick_whatever_the_run_is(total: str, run: dict[str, str], says: str) -> None:
    """A generous bound: others may be working on the machine."""
    text = "warmup(5%) >> hold(20%) >> decay(shape=cosine)"
    begin = time.perf_counter()
    found = asked("review", text, total.replace("M", "000000") if total == "1M" else total, "3e-4", run=run)
    assert time.perf_counter() - begin < 5
    assert any(says in sentence for sentence in found["sentences"]), found


def test_what_cannot_be_laid_out_is_refused_in_its_field() -> None:
    assert asked("review", "warmup(5%) >> decay()", "")["error"]["field"] in ("run", "total")
    assert asked("review", "warmpu(5%)", "10")["error"]["field"] == "text"
    document = {"schedules": [{"text": "decay()"}], "run": {"total": "10"}}
    for schedule in (1, -1, None, True, "0"):
        assert "schedule" in answer("review", {"document": document, "schedule": schedule})["error"]["message"]


def test_a_picture_shows_every_schedule_by_its_name_in_the_part_that_is_seen() -> None:
    schedules = [{"text": "decay()", "name": "a <b> & c"}, {"text": "warmup(10) >> decay()"}, {"text": "warmpu("}]
    document = {"schedules": schedules, "run": {"total": "100"}, "axis": "updates", "log": False}
    svg = answer("picture", {"document": document, "width": 600, "height": 300})["svg"]
    tree = ElementTree.fromstring(svg)
    assert tree.get("viewBox") == "0 0 600 300"
    texts = "".join(tree.itertext())
    assert "a <b> & c" in texts
    assert "warmup(10) >> decay()" in texts
    assert len(re.findall(r'class="line ', svg)) >= 2
    seen = answer("picture", {"document": document | {"view": [40, 60]}, "width": 600, "height": 300})["svg"]
    assert ">50<" in seen
    assert ">100<" not in seen
    for width in (0, 10**6):
        assert "svg" in answer("picture", {"document": document, "width": width, "height": 300})
    document["schedules"] = [{"text": "warmpu("}]
    assert "no curve" in answer("picture", {"document": document, "width": 600, "height": 300})["error"]["message"]
