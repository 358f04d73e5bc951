"""One block in, its totals out: the fused sweep, compiled. `zeroloop.kernels.small` is its twin for small data.

A block is swept tile by tile. While a tile's rows are in cache they give the predictor, the loss and its
derivatives, the gradient and, when asked, the Hessian: memory is read once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray, Sums
from zeroloop.kernels.codes import add_codes, gradient_codes
from zeroloop.kernels.compiled import SUMS, compiled
from zeroloop.kernels.dense import (
    add_moments,
    add_row_major,
    add_stacked,
    flat,
    gradient_row_major,
    gradient_stacked,
    tile_rows,
)
from zeroloop.kernels.hessian import diagonal_numeric, hessian_codes, hessian_numeric, move_codes_up, shift
from zeroloop.kernels.logistic import loss_and_derivatives, sigmoid
from zeroloop.kernels.totals import DiagonalSums, Moments

__all__ = ["hessian_diagonal", "moments", "predictor", "sigmoid", "sums"]

_NO_WEIGHT = np.empty(0)


def sums(block: Block, coef: FloatArray, centre: FloatArray, order: int) -> Sums:
    """Return loss, weight and derivatives of one block: the statistic of a pass.

    With `v = x - centre` and `z = coef[0] + sum_j coef[1 + j] v[j] + sum_c coef[code[c]]`::

        loss           = sum_i weight[i] (max(z[i], 0) - y[i] z[i] + log(1 + exp(-|z[i]|)))
        gradient[j]    = sum_i weight[i] (a[i] - y[i]) v[j, i]
        hessian[j, l]  = sum_i weight[i] a[i] (1 - a[i]) v[j, i] v[l, i]      (upper triangle)

    Args:
        block: rows with labels.
        coef: `(1, n_coefs)`, about the centre: `coef[0, 0]` is the predictor where `x = centre`.
        centre: `(n_x,)`, subtracted from the numeric columns; by arithmetic on sums, not on stored data.
        order: 0 for the loss, 1 for the gradient too, 2 for the Hessian too.

    """
    assert block.y is not None
    n = block.n_coefs
    x, ld, by_row = flat(block.numeric)
    weight = _NO_WEIGHT if block.weight is None else block.weight
    extended = _about_zero(coef, centre)
    gradient = np.zeros(n + 1)
    hessian = np.zeros((n + 1, n + 1) if order == 2 else (0, 0))
    loss = _sweep(x, ld, by_row, block.codes, block.y, weight, extended, centre, order, gradient, hessian)
    gradient[1 : 1 + centre.size] -= centre * gradient[0]
    return Sums(
        loss=float(loss),
        weight=float(block.n_rows) if block.weight is None else float(np.sum(weight)),
        gradient=gradient[np.newaxis, :n] if order >= 1 else None,
        hessian=hessian[:n, :n] if order == 2 else None,
    )


def hessian_diagonal(block: Block, coef: FloatArray, centre: FloatArray) -> DiagonalSums:
    """Return the diagonal of `sums(..., order=2).hessian` of one block, for the price of a gradient."""
    assert block.y is not None
    x, ld, by_row = flat(block.numeric)
    weight = _NO_WEIGHT if block.weight is None else block.weight
    both = np.zeros((2, block.n_coefs + 1))
    _diagonal(x, ld, by_row, block.codes, block.y, weight, _about_zero(coef, centre), centre, both)
    total = float(block.n_rows) if block.weight is None else float(np.sum(weight))
    return DiagonalSums(total, both[0, :-1], both[1, :-1])


def predictor(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the linear predictor `z` of each row, `(rows,)`; arguments as in `sums`."""
    x, ld, by_row = flat(block.numeric)
    z = np.empty(block.n_rows)
    _predict(x, ld, by_row, block.codes, _about_zero(coef, centre), centre.size, z)
    return z


def _about_zero(coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Move the intercept from the centre to zero; append the coefficient of "no level", which is zero."""
    extended = np.append(coef[0], 0.0)
    extended[0] -= centre @ extended[1 : 1 + centre.size]
    return extended


def moments(block: Block) -> Moments:
    """Return weight, mean and summed squared deviation of a block's numeric columns."""
    n_x = block.numeric.shape[0]
    x, ld, by_row = flat(block.numeric)
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    origin = block.numeric[:, 0].astype(np.float64)
    total, squares = np.zeros(n_x), np.zeros(n_x)
    add_moments(x, ld, by_row, weight, origin, total, squares)
    w = float(np.sum(weight))
    shifted = total / w if w > 0 else total
    return Moments(np.full(n_x, w), origin + shifted, np.maximum(squares - shifted * total, 0.0))


@compiled(SUMS)
def _add_predictor(
    x: NDArray[Any],
    ld: int,
    by_row: bool,
    codes: NDArray[np.int32],
    start: int,
    coef: FloatArray,
    n_x: int,
    z: FloatArray,
) -> None:
    z[:] = coef[0]
    if by_row:
        add_row_major(x, ld, start, coef[1 : 1 + n_x], z)
    else:
        add_stacked(x, ld, start, coef[1 : 1 + n_x], z)
    add_codes(codes, start, coef, z)


@compiled(SUMS)
def _predict(
    x: NDArray[Any],
    ld: int,
    by_row: bool,
    codes: NDArray[np.int32],
    coef: FloatArray,
    n_x: int,
    z: FloatArray,
) -> None:
    tile = tile_rows(n_x, x.itemsize)
    for start in range(0, z.size, tile):
        _add_predictor(x, ld, by_row, codes, start, coef, n_x, z[start : min(start + tile, z.size)])


@compiled(SUMS)
def _sweep(
    x: NDArray[Any],
    ld: int,
    by_row: bool,
    codes: NDArray[np.int32],
    y: NDArray[np.float32],
    weight: FloatArray,
    coef: FloatArray,
    centre: FloatArray,
    order: int,
    gradient: FloatArray,
    hessian: FloatArray,
) -> float:
    """Return the loss; add to `gradient` `(n_coefs + 1,)`, taken about zero, and `hessian`, about the centre."""
    n_x = centre.size
    tile = tile_rows(n_x, 8 if order == 2 else x.itemsize)
    z_tile, residual_tile, curvature_tile, e_tile = (
        np.empty(tile),
        np.empty(tile),
        np.empty(tile),
        np.empty(tile),
    )
    loss = 0.0
    for start in range(0, y.size, tile):
        stop = min(start + tile, y.size)
        k = stop - start
        z, residual, curvature = z_tile[:k], residual_tile[:k], curvature_tile[:k]
        _add_predictor(x, ld, by_row, codes, start, coef, n_x, z)
        loss += loss_and_derivatives(z, y[start:stop], weight[start:stop], residual, curvature, e_tile)
        if order == 0:
            continue
        gradient[0] += np.sum(residual)
        if by_row:
            gradient_row_major(x, ld, start, residual, gradient[1 : 1 + n_x])
        else:
            gradient_stacked(x, ld, start, residual, gradient[1 : 1 + n_x])
        gradient_codes(codes, start, residual, gradient)
        if order == 2:
            v = np.empty((1 + n_x, k))
            shift(x, ld, by_row, start, centre, v)
            hessian_numeric(v, curvature, hessian)
            hessian_codes(codes, start, v, curvature, hessian)
    if order == 2:
        move_codes_up(hessian, 1 + n_x)
    return loss


@compiled(SUMS)
def _diagonal(
    x: NDArray[Any],
    ld: int,
    by_row: bool,
    codes: NDArray[np.int32],
    y: NDArray[np.float32],
    weight: FloatArray,
    coef: FloatArray,
    centre: FloatArray,
    diagonal: FloatArray,
) -> None:
    """Add to `diagonal` `(2, n_coefs + 1)`, about the centre."""
    n_x = centre.size
    tile = tile_rows(n_x, 8)
    z_tile, residual_tile, curvature_tile, e_tile = np.empty(tile), np.empty(tile), np.empty(tile), np.empty(tile)
    for start in range(0, y.size, tile):
        stop = min(start + tile, y.size)
        k = stop - start
        z, curvature = z_tile[:k], curvature_tile[:k]
        _add_predictor(x, ld, by_row, codes, start, coef, n_x, z)
        loss_and_derivatives(z, y[start:stop], weight[start:stop], residual_tile[:k], curvature, e_tile)
        v = np.empty((1 + n_x, k))
        shift(x, ld, by_row, start, centre, v)
        diagonal_numeric(v, curvature, diagonal)
        gradient_codes(codes, start, curvature, diagonal[0])
        for i in range(k):
            curvature[i] *= curvature[i]
        gradient_codes(codes, start, curvature, diagonal[1])
