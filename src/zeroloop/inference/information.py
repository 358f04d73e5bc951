"""Information matrices: which coefficients they tell apart, and their inverse."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import cholesky, dot, gram, invert_positive, matmul, solve_lower, solve_positive
from zeroloop.blocks import FloatArray

VANISHING = 1e-290  # of a diagonal: its inverse overflows
PANEL = 64  # columns eliminated at a time
WELL_CONDITIONED = 100.0  # columns: their inverse needs no refinement


def symmetric(upper: FloatArray) -> FloatArray:
    """Return the symmetric matrix of which the upper triangle is given, the rest being anything."""
    return np.where(np.tri(len(upper), dtype=bool), upper.T, upper)


@dataclass(frozen=True, slots=True)
class Elimination:
    """What is left of each column once those before it are accounted for.

    Attributes:
        kept: `(n,)`, whether a column adds to those kept before it.
        left: `(n,)`, the share of its square that those do not account for.
        on: `(n, n)`, row j the coefficients of column j on those kept before it, 0 elsewhere; only of columns not kept.

    """

    kept: NDArray[np.bool_]
    left: FloatArray
    on: dict[int, FloatArray]


def eliminate(products: FloatArray, reference: FloatArray, least: float) -> Elimination:
    """Take columns one after the other, in order, and keep those that add something: a Cholesky factorisation.

    Source: Golub and Van Loan, "Matrix Computations", 4th ed., section 4.2, with columns of no pivot passed over, as
    R's `dqrdc2` does.

    Args:
        products: `(n, n)`, symmetric: products of columns, summed over rows.
        reference: `(n,)`, what a column's remainder is compared with.
        least: a column is kept where its remainder is above so much of the reference.

    """
    n = len(products)
    unit = np.where(reference > 0, 1 / np.sqrt(np.where(reference > 0, reference, 1.0)), 0.0)
    rest = products * unit[:, np.newaxis] * unit
    factor = np.zeros((n, n))  # row j: of column j, on those before it
    left, kept = np.zeros(n), np.zeros(n, dtype=bool)
    for start in range(0, n, PANEL):
        stop = min(start + PANEL, n)
        for j in range(start, stop):
            done = factor[j, start:j]
            left[j] = rest[j, j] - dot(done, done)
            kept[j] = left[j] > least
            if kept[j]:
                column = rest[j:, j] - matmul(factor[j:, start:j], done)
                factor[j:, j] = column / math.sqrt(left[j])
        panel = factor[stop:, start:stop]
        rest[stop:, stop:] -= gram(panel)
    on: dict[int, FloatArray] = {}
    at = np.flatnonzero(kept)
    small = factor[np.ix_(at, at)]
    for j in np.flatnonzero(~kept).tolist():
        before = int(np.sum(at < j))
        row = np.zeros(n)
        if unit[j] > 0 and before:
            row[at[:before]] = solve_lower(small[:before, :before], factor[j, at[:before]], transposed=True)
            row[at[:before]] *= unit[at[:before]] / unit[j]
        on[j] = row
    return Elimination(kept, left, on)


@dataclass(frozen=True, slots=True)
class Inverse:
    """The inverse of an information matrix, and how far it can be trusted.

    Attributes:
        matrix: `(n, n)`.
        condition: of the columns, weighted and brought to one length: the square root of the matrix's condition number
            in the 1-norm. Relative errors of standard errors are about its square times 1e-16.

    """

    matrix: FloatArray
    condition: float


def inverse(information: FloatArray) -> Inverse | None:
    """Return the inverse of a symmetric matrix; None where it is not positive definite."""
    if len(information) == 0:
        return Inverse(information.copy(), 1.0)
    scaled, unit = _to_ones(information)
    if scaled is None:
        return None
    found = invert_positive(scaled)
    if found is None:
        return None
    condition = math.sqrt(_largest_column(scaled) * _largest_column(found))
    if condition > WELL_CONDITIONED:  # one step of refinement: Newton's, for an inverse
        found += matmul(found, np.eye(len(found)) - matmul(scaled, found))
    found = (found + found.T) / 2
    if not np.all(np.diag(found) > 0):
        return None
    return Inverse(found * np.outer(unit, unit), condition)


def solve(information: FloatArray, right: FloatArray) -> FloatArray | None:
    """Return `information^-1 right`; None where the matrix is not positive definite. Cheaper than the inverse."""
    if len(information) == 0:
        return right.copy()
    scaled, unit = _to_ones(information)
    solution = None if scaled is None else solve_positive(scaled, right * unit)
    return None if solution is None else solution * unit


def is_positive(information: FloatArray) -> bool:
    """Return whether a symmetric matrix is positive definite."""
    return len(information) == 0 or _to_ones(information)[0] is not None


def _to_ones(information: FloatArray) -> tuple[FloatArray | None, FloatArray]:
    """Return a matrix brought to ones on its diagonal, None where it is not positive definite; and the factors."""
    diagonal = np.diag(information)
    if not (np.all(diagonal > VANISHING) and np.all(np.isfinite(information))):
        return None, diagonal
    unit = 1 / np.sqrt(diagonal)
    scaled = information * np.outer(unit, unit)
    lower = cholesky(scaled)
    # Below that, all that is left of a column may be rounding.
    positive = lower is not None and float(np.min(np.diag(lower))) ** 2 > len(scaled) * np.finfo(np.float64).eps
    return scaled if positive else None, unit


def _largest_column(matrix: FloatArray) -> float:
    """Return the 1-norm."""
    return float(np.max(np.sum(np.abs(matrix), axis=0)))
