"""Coordinate descent over some columns of all rows: for penalties with many coefficients, of which few are off zero.

A pass picks the wanted columns out of the blocks; then the loss of those columns alone is minimised here, and no other
column is read. In theta's units throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray
from zeroloop.kernels import few
from zeroloop.kernels.compiled import SUMS, compiled, inlined, read_only
from zeroloop.kernels.few import Terms as Terms
from zeroloop.kernels.logistic import exp_nonpositive, log1p_nonnegative
from zeroloop.kernels.sparse import Lines, lines
from zeroloop.sparse import Pointers

LOOSE = 0.3  # of the violation that a quadratic model starts from: what its solution may leave
TIGHT = 0.5  # of tol, below which no model need be solved
DENSE = 0.5  # share of values stored, above which products with whole columns are faster
MOST_SWEEPS = 30  # of one model


class Piece(NamedTuple):
    """The wanted columns in one block, one after the other, as `Columns` has them; labels and weights of its rows."""

    start: Pointers
    rows: NDArray[np.int32]
    values: FloatArray
    y: NDArray[np.float32]
    weight: FloatArray


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces of some blocks, in order; addable."""

    pieces: tuple[Piece, ...]

    def __add__(self, other: Self) -> Pieces:
        return Pieces(self.pieces + other.pieces)


class Columns(NamedTuple):
    """Columns, one after the other: column l has `values[start[l] : start[l + 1]]` in rows `rows[...]`.

    `y` and `weight` are those of the rows; the weights sum to 1.
    """

    start: Pointers
    rows: NDArray[np.int32]
    values: FloatArray
    y: NDArray[np.int32]
    weight: FloatArray


def pick(block: Block, position: NDArray[np.int64], centre: FloatArray, unit: FloatArray) -> Pieces:
    """Return a block's values in the coefficients wanted.

    Args:
        block: rows with labels.
        position: `(n_coefs + 1,)`, of each coefficient among the wanted ones; -1 where it is not wanted.
        centre: `(n_x,)`, subtracted from numeric columns.
        unit: `(n_coefs,)`, multiplies a coefficient's values.

    """
    assert block.y is not None
    sparse, n_x = lines(block), centre.size
    start = np.zeros(int(np.max(position)) + 2, np.int64)
    n_sparse = 0 if block.sparse is None else block.sparse.n_columns
    of_sparse = position[1 + n_x : 1 + n_x + n_sparse]
    of_numeric = position[1 : 1 + n_x]
    wanted = np.flatnonzero(of_numeric >= 0)
    start[1 + of_numeric[wanted]] = block.n_rows
    if position[0] >= 0:
        start[1 + position[0]] = block.n_rows
    codes, marks = read_only(block.codes), read_only(block.marks)
    _count(sparse, codes, marks, of_sparse, position, start[1:])
    np.cumsum(start, out=start)
    rows, values = np.empty(start[-1], np.int32), np.empty(start[-1])
    for j, at in [(-1, position[0])] * bool(position[0] >= 0) + [(j, of_numeric[j]) for j in wanted]:
        rows[start[at] : start[at + 1]] = np.arange(block.n_rows)
        values[start[at] : start[at + 1]] = 1.0 if j < 0 else (block.numeric[j] - centre[j]) * unit[1 + j]
    free = start[:-1].copy()
    _deal(sparse, codes, marks, of_sparse, position, unit[1 + n_x :], free, rows, values)
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    return Pieces((Piece(start, rows, values, block.y, weight),))


def assembled(found: Pieces) -> Columns:
    """Return the pieces as whole columns."""
    start = np.sum([piece.start for piece in found.pieces], axis=0)
    rows, values = np.empty(start[-1], np.int32), np.empty(start[-1])
    free, first = start[:-1].copy(), 0
    for piece in found.pieces:
        _append(piece.start, piece.rows, piece.values, first, free, rows, values)
        first += piece.y.size
    weight = np.concatenate([piece.weight for piece in found.pieces])
    y = np.concatenate([piece.y for piece in found.pieces]).astype(np.int32)
    return Columns(start, rows, values, y, weight / np.sum(weight))


def solve(columns: Columns, theta: FloatArray, terms: Terms, tol: float, most_steps: int) -> FloatArray:
    """Return the theta `(n_outputs, columns)` that minimises the objective of these columns.

    Columns of many values as `zeroloop.kernels.few` does it. Else proximal Newton steps, output after output; each
    step's quadratic model by coordinate descent over the columns.
    Source: Yuan, Ho and Lin, "An improved GLMNET for L1-regularized logistic regression", JMLR, 2012.

    Args:
        columns: of all rows.
        theta: `(n_outputs, columns)`, where to start.
        terms: the penalty.
        tol: stop at `max |smallest subgradient| <= tol` over these columns.
        most_steps: most steps of each output.

    """
    if columns.values.size >= DENSE * theta.shape[1] * columns.y.size:
        return few.solve(_as_rows(columns, theta.shape[1]), theta, terms, tol, most_steps)
    theta = theta.copy()
    _solve(columns, theta, np.zeros((len(theta), columns.y.size)), terms, tol, most_steps)
    return theta


def _as_rows(columns: Columns, n: int) -> few.Rows:
    """Return the columns as one dense matrix."""
    values = np.zeros((n, columns.y.size))
    values[np.repeat(np.arange(n), np.diff(columns.start)), columns.rows] = columns.values
    return few.Rows(values, columns.y.astype(np.float32), columns.weight)


@compiled(SUMS)
def _count(
    s: Lines,
    codes: NDArray[np.int32],
    marks: NDArray[np.int32],
    of_sparse: NDArray[np.int64],
    position: NDArray[np.int64],
    counts: Pointers,
) -> None:
    """Add to `counts` how many values of each wanted column are stored in sparse columns, codes and marks."""
    for line in range(s.start.size):
        if s.by_row:
            for p in range(s.start[line], s.stop[line]):
                at = of_sparse[np.uint32(s.indices[p])]
                if at >= 0:
                    counts[at] += 1
        elif of_sparse[line] >= 0:
            counts[of_sparse[line]] += s.stop[line] - s.start[line]
    for c in range(codes.shape[0]):
        for i in range(codes.shape[1]):
            at = position[codes[c, i]]
            if at >= 0:
                counts[at] += 1
    for p in range(marks.shape[1]):
        at = position[marks[1, p]]
        if at >= 0:
            counts[at] += 1


@compiled(SUMS)
def _deal(
    s: Lines,
    codes: NDArray[np.int32],
    marks: NDArray[np.int32],
    of_sparse: NDArray[np.int64],
    position: NDArray[np.int64],
    unit: FloatArray,
    free: Pointers,
    rows: NDArray[np.int32],
    values: FloatArray,
) -> None:
    """Put each value that `_count` has counted at the next free place of its column."""
    for line in range(s.start.size):
        if s.by_row or of_sparse[line] >= 0:
            for p in range(s.start[line], s.stop[line]):
                other = s.indices[p] - s.origin
                row, column = (line, other) if s.by_row else (other, line)
                at = of_sparse[column]
                if at >= 0:
                    rows[free[at]] = row
                    values[free[at]] = s.values[p] * unit[column]
                    free[at] += 1
    for c in range(codes.shape[0]):
        for i in range(codes.shape[1]):
            at = position[codes[c, i]]
            if at >= 0:
                rows[free[at]] = i
                values[free[at]] = 1.0
                free[at] += 1
    for p in range(marks.shape[1]):
        at = position[marks[1, p]]
        if at >= 0:
            rows[free[at]] = marks[0, p]
            values[free[at]] = 1.0
            free[at] += 1


@compiled(SUMS)
def _append(
    start: Pointers,
    piece_rows: NDArray[np.int32],
    piece_values: FloatArray,
    first: int,
    free: Pointers,
    rows: NDArray[np.int32],
    values: FloatArray,
) -> None:
    """Copy a piece's columns, whose rows begin at `first`, to the free places of the whole ones."""
    for j in range(start.size - 1):
        at = free[j]
        for p in range(start[j], start[j + 1]):
            rows[at] = first + piece_rows[p]
            values[at] = piece_values[p]
            at += 1
        free[j] = at


@inlined(SUMS)
def _column(columns: Columns, j: int) -> tuple[NDArray[np.int32], FloatArray]:
    """Return a column's rows and values, as arrays of their own: a loop over them is twice as fast."""
    return columns.rows[columns.start[j] : columns.start[j + 1]], columns.values[
        columns.start[j] : columns.start[j + 1]
    ]


@inlined(SUMS)
def _fill_slopes(z: FloatArray, k: int, columns: Columns, slope: FloatArray, curvature: FloatArray) -> None:
    """Fill each row's first and second derivative of the mean loss in output k's predictor."""
    n_outputs = z.shape[0]
    for i in range(slope.size):
        if n_outputs == 1:
            e = exp_nonpositive(-abs(z[0, i]))
            share = 1.0 / (1.0 + e)
            p = share if z[0, i] >= 0.0 else e * share
            h = e * share * share
            right = columns.y[i] == 1
        else:
            largest = z[0, i]
            for m in range(1, n_outputs):
                largest = max(largest, z[m, i])
            total = 0.0
            for m in range(n_outputs):
                total += exp_nonpositive(z[m, i] - largest)
            p = exp_nonpositive(z[k, i] - largest) / total
            h = p * (1.0 - p)
            right = columns.y[i] == k
        slope[i] = columns.weight[i] * (p - (1.0 if right else 0.0))
        curvature[i] = columns.weight[i] * h


@inlined(SUMS)
def _mean_loss(z: FloatArray, k: int, step: FloatArray, t: float, columns: Columns) -> float:
    """Return the mean loss where output k's predictor is `z[k] + t step`."""
    n_outputs = z.shape[0]
    loss = 0.0
    for i in range(step.size):
        if n_outputs == 1:
            at = z[0, i] + t * step[i]
            part = max(at, 0.0) - (at if columns.y[i] == 1 else 0.0) + log1p_nonnegative(exp_nonpositive(-abs(at)))
        else:
            largest = z[k, i] + t * step[i]
            for m in range(n_outputs):
                if m != k:
                    largest = max(largest, z[m, i])
            total = -1.0
            right = 0.0
            for m in range(n_outputs):
                at = z[m, i] + (t * step[i] if m == k else 0.0) - largest
                total += exp_nonpositive(at)
                if m == columns.y[i]:
                    right = at
            part = log1p_nonnegative(max(total, 0.0)) - right
        loss += columns.weight[i] * part
    return loss


@inlined(SUMS)
def _violation(slope: float, x: float, l1: float, lower: float, upper: float) -> float:
    """Return the size of the smallest subgradient of one coefficient at x."""
    if x > 0.0:
        slope += l1
    elif x < 0.0 or slope > l1:
        slope -= l1
    elif slope < -l1:
        slope += l1
    else:
        return 0.0
    if (x <= lower and slope > 0.0) or (x >= upper and slope < 0.0):
        return 0.0
    return abs(slope)


@compiled(SUMS)
def _solve(columns: Columns, theta: FloatArray, z: FloatArray, terms: Terms, tol: float, most_steps: int) -> None:
    n_outputs, n = theta.shape
    n_rows = columns.y.size
    for k in range(n_outputs):
        for j in range(n):
            if theta[k, j] != 0.0:
                for p in range(columns.start[j], columns.start[j + 1]):
                    z[k, columns.rows[p]] += theta[k, j] * columns.values[p]
    slope, curvature, moved = np.empty(n_rows), np.empty(n_rows), np.empty(n_rows)
    bend, x = np.empty(n), np.empty(n)
    bent = np.empty(columns.values.size)  # curvature times value, of each stored value
    for _ in range(most_steps):
        worst = 0.0
        for k in range(n_outputs):
            _fill_slopes(z, k, columns, slope, curvature)
            found = 0.0
            for j in range(n):
                rows, values = _column(columns, j)
                bent_values = bent[columns.start[j] : columns.start[j + 1]]
                g, h = 0.0, 0.0
                for p in range(values.size):
                    i = np.uint32(rows[p])
                    v = values[p]
                    g += slope[i] * v
                    bent_values[p] = curvature[i] * v
                    h += bent_values[p] * v
                bend[j] = h + terms.l2[k, j]
                x[j] = theta[k, j]
                g += terms.l2[k, j] * x[j]
                found = max(found, _violation(g, x[j], terms.l1[k, j], terms.lower[k, j], terms.upper[k, j]))
            worst = max(worst, found)
            if found <= tol:
                continue
            _descend(columns, k, x, terms, slope, bent, bend, max(LOOSE * found, TIGHT * tol))
            if not _move(columns, k, theta, x, z, terms, moved):
                return
        if worst <= tol:
            return


@inlined(SUMS)
def _descend(
    columns: Columns,
    k: int,
    x: FloatArray,
    terms: Terms,
    slope: FloatArray,
    bent: FloatArray,
    bend: FloatArray,
    tol: float,
) -> None:
    """Move x to the optimum of the quadratic model; `slope` is kept as the model's at x, row by row."""
    whole = True
    for _ in range(MOST_SWEEPS):
        change = 0.0
        for j in range(x.size):
            if bend[j] <= 0.0 or (not whole and x[j] == 0.0):
                continue
            rows, values = _column(columns, j)
            g = terms.l2[k, j] * x[j]
            for p in range(values.size):
                g += slope[np.uint32(rows[p])] * values[p]
            new = x[j] - g / bend[j]
            threshold = terms.l1[k, j] / bend[j]
            if new > threshold:
                new = min(new - threshold, terms.upper[k, j])
            elif new < -threshold:
                new = max(new + threshold, terms.lower[k, j])
            else:
                new = 0.0
            step = new - x[j]
            if step != 0.0:
                bent_values = bent[columns.start[j] : columns.start[j + 1]]
                for p in range(values.size):
                    slope[np.uint32(rows[p])] += step * bent_values[p]
                x[j] = new
                change = max(change, abs(step) * bend[j])
        if change <= tol:
            if whole:
                return
            whole = True
        else:
            whole = False


@inlined(SUMS)
def _move(
    columns: Columns, k: int, theta: FloatArray, x: FloatArray, z: FloatArray, terms: Terms, moved: FloatArray
) -> bool:
    """Move theta and the predictor towards x as far as the objective falls; return whether it does."""
    moved[:] = 0.0
    for j in range(x.size):
        step = x[j] - theta[k, j]
        if step != 0.0:
            for p in range(columns.start[j], columns.start[j + 1]):
                moved[np.uint32(columns.rows[p])] += step * columns.values[p]
    before = _mean_loss(z, k, moved, 0.0, columns) + _penalty(theta[k], x, 0.0, k, terms)
    t = 1.0
    while t > 1e-10:
        after = _mean_loss(z, k, moved, t, columns) + _penalty(theta[k], x, t, k, terms)
        if after <= before + 1e-14 * abs(before):
            for i in range(moved.size):
                z[k, i] += t * moved[i]
            for j in range(x.size):
                theta[k, j] = x[j] if t == 1.0 else theta[k, j] + t * (x[j] - theta[k, j])
            return True
        t /= 2
    return False


@inlined(SUMS)
def _penalty(theta: FloatArray, x: FloatArray, t: float, k: int, terms: Terms) -> float:
    total = 0.0
    for j in range(x.size):
        at = theta[j] + t * (x[j] - theta[j])
        total += 0.5 * terms.l2[k, j] * at * at + terms.l1[k, j] * abs(at)
    return total
