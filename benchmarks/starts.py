"""Whole processes that fit once: start Python, load arrays, import, fit, end. What a script or a job waits for."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from statistics import median
from typing import Any

import numpy as np

from benchmarks.environments import AS_INSTALLED, python_of
from benchmarks.problems import dense

SIZES = ((150, 4), (10_000, 20), (100_000, 20), (300_000, 20), (1_000_000, 20), (1_000_000, 50))
SCRIPT = """
import numpy as np
X, y = np.load({folder!r} + "/X.npy"), np.load({folder!r} + "/y.npy")
{fit}
"""
SCIKIT_LEARN = "from {package}.linear_model import LogisticRegression; LogisticRegression({options}).fit(X, y)"
FITS = {
    "zeroloop": "from zeroloop import LogisticRegression; LogisticRegression().fit(X, y)",
    "scikit-learn lbfgs": SCIKIT_LEARN.format(package="sklearn", options=""),
    "scikit-learn newton-cholesky": SCIKIT_LEARN.format(package="sklearn", options="solver='newton-cholesky'"),
    "scikit-learn-intelex lbfgs": SCIKIT_LEARN.format(package="sklearnex", options=""),
    "glum": "from glum import GeneralizedLinearRegressor as R; "
    "R(family='binomial', alpha=1 / len(y), l1_ratio=0).fit(X, y)",
}
REPEATS = 9
Row = dict[str, Any]


def starts() -> list[Row]:
    """Return a row for each size and peer: seconds of its first process, and the median of others, peers in turn."""
    rows = []
    for m, n in SIZES:
        print(f"starts: {m:,} x {n} ...", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            problem = dense(m, n, 2, independent=True)
            np.save(f"{folder}/X.npy", problem.X)
            np.save(f"{folder}/y.npy", problem.y)
            scripts = {peer: SCRIPT.format(folder=folder, fit=fit) for peer, fit in FITS.items()}
            first = {peer: _first(peer, script) for peer, script in scripts.items()}
            taken: dict[str, list[float]] = {peer: [] for peer in FITS}
            for _ in range(REPEATS):
                for peer, script in scripts.items():
                    taken[peer].append(_seconds(peer, script, AS_INSTALLED))
        rows += [
            {"m": m, "n": n, "peer": peer, "first_seconds": first[peer], "seconds": median(taken[peer])}
            for peer in FITS
        ]
    return rows


def _first(peer: str, script: str) -> float:
    with tempfile.TemporaryDirectory() as empty:
        return _seconds(peer, script, {"HOME": empty, "PYTHONPYCACHEPREFIX": empty})


def _seconds(peer: str, script: str, environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run([python_of(peer), "-W", "ignore", "-c", script], env=os.environ | environment, check=True)
    return time.perf_counter() - start


def starts_page(rows: list[Row]) -> str:
    """Return the section of the page."""
    peers = list(FITS)
    lines = [
        "## Whole processes that fit once\n",
        f"Start Python, load two .npy files, import, fit, end; independent columns; medians of {REPEATS} processes, "
        "peers in turn. In brackets the first process, without compiled Python files and with an empty home. Peers at "
        "their defaults, each in the environment it needs.\n",
        "| rows x columns | " + " | ".join(peers) + " | scikit-learn's default over zeroloop |",
        "|---" * (len(peers) + 2) + "|",
    ]
    for m, n in SIZES:
        found = {row["peer"]: row for row in rows if (row["m"], row["n"]) == (m, n)}
        cells = [f"{found[peer]['seconds']:.2f} s ({found[peer]['first_seconds']:.1f})" for peer in peers]
        ratio = found["scikit-learn lbfgs"]["seconds"] / found["zeroloop"]["seconds"]
        lines.append(f"| {m:,} x {n} | " + " | ".join(cells) + f" | **{ratio:.2f}x** |")
    return "\n".join(lines) + "\n"
