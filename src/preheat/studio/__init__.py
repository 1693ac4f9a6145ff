"""The studio: a page on which a schedule is seen, bent and taken away. Python reads, evaluates, checks and prints.

    preheat studio "warmup(5%) >> decay(shape=cosine)" --total 10k

In Python, for a page on this machine or one in a file:

    preheat.studio.serve(["warmup(5%) >> decay()", "llama2_7b"], run=preheat.Run(total=10_000))
    preheat.studio.export("warmup(5%) >> decay()", "page.html", run=preheat.Run(total=10_000))
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preheat.studio.exported import export
    from preheat.studio.starting import serve

__all__ = ["export", "serve"]

_HOMES = {"export": "exported", "serve": "starting"}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'preheat.studio' has no attribute {name!r}")
    return getattr(import_module(f"preheat.studio.{_HOMES[name]}"), name)
