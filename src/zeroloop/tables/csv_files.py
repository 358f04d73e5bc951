"""CSV files, plain or compressed, as typed record batches.

How a file is written (`csv_dialect`) and what its columns hold (`csv_columns`) is what its head says. Where later rows
do not fit, whole numbers widen to fractions and an empty column to whatever comes; a value that is no number among
numbers is an error that counts such values and names some, because it is far more often damage than a level.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.types as pt

from zeroloop.errors import BadFileError, EmptyFileError
from zeroloop.tables.columns import describe
from zeroloop.tables.csv_columns import (
    CANONICAL,
    CsvColumns,
    Words,
    cleaned_text,
    find_columns,
    missing_words,
    written_numbers,
)
from zeroloop.tables.csv_dialect import UTF8, CsvOptions, Dialect, find_dialect
from zeroloop.tables.files import File
from zeroloop.tables.row_numbers import with_notes
from zeroloop.tables.written_numbers import PLAIN, NumberFormat

HEAD_BYTES = (65_536, 1 << 20, 1 << 24)  # read for the types; the next one where a single row is longer
BLOCK_BYTES = 1 << 20
MOST_SHOWN = 3  # of the values that are no numbers
FEW = 0.1  # share of values that are no numbers, up to which they are damage


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a file is read."""

    dialect: Dialect
    columns: CsvColumns
    words: Words


def csv_schema(file: File, options: CsvOptions) -> pa.Schema:
    """Return a file's columns with the types its head suggests; its metadata says what a reader should know.

    Raises:
        BadFileError: for a file without a row.

    """
    plan = _plan(file, options)
    dialect, schema = plan.dialect, plan.columns.schema
    for name in options.categorical & set(schema.names):
        whole = pa.int64()
        if name not in options.text and _is_canonical(file, plan, name):
            schema = schema.set(schema.get_field_index(name), pa.field(name, whole))
    index = [name for name in dialect.names[:1] if dialect.row_names or name in dialect.unnamed]
    said = [*dialect.said, *plan.columns.said]
    return with_notes(schema, said, index)


def csv_batches(
    file: File, columns: Sequence[str], types: dict[str, pa.DataType], options: CsvOptions
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield a file's rows with the named columns, of the given types or wider ones, and how many bytes have been read.

    A type that turns out too narrow is widened in `types`.

    Raises:
        BadFileError: for a row that does not parse, or text in a column of numbers.

    """
    plan = _plan(file, options)
    written = dict(plan.columns.written)
    done = 0
    while True:
        as_text = {name for name in columns if pt.is_string(types[name]) or (name in written and _numeric(types[name]))}
        asked = {name: pa.string() if name in as_text or options.verbatim else types[name] for name in columns}
        as_text = set() if options.verbatim else as_text
        try:
            with _open(file, plan, asked, list(columns), BLOCK_BYTES, verbatim=options.verbatim) as opened:
                for batch in _skip(opened.reader, done):
                    arrays = []
                    for name in columns:
                        array = batch[name]
                        if name in as_text:
                            array = _converted(file, plan, name, array, types[name], written.get(name, PLAIN))
                        arrays.append(array)
                    yield pa.RecordBatch.from_arrays(arrays, names=list(columns)), opened.source.tell()
                    done += batch.num_rows
            return
        except pa.ArrowInvalid as error:
            misfit = _column_of(error, plan.dialect.names)
            if misfit is None:
                raise _explained(file, plan, error) from error
            wider = _wider(file, plan, misfit, types[misfit], error)
            if wider is None:
                written[misfit] = PLAIN
            else:
                types[misfit] = wider


def _converted(
    file: File, plan: Plan, name: str, column: pa.Array, data_type: pa.DataType, form: NumberFormat
) -> pa.Array:
    """Return text as a column's type has it: text as it is meant, or numbers."""
    if pt.is_string(data_type):
        return cleaned_text(column, plan.words)
    numbers, strays = written_numbers(column, form, plan.words)
    if np.any(strays):
        raise _strays(file, plan, name, form)
    return numbers


def _numeric(data_type: pa.DataType) -> bool:
    return bool(pt.is_integer(data_type) or pt.is_floating(data_type))


def _plan(file: File, options: CsvOptions) -> Plan:
    """Return how a file is to be read, as its head says."""
    for size in HEAD_BYTES:
        with file.open() as source, file.unpacked(source) as stream:
            head = stream.read(size)
        dialect = find_dialect(file.path, head, len(head) < size, options)
        twice = next((name for name, n in Counter(dialect.names).items() if n > 1), None)
        if twice is not None:
            raise BadFileError(file.path, f"the column {twice!r} is there twice; rename one.")
        nothing = Plan(dialect=dialect, columns=_NO_COLUMNS, words=missing_words(options))
        try:
            with _open(file, nothing, {}, None, size) as opened:
                inferred = opened.reader.schema
                rows = any(batch.num_rows for batch in opened.reader) if _all_null(inferred) else True
            if not rows:
                raise EmptyFileError(file.path, "the file has a header and no rows.")
            with _open(file, nothing, dict.fromkeys(inferred.names, pa.binary()), None, size) as opened:
                first = opened.reader.read_next_batch()
            break
        except pa.ArrowInvalid as error:
            if "straddling" in str(error) and size != HEAD_BYTES[-1]:
                continue
            raise _explained(file, nothing, error) from error
    try:
        text = pa.RecordBatch.from_arrays([c.cast(pa.string()) for c in first.columns], names=first.schema.names)
    except pa.ArrowInvalid as error:
        raise _not_text(file, nothing, None) from error
    return Plan(dialect=dialect, columns=find_columns(inferred, text, dialect, options), words=nothing.words)


_NO_COLUMNS = CsvColumns(schema=pa.schema([]), written={}, said=())


def _all_null(schema: pa.Schema) -> bool:
    return all(pt.is_null(field.type) for field in schema)


def _wider(file: File, plan: Plan, name: str, data_type: pa.DataType, error: pa.ArrowInvalid) -> pa.DataType | None:
    """Return the type to try next for a column that did not fit; None for numbers that are to be read as text first."""
    if pt.is_null(data_type):
        return pa.float64() if _is_all(file, plan, name, pa.float64()) else pa.string()
    if pt.is_integer(data_type):
        return pa.float64()
    if pt.is_floating(data_type):
        return None
    if pt.is_boolean(data_type):
        row, value = _first_misfit(file, plan, name, data_type)
        raise BadFileError(
            file.path,
            f"column {name!r} holds {value!r} in row {row:,}; all rows before hold {describe(data_type)}. "
            f"Correct the value, or name {name!r} categorical if it is a code.",
        ) from error
    if pt.is_temporal(data_type):
        return pa.string()
    if pt.is_string(data_type):
        raise _not_text(file, plan, name) from error
    raise BadFileError(file.path, f"cannot be read as CSV (column {name!r}: {error}).") from error


def _strays(file: File, plan: Plan, name: str, form: NumberFormat) -> BadFileError:
    """Return the error for values that are no numbers in a column of numbers: how many, and some of them."""
    n_values, n_strays, row = 0, 0, 0
    shown: dict[str, int] = {}
    with _open(file, plan, {name: pa.string()}, [name], BLOCK_BYTES) as opened:
        for batch in opened.reader:
            numbers, strays = written_numbers(batch[name], form, plan.words)
            n_strays += int(np.sum(strays))
            n_values += len(numbers) - numbers.null_count + int(np.sum(strays))
            for i in np.flatnonzero(strays).tolist():
                if len(shown) >= MOST_SHOWN:
                    break
                shown.setdefault(batch[name][i].as_py(), row + i + 1)
            row += batch.num_rows
    some = ", ".join(f"{value!r} in row {at:,}" for value, at in shown.items())
    if n_strays <= FEW * n_values:
        return BadFileError(
            file.path,
            f"column {name!r} holds numbers, but for {n_strays:,} of {n_values:,} values ({some}). Correct them or "
            f"leave them empty, or name {name!r} categorical if it is a code.",
        )
    return BadFileError(
        file.path,
        f"column {name!r} begins with numbers and holds {n_strays:,} of {n_values:,} values that are none ({some}); "
        f"name {name!r} categorical if it is levels, or drop it.",
    )


def _not_text(file: File, plan: Plan, name: str | None) -> BadFileError:
    """Return the error for text in another encoding than the head's, with its first row."""
    names = list(plan.dialect.names) if name is None else [name]
    row = 0
    with _open(file, plan, dict.fromkeys(names, pa.binary()), names, BLOCK_BYTES) as opened:
        for batch in opened.reader:
            for column in names:
                for i, value in enumerate(batch[column].to_pylist()):
                    try:
                        (value or b"").decode()
                    except UnicodeDecodeError:
                        return BadFileError(
                            file.path,
                            f"column {column!r} holds {value!r} in row {row + i + 1:,}, which is no "
                            f"UTF-8, as all before is; save the file as UTF-8.",
                        )
            row += batch.num_rows
    return BadFileError(file.path, "the file holds text that is no UTF-8; save the file as UTF-8.")


@dataclass(frozen=True, slots=True)
class _Opened:
    """A CSV file being read, and the file below it, whose position says how far."""

    reader: csv.CSVStreamingReader
    source: pa.NativeFile


@contextmanager
def _open(
    file: File,
    plan: Plan,
    types: Mapping[str, pa.DataType],
    columns: list[str] | None,
    block_bytes: int,
    threads: bool = True,
    verbatim: bool = False,
) -> Iterator[_Opened]:
    nulls = plan.words.text if not types else plan.words.numbers
    dialect = plan.dialect
    with (
        file.open() as source,
        file.unpacked(source) as plain,
        csv.open_csv(
            _table(plain, dialect),
            read_options=csv.ReadOptions(
                block_size=block_bytes,
                use_threads=threads,
                column_names=list(dialect.names),
                skip_rows=dialect.first_line,
            ),
            parse_options=csv.ParseOptions(
                delimiter=dialect.delimiter, quote_char=dialect.quote or False, newlines_in_values=True
            ),
            # Text that is missing is told apart afterwards, when it has lost the blanks around it.
            convert_options=csv.ConvertOptions(
                column_types=dict(types),
                include_columns=columns,
                strings_can_be_null=not types or verbatim,
                quoted_strings_can_be_null=not verbatim,
                null_values=[""] if verbatim else nulls,
            ),
        ) as reader,
    ):
        yield _Opened(reader, source)


def _table(stream: pa.NativeFile, dialect: Dialect) -> pa.NativeFile:
    """Return a stream as UTF-8 without comments."""
    if dialect.encoding not in UTF8:
        stream = pa.transcoding_input_stream(stream, dialect.encoding, "utf-8")
    return pa.PythonFile(_WithoutComments(stream, dialect.comment), mode="r") if dialect.comment else stream


class _WithoutComments(io.RawIOBase):
    """A stream of bytes without the lines that begin with a comment's mark, but for those above the header."""

    def __init__(self, stream: pa.NativeFile, mark: str) -> None:
        self._stream = stream
        self._comment = re.compile(rb"(?m)^" + re.escape(mark.encode()) + rb"[^\n]*(?:\n|\Z)")
        self._rest = b""
        self._ready = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._ready) < size:
            chunk = self._stream.read(BLOCK_BYTES)
            whole = self._rest + chunk
            end = whole.rfind(b"\n") + 1 if chunk else len(whole)
            # An empty line in place of each comment: lines above the header are counted.
            self._ready += self._comment.sub(b"\n", whole[:end])
            self._rest = whole[end:]
            if not chunk:
                break
        size = len(self._ready) if size < 0 else size
        out, self._ready = self._ready[:size], self._ready[size:]
        return out

    def readable(self) -> bool:
        return True


def _skip(reader: csv.CSVStreamingReader, rows: int) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        if batch.num_rows > rows:
            yield batch.slice(rows)
        rows = max(0, rows - batch.num_rows)


def _is_canonical(file: File, plan: Plan, name: str) -> bool:
    """Return whether every value of a column is missing or a whole number written as such, and there is one."""
    some = False
    with _open(file, plan, {name: pa.string()}, [name], BLOCK_BYTES) as opened:
        try:
            for batch in opened.reader:
                values = cleaned_text(batch[name], plan.words).drop_null()
                if not pc.all(pc.match_substring_regex(values, CANONICAL), min_count=0).as_py():
                    return False
                some = some or len(values) > 0
        except pa.ArrowInvalid:
            return False
    return some


def _is_all(file: File, plan: Plan, name: str, data_type: pa.DataType) -> bool:
    """Return whether every value of a column is of a type."""
    try:
        with _open(file, plan, {name: data_type}, [name], BLOCK_BYTES) as opened:
            for _ in opened.reader:
                pass
    except pa.ArrowInvalid:
        return False
    return True


def _first_misfit(file: File, plan: Plan, name: str, data_type: pa.DataType) -> tuple[int, str]:
    """Return (row, counted from 1 below the header; value) of the first value that is not of a type."""
    row = 0
    with _open(file, plan, {name: pa.string()}, [name], BLOCK_BYTES) as opened:
        for batch in opened.reader:
            for value in batch[name].to_pylist():
                row += 1
                if value in plan.words.numbers:
                    continue
                try:
                    pa.array([value], pa.string()).cast(data_type)
                except pa.ArrowInvalid:
                    return row, value
    raise AssertionError("a value that did not convert is gone")


def _column_of(error: pa.ArrowInvalid, names: Sequence[str]) -> str | None:
    """Return the column that a conversion error names by its place in the file, None for other errors."""
    before, found, rest = str(error).partition("In CSV column #")
    number = rest.partition(":")[0]
    if before or not found or "conversion error" not in rest or not number.isdigit():
        return None
    return names[int(number)] if int(number) < len(names) else None


def _explained(file: File, plan: Plan, error: pa.ArrowInvalid) -> BadFileError:
    """Return the error for a file that does not parse."""
    message = str(error).splitlines()[0]
    if "Empty CSV" in message:
        return EmptyFileError(
            file.path, "the file has a header and no rows." if plan.dialect.first_line else "the file is empty."
        )
    if "CSV parse error" in message:
        message = _numbered_parse_error(file, plan) or message
    name = _column_of(error, plan.dialect.names)
    if name is not None:
        message = f"column {name!r}: {message.partition(': ')[2]}"
    return BadFileError(file.path, f"cannot be read as CSV ({message}).")


def _numbered_parse_error(file: File, plan: Plan) -> str | None:
    """Return the parse error again with its line number, which pyarrow only knows on one thread."""
    try:
        with _open(file, plan, {}, None, BLOCK_BYTES, threads=False) as opened:
            for _ in opened.reader:
                pass
    except pa.ArrowInvalid as error:
        return str(error).splitlines()[0].replace("CSV parse error: Row #", "line ")
    return None
