"""One file -> Arrow record batches: which format it has, its columns, its rows from any row on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa

from zeroloop.errors import BadFileError, DataError, EmptyFileError
from zeroloop.tables import columnar, svmlight
from zeroloop.tables.avro import avro_batches, avro_schema
from zeroloop.tables.common_types import with_types
from zeroloop.tables.csv_files import csv_batches, csv_schema
from zeroloop.tables.expected import Expected
from zeroloop.tables.files import File
from zeroloop.tables.json_files import json_batches, json_schema
from zeroloop.tables.json_records import is_json
from zeroloop.tables.kinds import JSON_ENDINGS, READ, foreign, is_svmlight
from zeroloop.tables.packed import WorkbookError, packing_of
from zeroloop.tables.plain_types import plain_batch
from zeroloop.tables.text_encoding import is_wide_text

Format = Literal["Parquet", "Arrow file", "Arrow stream", "ORC", "Avro", "libsvm", "JSON", "CSV"]
STARTS: dict[bytes, Format] = {
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow file",
    b"\xff\xff\xff\xff": "Arrow stream",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
}
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # or a locked one of a newer format
PART = "part-"  # begins the names of files that are parts of a table


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a file.

    Attributes:
        batch: the rows.
        n_bytes: how much of the file has been read, about.

    """

    batch: pa.RecordBatch
    n_bytes: int


def format_of(file: File) -> Format:
    """Return a file's format, by its first bytes, or its name.

    Raises:
        BadFileError: for a file that is empty or of no format known.
        WorkbookError: for a workbook.

    """
    packing, head = file.head(4096)
    if not head:
        # Spark and Hadoop leave such files where a part has no rows; elsewhere it is more likely that rows were lost.
        bad = EmptyFileError if Path(file.place).name.startswith(PART) else BadFileError
        raise bad(file.path, "the file is empty.")
    if is_svmlight(file.place):
        return "libsvm"
    for start, kind in STARTS.items():
        if head.startswith(start):
            if packing is not None:
                raise BadFileError(file.path, f"it holds {kind}, packed by {packing}; unpack it.")
            return kind
    if packing_of(head) is not None:
        raise BadFileError(file.path, f"it holds a packed file, packed again by {packing}; unpack it once.")
    if head.startswith(OLD_WORKBOOK):
        raise WorkbookError(file.path, "it is a workbook.")
    other = foreign(head)
    if other is not None:
        raise BadFileError(file.path, other)
    if b"\0" in head and not is_wide_text(head):
        raise BadFileError(file.path, f"it is of no kind that is read ({READ}); convert it to one of them.")
    if is_json(head):
        return "JSON"
    if file.place.lower().endswith(JSON_ENDINGS):
        raise BadFileError(file.path, "it holds no records in JSON, which are objects, one a line or in a list.")
    return "CSV"


def file_schema(file: File, expected: Expected) -> tuple[pa.Schema, tuple[int, ...] | None]:
    """Return a file's columns, and the rows of each of its row groups where that is known without reading them.

    Args:
        file: which.
        expected: what is known of it.

    """
    expected = _of_file(expected, file)
    match format_of(file):
        case "Parquet":
            return columnar.parquet_schema(file)
        case "Arrow file":
            return columnar.ipc_schema(file)
        case "Arrow stream":
            return columnar.stream_schema(file)
        case "ORC":
            return columnar.orc_schema(file)
        case "Avro":
            return avro_schema(file), None
        case "libsvm":
            return svmlight.SCHEMA, None
        case "JSON":
            schema, n_rows = json_schema(file, expected)
            return schema, (n_rows,)
        case "CSV":
            return csv_schema(file, expected), None


def file_batches(
    file: File,
    columns: Sequence[str],
    types: dict[str, pa.DataType],
    common: Mapping[str, pa.DataType],
    first_row: int,
    expected: Expected,
) -> Iterator[Piece]:
    """Yield a file's rows from `first_row` on, with the named columns.

    Args:
        file: which.
        columns: those to read.
        types: that text is read as. Those that turn out too narrow are widened there, so that the next reading starts
            with the right ones.
        common: types that the rows have, where the file's own go with them; see `with_types`.
        first_row: index of the first row in the file.
        expected: what is known of the file.

    Raises:
        BadFileError: for a file that cannot be read, or a value that a type in common does not hold.

    """
    own = [name for name in columns if name not in dict(file.keys)]
    if not own:  # a file is read for its number of rows, at least
        own = [next(name for name in types if name not in dict(file.keys))]
    for start, rows, n_bytes in _rows(file, own, types, first_row, expected):
        if start + rows.num_rows <= first_row:
            continue
        batch = _with_keys(rows.slice(max(0, first_row - start)), file, columns, types)
        try:
            batch = with_types(plain_batch(batch), common, first_row)
        except DataError as error:
            raise BadFileError(file.path, str(error)) from error
        first_row += batch.num_rows
        yield Piece(batch, n_bytes)


def _rows(
    file: File, columns: list[str], types: dict[str, pa.DataType], first_row: int, expected: Expected
) -> columnar.Rows:
    """Return the rows of a file; those before `first_row` may be left out."""
    expected = _of_file(expected, file)
    match format_of(file):
        case "Parquet":
            return columnar.parquet_rows(file, columns, first_row)
        case "Arrow file":
            return columnar.ipc_rows(file, columns)
        case "Arrow stream":
            return columnar.stream_rows(file, columns)
        case "ORC":
            return columnar.orc_rows(file, columns)
        case "Avro":
            return _numbered(avro_batches(file, columns))
        case "libsvm":
            return _numbered(svmlight.svmlight_batches(file, columns))
        case "JSON":
            return _numbered(json_batches(file, columns, types, expected))
        case "CSV":
            return _numbered(csv_batches(file, columns, types, expected))


def _of_file(expected: Expected, file: File) -> Expected:
    return expected if file.csv is None else replace(expected, csv=file.csv)


def _numbered(batches: Iterator[tuple[pa.RecordBatch, int]]) -> columnar.Rows:
    done = 0
    for batch, n_bytes in batches:
        yield done, batch, n_bytes
        done += batch.num_rows


def _with_keys(
    batch: pa.RecordBatch, file: File, columns: Sequence[str], types: dict[str, pa.DataType]
) -> pa.RecordBatch:
    """Return a batch with the wanted columns, those of the file's hive keys among them."""
    if not file.keys:
        return batch
    keys = dict(file.keys)

    def constant(name: str) -> pa.Array:
        value = keys[name]
        typed = None if value is None else int(value) if pa.types.is_integer(types[name]) else value
        return pa.repeat(pa.scalar(typed, types[name]), batch.num_rows)

    return pa.RecordBatch.from_arrays(
        [constant(name) if name in keys else batch[name] for name in columns], names=list(columns)
    )
