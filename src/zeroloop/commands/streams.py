"""Standard output and standard error as a command needs them: open, able to show any name, and honest when they fail.

A closed or full standard output is an error, as other tools have it; a reader that has seen enough, such as `head`, is
none. A standard error that cannot be written to is no reason to lose anything.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any


class ReaderGone(Exception):  # noqa: N818  no error: whoever reads standard output has closed it
    """The reader of standard output has seen enough.

    Not a `BrokenPipeError`, which click and rich answer with exit codes of their own.
    """


class StdoutError(Exception):
    """Standard output cannot be written to."""


class _Stdout(io.FileIO):
    def write(self, content: Any) -> int | None:  # type: ignore[override]
        try:
            return super().write(content)
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            raise StdoutError(f"standard output cannot be written to ({error.strerror}).") from error


def prepare() -> None:
    """Make both streams ready, before anything is printed or any file is opened."""
    _occupy(1)
    _occupy(2)
    # Tests put other objects in place of the streams, which are left alone; None stands for a closed one.
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        encoding = "utf-8" if sys.stdout is None else sys.stdout.encoding
        raw = io.BufferedWriter(_Stdout(1, "wb", closefd=False))
        sys.stdout = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=raw.isatty())
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(
            io.FileIO(2, "wb", closefd=False), "utf-8", "backslashreplace", write_through=True
        )


def say(line: str) -> None:
    """Print a line on standard error; where that fails, on standard output, unless that is to be JSON alone."""
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        if "--json" not in sys.argv:
            with suppress(OSError, ValueError, ReaderGone, StdoutError):
                print(line, flush=True)


def give_up() -> None:
    """Let what is still to be printed go nowhere: nothing may fail while the process ends."""
    with suppress(OSError):
        handle = os.open(os.devnull, os.O_WRONLY)
        os.dup2(handle, 1)
        os.close(handle)
    with suppress(OSError, ValueError):
        sys.stdout.flush()


def _occupy(descriptor: int) -> None:
    """Keep the number of a closed stream from going to the next file that is opened: what is printed would be in it."""
    try:
        os.fstat(descriptor)
    except OSError:
        handle = os.open(os.devnull, os.O_RDONLY)  # so that a write fails, and is said
        if handle != descriptor:
            os.dup2(handle, descriptor)
            os.close(handle)
