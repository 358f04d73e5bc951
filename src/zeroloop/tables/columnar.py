"""Files that hold Arrow's own types: Parquet, Arrow IPC files and streams, ORC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from zeroloop.blocks import block_rows
from zeroloop.errors import BadFileError
from zeroloop.tables.children import decoding
from zeroloop.tables.files import File

PARQUET_BLOCKS = 4  # decoded at once: of fewer, more would lie in two pieces and be copied
PARQUET_BUFFER = 2**20  # bytes of a column that are read at once: a whole chunk of it may be a hundred megabytes
ACID = ["operation", "originalTransaction", "bucket", "rowId", "currentTransaction", "row"]
"""Columns of the files of a table that Hive keeps with transactions: what each row is comes from all of them."""

Rows = Iterator[tuple[int, pa.RecordBatch, int]]
"""Batches, each with the index of its first row before it, and how much of the file has been read after it."""

Columns = tuple[pa.Schema, tuple[int, ...] | None]
"""Columns, and the rows of each part at whose start reading may begin, where they are known without reading them."""


def valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch whose offsets lie in it, whose codes have levels, and whose text is UTF-8.

    Arrow takes what an IPC file holds without looking at it, and would follow an offset anywhere; of Parquet, text may
    be any bytes. The check costs 7 ns a value of text, 2 ns a code, and nothing for numbers.

    Raises:
        pa.ArrowException: for a batch that is damaged.

    """
    batch.validate(full=True)
    return batch


def parquet_schema(file: File) -> Columns:
    """Return a Parquet file's columns, and the rows of its row groups."""
    with file.open() as source, _parquet(source) as found:
        groups = range(found.num_row_groups)
        return found.schema_arrow, tuple(found.metadata.row_group(i).num_rows for i in groups)


def parquet_rows(file: File, columns: Sequence[str], first_row: int) -> Rows:
    """Yield a Parquet file's rows; row groups that end before `first_row` are not decoded."""
    columns = list(columns)
    with file.open() as source, _parquet(source) as found:
        rows = [found.metadata.row_group(i).num_rows for i in range(found.num_row_groups)]
        starts = np.cumsum([0, *rows])
        groups = [i for i in range(len(rows)) if starts[i + 1] > first_row]
        done = int(starts[groups[0]]) if groups else 0
        at_once = PARQUET_BLOCKS * block_rows(len(columns))
        for batch in found.iter_batches(at_once, row_groups=groups, columns=columns):
            n_bytes = file.size * (done + batch.num_rows) // int(starts[-1])
            yield done, valid(batch if batch.schema.names == columns else batch.select(columns)), n_bytes
            done += batch.num_rows


def _parquet(source: pa.NativeFile) -> Any:
    import pyarrow.parquet as pq

    # Instants of 96 bits (Spark, Impala) would run over as nanoseconds: 9999-12-31 would be 1816-03-29.
    return pq.ParquetFile(
        source, buffer_size=PARQUET_BUFFER, page_checksum_verification=True, coerce_int96_timestamp_unit="us"
    )


def ipc_schema(file: File) -> Columns:
    """Return the columns of an Arrow IPC file."""
    with file.open() as source, pa.ipc.open_file(source) as reader:
        return reader.schema, None


def ipc_rows(file: File, columns: Sequence[str]) -> Rows:
    """Yield the rows of an Arrow IPC file."""
    with file.open() as source, pa.ipc.open_file(source) as reader:
        done = 0
        for i in range(reader.num_record_batches):
            batch = valid(reader.get_batch(i).select(columns))
            yield done, batch, file.size * (i + 1) // reader.num_record_batches
            done += batch.num_rows


def stream_schema(file: File) -> Columns:
    """Return the columns of an Arrow IPC stream."""
    with file.open() as source, pa.ipc.open_stream(source) as reader:
        return reader.schema, None


def stream_rows(file: File, columns: Sequence[str]) -> Rows:
    """Yield the rows of an Arrow IPC stream."""
    with file.open() as source, pa.ipc.open_stream(source) as reader:
        done = 0
        for batch in reader:
            yield done, valid(batch.select(columns)), source.tell()
            done += batch.num_rows


def orc_schema(file: File) -> Columns:
    """Return an ORC file's columns, and its number of rows.

    Raises:
        BadFileError: for a file of a Hive table with transactions.

    """
    with file.open() as source:
        found = _orc(source)
        schema = found.schema
        if schema.names == ACID:
            raise BadFileError(
                file.path,
                "it is a file of a Hive table with transactions, whose rows need all of its files; write the table as "
                "Parquet, and name that.",
            )
        return schema, (found.nrows,)


def orc_rows(file: File, columns: Sequence[str]) -> Rows:
    """Yield an ORC file's rows, a stripe at a time, decoded in another process."""
    with decoding(
        file, "stripes.py", what="file", instead="copy it again, or write it as Parquet", columns=list(columns)
    ) as child:
        stripes = child.said.get("stripes", 0)
        if stripes == 0:
            return
        with pa.ipc.open_stream(child.output) as reader:
            done = 0
            for i, batch in enumerate(reader):
                yield done, valid(batch), file.size * (i + 1) // stripes
                done += batch.num_rows


def _orc(source: pa.NativeFile) -> Any:
    import pyarrow.orc as orc

    return orc.ORCFile(source)
