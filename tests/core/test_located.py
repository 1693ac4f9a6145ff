"""Where the parts of a text stand: whatever is written, the place of a value is the text that says it."""

import copy
import pickle

import pytest
from hypothesis import given, settings
from strategies import trees

from preheat import ParseError, Run, hold, parse, warmup
from preheat.core.nodes.sequence import laid_parts
from preheat.core.sampling import edges
from preheat.core.stated import plain
from preheat.core.text.located import Place
from preheat.core.text.words import located

TEXTS = [
    "warmup(5%) >> hold() >> decay(20% , shape=cosine)",
    "absolute( (ramp(0, 1.0, 10 k steps)>>steps([1,.5],[2 epochs , rest])).scaled( 3e-4 ).shifted(3) )",
    "(decay(4) >> (hold( 3)>> decay(5))) * (hold(1)+hold(2) ) * hold(3)",
    " cosine( 10_000,warmup_ratio=0.05 ) ",
    "lower(hold(1), (warmup('5 %') >> decay()).repeated(3, shrink = .5))",
    "ramp(0,1,5,shape=compose(cosine, power(2)))",
]


def every(place: Place) -> list[Place]:
    return [place, *(inner for each in place.inside for inner in every(each))]


@pytest.mark.parametrize("text", TEXTS)
def test_a_place_is_the_text_of_its_value(text):
    found = located(text)
    assert found.value == parse(text)
    for place in every(found):
        written = text[place.start : place.stop]
        assert written == written.strip()
        assert all(place.start <= each.start and each.stop <= place.stop for each in place.inside)
        if place.word in (">>", "*", "+"):
            assert plain(parse(written)) == plain(place.value)
        elif place.word and hasattr(plain(place.value), "bind"):
            assert parse(written) == place.value
            assert place.word in written


@settings(max_examples=60)
@given(schedule=trees(depth=2))
def test_what_is_located_is_what_is_parsed(schedule):
    text = repr(schedule)
    assert located(text).value == schedule
    assert (located(text).start, located(text).stop) == (0, len(text))


def test_arguments_have_their_names_and_places():
    text = "ramp(0, end = 1.5, span=10 k steps)"
    found = [(place.name, text[place.start : place.stop], place.value) for place in located(text).inside]
    assert found == [("", "0", 0), ("end", "1.5", 1.5), ("span", "10 k steps", "10k steps")]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("hold() >> hld()", 10),
        ("hold(", 5),
        ("  5", None),
        ("warmup(5 m)", 7),
        ("hold() >> hold()", 0),
        ('{"lr": "hld()"}', 0),
        ('{"a"', 4),
    ],
)
def test_a_refusal_of_text_says_its_column(text, column):
    with pytest.raises(ParseError) as caught:
        parse(text)
    error = caught.value
    assert error.column == column
    if column is not None and not text.startswith("{"):
        assert f"column {column + 1}:" in str(error)
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error), error.restated(ParseError, "in a plan")):
        assert same.column == column


def test_parts_without_length_are_laid_too():
    written = warmup("0%") >> hold() >> hold(0.5, "20%")
    assert [part.length for part in laid_parts(written, Run(total=10))] == [0, 8, 2]
    assert [part.length for part in laid_parts(hold(), Run(total=10), 4)] == [6]


def test_edges_since_a_time_are_those_after_it():
    bound = (warmup(10) >> hold(1.0, 90)).repeated(50) >> hold(1.0, 7).shifted(3)
    all_of_them = edges(bound, 10**6)
    for since in (0, 5, 100, 101, 4890, 4990, 5000, 6000):
        assert edges(bound, 10**6, since) == [edge for edge in all_of_them if edge > since]
    stepped = warmup(100).stepwise(30) >> hold(0.0, 10)
    assert edges(stepped, 200, steps=True) == [30, 60, 90, 100, 110]
    assert edges(stepped, 200, 60, steps=True) == [90, 100, 110]
    assert edges(stepped, 200) == [100, 110]
