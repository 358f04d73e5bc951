"""Files wherever they live, found by a path, a folder, a glob or a URI; each opened only as it was when found."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from zeroloop.csv_options import CsvOptions
from zeroloop.errors import BadFileError, MissingFileError, ZeroloopError, first_line
from zeroloop.tables.kinds import ENDINGS
from zeroloop.tables.packed import DAMAGED, packing_of, unpacked

LARGE = 2**32  # bytes of one array: a damaged size is nearly always above, a batch's nearly always below

Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as it was found.

    Attributes:
        path: as a message names it: a local path or a URI.
        place: what its filesystem calls it.
        filesystem: a `pyarrow.fs.FileSystem`; None for the local one.
        size: in bytes.
        modified: when it was last changed, in nanoseconds; None where its filesystem does not say.
        keys: name and value of each level of a hive-partitioned folder, from where it was searched for down to it.
        outer_keys: those of the folders above, which columns of its own go before.
        broken: why it cannot be read, where the search has seen that already.
        csv: how it is written, where it is a sheet of a workbook; None for what is expected of all files.
        fetch: writes its content, where it has to be fetched before it can be opened; see `zeroloop.tables.kept`.

    """

    path: str
    place: str
    filesystem: Any
    size: int
    modified: int | None
    keys: tuple[Key, ...] = ()
    outer_keys: tuple[Key, ...] = ()
    broken: str = ""
    csv: CsvOptions | None = None
    fetch: Callable[[IO[bytes]], None] | None = None

    def open(self) -> pa.NativeFile:
        """Open the file for reading at any place.

        Raises:
            BadFileError: when it is gone or no longer the file that was found.
            OSError: when it cannot be opened.

        """
        self.check_unchanged()
        return (
            pa.OSFile(os.fsencode(self.place))
            if self.filesystem is None
            else self.filesystem.open_input_file(self.place)
        )

    def check_unchanged(self) -> None:
        """Check that the file is still the one that was found: before it is read, and when all of it has been.

        Raises:
            BadFileError: when it is gone, or of another size or time.

        """
        if self.broken:
            raise BadFileError(self.path, self.broken)
        now = _found(self.filesystem, self.place)
        if now is None:
            raise MissingFileError(self.path, "the file is gone since this run found it; put it back, or start anew.")
        if now != (self.size, self.modified):
            raise BadFileError(
                self.path,
                f"the file has changed since this run found it ({self.size:,} bytes then, {now[0]:,} now); "
                "start anew when it is complete.",
            )

    def unpacked(self, source: pa.NativeFile) -> pa.NativeFile:
        """Return what is in the file, opened as `source`, as a stream; the file itself where it is not packed."""
        return unpacked(source, self.path, ENDINGS)

    def head(self, n_bytes: int) -> tuple[str | None, bytes]:
        """Return how the file is packed, None where it is not, and the first bytes of what is in it."""
        with self.open() as source:
            packing = packing_of(source.read(n_bytes))
            source.seek(0)
            with self.unpacked(source) as file:
                return packing, file.read(n_bytes)


def _found(filesystem: Any, place: str) -> tuple[int, int | None] | None:
    """Return size and time of change of a file; None where there is none."""
    if filesystem is None:
        try:
            status = Path(place).stat()
        except FileNotFoundError:
            return None
        return status.st_size, status.st_mtime_ns
    info = filesystem.get_file_info(place)
    return (info.size, info.mtime_ns) if info.is_file else None


@contextmanager
def reading(path: str, what: str = "the file") -> Iterator[None]:
    """Turn what goes wrong while a file, or something else of Arrow's, is read into one sentence that names it."""
    try:
        yield
    except pa.ArrowMemoryError as error:
        size = _size_asked(error)
        if size < LARGE:
            raise
        reason = (
            f"one array of it takes {size:.1e} bytes, which cannot be had: {what} is damaged, or its batches are too "
            "large; copy it again, or write it in smaller ones."
        )
        raise BadFileError(path, reason) from error
    except pa.ArrowException as error:
        raise BadFileError(path, f"{what} is damaged or cut short ({first_line(error)}).") from error
    except DAMAGED as error:
        raise BadFileError(path, f"{what} is damaged or cut short ({first_line(error)}).") from error
    except UnicodeDecodeError as error:
        raise BadFileError(path, f"text in it is no UTF-8 ({error.reason}: {error.object[:40]!r}).") from error
    except OSError as error:
        damaged = any(word in str(error) for word in ("page integrity", "orrupt", "ompress", "inflate"))
        fault = f"{what} is damaged or cut short" if damaged else "cannot be read"
        raise BadFileError(path, f"{fault} ({error.strerror or first_line(error)}).") from error
    except ZeroloopError:
        raise
    except Exception as error:
        if "://" not in path:
            raise
        raise BadFileError(path, f"cannot be read ({first_line(error)}).") from error  # as fsspec's stores raise it


def _size_asked(error: pa.ArrowMemoryError) -> int:
    """Return the bytes that Arrow could not allocate, 0 where it does not say."""
    found = re.search(r"size (\d+)", str(error))
    return int(found[1]) if found else 0
