"""Trainers that leave their process instead of returning."""

import signal
import sys


def leaves(options, schedule, seed, log, *, steps):
    """As scripts do that were never meant to be called."""
    log(0, loss=1.0)
    sys.exit(3)


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
