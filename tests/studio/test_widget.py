"""The studio in a notebook: what stands on the page is what Python holds, whichever of them changes it."""

import json
import re
from pathlib import Path

import pytest

import preheat as ph

pytest.importorskip("anywidget", reason="needs the Python package anywidget")

from preheat.widget import Studio

TEXT = "warmup(5%) >>  decay(shape=cosine)"
RUN = ph.Run(total=10_000, tokens_per_step=4_194_304)


@pytest.fixture
def studio() -> Studio:
    return Studio(TEXT, run=RUN, peak=3e-4)


@pytest.fixture
def told(studio):
    """What an observer was told of each trait, in order."""
    found = []
    studio.observe(lambda change: found.append((change["name"], change["new"])), ["value", "text", "run", "peak"])
    return found


def on_the_page(studio, **changes):
    """As when the page sends a document."""
    studio.set_state({"document": json.loads(json.dumps({**studio.document, **changes}))})


def written(text, **more):
    return {"name": "", "text": text, "peak": "", "run": None, **more}


def test_it_holds_what_it_was_given_and_the_page_shows_it_as_typed(studio):
    assert studio.value == ph.parse(TEXT)
    assert (studio.text, studio.run, studio.peak, studio.problem) == (TEXT, RUN, 3e-4, "")
    (shown,) = studio.document["schedules"]
    assert shown["text"] == TEXT
    json.dumps(studio.get_state()["document"])


@pytest.mark.parametrize(
    "schedule",
    [
        ph.warmup(10) >> ph.decay(),
        ph.absolute(ph.ramp(0.0, 3e-4, 10)),
        ph.Plan({"lr": ph.warmup(10) >> ph.decay(), "weight_decay": ph.absolute(ph.hold(0.1))}),
        {"lr": "warmup(10) >> decay()"},
    ],
)
def test_it_takes_what_parse_takes(schedule):
    assert Studio(schedule).value == ph.parse(schedule)


@pytest.mark.parametrize(
    "run", [ph.Run(), ph.Run(total="3 epochs", steps_per_epoch=0.1), ph.Run(total=7, clock="token")]
)
def test_a_run_comes_back_as_it_was(run):
    assert Studio(TEXT, run=run).run == run


def test_what_is_dragged_on_the_page_is_told_once_when_all_of_it_is_there(studio, told):
    seen = []
    studio.observe(lambda _: seen.append((studio.value, studio.text)), "text")
    on_the_page(studio, schedules=[written("warmup(7%) >> decay()")])
    value = ph.parse("warmup(7%) >> decay()")
    assert sorted(told, key=lambda one: one[0]) == [("text", "warmup(7%) >> decay()"), ("value", value)]
    assert seen == [(value, "warmup(7%) >> decay()")]


def test_of_text_that_cannot_be_read_there_is_no_value_and_it_is_said_why(studio):
    on_the_page(studio, schedules=[written("warmup(7%) >> decai()")])
    assert studio.value is None
    assert "decay" in studio.problem
    on_the_page(studio, schedules=[written("warmup(7%) >> decay()")])
    assert studio.value == ph.parse("warmup(7%) >> decay()")
    assert studio.problem == ""


@pytest.mark.parametrize(("field", "value"), [("run", {"total": "many"}), ("peak", "high")])
def test_of_a_field_that_cannot_be_read_there_is_no_value_either(studio, field, value):
    on_the_page(studio, **{field: value})
    assert studio.value is None
    assert getattr(studio, field) is None
    assert next(iter(value.values() if isinstance(value, dict) else [value])) in studio.problem


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("value", ph.warmup(3) >> ph.hold()),
        ("text", "warmup(3)  >> hold()"),
        ("run", ph.Run(total=5)),
        ("peak", 1e-3),
        ("peak", None),
    ],
)
def test_what_is_set_in_python_stands_on_the_page(studio, name, new):
    setattr(studio, name, new)
    assert getattr(studio, name) == new
    again = Studio(TEXT)
    again.document = studio.document
    assert [getattr(again, one) for one in ("value", "text", "run", "peak")] == [
        getattr(studio, one) for one in ("value", "text", "run", "peak")
    ]
    assert studio.problem == ""


def test_the_value_is_of_the_schedule_that_is_chosen_and_so_is_what_is_set(studio):
    own = {"total": "50", "clock": "step"}
    on_the_page(studio, schedules=[written(TEXT), written("hold()", peak="1e-2", run=own)], chosen=1)
    assert (studio.value, studio.run, studio.peak) == (ph.hold(), ph.Run(total=50), 0.01)
    studio.peak, studio.run = 0.02, ph.Run(total=60)
    first, second = studio.document["schedules"]
    assert (first["text"], first["peak"], first["run"]) == (TEXT, "", None)
    assert (second["peak"], second["run"]["total"]) == ("0.02", "60")
    assert (studio.document["peak"], studio.document["run"]["total"]) == ("3e-4", "10000")


def test_the_name_of_what_was_opened_goes_when_another_text_is_set(studio):
    on_the_page(studio, schedules=[written("decay()", given=True) | {"name": "llama2_7b"}])
    studio.text = "hold()"
    assert [(one["name"], one["given"]) for one in studio.document["schedules"]] == [("", False)]


def test_an_observer_may_set_something_else(studio):
    studio.observe(lambda _: setattr(studio, "peak", 1e-3), "text")
    on_the_page(studio, schedules=[written("hold()")])
    assert (studio.value, studio.peak, studio.document["peak"]) == (ph.hold(), 1e-3, "0.001")


@pytest.mark.parametrize(
    ("name", "wrong"), [("value", "decai()"), ("value", None), ("text", "x"), ("run", 3), ("peak", -1)]
)
def test_what_is_no_schedule_run_or_rate_is_refused_and_changes_nothing(studio, told, name, wrong):
    before = dict(studio.document)
    with pytest.raises(ph.PreheatError):
        setattr(studio, name, wrong)
    assert (studio.document, told) == (before, [])
    assert studio.value == ph.parse(TEXT)


def test_a_studio_of_no_schedule_is_refused():
    with pytest.raises(ph.PreheatError, match="decay"):
        Studio("decai()")
    with pytest.raises(ph.PreheatError, match="write run="):
        Studio(TEXT, run=100)


def test_a_question_is_answered_under_its_number(studio, monkeypatch):
    said = []
    monkeypatch.setattr(studio, "send", said.append)
    given = {"document": studio.document, "points": 50}
    studio._handle_custom_msg({"id": "a 1", "question": "draw", "given": given}, [])
    studio._handle_custom_msg({"id": "a 2", "question": "drew", "given": {}}, [])
    first, second = said
    assert (first["id"], second["id"]) == ("a 1", "a 2")
    assert first["answer"]["curves"][0]["values"][0] == 0
    assert "draw" in second["answer"]["error"]["message"]


def test_what_fails_in_python_is_said_on_the_page_and_in_the_log(studio, monkeypatch):
    said = []
    monkeypatch.setattr(studio, "send", said.append)
    with pytest.raises(TypeError):
        studio._asked(studio, {"id": "a 1", "question": [], "given": {}}, [])
    (message,) = said
    assert message["id"] == "a 1"
    assert "TypeError" in message["failed"]


def test_the_example_of_the_page_runs_and_trains():
    torch = pytest.importorskip("torch")
    page = (Path(__file__).parents[2] / "docs" / "studio.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?preheat\.widget.*?)```", page.partition("## In a notebook")[2], re.DOTALL)
    (training,) = re.findall(r"`(Scheduler\(.*?\))`", page)
    names = {"optimizer": torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)}
    exec(f"from preheat.torch import Scheduler\n{example}\nscheduler = {training}", names)
    names["optimizer"].step()
    names["scheduler"].step()
    assert names["scheduler"].get_last_lr() == [3e-4 / 500]


@pytest.mark.parametrize("given", ["llama2_7b", ph.presets["llama2_7b"]], ids=["name", "value"])
def test_a_preset_has_its_total_and_its_peak(given):
    preset = ph.presets["llama2_7b"]
    studio = Studio(given)
    assert (studio.value, studio.run, studio.peak) == (preset.schedule, preset.run(), preset.peak_lr)
    other = Studio(given, run=ph.Run(total=5000), peak=1e-3)
    assert (other.run, other.peak) == (ph.Run(total=5000), 1e-3)


def test_a_peak_stays_where_the_schedule_is_rates():
    assert Studio("absolute(hold(0.1))", peak=0.5).peak == 0.5


@pytest.mark.parametrize(
    ("name", "new"),
    [
        *(("peak", one) for one in (10**400, "3e-4", True, 0, -1.0, float("nan"), [1], ph.Run())),
        *(("text", one) for one in (None, 5, "warmpu(5)", b"decay()")),
        *(("value", one) for one in (None, 5, "warmpu(5)")),
        *(("run", one) for one in (3, "10k", {})),
    ],
)
def test_what_cannot_be_set_is_refused_in_words_and_changes_nothing(name, new):
    studio = Studio("decay()", run=ph.Run(total=10), peak=1.0)
    before = dict(studio.document)
    with pytest.raises(ph.PreheatError):
        setattr(studio, name, new)
    assert (studio.text, studio.run, studio.peak, studio.problem) == ("decay()", ph.Run(total=10), 1.0, "")
    assert studio.document == before


def test_no_trait_is_one_that_jupyters_own_views_read() -> None:
    """JupyterLab makes a view of whatever is called style or layout: it complained in the browser's console of a text."""
    assert not {"layout", "style", "tabbable", "tooltip"} & set(Studio.class_own_traits())
