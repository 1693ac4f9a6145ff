"""Trainers that leave their process instead of returning."""

import signal
import sys
from pathlib import Path


def leaves(options, schedule, seed, log, *, steps):
    """As scripts do that were never meant to be called."""
    log(0, loss=1.0)
    sys.exit(0 if options.fault == "zero" else 3)


def interrupted(options, schedule, seed, log, *, steps):
    """As by Ctrl-C, which it catches or not, or by its own will, as the task's option says."""
    log(0, loss=1.0)
    if options.fault == "own":
        raise KeyboardInterrupt
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        if options.fault != "caught":
            raise
    return {"val_loss": 1.0}


def signalled(options, schedule, seed, log, *, steps):
    """Gets signals that are not meant to stop it."""
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGHUP)
    return {"val_loss": 1.0}


def fails_once(options, schedule, seed, log, *, steps):
    """Fails where no attempt was made before."""
    mark = Path(options.marks, "mark")
    log(0, loss=1.0)
    if not mark.exists():
        mark.touch()
        raise RuntimeError("once")
    return {"val_loss": 1.0}
