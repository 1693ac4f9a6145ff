"""What a measurement gives: a value that prints one sentence, holds its evidence, and draws it."""

from __future__ import annotations

import os
import textwrap
from abc import ABC, abstractmethod
from dataclasses import replace
from html import escape
from pathlib import Path

from preheat.core.errors import PreheatError
from preheat.plots.mpl import png
from preheat.plots.panel import Curves, shortened
from preheat.plots.svg import svg

_SIZE = {"width": 720, "height": 400}


class Evidence(ABC):
    """A measured value. Printed it is its sentence; `plot()` draws what is behind it, and notebooks show both."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """What was measured, with its interval and what it is good for."""

    @abstractmethod
    def panel(self) -> Curves:
        """What is drawn."""

    def plot(self, path: str | Path | None = None) -> str:
        """The picture as SVG text; with a path it is written there, as .svg or .png (which needs preheat[plots]).

        Raises PreheatError for another kind of file, and where it cannot be written.
        """
        panel = self.panel()
        text = svg(replace(panel, title=shortened(panel.title, 90)), **_SIZE)
        if path is not None:
            _write(path, text, panel)
        return text

    def __str__(self) -> str:
        return "\n".join(textwrap.wrap(self.sentence, 100))

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.sentence)}</p>{self.plot()}"


def _write(given: str | Path, text: str, panel: Curves) -> None:
    path = Path(given) if isinstance(given, str | os.PathLike) else None
    if path is None or path.suffix not in (".svg", ".png"):
        raise PreheatError("a picture is a .svg or a .png file", given=given, write='write plot("curve.svg")')
    content = png(panel) if path.suffix == ".png" else text.encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise PreheatError(f"cannot write {path}: {error.strerror}") from None
