"""Dates, times of day and durations -> plain columns of numbers and levels, the parts that a model learns from.

A date becomes the days since the first of the training rows, and its year, month, weekday and hour; a time of day the
hours since midnight, and its hour; a duration the days that it lasts. All are counted in microseconds, whatever unit,
zone or text they come in, so that the same instants make the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError
from zeroloop.tables.columns import describe, kind_of, whole_numbers
from zeroloop.tables.date_types import (
    DAY,
    HOUR,
    LAST,
    SECOND,
    date_kind,
    in_words,
    kind_in_words,
    microseconds,
    number_array,
    zone_of,
)
from zeroloop.tables.schema import DateColumn, DateOrder
from zeroloop.tables.written_dates import parse

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WRITTEN: dict[DateOrder | None, str] = {
    None: " written as 2024-12-31 or with names of months",
    "dmy": " written as day, month, year",
    "mdy": " written as month, day, year",
    "ymd": " written as year, month, day",
}
QUARTER = HOUR // 4
RULES_END = 2_114_380_800 * SECOND  # 2037: Arrow knows summer times up to there; Python's zoneinfo goes on by the rules
LENGTHS = {"month": 12, "weekday": 7, "hour": 24}  # of what comes round again


def check_date_type(date: DateColumn, data_type: pa.DataType, table: str) -> None:
    """Check that a column of a table can hold what it held in training.

    Raises:
        DataError: naming the column and what it holds.

    """
    kind = kind_of(data_type)
    by_digits = date.written == "ymd" and kind == "numeric" and not pt.is_boolean(data_type)
    if kind == "empty" or by_digits or (kind == "categorical" and describe(data_type) == "text"):
        return  # what text says of zones, its values say
    if date_kind(data_type) != date.kind or (zone_of(data_type) is None) != (date.zone is None):
        held = kind_in_words(date.kind, date.zone)
        raise DataError(
            f"{table}: column {date.name!r} holds {in_words(data_type)}, but held {held} in training; convert it."
        )


def with_parts(batch: pa.RecordBatch, dates: Iterable[DateColumn], first_row: int) -> pa.RecordBatch:
    """Return a batch with the parts of its dates as columns of their own, and microseconds in place of the dates.

    Args:
        batch: rows with those columns.
        dates: which.
        first_row: index in the table of the batch's first row.

    Raises:
        DataError: for a value out of range, naming column and row.

    """
    columns: dict[str, pa.Array] = {}
    for date in dates:
        columns = columns or dict(zip(batch.schema.names, batch.columns, strict=True))
        instants, missing = _instants(columns[date.name], date, first_row)
        columns[date.name] = number_array(instants, missing, pa.int64())
        shown = _shown(instants, missing, date)
        for part in date.parts:
            arrays = _arrays_of(part, instants, shown, missing)
            columns |= zip(date.columns_of(part), arrays, strict=True)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)) if columns else batch


def _instants(column: pa.Array, date: DateColumn, first_row: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a column as microseconds, and which values are missing; see `microseconds`."""
    kind = kind_of(column.type)
    if kind == "numeric":
        column = _digits(column, date, first_row)
    elif kind != "categorical":
        return microseconds(column, date.name, date.kind, first_row)
    found = parse(column.cast(pa.string()), date.kind, date.written)
    bad = ~found.missing & (~found.fits | (found.zoned != (date.zone is not None)))
    if np.any(bad):
        at = int(np.argmax(bad))
        value, row = column[at].as_py(), first_row + at + 1
        if not found.fits[at]:
            written = WRITTEN[date.written] if date.kind == "date" else ""
            raise DataError(
                f"Column {date.name!r} holds {value!r} in row {row}, and {kind_in_words(date.kind, date.zone)}"
                f"{written} elsewhere; correct it, leave it empty to count as missing, or name "
                f"{date.name!r} categorical."
            )
        zones = "a time zone, and others have none" if date.zone is None else "no time zone, and others have one"
        raise DataError(f"Column {date.name!r} holds {value!r} in row {row}, which has {zones}; correct it.")
    return found.values, found.missing


def _digits(column: pa.Array, date: DateColumn, first_row: int) -> pa.Array:
    """Return numbers such as 20241231 as text."""
    values = column.cast(pa.float64(), safe=False)
    bad = pc.fill_null(pc.not_equal(values, pc.floor(values)), False)
    if pc.any(bad, min_count=0).as_py():
        at = pc.index(bad, True).as_py()
        raise DataError(
            f"Column {date.name!r} holds {column[at].as_py()} in row {first_row + at + 1}, which is no date such as "
            "20241231; correct it, or leave it empty to count as missing."
        )
    return column.cast(pa.int64()).cast(pa.string())


def _shown(instants: NDArray[np.int64], missing: NDArray[np.bool_], date: DateColumn) -> NDArray[np.int64]:
    """Return what clocks in the column's zone show at instants, as microseconds."""
    if date.zone in (None, "UTC"):
        return instants
    column = number_array(instants, missing, pa.timestamp("us", date.zone))
    try:
        shown = np.where(missing, 0, whole_numbers(pc.local_timestamp(column)))
        late = instants >= RULES_END
        if np.any(late) and date.zone[0] not in "+-":
            shown[late] = instants[late] + _offsets(instants[late], ZoneInfo(date.zone))
    except (pa.ArrowInvalid, ZoneInfoNotFoundError, ValueError) as error:
        raise DataError(
            f"Column {date.name!r} has the time zone {date.zone!r}, which is not known here; install the system's "
            "tzdata, or convert the column to UTC."
        ) from error
    return shown


def _offsets(instants: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Return a zone's offsets from UTC at instants, as microseconds."""
    quarters, at = np.unique(np.minimum(instants, LAST - DAY) // QUARTER, return_inverse=True)
    of_quarter = []
    for quarter in quarters.tolist():
        here = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=quarter * QUARTER)).astimezone(zone)
        of_quarter.append((here.utcoffset() or timedelta(0)) // timedelta(microseconds=1))
    return np.array(of_quarter, dtype=np.int64)[at]


def _arrays_of(
    part: str, instants: NDArray[np.int64], shown: NDArray[np.int64], missing: NDArray[np.bool_]
) -> Iterator[pa.Array]:
    """Yield the columns that a part makes."""
    of_levels = part.removesuffix("-cycle")
    if part == "days":
        days = np.floor_divide(instants, DAY)
        yield number_array(days + (instants - days * DAY) / DAY, missing, pa.float64())
    elif part == "hours":
        yield number_array(instants / HOUR, missing, pa.float64())
    elif part != of_levels:
        at = _levels(of_levels, shown) % LENGTHS[of_levels]
        for curve in _circle(LENGTHS[of_levels]):
            yield number_array(curve[at], missing, pa.float64())
    elif part == "weekday":
        codes = number_array(_levels(part, shown).astype(np.int8), missing, pa.int8())
        yield pa.DictionaryArray.from_arrays(codes, pa.array(WEEKDAYS))
    else:
        yield number_array(_levels(part, shown).astype(np.int16), missing, pa.int16())


def _levels(part: str, shown: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the year, the month from 1, the weekday from 0 or the hour that calendars and clocks show."""
    days = np.floor_divide(shown, DAY)
    if part == "hour":
        return np.asarray((shown - days * DAY) // HOUR)
    if part == "weekday":
        return (days + 3) % 7  # 1970 began on a Thursday
    calendar = days.astype("datetime64[D]")
    if part == "year":
        return calendar.astype("datetime64[Y]").astype(np.int64) + 1970
    return calendar.astype("datetime64[M]").astype(np.int64) % 12 + 1


@cache
def _circle(n: int) -> tuple[FloatArray, FloatArray]:
    """Return sine and cosine of n places round a circle, `(n,)` each."""
    angles = [2 * math.pi * i / n for i in range(n)]
    # Rounded, so that the last bits are no affair of the system's mathematical library.
    return np.array([round(math.sin(a), 15) for a in angles]), np.array([round(math.cos(a), 15) for a in angles])
