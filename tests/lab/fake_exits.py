"""Trainers that leave their process instead of returning."""

import os
import signal
import sys
import time
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


class Slow:
    """Takes its time when it is unpacked."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __reduce__(self):
        return time.sleep, (self.seconds,)


def trains(schedule, seed, log, more):
    log(0, val_loss=1.0)


def leaves_at_once(schedule, seed, log, more):
    os._exit(1)
