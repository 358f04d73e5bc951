"""The terms of a tile of rows, whatever they are stored as: predictor, gradient and curvature of one output."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray
from zeroloop.kernels.codes import add_codes, add_marks, gradient_codes, gradient_marks
from zeroloop.kernels.compiled import SUMS, inlined, read_only
from zeroloop.kernels.dense import TILE_BYTES, add_row_major, add_stacked, gradient_row_major, gradient_stacked
from zeroloop.kernels.hessian import diagonal_numeric, hessian_codes, hessian_marks, hessian_numeric, shift
from zeroloop.kernels.sparse import (
    Lines,
    add_sparse,
    diagonal_sparse,
    gradient_sparse,
    hessian_sparse,
    hessian_sparse_marks,
    lines,
)

_NO_LABELS = read_only(np.empty(0, np.float32))
_NO_WEIGHT = read_only(np.empty(0))


class Rows(NamedTuple):
    """A block as the compiled loops take it; `weight` and `y` are empty where the block has none."""

    x: NDArray[Any]
    ld: int
    by_row: bool
    sparse: Lines
    codes: NDArray[np.int32]
    marks: NDArray[np.int32]
    y: NDArray[np.float32]
    weight: FloatArray


def rows_of(block: Block) -> Rows:
    """Return a block's rows."""
    x, ld, by_row = block.flat
    y = _NO_LABELS if block.y is None else read_only(block.y)
    weight = _NO_WEIGHT if block.weight is None else read_only(block.weight)
    return Rows(read_only(x), ld, by_row, lines(block), read_only(block.codes), read_only(block.marks), y, weight)


@inlined(SUMS)
def tile_rows(n_x: int, itemsize: int, sparse: Lines, n_rows: int) -> int:
    """Return how many rows a tile has: a multiple of 16, a function of the block alone; all of them by column."""
    if not sparse.by_row:
        return max(n_rows, 1)
    row_bytes = max(n_x, 1) * itemsize
    if sparse.start.size > 0:
        stored = 0
        for line in range(sparse.start.size):
            stored += sparse.stop[line] - sparse.start[line]
        row_bytes += 12 * stored // sparse.start.size  # a value and an index
    return max(64, min(2048, TILE_BYTES // max(row_bytes, 1) // 16 * 16))


@inlined(SUMS)
def fill_predictor(rows: Rows, start: int, coef: FloatArray, n_x: int, z: FloatArray) -> None:
    """`z[i]` = the linear predictor of row `start + i`."""
    for i in range(z.size):
        z[i] = coef[0]
    if rows.by_row:
        add_row_major(rows.x, rows.ld, start, coef[1 : 1 + n_x], z)
    else:
        add_stacked(rows.x, rows.ld, start, coef[1 : 1 + n_x], z)
    if rows.sparse.start.size > 0:
        add_sparse(rows.sparse, start, coef[1 + n_x :], z)
    add_codes(rows.codes, start, coef, z)
    add_marks(rows.marks, start, coef, z)


@inlined(SUMS)
def add_gradient(rows: Rows, start: int, d: FloatArray, n_x: int, gradient: FloatArray) -> None:
    """`gradient[j] += sum_i d[i] v[j, start + i]` for every term, numeric ones about zero."""
    gradient[0] += np.sum(d)
    if rows.by_row:
        gradient_row_major(rows.x, rows.ld, start, d, gradient[1 : 1 + n_x])
    else:
        gradient_stacked(rows.x, rows.ld, start, d, gradient[1 : 1 + n_x])
    if rows.sparse.start.size > 0:
        gradient_sparse(rows.sparse, start, d, gradient[1 + n_x :])
    gradient_codes(rows.codes, start, d, gradient)
    gradient_marks(rows.marks, start, d, gradient)


@inlined(SUMS)
def add_hessian(rows: Rows, start: int, centre: FloatArray, curvature: FloatArray, hessian: FloatArray) -> None:
    """Add `sum_i curvature[i] v[j, i] v[l, i]` of a tile's rows to `hessian`, numeric terms about the centre.

    Sparse columns must be by row. `zeroloop.kernels.hessian.move_codes_up` finishes the sum.
    """
    v = np.empty((1 + centre.size, curvature.size))
    shift(rows.x, rows.ld, rows.by_row, start, centre, v)
    hessian_numeric(v, curvature, hessian)
    hessian_sparse(rows.sparse, rows.codes, start, centre.size, v, curvature, hessian)
    hessian_codes(rows.codes, start, v, curvature, hessian)
    hessian_marks(rows.codes, rows.marks, start, v, curvature, hessian)
    hessian_sparse_marks(rows.sparse, rows.marks, start, centre.size, curvature, hessian)


@inlined(SUMS)
def add_diagonal(rows: Rows, start: int, centre: FloatArray, curvature: FloatArray, diagonal: FloatArray) -> None:
    """Add sums of `h = curvature[i] v[j, i]^2`, and of its square, to `diagonal` `(2, n_coefs + 1)`.

    The curvature is scratch.
    """
    v = np.empty((1 + centre.size, curvature.size))
    shift(rows.x, rows.ld, rows.by_row, start, centre, v)
    diagonal_numeric(v, curvature, diagonal)
    if rows.sparse.start.size > 0:
        diagonal_sparse(rows.sparse, start, curvature, diagonal[:, 1 + centre.size :])
    for power in range(2):
        gradient_codes(rows.codes, start, curvature, diagonal[power])
        gradient_marks(rows.marks, start, curvature, diagonal[power])
        for i in range(curvature.size):
            curvature[i] *= curvature[i]
