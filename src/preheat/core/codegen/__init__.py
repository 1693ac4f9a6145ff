"""Emitters: a recorded schedule printed as source that needs no preheat."""
