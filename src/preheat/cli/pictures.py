"""Curves written to files, as PNG and SVG."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import CoercionError, Parameter, Token

from preheat.core.errors import PreheatError

if TYPE_CHECKING:
    from preheat.plots.panel import Curves

KINDS = ("png", "svg")


def _of_its_kind(kind: Any, tokens: Sequence[Token]) -> Path:
    """A path that is not named as another kind of picture: refused before anything is measured."""
    (token,) = tokens
    path, wanted = Path(token.value), f".{(token.keyword or '').lstrip('-')}"
    if path.suffix.lower() in {f".{one}" for one in KINDS} - {wanted}:
        other = f"write {path.with_suffix(wanted)}, or --{path.suffix[1:].lower()} {path}"
        what = f"{token.keyword} writes {wanted[1:].upper()}, and {path} is named otherwise"
        raise CoercionError(msg=f"{what}; {other}", token=token)
    return path


Picture = Annotated[Path | None, Parameter(converter=_of_its_kind)]
"""The file of an option --png or --svg."""


def saved(panel: "Curves", **files: Path | None) -> list[Path]:
    """Write the curves to each file that is given, png= and svg=, and return where they are."""
    return [_written(panel, kind, path) for kind in KINDS if (path := files.get(kind)) is not None]


def _written(panel: "Curves", kind: str, path: Path) -> Path:
    if kind == "png":
        from preheat.plots.mpl import png

        content = png(panel)
    else:
        from preheat.plots.panel import shortened
        from preheat.plots.svg import svg

        content = svg(replace(panel, title=shortened(panel.title, 90)), width=720, height=400).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise PreheatError(f"cannot write {path}: {error.strerror}") from None
    return path
