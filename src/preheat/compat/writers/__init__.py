"""Other libraries' configs, written: a module for each, `write(target, run, peak) -> str`."""
