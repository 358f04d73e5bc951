"""One peer on one problem, in this process: `python -m benchmarks.one FOLDER PEER [--tight]`; prints a JSON object."""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from statistics import median

from benchmarks.peers import PEERS, ZEROLOOP, Coefficients, fit
from benchmarks.problems import C, Problem, judge, load

REPEATS = 5
LONG_SECONDS = 2.0  # no other fit is begun once so many seconds were spent


def resident_mb(field: str) -> float:
    """Return this process's resident memory now (VmRSS) or at its peak (VmHWM), in MB; Linux only."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def timed(name: str, problem: Problem, tight: bool) -> tuple[Coefficients, float]:
    """Return what a peer found, and the seconds of its fit."""
    if name == ZEROLOOP and problem.table is not None:
        return timed_table(problem)
    start = time.perf_counter()
    found = fit(name, problem, tight)
    return found, time.perf_counter() - start


def timed_table(problem: Problem) -> tuple[Coefficients, float]:
    """`zeroloop.train` on the table: the fit alone by its own clock, as the peers' is, without reading and encoding."""
    import zeroloop

    model = zeroloop.train(problem.table, "late", C=C, test_fraction=0)
    schema = model.schema
    intercept = float(model.coef[0, 0] + model.coef[0, 1 : 1 + len(schema.numeric)] @ schema.centre)
    return ((model.coef[0] * schema.scale)[1:], intercept), model.training.seconds["fit"]


def main() -> None:
    """Fit, judge, print."""
    problem, name, tight = load(Path(sys.argv[1])), sys.argv[2], "--tight" in sys.argv
    for module in PEERS[name].modules:
        import_module(module)
    before = resident_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    found, first = timed(name, problem, tight)
    seconds = [first]
    while len(seconds) < REPEATS and sum(seconds) < LONG_SECONDS:
        found, again = timed(name, problem, tight)
        seconds.append(again)
    memory_mb = resident_mb("VmHWM") - before
    objective, gradient_norm = judge(problem, *found)
    print(
        json.dumps(
            {
                "seconds": median(seconds[1:] or seconds),
                "first_seconds": first,
                "objective": objective,
                "gradient_norm": gradient_norm,
                "memory_mb": memory_mb,
                "data_mb": problem.n_bytes / 2**20,
                "runs": len(seconds),
            }
        )
    )


if __name__ == "__main__":
    main()
