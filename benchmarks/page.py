"""Results as a Markdown page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.instant import instant_page
from benchmarks.penalties import CASES
from benchmarks.problems import PROBLEMS
from benchmarks.scale import cluster_page, scale_page
from benchmarks.solvers import SOLVERS
from benchmarks.starts import starts_page

Row = dict[str, Any]


def write_page(results: dict[str, Any], folder: Path) -> None:
    """Write `README.md` of all results there are."""
    cases = {name: results[name]["figures"] for name in PROBLEMS if name in results}
    about = sorted({f"{result['machine']}; {result['date']}" for result in results.values()})
    parts = ["# zeroloop and its peers\n", "`make bench`, on " + " and on ".join(about) + ".\n"]
    if cases:
        dates = {name: str(results[name]["date"]) for name in cases}
        parts += [INTRODUCTION, _summary(cases, dates), "![time against accuracy](fits.png)\n"]
        parts += [_case(name, rows) for name, rows in cases.items()]
    compared = [row for name in CASES if name in results for row in results[name]["figures"]]
    if compared:
        parts.append(_penalties(compared))
    if "solvers" in results:
        parts.append(_solvers(results["solvers"]["figures"]))
    if "passes" in results:
        parts.append(_passes(results["passes"]["figures"]))
    if "growth" in results:
        parts.append(_growth(results["growth"]["figures"]))
    if "starts" in results:
        parts.append(starts_page(results["starts"]["figures"]))
    if "wholes" in results:
        parts.append(_wholes(results["wholes"]["figures"]))
    if "instant" in results:
        parts.append(instant_page(results["instant"]["figures"]))
    if "larger" in results:
        parts.append(larger_page(results["larger"]["figures"]))
    if "inference" in results:
        parts.append(_inference(results["inference"]["figures"]))
    if "cluster" in results:
        parts.append(cluster_page(results["cluster"]["figures"]))
    if "scale" in results:
        parts.append(scale_page(results["scale"]["figures"]))
    notes = folder / "notes.md"
    if notes.exists():
        parts.append(notes.read_text())
    (folder / "README.md").write_text("\n".join(parts))


INTRODUCTION = """Every row is a process of its own: the same data, the same objective with C = 1, the same threads.
"At our accuracy" asks a peer for a gradient of 1e-6 where its defaults, the other rows, do not reach it. Times are
medians of 4 fits after a first, of fewer where they take over a second; for the flights, reading and encoding apart.
Objective and gradient are computed by the benchmark from each one's coefficients, the gradient of the mean objective
for columns of unit variance. Memory is the peak over the data and the imported library. statsmodels has no such
penalty; liblinear and snapml penalise the intercept too.
"""


def done(rows: list[Row]) -> list[Row]:
    """Return the rows that have a result."""
    return [row for row in rows if "seconds" in row]


def best_peer(rows: list[Row], seconds: str = "seconds") -> Row:
    """Return the fastest peer's row at its defaults."""
    return min((row for row in done(rows)[1:] if not row["tight"]), key=lambda row: float(row[seconds]))


def _summary(cases: dict[str, list[Row]], dates: dict[str, str]) -> str:
    lines = [
        "| case | zeroloop | its max abs gradient | fastest peer, at its defaults | its | times faster | first fit |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rows in cases.items():
        ours, peer = rows[0], best_peer(rows)
        first = best_peer(rows, "first_seconds")["first_seconds"] / ours["first_seconds"]
        lines.append(
            f"| {name}{'' if dates[name] == max(dates.values()) else f' ({dates[name]})'} | {clock(ours['seconds'])} | "
            f"{ours['gradient_norm']:.0e} | {peer['peer']}: "
            f"{clock(peer['seconds'])} | {peer['gradient_norm']:.0e} | "
            f"**{peer['seconds'] / ours['seconds']:.1f}x** | {first:.1f}x |"
        )
    return "\n".join(lines) + "\n"


def _case(name: str, rows: list[Row]) -> str:
    ours, best = rows[0], min(row["objective"] for row in done(rows))
    lines = [
        f"## {name}\n",
        "| | fit | over zeroloop | first fit in the process | objective above the best | max abs gradient | memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        title = row["peer"] + (", at our accuracy" if row["tight"] else "")
        if "stopped" in row:
            lines.append(f"| {title} | {row['stopped']} | | | | | |")
            continue
        lines.append(
            f"| {title} | {clock(row['seconds'])} | {row['seconds'] / ours['seconds']:.1f}x | "
            f"{clock(row['first_seconds'])} | {row['objective'] - best:.0e} | {row['gradient_norm']:.0e} | "
            f"{row['memory_mb']:,.0f} MB |"
        )
    return "\n".join(lines) + "\n"


def _penalties(rows: list[Row]) -> str:
    lines = [
        "## Penalties, paths, classes, sparse rows, cross-validation\n",
        "Each at its defaults, the same objective; fastest of up to 3 fits. Violation is that of the optimality",
        "conditions of the mean objective, for columns of unit scale, computed by the benchmark; of a path the worst",
        "of every seventh penalty. snapml and liblinear penalise the intercept.\n",
        "| case | | fit | over zeroloop | objective above the best | violation | coefficients off zero |",
        "|---|---|---|---|---|---|---|",
    ]
    ours = {row["case"]: row["seconds"] for row in reversed(rows) if row["peer"].startswith("zeroloop")}
    best: dict[str, float] = {}
    for row in rows:
        best[row["case"]] = min(best.get(row["case"], math.inf), row.get("objective", math.inf))
    for row in rows:
        if "stopped" in row:
            lines.append(f"| {row['case']} | {row['peer']} | {row['stopped']} | | | | |")
            continue
        above = f"{row['objective'] - best[row['case']]:.0e}" if "objective" in row else ""
        judged = f"{above} | " + (f"{row['violation']:.0e} | {row['nonzero']:,}" if "violation" in row else " | ")
        title = row["peer"] + (f", {row['fits']} penalties" if row.get("fits", 1) > 1 else "")
        times = f"{row['seconds'] / ours[row['case']]:.1f}x"
        lines.append(f"| {row['case']} | {title} | {clock(row['seconds'])} | {times} | {judged} |")
    return "\n".join(lines) + "\n"


def _solvers(rows: list[Row]) -> str:
    lines = [
        "## Does auto choose well?\n",
        "Fastest of 3 fits or more each, in turn in one process, in seconds over auto's; a gap where a solver needs "
        "more than four times as long, or cannot solve it.\n",
        "| case | auto chose | seconds | " + " | ".join(SOLVERS[1:]) + " |",
        "|---" * (2 + len(SOLVERS)) + "|",
    ]
    for row in rows:
        auto = row["seconds"]["auto"]
        times = [f"{row['seconds'][name] / auto:.2f}x" if name in row["seconds"] else "" for name in SOLVERS[1:]]
        lines.append(f"| {row['case']} | {row['chosen']} | {clock(auto)} | " + " | ".join(times) + " |")
    return "\n".join(lines) + "\n"


def _passes(rows: list[Row]) -> str:
    kernels = ["loss + gradient", "Hessian times vector", "predictor", "loss + gradient + Hessian"]
    lines = [
        "## A pass against reading the same bytes\n",
        "Speed of a pass, as a share of the speed of a sum over the same array in vector registers, on all threads.\n",
        "| rows x columns | storage | reading | " + " | ".join(kernels) + " |",
        "|---|---|---|" + "---|" * len(kernels),
    ]
    for row in rows:
        seconds = row["seconds"]
        n_bytes = row["m"] * row["n"] * (4 if row["dtype"] == "float32" else 8)
        shares = [f"{clock(seconds[k])}, {seconds['read'] / seconds[k]:.0%}" if k in seconds else "" for k in kernels]
        lines.append(
            f"| {row['m']:,} x {row['n']:,} | {row['dtype']} {row['layout']} | "
            f"{clock(seconds['read'])}, {n_bytes / seconds['read'] / 1e9:.0f} GB/s | " + " | ".join(shares) + " |"
        )
    return "\n".join(lines) + "\n"


def _growth(figures: dict[str, list[Row]]) -> str:
    lines = [
        "## How a fit's time grows\n",
        "![growth](growth.png)\n",
        "| rows x columns | fit | passes |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['m']:,} x {row['n']:,} | {clock(row['seconds'])} | {row['passes']} |"
        for row in (*figures["rows"], *figures["columns"])
    ]
    return "\n".join(lines) + "\n"


def _wholes(figures: dict[str, Row]) -> str:
    others = {
        "zeroloop train flights.csv": "pandas and scikit-learn's pipeline (`benchmarks/pipeline.py`)",
        "import zeroloop": "`import numpy`",
        "predict_proba of 1,000,000 x 50": "scikit-learn's",
    }
    lines = [
        "## Whole processes, importing, prediction\n",
        "| | zeroloop | other | other over zeroloop |",
        "|---|---|---|---|",
    ]
    for name, row in figures.items():
        lines.append(
            f"| {name} | {clock(row['zeroloop'])} | {others[name]}: {clock(row['other'])} | "
            f"{row['other'] / row['zeroloop']:.2f}x |"
        )
    return "\n".join(lines) + "\n"


def _inference(figures: dict[str, Any]) -> str:
    lines = [
        "## Standard errors\n",
        "The flights without a penalty, all 136 coefficients on 291,140 complete rows: from a table in memory to the "
        "text of the summary, with standard errors and p-values; a process each, ours the median of three, the first "
        f"{figures['zeroloop']['first']:.2f} s.\n",
        "| | seconds | over zeroloop | deviance |",
        "|---|---|---|---|",
    ]
    ours = figures["zeroloop"]["seconds"]
    for tool, row in figures.items():
        lines.append(f"| {tool} | {row['seconds']:.2f} | {row['seconds'] / ours:.0f}x | {row['deviance']:.6f} |")
    return "\n".join(lines) + "\n"


def larger_page(figures: dict[str, Any]) -> str:
    """Return the section on files larger than memory."""
    lines = [
        "## Files larger than memory\n",
        "10,000,000 x 20 float32 in 40 Parquet files, C = 1, to a gradient of 1e-6; every row a process of its own, "
        "the median of three. A decode is pyarrow's `iter_batches` over all files, before and after the fit in the "
        "same process.\n",
        "| memory | seconds | a decode | decodes | passes after the scan | max abs gradient | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in figures["budgets"].items():
        lines.append(
            f"| {name} | {row['seconds']:.2f} | {row['decode']:.2f} | **{row['ratio']:.1f}** | {row['passes']} | "
            f"{row['gradient_norm']:.0e} | {row['peak_mb']:.0f} MB |"
        )
    lines += [
        "\nAgainst streaming learners over the same rows (Vowpal Wabbit from its own text format, made before):\n",
        "| | seconds | max abs gradient |",
        "|---|---|---|",
    ]
    names = {"zeroloop": "zeroloop", "sgd": "SGDClassifier, 5 epochs of partial_fit", "vw": "Vowpal Wabbit, 5 passes"}
    for peer, row in figures["peers"].items():
        lines.append(f"| {names[peer]} | {row['seconds']:.1f} | {row['gradient_norm']:.0e} |")
    lines += ["\nTen times the rows, 128 MiB, spilling:\n", "| rows | seconds | peak memory |", "|---|---|---|"]
    for rows, row in figures["growth"].items():
        lines.append(f"| {rows} | {row['seconds']:.1f} | {row['peak_mb']:.0f} MB |")
    csv, killed = figures["csv"], figures["killed"]
    lines.append(
        f"\nA CSV file of 2,000,000 rows, spilling: {csv['seconds']:.1f} s; `pyarrow.csv` reads it once in "
        f"{csv['read_once']:.2f} s, so once a pass, the scan counted, in "
        f"{csv['read_once'] * (csv['passes'] + 1):.1f} s.\n"
    )
    lines.append(
        f"{killed['kills']} runs with a checkpoint and a spill file, each killed (`kill -9`) at a random moment, with "
        f"{', '.join(map(str, killed['passes_kept']))} passes kept, and started again: {killed['same_bits']} end with "
        f"the bits of an undisturbed run, and {killed['files_left']} files are left in the spill folder.\n"
    )
    return "\n".join([*lines, few_passes_table(figures["few passes"])])


def few_passes_table(rows: list[Row]) -> str:
    """Return how close few passes come."""
    lines = ["| passes, the scan counted | largest error, in standard errors | relative |", "|---|---|---|"]
    lines += [f"| {row['passes']} | {row['standard_errors']:.1e} | {row['relative']:.1e} |" for row in rows]
    return "\n".join(lines) + "\n"


def clock(seconds: float) -> str:
    """Return a time with its unit."""
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1e3:,.3g} ms"
