"""The one thread pool: a function mapped over items on several cores, results in order.

Kernels release the GIL, so Python threads run them in parallel; no process is forked and no copy made.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any, TypeVar

from zeroloop.errors import OptionError
from zeroloop.tree import Tree

A = TypeVar("A")
B = TypeVar("B")


def thread_count(threads: int | None) -> int:
    """Return how many threads to use: as asked, or one for each core this process may run on.

    `OMP_NUM_THREADS` lowers the default: joblib and Dask set it in their workers, people on shared machines.

    Raises:
        OptionError: for a count below 1.

    """
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        wanted = os.environ.get("OMP_NUM_THREADS", "")
        return min(cores, max(1, int(wanted))) if wanted.isdecimal() else cores
    if threads < 1:
        raise OptionError(f"threads is {threads}; it must be at least 1 (leave it out to use every core).")
    return threads


def beside_reading(threads: int) -> int:
    """Return how many threads work on what is being decoded, which keeps one of them busy.

    More would wait for Python's lock and for each other: measured, two on two cores take a third longer than one.
    """
    return max(1, threads - 1)


def map_all(function: Callable[[A], B], items: Sequence[A], threads: int) -> list[B]:
    """Return `[function(item) for item in items]`, computed on `threads` threads, this one among them.

    One task a thread, each taking the next item as it is free: a future an item would cost more than a small block.
    """
    if threads == 1 or len(items) < 2:
        return [function(item) for item in items]
    results: list[Any] = [None] * len(items)
    numbers = count()

    stopped = False

    def work() -> None:
        nonlocal stopped
        try:
            while not stopped and (i := next(numbers)) < len(items):
                results[i] = function(items[i])
        except BaseException:  # Ctrl-C among them: the others end after the item they are at
            stopped = True
            raise

    others = [_pool(threads).submit(work) for _ in range(min(threads, len(items)) - 1)]
    try:
        work()
    finally:
        wait(others)
    for other in others:
        other.result()
    return results


def sum_all(function: Callable[[A], B], items: Sequence[A], threads: int) -> B:
    """Return the sum of `function(item)` over at least one item, in the order of `zeroloop.tree`.

    Each result is added as soon as it can be, so that few wait: a Hessian may be megabytes.
    """
    if len(items) == 1:
        return function(items[0])
    lock, tree = threading.Lock(), Tree[B]()

    def work(numbered: tuple[int, A]) -> None:
        i, item = numbered
        result = function(item)
        with lock:
            tree.add(i, result)

    map_all(work, list(enumerate(items)), threads)
    return tree.total()


def map_in_order(function: Callable[[A], B], items: Iterable[A], threads: int) -> Iterator[B]:
    """Yield `function(item)` for each item, in order, computed on `threads` threads.

    At most an item a thread and one more are under way, so a stream of any length passes in bounded memory.
    """
    if threads == 1:
        yield from map(function, items)
        return
    pool = _pool(threads)
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        wait(waiting)


def read_ahead(items: Iterable[A], most: int) -> Generator[A]:
    """Yield the items, taken by a thread of its own up to `most` before they are asked for."""
    ready: queue.Queue[tuple[A | None, BaseException | None]] = queue.Queue(most)
    stopped = threading.Event()

    def put(item: A | None, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            try:
                ready.put((item, error), timeout=0.1)
            except queue.Full:
                continue
            return

    def read() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001  raised where the items are wanted
            put(None, error)

    thread = threading.Thread(target=read, name="zeroloop-read", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        thread.join()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, where NumPy's products are timed: several wait for each other beside any other work.

    The limit is the process's. Where several threads ask for it side by side, the first in sets it and the last out
    lifts it; threadpoolctl alone would have each put back what it found, the last one a limit of another.
    """
    with _held.lock:
        if _held.count == 0:
            _held.limit = find_blas().limit(limits=1, user_api="blas")
        _held.count += 1
    try:
        yield
    finally:
        with _held.lock:
            _held.count -= 1
            if _held.count == 0:
                for library in find_blas().lib_controllers:
                    if hasattr(library, "clear_controlling_thread"):  # from 3.8: else no other thread may lift it
                        library.clear_controlling_thread(force=True)
                _held.limit.restore_original_limits()


@dataclass
class _Held:
    """How many hold BLAS to one thread, and what lifts it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    count: int = 0
    limit: Any = None


_held = _Held()


@lru_cache
def find_blas() -> Any:
    """Return what controls BLAS's threads; looked for once, for some 10 ms."""
    import numpy.linalg  # noqa: F401  the BLAS to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="zeroloop")


def _forget_threads() -> None:
    """Start anew in a forked child: it inherits bookkeeping and locks, but not the threads that work and hold them."""
    _pool.cache_clear()
    find_blas.cache_clear()
    if _held.count:  # the parent's, none of which goes on here
        _held.limit.restore_original_limits()
    _held.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
