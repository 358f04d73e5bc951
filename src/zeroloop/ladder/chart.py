"""The race as a picture: speed-up over two loops, on a log scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zeroloop.charts import new_figure, save
from zeroloop.ladder.race import Result
from zeroloop.plain_text import number_of, plain


def draw(results: Sequence[Result], title: str, path: Path) -> None:
    """Draw a bar a rung and write the chart to `path`, .png or .svg."""
    names = [f"{plain(result.rung)}\n{result.lines} lines, {_loops(result)}" for result in results]
    figure = new_figure(7.5, 0.6 + 0.8 * len(results))
    axes = figure.subplots()
    bars = axes.barh(range(len(names)), [result.speedup for result in results], log=True, left=0)
    for bar, result in zip(bars, results, strict=True):
        bar.set_color("#dd8452" if result.compiled else "#4c72b0")
    axes.bar_label(bars, [f" {_times(result.speedup)}   {_time(result.seconds)}" for result in results], padding=2)
    axes.set_yticks(range(len(names)), names)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_xlim(0.7, max(result.speedup for result in results) * 12)
    axes.set_xlabel(f"speed-up over {results[0].rung} (log scale)")
    axes.set_title(title, loc="left")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def _loops(result: Result) -> str:
    return number_of(result.loops, "loop") + ", compiled" * result.compiled if result.loops else "no loop"


def _times(speedup: float) -> str:
    return f"{speedup:.1f}x" if speedup < 10 else f"{speedup:,.0f}x"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
