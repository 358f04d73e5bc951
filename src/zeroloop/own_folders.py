"""Whether a folder is ours alone: what lies in it may be executed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MOST_LINKS = 40  # that the system follows


def is_ours(folder: Path) -> bool:
    """Return whether nobody but us, and the system's administrator, can have put anything into a folder, or can.

    It, and all in it, belong to us (or to the administrator) and no other may write to them; nor to the folders and
    links above, but for folders such as /tmp, where nobody may rename what is another's. Where it does not exist, the
    question is whether it would be so once made.
    """
    if not hasattr(os, "geteuid"):
        return True  # not a system with such owners
    try:
        return folder.is_absolute() and _is_safe(folder, MOST_LINKS) and _holds_ours(folder)
    except OSError:
        return False


def _is_safe(path: Path, links: int) -> bool:
    """Return whether no stranger can exchange a path, or write to its end."""
    parts = Path(os.path.abspath(path)).parts  # noqa: PTH100  links are looked at, not followed
    for n in range(1, len(parts) + 1):
        here, last = Path(*parts[:n]), n == len(parts)
        try:
            found = here.lstat()
        except FileNotFoundError:
            return True  # those above are safe, and what is made in them is ours
        if not _of_us(found):
            return False
        if stat.S_ISLNK(found.st_mode):
            if links == 0 or not _is_safe(here.parent / here.readlink(), links - 1):
                return False
            found = here.stat()
        sticky = bool(found.st_mode & stat.S_ISVTX) and not last
        if not _of_us(found) or not (sticky or _only_we_write(found)):
            return False
    return True


def _holds_ours(folder: Path) -> bool:
    if not folder.exists():
        return True
    with os.scandir(folder) as entries:
        found = [entry.stat(follow_symlinks=False) for entry in entries]
    return all(_of_us(one) and (_only_we_write(one) or stat.S_ISLNK(one.st_mode)) for one in found)


def _of_us(found: os.stat_result) -> bool:
    return found.st_uid in (0, os.geteuid())


def _only_we_write(found: os.stat_result) -> bool:
    if found.st_mode & stat.S_IWOTH:
        return False
    return not found.st_mode & stat.S_IWGRP or found.st_gid == 0 or _is_private(found.st_gid)


def _is_private(group: int) -> bool:
    """Return whether a group is ours alone, named as we are: many systems give each user one, and it write access."""
    import grp
    import pwd

    try:
        us, its = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return us.pw_gid == group and its.gr_name == us.pw_name and set(its.gr_mem) <= {us.pw_name}
