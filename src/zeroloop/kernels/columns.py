"""Coordinate descent over some columns of all rows: for penalties with many coefficients, of which few are off zero.

A pass picks the wanted columns out of the blocks; then the loss of those columns alone is minimised here, and no other
column is read. In theta's units throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zeroloop import core
from zeroloop.blocks import Block, FloatArray
from zeroloop.kernels import few
from zeroloop.kernels.few import Terms as Terms
from zeroloop.sparse import Pointers

DENSE = 0.5  # share of values stored, above which products with whole columns are faster


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
    start, rows, values = core.pick_wanted(block.native, position, centre, unit)
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    return Pieces((Piece(start, rows, values, block.y, weight),))


def assembled(found: Pieces) -> Columns:
    """Return the pieces as whole columns."""
    start = np.sum([piece.start for piece in found.pieces], axis=0)
    rows, values = np.empty(start[-1], np.int32), np.empty(start[-1])
    free, first = start[:-1].copy(), 0
    for piece in found.pieces:
        core.append_columns(piece.start, piece.rows, piece.values, first, free, rows, values)
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
    l2, l1, lower, upper = (np.ascontiguousarray(part) for part in terms)
    start, rows, values, y, weight = columns
    core.descend(start, rows, values, y, weight, theta, l2, l1, lower, upper, tol, most_steps)
    return theta


def _as_rows(columns: Columns, n: int) -> few.Rows:
    """Return the columns as one dense matrix."""
    values = np.zeros((n, columns.y.size))
    values[np.repeat(np.arange(n), np.diff(columns.start)), columns.rows] = columns.values
    return few.Rows(values, columns.y.astype(np.float32), columns.weight)


def split_columns(indices: NDArray[Any], indptr: Pointers, bounds: Pointers) -> Pointers:
    """Return where in each column of a CSC matrix the rows from `bounds[b]` on begin, `(bounds, columns)`."""
    places = np.empty((bounds.size, indptr.size - 1), np.int64)
    core.split_columns(indices, indptr, bounds, places)
    return places
