"""Anything tabular -> Arrow record batches, in order, re-cut to the fixed number of rows of a block."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, TypeAlias

import pyarrow as pa

from zeroloop.blocks import block_rows
from zeroloop.errors import BadFileError, DataError
from zeroloop.tables.columns import describe
from zeroloop.tables.files import File, find_files, first_line, partitioned, reading
from zeroloop.tables.formats import Piece, file_batches, file_schema

TableLike: TypeAlias = Any
"""A path, a list of paths, a folder or a glob, each local or a URI; a pandas or polars DataFrame; a pyarrow Table,
RecordBatchReader or Dataset; anything with `__arrow_c_stream__`."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table not read yet.

    Attributes:
        name: what to call it in a message.
        schema: its columns.
        n_bytes: size of its files; 0 for tables in memory.
        n_rows: where it is known before reading.
        read: yields pieces of the named columns from a row on, in row order, however cut; `n_bytes` counts those of
            all files so far.
        again: whether it can be read more than once.
        files: that it consists of, none for tables in memory.
        skipped: files left out.

    """

    name: str
    schema: pa.Schema
    n_bytes: int
    n_rows: int | None
    read: Callable[[Sequence[str], int], Iterable[Piece]]
    again: bool = True
    files: tuple[File, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def pieces(self, columns: Collection[str], first_row: int = 0) -> Iterator[Piece]:
        """Yield batches of as many rows as a block of so many columns has (the last may have fewer).

        Args:
            columns: those wanted.
            first_row: of the first batch; a whole number of batches.

        """
        wanted = [name for name in self.schema.names if name in columns]
        n_bytes = 0

        def counted() -> Iterator[pa.RecordBatch]:
            nonlocal n_bytes
            plain: pa.Schema | None = None  # the last batch's, if it has no views
            for piece in self.read(wanted, first_row):
                n_bytes = piece.n_bytes
                batch = piece.batch if piece.batch.schema == plain else _plain(piece.batch)
                plain = piece.batch.schema if batch is piece.batch else None
                yield batch

        for batch in recut(counted(), block_rows(len(wanted))):
            yield Piece(batch, n_bytes)

    def batches(self, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
        """Yield the batches of `pieces`."""
        return (piece.batch for piece in self.pieces(columns))


def open_table(data: TableLike, text: Collection[str] = (), skip_bad_files: bool = False) -> RawTable:
    """Return what can be read of `data`.

    Args:
        data: see `TableLike`.
        text: columns that may hold text among numbers (they are to be levels); CSV files only.
        skip_bad_files: whether a file whose columns cannot be read, or are not those of the others, is left out.

    Raises:
        DataError: when there is nothing to read, or not as one table.

    """
    if isinstance(data, str | PathLike):
        return open_files(find_files(str(data)), str(data), text, skip_bad_files)
    if isinstance(data, list | tuple) and data and all(isinstance(item, str | PathLike) for item in data):
        files = [file for item in data for file in find_files(str(item))]
        return open_files(files, str(data[0]) if len(data) == 1 else f"{len(files)} files", text, skip_bad_files)
    table = _open_memory(data)
    return replace(table, schema=pa.schema([(field.name, _plain_type(field.type)) for field in table.schema]))


def recut(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of `rows`, whatever the cut they come in."""
    pending: list[pa.RecordBatch] = []
    have = 0
    for batch in batches:
        at = 0
        while at < batch.num_rows:
            part = batch.slice(at, rows - have)
            pending.append(part)
            at += part.num_rows
            have += part.num_rows
            if have == rows:
                yield _joined(pending)
                pending, have = [], 0
    if pending:
        yield _joined(pending)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch without views of text, which few of Arrow's functions take; polars makes them."""
    types = [_plain_type(field.type) for field in batch.schema]
    if all(data_type is field.type for data_type, field in zip(types, batch.schema, strict=True)):
        return batch
    arrays = [column.cast(data_type) for column, data_type in zip(batch.columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _plain_type(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(data_type):
        return pa.string()
    if pa.types.is_dictionary(data_type) and pa.types.is_string_view(data_type.value_type):
        return pa.dictionary(data_type.index_type, pa.string())
    return data_type


def numbered(pieces: Iterable[Piece], first_row: int = 0) -> Iterator[tuple[int, Piece]]:
    """Yield each piece with the index of its first row, given the first one's."""
    for piece in pieces:
        yield first_row, piece
        first_row += piece.batch.num_rows


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(parts) == 1:
        return parts[0]
    # "permissive": a CSV column may turn from whole numbers to fractions between two batches.
    table = pa.concat_tables([pa.Table.from_batches([part]) for part in parts], promote_options="permissive")
    return table.unify_dictionaries().combine_chunks().to_batches()[0]


@dataclass(slots=True)
class _Opened:
    """A file's columns; `n_rows` is known from the start or after the first reading."""

    file: File
    types: dict[str, pa.DataType]
    n_rows: int | None


def open_files(files: Sequence[File], name: str, text: Collection[str], skip_bad_files: bool) -> RawTable:
    """Return the rows of several files as one table.

    Raises:
        BadFileError: for a file that cannot be read, or whose columns are not the first one's; unless it is skipped.

    """
    keys, files = partitioned(files)
    unified = _Unified(tuple(field.name for field in keys))
    opened: list[_Opened] = []
    skipped: list[Skipped] = []
    for file in files:
        try:
            with reading(file.path):
                schema, n_rows = file_schema(file, text)
            unified.add(file.path, schema)
        except BadFileError as error:
            if not skip_bad_files:
                raise
            skipped.append(Skipped(error.path, error.reason))
            continue
        opened.append(_Opened(file, {}, n_rows))
    if not opened:
        raise DataError(f"{name}: no file is left to read; the first is bad because: {skipped[0].reason}")
    fields = [*unified.fields(), *keys]
    for one in opened:
        one.types.update((field.name, field.type) for field in fields)

    def read(columns: Sequence[str], first_row: int) -> Iterator[Piece]:
        n_bytes, start = 0, 0
        for one in opened:
            if one.n_rows is None or start + one.n_rows > first_row:
                rows = max(0, first_row - start)
                with reading(one.file.path):
                    for piece in file_batches(one.file, columns, one.types, rows):
                        rows += piece.batch.num_rows
                        yield Piece(piece.batch, n_bytes + piece.n_bytes)
                one.n_rows = rows
            n_bytes += one.file.size
            start += one.n_rows

    rows = [one.n_rows for one in opened if one.n_rows is not None]
    return RawTable(
        name,
        pa.schema(fields),
        sum(one.file.size for one in opened),
        sum(rows) if len(rows) == len(opened) else None,
        read,
        files=tuple(one.file for one in opened),
        skipped=tuple(skipped),
    )


class _Unified:
    """The one schema of several files; their columns may differ in order, and in the width of numbers."""

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = keys
        self._types: dict[str, tuple[pa.DataType, str]] = {}
        self._first = ""

    def add(self, path: str, schema: pa.Schema) -> None:
        """Take in a file's columns.

        Raises:
            BadFileError: when they are not those of the files before; nothing of them is then taken in.

        """
        twice = _twice(schema.names)
        if twice is not None:
            raise BadFileError(path, f"the column {twice!r} is there twice; rename one.")
        own = [name for name in schema.names if name not in self._keys]  # a folder's name goes before a column's
        if not self._types:
            self._first = path
            self._types = {name: (schema.field(name).type, path) for name in own}
            return
        gone = [name for name in self._types if name not in own]
        new = [name for name in own if name not in self._types]
        if gone or new:
            differs = [f"it lacks {', '.join(map(repr, gone))}"] if gone else []
            differs += [f"it adds {', '.join(map(repr, new))}"] if new else []
            raise BadFileError(
                path,
                f"its columns are not those of {self._first}: {' and '.join(differs)}. "
                "Files read as one table must have the same columns.",
            )
        self._types = {name: self._common(name, path, schema.field(name).type) for name in self._types}

    def fields(self) -> list[pa.Field]:
        """Return the columns, in the order of the first file."""
        return [pa.field(name, data_type) for name, (data_type, _) in self._types.items()]

    def _common(self, name: str, path: str, found: pa.DataType) -> tuple[pa.DataType, str]:
        common, common_path = self._types[name]
        if found == common or pa.types.is_null(found):
            return common, common_path
        if pa.types.is_null(common):
            return found, path
        if describe(found) == describe(common) == "numbers":
            whole = pa.types.is_integer(found) and pa.types.is_integer(common)
            return (common if whole else pa.float64()), common_path
        if describe(found) != describe(common):
            raise BadFileError(
                path,
                f"column {name!r} holds {describe(found)}, but {describe(common)} in {common_path}; convert one.",
            )
        return common, common_path


def _twice(names: Sequence[str]) -> str | None:
    """Return the first name that is there a second time."""
    return next((name for name, n in Counter(names).items() if n > 1), None)


def _open_memory(data: TableLike) -> RawTable:
    import pyarrow.dataset as ds

    if isinstance(data, ds.Dataset):

        def of_dataset(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            # Batches decoded ahead are memory that no budget knows of.
            yield from data.to_batches(columns=list(columns), batch_readahead=4, fragment_readahead=1)

        return RawTable("the dataset", data.schema, 0, None, _from_batches(of_dataset))
    if isinstance(data, pa.RecordBatchReader):
        return _open_reader(data)
    duckdb = sys.modules.get("duckdb")  # whoever holds a relation has imported it
    if duckdb is not None and isinstance(data, duckdb.DuckDBPyRelation):
        return _open_reader(pa.RecordBatchReader.from_stream(data))
    if duckdb is not None and isinstance(data, duckdb.DuckDBPyConnection):
        read = "to_arrow_reader" if hasattr(data, "to_arrow_reader") else "fetch_record_batch"  # as it was before 1.5
        return _open_reader(getattr(data, read)())
    table = _as_table(data)
    twice = _twice(table.column_names)
    if twice is not None:
        raise DataError(f"The column {twice!r} is there twice; rename one.")
    select = _from_batches(lambda columns: table.select(list(columns)).to_batches())
    return RawTable("the table", table.schema, 0, len(table), select)


def _open_reader(reader: pa.RecordBatchReader) -> RawTable:
    selected = _from_batches(lambda columns: (batch.select(columns) for batch in reader))
    return RawTable("the reader", reader.schema, 0, None, selected, again=False)


def _from_batches(
    batches: Callable[[Sequence[str]], Iterable[pa.RecordBatch]],
) -> Callable[[Sequence[str], int], Iterator[Piece]]:
    """Return what reads batches from a row on, of what can only be read from the start."""

    def read(columns: Sequence[str], first_row: int) -> Iterator[Piece]:
        start = 0
        for batch in batches(columns):
            if start + batch.num_rows > first_row:
                yield Piece(batch.slice(max(0, first_row - start)), 0)
            start += batch.num_rows

    return read


def _as_table(data: TableLike) -> pa.Table:
    pandas = sys.modules.get("pandas")  # whoever holds a DataFrame has imported it
    try:
        if pandas is not None and isinstance(data, pandas.DataFrame):
            return pa.Table.from_pandas(data.rename(columns=str), preserve_index=False)
        if hasattr(data, "__arrow_c_stream__"):
            return pa.table(data)
    except (pa.ArrowException, OverflowError) as error:
        raise DataError(f"The table cannot be read as Arrow: {first_line(error)}") from error
    raise DataError(
        f"Cannot read a {type(data).__name__} as a table; give a path, a pandas or polars DataFrame, "
        "or a pyarrow Table, RecordBatchReader or Dataset (arrays go to zeroloop.LogisticRegression)."
    )
