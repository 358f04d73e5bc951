"""Two workers of a Dask cluster against the same files in one process, dask-ml and Spark.

`python -m benchmarks.cluster ours|dask-ml|spark ADDRESS` measures one thing in a process of its own and prints
it as JSON.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.larger import COLUMNS, FILE_ROWS, NAMES, arrays, made

REPEATS = 5
WORKERS = 2
C = 1.0

Figures = dict[str, Any]


@contextmanager
def dask_cluster(n_workers: int) -> Iterator[str]:
    """Yield the address of a scheduler with workers of one thread each, started from the command line."""
    dask = str(Path(sys.executable).parent / "dask")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    worker = [dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--memory-limit", "8GiB"]
    scheduler = [dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}  # functions of benchmarks travel by name
    quiet = subprocess.DEVNULL
    processes = []
    try:
        for command in (scheduler, *[worker] * n_workers):
            processes.append(subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet))
            time.sleep(3)  # the scheduler first
        yield address
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def cluster() -> Figures:
    """Return seconds and objective of each; here and cluster by turns in one process."""
    made(40)
    with dask_cluster(WORKERS) as address:
        found = _one("ours", address)
        found["dask-ml"] = _one("dask-ml", address)
    found["spark"] = _one("spark", "local")
    return found


def _one(what: str, address: str) -> Figures:
    command = [sys.executable, "-m", "benchmarks.cluster", what, address]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def _ours(address: str) -> Figures:
    import zeroloop

    folder = made(40)
    options: dict[str, Any] = {"test_fraction": 0, "C": C}
    places: dict[str, dict[str, Any]] = {"here": {}, "cluster": {"scheduler": address}}
    for where in places.values():
        zeroloop.train(folder, "y", **options, **where)  # loads compiled kernels
    seconds: dict[str, list[float]] = {name: [] for name in places}
    coefs = {}
    for _ in range(REPEATS):
        for name, where in places.items():
            start = time.perf_counter()
            model = zeroloop.train(folder, "y", **options, **where)
            seconds[name].append(time.perf_counter() - start)
            coefs[name] = model.coef[0]
    return {
        name: {"seconds": median(seconds[name]), "passes": model.training.passes, **judged(folder, coefs[name])}
        for name in places
    } | {"same_bits": bool(np.array_equal(coefs["here"], coefs["cluster"]))}


def _dask_ml(address: str) -> Figures:
    import dask.dataframe as dd
    from dask_ml.linear_model import LogisticRegression
    from distributed import Client

    folder = made(40)
    with Client(address):
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            rows = dd.read_parquet(folder).persist()
            X, y = rows[NAMES].to_dask_array(lengths=True).persist(), rows["y"].to_dask_array(lengths=True).persist()
            model = LogisticRegression(C=C, solver="lbfgs").fit(X, y)
            seconds.append(time.perf_counter() - start)
    return {"seconds": min(seconds), **judged(folder, np.append(model.intercept_, model.coef_))}


def _spark(_address: str) -> Figures:
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import VectorAssembler
    from pyspark.sql import SparkSession

    folder = made(40)
    rows = 40 * FILE_ROWS
    builder = SparkSession.builder.master(f"local[{WORKERS}]").config("spark.driver.memory", "12g")
    session = builder.config("spark.ui.enabled", "false").getOrCreate()
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        table = VectorAssembler(inputCols=NAMES, outputCol="features").transform(session.read.parquet(str(folder)))
        labelled = table.selectExpr("features", "cast(y as double) as label")
        model = LogisticRegression(regParam=1 / (C * rows), elasticNetParam=0.0).fit(labelled)
        seconds.append(time.perf_counter() - start)
    coef = np.append(model.intercept, model.coefficients.toArray())
    session.stop()
    return {"seconds": min(seconds), **judged(folder, coef)}


def judged(folder: Path, coef: NDArray[np.float64]) -> Figures:
    """Return the mean objective at C = 1 of coefficients, and max |gradient| of it, the intercept first."""
    loss, total, rows = 0.0, np.zeros(1 + COLUMNS), 0
    for X, y in arrays(folder):
        z = coef[0] + X @ coef[1:]
        loss += float(np.sum(np.logaddexp(0, z) - y * z))
        residual = 1 / (1 + np.exp(-z)) - y
        total += np.append(np.sum(residual), X.T.astype(np.float64) @ residual)
        rows += y.size
    total[1:] += coef[1:] / C
    objective = (loss + float(coef[1:] @ coef[1:]) / (2 * C)) / rows
    return {"objective": objective, "gradient_norm": float(np.max(np.abs(total))) / rows}


def main() -> None:
    """Measure one thing and print it."""
    what, address = sys.argv[1:]
    print(json.dumps({"ours": _ours, "dask-ml": _dask_ml, "spark": _spark}[what](address)))


if __name__ == "__main__":
    main()
