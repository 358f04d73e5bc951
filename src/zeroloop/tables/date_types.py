"""The types that hold dates and times: what they hold, what they have in common, their values as microseconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from zeroloop.errors import DataError
from zeroloop.tables.columns import absent, describe, kind_of, whole_numbers
from zeroloop.tables.schema import DateKind

SECOND = 1_000_000  # microseconds
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
FIRST, LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND  # year 1 begins, year 9999 is over
PER_UNIT = {"s": SECOND, "ms": 1_000, "us": 1}
RANGES: dict[DateKind, tuple[int, int, str]] = {
    "date": (FIRST, LAST, "a date outside the years 1 to 9999"),
    "time": (0, DAY, "a time of day outside 0:00 to 24:00"),
    "duration": (-LAST, LAST, "a duration of thousands of years"),
}


def date_kind(data_type: pa.DataType) -> DateKind | None:
    """Return what a column of a type holds of dates and times; None of none."""
    if pt.is_dictionary(data_type):
        return date_kind(data_type.value_type)
    if pt.is_date(data_type) or pt.is_timestamp(data_type):
        return "date"
    if pt.is_time(data_type):
        return "time"
    return "duration" if pt.is_duration(data_type) else None


def zone_of(data_type: pa.DataType) -> str | None:
    """Return the time zone of a type; None where its values have none."""
    if pt.is_dictionary(data_type):
        return zone_of(data_type.value_type)
    return data_type.tz if pt.is_timestamp(data_type) else None


def in_words(data_type: pa.DataType) -> str:
    """Return what a column of a type holds as a person calls it, dates with their zone, numbers that are levels."""
    kind = date_kind(data_type)
    if kind is not None:
        return kind_in_words(kind, zone_of(data_type))
    levels = pt.is_dictionary(data_type) and kind_of(data_type.value_type) == "numeric"
    return f"categories of {describe(data_type)}" if levels else describe(data_type)


def kind_in_words(kind: DateKind, zone: str | None) -> str:
    """Return what a column holds as a person calls it."""
    names: dict[DateKind, str] = {"date": "dates", "time": "times of day", "duration": "durations"}
    return names[kind] + (
        f" in the time zone {zone}" if zone is not None else " without a time zone" * (kind == "date")
    )


def common_date_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return the type that holds what two types of dates or times hold, to the microsecond; None where none does.

    A date is its midnight, unless the other has a time zone. Of two zones both are seen in UTC.
    """
    one, other = (t.value_type if pt.is_dictionary(t) else t for t in (one, other))
    if one == other:
        return one
    kind, zones = date_kind(one), {zone_of(one), zone_of(other)}
    if kind != date_kind(other) or (None in zones and len(zones) > 1):
        return None
    if kind == "date":
        only_days = pt.is_date(one) and pt.is_date(other)
        return pa.date32() if only_days else pa.timestamp("us", zones.pop() if len(zones) == 1 else "UTC")
    return pa.time64("us") if kind == "time" else pa.duration("us")


def as_date_type(column: pa.Array, name: str, wanted: pa.DataType, first_row: int) -> pa.Array:
    """Return dates or times as another type of theirs, which `common_date_type` has found.

    Args:
        column: some rows.
        name: the column's.
        wanted: the type.
        first_row: index of the first row.

    Raises:
        DataError: for a value out of range, naming column and row.

    """
    kind = date_kind(wanted)
    assert kind is not None
    values, missing = microseconds(column, name, kind, first_row)
    if pt.is_date32(wanted):
        return number_array((values // DAY).astype(np.int32), missing, wanted)
    return number_array(values, missing, wanted)


def microseconds(
    column: pa.Array, name: str, kind: DateKind, first_row: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a column as microseconds since 1970, since midnight, or of a duration, and which are missing.

    Both are `(rows,)`; in place of a missing value the number is 0.

    Raises:
        DataError: for a value out of range, naming column and row.

    """
    if pt.is_dictionary(column.type):
        column = column.dictionary_decode()
    missing = absent(column)
    if pt.is_null(column.type):
        return np.zeros(len(column), np.int64), missing
    values = np.where(missing, 0, whole_numbers(column))
    if pt.is_date64(column.type):
        values = np.floor_divide(values, 86_400_000)  # its milliseconds are to be those of whole days
    if pt.is_date(column.type):
        unit = DAY
    elif column.type.unit == "ns":
        unit, values = 1, np.floor_divide(values, 1_000)
    else:
        unit = PER_UNIT[column.type.unit]
    low, high, wrong = RANGES[kind]
    outside = (values < low // unit) | (values >= high // unit)  # before they are multiplied, which might overflow
    if np.any(outside & ~missing):
        row = first_row + int(np.argmax(outside & ~missing)) + 1
        raise DataError(
            f"Column {name!r} holds {wrong} in row {row}; correct it, or leave it empty to count as missing."
        )
    return values * unit, missing


def number_array(values: NDArray[Any], missing: NDArray[np.bool_], data_type: pa.DataType) -> pa.Array:
    """Return a column of numbers; pyarrow's own way from NumPy imports pandas, which takes longer than a whole fit."""
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little")) if np.any(missing) else None
    return pa.Array.from_buffers(data_type, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])


def indices(at: NDArray[np.integer]) -> pa.Array:
    """Return places in an array as pyarrow takes them."""
    return number_array(at.astype(np.int64), np.zeros(at.size, bool), pa.int64())
