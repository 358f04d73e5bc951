"""A judge of `zeroloop.kernels.statistics`: the same sums by another way, in NumPy.

A block's terms become one dense matrix, intercept, numeric columns and levels alike; the rest is matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray, Sums
from zeroloop.kernels.forms import dense_terms
from zeroloop.kernels.totals import Described, DiagonalSums, Largest, Moments, VectorSums

CHUNK_ROWS = 2_048  # at once: few calls, and temporaries that the system need not fault in anew each time


def sums(block: Block, coef: FloatArray, centre: FloatArray, order: int) -> Sums:
    """Return loss, weight and derivatives of one block; see `zeroloop.kernels.statistics.sums`."""
    assert block.y is not None
    n_outputs = len(coef)
    loss = 0.0
    gradient = np.zeros((n_outputs, block.n_coefs))
    hessian = np.zeros((n_outputs, block.n_coefs, n_outputs, block.n_coefs)) if order == 2 else None
    for start in range(0, block.n_rows, CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        y, weight = block.y[rows], None if block.weight is None else block.weight[rows]
        v = dense_terms(block, centre, rows)
        if n_outputs > 1:
            z = coef @ v
            right = y.astype(np.intp), np.arange(y.size)
            largest = np.max(z, axis=0)
            share = np.exp(z - largest)
            total = np.sum(share, axis=0)
            losses = np.log(total) + largest - z[right]
            share /= total
            residual = share.copy()
            residual[right] -= 1
        else:
            z = coef[0] @ v
            e = np.exp(-np.abs(z))
            share = 1 / (1 + e)
            losses = np.maximum(z, 0) - y * z + np.log1p(e)
            residual = (np.where(z >= 0, share, e * share) - y)[np.newaxis]
        if weight is not None:
            losses *= weight
            residual *= weight
        loss += float(np.sum(losses))
        if order >= 1:
            gradient += residual @ v.T
        if hessian is not None and n_outputs == 1:
            v *= np.sqrt(e if weight is None else weight * e) * share
            hessian[0, :, 0] += v @ v.T  # of one matrix with itself: BLAS computes half of it
        elif hessian is not None:
            for k in range(n_outputs):
                for m in range(k, n_outputs):
                    curvature = share[k] * ((k == m) - share[m])
                    hessian[k, :, m] += (v * (curvature if weight is None else weight * curvature)) @ v.T
    n_all = n_outputs * block.n_coefs
    return Sums(
        loss,
        block.total_weight,
        gradient if order >= 1 else None,
        None if hessian is None else hessian.reshape(n_all, n_all),
    )


def sums_together(blocks: Sequence[Block], coefs: Sequence[FloatArray], centre: FloatArray) -> list[Sums]:
    """Return the sums of several fits over the same rows; see `zeroloop.kernels.statistics.sums_together`."""
    return [sums(block, coef, centre, 1) for block, coef in zip(blocks, coefs, strict=True)]


def shared_hessian(block: Block, coef: FloatArray, centre: FloatArray) -> Sums:
    """Return a stand-in for each class's part of the Hessian; see `zeroloop.kernels.statistics.shared_hessian`."""
    v = dense_terms(block, centre, slice(None))
    p, weight = probabilities(coef @ v), _weight(block)
    hessian = (v * np.mean(weight * p * (1 - p), axis=0)) @ v.T
    return Sums(0.0, block.total_weight, np.diag(p @ weight) - (weight * p) @ p.T, hessian)


def hessian_diagonal(block: Block, coef: FloatArray, centre: FloatArray) -> DiagonalSums:
    """Return the diagonal of the Hessian of one block; see `zeroloop.kernels.statistics.hessian_diagonal`."""
    v = dense_terms(block, centre, slice(None))
    curvature = _curvature(block, coef @ v)
    v *= v
    with np.errstate(over="ignore", invalid="ignore"):  # of fourth powers: whoever asks looks
        return DiagonalSums(block.total_weight, curvature @ v.T, curvature**2 @ (v**2).T)


def hessian_vector(block: Block, coef: FloatArray, direction: FloatArray, centre: FloatArray) -> VectorSums:
    """Return the Hessian of one block times `direction`; see `zeroloop.kernels.statistics.hessian_vector`."""
    v = dense_terms(block, centre, slice(None))
    u = direction @ v
    if len(coef) == 1:
        u *= _curvature(block, coef @ v)
    else:
        p = probabilities(coef @ v)
        u = _weight(block) * p * (u - np.sum(p * u, axis=0))
    return VectorSums(block.total_weight, u @ v.T)


def _curvature(block: Block, z: FloatArray) -> FloatArray:
    """Return `weight p (1 - p)` of each output and row, `(n_outputs, rows)`."""
    if len(z) > 1:
        p = probabilities(z)
        curvature = p * (1 - p)
    else:
        e = np.exp(-np.abs(z))
        curvature = e / (1 + e) ** 2
    return np.asarray(_weight(block) * curvature)


def predictor(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the linear predictor `z` of each row, `(rows,)`, or `(n_outputs, rows)` with several outputs."""
    z: FloatArray = (coef if len(coef) > 1 else coef[0]) @ dense_terms(block, centre, slice(None))
    return z


def largest(block: Block) -> Largest:
    """Return the largest absolute value of each sparse column of a block; NaN where there is one."""
    assert block.sparse is not None
    found = np.zeros(block.sparse.n_columns)
    _, column, values = block.sparse.triples()
    with np.errstate(invalid="ignore"):  # NaN stays; whoever asks looks whether the result is finite
        np.maximum.at(found, column, np.abs(values))
    return Largest(found)


def moments(block: Block) -> Moments:
    """Return weight, mean and summed squared deviation of a block's numeric columns."""
    weight = _weight(block)
    chunks = [slice(start, start + CHUNK_ROWS) for start in range(0, max(block.n_rows, 1), CHUNK_ROWS)]
    return reduce(add, (_moments(block.numeric[:, rows], weight[rows]) for rows in chunks))


def _moments(numeric: NDArray[Any], weight: FloatArray) -> Moments:
    """Return the moments of some rows, about the first one: the mean of a constant column is exact, to the last bit."""
    total = float(np.sum(weight))
    origin = numeric[:, :1].astype(np.float64) if numeric.shape[1] else np.zeros((len(numeric), 1))
    with np.errstate(over="ignore", invalid="ignore"):  # whoever asks looks whether the result is finite
        shifted = numeric - origin
        first = shifted @ weight
        mean = first / total if total > 0 else first
        shifted -= mean[:, np.newaxis]
        shifted *= shifted
        return Moments(np.full(len(numeric), total), origin[:, 0] + mean, shifted @ weight)


def describe(columns: NDArray[Any], weight: FloatArray | None) -> list[Described]:
    """Return what the values of each column are that are not NaN; see `zeroloop.kernels.statistics.describe`."""
    return [_describe(values, weight) for values in columns]


def _describe(values: NDArray[Any], weight: FloatArray | None) -> Described:
    here = ~np.isnan(values)
    x = values[here].astype(np.float64)
    w = np.ones(x.size) if weight is None else weight[here]
    total = float(np.sum(w))
    with np.errstate(over="ignore", invalid="ignore"):  # whoever asks looks whether the result is finite
        origin = x[0] if x.size > 0 else 0.0
        mean = float(origin + np.sum(w * (x - origin)) / total) if total > 0 else 0.0
        squares = float(np.sum(w * (x - mean) ** 2))
    low, high = float(np.min(x, initial=np.inf)), float(np.max(x, initial=-np.inf))
    return Described(n=int(x.size), weight=total, mean=mean, squares=squares, low=low, high=high)


def probabilities(z: FloatArray) -> FloatArray:
    """Return the probabilities `(n_classes, rows)` of the predictor `z`: labels 0 and 1, or softmax."""
    if z.ndim > 1:
        shares: FloatArray = np.exp(z - np.max(z, axis=0))
        return np.asarray(shares / np.sum(shares, axis=0))
    e = np.exp(-np.abs(z))
    share = 1 / (1 + e)
    positive = z >= 0
    return np.stack([np.where(positive, e * share, share), np.where(positive, share, e * share)])


def _weight(block: Block) -> FloatArray:
    return np.ones(block.n_rows) if block.weight is None else block.weight
