"""How much memory there is, and how much of it a run may fill with rows."""

from __future__ import annotations

import math
import os
import re
import threading
import weakref
from pathlib import Path

from zeroloop.errors import OptionError

SHARE = 0.5  # of the machine's or the container's memory, unless a budget is given
UNITS = {"": 1, "k": 1_000, "m": 1_000**2, "g": 1_000**3, "t": 1_000**4}
BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class Budget:
    """Bytes of memory that may be filled with rows, by one store or by several at once."""

    def __init__(self, n_bytes: int) -> None:
        self._left = n_bytes
        self._lock = threading.RLock()  # a share may be forgotten while another is taken, in the same thread

    def lease(self) -> Lease:
        """Return a share of it, with nothing taken yet; what is taken comes back when the share is forgotten."""
        return Lease(self)

    def change(self, n_bytes: int) -> bool:
        """Take some bytes, or give back a negative number; return whether they were there."""
        with self._lock:
            if n_bytes > self._left:
                return False
            self._left -= n_bytes
            return True


class Lease:
    """What one store has taken of a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._taken = [0]
        weakref.finalize(self, lambda taken: budget.change(-taken[0]), self._taken)

    @property
    def n_bytes(self) -> int:
        """Bytes taken."""
        return self._taken[0]

    def take(self, n_bytes: int) -> bool:
        """Take so many bytes more; return whether they were there."""
        if not self._budget.change(n_bytes):
            return False
        self._taken[0] += n_bytes
        return True

    def give_back(self) -> None:
        """Give back all that was taken."""
        self._budget.change(-self._taken[0])
        self._taken[0] = 0


def memory_budget(given: str | int | None) -> int:
    """Return the bytes that a run may fill with rows: as given, or a share of what the machine or container has.

    Args:
        given: a number of bytes, or text such as "4GiB" or "500MB".

    Raises:
        OptionError: for what is no size.

    """
    if given is None:
        return int(SHARE * memory_limit())
    size = given if isinstance(given, int) else parse_size(given)
    if size <= 0:
        raise OptionError(f"memory is {given!r}; it must be above 0, such as 4GiB.")
    return size


def parse_size(text: str) -> int:
    """Return the bytes that text such as "4GiB", "500MB" or "1048576" means.

    Raises:
        OptionError: for other text.

    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([kmgt]?i?)b?\s*", text, re.IGNORECASE)
    unit = found[2].lower() if found else "?"
    if found is None or unit not in UNITS | BINARY:
        raise OptionError(f"memory is {text!r}; expected a size such as 4GiB, 500MB or a number of bytes.")
    size = float(found[1]) * (UNITS | BINARY)[unit]
    if math.isinf(size):
        raise OptionError(f"memory is {text[:20]}..., more than any machine has; expected a size such as 4GiB.")
    return int(size)


def size_text(n_bytes: float) -> str:
    """Return a number of bytes as a person reads it."""
    for unit, size in reversed(BINARY.items()):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit.capitalize()}B"
    return f"{n_bytes:.0f} bytes"


def memory_limit() -> int:
    """Return the memory of the machine, the container, or that this process may use: the least of them, in bytes."""
    limits = [_limit_of_group(), _limit_of_process()]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else 8 * 2**30


def _limit_of_group() -> int | None:
    """Return the limit of the control groups that this process is in, of either version."""
    limits = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        root, name = ("memory", "memory.limit_in_bytes") if "memory" in controllers else ("", "memory.max")
        if controllers and "memory" not in controllers:
            continue
        group = Path("/sys/fs/cgroup", root, path.lstrip("/"))
        for folder in (group, *group.parents):
            if folder == Path("/sys/fs"):
                break
            try:
                limits.append(int((folder / name).read_text()))
            except (OSError, ValueError):  # none, or "max"
                continue
    return min(limits, default=None)


def _limit_of_process() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
