"""Run every peer on every problem and write `benchmarks/results/`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.problems import PROBLEMS

RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """Return what the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), cpu)
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "pyarrow", "scikit-learn", "glum"))
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {versions}"


def measure(problem: str, peer: str) -> dict[str, Any]:
    """Run one peer in a process of its own."""
    print(f"{problem}: {peer} ...", flush=True)
    done = subprocess.run([sys.executable, "-m", "benchmarks.one", problem, peer], stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def section(problem: str, rows: list[dict[str, Any]]) -> str:
    """Return one problem's results as Markdown, times as ratios to zeroloop's."""
    ours, best = rows[0], min(row["objective"] for row in rows)
    lines = [
        f"## {problem}\n",
        "| | fit | over zeroloop | first fit in the process | objective above the best | max abs gradient | memory |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['peer']} | {clock(row['seconds'])} | {row['seconds'] / ours['seconds']:.1f}x | "
        f"{clock(row['first_seconds'])} | {row['objective'] - best:.0e} | {row['gradient_norm']:.0e} | "
        f"{row['memory_mb']:,.0f} MB |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def clock(seconds: float) -> str:
    """Return a time with its unit."""
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1e3:,.1f} ms"


def main() -> None:
    """Measure what is asked for, and write the page of all results there are."""
    RESULTS.mkdir(exist_ok=True)
    store = RESULTS / "results.json"
    results = json.loads(store.read_text()) if store.exists() else {}
    for problem in sys.argv[1:] or PROBLEMS:
        results[problem] = {
            "machine": machine(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "rows": [measure(problem, peer) for peer in PEERS],
        }
        store.write_text(json.dumps(results, indent=1) + "\n")
        print(section(problem, results[problem]["rows"]))
    about = sorted({f"{result['machine']}; {result['date']}" for result in results.values()})
    ordered = [name for name in PROBLEMS if name in results]
    (RESULTS / "README.md").write_text(
        "# zeroloop and its peers\n\n"
        "`make bench`, on " + " and on ".join(about) + ".\n\n"
        "Every row is a process of its own: the same data, the same objective with C = 1, the same threads, each with "
        "its own defaults (a looser stop than zeroloop's for most). Median of 5 fits, or one where it takes over 2 "
        "seconds; for the flights, reading and encoding apart. Objective and gradient are computed by the benchmark "
        "from each one's coefficients, the gradient of the mean objective for columns of unit variance. Memory is the "
        "peak over what was there before the fit.\n\n"
        + "\n".join(section(name, results[name]["rows"]) for name in ordered)
    )


if __name__ == "__main__":
    main()
