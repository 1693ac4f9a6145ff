"""The language of what is generated: English as it stands in the code, any other by a table, word for word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """A text of the code in a language; where its table lacks the text it fails, so that nothing is left in English.

    table: the texts by those of the code; None: they are English, and stay.
    """

    table: Mapping[str, str] | None = None

    def __call__(self, text: str) -> str:
        return text if self.table is None else self.table[text]


ENGLISH = Words()
