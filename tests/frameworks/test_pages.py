"""The pages of docs/frameworks: what they show runs as it stands, in a process of its own, and prints what they say."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "frameworks"
NEEDS = {  # the modules without which a page cannot be run; every page has a line here
    "pytorch": ["torch"],
    "groups": ["torch"],
    "quantities": ["torch"],
    "loggers": ("torch", "wandb", "tensorboard", "mlflow"),
    "config": ("torch", "hydra", "hydra_zen", "jsonargparse"),
    "jax": ("jax", "optax"),
    "keras": ("keras", "torch"),
    "transformers": ("torch", "transformers", "accelerate"),
    "composer": ["composer", "sklearn"],
    "ignite": ["ignite", "sklearn"],
    "lightning": ["lightning", "sklearn"],
    "timm": ["torch"],
    "torchtitan": ["torchtitan"],
    "accelerate": ("accelerate",),
    "deepspeed": ("deepspeed",),
    "ray": ("ray", "pandas", "pyarrow"),
}
INDEX = "index"  # the page that leads to the others
BLOCK = re.compile(r"```(python|text|yaml \S+)\n(.*?)```", re.DOTALL)


def test_every_page_is_run() -> None:
    assert set(NEEDS) == {page.stem for page in PAGES.glob("*.md")} - {INDEX}


def test_the_readme_leads_to_every_page() -> None:
    readme = (PAGES.parents[1] / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(docs/frameworks/(\w+)\.md\)", readme)) == set(NEEDS)


def test_the_index_leads_to_every_page() -> None:
    index = (PAGES / f"{INDEX}.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == set(NEEDS)
    readme = (PAGES.parents[1] / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[.*\]\(docs/frameworks/.*$", readme, re.MULTILINE)
    assert rows
    for row in rows:
        assert row.replace("(docs/frameworks/", "(") in index, "python docs/figures/frameworks.py"


@pytest.mark.parametrize("name", NEEDS)
def test_the_page_runs_and_prints_what_it_says(name: str, tmp_path: Path) -> None:
    """Its Python, from top to bottom, is one script; what is written as `text` is printed, in that order. A block of YAML says
    which file it is."""
    if missing := [module for module in NEEDS[name] if find_spec(module) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    blocks = BLOCK.findall((PAGES / f"{name}.md").read_text(encoding="utf-8"))
    for kind, text in blocks:
        if kind.startswith("yaml "):
            (tmp_path / kind.split()[1]).write_text(text, encoding="utf-8")
    script = tmp_path / "page.py"
    script.write_text("\n".join(text for kind, text in blocks if kind == "python"), encoding="utf-8")
    quiet = {
        "MLFLOW_TRACKING_URI": (tmp_path / "runs").as_uri(),
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "TQDM_DISABLE": "1",
        "KERAS_BACKEND": "torch",
        "WANDB_MODE": "offline",
        "CUDA_VISIBLE_DEVICES": "",
    }
    ran = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:preheat", str(script)],
        cwd=tmp_path,
        env=os.environ | quiet,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "PreheatWarning" not in ran.stderr, ran.stderr[-3000:]
    at = 0
    for text in (text for kind, text in blocks if kind == "text"):
        at = ran.stdout.find(text, at)
        assert at >= 0, f"{text!r} is not printed:\n{ran.stdout[-3000:]}"
