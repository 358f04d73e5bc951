"""CSV files, plain or compressed, as typed record batches.

How a file is written (`csv_dialect`) and what its columns hold (`csv_columns`) is what its head says. Where later rows
do not fit, whole numbers widen to fractions and an empty column to whatever comes; a value that is no number among
numbers is an error that counts such values and names some, because it is far more often damage than a level.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from zeroloop.errors import BadFileError, EmptyFileError, ZeroloopWarning
from zeroloop.tables.columns import describe
from zeroloop.tables.csv_checks import check_no_zeros, is_canonical, later_column, later_dialect, later_format
from zeroloop.tables.csv_columns import (
    CsvColumns,
    cleaned_text,
    find_columns,
    may_be_misread,
    written_numbers,
)
from zeroloop.tables.csv_dialect import find_dialect
from zeroloop.tables.csv_errors import column_of, explained, first_misfit, not_text, strays
from zeroloop.tables.csv_filters import CHUNK_BYTES, TAIL_BYTES, Tail
from zeroloop.tables.csv_stream import Plan, open_csv
from zeroloop.tables.expected import Expected
from zeroloop.tables.files import File
from zeroloop.tables.missing_words import missing_words
from zeroloop.tables.packed import packing_of
from zeroloop.tables.row_numbers import with_notes
from zeroloop.tables.written_numbers import PLAIN, NumberFormat

HEAD_BYTES = (65_536, 1 << 20, 1 << 24)  # read for the types; the next one where a single row is longer


def csv_schema(file: File, expected: Expected) -> pa.Schema:
    """Return a file's columns with the types its head suggests; its metadata says what a reader should know.

    Raises:
        BadFileError: for a file without a row.

    """
    plan = _plan(file, expected)
    dialect, schema = plan.dialect, plan.columns.schema
    for name in (expected.levels - expected.text.keys()) & set(schema.names):
        if is_canonical(file, plan, name):
            schema = schema.set(schema.get_field_index(name), pa.field(name, pa.int64()))
    index = [name for name in dialect.names[:1] if dialect.row_names or name in dialect.unnamed]
    said = [*dialect.said, *plan.columns.said]
    return with_notes(schema, said, index)


def csv_batches(
    file: File, columns: Sequence[str], types: dict[str, pa.DataType], expected: Expected
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield a file's rows with the named columns, of the given types or wider ones, and how many bytes have been read.

    A type that turns out too narrow is widened in `types`.

    Raises:
        BadFileError: for a row that does not parse, or text in a column of numbers.

    """
    plan = _plan(file, expected)
    if not plan.open_end:
        yield from _batches(file, plan, columns, types, expected, None)
        return
    tail = Tail()
    held: tuple[pa.RecordBatch, int] | None = None  # until it is known whether its last rows are any
    for piece in _batches(file, plan, columns, types, expected, tail):
        if held is not None:
            yield held
        held = piece
    if held is not None:
        yield _without_sums(file, plan, held[0], tail), held[1]


def _without_sums(file: File, plan: Plan, batch: pa.RecordBatch, tail: Tail) -> pa.RecordBatch:
    """Return a packed file's last rows without sums that have as many values, which are no rows."""
    footer = plan.dialect.footer_in(tail.content)
    if footer is None or (file.place, file.size, file.modified) in _LATE_TAILS:
        return batch
    warnings.warn(f"{file.path}: {footer.said}.", ZeroloopWarning, stacklevel=2)
    return batch.slice(0, max(0, batch.num_rows - footer.n_lines))


def _batches(
    file: File,
    plan: Plan,
    columns: Sequence[str],
    types: dict[str, pa.DataType],
    expected: Expected,
    tail: Tail | None,
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield a file's rows with the named columns, of the given types or wider ones, and how many bytes have been read.

    A type that turns out too narrow is widened in `types`.

    Raises:
        BadFileError: for a row that does not parse, or text in a column of numbers.

    """
    written = dict(plan.columns.written)
    digits = {name: n for name, n in plan.columns.digits.items() if name in columns}
    done = 0
    looked = expected.verbatim  # for what may be misread
    while True:
        as_text = {name for name in columns if pt.is_string(types[name]) or (name in written and _numeric(types[name]))}
        asked = {name: pa.string() if name in as_text or expected.verbatim else types[name] for name in columns}
        as_text = set() if expected.verbatim else as_text
        try:
            with open_csv(file, plan, asked, list(columns), verbatim=expected.verbatim, tail=tail) as opened:
                for batch in _skip(opened.reader, done):
                    coded = {
                        name: batch[name].dictionary_encode()
                        for name in columns
                        if name in as_text and pt.is_string(types[name])
                    }
                    if not looked and any(map(may_be_misread, coded.values())):
                        looked = True
                        dialect = later_dialect(file, plan)
                        if dialect != plan.dialect:
                            plan = replace(plan, dialect=dialect)
                            break
                    arrays = []
                    for name in columns:
                        array = batch[name]
                        if name in coded:
                            levels = expected.text.get(name, frozenset())
                            missing = [word for word in plan.words.text if word not in levels]
                            array = cleaned_text(array, coded[name], missing, plan.dialect.loose)
                        elif name in as_text:
                            array = _numbers(file, plan, name, array, written.get(name, PLAIN))
                        if name not in coded and name in digits and _has_below(array, 10 ** (digits[name] - 1)):
                            check_no_zeros(file, plan, name, digits.pop(name))
                        arrays.append(array)
                    yield pa.RecordBatch.from_arrays(arrays, names=list(columns)), opened.source.tell()
                    done += batch.num_rows
                else:
                    return
        except pa.ArrowInvalid as error:
            misfit = column_of(error, plan.dialect.names)
            if misfit is None:
                plan = _with_late_footer(file, plan, error)
                continue
            types[misfit], form = _wider(file, plan, misfit, types[misfit], expected, error)
            if form is not None:
                written[misfit] = form


def _numbers(file: File, plan: Plan, name: str, column: pa.Array, form: NumberFormat) -> pa.Array:
    """Return text as numbers."""
    numbers, bad = written_numbers(column, form, plan.words)
    if np.any(bad):
        raise strays(file, plan, name, form)
    return numbers


def _numeric(data_type: pa.DataType) -> bool:
    return bool(pt.is_integer(data_type) or pt.is_floating(data_type))


def _plan(file: File, expected: Expected) -> Plan:
    """Return how a file is to be read, as its head says."""
    for size in HEAD_BYTES:
        with file.open() as source, file.unpacked(source) as stream:
            head = stream.read(size)
        dialect = find_dialect(file.path, head, len(head) < size, expected.csv)
        tail = head if len(head) < size else _tail(file)
        dialect = dialect.without(dialect.footer_in(tail))
        twice = next((name for name, n in Counter(dialect.names).items() if n > 1), None)
        if twice is not None:
            raise BadFileError(file.path, f"the column {twice!r} is there twice; rename one.")
        nothing = Plan(dialect=dialect, columns=_NO_COLUMNS, words=missing_words(expected.csv.na, expected.csv.not_na))
        try:
            with open_csv(file, nothing, {}, None, block_bytes=size) as opened:
                inferred = opened.reader.schema
                rows = any(batch.num_rows for batch in opened.reader) if _all_null(inferred) else True
            if not rows:
                raise EmptyFileError(file.path, "the file has a header and no rows.")
            with open_csv(file, nothing, dict.fromkeys(inferred.names, pa.binary()), None, block_bytes=size) as opened:
                first = opened.reader.read_next_batch()
            break
        except pa.ArrowInvalid as error:
            if "straddling" in str(error) and size != HEAD_BYTES[-1]:
                continue
            raise explained(file, nothing, error) from error
    try:
        text = pa.RecordBatch.from_arrays([c.cast(pa.string()) for c in first.columns], names=first.schema.names)
    except pa.ArrowInvalid as error:
        raise not_text(file, nothing, None) from error
    columns = find_columns(inferred, text, dialect, expected)
    return Plan(dialect=dialect, columns=columns, words=nothing.words, open_end=not tail)


def _tail(file: File) -> bytes:
    """Return the last bytes of a file, none of one that is packed: they take reading all of it."""
    with file.open() as source:
        if packing_of(source.read(16)) is not None:
            return b""
        source.seek(max(0, file.size - TAIL_BYTES))
        return bytes(source.read())


def _with_late_footer(file: File, plan: Plan, error: pa.ArrowInvalid) -> Plan:
    """Return how a file is read without what follows its table, where that has not been looked at.

    Raises:
        BadFileError: where there is no such thing, and the file does not parse.

    """
    dialect = plan.dialect
    if dialect.footer or "CSV parse error" not in str(error):
        raise explained(file, plan, error) from error
    key = (file.place, file.size, file.modified)
    if key not in _LATE_TAILS:
        tail = b""
        with file.open() as source, file.unpacked(source) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                tail = (tail + chunk)[-TAIL_BYTES:]
        _LATE_TAILS[key] = tail
    footer = dialect.footer_in(_LATE_TAILS[key])
    if footer is None:
        raise explained(file, plan, error) from error
    warnings.warn(f"{file.path}: {footer.said}.", ZeroloopWarning, stacklevel=2)
    return replace(plan, dialect=dialect.without(footer))


_LATE_TAILS: dict[tuple[str, int, int | None], bytes] = {}
"""The last bytes of packed files in which something follows the table: a pass each, once."""

_NO_COLUMNS = CsvColumns(schema=pa.schema([]), written={}, digits={}, decimal=None, habit=".", said=())


def _all_null(schema: pa.Schema) -> bool:
    return all(pt.is_null(field.type) for field in schema)


def _has_below(column: pa.Array, limit: int) -> bool:
    """Return whether some number is below a limit."""
    low = pc.min(column).as_py()
    return low is not None and low < limit


def _wider(
    file: File, plan: Plan, name: str, data_type: pa.DataType, expected: Expected, error: pa.ArrowInvalid
) -> tuple[pa.DataType, NumberFormat | None]:
    """Return the type to try next for a column that did not fit, and how its numbers are written.

    The latter is None where they are read as they stand.
    """
    if pt.is_null(data_type):
        later = later_column(file, plan, name, expected)
        return later.schema.field(name).type, later.written.get(name)
    if _numeric(data_type):
        return pa.float64(), later_format(file, plan, name)
    if pt.is_boolean(data_type):
        row, value = first_misfit(file, plan, name, data_type)
        raise BadFileError(
            file.path,
            f"column {name!r} holds {value!r} in row {row:,}; all rows before hold {describe(data_type)}. "
            f"Correct the value, or name {name!r} categorical if it is a code.",
        ) from error
    if pt.is_string(data_type):
        raise not_text(file, plan, name) from error
    raise BadFileError(file.path, f"cannot be read as CSV (column {name!r}: {error}).") from error


def _skip(reader: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        if batch.num_rows > rows:
            yield batch.slice(rows)
        rows = max(0, rows - batch.num_rows)
