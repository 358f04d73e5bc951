"""The one thread pool: a function mapped over items on several cores, results in order.

Kernels release the GIL, so Python threads run them in parallel; no process is forked and no copy made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

from zeroloop.errors import OptionError

A = TypeVar("A")
B = TypeVar("B")


def thread_count(threads: int | None) -> int:
    """Return how many threads to use: as asked, or one for each core this process may run on.

    Raises:
        OptionError: for a count below 1.

    """
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if threads < 1:
        raise OptionError(f"threads is {threads}; it must be at least 1 (leave it out to use every core).")
    return threads


def map_in_order(function: Callable[[A], B], items: Iterable[A], threads: int) -> list[B]:
    """Return `[function(item) for item in items]`, computed on `threads` threads."""
    items = list(items)
    if threads == 1 or len(items) < 2:
        return [function(item) for item in items]
    return list(_pool(threads).map(function, items))


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="zeroloop")


# A forked child inherits the pool's bookkeeping but not its threads; let it start its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
