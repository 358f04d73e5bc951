"""One Arrow column as numbers or as coded values: what both the scan and the encoder read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from zeroloop import core
from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError
from zeroloop.sparse import Sparse

T = TypeVar("T", np.int32, np.float32)

Kind = Literal["numeric", "categorical", "sparse", "empty", "other"]


def kind_of(data_type: pa.DataType) -> Kind:
    """Return what a column of this type is by default: "other" can be no term, "empty" has no type yet."""
    if pt.is_dictionary(data_type):
        return "other" if kind_of(data_type.value_type) == "other" else "categorical"
    if pt.is_string(data_type) or pt.is_large_string(data_type) or pt.is_string_view(data_type):
        return "categorical"
    if pt.is_integer(data_type) or pt.is_floating(data_type) or pt.is_decimal(data_type) or pt.is_boolean(data_type):
        return "numeric"
    if pt.is_map(data_type) and pt.is_integer(data_type.key_type) and kind_of(data_type.item_type) == "numeric":
        return "sparse"
    return "empty" if pt.is_null(data_type) else "other"


def describe(data_type: pa.DataType) -> str:
    """Return a type as a person calls it."""
    if pt.is_dictionary(data_type):
        return describe(data_type.value_type)
    if pt.is_temporal(data_type):
        return "dates or times"
    kind = kind_of(data_type)
    return {"numeric": "numbers", "categorical": "text", "sparse": "maps of index to number", "empty": "nothing"}.get(
        kind, f"values of type {data_type}"
    )


def is_text(data_type: pa.DataType) -> bool:
    """Return whether a column of this type holds text, which is not among given categories."""
    return kind_of(data_type) == "categorical" and not pt.is_dictionary(data_type)


def no_term(data_type: pa.DataType) -> str:
    """Return why a column of a type makes no term."""
    return f"{describe(data_type)} make no term; derive numbers or levels from them"


def fits_float32(data_type: pa.DataType) -> bool:
    """Return whether every value of a numeric type is a float32."""
    small = pt.is_boolean(data_type) or pt.is_float16(data_type) or pt.is_float32(data_type)
    return bool(small or (pt.is_integer(data_type) and data_type.bit_width <= 16))


def stacked(columns: pa.RecordBatch, first_row: int) -> tuple[NDArray[Any], list[int]]:
    """Return columns of numbers stacked, `(columns, rows)`, NaN where missing, and which of them have gaps.

    They are float32 where each value of each column is one, else float64.

    Raises:
        DataError: for an infinite value, naming column and row.

    """
    types, names, n = columns.schema.types, columns.schema.names, columns.num_columns
    if any(pt.is_decimal(t) or pt.is_float16(t) for t in types):  # which the core does not read
        columns = pa.RecordBatch.from_arrays([_of_floats(column) for column in columns], names=names)
    dtype = np.float32 if all(map(fits_float32, types)) else np.float64
    found: NDArray[Any] = np.empty((n, columns.num_rows), dtype)
    n_missing, infinite = np.empty((2, n), np.int64)
    core.stack(columns.__arrow_c_array__(), found, n_missing, infinite)
    for j in np.flatnonzero(infinite >= 0).tolist():
        row = int(infinite[j])
        raise DataError(
            f"Column {names[j]!r} holds {found[j, row]} in row {first_row + row + 1}; "
            "every number must be finite. Correct the value, or leave it empty to count as missing."
        )
    return found, np.flatnonzero(n_missing).tolist()


def _of_floats(column: pa.Array) -> pa.Array:
    """Return a column of numbers that the core reads."""
    if not (pt.is_decimal(column.type) or pt.is_float16(column.type)):
        return column
    return pa.Array.from_buffers(pa.float64(), len(column), [None, pa.py_buffer(_floats(column))])


def _floats(column: pa.Array) -> NDArray[Any]:
    """Return a numeric column as float32 or float64, NaN where missing, infinity as it is."""
    if pt.is_null(column.type):
        return np.full(len(column), np.nan)
    if pt.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if pt.is_float32(column.type):
        values: NDArray[Any] = _view(column, np.float32)
    else:
        values = (
            decimal_floats(column)
            if pt.is_decimal(column.type)
            else _view(column.cast(pa.float64(), safe=False), np.float64)
        )
    return np.where(bools(pc.is_null(column)), values.dtype.type(np.nan), values) if column.null_count else values


MOST_EXACT = 2**53  # whole numbers up to here are float64s, and powers of ten up to 10**22
MOST_EXACT_POWER = 22


def decimal_floats(column: pa.Array) -> FloatArray:
    """Return the float64 nearest to each decimal, `(rows,)`, anything where it is null.

    pyarrow's own cast may be the one beside: 0.9400000000000001 for 0.94.
    """
    scale = column.type.scale
    if pt.is_decimal128(column.type) and 0 <= scale <= MOST_EXACT_POWER and len(column):
        words = np.frombuffer(column.buffers()[1], np.int64, 2 * len(column), 16 * column.offset).reshape(-1, 2)
        low, high = np.where(bools(pc.is_null(column))[:, np.newaxis], 0, words).T
        if np.all((high == low >> 63) & (low <= MOST_EXACT) & (low >= -MOST_EXACT)):
            quotient: FloatArray = low / 10.0**scale  # of two exact numbers, so rounded once
            return quotient
    return _view(column.cast(pa.string()).cast(pa.float64()), np.float64)


def digits_kept(number: float | Decimal) -> bool:
    """Return whether the nearest float64 tells a number from others with as many digits, as 0.94 does."""
    if isinstance(number, Decimal):
        return not number.is_finite() or Decimal(repr(float(number))) == number
    return not isinstance(number, int) or abs(number) <= MOST_EXACT


MOST_INDICES = 2**26  # of a map: each up to the largest has a coefficient


def sparse_values(column: pa.Array, name: str, first_row: int) -> Sparse:
    """Return a column of maps from index to number as sparse rows; a null row is empty.

    Raises:
        DataError: for an index out of range, and a value that is no finite number, naming column and row.

    """
    starts = np.asarray(column.offsets.to_numpy(), dtype=np.int64)
    used = slice(int(starts[0]), int(starts[-1]))  # of the map's keys and items, which other rows share
    keys, values = _floats(column.keys)[used].astype(np.int64), _floats(column.items)[used].astype(np.float64)
    starts = starts - starts[0]
    counts = np.diff(starts)
    row = np.repeat(np.arange(len(column)), counts)
    bad = ~np.isfinite(values) | (keys < 0) | (keys >= MOST_INDICES)
    if np.any(bad):
        at = int(np.argmax(bad))
        raise DataError(
            f"Column {name!r} holds {keys[at]}: {values[at]:g} in row {first_row + int(row[at]) + 1}; "
            f"an index must be from 0 to {MOST_INDICES - 1:,}, and every number finite."
        )
    if np.any((np.diff(keys) <= 0) & (np.diff(row) == 0)):  # not sorted, or twice
        order = np.lexsort((keys, row))
        row, keys, values = row[order], keys[order], values[order]
        first = np.flatnonzero(np.append(True, (np.diff(keys) != 0) | (np.diff(row) != 0)))
        row, keys, values = row[first], keys[first], np.add.reduceat(values, first)
        starts = np.append(0, np.cumsum(np.bincount(row, minlength=len(column))))
    n = int(np.max(keys, initial=-1)) + 1
    return Sparse(
        values=values,
        indices=keys.astype(np.int32),
        start=starts[:-1],
        stop=starts[1:],
        n_rows=len(column),
        n_columns=n,
    )


MOST_DECIMALS = 7  # a float32 has no more digits
NOT_DECIMAL = MOST_DECIMALS + 1


def decimal_places(values: FloatArray) -> int:
    """Return how many decimals write every float32 value (NaN apart), `NOT_DECIMAL` where none do."""
    here = values[~np.isnan(values)]
    largest = float(np.max(np.abs(here), initial=0.0))
    for places in range(MOST_DECIMALS + 1):
        if largest * 10.0**places >= 2**24:  # float32s are wider apart than such decimals
            break
        # Most columns that fail do so within a few values; look at all only when those pass.
        if all(np.array_equal(some, _rounded(some, places).astype(np.float32)) for some in (here[:64], here)):
            return places
    return NOT_DECIMAL


def as_decimals(values: FloatArray, places: int) -> FloatArray:
    """Return the float64 nearest to the decimal with so many places that each float32 stands for.

    39.02 stored as float32 is 39.020000457763672; its CSV says 39.02, and so should a fit of it. A value that is no
    such decimal, as training may not have met one, stays as it is.
    """
    decimals = _rounded(values, places)
    return np.where(decimals.astype(np.float32) == values.astype(np.float32), decimals, values)


def _rounded(values: FloatArray, places: int) -> FloatArray:
    power = 10.0**places
    return np.rint(values * power) / power


def coded(column: pa.Array) -> tuple[NDArray[np.int32], pa.Array]:
    """Return a column as (code of each row, -1 where missing; the distinct values): strings, numbers, decimals, bools.

    Of a column that came as a dictionary the values may repeat, and some may be in no row. Dates and times are whole
    numbers, in their own unit.
    """
    if pt.is_temporal(column.type):  # of clusters
        column = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
    if not pt.is_dictionary(column.type):
        column = column.dictionary_encode()
    codes: NDArray[np.int32] = _view(column.indices.cast(pa.int32()), np.int32)
    if column.indices.null_count:
        codes = np.where(bools(pc.is_null(column.indices)), np.int32(-1), codes)
    values = column.dictionary
    if kind_of(values.type) == "categorical":
        values = values.cast(pa.string())
    elif pt.is_floating(values.type):
        values = values.cast(pa.float64())
    gone = absent(values)
    if np.any(gone):
        codes = np.where((codes >= 0) & gone[codes], np.int32(-1), codes)
    return codes, values


MOST_TABLED = 2**12  # whole numbers in a row


def looked_up(table: NDArray[T], numbers: NDArray[np.int32]) -> NDArray[T]:
    """Return each number's entry of a table of int32 or float32, whose last is that of -1, `(rows,)`."""
    found = np.empty(numbers.size, table.dtype)
    core.look_up(table, numbers, found)
    return found


def count(numbers: NDArray[np.int32], n_values: int) -> NDArray[np.int64]:
    """Return how many rows have each number, from 0 on, and last -1, `(n_values + 1,)`."""
    counts = np.empty(n_values + 1, np.int64)
    core.count(numbers, counts)
    return counts


def value_numbers(column: pa.Array, name: str) -> tuple[NDArray[np.int32], tuple[Any, ...]]:
    """Return a column as (index of each row's value, -1 where missing; the distinct values).

    Decimals are whole numbers where they are whole, else floats.

    Raises:
        DataError: for decimals that as floats are no longer told apart.

    """
    if pt.is_null(column.type):
        return np.full(len(column), -1, np.int32), ()
    if pt.is_integer(column.type) and column.null_count == 0 and len(column) > 0:
        numbers = np.empty(len(column), np.int32)
        met = core.number_whole(_view(column, np.dtype(str(column.type)).type), MOST_TABLED, numbers)
        if met is not None:  # a table of them is several times faster than a hash of each value
            return numbers, met
    codes, distinct = coded(column)
    values = distinct.to_pylist()
    return codes, tuple(_plain_numbers(values, name) if pt.is_decimal(distinct.type) else values)


def _plain_numbers(decimals: Iterable[Decimal | None], name: str) -> Iterator[int | float | None]:
    met: dict[int | float, Decimal] = {}
    for decimal in decimals:
        if decimal is None:
            yield None
            continue
        value = int(decimal) if decimal == int(decimal) else float(decimal)
        if met.setdefault(value, decimal) != decimal:
            raise DataError(
                f"Column {name!r} holds {met[value]} and {decimal}, which are the same number in 16 digits; "
                "make it text to tell them apart, or round it."
            )
        yield value


def whole_numbers(column: pa.Array) -> NDArray[np.int64]:
    """Return the numbers that stand for dates and times `(rows,)`, in their own unit; anything where it is null."""
    dtype = np.int32 if column.type.bit_width == 32 else np.int64
    return _view(column, dtype).astype(np.int64, copy=False)


def present(column: pa.Array) -> NDArray[np.bool_]:
    """Return which rows have a value: neither null nor NaN, `(rows,)`."""
    if pt.is_dictionary(column.type):
        return coded(column)[0] >= 0
    return ~absent(column)


def absent(column: pa.Array) -> NDArray[np.bool_]:
    """Return which rows have no value, `(rows,)`."""
    return bools(pc.is_null(column, nan_is_null=pt.is_floating(column.type)))


def bools(column: pa.Array) -> NDArray[np.bool_]:
    """Return a column of bools without nulls."""
    return _view(column.cast(pa.uint8()), np.bool_)


def _view(column: pa.Array, dtype: type) -> NDArray[Any]:
    """Return a primitive column's values where they lie, anything where it is null.

    pyarrow's own `to_numpy` imports pandas, which takes longer than a whole fit.
    """
    if len(column) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(column.buffers()[1], dtype, len(column), column.offset * np.dtype(dtype).itemsize)
