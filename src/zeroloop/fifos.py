"""FIFOs opened without silence: whoever waits for somebody at the other end is told for whom."""

from __future__ import annotations

import errno
import os
import select
import time
import warnings

from zeroloop.errors import ZeroloopWarning

PATIENCE = 1.0  # seconds until it is said that nobody is at the other end
GLANCE = 0.05  # seconds between two looks for a reader


def open_to_read(path: str | os.PathLike[str]) -> int:
    """Return a FIFO open for reading, once somebody has written into it, or has closed it.

    Warns:
        ZeroloopWarning: when nobody has opened it for a second.

    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        if hasattr(select, "poll"):
            there = select.poll()
            there.register(handle, select.POLLIN)
            if not there.poll(PATIENCE * 1000):
                _say(f"{path}: is a pipe that nobody has written into yet; waiting for what is to come.")
                while not there.poll(PATIENCE * 1000):
                    pass
        os.set_blocking(handle, True)
    except BaseException:
        os.close(handle)
        raise
    return handle


def open_to_write(path: str | os.PathLike[str]) -> int:
    """Return a device or a FIFO open for writing, a FIFO once somebody reads from it.

    Warns:
        ZeroloopWarning: when nobody has opened it for a second.

    """
    start, said = time.monotonic(), False
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if not said and time.monotonic() - start > PATIENCE:
                _say(f"{path}: is a pipe that nobody reads from; waiting for a reader.")
                said = True
            time.sleep(GLANCE)
            continue
        os.set_blocking(handle, True)
        return handle


def _say(message: str) -> None:
    warnings.warn(message, ZeroloopWarning, stacklevel=4)
