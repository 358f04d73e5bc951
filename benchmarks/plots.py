"""Results as pictures: time against accuracy, the chart of the front page, growth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.page import best_peer, done
from benchmarks.peers import PEERS, ZEROLOOP
from benchmarks.problems import PROBLEMS

OURS, THEIRS, DEFAULT = "#c0392b", "#34495e", "#95a5a6"
CHART = (
    "flights",
    "1,000,000 x 50 independent",
    "4,000,000 x 20",
    "300,000 x 200",
    "heavy tails 1,000,000 x 60",
    "100,000 x 1,000",
)


def write_plots(results: dict[str, Any], folder: Path) -> None:
    """Write what pictures the results suffice for."""
    cases = {name: results[name]["figures"] for name in PROBLEMS if name in results}
    if cases:
        _fits(cases).savefig(folder / "fits.png", dpi=110)
    if all(name in cases for name in CHART):
        _chart(cases).savefig(folder / "chart.png", dpi=150)
    if "growth" in results:
        _growth(results["growth"]["figures"]).savefig(folder / "growth.png", dpi=110)


def _fits(cases: dict[str, Any]) -> Figure:
    """Return a panel a case: the lower left corner is best. Lines join a peer's defaults to our accuracy."""
    columns = 4
    lines = -(-len(cases) // columns)
    figure = Figure(figsize=(14, 2.8 * lines + 0.7), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    colours = dict(zip(PEERS, [OURS, *(colormaps["tab20"](i) for i in range(len(PEERS) - 1))], strict=True))
    for panel, (name, rows) in zip(panels, cases.items(), strict=False):
        for peer, colour in colours.items():
            found = [row for row in done(rows) if row["peer"] == peer]
            x, y = [row["seconds"] for row in found], [max(row["gradient_norm"], 1e-16) for row in found]
            star = peer == ZEROLOOP
            panel.loglog(x, y, "-*" if star else "-o", color=colour, markersize=13 if star else 5, linewidth=0.8)
        panel.axhline(1e-6, color="grey", linewidth=0.6, linestyle=":")
        panel.set_title(name, fontsize=10)
        seconds = [row["seconds"] for row in done(rows)]
        panel.set_xlim(
            10 ** math.floor(math.log10(min(seconds)) - 0.2), 10 ** math.ceil(math.log10(max(seconds)) + 0.1)
        )
        panel.xaxis.set_minor_formatter(NullFormatter())
    for panel in panels[len(cases) :]:
        panel.axis("off")
    for peer, colour in colours.items():
        panels[0].plot([], [], "*" if peer == ZEROLOOP else "o", color=colour, label=peer)
    figure.legend(loc="outside lower center", ncols=6, frameon=False)
    for panel in panels[-columns:]:
        panel.set_xlabel("seconds of a fit")
    figure.supylabel("max |gradient| reached (dotted: 1e-6)")
    return figure


def _chart(cases: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    for i, name in enumerate(CHART):
        rows = cases[name]
        default = next(row for row in done(rows) if row["peer"] == "scikit-learn lbfgs" and not row["tight"])
        peer = best_peer(rows)
        for offset, row, colour in ((-0.27, rows[0], OURS), (0, peer, THEIRS), (0.27, default, DEFAULT)):
            axes.barh(i + offset, row["seconds"], 0.25, color=colour)
        axes.text(
            rows[0]["seconds"] * 1.08, i - 0.27, f"{peer['seconds'] / rows[0]['seconds']:.1f}x", va="center", fontsize=8
        )
    axes.set(xscale="log", xlabel="seconds of a fit (log scale)", yticks=range(len(CHART)), yticklabels=CHART)
    axes.invert_yaxis()
    for colour, label in ((OURS, "zeroloop"), (THEIRS, "fastest other"), (DEFAULT, "scikit-learn's default")):
        axes.barh([0], [0], color=colour, label=label)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _growth(figures: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, key, along, title in zip(
        figure.subplots(1, 2),
        ("rows", "columns"),
        ("m", "n"),
        ("rows, at 20 columns", "columns, at 100,000 rows"),
        strict=True,
    ):
        x, y = [row[along] for row in figures[key]], [row["seconds"] for row in figures[key]]
        axes.loglog(x, y, "-o", color=OURS)
        axes.loglog(x, [y[-1] * at / x[-1] for at in x], ":", color="grey", label="in proportion")
        axes.set(xlabel=title, ylabel="seconds of a fit")
        axes.legend(frameon=False)
    return figure
