"""Several classes: the statistics of a pass with a row of coefficients for each class, and softmax for the loss.

Numeric columns are matrix products, which BLAS does best; codes, marks and sparse columns are gathered and scattered
for all outputs at once. For the formulas: Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray, Sums
from zeroloop.kernels.codes import first_mark
from zeroloop.kernels.compiled import SUMS, compiled
from zeroloop.kernels.hessian import move_codes_up
from zeroloop.kernels.logistic import exp_nonpositive, log1p_nonnegative
from zeroloop.kernels.sparse import add_sparse_outputs, gradient_sparse_outputs
from zeroloop.kernels.tiles import Rows, add_diagonal, add_hessian, rows_of
from zeroloop.kernels.totals import DiagonalSums, VectorSums

TILE_VALUES = 131_072  # numeric values of a tile: large enough for BLAS, small enough for a second-level cache


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
    rows, n = rows_of(block), block.n_coefs
    gradient = np.zeros((n + 1, len(coef)))
    hessian = np.zeros((len(coef), len(coef), n + 1, n + 1) if order == 2 else (0, 0, 0, 0))
    loss = 0.0
    for part, start, z in _predictors(block, rows, coef, centre):
        share = np.empty_like(z)
        loss += _loss_and_residuals(z, rows.y[start:], rows.weight[start:], share)
        if order >= 1:
            _add_gradient(rows, part, start, z, gradient)
        if order == 2:
            _add_hessians(rows, start, centre, share, hessian)
    gradient[1 : 1 + centre.size] -= centre[:, np.newaxis] * gradient[0]
    return Sums(
        loss,
        block.total_weight,
        gradient[:n].T.copy() if order >= 1 else None,
        _joined(hessian, 1 + centre.size) if order == 2 else None,
    )


def shared_hessian(block: Block, coef: FloatArray, centre: FloatArray) -> Sums:
    """Return a stand-in for each class's part of the Hessian, where all of it is too large.

    Its `hessian` `(n_coefs, n_coefs)` is `sum_i weight[i] mean_k p[k, i] (1 - p[k, i]) v[j, i] v[m, i]`, its upper
    triangle; its `gradient` `(K, 1)` is what each class has instead of the mean: `sum_i weight[i] p[k, i] (1 - p[k, i])`.
    """
    rows, n = rows_of(block), block.n_coefs
    hessian = np.zeros((n + 1, n + 1))
    curvatures = np.zeros(len(coef))
    for _, start, z in _predictors(block, rows, coef, centre):
        _softmax(z)
        z *= 1 - z
        if rows.weight.size > 0:
            z *= rows.weight[start : start + z.shape[1]]
        curvatures += np.sum(z, axis=1)
        add_hessian(rows, start, centre, np.mean(z, axis=0), hessian)
    move_codes_up(hessian, 1 + centre.size)
    return Sums(0.0, block.total_weight, curvatures[:, np.newaxis], hessian[:n, :n])


def hessian_diagonal(block: Block, coef: FloatArray, centre: FloatArray) -> DiagonalSums:
    """Return the diagonal of the Hessian of one block."""
    rows = rows_of(block)
    both = np.zeros((len(coef), 2, block.n_coefs + 1))
    for _, start, z in _predictors(block, rows, coef, centre):
        _softmax(z)
        z *= 1 - z
        if rows.weight.size > 0:
            z *= rows.weight[start : start + z.shape[1]]
        for of_class, curvature in zip(both, z, strict=True):
            add_diagonal(rows, start, centre, curvature, of_class)
    return DiagonalSums(block.total_weight, both[:, 0, :-1], both[:, 1, :-1])


def hessian_vector(block: Block, coef: FloatArray, direction: FloatArray, centre: FloatArray) -> VectorSums:
    """Return the Hessian of one block times `direction` `(K, n_coefs)`."""
    rows, n = rows_of(block), block.n_coefs
    product = np.zeros((n + 1, len(coef)))
    both = zip(_predictors(block, rows, coef, centre), _predictors(block, rows, direction, centre), strict=True)
    for (part, start, p), (_, _, u) in both:
        _softmax(p)
        u -= np.sum(p * u, axis=0)
        u *= p
        if rows.weight.size > 0:
            u *= rows.weight[start : start + u.shape[1]]
        _add_gradient(rows, part, start, u, product)
    product[1 : 1 + centre.size] -= centre[:, np.newaxis] * product[0]
    return VectorSums(block.total_weight, product[:n].T.copy())


def predictor(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the predictor of each class and row, `(K, rows)`."""
    return np.concatenate([z for _, _, z in _predictors(block, rows_of(block), coef, centre)], axis=1)


def probabilities(z: FloatArray) -> FloatArray:
    """Return the probability of each class and row, `(K, rows)`, of their predictor `z`."""
    shares = z.copy()
    _softmax(shares)
    return shares


def _predictors(
    block: Block, rows: Rows, coef: FloatArray, centre: FloatArray
) -> Iterator[tuple[NDArray[Any], int, FloatArray]]:
    """Yield (numeric columns, first row, predictor `(K, k)`) of each tile."""
    n_x = centre.size
    weights = coef[:, 1 : 1 + n_x]
    of_code = np.zeros((coef.shape[1] + 1, len(coef)))
    of_code[:-1] = coef.T
    intercepts = coef[:, 0] - weights @ centre
    gathers = rows.codes.size + rows.marks.size + rows.sparse.start.size > 0
    step = max(64, TILE_VALUES // max(n_x, len(coef)))
    if not rows.sparse.by_row:
        step = max(block.n_rows, 1)
    for start in range(0, max(block.n_rows, 1), step):
        part = block.numeric[:, start : start + step].astype(np.float64, copy=False)
        z = weights @ part
        z += intercepts[:, np.newaxis]
        if gathers:
            _gather(rows, start, of_code, n_x, z)
        yield part, start, z


def _add_gradient(rows: Rows, part: NDArray[Any], start: int, d: FloatArray, gradient: FloatArray) -> None:
    """`gradient[j, k] += sum_i d[k, i] v[j, start + i]` for every term, numeric ones about zero."""
    gradient[0] += np.sum(d, axis=1)
    gradient[1 : 1 + len(part)] += part @ d.T
    if rows.codes.size + rows.marks.size + rows.sparse.start.size > 0:
        _scatter(rows, start, d, len(part), gradient)


def _joined(hessian: FloatArray, n: int) -> FloatArray:
    """Return the upper triangle over (class, coefficient), `(K n_coefs, K n_coefs)`, of its blocks' upper triangles."""
    n_classes, size = hessian.shape[0], hessian.shape[2] - 1
    whole = np.zeros((n_classes, size, n_classes, size))
    for k in range(n_classes):
        for m in range(k, n_classes):
            move_codes_up(hessian[k, m], n)
            upper = hessian[k, m, :-1, :-1]
            whole[k, :, m] = np.where(np.tri(size, dtype=bool), upper.T, upper)
    return whole.reshape(n_classes * size, n_classes * size)


@compiled(SUMS)
def _gather(rows: Rows, start: int, coef: FloatArray, n_x: int, z: FloatArray) -> None:
    """Add the part of codes, marks and sparse columns to the predictor; `coef` is `(n_coefs + 1, K)`."""
    n_outputs, k = z.shape
    if rows.sparse.start.size > 0:
        add_sparse_outputs(rows.sparse, start, coef[1 + n_x :], z)
    for c in range(rows.codes.shape[0]):
        for i in range(k):
            of_level = coef[np.uint32(rows.codes[c, start + i])]
            for output in range(n_outputs):
                z[output, i] += of_level[output]
    for p in range(first_mark(rows.marks, start), first_mark(rows.marks, start + k)):
        for output in range(n_outputs):
            z[output, rows.marks[0, p] - start] += coef[rows.marks[1, p], output]


@compiled(SUMS)
def _scatter(rows: Rows, start: int, d: FloatArray, n_x: int, gradient: FloatArray) -> None:
    """Add the part of codes, marks and sparse columns to the gradient."""
    n_outputs, k = d.shape
    if rows.sparse.start.size > 0:
        gradient_sparse_outputs(rows.sparse, start, d, gradient[1 + n_x :])
    for c in range(rows.codes.shape[0]):
        for i in range(k):
            of_level = gradient[np.uint32(rows.codes[c, start + i])]
            for output in range(n_outputs):
                of_level[output] += d[output, i]
    for p in range(first_mark(rows.marks, start), first_mark(rows.marks, start + k)):
        for output in range(n_outputs):
            gradient[rows.marks[1, p], output] += d[output, rows.marks[0, p] - start]


@compiled(SUMS)
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


@compiled(SUMS)
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


@compiled(SUMS)
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
