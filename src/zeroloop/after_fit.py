"""What a model that has been found must not be lost for: it is saved first, and what fails after it is only said."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from zeroloop.errors import OutputError, ZeroloopError, ZeroloopWarning
from zeroloop.model import Model


def save(model: Model, out: Path) -> None:
    """Save a model where it was asked for, or where that has become impossible, somewhere, and say so."""
    try:
        model.save(out)
    except OutputError as error:
        for find in (Path.cwd, tempfile.gettempdir):
            try:
                folder = Path(find())
            except OSError:  # the current folder is gone, or no folder for temporary files can be written in
                continue
            elsewhere = folder / f"zeroloop-model-{uuid4().hex[:8]}.json"
            try:
                model.save(elsewhere)
            except OutputError:
                continue
            raise OutputError(f"{error} The model is saved as {elsewhere}.") from error
        raise


def attempted(failed: str, work: Callable[[], None]) -> list[Warning]:
    """Do what a model that has been found must not be lost for; return what went wrong."""
    try:
        work()
    except Exception as error:  # noqa: BLE001  whatever it is, the model is worth more
        reason = str(error) if isinstance(error, ZeroloopError) else f"{type(error).__name__}: {error}"
        return [ZeroloopWarning(f"{failed}: {reason}")]
    return []
