"""Files written beside, flushed and renamed: a killed run leaves the previous file, never half a new one.

What is no regular file (a device, a FIFO) cannot be replaced in one step, and is written into. Links are followed: what
they lead to is replaced, they stay.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast
from uuid import uuid4

from zeroloop.errors import OutputError
from zeroloop.fifos import open_to_write

fcntl: Any = None
if os.name == "posix":
    import fcntl

PREFIX, SUFFIX = ".zeroloop-", ".tmp"  # of a file being written; short, as a name may have 255 bytes and no more
STDOUT = "-"
STALE = 3600.0  # seconds after which a file being written is cleared, if its process is gone
URI = re.compile(r"[\w+.:-]*:(/|\Z)")  # one slash or none: a Path has no two


def is_uri(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a URI, or was one before it was made a `Path`: nothing of this machine is called so."""
    text = os.fspath(path)
    return URI.match(text) is not None and not Path(text).drive and not os.path.lexists(text.partition("/")[0])


def is_stdout(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is what standard output is called where a file is expected."""
    return str(path) == STDOUT


def check_writable(path: Path) -> None:
    """Check, before any work, that a file can be written at `path`.

    Raises:
        OutputError: saying why not.

    """
    if is_stdout(path):
        raise OutputError("-: is standard output, which only tables are written to; name a file.")
    with _sentences(path):
        target = _target(path)
        if target is not None:
            temporary = _temporary(target.parent)
            try:
                os.close(_create(temporary))
            finally:
                temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a new file, open for writing; put it in the place of `path` once the block ends well, else remove it.

    Standard output is written into.

    Raises:
        OutputError: when the file cannot be written.

    """
    if is_stdout(path):
        yield stdout_of_bytes()
        sys.stdout.flush()
        return
    with _sentences(path):
        target = _target(path)
        if target is None:
            with io.FileIO(open_to_write(path), "wb") as raw, _Forward(raw) as forward:
                yield cast(IO[bytes], forward)
            return
        clear_stale(target.parent)
        temporary = _temporary(target.parent)  # a name that nobody else has: removed below even if it was never made
        try:
            with os.fdopen(_create(temporary), "wb") as file:
                _take_over(file.fileno(), target)
                yield file
                file.flush()
                os.fsync(file.fileno())
            _put_in_place(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        _flush_folder(target.parent)


def stdout_of_bytes() -> IO[bytes]:
    """Return standard output, for bytes.

    Raises:
        OutputError: where it takes only text, as in a notebook.

    """
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise OutputError("-: standard output takes no bytes here; name a file.")
    return cast(IO[bytes], stream)


def clear_stale(folder: Path) -> None:
    """Remove what a process that was killed had begun to write in a folder, once that is old."""
    if fcntl is None:
        return
    with suppress(OSError):
        for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
            with suppress(OSError):
                if path.lstat().st_mtime < time.time() - STALE and stat.S_ISREG(path.lstat().st_mode):
                    _remove_if_abandoned(path)


def is_temporary(name: str) -> bool:
    """Return whether a file of this name is one of ours that was being written."""
    return name.startswith(PREFIX) and name.endswith(SUFFIX)


def _remove_if_abandoned(path: Path) -> None:
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its writer holds this lock for as long as it lives
        path.unlink()


def _target(path: Path) -> Path | None:
    """Return the regular file that a path leads to, which may not exist yet; None for a device or a FIFO.

    Raises:
        OutputError: for what cannot be written.
        OSError: the same.

    """
    try:
        status = path.stat()
    except ValueError as error:  # a null character, or one that names here have none of
        raise OutputError(f"{str(path)!r}: no file can have this name ({error}).") from error
    except FileNotFoundError:
        if is_uri(path):
            raise OutputError(
                f"{path} is a URI, and results are written into files of this machine; name one, and copy it."
            ) from None
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            folder = target.parent if path.is_symlink() else path.parent
            raise OutputError(f"{path}: the folder {folder} does not exist; make it first.") from None
        return target
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        raise OutputError(f"{path}: is a folder; name a file in it.")
    if kind not in (stat.S_IFREG, stat.S_IFCHR, stat.S_IFIFO):
        what = {stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a disk"}.get(kind, "no file")
        raise OutputError(f"{path}: is {what}, which no file is written into; name a file.")
    # Root may write what nobody else may; that the file is not to be written is meant all the same.
    if not status.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise OutputError(f"{path}: is read-only; make it writable, or name another file.")
    for stream in (1, 2):
        with suppress(OSError):
            # Two may share a device that takes anything, but not what somebody reads.
            same = os.path.samestat(status, os.fstat(stream)) and (kind != stat.S_IFCHR or os.isatty(stream))
            if same:
                raise OutputError(f"{path}: is where this process prints to; name another file.")
    return Path(os.path.realpath(path)) if kind == stat.S_IFREG else None


def _temporary(folder: Path) -> Path:
    return folder / f"{PREFIX}{uuid4().hex[:12]}{SUFFIX}"


def _create(temporary: Path) -> int:
    """Return a new file, open for writing, of the mode that any new file gets, and locked as long as it is open."""
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    if fcntl is not None:
        with suppress(OSError):  # a filesystem without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _take_over(handle: int, target: Path) -> None:
    """Give a new file the owner and mode of the one that it is to replace."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return
    if hasattr(os, "fchown"):
        mine = os.fstat(handle)
        if (mine.st_uid, mine.st_gid) != (status.st_uid, status.st_gid):
            with suppress(OSError):  # only root may give a file away
                os.fchown(handle, status.st_uid, status.st_gid)
        os.fchmod(handle, status.st_mode & 0o777)


def _put_in_place(temporary: Path, target: Path) -> None:
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # The file is a mount of its own, as containers make them: it cannot be replaced, only written.
        with temporary.open("rb") as new, target.open("wb") as old:
            while chunk := new.read(1 << 20):
                old.write(chunk)
            old.flush()
            os.fsync(old.fileno())


def _flush_folder(folder: Path) -> None:
    """Have a new name outlast a power cut, where the system can say so."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        if error.errno == errno.ENAMETOOLONG:
            shown = str(path)
            shown = shown if len(shown) <= 100 else f"{shown[:60]}...{shown[-30:]}"
            raise OutputError(f"{shown}: the name is too long for this disk; give a shorter one.") from error
        raise OutputError(f"{path}: cannot be written ({reason}).") from error


class _Forward(io.BufferedIOBase):
    """What is written goes on to a device or a FIFO; unlike these it can tell how much that was."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self._n_bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._n_bytes

    def write(self, content: Any) -> int:
        left = memoryview(content).cast("B")
        n_bytes = len(left)
        while left:
            left = left[self._raw.write(left) or 0 :]
        self._n_bytes += n_bytes
        return n_bytes
