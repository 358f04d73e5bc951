"""Small problems that should be instant: whole processes, first and further fits.

`python -m benchmarks.instant CASE PEER FOLDER FITS` fits in a process of its own, which imports nothing but NumPy and
the peer, and prints a JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.environments import AS_INSTALLED

COLD_PROCESSES = 3
WARM_FITS = 7
LONG_SECONDS = 10.0  # of processes, or of warm fits, together: then no further one
PEERS = ("zeroloop", "scikit-learn")
ONE_CORE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # more wait for each other where the machine is busy
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Instant:
    """A problem and how each one fits it.

    Attributes:
        make: returns X and y.
        wanted: seconds that a fit of ours may take.
        fit: by peer, a function from X and y; it imports the peer.

    """

    make: Callable[[], tuple[NDArray[Any], NDArray[Any]]]
    wanted: float
    fit: dict[str, Callable[[Any, Any], Any]]


def _both(estimator: str, of_scikit_learn: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Return how either one's estimator of this name is fitted, with the same options and what scikit-learn needs."""

    def ours(X: Any, y: Any) -> Any:
        import zeroloop

        return getattr(zeroloop, estimator)(**options).fit(X, y)

    def theirs(X: Any, y: Any) -> Any:
        import sklearn.linear_model

        return getattr(sklearn.linear_model, estimator)(**options, **(of_scikit_learn or {})).fit(X, y)

    return {"zeroloop": ours, "scikit-learn": theirs}


def _our_path(X: Any, y: Any) -> Any:
    import zeroloop

    return zeroloop.logistic_path(X, y, Cs=100, standardize=False)


def _their_path(X: Any, y: Any) -> Any:
    """The way of scikit-learn's own example: the least C from `l1_min_c`, one warm start after the other."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import l1_min_c

    fit = LogisticRegression(
        l1_ratio=1, solver="liblinear", tol=1e-6, max_iter=1_000_000, warm_start=True, intercept_scaling=10_000.0
    )
    for C in l1_min_c(X, y, loss="log") * np.logspace(0, 2, 100):
        fit.set_params(C=C).fit(X, y)
    return fit


def digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """scikit-learn's 1,797 digits: 64 columns, 10 classes."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X, y


def few_rows(m: int, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Correlated columns, of which ten matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((m, n)) + rng.standard_normal((m, 5)) @ rng.standard_normal((5, n))
    return X, (X[:, :10].sum(axis=1) + 3 * rng.standard_normal(m) > 0).astype(int)


def many_classes() -> tuple[NDArray[Any], NDArray[Any]]:
    """3,000 rows in 300 classes by five columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3_000, 5))
    z = X @ rng.standard_normal((5, 300)) + rng.gumbel(size=(3_000, 300))
    y = np.argmax(z, axis=1)
    y[:300] = np.arange(300)
    return X, y


CASES: dict[str, Instant] = {
    "LogisticRegressionCV(Cs=2, cv=5), digits": Instant(
        make=digits, wanted=1.0, fit=_both("LogisticRegressionCV", Cs=2, cv=5)
    ),
    "LogisticRegressionCV(Cs=10, cv=5), 62 x 2,000": Instant(
        make=lambda: few_rows(62, 2_000), wanted=0.3, fit=_both("LogisticRegressionCV", Cs=10, cv=5)
    ),
    "LogisticRegression(), 100 x 3,900": Instant(
        make=lambda: few_rows(100, 3_900), wanted=0.02, fit=_both("LogisticRegression")
    ),
    "L1 path of 100 values, 62 x 2,000": Instant(
        make=lambda: few_rows(62, 2_000), wanted=1.0, fit={"zeroloop": _our_path, "scikit-learn": _their_path}
    ),
    "L1, 3,000 x 5, 300 classes": Instant(
        make=many_classes, wanted=2.0, fit=_both("LogisticRegression", {"solver": "saga"}, l1_ratio=1)
    ),
}


def instant() -> list[Row]:
    """Return a row for each case and peer: least seconds, and processor seconds, of each way to wait for it."""
    rows = []
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            X, y = CASES[name].make()
            np.save(f"{folder}/X.npy", X)
            np.save(f"{folder}/y.npy", y)
            for peer in PEERS:
                print(f"{name}: {peer} ...", flush=True)
                rows.append({"case": name, "wanted": CASES[name].wanted, "peer": peer} | measured(name, peer, folder))
    return rows


def measured(case: str, peer: str, folder: str) -> Row:
    """Return how long one peer takes over the arrays in a folder."""
    cold: list[Row] = []
    while len(cold) < COLD_PROCESSES and sum(one["process"][0] for one in cold) < LONG_SECONDS:
        cold.append(_process(case, peer, folder, 1))
    fits = _process(case, peer, folder, 1 + WARM_FITS)["fits"]
    return {
        "process": _least([one["process"] for one in cold]),
        "first": _least([one["fits"][0] for one in cold]),
        "warm": _least(fits[1:]),
    }


def _least(times: list[list[float]]) -> dict[str, float]:
    return {"seconds": min(wall for wall, _ in times), "cpu": min(cpu for _, cpu in times)}


def _process(case: str, peer: str, folder: str, fits: int) -> Row:
    """Run a process; its own time, and its fits'."""
    command = [sys.executable, "-m", "benchmarks.instant", case, peer, folder, str(fits)]
    environment = os.environ | ONE_CORE | AS_INSTALLED
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found | {"process": [wall, cpu]}


def fitted(case: str, peer: str, folder: Path, n_fits: int) -> Row:
    """Fit as often as asked; seconds and processor seconds of each, the first without its imports."""
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    fit = CASES[case].fit[peer]
    if peer == "zeroloop":
        import zeroloop

        _ = zeroloop.LogisticRegression, zeroloop.LogisticRegressionCV, zeroloop.logistic_path
    else:
        import sklearn.linear_model
        import sklearn.svm  # noqa: F401
    taken: list[list[float]] = []
    while len(taken) < n_fits and sum(wall for wall, _ in taken[1:]) < LONG_SECONDS:
        cpu, start = time.process_time(), time.perf_counter()
        fit(X, y)
        taken.append([time.perf_counter() - start, time.process_time() - cpu])
    return {"fits": taken}


def instant_page(rows: list[Row]) -> str:
    """Return the section of the page."""
    lines = [
        "## Small problems\n",
        f"Least of {COLD_PROCESSES} processes, and of {WARM_FITS} fits after a "
        f"first in one more (of those that {LONG_SECONDS:g} s have room for); processor seconds in brackets. A process "
        'starts Python, imports, reads two arrays and fits once; "first fit" is that without the imports. Each at its '
        "defaults, on one core: scikit-learn stops at a gradient of 1e-4, or at 100 passes. Its path is that of its "
        "own example (liblinear, which penalises the intercept).\n",
        "| | wanted | | process | first fit | fit | over zeroloop: process, first, fit |",
        "|---|---|---|---|---|---|---|",
    ]
    kinds = ("process", "first", "warm")
    for row in rows:
        ours = next(one for one in rows if one["case"] == row["case"] and one["peer"] == "zeroloop")
        times = " | ".join(f"{_clock(row[kind]['seconds'])} ({_clock(row[kind]['cpu'])})" for kind in kinds)
        ratios = ", ".join(f"{row[kind]['seconds'] / ours[kind]['seconds']:.2f}x" for kind in kinds)
        lines.append(f"| {row['case']} | {_clock(row['wanted'])} | {row['peer']} | {times} | {ratios} |")
    return "\n".join(lines) + "\n"


def _clock(seconds: float) -> str:
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1e3:,.3g} ms"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(fitted(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
