"""The page's modules in node: what an expression of theirs gives."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "studio"
BUNDLER = SOURCE / "node_modules" / ".bin" / "esbuild"

needed = pytest.mark.skipif(
    not (shutil.which("node") and BUNDLER.exists()), reason="needs node, and what `make studio` installs"
)


def evaluator(folder: Path, *modules: str) -> Callable[[str], Any]:
    """A function from an expression over `page`, all that these modules export, to its value; the error where it throws."""
    made = folder / "page.mjs"
    bundle = [str(BUNDLER), "--bundle", "--format=esm", "--loader=ts", f"--outfile={made}", "--log-level=error"]
    exports = "".join(f'export * from "./src/{name}";' for name in modules)
    subprocess.run(bundle, input=exports, text=True, cwd=SOURCE, check=True)

    def evaluated(expression: str) -> Any:
        script = (
            f"import * as page from {json.dumps(made.as_uri())};"
            f"let found; try {{ found = await ({expression}); }} catch (error) {{ found = {{thrown: error.message}}; }}"
            "console.log(JSON.stringify(found));"
        )
        command = ["node", "--input-type=module", "--eval", script]
        return json.loads(subprocess.run(command, text=True, capture_output=True, check=True).stdout)

    return evaluated
