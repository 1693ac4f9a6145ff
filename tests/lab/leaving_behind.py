"""Trainings, and a command, that start processes and leave them behind; each writes its number into a file of a folder."""

import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Process
from pathlib import Path

SLEEP = "import sys, os, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"


def left(folder, name, code=SLEEP):
    """A silent process that would go on for ten minutes; returns when it has begun."""
    path = Path(folder, f"{name}-{os.getpid()}")
    subprocess.Popen([sys.executable, "-c", code, str(path)])
    while not (path.exists() and path.read_text()):
        time.sleep(0.02)


def silent(options, schedule, seed, log, *, steps):
    """Has a child, says so by a mark, and goes on in silence."""
    Path(options.marks, f"train-{os.getpid()}").write_text(str(os.getpid()))
    left(options.marks, "child")
    log(0, loss=1.0)
    Path(options.marks, "ready").touch()
    time.sleep(600)


def leaves(options, schedule, seed, log, *, steps):
    """Ends as its fault says, and has left two processes behind, of which one does not want to end."""
    left(options.marks, "child")
    if not options.fault:
        left(options.marks, "stubborn", STUBBORN)
    if os.fork() == 0:  # it holds whatever this process has open
        Path(options.marks, f"fork-{os.getpid()}").write_text(str(os.getpid()))
        time.sleep(600)
    log(0, loss=1.0)
    if options.fault == "raise":
        raise RuntimeError("as asked")
    if options.fault == "kill":
        os.kill(os.getpid(), 9)
    if options.fault == "hang":
        time.sleep(600)
    return {"val_loss": 1.0}


def double(number):
    return 2 * number


def starts_processes(options, schedule, seed, log, *, steps):
    """In the ways in which trainings do."""
    process = Process(target=double, args=(1,))
    process.start()
    process.join()
    with ProcessPoolExecutor(1) as pool:
        found = pool.submit(double, 2).result()
    log(0, val_loss=found + process.exitcode)


def forks(options, schedule, seed, log, *, steps):
    """A forked process that comes back from the training, one that raises and one that exits; the record is the parent's."""
    log(0, loss=1.0)
    for how in ("returns", "raises", "exits"):
        if (process := os.fork()) == 0:
            if how == "raises":
                raise RuntimeError("in the fork")
            if how == "exits":
                sys.exit(7)
            return {"val_loss": 99.0}
        log(1, loss=float(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])), **{how: 1.0})
    log(2, loss=3.0)
    return {"val_loss": 3.0}
