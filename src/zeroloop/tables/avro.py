"""Avro files as typed record batches, read by fastavro."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zeroloop.errors import BadFileError, extra, first_line
from zeroloop.tables.files import File

BATCH_ROWS = 2**14
NESTED = pa.list_(pa.null())
"""Stands for what makes no term: lists, records, values of several kinds."""

TYPES = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "fixed": pa.binary(),
    "string": pa.string(),
}
LOGICAL = {
    "date": pa.date32(),
    "time-millis": pa.time32("ms"),
    "time-micros": pa.time64("us"),
    "timestamp-millis": pa.timestamp("ms", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "local-timestamp-millis": pa.timestamp("ms"),
    "local-timestamp-micros": pa.timestamp("us"),
    "uuid": pa.string(),
}
SYMBOLS = b"zeroloop.symbols"  # key of a field's metadata: the levels of an enum
NUMBERS = (pa.int32(), pa.int64(), pa.float32(), pa.float64())


def avro_schema(file: File) -> pa.Schema:
    """Return an Avro file's columns.

    Raises:
        BadFileError: for a file of other than records.
        OptionError: where fastavro is not installed.

    """
    with file.open() as source, io.BufferedReader(source) as buffered:
        schema = _opened(file, buffered).writer_schema
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise BadFileError(file.path, "its values are no records; write a table's rows as records.")
    named: dict[str, Any] = {}
    return pa.schema([_field(field["name"], field["type"], named) for field in schema["fields"]])


def avro_batches(file: File, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield a file's rows with the named columns, and how many bytes have been read."""
    own = avro_schema(file)
    schema = pa.schema([own.field(name) for name in columns])
    with file.open() as source, io.BufferedReader(source) as buffered:
        records = _records(file, buffered)
        while some := list(islice(records, BATCH_ROWS)):
            arrays = []
            for field in schema:
                values = [record[field.name] for record in some]
                if field.type == NESTED:
                    reason = f"column {field.name!r} holds lists, records or values of several kinds; drop it."
                    raise BadFileError(file.path, reason)
                arrays.append(_array(values, field))
            yield pa.RecordBatch.from_arrays(arrays, schema=schema), source.tell()


def _array(values: list[Any], field: pa.Field) -> pa.Array:
    if not pa.types.is_dictionary(field.type):
        return pa.array(values, field.type)
    symbols = pa.array(json.loads(field.metadata[SYMBOLS]), pa.string())
    return pa.DictionaryArray.from_arrays(pc.index_in(pa.array(values, pa.string()), symbols), symbols)


def _records(file: File, buffered: io.BufferedReader) -> Iterator[Any]:
    blocks = iter(_opened(file, buffered))
    while True:
        try:
            block = list(next(blocks))
        except StopIteration:
            return
        except Exception as error:  # of damaged bytes anything may come
            raise _damaged(file, error) from error
        yield from block


def _opened(file: File, buffered: io.BufferedReader) -> Any:
    with extra("An Avro file", "avro", "fastavro"):
        import fastavro
    try:
        return fastavro.block_reader(buffered)
    except Exception as error:
        raise _damaged(file, error) from error


def _damaged(file: File, error: Exception) -> BadFileError:
    if "codec" in str(error):  # one that needs a package, or none that is known
        return BadFileError(file.path, f"cannot be read ({first_line(error)}).")
    return BadFileError(file.path, f"the file is damaged or cut short ({type(error).__name__}: {first_line(error)}).")


def _field(name: str, schema: Any, named: dict[str, Any]) -> pa.Field:
    data_type = _type(schema, named)
    if not pa.types.is_dictionary(data_type):
        return pa.field(name, data_type)
    if isinstance(schema, list):
        schema = next(one for one in schema if one != "null")
    while "symbols" not in schema:
        schema = named[schema] if isinstance(schema, str) else schema["type"]
    return pa.field(name, data_type, metadata={SYMBOLS: json.dumps(schema["symbols"])})


def _type(schema: Any, named: dict[str, Any]) -> pa.DataType:
    """Return the type of a column; `named` are types that others are called by, and takes in those met."""
    if isinstance(schema, list):
        kinds = {_type(one, named) for one in schema} - {pa.null()}
        if len(kinds) < 2:
            return kinds.pop() if kinds else pa.null()
        if kinds <= set(NUMBERS):
            return pa.int64() if kinds == {pa.int32(), pa.int64()} else pa.float64()
        return NESTED
    if isinstance(schema, str):
        return TYPES.get(schema) or _type(named.get(schema, {"type": "record"}), named)
    kind, logical = schema["type"], schema.get("logicalType")
    if "name" in schema:
        named[schema["name"]] = schema
    if logical == "decimal":
        precision, scale = int(schema["precision"]), int(schema.get("scale", 0))
        return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    if logical in LOGICAL:
        return LOGICAL[logical]
    if kind == "enum":
        return pa.dictionary(pa.int32(), pa.string())
    if isinstance(kind, dict | list):
        return _type(kind, named)
    return TYPES.get(kind, NESTED)
