"""Where files are kept for as long as a run needs them, and whether there is room."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from zeroloop.errors import OutputError
from zeroloop.outputs import is_uri

RESERVE = 2**29  # bytes of a disk that are left free


def spill_folder(given: str | None) -> Path:
    """Return where to spill: as given, `TMPDIR`, or else /var/tmp, because /tmp is memory on many machines.

    Only a folder that was given is checked: whether the system's is needed, and not there, is known once rows do not
    fit into memory.

    Raises:
        OutputError: for a folder that does not exist or cannot be written in.

    """
    if not given:
        named = [Path(os.environ[name]) for name in ("TMPDIR",) if os.environ.get(name)]
        usual = [*named, Path("/var/tmp"), Path("/tmp")]
        return next((folder for folder in usual if os.access(folder, os.W_OK | os.X_OK)), usual[0])
    folder = Path(given)
    if is_uri(given):
        raise OutputError(f"spill: {given[:200]} is a URI, and rows are kept on a disk of this machine; name a folder.")
    if not os.path.isdir(folder):  # noqa: PTH112  which takes a name that is too long for one that is not there
        raise OutputError(f"spill: the folder {given[:200]} does not exist; make it, or name another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"spill: no file can be written in {folder}; name another folder, or 'none'.")
    return folder


def has_room(folder: Path, n_bytes: int) -> bool:
    """Return whether a folder's disk has room for so many bytes more, and some left over for others."""
    try:
        return shutil.disk_usage(folder).free >= n_bytes + RESERVE
    except OSError as error:
        raise OutputError(
            f"spill: no file can be written in {folder} ({error.strerror}); name another folder, or 'none'."
        ) from error
