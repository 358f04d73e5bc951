"""Sparse: some rows of a CSR or CSC matrix, as views of its arrays.

CSR (rows one after the other) and CSC (columns) are to sparse data what row-major and stacked are to dense: the same
numbers, and the kernels take either where they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pointers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparse:
    """The stored values of some rows.

    A *line* is a row where `by_row`, else a column; the values of line l are `values[start[l] : stop[l]]`, and they
    stand at `indices[start[l] : stop[l]] - origin` of the other axis. No place is stored twice, and a column's rows
    are sorted.

    Attributes:
        values: `(n_stored,)` float32 or float64; of the whole matrix, shared by its blocks.
        indices: `(n_stored,)` int32 or int64.
        start: `(lines,)`.
        stop: `(lines,)`.
        n_rows: rows.
        n_columns: columns.
        by_row: whether lines are rows (CSR).
        origin: 0 by row; by column the index in the matrix of the block's first row.

    """

    values: NDArray[Any]
    indices: NDArray[Any]
    start: Pointers
    stop: Pointers
    n_rows: int
    n_columns: int
    by_row: bool = True
    origin: int = 0

    @property
    def n_stored(self) -> int:
        """Number of values stored in these rows."""
        return int(np.sum(self.stop - self.start))

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What it is made of."""
        return self.values, self.indices, self.start, self.stop

    def compact(self) -> Sparse:
        """Return the same rows with values of their own and no others, by row."""
        whole = self.by_row and self.values.size == self.n_stored
        return self if whole else from_triples(*self.triples(), self.n_rows, self.n_columns)

    def triples(self) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
        """Return (row, column, value) of each stored value, copied, line by line."""
        counts = self.stop - self.start
        first = np.cumsum(counts) - counts
        at = np.repeat(self.start - first, counts) + np.arange(int(np.sum(counts)))
        line = np.repeat(np.arange(counts.size), counts)
        other = self.indices[at].astype(np.int64) - self.origin
        row, column = (line, other) if self.by_row else (other, line)
        return row, column, self.values[at]

    def take(self, rows: NDArray[np.intp]) -> Sparse:
        """Return the rows at the increasing positions `rows`, by row; values are copied only from columns."""
        if self.by_row:
            return Sparse(
                values=self.values,
                indices=self.indices,
                start=self.start[rows],
                stop=self.stop[rows],
                n_rows=rows.size,
                n_columns=self.n_columns,
            )
        position = np.full(self.n_rows, -1, np.int64)
        position[rows] = np.arange(rows.size)
        row, column, values = self.triples()
        row = position[row]
        kept = row >= 0
        return from_triples(row[kept], column[kept], values[kept], rows.size, self.n_columns)

    def by_rows(self) -> Sparse:
        """Return the same rows as lines."""
        return self if self.by_row else from_triples(*self.triples(), self.n_rows, self.n_columns)


def from_triples(
    row: NDArray[np.int64], column: NDArray[Any], values: NDArray[Any], n_rows: int, n_columns: int
) -> Sparse:
    """Return sparse rows from (row, column, value) triples in any order."""
    order = np.argsort(row, kind="stable")
    bounds = np.zeros(n_rows + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=n_rows), out=bounds[1:])
    return Sparse(
        values=values[order],
        indices=column[order].astype(np.int32),
        start=bounds[:-1],
        stop=bounds[1:],
        n_rows=n_rows,
        n_columns=n_columns,
    )


def concatenate_rows(parts: Sequence[Sparse]) -> Sparse:
    """Return the rows of several by-row parts as one; nothing is copied where they are views of one matrix."""
    first, n_rows = parts[0], sum(part.n_rows for part in parts)
    assert all(part.by_row for part in parts)
    if all(part.values is first.values for part in parts):
        starts, stops = [part.start for part in parts], [part.stop for part in parts]
        values, indices = first.values, first.indices
    else:
        parts = [part.compact() for part in parts]
        shifts = np.cumsum([0, *(part.values.size for part in parts)])
        starts = [part.start + shift for part, shift in zip(parts, shifts, strict=False)]
        stops = [part.stop + shift for part, shift in zip(parts, shifts, strict=False)]
        values = np.concatenate([part.values for part in parts])
        indices = np.concatenate([part.indices for part in parts])
    return Sparse(
        values=values,
        indices=indices,
        start=np.concatenate(starts),
        stop=np.concatenate(stops),
        n_rows=n_rows,
        n_columns=first.n_columns,
    )
