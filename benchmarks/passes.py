"""The time of a pass over the time of reading the same bytes, and how a fit's time grows with rows and columns."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems import dense
from zeroloop import core
from zeroloop.kernels import statistics
from zeroloop.sources.memory import stacked
from zeroloop.sources.threads import map_all, thread_count

SHAPES = [(5_000_000, 10), (4_000_000, 20), (1_000_000, 50), (500_000, 200), (100_000, 1_000)]
REPEATS = 9


def passes() -> list[dict[str, Any]]:
    """Return a row for each shape, precision and layout: seconds of reading and of each kernel's pass."""
    rng = np.random.default_rng(0)
    rows = []
    for m, n in SHAPES:
        for dtype in (np.float32, np.float64):
            for layout in ("stacked", "row-major"):
                print(f"passes: {m:,} x {n} {np.dtype(dtype)} {layout} ...", flush=True)
                X = rng.standard_normal((n, m) if layout == "stacked" else (m, n), dtype=dtype)
                seconds = _kernels(X, layout == "stacked", (rng.random(m) < 0.3).astype(np.float64))
                rows.append({"m": m, "n": n, "dtype": str(np.dtype(dtype)), "layout": layout, "seconds": seconds})
    return rows


def _kernels(X: NDArray[Any], is_stacked: bool, y: NDArray[np.float64]) -> dict[str, float]:
    source = stacked(X if is_stacked else X.T, y)
    n = source.n_numeric
    coef, centre = np.full((1, n + 1), 0.1 / np.sqrt(n)), np.zeros(n)
    parts = np.array_split(X.reshape(-1), 32 * thread_count(None))
    sums = partial(statistics.sums, coef=coef, centre=centre)
    of_pass: dict[str, Callable[[Any], Any]] = {
        "loss + gradient": partial(sums, order=1),
        "Hessian times vector": partial(statistics.hessian_vector, coef=coef, direction=coef, centre=centre),
        "loss + gradient + Hessian": partial(sums, order=2),
    }
    seconds = {"read": _median(lambda: map_all(core.read, parts, thread_count(None)))}
    for name, statistic in of_pass.items():
        if n <= 200 or "+ Hessian" not in name:
            seconds[name] = _median(partial(source.reduce, statistic))
    seconds["predictor"] = _median(lambda: source.concatenate(partial(statistics.predictor, coef=coef, centre=centre)))
    return seconds


def _median(function: Callable[[], Any]) -> float:
    function()  # wake the threads
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def growth() -> dict[str, list[dict[str, float]]]:
    """Return seconds of a fit by rows, at 20 columns, and by columns, at 100,000 rows (fewer for the widest)."""
    from zeroloop import LogisticRegression

    def row(m: int, n: int) -> dict[str, float]:
        print(f"growth: {m:,} x {n} ...", flush=True)
        problem = dense(m, n, 2)
        seconds: list[float] = []
        fitted = None
        while len(seconds) < 3 and sum(seconds) < 5:
            start = time.perf_counter()
            fitted = LogisticRegression().fit(problem.X, problem.y)
            seconds.append(time.perf_counter() - start)
        assert fitted is not None
        assert fitted.converged_
        return {"m": m, "n": n, "seconds": min(seconds), "passes": fitted.n_passes_}

    return {
        "rows": [row(10**k, 20) for k in range(3, 8)],
        "columns": [row(100_000, n) for n in (5, 20, 100, 500, 2_000)],
    }
