"""Standard input and pipes, which can be read only once."""

from __future__ import annotations

import os
import stat
import sys
from functools import partial
from os import PathLike
from pathlib import Path
from typing import IO, Any

from zeroloop.errors import DataError
from zeroloop.fifos import open_to_read
from zeroloop.tables.files import File
from zeroloop.tables.kept import ONCE

STANDARD = "-"
"""What standard input is called where a path is expected."""

PIECE = 2**20  # bytes that are read at once


def is_pipe(given: Any) -> bool:
    """Return whether something is the path of standard input, or of a pipe."""
    if not isinstance(given, str | PathLike):
        return False
    if str(given) == STANDARD:
        return True
    try:
        return stat.S_ISFIFO(Path(given).stat().st_mode)
    except (OSError, ValueError):
        return False


def pipe(given: str) -> File:
    """Return the file that stands for a pipe, to be read when it is opened."""
    path = "standard input" if given == STANDARD else given
    fetch = partial(_fetch, given)
    return File(path=path, place=_place(given), filesystem=None, size=0, modified=None, fetch=fetch)


def _fetch(given: str, sink: IO[bytes]) -> None:
    with _open(given) as stream:
        while piece := stream.read(PIECE):
            sink.write(piece)


def _open(given: str) -> IO[bytes]:
    if given != STANDARD:
        return os.fdopen(open_to_read(given), "rb")
    if sys.stdin is None or sys.stdin.closed:
        raise DataError("standard input is closed; pipe a table into it, or name a file.")
    if sys.stdin.isatty():
        raise DataError("standard input is a terminal; pipe a table into it, or name a file.")
    return os.fdopen(os.dup(sys.stdin.fileno()), "rb")


def _place(given: str) -> str:
    """Return what tells a pipe that nobody can open again from others."""
    try:
        if given == STANDARD:
            status = os.fstat(sys.stdin.fileno())
        elif "pipe:[" in os.path.realpath(given) or given.startswith("/dev/fd/"):
            status = Path(given).stat()
        else:
            return given
    except (OSError, ValueError, AttributeError):
        return given
    return f"{ONCE}{status.st_dev}:{status.st_ino}"
