"""The signals that ask a process to stop: Ctrl-C, SIGTERM, and SIGHUP, which comes when the terminal closes."""

import signal
import threading
from types import FrameType
from typing import Any, Self

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(SystemExit):
    """Raised in a worker whose run is not wanted any more."""


class Signals:
    """Inside the block, signals that ask to stop are noted: `came` is the number of the one that did, 0 before.

    Each goes on to who handled it before. Where nobody did, it raises `SystemExit(128 + number)`, and not at once the end of
    the process; what is ignored, as SIGHUP under nohup, stays ignored. It counts as having come only where the handler
    raised something. Outside the main thread, which gets all signals, the block does nothing.
    """

    def __init__(self, *numbers: int) -> None:
        self.numbers, self.came = numbers, 0
        self._before: dict[int, Any] = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        before = self._before[number]
        try:
            if not callable(before):
                raise SystemExit(128 + number)
            before(number, frame)
        except BaseException:
            self.came = number
            raise

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in self.numbers}
            self._before = {one: by for one, by in handlers.items() if by not in (signal.SIG_IGN, None)}
            for number in self._before:
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
