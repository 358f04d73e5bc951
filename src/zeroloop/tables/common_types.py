"""The type that a column of several files has in common, and their rows with it: wide enough for every value, or none.

Whole numbers and decimals stay exact. Beside fractions they are float64, as long as that has all their digits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from zeroloop.errors import DataError
from zeroloop.tables.columns import (
    MOST_EXACT,
    absent,
    bools,
    decimal_floats,
    describe,
    digits_kept,
    fits_float32,
    kind_of,
)
from zeroloop.tables.date_types import as_date_type, common_date_type, date_kind, number_array

DIGITS = 15  # of a decimal, which a float64 always holds
MOST_DIGITS = {38: pa.decimal128, 76: pa.decimal256}


def common_type(one: pa.DataType, other: pa.DataType, levels: bool = False) -> pa.DataType | None:
    """Return the type that a column of two types is read as; None where they do not go together.

    Text is text beside categories of text; categories of numbers do not go with numbers, unless both are `levels`.
    """
    if one == other or pt.is_null(other):
        return one
    if pt.is_null(one):
        return other
    if date_kind(one) is not None and date_kind(other) is not None:
        return common_date_type(one, other)
    coded = [pt.is_dictionary(data_type) for data_type in (one, other)]
    one, other = (t.value_type if pt.is_dictionary(t) else t for t in (one, other))
    kinds = {kind_of(one), kind_of(other)}
    if kinds == {"sparse"}:
        return pa.map_(pa.int64(), pa.float64())
    if kinds == {"categorical"}:
        values = pa.string()
    elif kinds == {"numeric"} and (all(coded) == any(coded) or levels):
        values = _common_number(one, other)
    else:
        return None
    return pa.dictionary(pa.int32(), values) if all(coded) else values


def _common_number(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    one, other = (pa.uint8() if pt.is_boolean(data_type) else data_type for data_type in (one, other))
    if one == other:
        return one
    if pt.is_floating(one) or pt.is_floating(other):
        return pa.float32() if fits_float32(one) and fits_float32(other) else pa.float64()
    if pt.is_integer(one) and pt.is_integer(other):
        schemas = [pa.schema([("both", data_type)]) for data_type in (one, other)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    before, after = (max(pair) for pair in zip(_digits(one), _digits(other), strict=True))
    decimal = next((make for most, make in MOST_DIGITS.items() if before + after <= most), None)
    return pa.float64() if decimal is None else decimal(before + after, after)


def _digits(data_type: pa.DataType) -> tuple[int, int]:
    """Return how many digits a whole number or decimal has at most before and after the point."""
    if pt.is_decimal(data_type):
        return data_type.precision - data_type.scale, max(0, data_type.scale)
    return len(str(2 ** (data_type.bit_width - pt.is_signed_integer(data_type)))), 0


def with_one_type(parts: Sequence[pa.RecordBatch], first_row: int) -> list[pa.RecordBatch]:
    """Return batches that follow each other with the types that their columns have in common.

    Raises:
        DataError: for a value that such a type cannot hold, naming column and row.

    """
    types: dict[str, pa.DataType] = {}
    if all(part.schema.types == parts[0].schema.types for part in parts):
        return list(parts)
    for part in parts:
        for field in part.schema:
            known = types.get(field.name, field.type)
            types[field.name] = common_type(known, field.type, levels=True) or known
    starts = accumulate((part.num_rows for part in parts), initial=first_row)
    return [with_types(part, types, start) for part, start in zip(parts, starts, strict=False)]


def readable(data_type: pa.DataType) -> pa.DataType:
    """Return the type that text is read as where a column is to be of a type; whole numbers may turn out wider."""
    if pt.is_dictionary(data_type):
        return readable(data_type.value_type)
    if pt.is_integer(data_type):
        return pa.int64()
    if pt.is_floating(data_type) or pt.is_decimal(data_type):
        return pa.float64()
    return pa.string() if kind_of(data_type) == "categorical" else data_type


def with_types(batch: pa.RecordBatch, types: Mapping[str, pa.DataType], first_row: int) -> pa.RecordBatch:
    """Return a batch whose columns are of the types given, or what they have in common with its own.

    Args:
        batch: some rows.
        types: by column; where they do not go with the batch's own, it keeps that.
        first_row: index of the batch's first row.

    Raises:
        DataError: for a value that the type cannot hold, naming column and row.

    """
    for at, field in enumerate(batch.schema):
        wanted = types.get(field.name)
        if wanted is None or field.type == wanted or pt.is_null(field.type):
            continue
        wanted = common_type(field.type, wanted, levels=True)
        if wanted is None or field.type == wanted:
            continue
        column = batch.column(at)
        if date_kind(wanted) is not None:
            column = as_date_type(column, field.name, wanted, first_row)
        else:
            column = _as_type(column, field.name, wanted, first_row)
        batch = batch.set_column(at, field.with_type(column.type), column)
    return batch


def _as_type(column: pa.Array, name: str, wanted: pa.DataType, first_row: int) -> pa.Array:
    if pt.is_dictionary(wanted):
        values = _as_type(column.dictionary, name, wanted.value_type, first_row)
        return pa.DictionaryArray.from_arrays(column.indices.cast(wanted.index_type), values)
    if pt.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pt.is_boolean(column.type):
        column = column.cast(pa.uint8())
    try:
        return _exactly(column, wanted)
    except pa.ArrowInvalid as error:
        at = bisect_left(range(len(column)), True, key=lambda i: not _fits(column.slice(0, i + 1), wanted))
        raise DataError(
            f"Column {name!r} holds {column[at].as_py()} in row {first_row + at + 1}, which {wanted}, the type that it "
            "has with all files, does not hold exactly; give it one type in all files, text where it holds identifiers."
        ) from error


def _fits(column: pa.Array, wanted: pa.DataType) -> bool:
    try:
        _exactly(column, wanted)
    except pa.ArrowInvalid:
        return False
    return True


def _exactly(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return a column as another type.

    Raises:
        pa.ArrowInvalid: where it has not all digits of a value.

    """
    if not pt.is_floating(wanted) or pt.is_floating(column.type) or fits_float32(column.type):
        return column.cast(wanted)
    if not pt.is_decimal(column.type):
        found = column.cast(wanted, safe=False)
        exact = ~bools(pc.fill_null(pc.or_(pc.less(column, -MOST_EXACT), pc.greater(column, MOST_EXACT)), False))
    else:
        floats, missing = decimal_floats(column), absent(column)
        found = number_array(floats, missing, wanted)
        exact = missing | (np.abs(floats) < 10.0 ** (DIGITS - column.type.scale))
        for at in np.flatnonzero(~exact).tolist():
            exact[at] = digits_kept(column[at].as_py())
    if not exact.all():
        raise pa.ArrowInvalid(f"digits would be lost, as {describe(wanted)}")
    return found
