"""Anything tabular -> Arrow record batches, in order, re-cut to the fixed number of rows of a block."""

from __future__ import annotations

import glob
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from zeroloop.blocks import block_rows
from zeroloop.errors import DataError
from zeroloop.tables import svmlight
from zeroloop.tables.columns import describe
from zeroloop.tables.csv_files import csv_batches, csv_schema

TableLike: TypeAlias = Any
"""A path, a list of paths, a folder or a glob; a pandas or polars DataFrame; a pyarrow Table, RecordBatchReader
or Dataset; anything with `__arrow_c_stream__`."""

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".pq", ".arrow", ".feather", ".ipc", *svmlight.SUFFIXES)
"""What a folder is searched for; a file named by itself is known by its first bytes, a libsvm file by its name."""

PARQUET_ROWS = 65_536  # decoded at once


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table not read yet.

    Attributes:
        name: what to call it in a message.
        schema: its columns.
        n_bytes: size of its files; 0 for tables in memory.
        read: yields batches of the named columns, in row order, however cut.

    """

    name: str
    schema: pa.Schema
    n_bytes: int
    read: Callable[[Sequence[str]], Iterable[pa.RecordBatch]]

    def batches(self, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
        """Yield batches of as many rows as a block of so many columns has (the last may have fewer)."""
        wanted = [name for name in self.schema.names if name in columns]
        return recut(self.read(wanted), block_rows(len(wanted)))


def open_table(data: TableLike, text: Collection[str] = ()) -> RawTable:
    """Return what can be read of `data`.

    Args:
        data: see `TableLike`.
        text: columns that may hold text among numbers (they are to be levels); CSV files only.

    Raises:
        DataError: when there is nothing to read, or not as one table.

    """
    if isinstance(data, str | PathLike):
        return _open_files(_expand(str(data)), str(data), text)
    if isinstance(data, list | tuple) and data and all(isinstance(item, str | PathLike) for item in data):
        paths = [path for item in data for path in _expand(str(item))]
        return _open_files(paths, str(data[0]) if len(data) == 1 else f"{len(paths)} files", text)
    return _open_memory(data)


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


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(parts) == 1:
        return parts[0]
    # "permissive": a CSV column may turn from whole numbers to fractions between two batches.
    table = pa.concat_tables([pa.Table.from_batches([part]) for part in parts], promote_options="permissive")
    return table.unify_dictionaries().combine_chunks().to_batches()[0]


def _expand(path: str) -> list[Path]:
    """Return the files a path stands for: itself, a folder's, or a glob's, in sorted order."""
    place = Path(path)
    if place.is_dir():
        files = [
            file
            for file in sorted(place.rglob("*"))
            if file.is_file()
            and file.name.lower().endswith(SUFFIXES)
            and not any(part.startswith((".", "_")) for part in file.relative_to(place).parts)
        ]
        if not files:
            raise DataError(f"{path}: the folder holds no file ending in {', '.join(SUFFIXES)}.")
        return files
    if place.exists():
        return [place]
    if glob.has_magic(path):
        files = [Path(match) for match in sorted(glob.glob(path, recursive=True)) if Path(match).is_file()]
        if not files:
            raise DataError(f"{path}: no file matches the pattern.")
        return files
    raise DataError(f"{path}: no such file or folder.")


def _open_files(paths: list[Path], name: str, text: Collection[str]) -> RawTable:
    schemas = []
    for path in paths:
        with reading(path):
            schemas.append(_file_schema(path, text))
    schema = _unified(schemas, paths)

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for path in paths:
            with reading(path):
                yield from _file_batches(path, columns, schema)

    return RawTable(name, schema, sum(path.stat().st_size for path in paths), read)


def _format(path: Path) -> str:
    """Return "parquet", "ipc", "stream", "svmlight" or "csv" by a file's first bytes, or its name."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise DataError(f"{path}: the file is empty.")
    if svmlight.is_svmlight(path):
        return "svmlight"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "ipc"
    if head.startswith(b"\xff\xff\xff\xff"):
        return "stream"
    if b"\0" in head and not head.startswith(b"\x1f\x8b"):
        raise DataError(
            f"{path}: neither CSV, Parquet, Arrow IPC (Feather 2) nor libsvm (named .svm); convert it to one of them."
        )
    return "csv"


def _file_schema(path: Path, text: Collection[str]) -> pa.Schema:
    match _format(path):
        case "parquet":
            import pyarrow.parquet as pq

            return pq.read_schema(path)
        case "ipc":
            with pa.ipc.open_file(path) as reader:
                return reader.schema
        case "stream":
            with pa.ipc.open_stream(path) as reader:
                return reader.schema
        case "svmlight":
            return svmlight.SCHEMA
        case _:
            return csv_schema(path, text)


def _file_batches(path: Path, columns: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    match _format(path):
        case "parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(path) as file:
                batches = file.iter_batches(PARQUET_ROWS, columns=list(columns))
                yield from (batch.select(columns) for batch in batches)
        case "ipc":
            with pa.ipc.open_file(path) as reader:
                for i in range(reader.num_record_batches):
                    yield reader.get_batch(i).select(columns)
        case "stream":
            with pa.ipc.open_stream(path) as reader:
                for batch in reader:
                    yield batch.select(columns)
        case "svmlight":
            yield from svmlight.svmlight_batches(path, columns)
        case _:
            types = {name: schema.field(name).type for name in columns}
            yield from csv_batches(path, types)


def _unified(schemas: Sequence[pa.Schema], paths: Sequence[Path]) -> pa.Schema:
    """Return the one schema of all files; their columns may differ in order, and in the width of numbers."""
    first = schemas[0]
    for schema, path in zip(schemas, paths, strict=True):
        twice = [name for i, name in enumerate(schema.names) if name in schema.names[:i]]
        if twice:
            raise DataError(f"{path}: the column {twice[0]!r} is there twice; rename one.")
        gone = [name for name in first.names if name not in schema.names]
        new = [name for name in schema.names if name not in first.names]
        if gone or new:
            differs = [f"it lacks {', '.join(map(repr, gone))}"] if gone else []
            differs += [f"it adds {', '.join(map(repr, new))}"] if new else []
            raise DataError(
                f"{path}: its columns are not those of {paths[0]}: {' and '.join(differs)}. "
                "Files read as one table must have the same columns."
            )
    return pa.schema([(name, _common_type(name, schemas, paths)) for name in first.names])


def _common_type(name: str, schemas: Sequence[pa.Schema], paths: Sequence[Path]) -> pa.DataType:
    common, common_path = schemas[0].field(name).type, paths[0]
    for schema, path in zip(schemas[1:], paths[1:], strict=True):
        found = schema.field(name).type
        if found == common or pa.types.is_null(found):
            continue
        if pa.types.is_null(common):
            common, common_path = found, path
        elif describe(found) == describe(common) == "numbers":
            common = common if pa.types.is_integer(found) and pa.types.is_integer(common) else pa.float64()
        elif describe(found) != describe(common):
            raise DataError(
                f"{path}: column {name!r} holds {describe(found)}, but {describe(common)} in {common_path}; "
                "convert one."
            )
    return common


def _open_memory(data: TableLike) -> RawTable:
    import pyarrow.dataset as ds

    if isinstance(data, ds.Dataset):
        return RawTable("the dataset", data.schema, 0, lambda columns: data.to_batches(columns=list(columns)))
    if isinstance(data, pa.RecordBatchReader):
        return RawTable("the reader", data.schema, 0, lambda columns: (batch.select(columns) for batch in data))
    table = _as_table(data)
    twice = [name for i, name in enumerate(table.column_names) if name in table.column_names[:i]]
    if twice:
        raise DataError(f"The column {twice[0]!r} is there twice; rename one.")
    return RawTable("the table", table.schema, 0, lambda columns: table.select(list(columns)).to_batches())


def _as_table(data: TableLike) -> pa.Table:
    pandas = sys.modules.get("pandas")  # whoever holds a DataFrame has imported it
    try:
        if pandas is not None and isinstance(data, pandas.DataFrame):
            return pa.Table.from_pandas(data.rename(columns=str), preserve_index=False)
        if hasattr(data, "__arrow_c_stream__"):
            return pa.table(data)
    except (pa.ArrowException, OverflowError) as error:
        raise DataError(f"The table cannot be read as Arrow: {_first_line(error)}") from error
    raise DataError(
        f"Cannot read a {type(data).__name__} as a table; give a path, a pandas or polars DataFrame, "
        "or a pyarrow Table, RecordBatchReader or Dataset (arrays go to zeroloop.LogisticRegression)."
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is read into one sentence that names it."""
    try:
        yield
    except pa.ArrowException as error:
        raise DataError(f"{path}: the file is damaged or cut short ({_first_line(error)}).") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or _first_line(error)}).") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
