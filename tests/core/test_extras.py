"""Optional packages: who misses one is told the line that installs it."""

import subprocess
import sys
from pathlib import Path

import pytest

import preheat
from preheat.core.extras import MissingError, needed

# adapters, and what each is for, under all its names
ROOMS = {room: room for room in ("accelerate", "axolotl", "jax", "keras", "torch", "torchtitan", "transformers")}
ROOMS |= {"lightning": "lightning pytorch_lightning", "timm": "torch", "widget": "anywidget"}


def test_what_is_missing_is_an_import_error_and_a_refusal() -> None:
    with pytest.raises(ImportError, match=r"run pip install 'preheat\[torch\]'") as caught, needed("it", "torch"):
        import no_such_package  # noqa: F401
    assert isinstance(caught.value, preheat.PreheatError)


def test_a_fault_of_our_own_is_not_taken_for_a_missing_package() -> None:
    with pytest.raises(ModuleNotFoundError) as caught, needed("it", "torch"):
        import preheat.no_such_module  # noqa: F401
    assert not isinstance(caught.value, MissingError)


@pytest.mark.parametrize("room", ROOMS)
def test_an_adapter_without_its_framework_says_what_to_install(room: str) -> None:
    code = f"""
import sys
sys.modules.update(dict.fromkeys({ROOMS[room].split()!r}))
sys.path.insert(0, {str(Path(preheat.__file__).parents[1])!r})
import preheat
try:
    preheat.{room}
except ImportError as error:
    print(type(error).__name__, error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("MissingError")
    assert f"pip install 'preheat[{room}]'" in said
