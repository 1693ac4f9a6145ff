"""A drag is an edit of the text: it is where it was asked for, and all else is as it was typed."""

import itertools
import json
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from preheat.studio.document import document_from
from preheat.studio.service import answer
from preheat.studio.shown import shown

TOTAL = 10_000
RUN = {"total": str(TOTAL), "clock": "step", "steps_per_epoch": "500", "tokens_per_step": "1000"}


def document(text, peak="", own="", run=RUN, **more):
    written = {"name": "", "text": text, "peak": own, "run": None}
    return {"schedules": [written], "run": run, "peak": peak, "line": "", "chosen": 0, "axis": "", "view": None} | more


def drag(held, handle, at=None, value=None, **more):
    asked = {"document": held, "points": 100, "schedule": 0, "handle": handle, "at": at, "value": value}
    return answer("edit", asked | {"ticks_per_pixel": 1} | more)


def text_of(answered):
    assert "error" not in answered, answered
    assert "error" not in answered["drawn"]["curves"][0], answered["drawn"]["curves"][0]
    return answered["document"]["schedules"][0]["text"]


def handles(held):
    curve = answer("draw", {"document": held, "points": 10})["curves"][0]
    assert "error" not in curve, curve
    return {handle["id"]: handle for handle in curve["handles"]}


def parts(held):
    return shown(document_from(held), 0).parts


LENGTHS = [
    # what is dragged to where, and what then stands in the text
    (
        "warmup( 5% )  >> hold() >> decay(20%, shape=cosine)",
        0,
        750,
        "warmup( 7.5% )  >> hold() >> decay(20%, shape=cosine)",
    ),
    ("warmup(5%) >> hold() >> decay(20%, shape=cosine)", 1, 7500, "warmup(5%) >> hold() >> decay(25%, shape=cosine)"),
    ("warmup(500) >> decay(1_000)", 0, 700, "warmup(700) >> decay(800)"),
    ("warmup(500) >> decay(1_000)", 1, 2500, "warmup(500) >> decay(2_000)"),
    ("warmup('1 epoch')>>decay()", 0, 750, "warmup('1.5 epochs')>>decay()"),
    ("warmup(500k tokens) >> decay()", 0, 750, "warmup(750k tokens) >> decay()"),
    ("hold(20%) >> decay()", 0, 1000, "hold(10%) >> decay()"),
    ("steps([1, .5, .1], [30%,30%, rest])", 0, 4000, "steps([1, .5, .1], [40%,20%, rest])"),
    ("absolute((warmup(10) >> decay(90)).scaled(3e-4))", 0, 30, "absolute((warmup(30) >> decay(70)).scaled(3e-4))"),
    ("(warmup(10) >> decay(90)).repeated(3)", 0, 30, "(warmup(30) >> decay(70)).repeated(3)"),
    ("(warmup(10) >> decay(90)).shifted(100)", 0, 130, "(warmup(30) >> decay(70)).shifted(100)"),
    ("cosine(10_000, warmup_ratio=0.05)", 0, 700, "cosine(10_000, warmup_ratio=0.07)"),
    ("wsd(warmup_steps=500)", 1, 7000, "wsd(warmup_steps=500, decay_ratio=0.3)"),
    ("wsd(10_000, warmup_steps=500, decay_steps=2000)", 1, 7000, "wsd(10_000, warmup_steps=500, decay_steps=3000)"),
    ("one_cycle()", 0, 2000, "one_cycle(pct_start=0.2)"),
    ("warmup(5%) >> decay()", 0, 12_000, "warmup(100%) >> decay()"),
    ("warmup(5%) >> decay()", 0, -5, "warmup(0%) >> decay()"),
    ("decay(10) >> table([1, 2, 3])", 0, 5, "decay(5) >> table([1, 2, 3])"),
    ("warmup(2 epochs) >> decay()", 0, 500, "warmup(1 epoch) >> decay()"),
    ("noam(512)", 0, 3000, "absolute((ramp(0.0, 1.0, 3000) >> invsqrt(4000, 'rest')).scaled(0.0006987712429686843))"),
]


@pytest.mark.parametrize(("text", "index", "at", "expected"), LENGTHS)
def test_an_edge_that_is_moved_stands_in_the_text(text, index, at, expected):
    found = drag(document(text), f"end:{index}", at)
    assert text_of(found) == expected
    assert bool(found["says"]) == ("noam" in text)


@pytest.mark.parametrize(
    ("text", "handle", "at", "expected"),
    [
        ("(warmup(500) >> decay(1000)).repeated(5)", "end:0", -100, "(warmup(0) >> decay(1500)).repeated(5)"),
        ("(warmup(0) >> decay(1500)).repeated(5)", "end:0", 300, "(warmup(300) >> decay(1200)).repeated(5)"),
        (
            "(warmup(1%) >> hold(1, 0) >> decay(9%)).repeated(5)",
            "end:1",
            200,
            "(warmup(1%) >> hold(1, 100) >> decay(8%)).repeated(5)",
        ),
        ("(warmup(500) >> decay(1000)).repeated(5)", "end:1", 20_000, "(warmup(500) >> decay(1500)).repeated(5)"),
        ("(warmup(500) >> decay()).repeated(4)", "end:0", 9_000, "(warmup(2500) >> decay()).repeated(4)"),
        ("(warmup(500) >> decay()).repeated(4)", "end:0", -9, "(warmup(0) >> decay()).repeated(4)"),
    ],
)
def test_in_what_is_repeated_an_edge_goes_as_far_as_it_can(text, handle, at, expected):
    assert text_of(drag(document(text), handle, at, ticks_per_pixel=9.3)) == expected


HEIGHTS = [
    ("warmup(5%) >> decay(20%, shape=cosine)", "end:1", 0.1, "warmup(5%) >> decay(20%, shape=cosine, to=0.1)"),
    ("warmup(5%) >> decay()", "end:1", 0.1, "warmup(5%) >> decay(to=0.1)"),
    ("warmup(5%, 0.5) >> decay()", "start:0", 0.2, "warmup(5%, 0.2) >> decay()"),
    ("absolute(ramp(0,2,5%)>>hold(2)>>ramp(2,0,1%))", "end:0", 3, "absolute(ramp(0,3,5%)>>hold(3)>>ramp(3,0,1%))"),
    ("absolute(ramp(0,2,5%)>>hold(2)>>ramp(2,0,1%))", "end:1", 3, "absolute(ramp(0,3,5%)>>hold(3)>>ramp(3,0,1%))"),
    ("steps([1, .5, .1], [30%,30%, rest])", "start:1", 0.8, "steps([1, 0.8, .1], [30%,30%, rest])"),
    ("absolute(warmup(5%) >> decay()).scaled(3e-4)", "end:0", 2e-4, "absolute(warmup(5%) >> decay()).scaled(0.0002)"),
    ("cosine(warmup_ratio=0.05, peak_lr=3e-4)", "end:0", 2e-4, "cosine(warmup_ratio=0.05, peak_lr=0.0002)"),
    ("cosine(warmup_ratio=0.05, peak_lr=3e-4)", "end:1", 1e-5, "cosine(warmup_ratio=0.05, peak_lr=3e-4, min_lr=1e-05)"),
    ("cosine()", "end:0", 0.3, "cosine(min_lr_ratio=0.3)"),
    ("relative(hold(20%) >> ramp(1, 0, rest))", "start:0", 0.5, "relative(hold(0.5, 20%) >> ramp(0.5, 0, rest))"),
    ("relative(hold(20%) >> decay(to=.2))", "start:0", 0.5, "relative(hold(0.5, 20%) >> ramp(0.5, 0.2, 'rest'))"),
    ("absolute(ramp(1, 3, rest, exponential))", "start:0", 0, "absolute(ramp(3e-06, 3, rest, exponential))"),
    ("warmup(5%) >> decay()", "end:1", -7, "warmup(5%) >> decay()"),
    ("warmup(5%) >> decay()", "end:1", 7, "warmup(5%) >> decay(to=1)"),
]


@pytest.mark.parametrize(("text", "handle", "value", "expected"), HEIGHTS)
def test_a_height_that_is_changed_stands_in_the_text(text, handle, value, expected):
    assert text_of(drag(document(text), handle, value=value)) == expected


def test_the_top_of_factors_is_the_peak_that_was_filled_in():
    text = "warmup(5%) >> hold() >> decay(20%, to=0.1)"
    assert not handles(document(text))["end:0"]["height"]
    found = drag(document(text, peak="3e-4"), "end:0", value=6e-4)["document"]
    assert (found["peak"], found["schedules"][0]["text"]) == ("0.0006", text)
    found = drag(document(text, peak="1", own="3e-4"), "end:1", value=6e-4)["document"]
    assert (found["peak"], found["schedules"][0]["peak"], found["schedules"][0]["text"]) == ("1", "0.0006", text)
    assert text_of(drag(document(text, own="3e-4"), "end:2", value=6e-5)) == text.replace("to=0.1", "to=0.2")


def test_of_a_plan_only_the_string_of_the_line_that_is_shown_changes():
    text = '{ "lr": "warmup(\\"5%\\") >> decay()",\n  "w\\u00e9/b" : "absolute(ramp(0, .1, 2000) >> hold(.1))" }'
    assert text_of(drag(document(text), "end:0", 1000)) == text.replace("5%", "10%")
    held = document(text, line="wé/b")
    assert text_of(drag(held, "end:0", 3000, 0.2)) == text.replace("2000", "3000").replace(".1", "0.2")


def test_at_and_value_move_together_and_what_is_not_edited_is_kept():
    held = document("absolute(ramp(0, 1, 10%) >> hold(1))", chosen=0, axis="epochs", own_key="kept")
    found = drag(held, "end:0", 2000, 0.5)
    assert text_of(found) == "absolute(ramp(0, 0.5, 20%) >> hold(0.5))"
    assert {**found["document"], "schedules": held["schedules"]} == held


def test_a_name_that_was_opened_goes_when_the_text_is_dragged_and_one_that_was_typed_stays():
    held = document("warmup(10) >> decay()", peak="0.1")
    for was, after in ((True, ""), (False, "mine")):
        held["schedules"][0] |= {"name": "mine", "given": was}
        (moved,) = drag(held, "end:0", at=20)["document"]["schedules"]
        assert (moved["name"], moved["given"], moved["text"]) == (after, False, "warmup(20) >> decay()")
        (raised,) = drag(held, "end:0", value=0.2)["document"]["schedules"]
        assert (raised["name"], raised["given"]) == ("mine", was)  # the peak is none of its text


def test_no_more_digits_than_a_pixel_can_mean_and_0_only_where_it_is_meant():
    held = document("warmup(5%) >> decay()")
    assert text_of(drag(held, "end:0", 777, ticks_per_pixel=1)) == "warmup(7.77%) >> decay()"
    assert text_of(drag(held, "end:0", 777, ticks_per_pixel=20)) == "warmup(7.8%) >> decay()"
    assert text_of(drag(held, "end:0", 777, ticks_per_pixel=120)) == "warmup(8%) >> decay()"
    assert text_of(drag(held, "end:0", 3, ticks_per_pixel=120)) == "warmup(0.03%) >> decay()"
    assert text_of(drag(held, "end:1", value=0.12345, value_per_pixel=0.01)) == "warmup(5%) >> decay(to=0.12)"


RECIPES = [
    "constant(5000, warmup_ratio=.1, peak_lr=1e-3, start_lr=1e-5)",
    "linear(10_000, warmup_steps='5%')",
    "cosine(warmup_steps=2 epochs, min_lr_ratio=.1, start_ratio=.1)",
    "cosine(8000, warmup_ratio=.1, peak_lr=3e-4, min_lr_ratio=.1)",
    "exponential_decay(warmup_steps=400)",
    "wsd(9000, warmup_ratio=.01, decay_ratio=.3, peak_lr=1, min_lr=.1)",
    "noam(512)",
    "inverse_sqrt(warmup_steps=100, timescale=50)",
    "untuned_linear()",
    "multistep([3000, 6000])",
    "one_cycle(10_000, pct_start=.4)",
    "restarts(1000, cycles=3, warmup_steps=100)",
    "warmup(5%) >> wsd(5000)",
    "warmup(5%) >> cosine(min_lr_ratio=.1).scaled(.5)",
    "(wsd()).scaled(.5)",
    "absolute(cosine(warmup_ratio=.1)).scaled(3e-4)",
    "cosine(5000, warmup_ratio=.1) >> constant(3000, warmup_ratio=.1)",
]


@pytest.mark.parametrize("text", RECIPES)
def test_every_handle_of_a_recipe_goes_where_it_is_dragged(text):
    held = document(text)
    for handle in handles(held).values():
        index = int(handle["id"].partition(":")[2])
        part = parts(held)[index]
        if handle["time"]:
            at = round((part.start + part.end) / 2)
            assert abs(parts(drag(held, handle["id"], at)["document"])[index].end - at) <= 1
        if handle["height"]:
            high = max(part.last for part in parts(held))
            value = handle["value"] * 0.8 or high * 0.1
            found = drag(held, handle["id"], value=value, value_per_pixel=high / 1000)["document"]
            assert handles(found)[handle["id"]]["value"] == pytest.approx(value, abs=high / 1000)


@pytest.mark.parametrize(
    "text", ["hold() * decay()", "table([1, 2])", '{"kind": "hold", "value": 1, "span": 5}', "absolute('hold(1)')"]
)
def test_what_no_argument_says_has_no_handle(text):
    assert not any(handle["time"] for handle in handles(document(text)).values())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("warmup(500) * decay()", "*"),
        ("lower(warmup(500), decay())", "lower"),
        ("(warmup(500) >> decay()).stepwise(100)", "stepwise"),
        (" >> ".join(["hold(1, 10)"] * 201), "more than 200"),
        ('{"lr": {"kind": "hold", "value": 1, "span": 5}}', "as data"),
        ("warmup(500) >> lower(hold(), decay())", ""),
        ("noam(512)", ""),
    ],
)
def test_of_what_has_no_handle_it_is_said_why(text, why):
    (curve,) = answer("draw", {"document": document(text), "points": 10})["curves"]
    assert (curve["fixed"] == "") == (curve["handles"] != []) == (why == "")
    assert why in curve["fixed"]


def test_the_last_part_ends_where_the_run_does_if_one_before_takes_what_is_left():
    found = handles(document("hold() * decay() >> hold(1, 10)"))
    assert found["end:0"]["time"]
    assert "end:1" not in found or not found["end:1"]["time"]
    assert (
        text_of(drag(document("hold() * decay() >> hold(0.5, 10)"), "end:0", 9980))
        == "hold() * decay() >> hold(0.5, 20)"
    )


def test_the_end_of_what_never_ends_stays_where_it_is():
    held = document("invsqrt(4)", run={"total": ""})
    found = drag(held, "end:0", 500)
    assert found["document"] == held
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("handle", ["end:9", "middle:0", "", None, 7, "end:²", "end:-1"])
def test_a_handle_that_is_not_there_is_refused(handle):
    error = drag(document("warmup(5%) >> decay()"), handle, 3)["error"]
    assert error["field"] == "handle"


# -- laws ---------------------------------------------------------------------------------------------------------------

some = settings(max_examples=max(50, settings().max_examples // 8))  # an example is a dozen drawings

values = st.sampled_from([0, 1, 0.5, 0.25, 2, 3e-4, 1e-05])
shares = st.integers(1, 120).map(lambda k: f"{k / 10:g}%")
counts = st.integers(1, 1200).map(str)
epochs = st.integers(1, 24).map(lambda k: f"{k / 10:g} epochs" if k != 10 else "1 epoch")
tokens = st.integers(1, 120).map(lambda k: f"{k}0k tokens")
lengths = st.one_of(shares, counts, epochs, tokens, shares.map(repr))


@st.composite
def part(draw, length=lengths):
    a, b, n = draw(values), draw(values), draw(length)
    space = draw(st.sampled_from(["", " ", "  "]))
    return draw(
        st.sampled_from(
            [
                f"ramp({a},{space}{b}, {n}{space})",
                f"ramp({a}, {b}, shape=cosine, span={n})",
                f"hold({a},{space}{n})",
                f"hold(span={n},{space}value={b})",
                f"steps([{a},{space}{b}], [{n}, 2%])",
                f"steps([{b}, {a}], [3%, {n}])",
            ]
        )
    )


@st.composite
def schedules(draw):
    texts = draw(st.lists(part(), min_size=1, max_size=4))
    if draw(st.booleans()):
        texts.insert(
            draw(st.integers(0, len(texts))),
            draw(st.sampled_from(["hold(1)", "ramp(1, 0, rest)", "decay(shape=sqrt)"])),
        )
    joined = draw(st.sampled_from([" >> ", ">>", "\n  >> "])).join(texts)
    return f"absolute({joined})"


drags = st.tuples(st.integers(0, 9), st.floats(-0.2, 1.2), st.sampled_from([1, 7, 40]))


def skeleton(text):
    """A text without its amounts."""
    return re.sub(r"(?<![a-z_])(rest|[0-9.][0-9._]*(e-?[0-9]+)?)", "#", text.replace("epochs", "epoch"))


@some
@given(text=schedules(), drawn=drags)
def test_law_one_edge_moves_to_where_it_was_asked_for_and_nothing_else(text, drawn):
    held, (which, share, pixel) = document(text), drawn
    movable = [handle for handle in handles(held).values() if handle["time"]]
    assume(movable)
    handle = movable[which % len(movable)]
    index, at, before = int(handle["id"].partition(":")[2]), share * TOTAL, parts(held)
    found = drag(held, handle["id"], at, ticks_per_pixel=pixel)
    new, after = text_of(found), parts(found["document"])
    edges, moved = [part.end for part in before], [part.end for part in after]
    low, high = before[index].start, edges[index + 1] if index + 1 < len(edges) else TOTAL
    assert abs(moved[index] - min(max(at, low), high)) <= pixel + 1
    assert all(abs(a - b) <= 1 for k, (a, b) in enumerate(zip(edges, moved, strict=True)) if k != index)
    assert [(p.first, p.last) for p in after] == [(p.first, p.last) for p in before]
    assert skeleton(new) == skeleton(text)
    assert not found["says"]
    back = drag(found["document"], handle["id"], handle["at"])
    assert all(abs(a - part.end) <= 1 for a, part in zip(edges, parts(back["document"]), strict=True))


@some
@given(
    text=st.one_of(schedules(), st.sampled_from([row[0] for row in LENGTHS])),
    repeated=st.sampled_from(["", ".repeated(2)", ".repeated()"]),
    which=st.integers(0, 9),
    places=st.lists(st.floats(-0.2, 2.5), min_size=6, max_size=6),
    pixel=st.sampled_from([1, 9.3, 40]),
)
def test_law_an_edge_never_turns_back_while_the_pointer_goes_on(text, repeated, which, places, pixel):
    held = document(f"({text}){repeated}" if repeated else text)
    curve = answer("draw", {"document": held, "points": 10})["curves"][0]
    movable = [handle for handle in curve.get("handles", ()) if handle["time"]]
    assume(movable)
    handle = movable[which % len(movable)]
    index = int(handle["id"].partition(":")[2])
    found = [drag(held, handle["id"], share * TOTAL, ticks_per_pixel=pixel) for share in sorted(places)]
    ends = [parts(one["document"])[index].end for one in found]
    assert all(a <= b for a, b in itertools.pairwise(ends)), [text_of(one) for one in found]


@some
@given(text=schedules(), which=st.integers(0, 9), value=st.floats(0, 3), high=st.sampled_from([0.001, 0.03]))
def test_law_a_height_changes_where_parts_meet_and_no_edge_moves(text, which, value, high):
    held = document(text)
    liftable = [handle for handle in handles(held).values() if handle["height"]]
    assume(liftable)
    handle = liftable[which % len(liftable)]
    found = drag(held, handle["id"], value=value, value_per_pixel=high)
    text_of(found)
    before, after = parts(held), parts(found["document"])
    assert [(p.start, p.end) for p in after] == [(p.start, p.end) for p in before]
    now = next(one["value"] for one in found["drawn"]["curves"][0]["handles"] if one["id"] == handle["id"])
    assert abs(now - value) <= high
    for old, new in zip(before, after, strict=True):
        for a, b in ((old.first, new.first), (old.last, new.last)):
            assert b == a or (b == now and a == handle["value"])
    new = re.sub(r"(decay.shape=sqrt), to=[0-9.e-]+", r"\1", text_of(found))  # what was not said is put in
    assert found["says"] or skeleton(new) == skeleton(text)


@some
@given(text=schedules(), peak=st.sampled_from(["", "3e-4"]))
def test_law_a_handle_that_is_dragged_to_where_it_is_changes_nothing(text, peak):
    for stated in (text, f"relative{text.removeprefix('absolute')}"):
        held = document(stated, peak=peak)
        for handle in list(handles(held).values())[:3]:
            found = drag(held, handle["id"], handle["at"], handle["value"], ticks_per_pixel=50, value_per_pixel=0.1)
            assert found["document"] == held


@some
@given(
    text=st.one_of(schedules(), st.sampled_from([row[0] for row in (*LENGTHS, *HEIGHTS)])),
    which=st.integers(0, 9),
    at=st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    value=st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    total=st.sampled_from(["10_000", "", "7"]),
)
def test_law_no_drag_is_refused_or_leaves_what_does_not_fit(text, which, at, value, total):
    held = document(text, run=RUN | {"total": total})
    curve = answer("draw", {"document": held, "points": 10})["curves"][0]
    assume("error" not in curve and curve["handles"])
    handle = curve["handles"][which % len(curve["handles"])]
    found = drag(held, handle["id"], at, value)
    text_of(found)
    json.dumps(found, allow_nan=False)
