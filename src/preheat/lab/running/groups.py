"""Process groups: a run, and a command that is no run's worker, leads one, and all that is in it ends with its leader.

This file is also the program of the watchdog, `python -I -S groups.py DRIVER LOCK`: it reads from its input which groups
begin and end, and when the driver is gone, however that went, ends those that are left. Therefore it imports the
standard library only, and little of it.

A process that makes a session of its own has left the group: it is asked to end only by whoever started it.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Self

GRACE = 4.0
"""Seconds that the processes of a group have to end once they are asked to."""

POLL = 0.02
"""Seconds between two looks at a group that is ending."""

LOOK = 0.5
"""Seconds between two looks of the watchdog at the driver: where a fork holds the pipe, it does not close."""

POSIX = os.name == "posix"

_HOME = "home"
_ENDING = b"ending what a killed comparison has left"

_led = set[int]()


def lead() -> None:
    """Make this process the leader of a session and a group of its own."""
    if POSIX:
        os.setsid()
        _led.add(os.getpid())


def leads() -> bool:
    """Whether `lead` was called in this process: then what it starts is ended with it, by whoever started it."""
    return os.getpid() in _led


def leading(process: int) -> bool:
    """Whether a child leads a group by now. Before that it has the group of its parent."""
    with contextlib.suppress(OSError):
        return POSIX and os.getpgid(process) == process
    return False


def has_ended(process: int) -> bool | None:
    """Whether a child has ended. It is not reaped, so its number is not given to another; None where the system cannot say."""
    if not hasattr(os, "waitid"):
        return None
    try:
        return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def end(groups: Iterable[int], grace: float = GRACE) -> None:
    """Ask what lives in these groups, but for this process, to end, and kill what is there after `grace` seconds. Returns
    when all is gone.

    The number of a group stays its own as long as one process is in it, or its leader was not reaped.
    """
    wanted, asked = set(groups), set[int]()
    start = time.monotonic()
    while POSIX and (left := set(_living(wanted)) - {os.getpid()}):
        over = (spent := time.monotonic() - start) >= grace
        if spent > grace + GRACE:  # what the kernel itself holds, on a disk that does not answer, nobody can end
            return
        for process in left if over else left - asked:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL if over else signal.SIGTERM)
        asked |= left
        time.sleep(POLL)


def _living(groups: set[int]) -> Iterator[int]:
    """The processes of these groups and sessions that have not ended."""
    for process, state, *places in _table():
        if state[0] not in "ZX" and not groups.isdisjoint(places):
            yield process


def _table() -> Iterator[tuple[int, str, int, int]]:
    """All processes: number, state, group, session; where there is no /proc, the group stands for the session."""
    if os.path.exists("/proc/self/stat"):
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # it may just have ended
                state, _, group, session = file.read().rpartition(b")")[2].split()[:4]
                yield int(name), state.decode(), int(group), int(session)
        return
    listed = subprocess.run(["ps", "-A", "-o", "pid=,stat=,pgid="], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        process, state, group = line.split()
        yield int(process), state, int(group), int(group)


class Guard:
    """Inside the block a watchdog knows the groups that have begun; if this process ends, they are ended.

    lock: a file that the watchdog locks while it does so: nobody else should be at work in that folder meanwhile.
    """

    def __init__(self, lock: str = "") -> None:
        self._lock, self._groups = lock, set[int]()
        self._watchdog: subprocess.Popen[bytes] | None = None

    def begin(self, group: int) -> None:
        """This group is to end with this process, or before."""
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def end(self, groups: Iterable[int]) -> None:
        """End what is in the groups. To be called before their leaders are reaped: until then no others have the numbers."""
        groups = set(groups)
        end(groups)
        self._groups -= groups
        self._tell("".join(f"-{group}\n" for group in groups))

    def renew(self) -> None:
        """Where the watchdog was killed, another one takes its place."""
        if self._watchdog and self._watchdog.poll() is not None:
            self._close()
            self._start()
            self._tell("".join(f"+{group}\n" for group in self._groups))

    def _tell(self, lines: str) -> None:
        with contextlib.suppress(OSError):  # `renew` tells the next one everything
            self._write(lines)

    def _write(self, text: str) -> None:
        if self._watchdog and self._watchdog.stdin:
            self._watchdog.stdin.write(text.encode())

    def _start(self) -> None:
        if POSIX:
            command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), self._lock]
            none = subprocess.DEVNULL
            self._watchdog = subprocess.Popen(
                command, bufsize=0, stdin=subprocess.PIPE, stdout=none, stderr=none, cwd="/", start_new_session=True
            )

    def _close(self) -> None:
        """Send the watchdog home; a fork of this process may hold the pipe, so closing it would not do."""
        if self._watchdog and self._watchdog.stdin:
            with contextlib.suppress(OSError):
                self._write(f"{_HOME}\n")
            self._watchdog.stdin.close()
            self._watchdog.wait()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        self._close()


def _watch(driver: int, lock: str) -> None:
    """Follow the groups until the driver has ended or wants no more; then end those that are left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    session = os.getsid(driver)
    groups = set[int]()
    for line in _told(driver):
        (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    if groups:
        with _locked(lock):
            for group in groups:
                _kill_unborn(group, session)
            end(groups)


def _told(driver: int) -> Iterator[bytes]:
    """The lines that come from the driver, until it is gone."""
    rest = b""
    while True:
        if select.select([0], [], [], LOOK)[0]:
            read = os.read(0, 1 << 16)
            *lines, rest = (rest + read).split(b"\n")
            home = _HOME.encode() in lines
            yield from (line for line in lines if line != _HOME.encode())
            if home or not read:
                return
        elif os.getppid() != driver:
            return


def _kill_unborn(process: int, session: int) -> None:
    """Kill a worker that has not come to lead its group: it is in the driver's session, and has begun nothing."""
    with contextlib.suppress(OSError):
        if os.getsid(process) == session and os.getpgid(process) != process:
            os.kill(process, signal.SIGKILL)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Lock a file that is there, unless somebody has, and say in it for whom."""
    import fcntl

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            file = stack.enter_context(open(path, "rb+", buffering=0))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(_ENDING)
            stack.callback(file.truncate, 0)
        yield


def is_ending(lock: str) -> bool:
    """Whether a watchdog holds this lock, because it ends what a killed driver has left: seconds."""
    with contextlib.suppress(OSError), open(lock, "rb") as file:
        return file.read(len(_ENDING)) == _ENDING
    return False


if __name__ == "__main__":
    _watch(int(sys.argv[1]), sys.argv[2])
