"""Anything tabular -> a table that can be read: files, frames, readers, relations."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from os import PathLike
from typing import Any, TypeAlias

import pyarrow as pa

from zeroloop.errors import DataError, ZeroloopWarning, first_line
from zeroloop.tables.columnar import valid
from zeroloop.tables.dask_data import is_dask
from zeroloop.tables.delta import dataset_of
from zeroloop.tables.expected import NOTHING_EXPECTED, Expected
from zeroloop.tables.files import reading
from zeroloop.tables.find import find_files
from zeroloop.tables.formats import Piece
from zeroloop.tables.frames import is_pandas, is_polars, pandas_table, polars_table
from zeroloop.tables.kept import Keep
from zeroloop.tables.many_files import open_files, repeated
from zeroloop.tables.plain_types import plain_schema
from zeroloop.tables.raw import RawTable
from zeroloop.tables.row_numbers import notes
from zeroloop.tables.rows import is_rows, rows_as_table
from zeroloop.tables.sql import Sql, result_of
from zeroloop.tables.table_logs import LoggedTableError

TableLike: TypeAlias = Any
"""A path, a list of paths, a folder or a glob, each local or a URI; a query, `zeroloop.Sql`; a pandas or polars
DataFrame; a pyarrow Table, RecordBatchReader or Dataset; anything with `__arrow_c_stream__`; rows as dictionaries, or
one."""


def open_table(
    data: TableLike, expected: Expected = NOTHING_EXPECTED, skip_bad_files: bool = False, keep: Keep | None = None
) -> RawTable:
    """Return what can be read of `data`.

    Args:
        data: see `TableLike`.
        expected: what is known of it.
        skip_bad_files: whether a file whose columns cannot be read, or are not those of the others, is left out.
        keep: where what can be read only once is kept; None for the system's folder.

    Raises:
        DataError: when there is nothing to read, or not as one table.

    """
    if isinstance(data, Sql):
        return _said(open_files([result_of(data, keep)], "the query", expected, skip_bad_files=False, keep=keep))
    given = [str(data)] if isinstance(data, str | PathLike) else data
    if isinstance(given, list | tuple) and given and all(isinstance(item, str | PathLike) for item in given):
        try:
            files = [file for item in given for file in find_files(str(item))]
        except LoggedTableError as error:
            table = _of_dataset(dataset_of(str(given[0]) if len(given) == 1 else "", error), str(given[0]))
            return replace(table, schema=plain_schema(table.schema), na=tuple(expected.csv.na))
        many = f"{len(files):,} files"
        name = many if len(given) > 1 else files[0].path if len(files) == 1 else f"{given[0]} ({many})"
        twice = repeated([file.path for file in files])
        if twice is not None:
            warnings.warn(f"{twice}: is named more than once, and so read.", ZeroloopWarning, stacklevel=3)
        return _said(open_files(files, name, expected, skip_bad_files, keep))
    with reading("the table", "it"):
        table = _open_memory(data)
        return replace(table, schema=plain_schema(table.schema), na=tuple(expected.csv.na))


def _said(table: RawTable) -> RawTable:
    """Return a table once what its reader should know has been said."""
    for sentence in notes(table.schema):
        warnings.warn(sentence, ZeroloopWarning, stacklevel=4)
    return table


def _open_memory(data: TableLike) -> RawTable:
    import pyarrow.dataset as ds

    if isinstance(data, ds.Dataset):
        return _of_dataset(data, "the dataset")
    if isinstance(data, pa.RecordBatchReader):
        return _open_reader(data)
    duckdb = sys.modules.get("duckdb")  # whoever holds a relation has imported it
    if duckdb is not None and isinstance(data, duckdb.DuckDBPyRelation):
        return _open_reader(pa.RecordBatchReader.from_stream(data))
    if duckdb is not None and isinstance(data, duckdb.DuckDBPyConnection):
        read = "to_arrow_reader" if hasattr(data, "to_arrow_reader") else "fetch_record_batch"  # as it was before 1.5
        return _open_reader(getattr(data, read)())
    table = _as_table(data)
    twice = repeated(table.column_names)
    if twice is not None:
        raise DataError(f"The column {twice!r} is there twice; rename one.")
    select = _from_batches("the table", lambda columns: table.select(list(columns)).to_batches())
    return RawTable(name="the table", schema=table.schema, n_bytes=0, n_rows=len(table), read=select)


def _of_dataset(data: Any, name: str) -> RawTable:
    import pyarrow.dataset as ds

    def batches(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        # Batches decoded ahead are memory that no budget knows of.
        plainly = isinstance(getattr(data, "format", None), ds.IpcFileFormat) and not data._scan_options
        if plainly:  # the scanner does not look at what such a file holds: a damaged one ends the process
            for fragment in data.get_fragments():
                yield from _of_ipc(fragment, data.schema, columns)
        else:
            yield from data.to_batches(columns=list(columns), batch_readahead=4, fragment_readahead=1)

    return RawTable(name=name, schema=data.schema, n_bytes=0, n_rows=None, read=_from_batches(name, batches))


def _of_ipc(fragment: Any, schema: pa.Schema, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the batches of one Arrow IPC file of a dataset, each looked through before it is used."""
    import pyarrow.dataset as ds

    keys = ds.get_partition_keys(fragment.partition_expression)
    with fragment.open() as source, pa.ipc.open_file(source) as reader:
        for i in range(reader.num_record_batches):
            batch = valid(reader.get_batch(i))
            arrays = []
            for name in columns:
                data_type = schema.field(name).type
                if name in batch.schema.names:
                    arrays.append(batch[name] if batch[name].type == data_type else batch[name].cast(data_type))
                else:
                    arrays.append(pa.repeat(pa.scalar(keys.get(name), data_type), batch.num_rows))
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _open_reader(reader: pa.RecordBatchReader) -> RawTable:
    seen: list[pa.RecordBatch] = []  # what was not asked to go on after it is read once more: it was only looked at

    def of_reader(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        while True:
            if not seen:
                seen.extend(islice(reader, 1))
            if not seen:
                return
            yield seen[0].select(columns)
            seen.clear()

    selected = _from_batches("the reader", of_reader)
    return RawTable(name="the reader", schema=reader.schema, n_bytes=0, n_rows=None, read=selected, again=False)


def _from_batches(
    name: str, batches: Callable[[Sequence[str]], Iterable[pa.RecordBatch]]
) -> Callable[[Sequence[str], int], Iterator[Piece]]:
    """Return what reads batches from a row on, of what can only be read from the start."""

    def read(columns: Sequence[str], first_row: int) -> Iterator[Piece]:
        start = 0
        with reading(name, "what it reads"):
            for batch in batches(columns):
                if start + batch.num_rows > first_row:
                    yield Piece(valid(batch).slice(max(0, first_row - start)), 0)  # it may be of a damaged file
                start += batch.num_rows

    return read


def _as_table(data: TableLike) -> pa.Table:
    if isinstance(data, pa.Table):
        return data  # not through C structures, which would follow the offsets of damaged ones
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if is_rows(data):
        return rows_as_table(data)
    if is_pandas(data):
        return pandas_table(data)
    if is_polars(data):
        return polars_table(data)
    try:
        if hasattr(data, "__arrow_c_stream__") and not hasattr(data, "to_frame"):  # a Series is a column, no table
            return pa.table(data)
    except (pa.ArrowException, OverflowError) as error:
        raise DataError(f"The table cannot be read as Arrow: {first_line(error)}") from error
    if is_dask(data):
        raise DataError(
            f"Cannot read a Dask {type(data).__name__} here; train, evaluate, predict_file and reports take a Dask "
            "DataFrame, LogisticRegression a Dask array."
        )
    raise DataError(
        f"Cannot read {type(data).__name__} as a table; give a path, a pandas or polars DataFrame, "
        "a pyarrow Table, RecordBatchReader or Dataset, or rows as dictionaries (arrays go to "
        "zeroloop.LogisticRegression)."
    )
