"""Whole processes, importing and prediction: what a person waits for."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks.environments import AS_INSTALLED
from benchmarks.problems import dense

REPEATS = 5
PIPELINE = Path(__file__).parent / "pipeline.py"


def wholes() -> dict[str, dict[str, float]]:
    """Return, for each thing to wait for, seconds of zeroloop's way and of another's."""
    with tempfile.TemporaryDirectory() as folder:
        table = pq.read_table(str(files("zeroloop") / "data" / "flights.parquet"))
        pyarrow.csv.write_csv(table, f"{folder}/flights.csv")
        train = "import zeroloop.cli; zeroloop.cli.main()"
        processes = {
            "zeroloop train flights.csv": (
                ["-c", train, "train", f"{folder}/flights.csv", "--target", "late", "--out", f"{folder}/late.json"],
                [str(PIPELINE), f"{folder}/flights.csv", "late"],
            ),
            "import zeroloop": (["-c", "import zeroloop"], ["-c", "import numpy"]),
        }
        found = {name: _in_turn(_process(ours), _process(theirs)) for name, (ours, theirs) in processes.items()}
    return found | {"predict_proba of 1,000,000 x 50": _prediction()}


def _process(arguments: Sequence[str]) -> Callable[[], Any]:
    """Return a function that runs Python to its end."""
    command, environment = [sys.executable, *arguments], os.environ | AS_INSTALLED
    return lambda: subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _prediction() -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression as Theirs

    from zeroloop import LogisticRegression as Ours

    problem = dense(1_000_000, 50, 2)
    few = slice(0, 100_000)
    ours, theirs = (model.fit(problem.X[few], problem.y[few]) for model in (Ours(), Theirs(max_iter=1_000)))
    return _in_turn(lambda: ours.predict_proba(problem.X), lambda: theirs.predict_proba(problem.X))


def _in_turn(ours: Callable[[], Any], theirs: Callable[[], Any]) -> dict[str, float]:
    seconds: tuple[list[float], list[float]] = ([], [])
    for function, taken in zip((ours, theirs), seconds, strict=True):
        function()  # files in the page cache, code compiled
        for _ in range(REPEATS):
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    return {"zeroloop": median(seconds[0]), "other": median(seconds[1])}
