"""One block in, its totals out: the fused sweep, compiled. `zeroloop.kernels.small` is its twin for small data.

A block is swept tile by tile. While a tile's rows are in cache they give the predictor, the loss and its
derivatives, the gradient and, when asked, the Hessian: memory is read once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import STRIDE, Block, FloatArray, Sums, mixed, splitmix
from zeroloop.kernels.codes import add_codes, add_marks, gradient_codes, gradient_marks
from zeroloop.kernels.compiled import EXACT, SUMS, compiled
from zeroloop.kernels.dense import (
    add_moments,
    add_row_major,
    add_stacked,
    gradient_row_major,
    gradient_stacked,
    tile_rows,
)
from zeroloop.kernels.hessian import (
    diagonal_numeric,
    hessian_codes,
    hessian_marks,
    hessian_numeric,
    move_codes_up,
    shift,
)
from zeroloop.kernels.logistic import curvature_at, curvature_of, loss_and_residual, sigmoids
from zeroloop.kernels.totals import DiagonalSums, Moments, VectorSums

__all__ = ["draw", "hessian_diagonal", "hessian_vector", "moments", "predictor", "probabilities", "sums"]

_splitmix = compiled(EXACT)(splitmix)
_NO_LABELS = np.empty(0, np.float32)
_NO_WEIGHT = np.empty(0)


class Rows(NamedTuple):
    """A block as the compiled loops take it; `weight` and `y` are empty where the block has none."""

    x: NDArray[Any]
    ld: int
    by_row: bool
    codes: NDArray[np.int32]
    marks: NDArray[np.int32]
    y: NDArray[np.float32]
    weight: FloatArray


def _rows(block: Block) -> Rows:
    y = _NO_LABELS if block.y is None else block.y
    weight = _NO_WEIGHT if block.weight is None else block.weight
    return Rows(*block.flat, block.codes, block.marks, y, weight)


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
    gradient = np.zeros(n + 1)
    hessian = np.zeros((n + 1, n + 1) if order == 2 else (0, 0))
    loss = _sweep(_rows(block), _about_zero(coef, centre), centre, order, gradient, hessian)
    gradient[1 : 1 + centre.size] -= centre * gradient[0]
    return Sums(
        loss=loss,
        weight=block.total_weight,
        gradient=gradient[np.newaxis, :n] if order >= 1 else None,
        hessian=hessian[:n, :n] if order == 2 else None,
    )


def hessian_diagonal(block: Block, coef: FloatArray, centre: FloatArray) -> DiagonalSums:
    """Return the diagonal of `sums(..., order=2).hessian` of one block, for the price of a gradient."""
    assert block.y is not None
    both = np.zeros((2, block.n_coefs + 1))
    _diagonal(_rows(block), _about_zero(coef, centre), centre, both)
    return DiagonalSums(block.total_weight, both[0, :-1], both[1, :-1])


def hessian_vector(block: Block, coef: FloatArray, direction: FloatArray, centre: FloatArray) -> VectorSums:
    """Return `sums(..., order=2).hessian @ direction` of one block, for the price of a gradient.

    Args:
        block: rows with labels.
        coef: `(1, n_coefs)`, about the centre, as in `sums`.
        direction: `(1, n_coefs)`, about the centre too.
        centre: `(n_x,)`.

    """
    assert block.y is not None
    product = np.zeros(block.n_coefs + 1)
    _multiply(_rows(block), _about_zero(coef, centre), _about_zero(direction, centre), centre.size, product)
    product[1 : 1 + centre.size] -= centre * product[0]
    return VectorSums(block.total_weight, product[np.newaxis, :-1])


def predictor(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the linear predictor `z` of each row, `(rows,)`; arguments as in `sums`."""
    z = np.empty(block.n_rows)
    _predict(_rows(block), _about_zero(coef, centre), centre.size, z)
    return z


def probabilities(z: FloatArray) -> FloatArray:
    """Return the probabilities of labels 0 and 1, `(2, rows)`, of the predictor `z`."""
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


def draw(block: Block, fractions: tuple[float, float], seed: int) -> NDArray[np.intp]:
    """Return the positions of some rows, drawn by `zeroloop.blocks.hash_rows` of their index and the seed.

    Args:
        block: rows with labels.
        fractions: of the rows with label 0, and with label 1.
        seed: of the hash.

    """
    assert block.y is not None
    below = [np.uint64(fraction * 2**53) for fraction in fractions]
    return _draw(block.first_row, block.y, below[0], below[1], mixed(seed)[0])


def moments(block: Block) -> Moments:
    """Return weight, mean and summed squared deviation of a block's numeric columns."""
    n_x = block.numeric.shape[0]
    x, ld, by_row = block.flat
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    origin = block.numeric[:, 0].astype(np.float64)
    total, squares = np.zeros(n_x), np.zeros(n_x)
    add_moments(x, ld, by_row, weight, origin, total, squares)
    w = float(np.sum(weight))
    shifted = total / w if w > 0 else total
    return Moments(np.full(n_x, w), origin + shifted, np.maximum(squares - shifted * total, 0.0))


@compiled(SUMS)
def _fill_predictor(rows: Rows, start: int, coef: FloatArray, n_x: int, z: FloatArray) -> None:
    """`z[i]` = the linear predictor of row `start + i`."""
    z[:] = coef[0]
    if rows.by_row:
        add_row_major(rows.x, rows.ld, start, coef[1 : 1 + n_x], z)
    else:
        add_stacked(rows.x, rows.ld, start, coef[1 : 1 + n_x], z)
    add_codes(rows.codes, start, coef, z)
    add_marks(rows.marks, start, coef, z)


@compiled(SUMS)
def _add_gradient(rows: Rows, start: int, d: FloatArray, n_x: int, gradient: FloatArray) -> None:
    """`gradient[j] += sum_i d[i] v[j, start + i]` for every term, numeric ones about zero."""
    gradient[0] += np.sum(d)
    if rows.by_row:
        gradient_row_major(rows.x, rows.ld, start, d, gradient[1 : 1 + n_x])
    else:
        gradient_stacked(rows.x, rows.ld, start, d, gradient[1 : 1 + n_x])
    gradient_codes(rows.codes, start, d, gradient)
    gradient_marks(rows.marks, start, d, gradient)


@compiled(SUMS)
def _predict(rows: Rows, coef: FloatArray, n_x: int, z: FloatArray) -> None:
    tile = tile_rows(n_x, rows.x.itemsize)
    for start in range(0, z.size, tile):
        _fill_predictor(rows, start, coef, n_x, z[start : min(start + tile, z.size)])


@compiled(SUMS)
def _sweep(
    rows: Rows, coef: FloatArray, centre: FloatArray, order: int, gradient: FloatArray, hessian: FloatArray
) -> float:
    """Return the loss; add to `gradient` `(n_coefs + 1,)`, taken about zero, and `hessian`, about the centre."""
    n_x, n_rows = centre.size, rows.y.size
    tile = tile_rows(n_x, 8 if order == 2 else rows.x.itemsize)
    z_tile, residual_tile, e_tile = np.empty(tile), np.empty(tile), np.empty(tile)
    loss = 0.0
    for start in range(0, n_rows, tile):
        stop = min(start + tile, n_rows)
        k = stop - start
        z, residual, e = z_tile[:k], residual_tile[:k], e_tile[:k]
        weight = rows.weight[start:stop]
        _fill_predictor(rows, start, coef, n_x, z)
        loss += loss_and_residual(z, rows.y[start:stop], weight, residual, e)
        if order >= 1:
            _add_gradient(rows, start, residual, n_x, gradient)
        if order == 2:
            curvature_of(e, weight)
            v = np.empty((1 + n_x, k))
            shift(rows.x, rows.ld, rows.by_row, start, centre, v)
            hessian_numeric(v, e, hessian)
            hessian_codes(rows.codes, start, v, e, hessian)
            hessian_marks(rows.codes, rows.marks, start, v, e, hessian)
    if order == 2:
        move_codes_up(hessian, 1 + n_x)
    return loss


@compiled(SUMS)
def _diagonal(rows: Rows, coef: FloatArray, centre: FloatArray, diagonal: FloatArray) -> None:
    """Add to `diagonal` `(2, n_coefs + 1)`, about the centre."""
    n_x, n_rows = centre.size, rows.y.size
    tile = tile_rows(n_x, 8)
    z_tile = np.empty(tile)
    for start in range(0, n_rows, tile):
        stop = min(start + tile, n_rows)
        curvature = z_tile[: stop - start]
        _fill_predictor(rows, start, coef, n_x, curvature)
        curvature_at(curvature, rows.weight[start:stop])
        v = np.empty((1 + n_x, stop - start))
        shift(rows.x, rows.ld, rows.by_row, start, centre, v)
        diagonal_numeric(v, curvature, diagonal)
        for power in range(2):
            gradient_codes(rows.codes, start, curvature, diagonal[power])
            gradient_marks(rows.marks, start, curvature, diagonal[power])
            curvature *= curvature


@compiled(SUMS)
def _multiply(rows: Rows, coef: FloatArray, direction: FloatArray, n_x: int, product: FloatArray) -> None:
    """Add the Hessian times `direction` to `product` `(n_coefs + 1,)`, all about zero."""
    n_rows = rows.y.size
    tile = tile_rows(n_x, rows.x.itemsize)
    z_tile, d_tile = np.empty(tile), np.empty(tile)
    for start in range(0, n_rows, tile):
        stop = min(start + tile, n_rows)
        curvature, d = z_tile[: stop - start], d_tile[: stop - start]
        _fill_predictor(rows, start, coef, n_x, curvature)
        curvature_at(curvature, rows.weight[start:stop])
        _fill_predictor(rows, start, direction, n_x, d)
        d *= curvature
        _add_gradient(rows, start, d, n_x, product)


@compiled(EXACT)
def _draw(
    first_row: int, y: NDArray[np.float32], below_0: np.uint64, below_1: np.uint64, state: np.uint64
) -> NDArray[np.intp]:
    rows = np.empty(y.size, np.intp)
    n = 0
    for i in range(y.size):
        hashed = _splitmix(state + np.uint64(first_row + i) * STRIDE)
        rows[n] = i
        n += (hashed >> np.uint64(11)) < (below_1 if y[i] > 0.5 else below_0)  # without a branch
    return rows[:n].copy()
