"""Rows as dictionaries -> an Arrow table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

from zeroloop.errors import DataError, first_line
from zeroloop.tables.frames import of_values


def rows_as_table(data: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return a row, or several, as a table, with every column that any row has; None and NaN are missing values.

    Raises:
        DataError: for a column whose values are of several kinds.

    """
    rows = [data] if isinstance(data, Mapping) else data
    names = dict.fromkeys(str(name) for row in rows for name in row)
    by_name = [{str(name): value for name, value in row.items()} for row in rows]
    return pa.table({name: _column(name, [row.get(name) for row in by_name]) for name in names})


def is_rows(data: Any) -> bool:
    """Return whether something is a row as a dictionary, or several."""
    several = isinstance(data, list | tuple) and data and all(isinstance(row, Mapping) for row in data)
    return isinstance(data, Mapping) or bool(several)


def with_columns(data: Any, names: Collection[str]) -> Any:
    """Return rows without other columns, whatever these hold; what is no rows as it is."""
    if not is_rows(data):
        return data
    rows = [data] if isinstance(data, Mapping) else data
    return [{name: value for name, value in row.items() if str(name) in names} for row in rows]


def _column(name: str, values: list[Any]) -> pa.Array:
    if not any(isinstance(value, Mapping) for value in values):
        return of_values(values, name)
    # Of index to number, which Arrow takes as pairs.
    values = [list(value.items()) if isinstance(value, Mapping) else value for value in values]
    try:
        return pa.array(values, pa.map_(pa.int64(), pa.float64()), from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise DataError(f"Column {name!r} cannot be read of these rows: {first_line(error)}") from error
