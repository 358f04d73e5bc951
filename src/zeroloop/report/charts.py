"""The report's charts, as SVG that takes the page's colours and letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.charts import load_matplotlib, named_legend, new_figure
from zeroloop.report.curves import Curves
from zeroloop.training_record import PassRecord

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What matplotlib draws in, and what the page puts in its place: light and dark differ by style sheet alone.
INK, GRID = "#010203", "#010204"
SERIES = ("#010301", "#010302", "#010303", "#010304", "#010305")
COLOURS = {INK: "currentColor", GRID: "var(--grid)"} | {c: f"var(--series-{i})" for i, c in enumerate(SERIES, 1)}
WIDTH, HEIGHT = 4.4, 3.3
LONGEST_NAME = 24


def short(name: object) -> str:
    """Return a name as charts show it."""
    text = str(name)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def roc(named: Sequence[tuple[str, Curves]]) -> str:
    """Draw true positives against false positives, for each class."""
    figure, axes = _axes("false positives, share of the negative rows", "true positives, share of the positive rows")
    axes.plot([0, 1], [0, 1], color=GRID, linestyle="--", linewidth=1)
    lines = [
        axes.plot(curve.false_positive, curve.true_positive, color=colour, linewidth=1.8)[0]
        for colour, (_, curve) in zip(SERIES, named, strict=False)
    ]
    _legend(axes, lines, [name for name, _ in named])
    return _svg(figure, "ROC curve")


def precision_recall(named: Sequence[tuple[str, Curves]], shares: Sequence[float]) -> str:
    """Draw precision against recall, for each class, beside the share of positive rows."""
    figure, axes = _axes("recall: share of the positive rows found", "precision: share of the found that are positive")
    lines = []
    for colour, share, (_, curve) in zip(SERIES, shares, named, strict=False):
        axes.axhline(share, color=GRID, linestyle="--", linewidth=1)
        lines += axes.plot(curve.recall, curve.precision, color=colour, linewidth=1.8)
    axes.set_ylim(0, 1.02)
    _legend(axes, lines, [name for name, _ in named])
    return _svg(figure, "precision and recall")


def calibration(named: Sequence[tuple[str, Curves]]) -> str:
    """Draw the share of positive rows against the probability predicted, with how many rows each point stands for."""
    figure = _new(HEIGHT * 1.2)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for part in (axes, below):
        _style(part)
    ends = [0.0, max(float(max(np.max(c.expected), np.max(c.observed))) for _, c in named) * 1.05]
    axes.plot(ends, ends, color=GRID, linestyle="--", linewidth=1)
    lines = []
    for colour, (_, curve) in zip(SERIES, named, strict=False):
        lines += axes.plot(curve.expected, curve.observed, "o-", color=colour, markersize=4, linewidth=1.2)
        below.vlines(curve.expected, 0, curve.counts, color=colour, linewidth=2)
    axes.set_ylabel("share of positive rows")
    below.set_ylabel("rows")
    below.set_ylim(bottom=0)
    below.set_xlabel("mean probability predicted")
    _legend(axes, lines, [name for name, _ in named])
    return _svg(figure, "calibration")


def distribution(curve: Curves, negative: str, positive: str) -> str:
    """Draw how the probabilities of each class's rows are spread."""
    figure, axes = _axes("probability predicted", "share of the class's rows")
    lines = []
    for colour, shares in ((SERIES[1], curve.negative), (SERIES[0], curve.positive)):
        axes.stairs(shares, curve.score_edges, color=colour, fill=True, alpha=0.35)
        lines.append(axes.stairs(shares, curve.score_edges, color=colour, linewidth=1.5))
    _legend(axes, lines, [negative, positive])
    return _svg(figure, "distribution of the probabilities by class")


def descent(history: Sequence[PassRecord]) -> str:
    """Draw how loss and gradient fell, pass by pass."""
    figure = _new(HEIGHT * 1.2)
    axes, below = figure.subplots(2, 1, sharex=True)
    passes = np.arange(1, len(history) + 1)
    loss = np.array([one["loss"] for one in history], dtype=float)
    gradient = np.array([np.nan if one["gradient"] is None else one["gradient"] for one in history], dtype=float)
    for part, values, name in ((axes, loss, "mean log loss"), (below, gradient, "max |gradient|")):
        _style(part)
        part.plot(passes, values, "o-", color=SERIES[0], markersize=3.5, linewidth=1.2)
        part.set_ylabel(name)
    known = gradient[np.isfinite(gradient) & (gradient > 0)]
    if known.size:
        below.set_yscale("log")
    below.xaxis.get_major_locator().set_params(integer=True)
    below.set_xlabel("pass over the rows")
    return _svg(figure, "loss and gradient by pass")


def _new(height: float) -> Figure:
    mpl = load_matplotlib()

    with mpl.rc_context({"font.size": 9, "text.parse_math": False}):
        return new_figure(WIDTH, height)


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = _new(HEIGHT)
    axes = figure.subplots()
    _style(axes)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _style(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    axes.tick_params(colors=GRID, labelcolor=INK, labelsize=8)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(9)
    axes.grid(visible=True, color=GRID, linewidth=0.5, alpha=0.5)
    axes.patch.set_visible(False)


def _legend(axes: Axes, artists: Sequence[Artist], names: Sequence[str]) -> None:
    """Add a legend, unless there is but one thing to name."""
    if len(names) > 1:
        named_legend(axes, artists, names, frameon=False, fontsize=8, labelcolor=INK)


def _svg(figure: Figure, title: str) -> str:
    """Return a figure as an element of a page."""
    mpl = load_matplotlib()

    figure.patch.set_visible(False)
    written = StringIO()
    options: dict[str, Any] = {"svg.fonttype": "none", "svg.hashsalt": "zeroloop", "svg.id": None}
    with mpl.rc_context({name: value for name, value in options.items() if name in mpl.rcParams}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    for drawn, meant in COLOURS.items():
        svg = svg.replace(drawn, meant)
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    return re.sub(r"<svg [^>]*>", f'<svg {box[0]} role="img" aria-label="{title}">', svg, count=1)


def forest_scale(ends: FloatArray, values: FloatArray) -> float:
    """Return the largest log odds that a forest plot shows; what lies beyond is an arrow.

    Args:
        ends: `(n, 2)`, of the intervals: of many, a few may be left to arrows.
        values: `(n,)`, all of which are shown.

    """
    reached = np.abs(ends[np.isfinite(ends)])
    if reached.size == 0:
        return 1.0
    far = np.max(reached) if reached.size <= 24 else np.quantile(reached, 0.95)
    return float(max(1.05 * far, 1.05 * np.max(np.abs(values)), 0.1))
