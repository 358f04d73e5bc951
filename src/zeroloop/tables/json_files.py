"""Files of records in JSON as typed record batches.

A value's kind is known where it stands (text in quotes, numbers without), so nothing is guessed. All records are looked
through for the names and types of their columns, because any record may have another one. A record without a column has
no value there.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from zeroloop.errors import BadFileError, EmptyFileError, first_line
from zeroloop.tables.expected import Expected
from zeroloop.tables.files import File
from zeroloop.tables.json_records import record_chunks

NESTED = pa.list_(pa.null())
"""Stands for columns of lists and objects, which make no term."""

OPEN = b"zeroloop.open"
"""Key of a schema's metadata: a record may lack columns, and so may all records of a file."""

WORDS = {"number": "numbers", "text": "text", "bool": "true or false", "nested": "lists or objects"}
OF_KINDS = {"number": pa.float64(), "text": pa.string(), "bool": pa.bool_(), "nested": NESTED}


def json_schema(file: File, expected: Expected) -> tuple[pa.Schema, int]:
    """Return a file's columns, and its number of rows.

    A column of several kinds has that of its first value, and is an error once it is read; among `expected.levels`
    it is text.

    Raises:
        BadFileError: for a record that is none.

    """
    types: dict[str, pa.DataType] = {}
    mixed: set[str] = set()
    n_rows = 0
    with file.open() as source, file.unpacked(source) as stream:
        for chunk in record_chunks(stream, file.path):
            try:
                found = _parsed(chunk)
                fields, rows = list(found.schema), len(found)
            except (pa.ArrowInvalid, UnicodeDecodeError) as error:
                fields, rows = _of_several_kinds(file, chunk, n_rows, error)
            n_rows += rows
            for field in fields:
                common = _common(types.get(field.name, field.type), field.type)
                mixed |= {field.name} if common is None else set()
                types[field.name] = types[field.name] if common is None else common
    if not n_rows or not types:
        raise EmptyFileError(file.path, "the file has no records." if not n_rows else "its records are empty.")
    if n_rows == 1 and all(pt.is_nested(data_type) for data_type in types.values()):
        raise BadFileError(
            file.path,
            "it holds one JSON object of lists or objects; expected records: objects, one a line or in a list.",
        )
    text = mixed & (expected.levels | expected.text.keys())
    text |= {name for name, data_type in types.items() if pt.is_temporal(data_type)}  # what Arrow takes for dates
    fields = [(name, pa.string() if name in text else data_type) for name, data_type in types.items()]
    return pa.schema(fields, metadata={OPEN: b""}), n_rows


def completed(schemas: Sequence[pa.Schema]) -> list[pa.Schema]:
    """Return the columns of several files, those of records in JSON with all that others of them have."""
    names = list(dict.fromkeys(name for schema in schemas if OPEN in (schema.metadata or {}) for name in schema.names))
    return [
        pa.unify_schemas([schema, pa.schema([(name, pa.null()) for name in names if name not in schema.names])])
        if OPEN in (schema.metadata or {})
        else schema
        for schema in schemas
    ]


def json_batches(
    file: File, columns: Sequence[str], types: dict[str, pa.DataType], expected: Expected
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield a file's rows with the named columns, of the given types, and how many bytes have been read.

    Raises:
        BadFileError: for a value of another kind, with its row.

    """
    schema = pa.schema([(name, types[name]) for name in columns])
    row = 0
    with file.open() as source, file.unpacked(source) as stream:
        for chunk in record_chunks(stream, file.path):
            try:
                found = _parsed(chunk, schema)
            except (pa.ArrowInvalid, UnicodeDecodeError) as error:
                found = _of_values(file, chunk, row, schema, expected.levels | expected.text.keys(), error)
            yield from ((batch.select(list(columns)), source.tell()) for batch in found.to_batches())
            row += len(found)


def _parsed(chunk: bytes, schema: pa.Schema | None = None) -> pa.Table:
    import pyarrow.json as pj

    if not chunk.strip():
        return (pa.schema([]) if schema is None else schema).empty_table()
    return pj.read_json(
        io.BytesIO(chunk),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(chunk) + 1),
        parse_options=pj.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="infer" if schema is None else "ignore"
        ),
    )


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return the type of values of two; None where they are of different kinds."""
    if one == other or pt.is_null(other):
        return one
    if pt.is_null(one):
        return other
    kinds = {_kind_of_type(one), _kind_of_type(other)}
    if kinds == {"nested"}:
        with suppress(pa.ArrowException):
            both = [pa.schema([("both", data_type)]) for data_type in (one, other)]
            return pa.unify_schemas(both, promote_options="permissive").field(0).type
    return None if len(kinds) > 1 else OF_KINDS[kinds.pop()]


def _kind_of_type(data_type: pa.DataType) -> str:
    if pt.is_nested(data_type):
        return "nested"
    if pt.is_boolean(data_type):
        return "bool"
    return "number" if pt.is_integer(data_type) or pt.is_floating(data_type) else "text"


class _Number(str):
    """A number as it stands in a file."""

    __slots__ = ()


def _kind_of_value(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, _Number):
        return "number"
    return "text" if isinstance(value, str) else "nested"


def _records(file: File, chunk: bytes, row: int) -> Iterator[dict[str, Any]]:
    """Yield the records of a chunk, before which so many rows are."""
    for line in chunk.split(b"\n"):
        if not line.strip():
            continue
        row += 1
        try:
            record = json.loads(line, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
        except (ValueError, RecursionError) as error:
            reason = first_line(error).partition(": line")[0]
            shown = line[:40].decode(errors="replace")
            raise BadFileError(file.path, f"row {row:,} is no JSON ({reason}): {shown!r}.") from error
        if not isinstance(record, dict):
            shown = line[:40].decode(errors="replace")
            raise BadFileError(file.path, f"row {row:,} is no JSON object, but {shown!r}.")
        yield record


def _of_several_kinds(file: File, chunk: bytes, row: int, error: Exception) -> tuple[list[pa.Field], int]:
    """Return the columns of records that Arrow finds no types for, one for each kind of value, and how many they are.

    Raises:
        BadFileError: for a record that is none.

    """
    kinds: dict[str, list[str]] = {}
    n_records = 0
    for record in _records(file, chunk, row):
        n_records += 1
        for name, value in record.items():
            found = kinds.setdefault(name, [])
            if value is not None and _kind_of_value(value) not in found:
                found.append(_kind_of_value(value))
    plain = {name for name, found in kinds.items() if len(found) < 2 and "nested" not in found}
    if len(plain) == len(kinds):
        raise _unread(file, chunk, row, error)
    records = map(json.loads, filter(bytes.strip, chunk.split(b"\n")))
    rest = [json.dumps({name: value for name, value in record.items() if name in plain}) for record in records]
    try:
        types = _parsed("\n".join([*rest, ""]).encode()).schema
    except pa.ArrowInvalid:
        raise _unread(file, chunk, row, error) from error
    fields = [
        pa.field(name, data_type)
        for name, found in kinds.items()
        for data_type in ([types.field(name).type] if name in plain else [OF_KINDS[kind] for kind in found])
    ]
    return fields, n_records


def _of_values(
    file: File, chunk: bytes, row: int, schema: pa.Schema, text: Collection[str], error: Exception
) -> pa.Table:
    """Return records that Arrow does not read, where all that is wrong is that columns among `text` have other values.

    Raises:
        BadFileError: for a value of another kind in another column, or a record that is none.

    """
    nested = next((field.name for field in schema if pt.is_nested(field.type)), None)
    if nested is not None:
        raise BadFileError(
            file.path, f"column {nested!r} holds lists or objects, not all of one type; drop it."
        ) from error
    values: dict[str, list[Any]] = {name: [] for name in schema.names}
    for at, record in enumerate(_records(file, chunk, row), row + 1):
        for field in schema:
            value = record.get(field.name)
            if value is not None and field.name in text and pt.is_string(field.type):
                value = value if isinstance(value, str) else json.dumps(value)
            elif value is not None and _kind_of_value(value) != _kind_of_type(field.type):
                shown = value if isinstance(value, str) else json.dumps(value)
                kind = WORDS[_kind_of_type(field.type)]
                raise BadFileError(
                    file.path,
                    f"column {field.name!r} holds {kind}, and {shown[:40]!r} in row {at:,}; "
                    "make it one kind (null where there is no value), name it categorical if it is levels, or drop it.",
                )
            values[field.name].append(value)
    try:
        arrays = [_array(values[field.name], field.type) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)
    except (pa.ArrowException, ValueError) as failed:
        raise _unread(file, chunk, row, error) from failed


def _array(values: list[Any], data_type: pa.DataType) -> pa.Array:
    texts = pa.array([str(value) if isinstance(value, str) else value for value in values])
    return texts.cast(data_type)


def _unread(file: File, chunk: bytes, row: int, error: Exception) -> BadFileError:
    """Return the error for a record that Arrow does not read."""
    for line in chunk.split(b"\n"):
        row += bool(line.strip())
        try:
            _parsed(line)
        except (pa.ArrowInvalid, UnicodeDecodeError) as of_row:
            reason = first_line(of_row).removeprefix("JSON parse error: ").partition(" in row")[0]
            return BadFileError(file.path, f"row {row:,} cannot be read as JSON ({reason}).")
    return BadFileError(file.path, f"cannot be read as JSON ({first_line(error)}).")
