"""One scan over a table's batches: what each column holds, as a sum that batches add up to."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError
from zeroloop.kernels.totals import Moments
from zeroloop.tables.columns import (
    NOT_DECIMAL,
    as_decimals,
    coded,
    decimal_places,
    kind_of,
    numbers,
    present,
    sparse_values,
)
from zeroloop.tables.roles import Roles, row_weights, split_rows
from zeroloop.tables.schema import Level


@dataclass(frozen=True, slots=True)
class ColumnScan:
    """What one column of one or more batches holds, in the training rows; addable.

    Attributes:
        types: Arrow types met.
        n_missing: rows without a value.
        missing_weight: their weight.
        moments: of the numbers present; None for other kinds.
        decimals: places that write every float32 present (`NOT_DECIMAL` where none do); 0 for other types.
        low: smallest number.
        high: largest number.
        levels: rows of each distinct value, for categorical columns.
        sparse: of the columns that maps of index to number hold.

    """

    types: frozenset[pa.DataType]
    n_missing: int
    missing_weight: float = 0.0
    moments: Moments | None = None
    decimals: int = 0
    low: float = math.inf
    high: float = -math.inf
    levels: Counter[Level] = field(default_factory=Counter)
    sparse: SparseScan | None = None

    def __add__(self, other: Self) -> ColumnScan:
        both = [m for m in (self.moments, other.moments) if m is not None]
        self.levels.update(other.levels)
        return ColumnScan(
            self.types | other.types,
            self.n_missing + other.n_missing,
            self.missing_weight + other.missing_weight,
            both[0] + both[1] if len(both) == 2 else both[0] if both else None,
            max(self.decimals, other.decimals),
            min(self.low, other.low),
            max(self.high, other.high),
            self.levels,
            self.sparse + other.sparse if self.sparse and other.sparse else self.sparse or other.sparse,
        )


@dataclass(frozen=True, slots=True)
class SparseScan:
    """What the columns of a sparse column hold, each `(n_columns,)`; addable, the shorter filled up with zeros.

    Attributes:
        largest: absolute value.
        total: sum of the values, weighted.
        squares: sum of their squares, weighted.
        weight: of all rows.

    """

    largest: FloatArray
    total: FloatArray
    squares: FloatArray
    weight: float

    def __add__(self, other: Self) -> SparseScan:
        n = max(self.largest.size, other.largest.size)

        def both(a: FloatArray, b: FloatArray) -> FloatArray:
            return np.stack([np.pad(part, (0, n - part.size)) for part in (a, b)])

        return SparseScan(
            np.max(both(self.largest, other.largest), axis=0),
            np.sum(both(self.total, other.total), axis=0),
            np.sum(both(self.squares, other.squares), axis=0),
            self.weight + other.weight,
        )

    @property
    def deviations(self) -> FloatArray:
        """Standard deviation of each column."""
        mean = self.total / self.weight
        return np.asarray(np.sqrt(np.maximum(self.squares / self.weight - mean**2, 0.0)))


@dataclass(frozen=True, slots=True)
class Scan:
    """What the table holds: a `ColumnScan` a feature, the target's values, rows by use; addable."""

    columns: dict[str, ColumnScan]
    target: Counter[Level]
    n_training: int
    n_held_out: int
    n_no_target: int
    n_incomplete: int

    def __add__(self, other: Self) -> Scan:
        self.target.update(other.target)
        return Scan(
            {name: column + other.columns[name] for name, column in self.columns.items()},
            self.target,
            self.n_training + other.n_training,
            self.n_held_out + other.n_held_out,
            self.n_no_target + other.n_no_target,
            self.n_incomplete + other.n_incomplete,
        )


def scan(batch: pa.RecordBatch, roles: Roles, first_row: int) -> Scan:
    """Return what one batch holds.

    Raises:
        DataError: for an infinite number, for a bad weight, and, with `missing="error"`, for a missing value.

    """
    rows = split_rows(batch, roles, first_row)
    weight = row_weights(batch, roles.weights, first_row)
    return Scan(
        {name: _scan_column(batch[name], name, roles, rows.training, weight, first_row) for name in roles.features},
        _count(batch[roles.target], ~rows.no_target),
        int(np.sum(rows.training)),
        int(np.sum(rows.held_out)),
        int(np.sum(rows.no_target)),
        int(np.sum(rows.incomplete)),
    )


def _scan_column(
    column: pa.Array,
    name: str,
    roles: Roles,
    training: NDArray[np.bool_],
    weight: FloatArray | None,
    first_row: int,
) -> ColumnScan:
    kind = "categorical" if name in roles.categorical else kind_of(column.type)
    types = frozenset([column.type])
    if kind in ("other", "empty"):
        return ColumnScan(types, int(np.sum(training)))
    if roles.missing == "error":
        gap = training & ~present(column)
        if np.any(gap):
            raise DataError(
                f"Column {name!r} has no value in row {first_row + int(np.argmax(gap)) + 1}, and missing is 'error'; "
                "fill it, or use missing='impute' or 'drop'."
            )
    if kind == "sparse":
        return ColumnScan(types, 0, sparse=_scan_sparse(column, name, training, weight, first_row))
    if kind == "categorical":
        levels = _count(column, training)
        return ColumnScan(types, int(np.sum(training)) - levels.total(), levels=levels)
    values = numbers(column, name, first_row)[training]
    decimals = 0
    if pt.is_float32(column.type):
        decimals = decimal_places(values)
        if decimals != NOT_DECIMAL:
            values = as_decimals(values, decimals)
    w = np.ones(values.size) if weight is None else weight[training]
    here = ~np.isnan(values)
    x, wx = values[here], w[here]
    total = float(np.sum(wx))
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is told from the total, by name
        mean = float(np.sum(wx * x) / total) if total > 0 else 0.0
        moments = Moments(np.array([total]), np.array([mean]), np.array([np.sum(wx * (x - mean) ** 2)]))
    return ColumnScan(
        types,
        int(values.size - x.size),
        float(np.sum(w[~here])),
        moments,
        decimals,
        float(np.min(x, initial=math.inf)),
        float(np.max(x, initial=-math.inf)),
    )


def _scan_sparse(
    column: pa.Array, name: str, training: NDArray[np.bool_], weight: FloatArray | None, first_row: int
) -> SparseScan:
    rows = sparse_values(column, name, first_row)
    row, index, values = rows.take(np.flatnonzero(training)).triples()
    w = np.ones(int(np.sum(training))) if weight is None else weight[training]
    largest = np.zeros(rows.n_columns)
    np.maximum.at(largest, index, np.abs(values))
    total: FloatArray = np.bincount(index, w[row] * values, rows.n_columns).astype(np.float64)
    squares: FloatArray = np.bincount(index, w[row] * values**2, rows.n_columns).astype(np.float64)
    return SparseScan(largest, total, squares, float(np.sum(w)))


def _count(column: pa.Array, keep: NDArray[np.bool_]) -> Counter[Level]:
    if pt.is_null(column.type):
        return Counter()
    codes, values = coded(column)
    counts = np.bincount(codes[keep & (codes >= 0)], minlength=len(values))
    return Counter({value: int(n) for value, n in zip(values.to_pylist(), counts, strict=True) if n > 0})
