"""The statistics of `zeroloop.kernels.sweep` in NumPy, for data so small that it would wait for the compiler.

A block's terms become one dense matrix, intercept, numeric columns and levels alike; the rest is matrix products. The
names and arguments are the sweep's, and the tests hold each against it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray, Sums, hash_rows
from zeroloop.kernels.totals import DiagonalSums, Moments, VectorSums

CHUNK_ROWS = 2_048  # at once: few calls, and temporaries that the system need not fault in anew each time


def sums(block: Block, coef: FloatArray, centre: FloatArray, order: int) -> Sums:
    """Return loss, weight and derivatives of one block; see `zeroloop.kernels.sweep.sums`."""
    assert block.y is not None
    loss = 0.0
    gradient = np.zeros(block.n_coefs)
    hessian = np.zeros((block.n_coefs, block.n_coefs)) if order == 2 else None
    for start in range(0, block.n_rows, CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        y, weight = block.y[rows], None if block.weight is None else block.weight[rows]
        v = _terms(block, centre, rows)
        z = coef[0] @ v
        e = np.exp(-np.abs(z))
        share = 1 / (1 + e)
        losses = np.maximum(z, 0) - y * z + np.log1p(e)
        residual = np.where(z >= 0, share, e * share) - y
        if weight is not None:
            losses *= weight
            residual *= weight
        loss += float(np.sum(losses))
        if order >= 1:
            gradient += v @ residual
        if hessian is not None:
            v *= np.sqrt(e if weight is None else weight * e) * share
            hessian += v @ v.T  # of one matrix with itself: BLAS computes half of it
    return Sums(loss, block.total_weight, gradient[np.newaxis] if order >= 1 else None, hessian)


def hessian_diagonal(block: Block, coef: FloatArray, centre: FloatArray) -> DiagonalSums:
    """Return the diagonal of the Hessian of one block; see `zeroloop.kernels.sweep.hessian_diagonal`."""
    v = _terms(block, centre, slice(None))
    e = np.exp(-np.abs(coef[0] @ v))
    curvature = _weight(block) * e / (1 + e) ** 2
    v *= v
    return DiagonalSums(block.total_weight, v @ curvature, v**2 @ curvature**2)


def hessian_vector(block: Block, coef: FloatArray, direction: FloatArray, centre: FloatArray) -> VectorSums:
    """Return the Hessian of one block times `direction`; see `zeroloop.kernels.sweep.hessian_vector`."""
    v = _terms(block, centre, slice(None))
    e = np.exp(-np.abs(coef[0] @ v))
    curvature = _weight(block) * e / (1 + e) ** 2
    return VectorSums(block.total_weight, (v @ (curvature * (direction[0] @ v)))[np.newaxis])


def predictor(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the linear predictor `z` of each row, `(rows,)`."""
    z: FloatArray = coef[0] @ _terms(block, centre, slice(None))
    return z


def moments(block: Block) -> Moments:
    """Return weight, mean and summed squared deviation of a block's numeric columns."""
    weight, total = _weight(block), block.total_weight
    chunks = [slice(start, start + CHUNK_ROWS) for start in range(0, block.n_rows, CHUNK_ROWS)]
    # About the first row, so that the mean of a constant column is that constant to the last bit.
    origin = block.numeric[:, :1].astype(np.float64)
    first, squares = np.zeros(len(origin)), np.zeros(len(origin))
    with np.errstate(over="ignore", invalid="ignore"):  # whoever asks looks whether the result is finite
        for rows in chunks:
            first += (block.numeric[:, rows] - origin) @ weight[rows]
        mean = origin[:, 0] + (first / total if total > 0 else first)
        for rows in chunks:
            shifted = block.numeric[:, rows] - mean[:, np.newaxis]
            shifted *= shifted
            squares += shifted @ weight[rows]
    return Moments(np.full(len(mean), total), mean, squares)


def draw(block: Block, fractions: tuple[float, float], seed: int) -> NDArray[np.intp]:
    """Return the positions of rows drawn by hash; see `zeroloop.kernels.sweep.draw`."""
    assert block.y is not None
    below = np.where(block.y > 0.5, *(np.uint64(fraction * 2**53) for fraction in reversed(fractions)))
    return np.flatnonzero((hash_rows(block.first_row, block.n_rows, seed) >> np.uint64(11)) < below)


def probabilities(z: FloatArray) -> FloatArray:
    """Return the probabilities of labels 0 and 1, `(2, rows)`, of the predictor `z`."""
    e = np.exp(-np.abs(z))
    share = 1 / (1 + e)
    positive = z >= 0
    return np.stack([np.where(positive, e * share, share), np.where(positive, share, e * share)])


def _terms(block: Block, centre: FloatArray, rows: slice) -> FloatArray:
    """Return the terms of some rows `(n_coefs, rows)`: ones, shifted numeric columns, 0/1 for each level."""
    numeric, all_codes = block.numeric[:, rows], block.codes[:, rows]
    n_x, n_rows = numeric.shape
    terms = np.empty((block.n_coefs + 1, n_rows))  # one term after the other, so that NumPy's inner loops are long
    terms[0] = 1.0
    np.subtract(numeric, centre[:, np.newaxis], out=terms[1 : 1 + n_x])
    terms[1 + n_x :] = 0.0
    for codes in all_codes:
        terms[codes, np.arange(n_rows)] = 1.0
    if block.marks.size > 0:
        row = block.marks[0] - (rows.start or 0)
        here = (row >= 0) & (row < n_rows)
        terms[block.marks[1, here], row[here]] = 1.0
    return terms[:-1]


def _weight(block: Block) -> FloatArray:
    return np.ones(block.n_rows) if block.weight is None else block.weight
