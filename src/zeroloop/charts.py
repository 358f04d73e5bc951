"""What all charts share: where they may be written, and how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zeroloop.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")


def check_chart_path(path: Path) -> None:
    """Raise OutputError unless a chart can be written at `path`."""
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path}: a chart is written as .png or .svg; name the file so.")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first.")


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches; matplotlib is loaded here, and no window is opened."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a chart to `path`, .png or .svg.

    Raises:
        OutputError: when it cannot be written.

    """
    check_chart_path(path)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error
