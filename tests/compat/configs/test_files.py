"""A config as a file: of any line ends, and of no more than a config has, whatever lies at its path."""

import os
from pathlib import Path

import pytest

import preheat as ph
from preheat.compat.configs import read_config
from preheat.compat.configs.files import MOST, Config


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_system_ends_them(tmp_path: Path, ends: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(f"\ufeffa: 1{ends}b: 2{ends}".encode())
    assert Config.of(path).text == "a: 1\nb: 2\n"
    assert Config.of(path).data == {"a": 1, "b": 2}


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a device without an end")
def test_a_device_without_an_end_is_no_config() -> None:
    """It says a size of 0, and would be read for ever."""
    with pytest.raises(ph.PreheatError, match="too large to be a config"):
        Config.of("/dev/zero")


def test_more_than_a_config_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b" " * MOST)
    assert len(Config.of(path).text) == MOST
    path.write_bytes(b" " * (MOST + 10))
    with pytest.raises(ph.PreheatError, match=f"{MOST + 10:,} bytes"):
        Config.of(path)


def aliases(levels: int) -> str:
    """A few bytes of YAML that stand for 9 to the power of `levels` values."""
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join([*lines, "learning_rate: 1e-3", "lr_scheduler_type: linear", f"max_steps: *l{levels - 1}"])


@pytest.mark.parametrize("levels", [3, 10, 60])
def test_yaml_that_stands_for_more_than_it_is_is_refused_at_once(levels: int) -> None:
    with pytest.raises(ph.PreheatError) as refused:
        read_config(Config("train.yaml", aliases(levels)))
    assert ("stand for more than" in str(refused.value)) == (levels > 6)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a\n  <<: *a", "? &a [*a]\n: 1"])
def test_yaml_that_holds_itself_is_refused(text: str) -> None:
    with pytest.raises(ph.PreheatError):
        _ = Config("train.yaml", text).data


def test_merged_keys_of_yaml_are_counted_too() -> None:
    lines = ["m0: &m0 {x: 1}"] + [f"m{i}: &m{i}\n  <<: [{', '.join([f'*m{i - 1}'] * 9)}]" for i in range(1, 30)]
    with pytest.raises(ph.PreheatError, match="stand for more than"):
        _ = Config("train.yaml", "\n".join(lines)).data


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"learning_rate": 1e-3, "learning_rate": 2e-3, "lr_scheduler_type": "linear", "max_steps": 9}'),
        ("a.yaml", "learning_rate: 1.0e-3\nlr_scheduler_type: linear\nlearning_rate: 2.0e-3\nmax_steps: 9\n"),
    ],
)
def test_what_is_said_twice_is_a_finding(name: str, text: str) -> None:
    reading = read_config(Config(name, text))
    (twice,) = [one for one in reading.findings if one.code == "said-twice"]
    assert twice.place == "learning_rate"
    assert reading(0) == pytest.approx(2e-3)
    assert not Config(name, text.replace("max_steps", "x")).data.get("max_steps")


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.toml"])
def test_a_number_without_end_is_refused_without_words_of_python(name: str) -> None:
    digits = "9" * 10_000
    text = {"json": f'{{"max_steps": {digits}}}', "yaml": f"max_steps: {digits}", "toml": f"max_steps = {digits}"}
    with pytest.raises(ph.PreheatError, match="too many digits"):
        _ = Config(name, text[name[2:]]).data
