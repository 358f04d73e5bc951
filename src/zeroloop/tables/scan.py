"""One scan over a table's batches: what each column holds, as sums that batches add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError
from zeroloop.kernels import statistics
from zeroloop.kernels.totals import Described
from zeroloop.sparse import Sparse
from zeroloop.tables.columns import NOT_DECIMAL, as_decimals, count, decimal_places, kind_of, present
from zeroloop.tables.date_types import in_words
from zeroloop.tables.draft import Draft, Layout
from zeroloop.tables.identifiers import REPEATED, WholeNumbers, whole_numbers
from zeroloop.tables.order import MOST_COUNTED, Order, order_of
from zeroloop.tables.roles import Roles, Rows
from zeroloop.tables.row_numbers import counted_offsets, offsets_of_both
from zeroloop.tables.schema import Level
from zeroloop.tree import Tree

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnScan:
    """What one column of one or more batches holds, in the training rows; addable.

    Attributes:
        types: Arrow types met.
        n_missing: rows without a value.
        decimals: places that write every float32 present (`NOT_DECIMAL` where none do); 0 for other types.
        levels: rows of each distinct value, for categorical columns; of a column with very many the most frequent, as
            far as is known of them.
        n_dropped: distinct values that are not among them any more.
        order: of the categories.
        counted: by how much its numbers differ from the indices of their rows, where that is seldom another, as of
            numbers that count rows; else none; None where there are no rows.
        whole: its whole numbers, as far as they differ from each other.

    """

    types: frozenset[pa.DataType]
    n_missing: int
    decimals: int = 0
    levels: Counter[Level] = field(default_factory=Counter)
    n_dropped: int = 0
    order: Order = field(default_factory=Order)
    counted: frozenset[float] | None = None
    whole: WholeNumbers = REPEATED

    def taking_in(self, other: Self) -> ColumnScan:
        """Return both; this one's levels are given up to the result."""
        levels, n_dropped = self.levels, self.n_dropped + other.n_dropped
        if other.levels:
            levels.update(other.levels)
        if len(levels) > MOST_COUNTED:
            n_dropped += len(levels) - MOST_COUNTED // 2
            levels = Counter(dict(levels.most_common(MOST_COUNTED // 2)))
        return ColumnScan(
            types=self.types | other.types,
            n_missing=self.n_missing + other.n_missing,
            decimals=max(self.decimals, other.decimals),
            levels=levels,
            n_dropped=n_dropped,
            order=self.order + other.order,
            counted=offsets_of_both(self.counted, other.counted),
            whole=self.whole + other.whole,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
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
            largest=np.max(both(self.largest, other.largest), axis=0),
            total=np.sum(both(self.total, other.total), axis=0),
            squares=np.sum(both(self.squares, other.squares), axis=0),
            weight=self.weight + other.weight,
            n_stored=self.n_stored + other.n_stored,
        )

    @property
    def deviations(self) -> FloatArray:
        """Standard deviation of each column."""
        mean = self.total / self.weight
        return np.asarray(np.sqrt(np.maximum(self.squares / self.weight - mean**2, 0.0)))


@dataclass(frozen=True, slots=True)
class Measured:
    """Sums of fractions over the training rows, whose last bits depend on the order of addition; addable.

    Attributes:
        numbers: what the numbers of each numeric column are.
        missing: weight of the rows without one.
        sparse: of the columns that maps of index to number hold, by the name of the column of maps.
        classes: weight of each of the target's values.

    """

    numbers: dict[str, Described]
    missing: dict[str, float]
    sparse: dict[str, SparseScan]
    classes: dict[Level, float]

    def __add__(self, other: Self) -> Measured:
        return Measured(
            _both(self.numbers, other.numbers),
            _both(self.missing, other.missing),
            _both(self.sparse, other.sparse),
            _both(self.classes, other.classes),
        )


def _both(a: Mapping[K, Any], b: Mapping[K, Any]) -> dict[K, Any]:
    """Return the sums of what two mappings hold."""
    return {key: a[key] + b[key] if key in a and key in b else a[key] if key in a else b[key] for key in {**a, **b}}


@dataclass(slots=True, kw_only=True)
class Scan:
    """What the table holds; addable.

    Attributes:
        columns: a `ColumnScan` a feature.
        target: rows of each of the target's values.
        target_order: of these values.
        class_rows: those of them that train.
        n_training, n_held_out, n_no_target, n_incomplete: rows by use.
        gaps: rows with a target and without a value, by column, of those columns that a complete row has a value in.
        n_batches: of the rows, those with any to train on and those with any held out.
        measured: parts of a sum, one for each batch.

    """

    columns: dict[str, ColumnScan]
    target: Counter[Level]
    target_order: Order
    class_rows: Counter[Level]
    n_training: int
    n_held_out: int
    n_no_target: int
    n_incomplete: int
    gaps: Counter[str]
    n_batches: tuple[int, int]
    measured: Tree[Measured]

    def take_in(self, other: Self) -> None:
        """Add another scan to this one."""
        self.columns = {name: column.taking_in(other.columns[name]) for name, column in self.columns.items()}
        self.target.update(other.target)
        self.target_order = self.target_order + other.target_order
        self.class_rows.update(other.class_rows)
        self.n_training += other.n_training
        self.n_held_out += other.n_held_out
        self.n_no_target += other.n_no_target
        self.n_incomplete += other.n_incomplete
        self.gaps.update(other.gaps)
        self.n_batches = self.n_batches[0] + other.n_batches[0], self.n_batches[1] + other.n_batches[1]
        self.measured = self.measured + other.measured

    def __add__(self, other: Self) -> Scan:
        total = replace(
            self,
            columns={name: replace(column, levels=column.levels.copy()) for name, column in self.columns.items()},
            target=self.target.copy(),
            class_rows=self.class_rows.copy(),
            gaps=self.gaps.copy(),
        )
        total.take_in(other)
        return total

    @property
    def no_decimals(self) -> frozenset[str]:
        """Names of the float32 columns that hold other numbers than short decimals."""
        return frozenset(name for name, column in self.columns.items() if column.decimals == NOT_DECIMAL)


def layout_of(columns: pa.Schema, roles: Roles) -> Layout:
    """Return which of a batch's features are read as what.

    Raises:
        DataError: for two columns of maps.

    """
    kinds = {
        name: "categorical" if name in roles.categorical else kind_of(columns.field(name).type)
        for name in roles.features
    }
    if roles.offset is not None and kinds[roles.offset] != "numeric":
        found = in_words(columns.field(roles.offset).type)
        raise DataError(f"The offset column {roles.offset!r} holds {found}; it must hold numbers.")
    of_kind = {kind: [name for name in roles.features if kinds[name] == kind] for kind in ("numeric", "categorical")}
    sparse = [name for name in roles.features if kinds[name] == "sparse"]
    if len(sparse) > 1:
        raise DataError(
            f"Columns {sparse[0]!r} and {sparse[1]!r} both hold maps of index to number; one can be used: "
            "drop the other, or merge them."
        )
    return Layout(
        numeric=of_kind["numeric"],
        categorical=of_kind["categorical"],
        sparse=sparse[0] if sparse else None,
        weights=roles.weights,
        cluster=roles.cluster,
        gaps=roles.missing == "drop",
    )


def scan(
    batch: pa.RecordBatch,
    at: int,
    training: Draft,
    rows: Rows,
    roles: Roles,
    no_decimals: Collection[str] = (),
) -> Scan:
    """Return what one batch holds.

    Args:
        batch: rows of the table.
        at: index of the batch among the table's.
        training: those of its rows that train.
        rows: how they are used.
        roles: of the columns.
        no_decimals: float32 columns known to hold other numbers than short decimals, which are not looked at for that.

    Raises:
        DataError: with `missing="error"`, for a missing value.

    """
    n, weight = training.n_rows, training.weight
    types = {name: batch.schema.field(name).type for name in roles.features}
    found_of = {}
    values, decimals = _as_meant(training, no_decimals)
    # By the batch's shape alone, as `statistics` has it, so that the same table gives the same bits.
    described = statistics.describe(values, weight)
    numbers = dict(zip(training.names, described, strict=True))
    missing = {}
    counted = counted_offsets(values, training.places()) if n > 0 else [None] * len(numbers)
    for j, (name, found) in enumerate(numbers.items()):
        missing[name] = float(n - found.n)
        if found.n < n and weight is not None:
            missing[name] = float(np.sum(weight[np.isnan(values[j])]))
        found_of[name] = ColumnScan(
            types=frozenset([types[name]]),
            n_missing=n - found.n,
            decimals=decimals[j],
            counted=counted[j],
            whole=whole_numbers(values[j]) if pa.types.is_integer(types[name]) else REPEATED,
        )
    for k, name in enumerate(training.coded):
        levels = _count(training.codes[k], training.values[k])
        found_of[name] = ColumnScan(
            types=frozenset([types[name]]),
            n_missing=n - levels.total(),
            levels=levels,
            order=order_of(batch.schema.field(name), training.values[k]),
        )
    sparse = {}
    if training.sparse is not None:
        name = next(name for name in roles.features if kind_of(types[name]) == "sparse")
        found_of[name] = ColumnScan(types=frozenset([types[name]]), n_missing=0)
        sparse[name] = _scan_sparse(training.sparse, weight)
    columns = {
        name: found_of.get(name) or ColumnScan(types=frozenset([types[name]]), n_missing=n) for name in roles.features
    }
    if roles.missing == "error":
        _check_no_gap(batch, rows, roles, columns, training.first_row)
    target = _count(rows.labels, rows.classes)
    class_rows = target.copy() if n == batch.num_rows else _count(rows.labels[rows.training], rows.classes)
    classes = (
        {level: float(count) for level, count in class_rows.items()}
        if weight is None
        else _weigh(rows.labels[rows.training], rows.classes, weight)
    )
    measured: Tree[Measured] = Tree()
    measured.add(at, Measured(numbers, missing, sparse, classes))
    n_held_out = int(np.count_nonzero(rows.held_out))
    return Scan(
        columns=columns,
        target=target,
        target_order=order_of(batch.schema.field(roles.target), rows.classes),
        class_rows=class_rows,
        n_training=n,
        n_held_out=n_held_out,
        n_no_target=int(np.count_nonzero(rows.no_target)),
        n_incomplete=int(np.count_nonzero(rows.incomplete)),
        gaps=Counter(rows.gaps),
        n_batches=(int(n > 0), int(n_held_out > 0)),
        measured=measured,
    )


def _as_meant(training: Draft, no_decimals: Collection[str]) -> tuple[NDArray[Any], list[int]]:
    """Return the numbers, float32 columns of short decimals as those decimals, and how many places each has."""
    values = training.numeric
    places = [0] * len(training.names)
    for j, name in enumerate(training.names):
        if not training.narrow[j]:
            continue
        wide = None if name in no_decimals else training.numeric[j].astype(np.float64)
        places[j] = NOT_DECIMAL if wide is None else decimal_places(wide)
        if wide is not None and places[j] != NOT_DECIMAL:
            values = values.astype(np.float64) if values is training.numeric else values
            values[j] = as_decimals(wide, places[j])
    return values, places


def _check_no_gap(
    batch: pa.RecordBatch, rows: Rows, roles: Roles, columns: Mapping[str, ColumnScan], first_row: int
) -> None:
    for name, column in columns.items():
        kind = "categorical" if name in roles.categorical else kind_of(batch.schema.field(name).type)
        if kind in ("other", "empty") or (column.n_missing == 0 and kind != "sparse"):
            continue
        gap = rows.training & ~present(batch[name])
        if np.any(gap):
            row = first_row + int(np.argmax(gap)) + 1
            raise DataError(
                f"Column {roles.source_of(name)!r} has no value in row {row}, and missing is 'error'; "
                "fill it, or use missing='impute' or 'drop'."
            )


def _scan_sparse(rows: Sparse, weight: FloatArray | None) -> SparseScan:
    row, index, values = rows.triples()
    w = np.ones(rows.n_rows) if weight is None else weight
    largest = np.zeros(rows.n_columns)
    np.maximum.at(largest, index, np.abs(values))
    total: FloatArray = np.bincount(index, w[row] * values, rows.n_columns).astype(np.float64)
    squares: FloatArray = np.bincount(index, w[row] * values**2, rows.n_columns).astype(np.float64)
    return SparseScan(largest=largest, total=total, squares=squares, weight=float(np.sum(w)), n_stored=values.size)


def _weigh(codes: NDArray[np.int32], values: Sequence[Level], weight: FloatArray) -> dict[Level, float]:
    """Return the weight of the rows of each value met."""
    used = codes >= 0
    totals = np.bincount(codes[used], weight[used], len(values))
    met = np.bincount(codes[used], minlength=len(values)) > 0
    weights: dict[Level, float] = {}
    for value, w, here in zip(values, totals.tolist(), met, strict=True):
        if here:
            weights[value] = weights.get(value, 0.0) + w
    return weights


def _count(codes: NDArray[np.int32], values: Sequence[Level]) -> Counter[Level]:
    counts = count(codes, len(values))[:-1]  # without those that are missing
    found = {value: n for value, n in zip(values, counts.tolist(), strict=True) if n > 0}
    if len(found) == np.count_nonzero(counts):
        return Counter(found)
    total: Counter[Level] = Counter()  # a dictionary may hold a value twice
    for value, n in zip(values, counts.tolist(), strict=True):
        total[value] += n
    return +total
