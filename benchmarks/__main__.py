"""Measure, and write `benchmarks/results/`: `python -m benchmarks [CASE...] [--list]`."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.cluster import cluster
from benchmarks.environments import versions as of_environments
from benchmarks.fits import run_case
from benchmarks.inference import inference
from benchmarks.instant import instant
from benchmarks.larger import larger
from benchmarks.page import write_page
from benchmarks.passes import growth, passes
from benchmarks.penalties import CASES, compare
from benchmarks.plots import write_plots
from benchmarks.problems import PROBLEMS
from benchmarks.scale import scale
from benchmarks.solvers import solvers
from benchmarks.starts import starts
from benchmarks.wholes import wholes

RESULTS = Path(__file__).parent / "results"
PARTS: dict[str, Callable[[], Any]] = {
    **{name: partial(compare, name) for name in CASES},
    "solvers": solvers,
    "passes": passes,
    "growth": growth,
    "starts": starts,
    "wholes": wholes,
    "instant": instant,
    "larger": larger,
    "inference": inference,
    "cluster": cluster,
    "scale": scale,
}
LIBRARIES = (
    "numpy",
    "pyarrow",
    "scikit-learn",
    "glum",
    "statsmodels",
    "snapml",
    "xgboost",
    "celer",
    "skglm",
    "vowpalwabbit",
    "dask",
    "dask-ml",
    "pyspark",
)


def machine() -> str:
    """Return what the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), cpu)
    installed = {distribution.metadata["Name"].lower() for distribution in distributions()}
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES if name in installed)
    versions = ", ".join([versions, *(f"{name} {found}" for name, found in of_environments().items())])
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {versions}"


def main(
    cases: Annotated[list[str] | None, typer.Argument(help="Names of cases and parts; all of them by default.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Print the names and measure nothing.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Write the page anew from the figures there are.")] = False,
) -> None:
    """Measure zeroloop and its peers, and write the page of all results there are."""
    names = [*PROBLEMS, *PARTS]
    unknown = [name for name in cases or [] if name not in names]
    if unknown:
        raise typer.BadParameter(f"no case {unknown[0]!r}; there are {', '.join(repr(name) for name in names)}.")
    if show:
        print("\n".join(names))
        return
    RESULTS.mkdir(exist_ok=True)
    store = RESULTS / "results.json"
    results: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    for name in [] if page else cases or names:
        figures = PARTS[name]() if name in PARTS else run_case(name)
        results[name] = {"machine": machine(), "date": f"{datetime.now(UTC):%Y-%m-%d}", "figures": figures}
        store.write_text(json.dumps(results, indent=1) + "\n")
    write_plots(results, RESULTS)
    write_page(results, RESULTS)


if __name__ == "__main__":
    typer.run(main)
