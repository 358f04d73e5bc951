"""zeroloop's own solvers on every problem: does `solver="auto"` choose well?

`python -m benchmarks.solvers FOLDER SOLVER...` fits what a folder holds with each solver, in turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import scipy.sparse as sp

from benchmarks.penalties import CASES, saved, saved_arrays
from benchmarks.problems import PROBLEMS, load

SOLVERS = ("auto", "newton", "sampled-newton", "lbfgs", "newton-cg")
REPEATS = 3
LONG_SECONDS = 2.0  # no other fit is begun that is so long
MOST_TIMES = 4  # as long as auto's: then a solver is out of the race
LEAST_SECONDS = 5.0  # that each may take, loading included
Row = dict[str, Any]


def solvers() -> list[Row]:
    """Return, for each problem without an L1 penalty, what auto chose and the seconds of each solver."""
    rows = []
    for name, folder in _problems():
        print(f"solvers: {name} ...", flush=True)
        start = time.perf_counter()
        found = _measured(folder, ["auto"], None)
        assert found is not None
        most = max(LEAST_SECONDS, MOST_TIMES * (time.perf_counter() - start))
        others = [solver for solver in SOLVERS[1:] if _measured(folder, [solver], most) is not None]
        found = _measured(folder, ["auto", *others], None)  # the ones that count, in turn
        rows.append({"case": name, **(found or {})})
    return rows


def _problems() -> Iterator[tuple[str, str]]:
    for name, make in PROBLEMS.items():
        with tempfile.TemporaryDirectory() as folder:
            make().save(Path(folder))
            yield name, folder
    for name, case in CASES.items():
        if case.l1_ratio == 0 and "folds" not in name:
            with tempfile.TemporaryDirectory() as folder:
                saved(*case.make(), folder)
                yield name, folder


def _measured(folder: str, names: list[str], most: float | None) -> Row | None:
    """Return seconds of each solver; None where they take longer than that, or one fails."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.solvers", folder, *names]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=most, check=False)
    except subprocess.TimeoutExpired:
        return None
    found: Row | None = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    return found


def fitted(folder: Path, solver: str) -> tuple[float, str]:
    """Return the seconds of a fit, without reading and encoding, and the name of the solver that made it."""
    import zeroloop
    from zeroloop.auto import choose_solver
    from zeroloop.sources.memory import sparse_rows, stacked

    if (folder / "table.parquet").exists():
        training = zeroloop.train(folder / "table.parquet", "late", test_fraction=0, solver=solver).training
        assert training.converged
        return training.seconds["fit"], training.solver
    X, y = saved_arrays(folder) if (folder / "X.npz").exists() else (load(folder).X, load(folder).y)
    start = time.perf_counter()
    model = zeroloop.LogisticRegression(solver=solver).fit(X, y)
    seconds = time.perf_counter() - start
    assert model.converged_
    source = sparse_rows(X) if sp.issparse(X) else stacked(X.T)
    return seconds, choose_solver(source, len(model.coef_)) if solver == "auto" else solver


def main() -> None:
    """Fit with each solver, in turn, and print a JSON object."""
    folder, *names = sys.argv[1:]
    seconds: dict[str, list[float]] = {solver: [] for solver in names}
    chosen = ""
    for i in range(1 + REPEATS):  # the first wakes threads, and loads what is loaded late
        for solver in names:
            if i <= 1 or seconds[solver][-1] < LONG_SECONDS:
                taken, name = fitted(Path(folder), solver)
                seconds[solver].append(taken)
                chosen = name if solver == "auto" else chosen
        if len(names) == 1 and names != ["auto"]:
            break
    print(json.dumps({"chosen": chosen, "seconds": {solver: min(taken) for solver, taken in seconds.items()}}))


if __name__ == "__main__":
    main()
