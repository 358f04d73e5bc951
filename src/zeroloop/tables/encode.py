"""Record batch + schema -> Block: numbers stacked, levels as codes, gaps filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import Block
from zeroloop.errors import DataError
from zeroloop.sparse import from_triples
from zeroloop.tables.columns import as_decimals, coded, describe, kind_of, numbers, sparse_values
from zeroloop.tables.roles import row_weights
from zeroloop.tables.schema import Categorical, Level, Numeric, Schema, SparseColumn


@dataclass(frozen=True, slots=True)
class Surprises:
    """Values that training never met, counted by column; addable.

    Attributes:
        unseen: rows with a level that has no coefficient.
        filled: rows with a missing value in a column that had none.

    """

    unseen: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Self) -> Surprises:
        return Surprises(self.unseen + other.unseen, self.filled + other.filled)

    def sentence(self) -> str | None:
        """Return the one warning that counts them; None where there is nothing to say."""
        parts = []
        if self.unseen:
            parts.append(f"levels never seen in training count as no effect: {_listed(self.unseen)}")
        if self.filled:
            parts.append(f"missing values in columns without any in training count as average: {_listed(self.filled)}")
        return "; ".join(parts).capitalize() + "." if parts else None


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({n:,} row{'s' if n != 1 else ''})" for name, n in counts.most_common())


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded batch: the block and what was odd about it.

    Attributes:
        block: all rows of the batch; `y` only where the target was asked for, NaN where it is missing.
        complete: `(rows,)`, whether the row has a value in every feature.
        surprises: what training never met.

    """

    block: Block
    complete: NDArray[np.bool_]
    surprises: Surprises


def check_columns(schema: Schema, table: pa.Schema, name: str) -> None:
    """Check that a table has the features, of the kinds they had in training.

    Raises:
        DataError: naming the column that is missing or of another type, and what holds it.

    """
    sparse = () if schema.sparse is None else (schema.sparse,)
    columns: tuple[Numeric | Categorical | SparseColumn, ...] = (*schema.numeric, *sparse, *schema.categorical)
    for column in columns:
        if column.name not in table.names:
            raise DataError(f"{name}: column {column.name!r}, which the model needs, is missing.")
        found = table.field(column.name).type
        if kind_of(found) == "empty":
            continue
        values = found.value_type if pa.types.is_dictionary(found) else found
        text = isinstance(column, Categorical) and isinstance(column.levels[0], str)
        kind = "sparse" if isinstance(column, SparseColumn) else "categorical" if text else "numeric"
        if kind_of(values) != kind:
            wanted = {"sparse": "maps of index to number", "categorical": "text"}.get(kind, "numbers")
            raise DataError(
                f"{name}: column {column.name!r} holds {describe(found)}, but held {wanted} in training; convert it."
            )


def encode(batch: pa.RecordBatch, schema: Schema, first_row: int, labelled: bool) -> Encoded:
    """Return a batch as a block.

    Args:
        batch: rows with the schema's features, and its target and weights if `labelled`.
        schema: frozen by training.
        first_row: index of the batch's first row in its table.
        labelled: whether to fill the block's `y` and `weight`.

    Raises:
        DataError: for an infinite number; for a missing value where the schema's rule is "error".

    """
    rows = batch.num_rows
    n_coefs = schema.n_coefs
    block = Block(
        numeric=np.empty((len(schema.numeric), rows), np.float32 if schema.float32 else np.float64),
        codes=np.empty((len(schema.categorical), rows), np.int32),
        n_coefs=n_coefs,
        y=labels(batch, schema) if labelled else None,
        weight=row_weights(batch, schema.weights, first_row) if labelled else None,
        first_row=first_row,
        sparse=None
        if schema.sparse is None
        else sparse_values(batch[schema.sparse.name], schema.sparse.name, first_row),
    )
    complete = np.ones(rows, dtype=bool)
    surprises = Surprises()
    if schema.sparse is not None and block.sparse is not None:
        block, n_unseen = _within(block, schema.n_sparse)
        surprises.unseen[f"indices of {schema.sparse.name}"] += n_unseen
    coefficient = 1 + len(schema.numeric) + schema.n_sparse
    marks = []
    for j, column in enumerate(schema.numeric):
        values = numbers(batch[column.name], column.name, first_row)
        if column.decimals is not None and pa.types.is_float32(batch.schema.field(column.name).type):
            values = as_decimals(values.astype(np.float64), column.decimals)
        block.numeric[j] = values
        gaps = np.isnan(values)
        if np.any(gaps):
            complete &= ~gaps
            block.numeric[j, gaps] = column.mean
            if not column.missing and schema.missing == "impute":
                surprises.filled[column.name] += int(np.sum(gaps))
        if column.missing:
            met = np.flatnonzero(gaps).astype(np.int32)
            marks.append(np.stack([met, np.full_like(met, coefficient)]))
            coefficient += 1
    for row, levels in enumerate(schema.categorical):
        codes, missing, unseen = _codes(batch[levels.name], levels, coefficient, n_coefs)
        complete &= ~missing
        surprises.unseen[levels.name] += int(np.sum(unseen))
        if not levels.missing and schema.missing == "impute":
            surprises.filled[levels.name] += int(np.sum(missing))
        block.codes[row] = codes
        coefficient += levels.n_terms
    if schema.missing == "error" and not np.all(complete):
        at = first_row + int(np.argmin(complete)) + 1
        raise DataError(f"Row {at} has a missing value, and the model was trained with missing='error'; fill it.")
    if marks:
        pairs = np.concatenate(marks, axis=1)
        block = replace(block, marks=np.ascontiguousarray(pairs[:, np.argsort(pairs[0], kind="stable")]))
    return Encoded(block, complete, Surprises(+surprises.unseen, +surprises.filled))


def _within(block: Block, n_columns: int) -> tuple[Block, int]:
    """Return a block without the sparse columns that training never met, and how many rows have such."""
    assert block.sparse is not None
    sparse = replace(block.sparse, n_columns=n_columns)
    if block.sparse.n_columns <= n_columns:
        return replace(block, sparse=sparse), 0
    row, column, values = block.sparse.triples()
    kept = column < n_columns
    unseen = np.unique(row[~kept]).size
    return replace(block, sparse=from_triples(row[kept], column[kept], values[kept], block.n_rows, n_columns)), unseen


def _codes(
    column: pa.Array, levels: Categorical, first: int, none: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (the coefficient of each row, which rows are missing, which have a level never seen)."""
    if pa.types.is_null(column.type):
        codes, positions = np.full(len(column), -1, np.int32), np.empty(0, np.int64)
    else:
        codes, values = coded(column)
        positions = _positions(values, levels.levels)
    n_levels = len(levels.levels)
    # The coefficient of each level, then of "other", then of a level never seen, then of a missing value.
    after = first + n_levels - levels.reference
    of_level = np.arange(first - levels.reference, after, dtype=np.int32)
    if levels.reference:
        of_level[:1] = none
    of_other = after if levels.other else none
    of_missing = after + (levels.other > 0) if levels.missing else none
    lookup = np.append(np.append(of_level, of_other)[positions], of_missing).astype(np.int32)
    missing = codes < 0
    unseen = np.zeros(codes.size, dtype=bool)
    if not levels.other:
        unseen = np.append(positions == n_levels, False)[codes]
    return lookup[codes], missing, unseen  # a code of -1 picks the last entry: missing


def _positions(values: pa.Array, levels: Sequence[Level]) -> NDArray[np.int64]:
    """Return each value's place among the levels, `len(levels)` for one that is not there."""
    place = {level: i for i, level in enumerate(levels)}
    return np.array([place.get(value, len(levels)) for value in values.to_pylist()], dtype=np.int64)


def labels(batch: pa.RecordBatch, schema: Schema) -> NDArray[np.float32]:
    """Return the target as the index of its class, NaN where it is missing, `(rows,)`.

    Raises:
        DataError: for a value that training did not know.

    """
    target = schema.target
    column = batch[target.name]
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan, np.float32)
    codes, values = coded(column)
    known = target.levels
    comparable = isinstance(known[0], str) == (kind_of(values.type) == "categorical")
    positions = _positions(values, known) if comparable else np.full(len(values), len(known))
    met = np.unique(codes[codes >= 0])
    strange = [k for k in met if positions[k] == len(known)]
    if strange:
        listed = ", ".join(repr(level) for level in known[:-1])
        raise DataError(
            f"The target {target.name!r} holds {values[int(strange[0])].as_py()!r}; "
            f"the model knows {listed} and {known[-1]!r}."
        )
    return np.append(positions.astype(np.float32), np.float32(np.nan))[codes]
