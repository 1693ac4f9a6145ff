"""What will go wrong, found before the run."""
