"""A config as a file: of any line ends, and of no more than a config has, whatever lies at its path."""

import os
from pathlib import Path

import pytest

import preheat as ph
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
