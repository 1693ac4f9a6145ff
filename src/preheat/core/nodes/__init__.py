"""The kinds of node: every schedule is a tree of these."""
