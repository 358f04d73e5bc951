"""What can be read only once, or not as it is, kept for as long as it is wanted: in a file that no name leads to.

A pipe, a page of the web, a sheet of a workbook: each becomes the content of a file, which is then read like any other.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from zeroloop.disks import RESERVE, has_room, spill_folder
from zeroloop.errors import OptionError, OutputError
from zeroloop.tables.files import File

PIECE = 2**20  # bytes that are copied at once
OFTEN = 2**28  # bytes written between two looks at the disk's room


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Where contents are kept.

    Attributes:
        folder: that files are made in; None to keep them in memory.
        most: bytes of each that are kept in memory.

    """

    folder: Path | None
    most: int = 0


@dataclass(frozen=True, slots=True)
class _Info:
    """What a filesystem says of a file, as pyarrow's do."""

    size: int
    mtime_ns: int
    is_file: bool = True


class Kept:
    """A filesystem of one file, whose content is made when it is first wanted.

    Sent to another process, it is made there anew.

    Args:
        make: writes the content; a module's function, perhaps bound to arguments, where it is to be sent.
        name: what to call it in a message.
        keep: where; None for the system's folder.
        of: the file that it is made of, which must not change meanwhile; None for none.

    """

    def __init__(self, make: Callable[[IO[bytes]], None], name: str, keep: Keep | None, of: File | None = None) -> None:
        self._make = make
        self._name = name
        self._keep = keep
        self._of = of
        self._lock = threading.Lock()
        self._made: tuple[_Content, _Info] | None = None

    def open_input_file(self, _place: str, /) -> pa.NativeFile:
        """Return the content, opened anew."""
        content, info = self._content()
        return pa.PythonFile(io.BufferedReader(_Window(content, info.size), PIECE), mode="r")

    def get_file_info(self, _place: str, /) -> _Info:
        """Return its size, and in place of the time of its last change what tells its content from any other."""
        if self._of is not None:
            self._of.check_unchanged()
        return self._content()[1]

    def _content(self) -> tuple[_Content, _Info]:
        with self._lock:
            if self._made is None:
                keep = self._keep or Keep(folder=spill_folder(None))
                sink = _Sink(self._name, keep)
                try:
                    with io.BufferedWriter(sink, PIECE) as buffered:
                        self._make(buffered)
                except BaseException:
                    sink.file.close()
                    raise
                self._made = _Content(sink.file), _Info(sink.n_bytes, int.from_bytes(sink.digest.digest(), "big"))
            return self._made

    def __reduce__(self) -> tuple[Any, ...]:
        return Kept, (self._make, self._name, None, self._of)


ONCE = "once:"
"""Begins the place of what nobody can open again, such as standard input: once read, it is kept as long as we live."""

_read: dict[str, File] = {}


def fetched(file: File, keep: Keep | None) -> File:
    """Return a file with its content here: itself, unless it has to be fetched."""
    if file.fetch is None:
        return file
    if file.place in _read:
        return _read[file.place]
    found = kept(file, file.fetch, keep)
    if file.place.startswith(ONCE):
        _read[file.place] = found
    return found


def kept(file: File, make: Callable[[IO[bytes]], None], keep: Keep | None, of: File | None = None) -> File:
    """Return a file whose content is what `make` writes, made now, and kept."""
    content: Any = Kept(make, file.path, keep, of)
    info = content.get_file_info(file.place)
    return replace(file, fetch=None, filesystem=content, size=info.size, modified=info.mtime_ns)


class _Sink(io.RawIOBase):
    """A file without a name, or memory, and a digest of what is written to it."""

    def __init__(self, name: str, keep: Keep) -> None:
        self._name = name
        self._keep = keep
        self.n_bytes = 0
        self.digest = hashlib.blake2b(digest_size=7)
        try:
            self.file: Any = io.BytesIO()
            if keep.folder is not None:
                self.file = tempfile.TemporaryFile(dir=keep.folder, buffering=0)  # noqa: SIM115  as long as it is read
        except OSError as error:
            raise OutputError(f"spill: no file can be written in {keep.folder} ({error.strerror}).") from error

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Leave the file open: it is to be read."""

    def write(self, content: Any, /) -> int:
        left = memoryview(content).cast("B")
        n_bytes = len(left)
        folder = self._keep.folder
        if folder is None and self.n_bytes + n_bytes > self._keep.most:
            raise OptionError(
                f"{self._name}: has more than the {self._keep.most:,} bytes that memory allows to keep; raise memory, "
                "or let it spill into a folder."
            )
        if (
            folder is not None
            and self.n_bytes // OFTEN != (self.n_bytes + n_bytes) // OFTEN
            and not has_room(folder, 0)
        ):
            raise self._full(f"fewer than {RESERVE:,} bytes are left")
        self.digest.update(left)
        try:
            while left:
                written = self.file.write(left)
                self.n_bytes += written
                left = left[written:]
        except OSError as error:
            raise self._full(error.strerror or str(error)) from error
        return n_bytes

    def _full(self, reason: str) -> OutputError:
        return OutputError(
            f"spill: {self._keep.folder} is full after {self.n_bytes:,} bytes of {self._name} ({reason}); free some "
            "space, or name another folder."
        )


class _Content:
    """A file that several read at once, each at a place of its own; closed when none does."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lock = threading.Lock()
        weakref.finalize(self, file.close)

    def read_into(self, buffer: Any, at: int) -> int:
        """Read what fits into a buffer; return how much that is."""
        with self._lock:
            self._file.seek(at)
            return int(self._file.readinto(buffer))


class _Window(io.RawIOBase):
    """One reader of a content."""

    def __init__(self, content: _Content, size: int) -> None:
        self._content = content
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        found = self._content.read_into(buffer, self._at)
        self._at += found
        return found
