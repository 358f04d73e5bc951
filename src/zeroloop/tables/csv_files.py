"""CSV files, plain or gzip, as typed record batches.

A column's type is what the head of the file says. Where later rows do not fit, whole numbers widen to fractions
and an empty column to whatever comes; text below numbers is an error that names the row, because it is far
more often a damaged file than a column of levels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.types as pt

from zeroloop.errors import BadFileError
from zeroloop.tables.columns import describe
from zeroloop.tables.files import File

HEAD_BYTES = (65_536, 1 << 20, 1 << 24)  # read for the types; the next one where a single row is longer
BLOCK_BYTES = 1 << 20
# pandas' list, so that the same file gives the same missing values here and there.
MISSING = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
]  # fmt: skip


def csv_schema(file: File, text: Collection[str]) -> pa.Schema:
    """Return a file's columns with the types its head suggests.

    Args:
        file: which.
        text: columns to read as text unless every value of them is a whole number.

    Raises:
        BadFileError: for a file without a row.

    """
    for size in HEAD_BYTES:
        try:
            with _open(file, {}, None, size) as opened:
                schema = opened.reader.schema
                nulls = all(pt.is_null(field.type) for field in schema)
                empty = nulls and not any(batch.num_rows for batch in opened.reader)
            break
        except pa.ArrowInvalid as error:
            if "straddling" in str(error) and size != HEAD_BYTES[-1]:
                continue
            raise _explained(file, error, []) from error
    for field in schema:
        if pt.is_binary(field.type) and field.name not in text:
            raise _not_text(file, field.name)
    if empty:
        raise BadFileError(file.path, "the file has a header and no rows.")
    for name in set(text) & set(schema.names):
        if not pt.is_integer(schema.field(name).type) or not _is_all(file, name, schema.field(name).type):
            schema = schema.set(schema.get_field_index(name), pa.field(name, pa.string()))
    return schema


def csv_batches(
    file: File, columns: Sequence[str], types: dict[str, pa.DataType]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield a file's rows with the named columns, of the given types or wider ones, and how many bytes have been read.

    A type that turns out too narrow is widened in `types`.

    Raises:
        BadFileError: for a row that does not parse, or text in a column of numbers.

    """
    done = 0
    while True:
        try:
            with _open(file, {name: types[name] for name in columns}, list(columns), BLOCK_BYTES) as opened:
                for batch in _skip(opened.reader, done):
                    yield batch, opened.source.tell()
                    done += batch.num_rows
            return
        except pa.ArrowInvalid as error:
            header = _header(file) if "In CSV column #" in str(error) else []
            name = _column_of(error, header)
            if name is None:
                raise _explained(file, error, header) from error
            types[name] = _wider(file, name, types[name], error)


def _header(file: File) -> list[str]:
    with _open(file, {}, None, HEAD_BYTES[-1]) as opened:
        names: list[str] = opened.reader.schema.names
        return names


def _wider(file: File, name: str, data_type: pa.DataType, error: pa.ArrowInvalid) -> pa.DataType:
    """Return the type to try next for a column that did not fit."""
    if pt.is_integer(data_type) or pt.is_null(data_type):
        return pa.float64() if not pt.is_null(data_type) or _is_all(file, name, pa.float64()) else pa.string()
    if pt.is_floating(data_type) or pt.is_boolean(data_type):
        row, value = _first_misfit(file, name, data_type)
        raise BadFileError(
            file.path,
            f"column {name!r} holds {value!r} in row {row:,}; all rows before hold {describe(data_type)}. "
            f"Correct the value, or name {name!r} categorical if it is a code.",
        ) from error
    if pt.is_temporal(data_type):
        return pa.string()
    if pt.is_string(data_type):
        raise _not_text(file, name) from error
    raise BadFileError(file.path, f"cannot be read as CSV (column {name!r}: {error}).") from error


def _not_text(file: File, name: str) -> BadFileError:
    """Return the error for text in another encoding, with its first row."""
    row = 0
    with _open(file, {name: pa.binary()}, [name], BLOCK_BYTES) as opened:
        for batch in opened.reader:
            for value in batch[name].to_pylist():
                row += 1
                try:
                    (value or b"").decode()
                except UnicodeDecodeError:
                    reason = (
                        f"column {name!r} holds {value!r} in row {row:,}, which is no UTF-8; save the file as UTF-8."
                    )
                    return BadFileError(file.path, reason)
    return BadFileError(file.path, f"column {name!r} holds text that is no UTF-8; save the file as UTF-8.")


@dataclass(frozen=True, slots=True)
class _Opened:
    """A CSV file being read, and the file below it, whose position says how far."""

    reader: csv.CSVStreamingReader
    source: pa.NativeFile


@contextmanager
def _open(
    file: File, types: Mapping[str, pa.DataType], columns: list[str] | None, block_bytes: int, threads: bool = True
) -> Iterator[_Opened]:
    compressed = file.head(2) == b"\x1f\x8b"
    delimiter = _delimiter(file, compressed)
    with (
        file.open() as source,
        _text(source, compressed) as stream,
        csv.open_csv(
            stream,
            read_options=csv.ReadOptions(block_size=block_bytes, use_threads=threads),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict(types), include_columns=columns, strings_can_be_null=True, null_values=MISSING
            ),
        ) as reader,
    ):
        yield _Opened(reader, source)


def _text(source: pa.NativeFile, compressed: bool) -> pa.NativeFile:
    return pa.CompressedInputStream(source, "gzip") if compressed else source


def _delimiter(file: File, compressed: bool) -> str:
    """Return the separator that occurs most in the header line."""
    with file.open() as source, _text(source, compressed) as stream:
        header = stream.read(1 << 16).split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(",;\t|", key=header.count)


def _skip(reader: csv.CSVStreamingReader, rows: int) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        if batch.num_rows > rows:
            yield batch.slice(rows)
        rows = max(0, rows - batch.num_rows)


def _is_all(file: File, name: str, data_type: pa.DataType) -> bool:
    """Return whether every value of a column is of a type."""
    try:
        with _open(file, {name: data_type}, [name], BLOCK_BYTES) as opened:
            for _ in opened.reader:
                pass
    except pa.ArrowInvalid:
        return False
    return True


def _first_misfit(file: File, name: str, data_type: pa.DataType) -> tuple[int, str]:
    """Return (row, counted from 1 below the header; value) of the first value that is not of a type."""
    row = 0
    with _open(file, {name: pa.string()}, [name], BLOCK_BYTES) as opened:
        for batch in opened.reader:
            for value in batch[name].to_pylist():
                row += 1
                try:
                    pa.array([value], pa.string()).cast(data_type)
                except pa.ArrowInvalid:
                    return row, value
    raise AssertionError("a value that did not convert is gone")


def _column_of(error: pa.ArrowInvalid, header: list[str]) -> str | None:
    """Return the column that a conversion error names by its place in the file, None for other errors."""
    before, found, rest = str(error).partition("In CSV column #")
    number = rest.partition(":")[0]
    if before or not found or "conversion error" not in rest or not number.isdigit():
        return None
    return header[int(number)] if int(number) < len(header) else None


def _explained(file: File, error: pa.ArrowInvalid, header: list[str]) -> BadFileError:
    """Return the error for a file that does not parse."""
    message = str(error).splitlines()[0]
    if "Empty CSV" in message:
        return BadFileError(file.path, "the file is empty.")
    if "CSV parse error" in message:
        message = _numbered_parse_error(file) or message
    name = _column_of(error, header)
    if name is not None:
        message = f"column {name!r}: {message.partition(': ')[2]}"
    return BadFileError(file.path, f"cannot be read as CSV ({message}).")


def _numbered_parse_error(file: File) -> str | None:
    """Return the parse error again with its line number, which pyarrow only knows on one thread."""
    try:
        with _open(file, {}, None, BLOCK_BYTES, threads=False) as opened:
            for _ in opened.reader:
                pass
    except pa.ArrowInvalid as error:
        return str(error).splitlines()[0].replace("CSV parse error: Row #", "line ")
    return None
