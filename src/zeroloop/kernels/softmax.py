"""Several classes: the statistics of a pass with a row of coefficients for each class, and softmax for the loss.

For the formulas: Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray, Sums
from zeroloop.kernels.codes import first_mark
from zeroloop.kernels.compiled import SUMS, compiled, inlined
from zeroloop.kernels.dense import add_outputs, gradient_outputs
from zeroloop.kernels.hessian import move_codes_up
from zeroloop.kernels.logistic import exp_nonpositive, log1p_nonnegative
from zeroloop.kernels.sparse import add_sparse_outputs, gradient_sparse_outputs
from zeroloop.kernels.tiles import Rows, add_diagonal, add_hessian, rows_of, tile_rows
from zeroloop.kernels.totals import DiagonalSums, VectorSums


def sums(block: Block, coef: FloatArray, centre: FloatArray, order: int) -> Sums:
    """Return loss, weight and derivatives of one block.

    With `z[k, i]` the predictor of class k, as `zeroloop.kernels.sweep.sums` has it, and `p = softmax(z)`::

        loss               = sum_i weight[i] (log(sum_k exp(z[k, i])) - z[y[i], i])
        gradient[k, j]     = sum_i weight[i] (p[k, i] - [y[i] = k]) v[j, i]
        hessian[kj, lm]    = sum_i weight[i] p[k, i] ([k = l] - p[l, i]) v[j, i] v[m, i]      (upper triangle)

    Args:
        block: rows with labels 0 to K - 1; sparse columns by row where a Hessian is asked for.
        coef: `(K, n_coefs)`, about the centre.
        centre: `(n_x,)`.
        order: 0 for the loss, 1 for the gradient too, 2 for the Hessian too.

    """
    assert block.y is not None
    n_x = centre.size
    outputs = _outputs(coef, centre)
    gradient = _no_gradient(coef, n_x)
    n = block.n_coefs + 1
    hessian = np.zeros((len(coef), len(coef), n, n) if order == 2 else (0, 0, 0, 0))
    loss = _sweep(rows_of(block), *outputs, centre, order, *gradient, hessian)
    return Sums(
        loss,
        block.total_weight,
        _joined_gradient(*gradient, centre) if order >= 1 else None,
        _joined_hessian(hessian) if order == 2 else None,
    )


def shared_hessian(block: Block, coef: FloatArray, centre: FloatArray) -> Sums:
    """Return a stand-in for each class's part of the Hessian, where all of it is too large.

    Its `hessian` `(n_coefs, n_coefs)` is `sum_i weight[i] mean_k p[k, i] (1 - p[k, i]) v[j, i] v[m, i]`, its upper
    triangle; its `gradient` `(K, K)` is what a pair of classes has for that mean:
    `sum_i weight[i] p[k, i] ([k = l] - p[l, i])`.
    """
    n = block.n_coefs
    hessian, pairs = np.zeros((n + 1, n + 1)), np.zeros((len(coef), len(coef)))
    _add_shared(rows_of(block), *_outputs(coef, centre), centre, pairs, hessian)
    return Sums(0.0, block.total_weight, pairs, hessian[:n, :n])


def hessian_diagonal(block: Block, coef: FloatArray, centre: FloatArray) -> DiagonalSums:
    """Return the diagonal of the Hessian of one block."""
    both = np.zeros((len(coef), 2, block.n_coefs + 1))
    _diagonal(rows_of(block), *_outputs(coef, centre), centre, both)
    return DiagonalSums(block.total_weight, both[:, 0, :-1], both[:, 1, :-1])


def hessian_vector(block: Block, coef: FloatArray, direction: FloatArray, centre: FloatArray) -> VectorSums:
    """Return the Hessian of one block times `direction` `(K, n_coefs)`."""
    product = _no_gradient(coef, centre.size)
    _multiply(rows_of(block), *_outputs(coef, centre), *_outputs(direction, centre), *product)
    return VectorSums(block.total_weight, _joined_gradient(*product, centre))


def predictor(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the predictor of each class and row, `(K, rows)`."""
    z = np.empty((len(coef), block.n_rows))
    _predict(rows_of(block), *_outputs(coef, centre), z)
    return z


def probabilities(z: FloatArray) -> FloatArray:
    """Return the probability of each class and row, `(K, rows)`, of their predictor `z`."""
    shares = z.copy()
    _probabilities(shares)
    return shares


def _outputs(coef: FloatArray, centre: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return coefficients as the loops take them: `(K, n_x)` of numeric columns, `(n_coefs + 1, K)` of the others.

    The second has the intercepts, moved to zero, in its first row, and in its last "no level", which is zero.
    """
    numeric = np.ascontiguousarray(coef[:, 1 : 1 + centre.size])
    others = np.zeros((coef.shape[1] + 1, len(coef)))
    others[:-1] = coef.T
    others[0] -= numeric @ centre
    return numeric, others


def _no_gradient(coef: FloatArray, n_x: int) -> tuple[FloatArray, FloatArray]:
    """Return zeros to add a gradient to, in the shapes of `_outputs`."""
    return np.zeros((len(coef), n_x)), np.zeros((coef.shape[1] + 1, len(coef)))


def _joined_gradient(numeric: FloatArray, others: FloatArray, centre: FloatArray) -> FloatArray:
    """Return a gradient so added as `(K, n_coefs)`, about the centre."""
    gradient = others[:-1].T.copy()
    gradient[:, 1 : 1 + centre.size] = numeric - gradient[:, :1] * centre
    return gradient


def _joined_hessian(hessian: FloatArray) -> FloatArray:
    """Return the upper triangle over (class, coefficient), `(K n_coefs, K n_coefs)`, of its blocks' upper triangles."""
    n_classes, size = hessian.shape[0], hessian.shape[2] - 1
    whole = np.zeros((n_classes, size, n_classes, size))
    for k in range(n_classes):
        for m in range(k, n_classes):
            upper = hessian[k, m, :-1, :-1]
            whole[k, :, m] = np.where(np.tri(size, dtype=bool), upper.T, upper)
    return whole.reshape(n_classes * size, n_classes * size)


@inlined(SUMS)
def _fill(rows: Rows, start: int, numeric: FloatArray, others: FloatArray, z: FloatArray) -> None:
    """`z[k, i]` = the predictor of class k and row `start + i`."""
    n_outputs, k = z.shape
    n_x = numeric.shape[1]
    for output in range(n_outputs):
        z[output] = others[0, output]
    add_outputs(rows.x, rows.ld, rows.by_row, start, numeric, z)
    if rows.sparse.start.size > 0:
        add_sparse_outputs(rows.sparse, start, others[1 + n_x :], z)
    for c in range(rows.codes.shape[0]):
        for i in range(k):
            of_level = others[np.uint32(rows.codes[c, start + i])]
            for output in range(n_outputs):
                z[output, i] += of_level[output]
    for p in range(first_mark(rows.marks, start), first_mark(rows.marks, start + k)):
        for output in range(n_outputs):
            z[output, rows.marks[0, p] - start] += others[rows.marks[1, p], output]


@inlined(SUMS)
def _add_gradient(rows: Rows, start: int, d: FloatArray, numeric: FloatArray, others: FloatArray) -> None:
    """Add `sum_i d[k, i] v[j, start + i]` of every term j, numeric ones about zero."""
    n_outputs, k = d.shape
    n_x = numeric.shape[1]
    for output in range(n_outputs):
        others[0, output] += np.sum(d[output])
    gradient_outputs(rows.x, rows.ld, rows.by_row, start, d, numeric)
    if rows.sparse.start.size > 0:
        gradient_sparse_outputs(rows.sparse, start, d, others[1 + n_x :])
    for c in range(rows.codes.shape[0]):
        for i in range(k):
            of_level = others[np.uint32(rows.codes[c, start + i])]
            for output in range(n_outputs):
                of_level[output] += d[output, i]
    for p in range(first_mark(rows.marks, start), first_mark(rows.marks, start + k)):
        for output in range(n_outputs):
            others[rows.marks[1, p], output] += d[output, rows.marks[0, p] - start]


@inlined(SUMS)
def _times_weight(values: FloatArray, weight: FloatArray, start: int) -> None:
    """Multiply `values[k, i]` by the weight of row `start + i`."""
    if weight.size > 0:
        for k in range(values.shape[0]):
            for i in range(values.shape[1]):
                values[k, i] *= weight[start + i]


@compiled(SUMS)
def _sweep(
    rows: Rows,
    numeric: FloatArray,
    others: FloatArray,
    centre: FloatArray,
    order: int,
    numeric_gradient: FloatArray,
    other_gradient: FloatArray,
    hessian: FloatArray,
) -> float:
    n_rows, n_outputs = rows.y.size, others.shape[1]
    tile = tile_rows(centre.size, 8 if order == 2 else rows.x.itemsize, rows.sparse, n_rows)
    loss = 0.0
    for start in range(0, n_rows, tile):
        k = min(tile, n_rows - start)
        z, share = np.empty((n_outputs, k)), np.empty((n_outputs, k))
        _fill(rows, start, numeric, others, z)
        loss += _loss_and_residuals(z, rows.y[start : start + k], rows.weight[start : start + k], share)
        if order >= 1:
            _add_gradient(rows, start, z, numeric_gradient, other_gradient)
        if order == 2:
            _add_hessians(rows, start, centre, share, hessian)
    for k in range(len(hessian)):
        for m in range(k, len(hessian)):
            move_codes_up(hessian[k, m], 1 + centre.size)
    return loss


@compiled(SUMS)
def _predict(rows: Rows, numeric: FloatArray, others: FloatArray, z: FloatArray) -> None:
    n_rows = z.shape[1]
    tile = tile_rows(numeric.shape[1], rows.x.itemsize, rows.sparse, n_rows)
    for start in range(0, n_rows, tile):
        part = np.empty((z.shape[0], min(tile, n_rows - start)))
        _fill(rows, start, numeric, others, part)
        z[:, start : start + part.shape[1]] = part


@compiled(SUMS)
def _add_shared(
    rows: Rows,
    numeric: FloatArray,
    others: FloatArray,
    centre: FloatArray,
    pairs: FloatArray,
    hessian: FloatArray,
) -> None:
    n_rows = rows.y.size
    tile = tile_rows(centre.size, 8, rows.sparse, n_rows)
    for start in range(0, n_rows, tile):
        z = np.empty((others.shape[1], min(tile, n_rows - start)))
        mean = np.zeros(z.shape[1])
        _fill(rows, start, numeric, others, z)
        _softmax(z)
        for k in range(z.shape[0]):
            for i in range(z.shape[1]):
                weighted = z[k, i] * (rows.weight[start + i] if rows.weight.size > 0 else 1.0)
                mean[i] += weighted * (1.0 - z[k, i]) / z.shape[0]
                pairs[k, k] += weighted
                for m in range(z.shape[0]):
                    pairs[k, m] -= weighted * z[m, i]
        add_hessian(rows, start, centre, mean, hessian)
    move_codes_up(hessian, 1 + centre.size)


@compiled(SUMS)
def _diagonal(rows: Rows, numeric: FloatArray, others: FloatArray, centre: FloatArray, diagonal: FloatArray) -> None:
    n_rows = rows.y.size
    tile = tile_rows(centre.size, 8, rows.sparse, n_rows)
    for start in range(0, n_rows, tile):
        z = np.empty((others.shape[1], min(tile, n_rows - start)))
        _fill(rows, start, numeric, others, z)
        _softmax(z)
        z *= 1 - z
        _times_weight(z, rows.weight, start)
        for k in range(z.shape[0]):
            add_diagonal(rows, start, centre, z[k], diagonal[k])


@compiled(SUMS)
def _multiply(
    rows: Rows,
    numeric: FloatArray,
    others: FloatArray,
    numeric_direction: FloatArray,
    other_directions: FloatArray,
    numeric_product: FloatArray,
    other_products: FloatArray,
) -> None:
    """Add the Hessian times a direction, all about zero."""
    n_rows = rows.y.size
    tile = tile_rows(numeric.shape[1], rows.x.itemsize, rows.sparse, n_rows)
    for start in range(0, n_rows, tile):
        shape = (others.shape[1], min(tile, n_rows - start))
        p, u = np.empty(shape), np.empty(shape)
        _fill(rows, start, numeric, others, p)
        _fill(rows, start, numeric_direction, other_directions, u)
        _softmax(p)
        mean = np.zeros(shape[1])
        for k in range(shape[0]):
            mean += p[k] * u[k]
        for k in range(shape[0]):
            u[k] = p[k] * (u[k] - mean)
        _times_weight(u, rows.weight, start)
        _add_gradient(rows, start, u, numeric_product, other_products)


@compiled(SUMS)
def _probabilities(z: FloatArray) -> None:
    _softmax(z)


@inlined(SUMS)
def _softmax(z: FloatArray) -> None:
    """Replace `z[k, i]` by `exp(z[k, i]) / sum_l exp(z[l, i])`."""
    largest, total = z[0].copy(), np.zeros(z.shape[1])
    for k in range(1, z.shape[0]):
        for i in range(total.size):
            largest[i] = max(largest[i], z[k, i])
    for k in range(z.shape[0]):
        for i in range(total.size):
            z[k, i] = exp_nonpositive(z[k, i] - largest[i])
            total[i] += z[k, i]
    for k in range(z.shape[0]):
        for i in range(total.size):
            z[k, i] /= total[i]


@inlined(SUMS)
def _loss_and_residuals(z: FloatArray, y: NDArray[np.float32], weight: FloatArray, share: FloatArray) -> float:
    """Return the loss; replace `z` by its derivative `weight (p - [y = k])`, and fill `share` with p."""
    n_rows = z.shape[1]
    largest = z[0].copy()
    for k in range(1, z.shape[0]):
        for i in range(n_rows):
            largest[i] = max(largest[i], z[k, i])
    right = np.empty(n_rows)
    for i in range(n_rows):
        right[i] = z[np.uint32(y[i]), i] - largest[i]
    total = np.full(n_rows, -1.0)  # the largest class's exp is 1: log(total) is a log1p of the others
    for k in range(z.shape[0]):
        for i in range(n_rows):
            share[k, i] = exp_nonpositive(z[k, i] - largest[i])
            total[i] += share[k, i]
    loss = 0.0
    for i in range(n_rows):
        w = weight[i] if weight.size > 0 else 1.0
        loss += w * (log1p_nonnegative(max(total[i], 0.0)) - right[i])
    for k in range(z.shape[0]):
        for i in range(n_rows):
            share[k, i] /= 1.0 + total[i]
            z[k, i] = share[k, i]
    for i in range(n_rows):
        z[np.uint32(y[i]), i] -= 1.0
    if weight.size > 0:
        for k in range(z.shape[0]):
            for i in range(n_rows):
                z[k, i] *= weight[i]
    return loss


@inlined(SUMS)
def _add_hessians(rows: Rows, start: int, centre: FloatArray, share: FloatArray, hessian: FloatArray) -> None:
    """Add a tile's part of every pair of classes k <= l to `hessian` `(K, K, n_coefs + 1, n_coefs + 1)`."""
    n_classes, n_rows = share.shape
    curvature = np.empty(n_rows)
    for k in range(n_classes):
        for m in range(k, n_classes):
            for i in range(n_rows):
                w = rows.weight[start + i] if rows.weight.size > 0 else 1.0
                curvature[i] = w * share[k, i] * ((1.0 if k == m else 0.0) - share[m, i])
            add_hessian(rows, start, centre, curvature, hessian[k, m])
