"""Threads: inside forks, other pools and joblib's workers; the count respected, the bits the same."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from conftest import made
from zeroloop import LogisticRegression
from zeroloop.errors import OptionError
from zeroloop.sources.threads import map_all, map_in_order, one_blas_thread, thread_count

X, Y = made(60_000, 12)


def fitted(n_jobs: int | None = None) -> NDArray[np.float64]:
    coef: NDArray[np.float64] = LogisticRegression(n_jobs=n_jobs).fit(X, Y).coef_
    return coef


def test_any_number_of_threads_gives_the_same_bits() -> None:
    assert len({fitted(n_jobs).tobytes() for n_jobs in (1, 2, 3, 8, -1, None)}) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_starts_its_own_threads() -> None:
    wanted = fitted(2).tobytes()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # the parent's pool has threads that this process does not
        os.write(writing, b"same" if fitted(2).tobytes() == wanted else b"else")
        os._exit(0)
    os.close(writing)
    assert os.read(reading, 4) == b"same"
    os.waitpid(child, 0)


def test_fits_side_by_side_in_another_pool() -> None:
    wanted = fitted().tobytes()
    with ThreadPoolExecutor(4) as pool:
        assert {coef.tobytes() for coef in pool.map(fitted, [2] * 8)} == {wanted}


def _in_worker() -> tuple[int, Any]:
    return thread_count(None), fitted().tobytes()


def test_joblibs_workers_share_the_cores() -> None:
    counts = Parallel(n_jobs=2)(delayed(_in_worker)() for _ in range(2))
    assert {coef for _, coef in counts} == {fitted().tobytes()}
    assert {count for count, _ in counts} == {max(1, thread_count(None) // 2)}


@pytest.mark.parametrize(("variable", "count"), [("1", 1), ("1000000", None), ("", None), ("2,1", None), ("0", 1)])
def test_the_usual_variable_lowers_the_count(monkeypatch: pytest.MonkeyPatch, variable: str, count: int | None) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    every = thread_count(None)
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert thread_count(None) == (count or every)
    assert thread_count(7) == 7
    with pytest.raises(OptionError, match="threads is 0; it must be at least 1"):
        thread_count(0)


def test_one_error_of_many_threads_reaches_the_caller() -> None:
    def fail(i: int) -> int:
        if i == 5:
            raise ValueError("five")
        return i

    with pytest.raises(ValueError, match="five"):
        map_all(fail, range(10), 3)
    with pytest.raises(ValueError, match="five"):
        list(map_in_order(fail, range(10), 3))


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_blas_has_one_thread_while_a_fit_runs() -> None:
    before = blas_threads()
    with one_blas_thread():
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_fits_side_by_side_leave_blas_as_it_was() -> None:
    before = blas_threads()
    inside, outside = threading.Event(), threading.Event()

    def another() -> None:
        with one_blas_thread():
            inside.set()
            outside.wait(10)

    thread = threading.Thread(target=another)
    with one_blas_thread():
        thread.start()
        inside.wait(10)
    outside.set()
    thread.join()
    assert blas_threads() == before
