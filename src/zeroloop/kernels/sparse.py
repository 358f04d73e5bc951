"""Sparse columns of a tile of rows: gather for the predictor, scatter for the gradient.

By row (CSR) a tile is some rows; by column (CSC) it is the whole block, whose predictor then stays in cache.
Indices are read as unsigned, as codes are (`zeroloop.kernels.codes`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray
from zeroloop.kernels.codes import first_mark
from zeroloop.kernels.compiled import SUMS, compiled, inlined, read_only
from zeroloop.sparse import Pointers


class Lines(NamedTuple):
    """`zeroloop.sparse.Sparse` as the compiled loops take it; without lines where the block is not sparse."""

    values: NDArray[Any]
    indices: NDArray[Any]
    start: Pointers
    stop: Pointers
    by_row: bool
    origin: int


def lines(block: Block) -> Lines:
    """Return a block's sparse columns."""
    s = block.sparse
    if s is None:
        return _NONE
    return _lines(s.values, s.indices, s.start, s.stop, s.by_row, s.origin)


def _lines(
    values: NDArray[Any], indices: NDArray[Any], start: Pointers, stop: Pointers, by_row: bool, origin: int
) -> Lines:
    return Lines(read_only(values), read_only(indices), read_only(start), read_only(stop), by_row, origin)


_NONE = _lines(np.empty(0), np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64), True, 0)


@inlined(SUMS)
def add_sparse(s: Lines, first: int, coef: FloatArray, z: FloatArray) -> None:
    """`z[i] += sum_j coef[j] x[j, first + i]`."""
    if s.by_row:
        for i in range(z.size):
            values, columns = _line(s, first + i)
            total = 0.0
            for p in range(values.size):
                total += coef[np.uint32(columns[p])] * values[p]
            z[i] += total
    else:
        for j in range(s.start.size):
            c = coef[j]
            if c != 0.0:
                values, rows = _line(s, j)
                for p in range(values.size):
                    z[np.uint32(rows[p] - s.origin)] += c * values[p]


@inlined(SUMS)
def gradient_sparse(s: Lines, first: int, d: FloatArray, gradient: FloatArray) -> None:
    """`gradient[j] += sum_i d[i] x[j, first + i]`."""
    if s.by_row:
        for i in range(d.size):
            values, columns = _line(s, first + i)
            d_i = d[i]
            for p in range(values.size):
                gradient[np.uint32(columns[p])] += d_i * values[p]
    else:
        for j in range(s.start.size):
            values, rows = _line(s, j)
            total = 0.0
            for p in range(values.size):
                total += d[np.uint32(rows[p] - s.origin)] * values[p]
            gradient[j] += total


@inlined(SUMS)
def _line(s: Lines, at: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the values and places of a line, as arrays of their own: a loop over them is twice as fast."""
    return s.values[s.start[at] : s.stop[at]], s.indices[s.start[at] : s.stop[at]]


@inlined(SUMS)
def add_sparse_outputs(s: Lines, first: int, coef: FloatArray, z: FloatArray) -> None:
    """`z[k, i] += sum_j coef[j, k] x[j, first + i]`: each stored value is read once for all outputs."""
    n_outputs, n_rows = z.shape
    total = np.empty(n_outputs)
    if s.by_row:
        for i in range(n_rows):
            values, columns = _line(s, first + i)
            total[:] = 0.0
            for p in range(values.size):
                of_column = coef[np.uint32(columns[p])]
                for k in range(n_outputs):
                    total[k] += of_column[k] * values[p]
            for k in range(n_outputs):
                z[k, i] += total[k]
    else:
        for j in range(s.start.size):
            values, rows = _line(s, j)
            for k in range(n_outputs):
                c, of_output = coef[j, k], z[k]
                for p in range(values.size):
                    of_output[np.uint32(rows[p] - s.origin)] += c * values[p]


@inlined(SUMS)
def gradient_sparse_outputs(s: Lines, first: int, d: FloatArray, gradient: FloatArray) -> None:
    """`gradient[j, k] += sum_i d[k, i] x[j, first + i]`."""
    n_outputs, n_rows = d.shape
    of_row = np.empty(n_outputs)
    if s.by_row:
        for i in range(n_rows):
            values, columns = _line(s, first + i)
            for k in range(n_outputs):
                of_row[k] = d[k, i]
            for p in range(values.size):
                of_column = gradient[np.uint32(columns[p])]
                for k in range(n_outputs):
                    of_column[k] += of_row[k] * values[p]
    else:
        for j in range(s.start.size):
            values, rows = _line(s, j)
            for k in range(n_outputs):
                of_output = d[k]
                total = 0.0
                for p in range(values.size):
                    total += of_output[np.uint32(rows[p] - s.origin)] * values[p]
                gradient[j, k] += total


@inlined(SUMS)
def diagonal_sparse(s: Lines, first: int, curvature: FloatArray, diagonal: FloatArray) -> None:
    """`diagonal[0, j] += sum_i h[j, i]`, `diagonal[1, j] += sum_i h[j, i]^2`, `h[j, i] = curvature[i] x[j, i]^2`."""
    n_lines = curvature.size if s.by_row else s.start.size
    for line in range(n_lines):
        at = first + line if s.by_row else line
        for p in range(s.start[at], s.stop[at]):
            other = s.indices[p] - s.origin
            i, j = (line, other) if s.by_row else (other, line)
            h = curvature[i] * s.values[p] * s.values[p]
            diagonal[0, j] += h
            diagonal[1, j] += h * h


@inlined(SUMS)
def hessian_sparse(
    s: Lines,
    codes: NDArray[np.int32],
    first: int,
    n_x: int,
    v: FloatArray,
    curvature: FloatArray,
    hessian: FloatArray,
) -> None:
    """Scatter the pairs of sparse columns, by row, with numeric columns, codes and one another."""
    if s.start.size == 0:
        return
    n = 1 + n_x
    for i in range(curvature.size):
        row = first + i
        for p in range(s.start[row], s.stop[row]):
            at = n + s.indices[p]
            h = curvature[i] * s.values[p]
            # The transposed cells, contiguous in j, as `hessian_codes` has them.
            for j in range(n):
                hessian[at, j] += h * v[j, i]
            for q in range(s.start[row], s.stop[row]):
                other = n + s.indices[q]
                if other >= at:
                    hessian[at, other] += h * s.values[q]
            for c in range(codes.shape[0]):
                hessian[at, codes[c, first + i]] += h


@inlined(SUMS)
def hessian_sparse_marks(
    s: Lines, marks: NDArray[np.int32], first: int, n_x: int, curvature: FloatArray, hessian: FloatArray
) -> None:
    """Scatter the pairs of sparse columns, by row, with marks."""
    if s.start.size == 0:
        return
    for m in range(first_mark(marks, first), first_mark(marks, first + curvature.size)):
        row = marks[0, m]
        for p in range(s.start[row], s.stop[row]):
            hessian[1 + n_x + s.indices[p], marks[1, m]] += curvature[row - first] * s.values[p]


@compiled(SUMS)
def largest_sparse(s: Lines, largest: FloatArray) -> None:
    """`largest[j] = max_i |x[j, i]|`; NaN where there is one."""
    for line in range(s.start.size):
        for p in range(s.start[line], s.stop[line]):
            j = s.indices[p] if s.by_row else line
            size = abs(np.float64(s.values[p]))
            if not size <= largest[j]:
                largest[j] = size


@compiled(SUMS)
def split_columns(indices: NDArray[Any], indptr: Pointers, bounds: Pointers) -> Pointers:
    """Return where in each column the rows from `bounds[b]` on begin, `(bounds, columns)`; rows sorted."""
    places = np.empty((bounds.size, indptr.size - 1), np.int64)
    for j in range(indptr.size - 1):
        p = indptr[j]
        for b in range(bounds.size):
            low, high = p, indptr[j + 1]
            while low < high:
                middle = (low + high) // 2
                if indices[middle] < bounds[b]:
                    low = middle + 1
                else:
                    high = middle
            p = low
            places[b, j] = p
    return places
