"""What must never be committed."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MACHINE_PATH = re.compile(r"(?<![\w.$])/(?:home|Users|root|work|tmp|opt)/\w")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.splitlines()] if listed.returncode == 0 else []


@pytest.mark.skipif(not _tracked(), reason="not a git checkout")
def test_no_machine_paths_and_no_registry_hosts() -> None:
    for path in _tracked():
        if path.suffix in (".png", ".pt") or not path.is_file() or path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8")
        assert not MACHINE_PATH.search(text), f"{path.name} names a path of one machine: {MACHINE_PATH.search(text)}"
        assert "pythonhosted" not in text, f"{path.name} names a registry's host"
