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
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "pyarrow", "scikit-learn"))
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {versions}"


def measure(problem: str, peer: str) -> dict[str, Any]:
    """Run one peer in a process of its own."""
    print(f"{problem}: {peer} ...", flush=True)
    done = subprocess.run([sys.executable, "-m", "benchmarks.one", problem, peer], stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def page(problem: str, rows: list[dict[str, Any]], about: str) -> str:
    """Return a problem's results as Markdown, times as ratios to zeroloop's."""
    ours = rows[0]
    best = min(row["objective"] for row in rows)
    lines = [
        f"# {problem}\n",
        f"{about}; {datetime.now(UTC):%Y-%m-%d}. `make bench`. Median of 5 fits in one process, reading and encoding",
        "apart; objective and gradient computed by the benchmark from each peer's coefficients.\n",
        "| | fit | over zeroloop | objective above the best | max abs gradient |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['peer']} | {row['seconds'] * 1e3:,.0f} ms | {row['seconds'] / ours['seconds']:.1f}x | "
        f"{row['objective'] - best:.0e} | {row['gradient_norm']:.0e} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, write, print."""
    about = machine()
    for problem in sys.argv[1:] or PROBLEMS:
        rows = [measure(problem, peer) for peer in PEERS]
        RESULTS.mkdir(exist_ok=True)
        document = {"machine": about, "date": datetime.now(UTC).isoformat(timespec="seconds"), "rows": rows}
        (RESULTS / f"{problem}.json").write_text(json.dumps(document, indent=1) + "\n")
        (RESULTS / f"{problem}.md").write_text(page(problem, rows, about))
        print((RESULTS / f"{problem}.md").read_text())


if __name__ == "__main__":
    main()
