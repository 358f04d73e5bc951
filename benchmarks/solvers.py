"""zeroloop's own solvers on every problem: does `solver="auto"` choose well?"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.problems import PROBLEMS, Problem, load

SOLVERS = ("auto", "newton", "sampled-newton")
REPEATS = 3
LONG_SECONDS = 2.0


def solvers() -> list[dict[str, Any]]:
    """Return, for each problem, what auto chose and the seconds of each solver."""
    rows = []
    for name, make in PROBLEMS.items():
        print(f"solvers: {name} ...", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            make().save(Path(folder))
            command = [sys.executable, "-m", "benchmarks.solvers", folder]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        rows.append({"case": name} | json.loads(done.stdout))
    return rows


def _fit(problem: Problem, solver: str) -> tuple[float, str]:
    """Return the seconds of a fit, without reading and encoding, and the solver's name."""
    import zeroloop
    from zeroloop.auto import choose_solver
    from zeroloop.sources.memory import stacked

    if problem.table is not None:
        training = zeroloop.train(problem.table, "late", test_fraction=0, solver=solver).training
        assert training.converged
        return training.seconds["fit"], training.solver
    start = time.perf_counter()
    fitted = zeroloop.LogisticRegression(solver=solver).fit(problem.X, problem.y)
    seconds = time.perf_counter() - start
    assert fitted.converged_
    return seconds, choose_solver(stacked(problem.X.T)) if solver == "auto" else solver


def main() -> None:
    """Fit one problem with each solver, in turn, and print a JSON object."""
    problem = load(Path(sys.argv[1]))
    seconds: dict[str, list[float]] = {solver: [] for solver in SOLVERS}
    chosen = ""
    for solver in SOLVERS:
        _fit(problem, solver)  # kernels loaded
    for _ in range(REPEATS):
        for solver in SOLVERS:
            if not seconds[solver] or seconds[solver][0] < LONG_SECONDS:
                taken, name = _fit(problem, solver)
                seconds[solver].append(taken)
                chosen = name if solver == "auto" else chosen
    print(json.dumps({"chosen": chosen, "seconds": {solver: min(taken) for solver, taken in seconds.items()}}))


if __name__ == "__main__":
    main()
