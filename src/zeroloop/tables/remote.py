"""Files in stores, found by a URI: opened by pyarrow, or else by fsspec."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import compress
from pathlib import PurePosixPath
from typing import Any

from zeroloop.errors import DataError
from zeroloop.tables.files import File
from zeroloop.tables.hive import keys_of, outer_keys
from zeroloop.tables.kinds import is_data, without_notes
from zeroloop.tables.stores import ask, is_pattern, root_of, unreachable, why_missing
from zeroloop.tables.table_logs import check_no_log


def find_remote(uri: str) -> tuple[list[File], bool]:
    """Return the files that a URI stands for, in sorted order, and whether it is a folder.

    Raises:
        DataError: when it cannot be opened, or there is nothing there.

    """
    try:
        filesystem, place, first = ask(uri, _about)
        prefix = uri[: len(uri) - len(place)] if uri.endswith(place) else uri.partition("://")[0] + "://"
        return _listed(filesystem, place, first, prefix, uri)
    except DataError:
        raise
    except Exception as error:  # fsspec's filesystems raise what they like
        raise unreachable(uri, error) from error


def _about(filesystem: Any, place: str) -> Any:
    """Return what a store says of a place, or of the folder that a pattern begins with."""
    return filesystem.get_file_info(root_of(place) if is_pattern(place) else place)


def _listed(filesystem: Any, place: str, first: Any, prefix: str, uri: str) -> tuple[list[File], bool]:
    import pyarrow.fs as pafs

    if is_pattern(place):
        from fsspec.implementations.arrow import ArrowFSWrapper

        root = root_of(place)
        infos = filesystem.get_file_info(sorted(ArrowFSWrapper(filesystem).glob(place)))
        if not infos and first.type == pafs.FileType.NotFound:
            raise DataError(f"{uri}: no file matches the pattern{why_missing(filesystem, root)}.")
        found = [(info, info.path[len(root) :]) for info in infos]
    else:
        if first.type == pafs.FileType.NotFound:
            raise DataError(f"{uri}: no such file or folder{why_missing(filesystem, place)}.")
        if first.type == pafs.FileType.File:
            root, _, name = place.rpartition("/")
            found = [(first, name)]
        else:
            root = place.rstrip("/")
            infos = filesystem.get_file_info(pafs.FileSelector(place, recursive=True))
            below = [(one, one.path.removeprefix(place.lstrip("/")).removeprefix(place)) for one in infos]
            found = [(one, path) for one, path in below if is_data([part for part in path.split("/") if part])]
            found = list(compress(found, without_notes([path for _, path in found])))
    is_folder = not is_pattern(place) and first.type == pafs.FileType.Directory
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
