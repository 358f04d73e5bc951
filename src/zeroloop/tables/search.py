"""What a folder or a glob on this machine stands for: one rule for both.

Links are followed, to files and to folders, but never round in a circle. What cannot be read (a folder without
permission, a link that leads nowhere, what is no file) is found too, with the reason: it is data that is missing.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a search has met.

    Attributes:
        path: where.
        below: names that lead to it from where the search began.
        broken: why it cannot be read; empty if nothing says so.

    """

    path: Path
    below: tuple[str, ...]
    broken: str = ""


def in_folder(folder: Path, is_data: Callable[[Sequence[str]], bool]) -> list[Found]:
    """Return what is data in a folder and those below it, in sorted order."""
    found: list[Found] = []

    def search(place: Path, below: tuple[str, ...], above: frozenset[tuple[int, int]]) -> None:
        try:
            status = place.stat()
            names = sorted(os.listdir(place))  # noqa: PTH208  names, not paths
        except OSError as error:
            found.append(Found(place, (*below, ""), _folder(error)))
            return
        identity = status.st_dev, status.st_ino
        if identity in above:
            return
        for name in names:
            path, parts = place / name, (*below, name)
            if path.is_dir():
                if is_data((*parts, "any.csv")):
                    search(path, parts, above | {identity})
            elif is_data(parts):
                found.append(Found(path, parts, _broken(path)))

    search(folder, (), frozenset())
    return sorted(found, key=lambda one: one.path)


def by_glob(pattern: str) -> list[Found]:
    """Return what a pattern stands for, in sorted order."""
    parts = Path(pattern).parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]
    found = [Found(path, path.parts[first:], _broken(path)) for path in matches if not path.is_dir()]
    for end in range(first, len(parts)):
        # Folders that a glob passes by in silence, because it cannot look into them.
        folders = map(Path, glob.glob(str(Path(*parts[:end])) + os.sep, recursive=True))
        shut = [place for place in folders if place.is_dir() and not os.access(place, os.R_OK | os.X_OK)]
        found += [Found(place, (*place.parts[first:], ""), _folder(None)) for place in shut]
    distinct = {one.path: one for one in found if not _circles(one.path)}
    return [distinct[path] for path in sorted(distinct)]


def _broken(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "a link that leads nowhere; mend it, or remove it."
    except OSError as error:
        return f"cannot be read ({error.strerror})."
    return "" if stat.S_ISREG(mode) else "no file but a device, a FIFO or a socket; name it by itself, or remove it."


def _folder(error: OSError | None) -> str:
    reason = "Permission denied" if error is None else error.strerror
    return f"the folder cannot be searched ({reason}); what it holds would be missing."


def _circles(path: Path) -> bool:
    """Return whether a path goes through one folder twice."""
    seen = set()
    for identity in _identities(path):
        if identity in seen:
            return True
        seen.add(identity)
    return False


def _identities(path: Path) -> Iterator[tuple[int, int]]:
    for above in Path(os.path.abspath(path)).parents:  # noqa: PTH100  the links on the way count
        status = above.stat()
        yield status.st_dev, status.st_ino
