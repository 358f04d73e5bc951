"""One scan over a table's batches: what each column holds, as a sum that batches add up to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError
from zeroloop.kernels.select import statistics
from zeroloop.kernels.totals import Described, Moments
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
        n_stored: number of values.

    """

    largest: FloatArray
    total: FloatArray
    squares: FloatArray
    weight: float
    n_stored: int

    def __add__(self, other: Self) -> SparseScan:
        n = max(self.largest.size, other.largest.size)

        def both(a: FloatArray, b: FloatArray) -> FloatArray:
            return np.stack([np.pad(part, (0, n - part.size)) for part in (a, b)])

        return SparseScan(
            np.max(both(self.largest, other.largest), axis=0),
            np.sum(both(self.total, other.total), axis=0),
            np.sum(both(self.squares, other.squares), axis=0),
            self.weight + other.weight,
            self.n_stored + other.n_stored,
        )

    @property
    def deviations(self) -> FloatArray:
        """Standard deviation of each column."""
        mean = self.total / self.weight
        return np.asarray(np.sqrt(np.maximum(self.squares / self.weight - mean**2, 0.0)))


@dataclass(frozen=True, slots=True)
class Scan:
    """What the table holds; addable.

    Attributes:
        columns: a `ColumnScan` a feature.
        target: rows of each of the target's values.
        class_rows: those of them that train.
        class_weights: their weight.
        n_training, n_held_out, n_no_target, n_incomplete: rows by use.

    """

    columns: dict[str, ColumnScan]
    target: Counter[Level]
    class_rows: Counter[Level]
    class_weights: dict[Level, float]
    n_training: int
    n_held_out: int
    n_no_target: int
    n_incomplete: int

    def __add__(self, other: Self) -> Scan:
        self.target.update(other.target)
        self.class_rows.update(other.class_rows)
        for level, weight in other.class_weights.items():
            self.class_weights[level] = self.class_weights.get(level, 0.0) + weight
        return Scan(
            {name: column + other.columns[name] for name, column in self.columns.items()},
            self.target,
            self.class_rows,
            self.class_weights,
            self.n_training + other.n_training,
            self.n_held_out + other.n_held_out,
            self.n_no_target + other.n_no_target,
            self.n_incomplete + other.n_incomplete,
        )

    @property
    def no_decimals(self) -> frozenset[str]:
        """Names of the float32 columns that hold other numbers than short decimals."""
        return frozenset(name for name, column in self.columns.items() if column.decimals == NOT_DECIMAL)


def scan(batch: pa.RecordBatch, roles: Roles, first_row: int, no_decimals: Collection[str] = ()) -> Scan:
    """Return what one batch holds.

    Args:
        batch: rows of the table.
        roles: of its columns.
        first_row: index in the table of the batch's first row.
        no_decimals: float32 columns known to hold other numbers than short decimals, which are not looked at for that.

    Raises:
        DataError: for an infinite number, for a bad weight, and, with `missing="error"`, for a missing value.

    """
    rows = split_rows(batch, roles, first_row)
    weight = row_weights(batch, roles.weights, first_row)
    # By the batch's shape alone, as `statistics` has it, so that the same table gives the same bits.
    describe = statistics(batch.num_rows, len(roles.features)).describe

    def column(name: str) -> ColumnScan:
        return _scan_column(batch[name], name, roles, rows.training, weight, first_row, name in no_decimals, describe)

    target = batch[roles.target]
    class_rows = _count(target, rows.training)
    return Scan(
        {name: column(name) for name in roles.features},
        _count(target, ~rows.no_target),
        class_rows,
        dict(class_rows) if weight is None else _weigh(target, rows.training, weight),
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
    no_decimals: bool,
    describe: Callable[[NDArray[Any], NDArray[np.bool_], FloatArray | None], Described],
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
    values = numbers(column, name, first_row)
    decimals = 0
    if pt.is_float32(column.type):
        decimals = NOT_DECIMAL if no_decimals else decimal_places(values[training].astype(np.float64))
        if decimals != NOT_DECIMAL:
            values = as_decimals(values.astype(np.float64), decimals)
    found = describe(values, training, weight)
    n_missing = int(np.sum(training)) - found.n
    missing_weight = float(n_missing)
    if n_missing and weight is not None:
        missing_weight = float(np.sum(weight[training & np.isnan(values)]))
    moments = Moments(np.array([found.weight]), np.array([found.mean]), np.array([found.squares]))
    return ColumnScan(types, n_missing, missing_weight, moments, decimals, found.low, found.high)


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
    return SparseScan(largest, total, squares, float(np.sum(w)), values.size)


def _weigh(column: pa.Array, keep: NDArray[np.bool_], weight: FloatArray) -> dict[Level, float]:
    """Return the weight of the rows of each value."""
    codes, values = coded(column)
    used = keep & (codes >= 0)
    totals = np.bincount(codes[used], weight[used], len(values))
    met = np.bincount(codes[used], minlength=len(values)) > 0
    return {value: float(w) for value, w, here in zip(values.to_pylist(), totals, met, strict=True) if here}


def _count(column: pa.Array, keep: NDArray[np.bool_]) -> Counter[Level]:
    if pt.is_null(column.type):
        return Counter()
    codes, values = coded(column)
    counts = np.bincount(codes[keep & (codes >= 0)], minlength=len(values))
    return Counter({value: int(n) for value, n in zip(values.to_pylist(), counts, strict=True) if n > 0})
