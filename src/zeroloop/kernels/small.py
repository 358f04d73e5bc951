"""The statistics of `zeroloop.kernels.sweep` in NumPy, for data so small that it would wait for the compiler.

A block's terms become one dense matrix, intercept, numeric columns and levels alike; the rest is matrix products. The
names and arguments are the sweep's, and the tests hold each against it.
"""

from __future__ import annotations

import numpy as np

from zeroloop.blocks import Block, FloatArray, Sums
from zeroloop.kernels.totals import DiagonalSums, Moments


def sums(block: Block, coef: FloatArray, centre: FloatArray, order: int) -> Sums:
    """Return loss, weight and derivatives of one block; see `zeroloop.kernels.sweep.sums`."""
    assert block.y is not None
    v = _terms(block, centre)
    z = coef[0] @ v
    weight = _weight(block)
    e = np.exp(-np.abs(z))
    loss = float(weight @ (np.maximum(z, 0) - block.y * z + np.log1p(e)))
    residual = weight * (_sigmoid(z, e) - block.y)
    return Sums(
        loss=loss,
        weight=float(np.sum(weight)),
        gradient=(v @ residual)[np.newaxis] if order >= 1 else None,
        hessian=(v * (weight * e / (1 + e) ** 2)) @ v.T if order == 2 else None,
    )


def hessian_diagonal(block: Block, coef: FloatArray, centre: FloatArray) -> DiagonalSums:
    """Return the diagonal of the Hessian of one block; see `zeroloop.kernels.sweep.hessian_diagonal`."""
    v = _terms(block, centre)
    e = np.exp(-np.abs(coef[0] @ v))
    weight = _weight(block)
    curvature = weight * e / (1 + e) ** 2
    return DiagonalSums(float(np.sum(weight)), v**2 @ curvature, v**4 @ curvature**2)


def predictor(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the linear predictor `z` of each row, `(rows,)`."""
    z: FloatArray = coef[0] @ _terms(block, centre)
    return z


def moments(block: Block) -> Moments:
    """Return weight, mean and summed squared deviation of a block's numeric columns."""
    weight = _weight(block)
    total = float(np.sum(weight))
    # About the first row, so that the mean of a constant column is that constant to the last bit.
    origin = block.numeric[:, 0].astype(np.float64)
    shifted = block.numeric - origin[:, np.newaxis]
    mean = shifted @ weight / total if total > 0 else np.zeros(len(origin))
    squares = (shifted - mean[:, np.newaxis]) ** 2 @ weight
    return Moments(np.full(len(origin), total), origin + mean, squares)


def sigmoid(z: FloatArray) -> None:
    """Replace each z by `1 / (1 + exp(-z))`, exact in either tail."""
    z[:] = _sigmoid(z, np.exp(-np.abs(z)))


def _sigmoid(z: FloatArray, e: FloatArray) -> FloatArray:
    return np.where(z >= 0, 1.0, e) / (1 + e)


def _terms(block: Block, centre: FloatArray) -> FloatArray:
    """Return the block's terms `(n_coefs, rows)`: ones, shifted numeric columns, 0/1 for each level."""
    n_x, rows = block.numeric.shape
    terms = np.zeros((block.n_coefs + 1, rows))
    terms[0] = 1.0
    terms[1 : 1 + n_x] = block.numeric - centre[:, np.newaxis]
    for codes in block.codes:
        terms[codes, np.arange(rows)] = 1.0
    return terms[:-1]


def _weight(block: Block) -> FloatArray:
    return np.ones(block.n_rows) if block.weight is None else block.weight
