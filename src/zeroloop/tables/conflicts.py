"""Outputs told apart from inputs, and from each other, before any work: what is read is never written over.

Files are compared by what they are (device and inode), so that links, relative paths and other spellings count as the
same file; one that does not exist yet, by its folder and its name in it.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path
from typing import Any

from zeroloop.errors import OutputError, ZeroloopError
from zeroloop.outputs import is_stdout
from zeroloop.tables.find import find_files
from zeroloop.tables.kinds import is_data, without_notes
from zeroloop.tables.search import in_folder
from zeroloop.tables.sql import Sql, files_of

Identity = tuple[int, int, str]


def check_outputs(
    outputs: Mapping[str, str | PathLike[str] | None],
    data: Any = None,
    models: Sequence[str | PathLike[str]] = (),
    checkpoint: str | PathLike[str] | None = None,
) -> None:
    """Check that no output is an input or another output, or lies where it would be taken for an input later.

    Args:
        outputs: files to be written, by the option that names them; None for none.
        data: what is read, as `zeroloop.train` takes it.
        models: model files that are read.
        checkpoint: a folder that is written to, and holds nothing else.

    Raises:
        OutputError: for the first that is; nothing has been written then.

    """
    given = [str(item) for item in _paths(data)]
    named = {option: Path(path) for option, path in outputs.items() if path is not None and "://" not in str(path)}
    if not named:
        return
    inputs = {_identity(Path(path)): path for path in _local_files(given, data)}
    loaded = {_identity(Path(path)): path for path in models}
    seen: dict[Identity, str] = {}
    for option, path in named.items():
        if is_stdout(path) or _takes_anything(path):
            continue
        identity = _identity(path)
        if identity in inputs or identity in loaded:
            what = "the model that is read" if identity in loaded else "one of the files that are read"
            raise OutputError(f"{path}: is {what}, and would be lost; name another file for {option}.")
        if identity in seen:
            raise OutputError(f"{path}: is named for {seen[identity]} and for {option}; name two files.")
        seen[identity] = option
        for read in (*inputs.values(), *loaded.values()):
            if path.is_dir() and _below(Path(read), path) is not None:
                raise OutputError(f"{path}: holds {read}, which is read; name another place for {option}.")
        if checkpoint is not None and (
            identity == _identity(Path(checkpoint)) or _below(path, Path(checkpoint)) is not None
        ):
            raise OutputError(f"{path}: lies in the checkpoint's folder, which holds nothing else; write it elsewhere.")
        for pattern in given:
            if _would_be_read(path, pattern):
                raise OutputError(
                    f"{path}: lies where {pattern} is searched for data, and would be read as such the next time; "
                    f"name another place for {option}."
                )


def _paths(data: Any) -> list[Any]:
    if isinstance(data, Sql):
        return files_of(data)
    if isinstance(data, str | PathLike):
        return [data]
    return [item for item in data if isinstance(item, str | PathLike)] if isinstance(data, list | tuple) else []


def _local_files(given: Sequence[str], data: Any) -> Iterator[str]:
    """Yield the files of this machine among what is read; what cannot be found is said by whoever reads it."""
    for path in given:
        try:
            scheme = path.partition("://")[0] if "://" in path else ""
            if scheme in ("", "file", "local"):
                yield from (file.place for file in find_files(path) if not file.broken)
        except (ZeroloopError, OSError, ValueError):
            continue
    if not isinstance(data, str | list | tuple):
        yield from getattr(data, "files", None) or ()  # a pyarrow Dataset of files


def _takes_anything(path: Path) -> bool:
    """Return whether a path leads to a device, such as the null device, which two outputs may share."""
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _identity(path: Path) -> Identity:
    try:
        status = path.stat()
    except (OSError, ValueError):
        pass
    else:
        return status.st_dev, status.st_ino, ""
    try:
        real = Path(os.path.realpath(path))
        folder = real.parent.stat()
    except (OSError, ValueError):
        return -1, -1, str(path)
    return folder.st_dev, folder.st_ino, real.name


def _below(path: Path, folder: Path) -> tuple[str, ...] | None:
    """Return the names that lead from a folder to a path in it; None where it is not in it."""
    try:
        wanted = folder.stat()
        real = Path(os.path.realpath(path))
    except (OSError, ValueError):
        return None
    for above in real.parents:
        try:
            if os.path.samestat(above.stat(), wanted):
                return real.relative_to(above).parts
        except OSError:
            continue
    return None


def _would_be_read(path: Path, given: str) -> bool:
    """Return whether a search for data, in a folder or by a glob, would find a file at a path."""
    place = Path(given.removeprefix("file://"))
    if place.is_dir():
        below = _below(path, place)
        if below is None or not is_data(below):
            return False
        beside = [str(one.path) for one in in_folder(place, is_data)]
        return without_notes([*beside, str(path)])[-1]
    if "://" in given or place.exists() or not glob.has_magic(given):
        return False
    parts = place.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    below = _below(path, Path(*parts[:first]))
    return below is not None and _matches(below, parts[first:])


def _matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether a glob's pattern, `**` included, matches a path, both in parts."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        return _matches(names, pattern[1:]) or (
            bool(names) and not names[0].startswith(".") and _matches(names[1:], pattern)
        )
    if not names or (names[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatchcase(names[0], pattern[0]) and _matches(names[1:], pattern[1:])
