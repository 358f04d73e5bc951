"""Frames of pandas and polars -> Arrow tables: what Arrow has no type for is read as what it means, or named."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from zeroloop.errors import DataError, first_line
from zeroloop.tables.columns import digits_kept, kind_of
from zeroloop.tables.plain_types import plain_type

UNREAD = (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError, AttributeError)
"""What pyarrow raises for values that it finds no type for; a half of a character in text is a ValueError."""


NUMPY_TIMES = (np.datetime64, np.timedelta64)
TEMPORAL = (dt.date, dt.time, dt.timedelta, *NUMPY_TIMES)


def column_name(label: Any) -> Any:
    """Return the name of the column that a frame has under a label of any type; None for None.

    Halves of characters are those of a command line in a locale without its letters, which are UTF-8 all the same.
    """
    if label is None or (isinstance(label, str) and label.isascii()):
        return label
    text = str(label)
    if not _is_unicode(text):
        with suppress(UnicodeError):
            return os.fsencode(text).decode()
    return text


def column_names(labels: Iterable[Any] | None) -> Any:
    """Return the names of the columns that a frame has under some labels; None for None."""
    return None if labels is None else [column_name(label) for label in labels]


def is_pandas(data: Any) -> bool:
    """Return whether something is a DataFrame of pandas."""
    pandas = sys.modules.get("pandas")  # whoever holds a DataFrame has imported it
    return pandas is not None and isinstance(data, pandas.DataFrame)


def is_polars(data: Any) -> bool:
    """Return whether something is a DataFrame of polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(data, polars.DataFrame)


def pandas_table(frame: Any) -> pa.Table:
    """Return a DataFrame of pandas, without its index.

    Sparse columns become dense, long doubles float64; categories of intervals, tuples and several types become text.

    Raises:
        DataError: for a column whose values are of no type, or of several.

    """
    names = [str(label) for label in frame.columns]
    return _table(names, [_of_series(frame.iloc[:, i], name) for i, name in enumerate(names)])


def polars_table(frame: Any) -> pa.Table:
    """Return a DataFrame of polars; integers of 128 bits as the narrowest type that holds them, objects as values.

    Raises:
        DataError: for a column that polars cannot give to Arrow, or whose values are of no type, or of several.

    """
    import polars as pl

    wide = [getattr(pl, name) for name in ("Int128", "UInt128") if hasattr(pl, name)]
    columns: list[pa.Array] = []
    fields: dict[str, pa.Field] = {}
    for series in frame.get_columns():
        if series.dtype == pl.Object:
            columns.append(of_values(series.to_list(), series.name))
        elif series.dtype in wide:
            columns.append(_of_numbers(series.to_list(), series.name))
        else:
            _check_exports(series)
            table = pa.table(series.to_frame())
            columns.append(table.column(0))
            fields[series.name] = table.schema.field(0)  # its metadata says whether categories have an order
    table = _table(frame.columns, columns)
    return table.cast(pa.schema([fields.get(field.name, field) for field in table.schema]))


def _check_exports(series: Any) -> None:
    """Check that polars gives a column of this type to Arrow: where it panics in a stream, the process ends."""
    try:
        series.clear().to_arrow()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise DataError(
            f"Column {series.name!r} holds {series.dtype}, which polars does not give to Arrow "
            f"({first_line(error)}); convert it, or take it out of the table."
        ) from error


def _table(names: Sequence[str], columns: Sequence[Any]) -> pa.Table:
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"The column {name!r} has half a character in its name; rename it.") from error
    return pa.Table.from_arrays(list(columns), names=list(names))


def _of_series(series: Any, name: str) -> Any:
    import pandas as pd

    if isinstance(series.dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
    if isinstance(series.dtype, pd.CategoricalDtype):
        return _of_categories(series.cat, name)
    if series.dtype == np.longdouble:
        series = series.astype(np.float64)
    try:
        if series.dtype != object:
            return pa.array(series, from_pandas=True)
    except UNREAD:
        pass
    return of_values(series.tolist(), name)


def _of_categories(cat: Any, name: str) -> pa.Array:
    levels = list(cat.categories)
    try:
        values = pa.array(cat.categories, from_pandas=True)
        held = plain_type(pa.field(name, values.type))
        text = isinstance(values.type, pa.BaseExtensionType) or (kind_of(held) == "other" and not pt.is_temporal(held))
    except UNREAD:
        text = True
    if text:
        values = of_values([str(level) for level in levels], name)
        if len(set(values.to_pylist())) < len(levels):
            raise DataError(f"Column {name!r} has two categories that are written alike; rename one.")
    codes = np.asarray(cat.codes)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), values, ordered=bool(cat.ordered))


def of_values(values: Sequence[Any], name: str) -> pa.Array:
    """Return Python's values as a column.

    Raises:
        DataError: for values of no type, or of several, with the first of them.

    """
    instants = any(issubclass(kind, TEMPORAL) for kind in set(map(type, values)))
    if not instants:  # of which pyarrow takes numbers for dates, and cuts off times beside dates
        try:
            return pa.array(values, from_pandas=True)
        except UNREAD:
            pass
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        if not _is_missing(value):
            first.setdefault(_kind(value), row)
    if first.keys() <= {"a number", "true or false"}:
        return _of_numbers(values, name)
    if len(first) > 1:
        (one, at), (other, later) = list(first.items())[:2]
        raise DataError(
            f"Column {name!r} holds {one} ({_shown(values[at])}) in row {at + 1:,}, and {other} "
            f"({_shown(values[later])}) in row {later + 1:,}; make it one kind."
        )
    (kind, row) = next(iter(first.items()))
    try:
        if instants:
            return pa.array(_instants(values), from_pandas=True)
    except UNREAD:
        pass
    if kind == "text":
        row = next(i for i, value in enumerate(values) if isinstance(value, str) and not _is_unicode(value))
        raise DataError(f"Column {name!r} holds half a character in row {row + 1:,} ({values[row]!a:.60}); correct it.")
    raise DataError(
        f"Column {name!r} holds {kind} ({_shown(values[row])}) in row {row + 1:,}, which Arrow has no type for; "
        "convert it, or take it out of the table."
    )


def _instants(values: Sequence[Any]) -> list[Any]:
    """Return dates and times of one kind as Python has them; dates beside times as midnights."""
    plain = [v.astype(f"{v.dtype.kind}8[us]").item() if isinstance(v, NUMPY_TIMES) else v for v in values]
    if not any(isinstance(value, dt.datetime) and not _is_missing(value) for value in plain):
        return plain
    return [dt.datetime.combine(value, dt.time()) if type(value) is dt.date else value for value in plain]


def _of_numbers(values: Sequence[Any], name: str) -> pa.Array:
    """Return numbers of any of Python's and NumPy's types as one column: whole ones, decimals, else floats.

    Raises:
        DataError: for a number that the column cannot hold.

    """
    plain = [
        None if _is_missing(value) else value.item() if isinstance(value, np.generic) else value for value in values
    ]
    kinds = {type(value) for value in plain if value is not None}
    numbers: list[Any] = [int(value) if isinstance(value, bool) else value for value in plain]
    fractions = any(issubclass(kind, float) for kind in kinds)
    types = (
        [pa.float64()] if fractions else [None] if Decimal in kinds else [pa.int64(), pa.uint64(), pa.decimal128(38)]
    )
    if fractions:
        for row, value in enumerate(numbers):
            if value is not None and not digits_kept(value):
                raise DataError(
                    f"Column {name!r} holds {value} in row {row + 1:,}, which loses digits beside fractions; make it "
                    "text where it holds identifiers, or round it."
                )
        numbers = [None if value is None else float(value) for value in numbers]
    elif Decimal in kinds or max((abs(value) for value in numbers if value is not None), default=0) >= 2**64:
        numbers = [None if value is None else Decimal(value) for value in numbers]
    for data_type in types:
        try:
            return pa.array(numbers, data_type)
        except UNREAD:
            continue
    large = max((value for value in numbers if value is not None), key=abs)
    raise DataError(f"Column {name!r} holds {large!s:.60}, which has too many digits; make it text, or round it.")


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (value != value) is True


def _kind(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "true or false"
    if isinstance(value, int | float | Decimal | np.integer | np.floating):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dt.date | np.datetime64):
        return "a date with a time zone" if getattr(value, "tzinfo", None) is not None else "a date"
    if isinstance(value, dt.time):
        return "a time of day"
    if isinstance(value, dt.timedelta | np.timedelta64):
        return "a duration"
    return f"a value of type {type(value).__name__}"


def _shown(value: Any) -> str:
    return f"{value!a:.40}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
