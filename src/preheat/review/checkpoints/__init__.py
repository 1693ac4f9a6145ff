"""Checkpoints: where they stand, what they follow, and what resuming otherwise would change."""
