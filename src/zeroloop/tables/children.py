"""Decoders that a damaged file may crash, hang or fill the memory of: each in a process of its own, with limits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from zeroloop.errors import BadFileError
from zeroloop.tables.files import File

LIMITED = str(Path(__file__).with_name("limited.py"))
LEAST_MEMORY = 2**32  # bytes that a decoder may take, however little a run may: a sheet or a stripe is read whole
SECONDS, SECONDS_A_BYTE = 60, 4e-6  # of processor time
PIECE = 2**20  # bytes that are copied at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running decoder.

    Attributes:
        said: what its first line says: an object of JSON; empty where it has ended before.
        output: what follows.

    """

    said: dict[str, Any]
    output: IO[bytes]


@contextmanager
def decoding(file: File, program: str, *, what: str, instead: str, memory: int = 0, **asked: Any) -> Iterator[Child]:
    """Run a program beside this module over a file, which is its standard input and can be read at any place.

    It does not outlive the block, and has failed where its output ends before it ends well.

    Args:
        file: what it reads.
        program: its name.
        what: what the file is, in a message: "workbook", say.
        instead: what to do where it cannot be read.
        memory: bytes that it may take, if that is more than a decoder needs.
        asked: its argument, as JSON.

    Raises:
        BadFileError: for a file that it cannot read, or that it says something of.

    """
    memory = max(memory, LEAST_MEMORY)
    seconds = SECONDS + int(file.size * SECONDS_A_BYTE)
    argument = json.dumps(asked | {"memory": memory, "seconds": seconds})
    path = str(Path(__file__).with_name(program))
    command = [sys.executable, "-P", "-X", "utf8", LIMITED, argument, path]
    with (
        _on_disk(file) as source,
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            command, stdin=source, stdout=subprocess.PIPE, stderr=words, env=os.environ | {"RUST_BACKTRACE": "0"}
        ) as child,
    ):
        assert child.stdout is not None
        try:
            line = child.stdout.readline()
            said: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
            if "error" in said:
                raise BadFileError(file.path, said["error"])
            try:
                yield Child(said=said, output=child.stdout)
                ended = _end_of(child)
            except (pa.ArrowException, OSError, EOFError):
                ended = _end_of(child)
                if not ended:  # it is not because the output is cut short
                    raise
        finally:
            child.kill()
        words.seek(0)
        written = words.read().decode(errors="replace")
    if ended or not said:
        raise BadFileError(file.path, _why(ended, written, what, instead, memory, seconds))


def _end_of(child: subprocess.Popen[bytes]) -> int:
    """Return how a process ends whose output has been read as far as it is wanted; 0 where there is more of it."""
    assert child.stdout is not None
    more = not child.stdout.closed and child.stdout.read(1)
    return 0 if more else child.wait()


@contextmanager
def _on_disk(file: File) -> Iterator[IO[bytes]]:
    """Open a file that any process can read at any place: itself, or a copy without a name."""
    if file.filesystem is None:
        file.check_unchanged()
        with Path(file.place).open("rb") as found:
            yield found
        return
    with file.open() as source, tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(source, copy, PIECE)
        copy.seek(0)
        yield copy


def _why(ended: int, words: str, what: str, instead: str, memory: int, seconds: int) -> str:
    """Return why a decoder has ended, as the end of a sentence that begins with the file."""
    killed, out_of_time = (getattr(signal, name, None) for name in ("SIGKILL", "SIGXCPU"))  # Windows has neither
    if ended == 0 or -ended == killed or any(one in words for one in ("memory allocation", "MemoryError", "malloc of")):
        return (
            f"the {what} takes more than the {memory:,} bytes of memory that it may, because it is too large or "
            f"damaged; raise memory, or {instead}."
        )
    if -ended == out_of_time:
        return f"the {what} was not read in {seconds:,} seconds of computing, and is damaged; {instead}."
    last = (words.strip().splitlines() or [f"signal {-ended}"])[-1]
    return f"the {what} is damaged, or of a kind that cannot be read ({last}); {instead}."
