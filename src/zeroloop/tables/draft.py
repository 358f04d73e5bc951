"""Rows as arrays before a schema is known: numbers stacked, NaN for gaps, values as indices of what was met so far.

A table is read once: what its scan learns of means and levels is applied to drafts afterwards, where they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray, kept_of, positions_of
from zeroloop.sparse import Sparse, concatenate_rows
from zeroloop.tables.columns import looked_up, sparse_values, stacked, value_numbers
from zeroloop.tables.roles import row_clusters, row_weights
from zeroloop.tables.schema import Level

MOST_VALUES = 2**17  # of a column, that are told apart

Values = tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which columns a draft reads as numbers, as levels, as maps from index to number, as weights and as clusters.

    Attributes:
        gaps: whether weights and clusters may be missing, because incomplete rows are dropped.

    """

    numeric: list[str]
    categorical: list[str]
    sparse: str | None
    weights: str | None = None
    cluster: str | None = None
    gaps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Some rows of a batch.

    Attributes:
        names: of the numeric columns.
        numeric: `(n_x, rows)` float32 or float64, NaN where missing.
        narrow: which of them came as float32.
        gaps: indices of the numeric columns that have some.
        coded: names of the columns of levels.
        codes: `(n_c, rows)` int32, indices of `values`, -1 where missing.
        values: of each column of levels; empty where an `Interner` has them.
        labels: `(rows,)` int32, indices of `classes`, -1 where the target is missing; None where it was not read.
        classes: values of the target.
        weight: `(rows,)`; None for ones.
        cluster: `(rows,)`, tells each row's cluster from all others; None where there are none.
        sparse: a column of maps from index to number, or None.
        first_row: index in the table of the batch's first row.
        kept: which of the batch's rows these are, as `zeroloop.blocks.bits_of` packs them; None for all.

    """

    names: tuple[str, ...]
    numeric: NDArray[Any]
    narrow: tuple[bool, ...]
    gaps: tuple[int, ...]
    coded: tuple[str, ...]
    codes: NDArray[np.int32]
    values: tuple[Values, ...]
    labels: NDArray[np.int32] | None
    classes: Values
    weight: FloatArray | None
    cluster: NDArray[np.int64] | None
    sparse: Sparse | None
    first_row: int
    kept: NDArray[np.uint8] | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.numeric.shape[1])

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What it is made of."""
        named: dict[str, Any] = {
            "numeric": self.numeric,
            "codes": self.codes,
            "labels": self.labels,
            "weight": self.weight,
            "cluster": self.cluster,
            "kept": self.kept,
        }
        if self.sparse is not None:
            s = self.sparse
            named |= {"values": s.values, "indices": s.indices, "start": s.start, "stop": s.stop}
        return {name: array for name, array in named.items() if array is not None}

    @property
    def n_bytes(self) -> int:
        """Memory that its arrays take."""
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def layout(self) -> tuple[Any, ...]:
        """What drafts must share to be joined."""
        return self.names, self.numeric.dtype.str, self.narrow, self.coded, self.sparse is None

    def take(self, rows: NDArray[np.intp]) -> Draft:
        """Return the rows at increasing positions."""
        if rows.size == self.n_rows:
            return self
        return replace(
            self,
            numeric=np.take(self.numeric, rows, axis=1, mode="clip"),
            codes=np.take(self.codes, rows, axis=1, mode="clip"),
            labels=None if self.labels is None else self.labels[rows],
            weight=None if self.weight is None else self.weight[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
            sparse=None if self.sparse is None else self.sparse.take(rows).compact(),
            kept=kept_of(self.kept, rows, self.n_rows),
        )

    def row(self, position: int) -> int:
        """Return the index in the table of the row at a position."""
        return self.first_row + (position if self.kept is None else int(positions_of(self.kept)[position]))

    def places(self) -> NDArray[np.int64]:
        """Return the indices of the rows in the table, `(rows,)`."""
        at = np.arange(self.n_rows) if self.kept is None else positions_of(self.kept)
        return (self.first_row + at).astype(np.int64, copy=False)

    def with_arrays(self, arrays: dict[str, NDArray[Any]]) -> Draft:
        """Return this draft with other arrays for its own."""
        sparse = None
        if self.sparse is not None:
            s = self.sparse
            sparse = Sparse(
                values=arrays["values"],
                indices=arrays["indices"],
                start=arrays["start"],
                stop=arrays["stop"],
                n_rows=s.n_rows,
                n_columns=s.n_columns,
            )
        return replace(
            self,
            numeric=arrays["numeric"],
            codes=arrays["codes"],
            labels=arrays.get("labels"),
            weight=arrays.get("weight"),
            cluster=arrays.get("cluster"),
            sparse=sparse,
            kept=arrays.get("kept"),
        )


def draft(batch: pa.RecordBatch, layout: Layout, first_row: int) -> Draft:
    """Return a batch's rows, without its target.

    Args:
        batch: rows with the columns of the layout.
        layout: how they are read.
        first_row: index in the table of the batch's first row.

    Raises:
        DataError: for an infinite number, a bad weight or a row without a cluster.

    """
    numeric, categorical, sparse = layout.numeric, layout.categorical, layout.sparse
    columns = batch.select(numeric)
    numbers, gaps = stacked(columns, first_row)
    codes = np.empty((len(categorical), batch.num_rows), np.int32)
    met: list[Values] = []
    for k, name in enumerate(categorical):
        codes[k], values_met = value_numbers(batch[name], name)
        met.append(values_met)
    return Draft(
        names=tuple(numeric),
        numeric=numbers,
        narrow=tuple(map(pa.types.is_float32, columns.schema.types)),
        gaps=tuple(gaps),
        coded=tuple(categorical),
        codes=codes,
        values=tuple(met),
        labels=None,
        classes=(),
        weight=row_weights(batch, layout.weights, first_row, layout.gaps),
        cluster=row_clusters(batch, layout.cluster, first_row, layout.gaps),
        sparse=None if sparse is None else sparse_values(batch[sparse], sparse, first_row),
        first_row=first_row,
    )


def join(drafts: Sequence[Draft]) -> Draft:
    """Return the rows of several drafts of one layout, whose values an `Interner` has."""
    first = drafts[0]
    labels = [one.labels for one in drafts if one.labels is not None]
    weights = [one.weight for one in drafts if one.weight is not None]
    clusters = [one.cluster for one in drafts if one.cluster is not None]
    rows = [one.sparse for one in drafts if one.sparse is not None]
    if rows:
        n_columns = max(part.n_columns for part in rows)
        rows = [replace(part, n_columns=n_columns) for part in rows]
    return replace(
        first,
        numeric=np.concatenate([one.numeric for one in drafts], axis=1),
        gaps=tuple(sorted({j for one in drafts for j in one.gaps})),
        codes=np.concatenate([one.codes for one in drafts], axis=1),
        labels=np.concatenate(labels) if labels else None,
        weight=np.concatenate(weights) if weights else None,
        cluster=np.concatenate(clusters) if clusters else None,
        sparse=concatenate_rows(rows) if rows else None,
        kept=None,  # of several batches: whoever joins them knows their rows
    )


@dataclass(slots=True)
class Interner:
    """The values of each column met so far, each with a number; the target's are under its name.

    Attributes:
        numbers: of each value, by column.
        frozen: whether values not known yet share one number, the next.
        overflowed: columns that have more values than are told apart.

    """

    numbers: dict[str, dict[Level, int]] = field(default_factory=dict)
    frozen: bool = False
    overflowed: set[str] = field(default_factory=set)

    def intern(self, *drafts: Draft, target: str) -> tuple[Draft, ...]:
        """Return drafts of one batch with these numbers for codes; to be called batch by batch, in order."""
        known = [self._known(name, met) for name, met in zip(drafts[0].coded, drafts[0].values, strict=True)]
        classes = self._known(target, drafts[0].classes)
        return tuple(
            replace(
                one,
                codes=np.stack([*map(looked_up, known, one.codes)]) if known else one.codes,
                values=(),
                labels=None if one.labels is None else looked_up(classes, one.labels),
                classes=(),
            )
            for one in drafts
        )

    def _known(self, name: str, values: Values) -> NDArray[np.int32]:
        """Return the number of each value, -1 after them."""
        of_column = self.numbers.setdefault(name, {})
        if self.frozen:
            found = [of_column.get(value, len(of_column)) for value in values]
        elif name in self.overflowed or len(of_column) + len(values) > MOST_VALUES:
            self.overflowed.add(name)
            of_column.clear()
            found = [0] * len(values)
        else:
            found = [of_column.setdefault(value, len(of_column)) for value in values]
        return np.array([*found, -1], dtype=np.int32)
