"""Folders whose log says which of their files and rows count: Delta, Iceberg, Hudi tables, what a Spark stream wrote.

Read file by file, such a folder would give rows back that have been deleted, and some of them twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath

from zeroloop.errors import DataError

PARQUET = "write it as Parquet, and name that"
DELTA = "a Delta table"
KINDS = {
    DELTA: "name that folder by itself where deltalake is installed (`pip install deltalake`), or ",
    "an Iceberg table": "give zeroloop.train what pyiceberg reads (`table.scan().to_arrow_batch_reader()`), or ",
    "a Hudi table": "read it with Spark or hudi, ",
    "written by a Spark stream": "read it with Spark, ",
}
MARKS = {
    "_delta_log": DELTA,
    ".hoodie": "a Hudi table",
    "_spark_metadata": "written by a Spark stream",
}
"""Names of the logs."""

ICEBERG_LOG, ICEBERG_DATA = "metadata", "data"  # folders of an Iceberg table


class LoggedTableError(DataError):
    """A folder that has a log.

    Attributes:
        folder: which.
        kind: what it is.

    """

    def __init__(self, folder: str, kind: str, way: str) -> None:
        super().__init__(f"{folder}: is {kind}, whose log says which of its files and rows count; {way}{PARQUET}.")
        self.folder = folder
        self.kind = kind


def check_no_log(
    folders: Iterable[str], exists: Callable[[str], bool], names_in: Callable[[str], Sequence[str]]
) -> None:
    """Check that no folder is, or lies in, a table with a log.

    Args:
        folders: paths of folders that hold files.
        exists: returns whether there is anything at a path.
        names_in: returns the names of what a folder holds, which exists.

    Raises:
        LoggedTableError: for the first that is.

    """
    hold = sorted(set(folders))
    around = dict.fromkeys(str(place) for folder in hold for place in (PurePath(folder), *PurePath(folder).parents))
    for place in around:
        kind = next((kind for mark, kind in MARKS.items() if exists(str(PurePath(place, mark)))), None)
        log = str(PurePath(place, ICEBERG_LOG))
        holds_data = place in hold or str(PurePath(place, ICEBERG_DATA)) in around
        if kind is None and holds_data and exists(log) and any(map(_is_of_iceberg, names_in(log))):
            kind = "an Iceberg table"
        if kind is not None:
            raise LoggedTableError(place, kind, KINDS[kind])


def _is_of_iceberg(name: str) -> bool:
    return name == "version-hint.text" or name.endswith(".metadata.json")
