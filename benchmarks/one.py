"""One peer on one problem, in this process: `python -m benchmarks.one PROBLEM PEER`; prints a JSON object."""

from __future__ import annotations

import json
import sys
from statistics import median

from benchmarks.peers import PEERS
from benchmarks.problems import PROBLEMS, judge

REPEATS = 5


def main() -> None:
    """Fit, judge, print."""
    problem = PROBLEMS[sys.argv[1]]()
    runs = [PEERS[sys.argv[2]](problem) for _ in range(REPEATS)]
    objective, gradient_norm = judge(problem, runs[-1].coef, runs[-1].intercept)
    print(
        json.dumps(
            {
                "peer": sys.argv[2],
                "seconds": median(run.seconds for run in runs),
                "first_seconds": runs[0].seconds,
                "objective": objective,
                "gradient_norm": gradient_norm,
            }
        )
    )


if __name__ == "__main__":
    main()
