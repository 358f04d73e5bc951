"""Files wherever they live, found by a path, a folder, a glob or a URI; each opened only as it was when found."""

from __future__ import annotations

import glob
import io
import os
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from zeroloop.errors import BadFileError, DataError, MissingFileError, ZeroloopError, ZeroloopWarning
from zeroloop.tables import svmlight
from zeroloop.tables.search import Found, by_glob, in_folder

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".pq", ".arrow", ".feather", ".ipc", *svmlight.SUFFIXES)
"""What a folder is searched for; a file named by itself is known by its first bytes, a libsvm file by its name."""

NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"  # Hive's word for a missing key

SILENT, GIVES_UP = 5.0, 10.0  # seconds without an answer from a store, until it is said, and until it is an error
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
        keys: name and value of each level of a hive-partitioned folder above it.
        broken: why it cannot be read, where the search has seen that already.

    """

    path: str
    place: str
    filesystem: Any
    size: int
    modified: int | None
    keys: tuple[Key, ...] = ()
    broken: str = ""

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

    def stream(self) -> Any:
        """Open the file for Python's own readers, buffered."""
        return io.BufferedReader(self.open())

    def head(self, n_bytes: int) -> bytes:
        """Return the first bytes."""
        with self.open() as file:
            content: bytes = file.read(n_bytes)
            return content


def find_files(given: str) -> list[File]:
    """Return the files that a path or URI stands for: itself, a folder's, or a glob's, in sorted order.

    Raises:
        DataError: when there is none.

    """
    if "://" in given:
        return _find_remote(given)
    try:
        return _find_local(given)
    except DataError:
        raise
    except (OSError, ValueError) as error:  # a name too long, a folder that may not be entered, a null character
        reason = error.strerror if isinstance(error, OSError) else first_line(error)
        raise DataError(f"{given[:200]}: cannot be opened ({reason}).") from error


def _find_local(given: str) -> list[File]:
    place = Path(given)
    if place.is_dir():
        return _some([_searched(one) for one in in_folder(place, is_data)], given, folder=True)
    if place.exists():
        if not place.is_file():
            raise DataError(
                f"{given}: is a pipe or a device, which can be read only once, and a table is read several times; "
                "write it to a file first."
            )
        return [_local(place)]
    if glob.has_magic(given):
        return _some([_searched(one) for one in by_glob(given)], given, folder=False)
    raise DataError(f"{given or 'The path is empty'}: no such file or folder.")


def _some(files: list[File], given: str, folder: bool) -> list[File]:
    if not files and folder:
        raise DataError(f"{given}: the folder holds no file ending in {', '.join(SUFFIXES)}.")
    if not files:
        raise DataError(f"{given}: no file matches the pattern.")
    return files


def is_data(parts: Sequence[str]) -> bool:
    """Return whether a file that a folder holds, the names on the way to it given, is one of its data."""
    hidden = any(part.startswith((".", "_")) and "=" not in part for part in parts)
    return not hidden and parts[-1].lower().endswith(SUFFIXES)


def _searched(found: Found) -> File:
    if not found.broken:
        return _local(found.path, found.below)
    path = str(found.path)
    keys = _keys(found.below)
    return File(path=path, place=path, filesystem=None, size=0, modified=None, keys=keys, broken=found.broken)


def _local(path: Path, below: Sequence[str] = ()) -> File:
    status = path.stat()
    return File(
        path=str(path),
        place=str(path),
        filesystem=None,
        size=status.st_size,
        modified=status.st_mtime_ns,
        keys=_keys(below),
    )


def _keys(parts: Sequence[str]) -> tuple[Key, ...]:
    """Return the hive keys of a path's folders: `year=2013/month=1/...`."""
    pairs = [part.partition("=") for part in parts[:-1] if "=" in part]
    return tuple((name, None if value == NO_PARTITION else unquote(value)) for name, _, value in pairs)


def _impatient(uri: str) -> str:
    """Return a URI whose store gives up after some seconds without an answer: Google's tries for minutes by default."""
    if not uri.startswith(("gs://", "gcs://")) or "retry_limit_seconds=" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}retry_limit_seconds={GIVES_UP:g}"


@contextmanager
def _waiting(uri: str) -> Iterator[None]:
    """Say of a store that does not answer that it is waited for."""
    text = f"{uri}: no answer yet after {SILENT:g} seconds; is there a network, and is the address right?"
    timer = threading.Timer(SILENT, warnings.warn, (text, ZeroloopWarning))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _find_remote(uri: str) -> list[File]:
    try:
        with _waiting(uri):
            filesystem, place = filesystem_of(uri)
            prefix = uri[: len(uri) - len(place)] if uri.endswith(place) else uri.partition("://")[0] + "://"
            return _listed(filesystem, place, prefix, uri)
    except DataError:
        raise
    except Exception as error:  # fsspec's filesystems raise what they like
        raise _unreachable(uri, error) from error


def _unreachable(uri: str, error: BaseException) -> DataError:
    return DataError(
        f"{uri}: cannot be opened ({first_line(error)}); check the address and what its store needs (a package, "
        "a network, credentials), or copy the files here and name those."
    )


def _listed(filesystem: Any, place: str, prefix: str, uri: str) -> list[File]:
    import pyarrow.fs as pafs

    if glob.has_magic(place):
        from fsspec.implementations.arrow import ArrowFSWrapper

        root = place[: min(place.find(sign) for sign in "*?[" if sign in place)].rpartition("/")[0]
        infos = filesystem.get_file_info(sorted(ArrowFSWrapper(filesystem).glob(place)))
        found = [(info, info.path[len(root) :]) for info in infos]
    else:
        info = filesystem.get_file_info(place)
        if info.type == pafs.FileType.File:
            return [_remote(info, filesystem, prefix)]
        if info.type == pafs.FileType.NotFound:
            raise DataError(f"{uri}: no such file or folder.")
        infos = filesystem.get_file_info(pafs.FileSelector(place, recursive=True))
        below = [(info, info.path.removeprefix(place.lstrip("/")).removeprefix(place)) for info in infos]
        found = [(info, path) for info, path in below if is_data([part for part in path.split("/") if part])]
    found = sorted(((i, path) for i, path in found if i.type == pafs.FileType.File), key=lambda pair: pair[0].path)
    files = [_remote(info, filesystem, prefix, path.split("/")) for info, path in found]
    return _some(files, uri, folder=not glob.has_magic(place))


def _remote(info: Any, filesystem: Any, prefix: str, below: Sequence[str] = ()) -> File:
    path = prefix + info.path.lstrip("/") if prefix.endswith("/") else prefix + info.path
    return File(
        path=path, place=info.path, filesystem=filesystem, size=info.size, modified=info.mtime_ns, keys=_keys(below)
    )


def filesystem_of(uri: str) -> tuple[Any, str]:
    """Return the filesystem of a URI, pyarrow's or else fsspec's, and the place in it; the environment has the keys."""
    import pyarrow.fs as pafs

    marked = glob.has_magic(uri)
    try:
        # A pattern's signs are not allowed in a URI: look up what stands before them.
        start = uri[: min(uri.find(sign) for sign in "*?[" if sign in uri)].rpartition("/")[0] if marked else uri
        filesystem, place = pafs.FileSystem.from_uri(_impatient(start))
        return filesystem, place + uri[len(start) :] if marked else place
    except pa.ArrowInvalid:
        pass
    except OSError as error:
        raise _unreachable(uri, error) from error
    import fsspec

    try:
        other, place = fsspec.core.url_to_fs(uri)
    except Exception as error:
        raise _unreachable(uri, error) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(other)), place


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


def partitioned(files: Sequence[File]) -> tuple[list[pa.Field], list[File]]:
    """Return the columns that hive keys make, and the files, each with a value for every one of them.

    Keys are whole numbers where all values are, else text.
    """
    names = list(dict.fromkeys(name for file in files for name, _ in file.keys))
    if not names:
        return [], list(files)
    complete = [replace(file, keys=tuple((name, dict(file.keys).get(name)) for name in names)) for file in files]
    fields = []
    for name in names:
        values = [dict(file.keys)[name] for file in complete]
        whole = all(value is None or value.removeprefix("-").isdecimal() for value in values)
        fields.append(pa.field(name, pa.int64() if whole and any(values) else pa.string()))
    return fields, complete


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
    except UnicodeDecodeError as error:
        raise BadFileError(path, f"text in it is no UTF-8 ({error.reason}: {error.object[:40]!r}).") from error
    except OSError as error:
        damaged = "page integrity" in str(error) or "orrupt" in str(error) or "ecompress" in str(error)
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


def first_line(error: BaseException) -> str:
    """Return what an error says first, without a full stop."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
