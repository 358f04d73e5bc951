"""What all charts share: where they may be written, and how."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroloop.errors import OutputError
from zeroloop.outputs import check_writable, replacing
from zeroloop.plain_text import plain

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")


def check_chart_path(path: Path) -> None:
    """Raise OutputError unless a chart can be written at `path`."""
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path}: a chart is written as .png or .svg; name the file so.")
    check_writable(path)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches; no window is opened."""
    load_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def named_legend(axes: Axes, artists: Sequence[Artist], names: Sequence[str], **how: Any) -> None:
    """Add a legend of names that are shown as they are.

    matplotlib leaves out names that begin with an underscore, or are empty, and takes what is between two dollars for
    mathematics; so the names are put in afterwards.
    """
    legend = axes.legend(artists, list(map(str, range(len(names)))), **how)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(plain(name))


def load_matplotlib() -> Any:
    """Return matplotlib, loaded whatever `MPLBACKEND` says: no window is opened, and a bad name would be an error."""
    asked = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib as mpl
    finally:
        if asked is not None:
            os.environ["MPLBACKEND"] = asked
    return mpl


def save(figure: Figure, path: Path) -> None:
    """Write a chart to `path`, .png or .svg.

    Raises:
        OutputError: when it cannot be written.

    """
    check_chart_path(path)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix.lower()[1:], dpi=150)
    with replacing(path) as file:
        file.write(drawn.getbuffer())
