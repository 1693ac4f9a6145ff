"""What a training function holds decides whether earlier runs count; what cannot be known is never taken for equal."""

import functools
import json
import os
import pathlib
import subprocess
import sys

import held
import numpy
import pytest
import torch

from preheat.core.errors import PreheatError
from preheat.lab.identity.differences import difference
from preheat.lab.identity.holdings import UNKNOWN, holdings, keyed, secrets_of
from preheat.lab.identity.values import Digest


def values_of(function):
    return holdings(function)[0]


def digits(value):
    digest = Digest()
    digest.add(value)
    return digest.text


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        (held.given(width=1), held.given(width=64), "width"),
        (functools.partial(held.train, more={"a": [1]}), functools.partial(held.train, more={"a": [2]}), "more"),
        (functools.partial(held.given(width=1), more=2), functools.partial(held.given(width=2), more=2), "width"),
        (held.closure(1), held.closure(64), "width"),
        (held.with_default(1), held.with_default(64), "width"),
        (held.wrapped(held.closure(1)), held.wrapped(held.closure(64)), "train.width"),
        (held.Model(1).train, held.Model(64).train, "self.width"),
        (held.Model(1), held.Model(64), "self.width"),
        (held.Slots(1).train, held.Slots(64).train, "self.width"),
        (held.Silent(1).train, held.Silent(64).train, "self.width"),
        (held.given(more=[held.Silent(1)]), held.given(more=[held.Silent(64)]), "more"),
        (held.given(more=[held.SilentSlots(1)]), held.given(more=[held.SilentSlots(64)]), "more"),
        (held.given(token="xbpe"), held.given(token="char"), "token"),
        (held.given(more={"token": "xbpe"}), held.given(more={"token": "char"}), "more"),
        (held.given(more=lambda x: x + 1), held.given(more=lambda x: x + 2), "more"),
        (held.given(more=held.closure(1)), held.given(more=held.closure(64)), "train.width"),
    ],
)
def test_what_a_function_holds_tells_it_from_the_same_function_with_other_values(one, other, name):
    first, second = values_of(one), values_of(other)
    assert {key for key in first if first[key] != second[key]} - {"self.me"} == {name}
    assert values_of(one) == first


def test_of_a_partial_inside_a_partial_it_is_said_which_argument_differs():
    one, two = (
        values_of(functools.partial(held.train, more=functools.partial(held.train, seed=seed))) for seed in (1, 2)
    )
    assert difference({"held": one}, {"held": two}).startswith("more.seed was 1, and is 2; more was")


@pytest.mark.parametrize(
    ("function", "place", "name", "value"),
    [
        (held.reads, "held.WIDTH", "WIDTH", 64),
        (held.reads, "held.SPREAD", "SPREAD", {"low": 0, "high": [1, 3]}),
        (held.builds, "held.Model.depth", "Model.depth", 4),
        (held.Model().train, "held.Model.depth", "Model.depth", 4),
    ],
)
def test_values_of_the_module_that_the_code_reads_are_held_however_deep(monkeypatch, function, place, name, value):
    before = values_of(function)
    monkeypatch.setattr(place, value)
    after = values_of(function)
    assert {key for key in before if before[key] != after[key]} == {name}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("1", b"1"),
        ([1, 2], (1, 2)),
        ([[1], 2], [[1, 2]]),
        ({1, 2}, frozenset({1, 2})),
        ([*range(100)], [*range(99), 100]),
        (numpy.zeros(2), numpy.zeros(2, "f4")),
        (numpy.zeros((2, 3)), numpy.zeros((3, 2))),
        (numpy.array(["a", None], dtype=object), numpy.array(["b", None], dtype=object)),
        (torch.zeros(2), torch.ones(2)),
        (torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.float16)),
        (held.Settings(), held.Settings(width=2)),
        (held.Size.SMALL, held.Size.LARGE),
        (pathlib.PurePosixPath("/a/x"), pathlib.PurePosixPath("/b/x")),
        (held.train, held.reads),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    ],
)
def test_values_that_are_not_the_same_have_other_digits(one, other):
    assert digits(one) == digits(one)
    assert digits(one) != digits(other)


def test_digits_are_the_same_in_every_process_and_with_every_seed_of_the_hashes():
    code = (
        "import json, held; from preheat.lab.identity.holdings import holdings; "
        "print(json.dumps({name: holdings(one) for name, one in held.CALLABLES.items()}))"
    )
    here = {name: list(holdings(one)) for name, one in held.CALLABLES.items()}
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(pathlib.Path(__file__).parent)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == here


def test_circles_end_and_large_values_are_hashed_whole():
    around: list = [1]
    around.append({"again": around, "twice": (around, around)})
    assert digits(around) == digits(around)
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert values_of(held.given(more=deep))["more"][1].startswith(UNKNOWN)
    large = numpy.zeros(3_000_000)
    before = digits([large, list(range(300_000))])
    large[-1] = 1
    assert digits([large, list(range(300_000))]) != before


@pytest.mark.parametrize(
    "value",
    [object(), {"of": (one for one in "a")}, [sys.__stdin__], torch.empty(2, device="meta")],
    ids=["object", "generator", "file", "no storage"],
)
def test_what_nothing_but_its_address_tells_apart_is_equal_to_nothing(value):
    first, second = (values_of(held.given(more=value))["more"] for _ in range(2))
    assert first[1].startswith(UNKNOWN)
    assert first != second


def test_neither_secrets_nor_folders_are_in_what_is_shown():
    values = values_of(
        held.given(width="/srv/someone/data/train.txt", more=[{"api_key": "abc"}, pathlib.Path("/srv/someone/x")])
    )
    assert values["width"][0] == "'train.txt'"
    assert "someone" not in json.dumps(values)
    rotated = values_of(
        held.given(width="/srv/someone/data/train.txt", more=[{"api_key": "new"}, pathlib.Path("/srv/someone/x")])
    )
    assert rotated == values
    moved = values_of(
        held.given(width="/srv/other/data/train.txt", more=[{"api_key": "abc"}, pathlib.Path("/srv/someone/x")])
    )
    assert moved["width"][0] == values["width"][0]
    assert moved["width"] != values["width"]
    api_key = "abc"
    assert "api_key" not in values_of(lambda schedule, seed, log: api_key)


@pytest.mark.parametrize(
    "value",
    [
        ["--api-key", "{}"],
        ("train.py", ["--password", "{}"], "--hf-token={}"),
        {"url": "https://someone:{}@example.org/x"},
        {"token": "hf_abcdefghijklmnop{}"},
        {"headers": {"Authorization": "Bearer {}"}},
        [{"of": {"wandb_api_key": "{}"}}],
    ],
    ids=str,
)
def test_a_secret_inside_a_value_does_not_count_and_is_known_to_be_one(value):
    def filled(secret, value):
        if isinstance(value, str):
            return value.replace("{}", secret)
        if isinstance(value, dict):
            return {key: filled(secret, one) for key, one in value.items()}
        return type(value)(filled(secret, one) for one in value)

    first, second = (held.given(more=filled(secret, value)) for secret in ("first12345", "second67890"))
    assert values_of(first) == values_of(second)
    assert any("first12345" in secret for secret in secrets_of(first))


def test_a_bare_token_counts_without_being_shown():
    shown, digest = values_of(held.given(token="xbpe"))["token"]
    assert shown == "***"
    assert "xbpe" not in digest
    assert "token" not in values_of(held.given(token="a1b2c3d4e5f6a1b2c3d4e5f6"))


def test_the_source_of_every_function_that_is_reached_is_the_version(monkeypatch):
    plain = holdings(held.reads)[1]
    assert plain == holdings(held.reads)[1]
    assert all(len(holdings(one)[1]) == 12 for one in held.CALLABLES.values())
    real = held.helper
    monkeypatch.setattr("held.helper", held.closure(1))
    monkeypatch.setattr("held.helper.__name__", "helper")
    monkeypatch.setattr("held.helper.__qualname__", "helper")
    assert holdings(held.reads)[1] != plain
    monkeypatch.setattr("held.helper", real)
    assert holdings(held.reads)[1] == plain


@pytest.mark.parametrize("key", ["", " ", 3])
def test_a_key_is_a_text(key):
    with pytest.raises(PreheatError, match="key is a text that names the configuration"):
        keyed(key)
