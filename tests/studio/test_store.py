"""What the page holds, with a Python that answers when it is told to: steps back, late answers, drags, questions in turn."""

import json
from typing import Any

import pytest
from node import evaluator, needed

pytestmark = needed

RUN = dict.fromkeys(("total", "steps_per_epoch", "samples_per_step", "tokens_per_step", "seconds_per_step"), "")
DOCUMENT = {
    "schedules": [{"name": "", "text": "hold()", "peak": "", "run": None}],
    "run": {**RUN, "clock": "step", "total": "100"},
    "peak": "",
    "line": "",
    "chosen": 0,
    "axis": "updates",
    "log": False,
    "difference": False,
    "view": None,
}

# Questions wait in `asked` until `answer(question)` answers the oldest of its kind: a curve that carries the text it is of.
PYTHON = """
const asked = [];
const tick = () => new Promise((done) => setTimeout(done, 0));
const drawn = (document) => ({
  curves: document.schedules.map(({text}) =>
    text === "wrong" ? {error: {message: text, field: "text"}} : {canonical: text, clock: "step"}),
  differences: [], axes: [], total: 100,
});
const transport = (question, given) => new Promise((done, failed) => asked.push({question, given, done, failed}));
const take = (question) => asked.splice(asked.findIndex((one) => one.question === question), 1)[0];
const answers = {
  draw: ({document}) => drawn(document),
  edit: (given) => {
    const document = {...given.document, schedules: [{...given.document.schedules[0], text: `hold(${given.at})`}]};
    return {document, drawn: drawn(document)};
  },
  review: (given) => ({findings: [], sentences: [given.document.schedules[0].text], rows: []}),
};
const answer = async (question) => {
  await tick();
  const one = take(question);
  one.done(answers[question](one.given));
  await tick();
};
const waiting = (question) => asked.filter((one) => one.question === question).length;
const all = async (question) => { await tick(); while (waiting(question)) await answer(question); };
const store = new page.Store(transport, "http", DOCUMENT);
const texts = () => store.document.value.schedules.map(({text}) => text);
const shown = () => store.drawn.value?.curves.map((curve) => curve?.canonical ?? null);
const move = (drag, at) => drag.move({at, value: null, ticks_per_pixel: 1, value_per_pixel: 1});
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a story over a fresh store gives."""
    evaluated = evaluator(tmp_path_factory.mktemp("store"), "store")
    python = PYTHON.replace("DOCUMENT", json.dumps(DOCUMENT))
    return lambda story: evaluated(f"(async () => {{ {python} {story} }})()")


def test_a_burst_of_typing_is_one_step(told: Any) -> None:
    found = told("""
        for (const text of ["h", "ho", "hol"]) store.write(0, {text}, "text 0");
        store.write(0, {name: "x"}, "name 0");
        const typed = texts();
        store.undo(); store.undo();
        const back = [texts(), store.canUndo.value];
        store.redo();
        return [typed, back, texts(), store.canRedo.value];
    """)
    assert found == [["hol"], [["hold()"], False], ["hol"], True]


def test_what_is_looked_at_is_no_step(told: Any) -> None:
    found = told(
        "store.look({view: [1, 2]}); store.write(0, {text: 'x'}); store.undo(); return store.document.value.view"
    )
    assert found == [1, 2]
    assert told("store.look({log: true}); return store.canUndo.value") is False


def test_one_drawing_is_asked_for_at_a_time_and_then_the_latest(told: Any) -> None:
    found = told("""
        store.draw();
        for (const text of ["a", "b", "c"]) store.write(0, {text}, "text 0");
        await tick();
        const first = waiting("draw");
        await answer("draw");
        const next = asked.map(({given}) => given.document.schedules[0].text);
        await answer("draw");
        return [first, next, shown(), waiting("draw")];
    """)
    assert found == [1, ["c"], ["c"], 0]


def test_an_answer_to_what_is_no_more_is_dropped(told: Any) -> None:
    found = told("""
        store.draw(); await answer("draw");
        store.write(0, {text: "old"}); store.duplicate(0); store.write(1, {text: "new"});
        await answer("draw");
        const between = shown();
        await all("draw");
        return [between, shown()];
    """)
    assert found == [["hold()", None], ["old", "new"]]


def test_the_last_good_curve_stays_while_the_text_is_wrong_and_moves_with_its_schedule(told: Any) -> None:
    found = told("""
        store.draw(); await answer("draw");
        store.write(0, {text: "wrong"}); await answer("draw");
        const faint = [shown(), store.good.value.map(({canonical}) => canonical)];
        store.duplicate(0); store.write(1, {text: "two"});
        await all("draw");
        store.move(0, 1);
        return [faint, texts(), store.good.value.map((curve) => curve?.canonical)];
    """)
    assert found == [[[None], ["hold()"]], ["two", "wrong"], ["two", "hold()"]]


def test_no_last_good_curve_stays_over_an_axis_that_counts_something_else(told: Any) -> None:
    found = told("""
        store.put([{name: "", text: "two", peak: "", run: null}], false);
        await all("draw");
        store.write(1, {text: "wrong"});
        await tick();
        const one = take("draw");
        const {curves, ...rest} = drawn(one.given.document);
        one.done({...rest, curves: [{...curves[0], clock: "epoch"}, curves[1]]});
        await tick();
        return store.good.value.map((curve) => curve?.clock ?? null);
    """)
    assert found == ["epoch", None]


def test_a_drag_asks_for_its_newest_place_from_where_it_began_and_is_one_step(told: Any) -> None:
    found = told("""
        const drag = store.drag(0, "end:0");
        for (const at of [1, 2, 3]) move(drag, at);
        await tick();
        const first = asked.map(({given}) => given.at);
        await answer("edit");
        const then = asked.map(({given}) => [given.at, given.document.schedules[0].text]);
        drag.end();
        await answer("edit");
        const dragged = texts();
        store.undo();
        return [first, then, dragged, shown(), texts(), store.canUndo.value];
    """)
    assert found == [[1], [[3, "hold()"]], ["hold(3)"], ["hold(3)"], ["hold()"], False]


def test_a_drag_that_is_cancelled_was_never_there(told: Any) -> None:
    found = told("""
        store.draw(); await answer("draw");
        const drag = store.drag(0, "end:0");
        move(drag, 7); await answer("edit");
        const dragged = texts();
        move(drag, 8); drag.cancel();
        await answer("edit");
        return [dragged, texts(), shown(), store.canUndo.value, store.dragging.value];
    """)
    assert found == [["hold(7)"], ["hold()"], ["hold()"], False, False]


def test_who_types_while_an_edit_is_on_its_way_keeps_what_was_typed(told: Any) -> None:
    found = told("""
        const drag = store.drag(0, "end:0");
        move(drag, 7); drag.end();
        store.write(0, {text: "typed"});
        await answer("edit");
        return texts();
    """)
    assert found == ["typed"]


def test_of_reviews_only_the_newest_is_asked_and_after_the_first_curve(told: Any) -> None:
    found = told("""
        const got = [];
        const review = (text) => store.ask("review", {document: {schedules: [{text}]}, schedule: 0})
          .then((found) => got.push(found && found.sentences[0]));
        review("a"); await tick();
        const before = waiting("review");
        store.draw(); await answer("draw");
        const first = waiting("review");
        review("b"); review("c"); await tick();
        const still = waiting("review");
        await answer("review"); await answer("review");
        return [before, first, still, got];
    """)
    assert found == [0, 1, 1, ["a", None, "c"]]


def test_what_python_could_not_answer_is_asked_again(told: Any) -> None:
    found = told(
        """
        store.draw(); await answer("draw");
        const got = store.ask("review", {document: DOC, schedule: 0});
        await tick();
        take("review").failed(new Error("Python has ended")); await tick();
        const trouble = store.trouble.value;
        store.begin(); await tick();
        await answer("review");
        return [trouble, (await got).sentences, store.trouble.value];
    """.replace("DOC", json.dumps(DOCUMENT))
    )
    assert found == ["Python has ended", ["hold()"], ""]


def test_the_last_schedule_cannot_be_removed(told: Any) -> None:
    assert told("store.remove(0); return texts()") == ["hold()"]
    assert told("store.add(); store.remove(0); return [texts(), store.chosen.value]") == [["hold()"], 0]


def test_the_name_of_what_was_opened_goes_with_its_text_and_one_that_was_typed_stays(told: Any) -> None:
    found = told("""
        const names = () => store.document.value.schedules.map(({name}) => name);
        const opened = (name) => ({name, text: "decay()", peak: "", run: null, given: true});
        store.put([opened("llama2_7b"), opened("alpaca"), opened("gpt3")], true);
        store.write(0, {peak: "1"});
        const before = names();
        store.write(1, {name: "mine"});
        for (const schedule of [0, 1, 2]) store.write(schedule, {text: "hold()"});
        const after = [names(), store.document.value.schedules.some(({given}) => given)];
        store.undo();
        return [before, after, names()];
    """)
    assert found == [["llama2_7b", "alpaca", "gpt3"], [["", "mine", ""], False], ["", "mine", "gpt3"]]
