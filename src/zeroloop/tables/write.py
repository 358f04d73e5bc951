"""Files written beside, flushed and renamed: a killed run leaves the previous file, never half a new one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from zeroloop.errors import OutputError


def check_writable(path: Path) -> None:
    """Check, before any work, that a file can be written at `path`.

    Raises:
        OutputError: saying why not.

    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(f"{path}: no file can be written in {path.parent} ({error.strerror}).") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a new file's path beside `path`; rename it to `path` once the block ends well, else remove it.

    Raises:
        OutputError: when the file cannot be written.

    """
    check_writable(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _flush(temporary)
            temporary.chmod(_mode(path))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}).") from error


def write_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    """Write record batches to `path`, Parquet or CSV by its ending, in bounded memory.

    Raises:
        OutputError: for another ending, or when the file cannot be written.

    """
    check_table_path(path)
    with replacing(path) as temporary, _writer(path, temporary, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows, dictionaries of the same keys, to `path`, .parquet or .csv; an existing file is replaced in one step.

    Raises:
        OutputError: when the file cannot be written.

    """
    table = pa.Table.from_pylist(list(rows))
    write_batches(table.to_batches(), table.schema, path)


def check_table_path(path: Path) -> None:
    """Check that a table can be written at `path`.

    Raises:
        OutputError: saying why not.

    """
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise OutputError(f"{path}: predictions are written as .parquet or .csv; name the file so.")
    check_writable(path)


def _writer(path: Path, temporary: Path, schema: pa.Schema) -> pa.csv.CSVWriter | pa.parquet.ParquetWriter:
    if path.suffix.lower() == ".csv":
        import pyarrow.csv as csv

        return csv.CSVWriter(temporary, schema)
    import pyarrow.parquet as pq

    return pq.ParquetWriter(temporary, schema)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _mode(path: Path) -> int:
    """Return the mode of the file to be replaced, or the one a new file would get."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
