"""Ctrl-C, SIGTERM and SIGHUP end a command alike: what was being written is removed, what was kept is said."""

from __future__ import annotations

import os
import signal
from types import FrameType

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
IMPATIENT = 3  # signals after which a process ends without tidying up

_received: int | None = None
_n_received = 0


def handle() -> None:
    """Turn the signals that ask a process to end into the KeyboardInterrupt that everything is ready for."""
    for name in ENDING:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _end)


def exit_code() -> int:
    """Return the exit code of a command that was ended: 128 and the signal's number."""
    return 128 + (signal.SIGINT if _received is None else _received)


def is_ending() -> bool:
    """Return whether such a signal has come."""
    return _received is not None


def _end(number: int, _: FrameType | None) -> None:
    global _received, _n_received
    _n_received += 1
    if _received is None:  # a second one must not interrupt the tidying up
        _received = number
        raise KeyboardInterrupt
    if _n_received >= IMPATIENT:
        os._exit(exit_code())
