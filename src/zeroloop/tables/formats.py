"""One file -> Arrow record batches: which format it has, its columns, its rows from any row on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from zeroloop.blocks import block_rows
from zeroloop.errors import BadFileError, DataError, EmptyFileError
from zeroloop.tables import svmlight
from zeroloop.tables.csv_dialect import CsvOptions
from zeroloop.tables.csv_files import csv_batches, csv_schema
from zeroloop.tables.date_types import with_date_types
from zeroloop.tables.files import File
from zeroloop.tables.json_files import json_batches, json_schema
from zeroloop.tables.json_records import is_json
from zeroloop.tables.kinds import JSON_ENDINGS, READ, foreign, is_svmlight
from zeroloop.tables.packed import packing_of
from zeroloop.tables.text_encoding import is_wide_text

PARQUET_BLOCKS = 4  # decoded at once: of fewer, more would lie in two pieces and be copied
PARQUET_BUFFER = 2**20  # bytes of a column that are read at once: a whole chunk of it may be a hundred megabytes

Format = Literal["parquet", "ipc", "stream", "svmlight", "json", "csv"]
STARTS: dict[bytes, Format] = {b"PAR1": "parquet", b"ARROW1": "ipc", b"\xff\xff\xff\xff": "stream"}
PART = "part-"  # begins the names of files that are parts of a table
NAMES = {"parquet": "Parquet", "ipc": "Arrow", "stream": "Arrow"}


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

    """
    packing, head = file.head(4096)
    if not head:
        # Spark and Hadoop leave such files where a part has no rows; elsewhere it is more likely that rows were lost.
        bad = EmptyFileError if Path(file.path).name.startswith(PART) else BadFileError
        raise bad(file.path, "the file is empty.")
    if is_svmlight(file.path):
        return "svmlight"
    for start, kind in STARTS.items():
        if head.startswith(start):
            if packing is not None:
                raise BadFileError(file.path, f"it holds a file of {NAMES[kind]}, packed by {packing}; unpack it.")
            return kind
    if packing_of(head) is not None:
        raise BadFileError(file.path, f"it holds a packed file, packed again by {packing}; unpack it once.")
    other = foreign(head)
    if other is not None:
        raise BadFileError(file.path, other)
    if b"\0" in head and not is_wide_text(head):
        raise BadFileError(file.path, f"it is of no kind that is read ({READ}); convert it to one of them.")
    if is_json(head):
        return "json"
    if file.path.lower().endswith(JSON_ENDINGS):
        raise BadFileError(file.path, "it holds no records in JSON, which are objects, one a line or in a list.")
    return "csv"


def file_schema(file: File, options: CsvOptions) -> tuple[pa.Schema, tuple[int, ...] | None]:
    """Return a file's columns, and the rows of each of its row groups where that is known without reading them.

    Args:
        file: which.
        options: what is known of CSV files.

    """
    match format_of(file):
        case "parquet":
            import pyarrow.parquet as pq

            with file.open() as source, pq.ParquetFile(source, coerce_int96_timestamp_unit="us") as found:
                groups = range(found.num_row_groups)
                return found.schema_arrow, tuple(found.metadata.row_group(i).num_rows for i in groups)
        case "ipc":
            with file.open() as source, pa.ipc.open_file(source) as reader:
                return reader.schema, None
        case "stream":
            with file.open() as source, pa.ipc.open_stream(source) as reader:
                return reader.schema, None
        case "svmlight":
            return svmlight.SCHEMA, None
        case "json":
            schema, n_rows = json_schema(file, options)
            return schema, (n_rows,)
        case _:
            return csv_schema(file, options), None


def file_batches(
    file: File, columns: Sequence[str], types: dict[str, pa.DataType], first_row: int, options: CsvOptions
) -> Iterator[Piece]:
    """Yield a file's rows from `first_row` on, with the named columns; of a CSV file with `types`, or wider ones.

    Dates and times have their types there too, which those of several files may differ from.

    Types that turn out too narrow are widened in `types`, so that the next reading starts with the right ones.
    """
    own = [name for name in columns if name not in dict(file.keys)]
    if not own:  # a file is read for its number of rows, at least
        own = [next(name for name in types if name not in dict(file.keys))]
    for piece in _skipped(_pieces(file, own, types, first_row, options), first_row):
        batch = _with_keys(piece.batch, file, columns, types)
        try:
            batch = with_date_types(batch, types, first_row)
        except DataError as error:
            raise BadFileError(file.path, str(error)) from error
        first_row += batch.num_rows
        yield Piece(batch, piece.n_bytes)


def _pieces(
    file: File, columns: list[str], types: dict[str, pa.DataType], first_row: int, options: CsvOptions
) -> Iterator[tuple[int, Piece]]:
    """Yield pieces with the index of their first row; those before `first_row` may be left out."""
    match format_of(file):
        case "parquet":
            yield from _parquet(file, columns, first_row)
        case "ipc":
            with file.open() as source, pa.ipc.open_file(source) as reader:
                done = 0
                for i in range(reader.num_record_batches):
                    batch = valid(reader.get_batch(i).select(columns))
                    yield done, Piece(batch, file.size * (i + 1) // reader.num_record_batches)
                    done += batch.num_rows
        case "stream":
            with file.open() as source, pa.ipc.open_stream(source) as reader:
                done = 0
                for batch in reader:
                    yield done, Piece(valid(batch.select(columns)), source.tell())
                    done += batch.num_rows
        case "svmlight":
            with file.open() as source, file.unpacked(source) as stream:
                done = 0
                for batch in svmlight.svmlight_batches(stream, file.path, columns):
                    yield done, Piece(batch, source.tell())
                    done += batch.num_rows
        case "json":
            done = 0
            for batch, n_bytes in json_batches(file, columns, types, options):
                yield done, Piece(batch, n_bytes)
                done += batch.num_rows
        case _:
            done = 0
            for batch, n_bytes in csv_batches(file, columns, types, options):
                yield done, Piece(batch, n_bytes)
                done += batch.num_rows


def valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch whose offsets lie in it, whose codes have levels, and whose text is UTF-8.

    Arrow takes what an IPC file holds without looking at it, and would follow an offset anywhere; of Parquet, text may
    be any bytes. The check costs 7 ns a value of text, 2 ns a code, and nothing for numbers.

    Raises:
        pa.ArrowException: for a batch that is damaged.

    """
    batch.validate(full=True)
    return batch


def _parquet(file: File, columns: list[str], first_row: int) -> Iterator[tuple[int, Piece]]:
    """Yield a Parquet file's rows; row groups that end before `first_row` are not decoded."""
    with file.open() as source, _opened(source) as found:
        rows = [found.metadata.row_group(i).num_rows for i in range(found.num_row_groups)]
        starts = np.cumsum([0, *rows])
        groups = [i for i in range(len(rows)) if starts[i + 1] > first_row]
        done = int(starts[groups[0]]) if groups else 0
        at_once = PARQUET_BLOCKS * block_rows(len(columns))
        for batch in found.iter_batches(at_once, row_groups=groups, columns=columns):
            n_bytes = file.size * (done + batch.num_rows) // int(starts[-1])
            yield done, Piece(valid(batch if batch.schema.names == columns else batch.select(columns)), n_bytes)
            done += batch.num_rows


def _opened(source: pa.NativeFile) -> Any:
    import pyarrow.parquet as pq

    # Instants of 96 bits (Spark, Impala) would run over as nanoseconds: 9999-12-31 would be 1816-03-29.
    return pq.ParquetFile(
        source, buffer_size=PARQUET_BUFFER, page_checksum_verification=True, coerce_int96_timestamp_unit="us"
    )


def _skipped(pieces: Iterator[tuple[int, Piece]], first_row: int) -> Iterator[Piece]:
    for start, piece in pieces:
        if start >= first_row:
            yield piece
        elif start + piece.batch.num_rows > first_row:
            yield Piece(piece.batch.slice(first_row - start), piece.n_bytes)


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
