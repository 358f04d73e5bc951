"""Dask arrays in, their rows on the cluster out: cut into blocks where they lie, with the columns' units."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from zeroloop.arrays import PreparedArrays, check_classes, is_sparse, name_of, source_of
from zeroloop.blocks import FloatArray
from zeroloop.cluster.partition import Blocks
from zeroloop.kernels.totals import MOST_WEIGHT
from zeroloop.labels import class_weights
from zeroloop.plain_text import number_of
from zeroloop.sources import dask_frames
from zeroloop.sources.dask import DaskSource, Partitions, added
from zeroloop.sources.dask_cluster import connect
from zeroloop.tables.dask_data import is_dask
from zeroloop.units import units_of


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows some chunks have, and the weight of each of their classes; addable.

    Attributes:
        rows: of each chunk.
        weights: by class.

    """

    rows: list[int]
    weights: dict[Any, float]

    def __add__(self, other: Counted) -> Counted:
        classes = {**self.weights, **other.weights}
        weights = {one: self.weights.get(one, 0.0) + other.weights.get(one, 0.0) for one in classes}
        return Counted(self.rows + other.rows, weights)


def prepare_on_cluster(
    X: Any, y: Any, sample_weight: Any, class_weight: Any, threads: int, estimator: Any
) -> PreparedArrays:
    """Return Dask arrays as a source; see `zeroloop.arrays.prepare`.

    Args:
        X: `(m, n_features)`, a Dask array of dense, CSR or CSC chunks, or a Dask DataFrame.
        y: `(m,)`, a Dask array or series cut as X is, or an array of this process.
        sample_weight: `(m,)` likewise, at least 0; None for ones.
        class_weight: a weight for each class, "balanced", or None.
        threads: of this process, for samples.
        estimator: what remembers the number of columns and their names.

    Raises:
        ValueError: for arrays that do not fit, NaN or infinity, or one class.
        OptionError: where there is no Dask client.

    """
    _check_two_dimensions(X)
    cluster = connect(None)
    names = None if isinstance(X, da.Array) else np.array([str(name) for name in X.columns], dtype=object)
    X, y, sample_weight = _aligned(X, y, sample_weight)
    labels, weights = y.to_delayed(), None if sample_weight is None else sample_weight.to_delayed()
    groups = [[labels[i]] if weights is None else [labels[i], weights[i]] for i in range(len(labels))]
    counts = dask_frames.over(cluster, "count", _count, range(len(groups)), groups)
    counted: Counted = cluster.result(added(cluster, "count", counts))
    classes = np.array(sorted(counted.weights))
    if len(classes) < 2:
        raise ValueError(f"y has one class only, {classes.tolist()}; a classifier needs two.")
    check_classes(classes)
    n_features = int(X.shape[1])
    totals = np.array([counted.weights[one] for one in classes.tolist()])
    by_class = None if class_weight is None else class_weights(class_weight, classes.tolist(), totals)
    starts = list(accumulate(counted.rows, initial=0))
    rows = X.to_delayed()[:, 0]
    cut = partial(_cut, classes=classes, by_class=by_class)
    held = dask_frames.over(
        cluster, "cut", cut, starts[:-1], [[one, *group] for one, group in zip(rows, groups, strict=True)]
    )
    tells = cluster.map("tell", _told, held)
    told: list[tuple[int, int]] = cluster.result(cluster.map("tell", list, [tells])[0])
    sparse = is_sparse(X._meta)
    source = DaskSource(
        partitions=Partitions(cluster=cluster, held=held, rows=counted.rows, at=cluster.where(held)),
        part="training",
        starts=tuple(accumulate((n_blocks for n_blocks, _ in told), initial=0))[:-1],
        n_rows=starts[-1],
        n_coefs=1 + n_features,
        n_numeric=0 if sparse else n_features,
        n_codes=0,
        n_stored=sum(n_stored for _, n_stored in told),
        threads=threads,
    )
    estimator.n_features_in_ = n_features
    if names is not None:
        estimator.feature_names_in_ = names
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    units = units_of(source, sparse, partial(name_of, given=names))
    if units is None:
        raise ValueError("Input X contains NaN or infinity.")
    return PreparedArrays(
        X=X, y=y, classes=classes, codes=np.empty(0), weight=None, source=source, units=units, given_names=names
    )


def on_each_block(estimator: Any, method: str, X: Any) -> da.Array:
    """Return what an estimator's method makes of Dask arrays or frames, lazily, block by block."""
    _check_two_dimensions(X)
    alone = copy.copy(estimator)
    alone.n_jobs = 1  # a worker runs as many tasks as it has threads
    function = getattr(alone, method)
    lines = function(np.zeros((1, int(X.shape[1]))) if isinstance(X, da.Array) else X._meta_nonempty)
    if not isinstance(X, da.Array):
        return X.map_partitions(function, meta=lines[:0], enforce_metadata=False)
    X = X.rechunk({1: -1})
    if lines.ndim == 1:
        return X.map_blocks(function, dtype=lines.dtype, drop_axis=1)
    return X.map_blocks(function, dtype=lines.dtype, chunks=(X.chunks[0], (lines.shape[1],)))


def _check_two_dimensions(X: Any) -> None:
    """Raise ValueError, in scikit-learn's words, for an array or series that has no columns."""
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D Dask array or series instead. Reshape your data: X.reshape(-1, 1) if it "
            "is one column, X.reshape(1, -1) if it is one row."
        )


def _aligned(X: Any, y: Any, weight: Any) -> tuple[da.Array, da.Array, da.Array | None]:
    """Return arrays whose chunks of rows are the same, X with all columns in each."""
    X = (X if isinstance(X, da.Array) else X.to_dask_array()).rechunk({1: -1})
    rows = X.chunks[0]
    known = not any(np.isnan(rows))

    def alike(one: Any, name: str) -> da.Array:
        if not is_dask(one):
            if not known:
                raise ValueError(
                    f"{name} is an array of this process, but how many rows X has is not known; make {name} a "
                    "Dask array cut as X is, or call X.compute_chunk_sizes() first."
                )
            one = np.asarray(one)
            if one.shape != X.shape[:1]:
                raise ValueError(f"{name} has shape {one.shape}, but X has {number_of(X.shape[0], 'row')}.")
            return da.from_array(one, chunks=(rows,))
        one = one if isinstance(one, da.Array) else one.to_dask_array()
        if one.ndim != 1 or (known and not any(np.isnan(one.chunks[0])) and one.shape != X.shape[:1]):
            raise ValueError(f"{name} has shape {one.shape}, but X has {number_of(X.shape[0], 'row')}.")
        if known and not any(np.isnan(one.chunks[0])):
            return one.rechunk((rows,))
        if one.numblocks != X.numblocks[:1]:
            raise ValueError(f"{name} has {one.numblocks[0]} chunks, but X has {X.numblocks[0]}; cut them alike.")
        return one

    return X, alike(y, "y"), None if weight is None else alike(weight, "sample_weight")


def _count(_chunk: int, parts: Sequence[Any]) -> Counted:
    y = np.asarray(parts[0])
    weight = np.ones(y.size) if len(parts) == 1 else np.asarray(parts[1], dtype=np.float64)
    if y.dtype.kind == "f" and not np.all(np.isfinite(y)):
        raise ValueError("y holds NaN or infinity; every row needs a class.")
    if weight.size != y.size or not np.all((weight >= 0) & (weight <= MOST_WEIGHT)):
        raise ValueError(f"sample_weight must have a number from 0 to {MOST_WEIGHT:g} for each row.")
    classes, codes = np.unique(y, return_inverse=True)
    return Counted([y.size], dict(zip(classes.tolist(), np.bincount(codes, weight).tolist(), strict=True)))


def _cut(first_row: int, parts: Sequence[Any], classes: NDArray[Any], by_class: FloatArray | None) -> Blocks:
    """Return a chunk as blocks, on a worker."""
    X, y = parts[0], np.asarray(parts[1])
    if X.shape[0] != y.size:
        raise ValueError(
            f"A chunk of X has {number_of(X.shape[0], 'row')}, and that of y {y.size}; they must be cut alike."
        )
    weight = np.asarray(parts[2], dtype=np.float64) if len(parts) > 2 else None
    codes = np.searchsorted(classes, y)
    if by_class is not None:
        weight = by_class[codes] if weight is None else weight * by_class[codes]
    if X.dtype not in (np.float32, np.float64):
        X = X.astype(np.float64)
    blocks = source_of(X, codes, weight, threads=1).blocks
    return Blocks([replace(block, first_row=first_row + block.first_row) for block in blocks])


def _told(chunk: Blocks) -> tuple[int, int]:
    """Return the number of blocks that have rows, and of values stored."""
    blocks = [block for block in chunk.training if block.n_rows > 0]
    return len(blocks), sum(block.sparse.n_stored for block in blocks if block.sparse is not None)
