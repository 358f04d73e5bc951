"""Files in stores, found by a URI: opened by pyarrow, or else by fsspec."""

from __future__ import annotations

import glob
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import compress
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from zeroloop.errors import DataError, ZeroloopWarning
from zeroloop.tables.files import File, first_line
from zeroloop.tables.hive import keys_of, outer_keys
from zeroloop.tables.kinds import is_data, without_notes
from zeroloop.tables.table_logs import check_no_log

SILENT, GIVES_UP = 5.0, 10.0  # seconds without an answer from a store, until it is said, and until it is an error


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


def find_remote(uri: str) -> tuple[list[File], bool]:
    """Return the files that a URI stands for, in sorted order, and whether it is a folder.

    Raises:
        DataError: when it cannot be opened, or there is nothing there.

    """
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


def _listed(filesystem: Any, place: str, prefix: str, uri: str) -> tuple[list[File], bool]:
    import pyarrow.fs as pafs

    if glob.has_magic(place):
        from fsspec.implementations.arrow import ArrowFSWrapper

        root = place[: min(place.find(sign) for sign in "*?[" if sign in place)].rpartition("/")[0]
        infos = filesystem.get_file_info(sorted(ArrowFSWrapper(filesystem).glob(place)))
        found = [(info, info.path[len(root) :]) for info in infos]
    else:
        info = filesystem.get_file_info(place)
        if info.type == pafs.FileType.NotFound:
            raise DataError(f"{uri}: no such file or folder.")
        if info.type == pafs.FileType.File:
            root, _, name = place.rpartition("/")
            found = [(info, name)]
        else:
            root = place.rstrip("/")
            infos = filesystem.get_file_info(pafs.FileSelector(place, recursive=True))
            below = [(one, one.path.removeprefix(place.lstrip("/")).removeprefix(place)) for one in infos]
            found = [(one, path) for one, path in below if is_data([part for part in path.split("/") if part])]
            found = list(compress(found, without_notes([path for _, path in found])))
    is_folder = not glob.has_magic(place) and info.type == pafs.FileType.Directory
    found = sorted(((i, path) for i, path in found if i.type == pafs.FileType.File), key=lambda pair: pair[0].path)
    folders = [str(PurePosixPath(info.path).parent) for info, _ in found[:1]]  # each costs some requests
    check_no_log(
        [root, *folders] if is_folder else folders, partial(_exists, filesystem), partial(_names_in, filesystem)
    )
    return [_remote(info, filesystem, prefix, root.split("/"), path.split("/")) for info, path in found], is_folder


def _exists(filesystem: Any, path: str) -> bool:
    import pyarrow.fs as pafs

    try:
        return bool(filesystem.get_file_info(path).type != pafs.FileType.NotFound)
    except OSError:  # a folder that may not be looked into
        return False


def _names_in(filesystem: Any, path: str) -> list[str]:
    import pyarrow.fs as pafs

    return [info.base_name for info in filesystem.get_file_info(pafs.FileSelector(path))]


def _remote(info: Any, filesystem: Any, prefix: str, above: Sequence[str], below: Sequence[str]) -> File:
    path = prefix + info.path.lstrip("/") if prefix.endswith("/") else prefix + info.path
    return File(
        path=path,
        place=info.path,
        filesystem=filesystem,
        size=info.size,
        modified=info.mtime_ns,
        keys=keys_of(below[:-1]),
        outer_keys=outer_keys(above),
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
