"""Delta tables, as deltalake reads them, where it is installed: the rows that their log says are there."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from zeroloop.errors import DataError, first_line
from zeroloop.tables.table_logs import DELTA, LoggedTableError


def dataset_of(folder: str, error: LoggedTableError) -> Any:
    """Return the pyarrow Dataset of a Delta table.

    Args:
        folder: a path or URI.
        error: why it cannot be read file by file.

    Raises:
        LoggedTableError: that one, where the folder is no Delta table by itself, or deltalake is not installed.
        DataError: for a table that deltalake does not read.

    """
    is_root = (
        folder.rstrip("/").endswith(error.folder) if "://" in folder else PurePath(folder) == PurePath(error.folder)
    )
    if error.kind != DELTA or not is_root:
        raise error
    try:
        from deltalake import DeltaTable
    except ModuleNotFoundError:
        raise error from None
    try:
        table = DeltaTable(folder)
        mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none")
        if mapped != "none":  # deltalake would find no values
            raise ValueError("its columns have other names in its files")
        return table.to_pyarrow_dataset()
    except Exception as reason:  # deltalake has its own kinds of error, and its store's
        raise DataError(f"{folder}: deltalake cannot read this Delta table ({first_line(reason)}).") from reason
