"""Coordinate descent over some columns of all rows: for penalties with many coefficients, of which few are off zero.

A pass picks the wanted columns out of the blocks; then the loss of those columns alone is minimised here, and no other
column is read. In theta's units throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray
from zeroloop.kernels.compiled import SUMS, compiled
from zeroloop.kernels.logistic import exp_nonpositive, log1p_nonnegative
from zeroloop.sparse import Pointers


class Piece(NamedTuple):
    """Stored values of the wanted columns in one block: row, position among the wanted, value; labels and weights."""

    row: NDArray[np.int64]
    position: NDArray[np.int64]
    value: FloatArray
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


class Terms(NamedTuple):
    """What the penalty says of the wanted columns, each `(n_outputs, columns)`."""

    l2: FloatArray
    l1: FloatArray
    lower: FloatArray
    upper: FloatArray


def pick(block: Block, position: NDArray[np.int64], centre: FloatArray, unit: FloatArray) -> Pieces:
    """Return a block's values in the coefficients wanted.

    Args:
        block: rows with labels.
        position: `(n_coefs + 1,)`, of each coefficient among the wanted ones; -1 where it is not wanted.
        centre: `(n_x,)`, subtracted from numeric columns.
        unit: `(n_coefs,)`, multiplies a coefficient's values.

    """
    assert block.y is not None
    n_x, all_rows = centre.size, np.arange(block.n_rows)
    row, coefficient, value = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]

    def add(rows: NDArray[Any], coefficients: NDArray[Any], values: NDArray[Any]) -> None:
        row.append(rows)
        coefficient.append(coefficients)
        value.append(values * unit[coefficients])

    for j in np.flatnonzero(position[1 : 1 + n_x] >= 0):
        add(all_rows, np.full(block.n_rows, 1 + j), block.numeric[j] - centre[j])
    if block.sparse is not None:
        s = block.sparse
        wanted = position[1 + n_x : 1 + n_x + s.n_columns] >= 0
        rows, columns, values = _pick_sparse(s.values, s.indices, s.start, s.stop, s.by_row, s.origin, wanted)
        add(rows, 1 + n_x + columns, values)
    for codes in block.codes:
        met = np.flatnonzero(position[codes] >= 0)
        add(met, codes[met], np.ones(met.size))
    marks = np.compress(position[block.marks[1]] >= 0, block.marks, axis=1)
    add(marks[0], marks[1], np.ones(marks.shape[1]))
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    at = position[np.concatenate(coefficient)]
    return Pieces((Piece(np.concatenate(row), at, np.concatenate(value), block.y, weight),))


def assembled(found: Pieces, n_columns: int, intercept: int) -> Columns:
    """Return the pieces as whole columns; the one at the position `intercept`, where that is not -1, is of ones."""
    pieces = found.pieces
    if intercept >= 0:
        pieces = tuple(_with_ones(piece, intercept) for piece in pieces)
    firsts = np.cumsum([0, *(piece.y.size for piece in pieces)])
    start = np.zeros(n_columns + 1, np.int64)
    for piece in pieces:
        start[1:] += np.bincount(piece.position, minlength=n_columns)
    np.cumsum(start, out=start)
    rows, values = np.empty(start[-1], np.int32), np.empty(start[-1])
    free = start[:-1].copy()
    for piece, first in zip(pieces, firsts, strict=False):
        _deal(piece.row, piece.position, piece.value, first, free, rows, values)
    weight = np.concatenate([piece.weight for piece in pieces])
    y = np.concatenate([piece.y for piece in pieces]).astype(np.int32)
    return Columns(start, rows, values, y, weight / np.sum(weight))


def _with_ones(piece: Piece, at: int) -> Piece:
    rows = np.arange(piece.y.size)
    return piece._replace(
        row=np.concatenate([rows, piece.row]),
        position=np.concatenate([np.full_like(rows, at), piece.position]),
        value=np.concatenate([np.ones(rows.size), piece.value]),
    )


def solve(columns: Columns, theta: FloatArray, terms: Terms, tol: float, most_steps: int) -> FloatArray:
    """Return the theta `(n_outputs, columns)` that minimises the objective of these columns.

    Proximal Newton steps, output after output; each step's quadratic model by coordinate descent over the columns.
    Source: Yuan, Ho and Lin, "An improved GLMNET for L1-regularized logistic regression", JMLR, 2012.

    Args:
        columns: of all rows.
        theta: `(n_outputs, columns)`, where to start.
        terms: the penalty.
        tol: stop at `max |smallest subgradient| <= tol` over these columns.
        most_steps: most steps of each output.

    """
    theta = theta.copy()
    _solve(columns, theta, np.zeros((len(theta), columns.y.size)), terms, tol, most_steps)
    return theta


@compiled(SUMS)
def _pick_sparse(
    values: NDArray[Any],
    indices: NDArray[Any],
    start: Pointers,
    stop: Pointers,
    by_row: bool,
    origin: int,
    wanted: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    n = 0
    for line in range(start.size):
        if by_row:
            for p in range(start[line], stop[line]):
                n += wanted[indices[p]]
        elif wanted[line]:
            n += stop[line] - start[line]
    row, column, value = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n)
    n = 0
    for line in range(start.size):
        if by_row or wanted[line]:
            for p in range(start[line], stop[line]):
                other = indices[p] - origin
                if not by_row or wanted[other]:
                    row[n], column[n] = (line, other) if by_row else (other, line)
                    value[n] = values[p]
                    n += 1
    return row, column, value


@compiled(SUMS)
def _deal(
    row: NDArray[np.int64],
    position: NDArray[np.int64],
    value: FloatArray,
    first: int,
    free: Pointers,
    rows: NDArray[np.int32],
    values: FloatArray,
) -> None:
    """Put each value at the next free place of its column."""
    for p in range(row.size):
        at = free[position[p]]
        rows[at] = first + row[p]
        values[at] = value[p]
        free[position[p]] = at + 1


@compiled(SUMS)
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


@compiled(SUMS)
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


@compiled(SUMS)
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
    for _ in range(most_steps):
        worst = 0.0
        for k in range(n_outputs):
            _fill_slopes(z, k, columns, slope, curvature)
            found = 0.0
            for j in range(n):
                g, h = 0.0, 0.0
                for p in range(columns.start[j], columns.start[j + 1]):
                    i = np.uint32(columns.rows[p])
                    v = columns.values[p]
                    g += slope[i] * v
                    h += curvature[i] * v * v
                bend[j] = h + terms.l2[k, j]
                x[j] = theta[k, j]
                g += terms.l2[k, j] * x[j]
                found = max(found, _violation(g, x[j], terms.l1[k, j], terms.lower[k, j], terms.upper[k, j]))
            worst = max(worst, found)
            if found <= tol:
                continue
            _descend(columns, k, x, terms, slope, curvature, bend, max(0.1 * found, 0.1 * tol))
            if not _move(columns, k, theta, x, z, terms, moved):
                return
        if worst <= tol:
            return


@compiled(SUMS)
def _descend(
    columns: Columns,
    k: int,
    x: FloatArray,
    terms: Terms,
    slope: FloatArray,
    curvature: FloatArray,
    bend: FloatArray,
    tol: float,
) -> None:
    """Move x to the optimum of the quadratic model; `slope` is kept as the model's at x, row by row."""
    whole = True
    for _ in range(1000):
        change = 0.0
        for j in range(x.size):
            if bend[j] <= 0.0 or (not whole and x[j] == 0.0):
                continue
            g = terms.l2[k, j] * x[j]
            for p in range(columns.start[j], columns.start[j + 1]):
                g += slope[np.uint32(columns.rows[p])] * columns.values[p]
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
                for p in range(columns.start[j], columns.start[j + 1]):
                    i = np.uint32(columns.rows[p])
                    slope[i] += step * curvature[i] * columns.values[p]
                x[j] = new
                change = max(change, abs(step) * bend[j])
        if change <= tol:
            if whole:
                return
            whole = True
        else:
            whole = False


@compiled(SUMS)
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


@compiled(SUMS)
def _penalty(theta: FloatArray, x: FloatArray, t: float, k: int, terms: Terms) -> float:
    total = 0.0
    for j in range(x.size):
        at = theta[j] + t * (x[j] - theta[j])
        total += 0.5 * terms.l2[k, j] * at * at + terms.l1[k, j] * abs(at)
    return total
