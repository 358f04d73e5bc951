"""One peer on one problem, in this process: `python -m benchmarks.one PROBLEM PEER`; prints a JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

from benchmarks.peers import PEERS
from benchmarks.problems import PROBLEMS, judge

REPEATS = 5
LONG_SECONDS = 2.0  # a fit longer than this is run once


def resident_mb(field: str) -> float:
    """Return this process's resident memory now (VmRSS) or at its peak (VmHWM), in MB; Linux only."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Fit, judge, print."""
    problem = PROBLEMS[sys.argv[1]]()
    before = resident_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    runs = [PEERS[sys.argv[2]](problem)]
    while len(runs) < REPEATS and runs[0].seconds < LONG_SECONDS:
        runs.append(PEERS[sys.argv[2]](problem))
    memory_mb = resident_mb("VmHWM") - before
    objective, gradient_norm = judge(problem, runs[-1].coef, runs[-1].intercept)
    print(
        json.dumps(
            {
                "peer": sys.argv[2],
                "seconds": median(run.seconds for run in runs),
                "first_seconds": runs[0].seconds,
                "objective": objective,
                "gradient_norm": gradient_norm,
                "memory_mb": memory_mb,
                "data_mb": problem.X.data.nbytes / 2**20,
                "runs": len(runs),
            }
        )
    )


if __name__ == "__main__":
    main()
