"""Arrow's many ways to hold a value -> the few that are read: no views, no run ends, no narrow decimals, no extensions.

Few of Arrow's functions take the others; polars, DuckDB and Parquet files of theirs have them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

POLARS_CATEGORICAL = b"_PL_CATEGORICAL"  # begins the key in a field's metadata, whatever the version


def _plain_type(data_type: pa.DataType) -> pa.DataType:
    """Return the type that a column of `data_type` is read as; of what can be no term, itself."""
    if isinstance(data_type, pa.BaseExtensionType):
        return pa.bool_() if isinstance(data_type, pa.Bool8Type) else _plain_type(data_type.storage_type)
    if pt.is_run_end_encoded(data_type):
        return _plain_type(data_type.value_type)
    if pt.is_dictionary(data_type):
        values = _plain_type(data_type.value_type)
        return (
            data_type
            if values == data_type.value_type
            else pa.dictionary(data_type.index_type, values, data_type.ordered)
        )
    if pt.is_string_view(data_type):
        return pa.string()
    if pt.is_binary_view(data_type):
        return pa.binary()
    if pt.is_decimal32(data_type) or pt.is_decimal64(data_type):
        return pa.decimal128(data_type.precision, data_type.scale)
    return data_type


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns with the types that they are read as."""
    return pa.schema([(field.name, plain_type(field)) for field in schema])


def plain_type(field: pa.Field) -> pa.DataType:
    """Return the type that a column is read as.

    A Categorical of polars is read as text: its dictionary has the order in which the process happened to meet values,
    which polars itself does not sort by. (An Enum has the order that it was declared with.)
    """
    if pt.is_dictionary(field.type) and any(key.startswith(POLARS_CATEGORICAL) for key in field.metadata or ()):
        return pa.string()
    return _plain_type(field.type)


def plain_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch with columns of these types; itself where it has them already."""
    types = [plain_type(field) for field in batch.schema]
    if all(data_type is field.type for data_type, field in zip(types, batch.schema, strict=True)):
        return batch
    arrays = [_plain(column, data_type) for column, data_type in zip(batch.columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _plain(column: pa.Array, data_type: pa.DataType) -> pa.Array:
    if column.type == data_type:
        return column
    if isinstance(column.type, pa.BaseExtensionType):
        return _plain(column.storage, data_type)
    if pt.is_run_end_encoded(column.type):
        # Arrow's own decoding knows few types of values.
        runs = np.searchsorted(column.run_ends, column.offset + np.arange(1, len(column) + 1))
        return _plain(column.values, data_type).take(pa.array(runs))
    if pt.is_dictionary(column.type):
        values = _plain(column.dictionary, _plain_type(column.type.value_type))
        levels = pa.DictionaryArray.from_arrays(column.indices, values, ordered=column.type.ordered)
        return levels if levels.type == data_type else levels.cast(data_type)
    return column.cast(data_type)
