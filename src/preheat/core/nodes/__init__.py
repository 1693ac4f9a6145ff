"""The kinds of node: every schedule is a tree of these. Importing them makes them known."""

from preheat.core.nodes import leaves, pointwise, repeated, sequence, wrapped

__all__ = ["leaves", "pointwise", "repeated", "sequence", "wrapped"]
