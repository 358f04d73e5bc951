"""What a path stands for: a file, a folder's files, or a glob's, here or in a store."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from itertools import compress
from pathlib import Path

from zeroloop.errors import DataError, first_line
from zeroloop.tables.files import File
from zeroloop.tables.hive import keys_of, outer_keys
from zeroloop.tables.kinds import IN_WORDS, ending_of, is_data, without_notes
from zeroloop.tables.pipes import is_pipe, pipe
from zeroloop.tables.remote import find_remote
from zeroloop.tables.search import Found, by_glob, in_folder
from zeroloop.tables.table_logs import check_no_log
from zeroloop.tables.web import is_page, page


def find_files(given: str) -> list[File]:
    """Return the files that a path or URI stands for: itself, a folder's, or a glob's, in sorted order.

    Raises:
        DataError: when there is none, when a folder's are of several kinds, or when they are those of a table with a
            log.

    """
    if is_pipe(given):
        return [pipe(given)]
    if is_page(given):
        return [page(given)]
    if "://" in given:
        return _checked(*find_remote(given), given)
    try:
        files = _find_local(given)
        is_folder = Path(given).is_dir()
        folders = {str(Path(file.place).parent) for file in files if not file.broken}
        check_no_log([given, *folders] if is_folder else folders, os.path.lexists, os.listdir)
    except DataError:
        raise
    except (OSError, ValueError) as error:  # a name too long, a folder that may not be entered, a null character
        reason = error.strerror if isinstance(error, OSError) else first_line(error)
        raise DataError(f"{given[:200]}: cannot be opened ({reason}).") from error
    return _checked(files, is_folder, given)


def _checked(files: list[File], is_folder: bool, given: str) -> list[File]:
    """Return the files that a path stands for, if there are some, and those of a folder are not the same rows twice."""
    if not files and not is_folder:
        raise DataError(f"{given}: no file matches the pattern.")
    if not files:
        raise DataError(f"{given}: the folder holds no file ending in {IN_WORDS}, packed (.gz, .zip) or not.")
    kinds = Counter(ending_of(file.path) for file in files if is_folder and not file.broken)
    if len(kinds) > 1:
        counts = ", ".join(f"{n:,} {ending}" for ending, n in sorted(kinds.items()))
        one = kinds.most_common(1)[0][0]
        raise DataError(
            f"{given}: the folder holds files of several kinds ({counts}), which may be the same rows more than once; "
            f"name one kind, such as '{given.rstrip('/')}/**/*{one}', or the files that are meant."
        )
    return files


def _find_local(given: str) -> list[File]:
    place = Path(given)
    if place.is_dir():
        found = in_folder(place, is_data)
        data = without_notes([one.path.name for one in found])
        return [_searched(one, place.parts) for one in compress(found, data)]
    if place.exists():
        if not place.is_file():
            raise DataError(
                f"{given}: is a device or a socket, which holds no table; name a file, a pipe, or - for standard input."
            )
        return [_searched(Found(place, place.parts[-1:]), place.parent.parts)]
    if glob.has_magic(given):
        above = place.parts[: next(i for i, part in enumerate(place.parts) if glob.has_magic(part))]
        return [_searched(one, above) for one in by_glob(given)]
    raise DataError(f"{given or 'The path is empty'}: no such file or folder.")


def _searched(found: Found, above: Sequence[str]) -> File:
    status = None if found.broken else found.path.stat()
    return File(
        path=str(found.path),
        place=str(found.path),
        filesystem=None,
        size=0 if status is None else status.st_size,
        modified=None if status is None else status.st_mtime_ns,
        keys=keys_of(found.below[:-1]),
        outer_keys=outer_keys(above),
        broken=found.broken,
    )
