"""One block in, its totals out: what the core sums over a block's rows.

A block is swept tile by tile. While a tile's rows are in cache they give the predictor, the loss and its
derivatives, the gradient and, when asked, the Hessian: memory is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop import core
from zeroloop.blocks import SAMPLING, Block, FloatArray, Sums, hash_kept, mixed
from zeroloop.blocks import hash_rows as hash_rows
from zeroloop.kernels.totals import Described, DiagonalSums, Largest, Moments, VectorSums

_NONE = np.empty((0, 0))


def sums(block: Block, coef: FloatArray, centre: FloatArray, order: int) -> Sums:
    """Return loss, weight and derivatives of one block: the statistic of a pass.

    With `v = x - centre` and `z[k] = coef[k, 0] + sum_j coef[k, 1 + j] v[j] + sum_c coef[k, code[c]]`, for one output::

        loss           = sum_i weight[i] (max(z[i], 0) - y[i] z[i] + log(1 + exp(-|z[i]|)))
        gradient[j]    = sum_i weight[i] (a[i] - y[i]) v[j, i]
        hessian[j, l]  = sum_i weight[i] a[i] (1 - a[i]) v[j, i] v[l, i]      (upper triangle)

    and for several, with `p = softmax(z)` (Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4)::

        loss               = sum_i weight[i] (log(sum_k exp(z[k, i])) - z[y[i], i])
        gradient[k, j]     = sum_i weight[i] (p[k, i] - [y[i] = k]) v[j, i]
        hessian[kj, lm]    = sum_i weight[i] p[k, i] ([k = l] - p[l, i]) v[j, i] v[m, i]      (upper triangle)

    Args:
        block: rows with labels.
        coef: `(n_outputs, n_coefs)`, about the centre: `coef[:, 0]` is the predictor where `x = centre`.
        centre: `(n_x,)`, subtracted from the numeric columns; by arithmetic on sums, not on stored data.
        order: 0 for the loss, 1 for the gradient too, 2 for the Hessian too.

    """
    if order == 2:
        block = _by_rows(block)
    gradient = np.zeros(coef.shape) if order >= 1 else _NONE
    hessian = np.zeros((coef.size, coef.size)) if order == 2 else _NONE
    rows, left = block.about(centre)
    loss = rows.sums(coef, left, order, gradient, hessian)
    return Sums(loss, block.total_weight, gradient if order >= 1 else None, hessian if order == 2 else None)


def sums_together(blocks: Sequence[Block], coefs: Sequence[FloatArray], centre: FloatArray) -> list[Sums]:
    """Return `sums(block, coef, centre, order=1)` for each block and coef, in one sweep over the rows.

    Args:
        blocks: the same rows, but for their labels and weights.
        coefs: each `(1, n_coefs)`.
        centre: `(n_x,)`.

    """
    y = np.stack([block.y for block in blocks])  # type: ignore[misc]
    weight = None
    if any(block.weight is not None for block in blocks):
        ones = np.ones(blocks[0].n_rows)
        weight = np.stack([ones if block.weight is None else block.weight for block in blocks])
    coef = np.concatenate(coefs)
    losses, gradients = np.zeros(len(coef)), np.zeros(coef.shape)
    rows, left = blocks[0].about(centre)
    rows.sums_together(coef, left, y, weight, losses, gradients)
    return [
        Sums(loss, block.total_weight, gradient[np.newaxis])
        for loss, block, gradient in zip(losses.tolist(), blocks, gradients, strict=True)
    ]


def hessian_diagonal(block: Block, coef: FloatArray, centre: FloatArray) -> DiagonalSums:
    """Return the diagonal of `sums(..., order=2).hessian` of one block, for the price of a gradient."""
    diagonal, squares = np.zeros(coef.shape), np.zeros(coef.shape)
    rows, left = block.about(centre)
    rows.diagonal(coef, left, diagonal, squares)
    return DiagonalSums(block.total_weight, diagonal, squares)


def hessian_vector(block: Block, coef: FloatArray, direction: FloatArray, centre: FloatArray) -> VectorSums:
    """Return `sums(..., order=2).hessian @ direction` of one block, for the price of a gradient.

    Args:
        block: rows with labels.
        coef: `(n_outputs, n_coefs)`, about the centre, as in `sums`.
        direction: `(n_outputs, n_coefs)`, about the centre too.
        centre: `(n_x,)`.

    """
    product = np.zeros(coef.shape)
    rows, left = block.about(centre)
    rows.multiply(coef, direction, left, product)
    return VectorSums(block.total_weight, product)


def shared_hessian(block: Block, coef: FloatArray, centre: FloatArray) -> Sums:
    """Return a stand-in for each class's part of the Hessian, where all of it is too large.

    Its `hessian` `(n_coefs, n_coefs)` is `sum_i weight[i] mean_k p[k, i] (1 - p[k, i]) v[j, i] v[m, i]`, its upper
    triangle; its `gradient` `(K, K)` is what a pair of classes has for that mean:
    `sum_i weight[i] p[k, i] ([k = l] - p[l, i])`.
    """
    block = _by_rows(block)
    pairs, hessian = np.zeros((len(coef), len(coef))), np.zeros((block.n_coefs, block.n_coefs))
    rows, left = block.about(centre)
    rows.shared_hessian(coef, left, pairs, hessian)
    return Sums(0.0, block.total_weight, pairs, hessian)


def _by_rows(block: Block) -> Block:
    """Return the block with its sparse columns by row: pairs of columns are met row by row."""
    if block.sparse is None or block.sparse.by_row:
        return block
    return replace(block, sparse=block.sparse.by_rows())


def predictor(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the linear predictor `z` of each row, `(rows,)`, or `(n_outputs, rows)` with several outputs."""
    z = np.empty((len(coef), block.n_rows))
    rows, left = block.about(centre)
    rows.predictor(coef, left, z)
    return z if len(coef) > 1 else z[0]


def probabilities(z: FloatArray) -> FloatArray:
    """Return the probabilities `(n_classes, rows)` of the predictor `z`: labels 0 and 1, or softmax."""
    outputs = np.atleast_2d(z)
    p = np.empty((2 if z.ndim == 1 else len(z), z.shape[-1]))
    core.probabilities(np.ascontiguousarray(outputs), p)
    return p


def draw(block: Block, fractions: Sequence[float], seed: int) -> NDArray[np.intp]:
    """Return the positions of some rows, drawn by `zeroloop.blocks.hash_rows` of their index and the seed.

    Args:
        block: rows with labels.
        fractions: of the rows with each label.
        seed: of the hash.

    """
    assert block.y is not None
    below = np.array([np.uint64(fraction * 2**53) for fraction in fractions])
    seed = seed + SAMPLING
    if block.rows is None and block.kept is None:
        drawn = np.empty(block.n_rows, np.int64)
        return drawn[: block.native.draw(int(mixed(seed)[0]), block.first_row, below, drawn)].copy()
    if block.rows is not None:
        hashes = block.hashes(seed)
    else:
        hashes = hash_kept(block.first_row, block.n_rows, block.kept, seed)
    return np.flatnonzero(hashes >> np.uint64(11) < below[block.y.astype(np.intp)])


def largest(block: Block) -> Largest:
    """Return the largest absolute value of each sparse column of a block; NaN where there is one."""
    assert block.sparse is not None
    found = np.zeros(block.sparse.n_columns)
    block.native.largest(found)
    return Largest(found)


def moments(block: Block) -> Moments:
    """Return weight, mean and summed squared deviation of a block's numeric columns."""
    weight, mean, squares = np.zeros((3, len(block.numeric)))
    block.native.moments(weight, mean, squares)
    return Moments(weight, mean, squares)


def describe(columns: NDArray[Any], weight: FloatArray | None) -> list[Described]:
    """Return what the values of each column are that are not NaN.

    Args:
        columns: `(n_x, rows)` float32 or float64, C order, finite or NaN.
        weight: `(rows,)`; None for ones.

    """
    found = np.zeros((len(columns), 6))
    core.describe(columns, weight, found)
    return [
        Described(n=int(n), weight=w, mean=mean, squares=squares, low=low, high=high)
        for n, w, mean, squares, low, high in found.tolist()
    ]
