"""The one thread pool: a function mapped over items on several cores, results in order.

Kernels release the GIL, so Python threads run them in parallel; no process is forked and no copy made.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from typing import Any, TypeVar

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


def map_all(function: Callable[[A], B], items: Sequence[A], threads: int) -> list[B]:
    """Return `[function(item) for item in items]`, computed on `threads` threads, this one among them.

    One task a thread, each taking the next item as it is free: a future an item would cost more than a small block.
    """
    if threads == 1 or len(items) < 2:
        return [function(item) for item in items]
    results: list[Any] = [None] * len(items)
    numbers = count()

    def work() -> None:
        while (i := next(numbers)) < len(items):
            results[i] = function(items[i])

    others = [_pool(threads).submit(work) for _ in range(min(threads, len(items)) - 1)]
    work()
    for other in others:
        other.result()
    return results


def map_in_order(function: Callable[[A], B], items: Iterable[A], threads: int) -> Iterator[B]:
    """Yield `function(item)` for each item, in order, computed on `threads` threads.

    At most two items a thread are under way, so a stream of any length passes in bounded memory.
    """
    if threads == 1:
        yield from map(function, items)
        return
    pool = _pool(threads)
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: after each product its own would spin for milliseconds on the cores the passes need.

    Fits may run side by side in several threads: the first in sets the limit, the last out lifts it.
    """
    global _fits, _lift
    with _counting:
        if _fits == 0:
            _lift = _blas().limit(limits=1, user_api="blas").restore_original_limits
        _fits += 1
    try:
        yield
    finally:
        with _counting:
            _fits -= 1
            if _fits == 0:
                _lift()


_counting = threading.Lock()
_fits = 0
_lift: Callable[[], None]


@lru_cache
def _blas() -> Any:
    import numpy.linalg  # noqa: F401  the BLAS to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="zeroloop")


# A forked child inherits the pool's bookkeeping but not its threads; let it start its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
