"""One block in, its totals out: the fused sweep, compiled. `zeroloop.kernels.small` is its twin for small data.

A block is swept tile by tile. While a tile's rows are in cache they give the predictor, the loss and its
derivatives, the gradient and, when asked, the Hessian: memory is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import SAMPLING, STRIDE, Block, FloatArray, Sums, hash_kept, mixed, splitmix
from zeroloop.kernels import softmax
from zeroloop.kernels.compiled import EXACT, SUMS, compiled, inlined, read_only
from zeroloop.kernels.dense import add_moments
from zeroloop.kernels.hessian import move_codes_up
from zeroloop.kernels.logistic import curvature_at, curvature_of, loss_and_residual, sigmoids
from zeroloop.kernels.sparse import largest_sparse, lines
from zeroloop.kernels.tiles import Rows, add_diagonal, add_gradient, add_hessian, fill_predictor, rows_of, tile_rows
from zeroloop.kernels.totals import DiagonalSums, Largest, Moments, VectorSums
from zeroloop.kernels.values import describe, hash_rows

__all__ = [
    "describe",
    "draw",
    "hash_rows",
    "hessian_diagonal",
    "hessian_vector",
    "largest",
    "moments",
    "predictor",
    "probabilities",
    "shared_hessian",
    "sums",
    "sums_together",
]

_splitmix = inlined(EXACT)(splitmix)


def sums(block: Block, coef: FloatArray, centre: FloatArray, order: int) -> Sums:
    """Return loss, weight and derivatives of one block: the statistic of a pass.

    With `v = x - centre` and `z = coef[0] + sum_j coef[1 + j] v[j] + sum_c coef[code[c]]`::

        loss           = sum_i weight[i] (max(z[i], 0) - y[i] z[i] + log(1 + exp(-|z[i]|)))
        gradient[j]    = sum_i weight[i] (a[i] - y[i]) v[j, i]
        hessian[j, l]  = sum_i weight[i] a[i] (1 - a[i]) v[j, i] v[l, i]      (upper triangle)

    Args:
        block: rows with labels.
        coef: `(1, n_coefs)`, about the centre: `coef[0, 0]` is the predictor where `x = centre`. With several
            outputs the loss is that of softmax: see `zeroloop.kernels.softmax`.
        centre: `(n_x,)`, subtracted from the numeric columns; by arithmetic on sums, not on stored data.
        order: 0 for the loss, 1 for the gradient too, 2 for the Hessian too.

    """
    assert block.y is not None
    if order == 2:
        block = _by_rows(block)
    if len(coef) > 1:
        return softmax.sums(block, coef, centre, order)
    n = block.n_coefs
    gradient = np.zeros(n + 1)
    hessian = np.zeros((n + 1, n + 1) if order == 2 else (0, 0))
    loss = _sweep(rows_of(block), _about_zero(coef, centre), centre, order, gradient, hessian)
    gradient[1 : 1 + centre.size] -= centre * gradient[0]
    return Sums(
        loss=loss,
        weight=block.total_weight,
        gradient=gradient[np.newaxis, :n] if order >= 1 else None,
        hessian=hessian[:n, :n] if order == 2 else None,
    )


def sums_together(blocks: Sequence[Block], coefs: Sequence[FloatArray], centre: FloatArray) -> list[Sums]:
    """Return `sums(block, coef, centre, order=1)` for each block and coef, in one sweep over the rows.

    Args:
        blocks: the same rows, but for their labels and weights.
        coefs: each `(1, n_coefs)`.
        centre: `(n_x,)`.

    """
    n, k = blocks[0].n_coefs, len(blocks)
    y = np.stack([_labels(block) for block in blocks])
    weighted = any(block.weight is not None for block in blocks)
    ones = np.ones(blocks[0].n_rows) if weighted else np.empty(0)
    weight = np.stack([ones if block.weight is None else block.weight for block in blocks])
    extended = np.stack([_about_zero(coef, centre) for coef in coefs])
    losses, gradients = np.zeros(k), np.zeros((k, n + 1))
    _sweep_together(rows_of(blocks[0]), read_only(y), read_only(weight), extended, centre.size, losses, gradients)
    gradients[:, 1 : 1 + centre.size] -= centre * gradients[:, :1]
    return [
        Sums(float(loss), block.total_weight, gradient[np.newaxis, :n])
        for loss, block, gradient in zip(losses, blocks, gradients, strict=True)
    ]


def _labels(block: Block) -> NDArray[np.float32]:
    assert block.y is not None
    return block.y


def hessian_diagonal(block: Block, coef: FloatArray, centre: FloatArray) -> DiagonalSums:
    """Return the diagonal of `sums(..., order=2).hessian` of one block, for the price of a gradient."""
    assert block.y is not None
    if len(coef) > 1:
        return softmax.hessian_diagonal(block, coef, centre)
    both = np.zeros((2, block.n_coefs + 1))
    _diagonal(rows_of(block), _about_zero(coef, centre), centre, both)
    return DiagonalSums(block.total_weight, both[:1, :-1], both[1:, :-1])


def hessian_vector(block: Block, coef: FloatArray, direction: FloatArray, centre: FloatArray) -> VectorSums:
    """Return `sums(..., order=2).hessian @ direction` of one block, for the price of a gradient.

    Args:
        block: rows with labels.
        coef: `(n_outputs, n_coefs)`, about the centre, as in `sums`.
        direction: `(n_outputs, n_coefs)`, about the centre too.
        centre: `(n_x,)`.

    """
    assert block.y is not None
    if len(coef) > 1:
        return softmax.hessian_vector(block, coef, direction, centre)
    product = np.zeros(block.n_coefs + 1)
    _multiply(rows_of(block), _about_zero(coef, centre), _about_zero(direction, centre), centre.size, product)
    product[1 : 1 + centre.size] -= centre * product[0]
    return VectorSums(block.total_weight, product[np.newaxis, :-1])


def shared_hessian(block: Block, coef: FloatArray, centre: FloatArray) -> Sums:
    """Return, for several outputs, the mean of their Hessians' diagonal blocks; see `softmax.shared_hessian`."""
    return softmax.shared_hessian(_by_rows(block), coef, centre)


def _by_rows(block: Block) -> Block:
    """Return the block with its sparse columns by row: pairs of columns are met row by row."""
    return block if block.sparse is None else replace(block, sparse=block.sparse.by_rows())


def predictor(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the linear predictor `z` of each row, `(rows,)`, or `(n_outputs, rows)` with several outputs."""
    if len(coef) > 1:
        return softmax.predictor(block, coef, centre)
    z = np.empty(block.n_rows)
    _predict(rows_of(block), _about_zero(coef, centre), centre.size, z)
    return z


def probabilities(z: FloatArray) -> FloatArray:
    """Return the probabilities `(n_classes, rows)` of the predictor `z`: labels 0 and 1, or softmax."""
    if z.ndim > 1:
        return softmax.probabilities(z)
    both = np.empty((2, z.size))
    sigmoids(z, both[0], both[1])
    return both


def _about_zero(coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Move the intercept from the centre to zero; append the coefficient of "no level", which is zero."""
    extended = np.empty(coef.shape[1] + 1)
    extended[:-1] = coef[0]
    extended[-1] = 0.0
    extended[0] -= centre @ extended[1 : 1 + centre.size]
    return extended


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
        return _draw(block.first_row, block.y, below, mixed(seed)[0])
    if block.rows is not None:
        hashes = block.hashes(seed)
    else:
        hashes = hash_kept(block.first_row, block.n_rows, block.kept, seed, hash_rows)
    return np.flatnonzero(hashes >> np.uint64(11) < below[block.y.astype(np.intp)])


def largest(block: Block) -> Largest:
    """Return the largest absolute value of each sparse column of a block; NaN where there is one."""
    assert block.sparse is not None
    found = np.zeros(block.sparse.n_columns)
    largest_sparse(lines(block), found)
    return Largest(found)


def moments(block: Block) -> Moments:
    """Return weight, mean and summed squared deviation of a block's numeric columns."""
    n_x = block.numeric.shape[0]
    x, ld, by_row = block.flat
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    origin = block.numeric[:, 0].astype(np.float64)
    total, squares = np.zeros(n_x), np.zeros(n_x)
    add_moments(read_only(x), ld, by_row, read_only(weight), origin, total, squares)
    w = float(np.sum(weight))
    shifted = total / w if w > 0 else total
    return Moments(np.full(n_x, w), origin + shifted, np.maximum(squares - shifted * total, 0.0))


@compiled(SUMS)
def _predict(rows: Rows, coef: FloatArray, n_x: int, z: FloatArray) -> None:
    tile = tile_rows(n_x, rows.x.itemsize, rows.sparse, z.size)
    for start in range(0, z.size, tile):
        fill_predictor(rows, start, coef, n_x, z[start : min(start + tile, z.size)])


@compiled(SUMS)
def _sweep(
    rows: Rows, coef: FloatArray, centre: FloatArray, order: int, gradient: FloatArray, hessian: FloatArray
) -> float:
    """Return the loss; add to `gradient` `(n_coefs + 1,)`, taken about zero, and `hessian`, about the centre."""
    n_x, n_rows = centre.size, rows.y.size
    tile = tile_rows(n_x, 8 if order == 2 else rows.x.itemsize, rows.sparse, n_rows)
    z_tile, residual_tile, e_tile = np.empty(tile), np.empty(tile), np.empty(tile)
    loss = 0.0
    for start in range(0, n_rows, tile):
        stop = min(start + tile, n_rows)
        k = stop - start
        z, residual, e = z_tile[:k], residual_tile[:k], e_tile[:k]
        weight = rows.weight[start:stop]
        fill_predictor(rows, start, coef, n_x, z)
        loss += loss_and_residual(z, rows.y[start:stop], weight, residual, e)
        if order >= 1:
            add_gradient(rows, start, residual, n_x, gradient)
        if order == 2:
            curvature_of(e, weight)
            add_hessian(rows, start, centre, e, hessian)
    if order == 2:
        move_codes_up(hessian, 1 + n_x)
    return loss


@compiled(SUMS)
def _sweep_together(
    rows: Rows,
    y: NDArray[np.float32],
    weight: FloatArray,
    coefs: FloatArray,
    n_x: int,
    losses: FloatArray,
    gradients: FloatArray,
) -> None:
    """Add each fit's loss and gradient, about zero; labels and weights `(fits, rows)`, weights empty for ones."""
    n_fits, n_rows = y.shape
    tile = tile_rows(n_x, rows.x.itemsize, rows.sparse, n_rows)
    z_tile, residual_tile, e_tile = np.empty(tile), np.empty(tile), np.empty(tile)
    for start in range(0, n_rows, tile):
        stop = min(start + tile, n_rows)
        k = stop - start
        z, residual, e = z_tile[:k], residual_tile[:k], e_tile[:k]
        for at in range(n_fits):
            fill_predictor(rows, start, coefs[at], n_x, z)
            losses[at] += loss_and_residual(z, y[at, start:stop], weight[at, start:stop], residual, e)
            add_gradient(rows, start, residual, n_x, gradients[at])


@compiled(SUMS)
def _diagonal(rows: Rows, coef: FloatArray, centre: FloatArray, diagonal: FloatArray) -> None:
    """Add to `diagonal` `(2, n_coefs + 1)`, about the centre."""
    n_x, n_rows = centre.size, rows.y.size
    tile = tile_rows(n_x, 8, rows.sparse, n_rows)
    z_tile = np.empty(tile)
    for start in range(0, n_rows, tile):
        stop = min(start + tile, n_rows)
        curvature = z_tile[: stop - start]
        fill_predictor(rows, start, coef, n_x, curvature)
        curvature_at(curvature, rows.weight[start:stop])
        add_diagonal(rows, start, centre, curvature, diagonal)


@compiled(SUMS)
def _multiply(rows: Rows, coef: FloatArray, direction: FloatArray, n_x: int, product: FloatArray) -> None:
    """Add the Hessian times `direction` to `product` `(n_coefs + 1,)`, all about zero."""
    n_rows = rows.y.size
    tile = tile_rows(n_x, rows.x.itemsize, rows.sparse, n_rows)
    z_tile, d_tile = np.empty(tile), np.empty(tile)
    for start in range(0, n_rows, tile):
        stop = min(start + tile, n_rows)
        curvature, d = z_tile[: stop - start], d_tile[: stop - start]
        fill_predictor(rows, start, coef, n_x, curvature)
        curvature_at(curvature, rows.weight[start:stop])
        fill_predictor(rows, start, direction, n_x, d)
        for i in range(d.size):
            d[i] *= curvature[i]
        add_gradient(rows, start, d, n_x, product)


@compiled(EXACT)
def _draw(first_row: int, y: NDArray[np.float32], below: NDArray[np.uint64], state: np.uint64) -> NDArray[np.intp]:
    rows = np.empty(y.size, np.intp)
    n = 0
    for i in range(y.size):
        hashed = _splitmix(state + np.uint64(first_row + i) * STRIDE)
        rows[n] = i
        n += (hashed >> np.uint64(11)) < below[np.uint32(y[i])]  # without a branch
    return rows[:n].copy()
