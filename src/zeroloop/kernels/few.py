"""Penalties with L1 and bounds over some columns of few rows, in NumPy: `zeroloop.kernels.columns` without a compiler.

A pass picks the wanted columns out of the blocks as one dense matrix; the rest is products with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import dot, exp, gram, log, log1p, matmul
from zeroloop.blocks import MOST_BLOCK_ROWS, Block, FloatArray
from zeroloop.kernels.forms import dense_terms
from zeroloop.kernels.orthant import At, Penalised, Steps, conjugate_gradients, minimise, solving

STAGE = 0.3  # of the L1 penalty before
STAGE_TOL = 0.1  # of it
# Up to here rows are few: dense columns are a matrix at once, and fits over them are made in turn.
SMALL_VALUES = 250_000
# With fewer rows than columns a fit is made in the rows' space: it takes few passes, and matrix products do.
MOST_WIDE_ROWS = 2_000
WIDE_VALUES = 5_000_000
COLUMNS_AT_ONCE = 64  # that are squared
MOST_WORK = 300_000_000  # products that a step's equations may take; where more, by conjugate gradients


class Terms(NamedTuple):
    """What the penalty says of the wanted columns, each `(n_outputs, columns)`."""

    l2: FloatArray
    l1: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of some rows `(columns, rows)`, their labels and weights; addable."""

    values: FloatArray
    y: NDArray[np.float32]
    weight: FloatArray

    def __add__(self, other: Self) -> Rows:
        return Rows(
            np.concatenate([self.values, other.values], axis=1),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.weight, other.weight]),
        )


def is_small(n_rows: int, n_coefs: int) -> bool:
    """Return whether rows are so few that they are looked at as one dense matrix; by the shape alone."""
    wide = n_rows <= min(MOST_WIDE_ROWS, n_coefs) and n_rows * n_coefs <= WIDE_VALUES
    return wide or (n_rows < MOST_BLOCK_ROWS and n_rows * n_coefs <= SMALL_VALUES)


def pick(block: Block, position: NDArray[np.int64], centre: FloatArray, unit: FloatArray) -> Rows:
    """Return a block's values in the coefficients wanted; see `zeroloop.kernels.columns.pick`."""
    assert block.y is not None
    at = np.flatnonzero(position >= 0)
    wanted = at[np.argsort(position[at], kind="stable")]
    values = dense_terms(block, centre, slice(None))[wanted]
    values *= unit[wanted, np.newaxis]
    return Rows(values, block.y, np.ones(block.n_rows) if block.weight is None else block.weight)


def assembled(found: Rows) -> Rows:
    """Return the rows as they are: in `zeroloop.kernels.columns` pieces become whole columns here."""
    return found


def solve(rows: Rows, theta: FloatArray, terms: Terms, tol: float, most_steps: int) -> FloatArray:
    """Return the theta `(n_outputs, columns)` that minimises the objective; see `zeroloop.kernels.columns.solve`.

    From all-zero the L1 penalty falls to what it is in stages: at once, most coefficients would be moved off zero, to
    be brought back one by one.
    """
    loss = _Loss(rows, len(theta), terms.l2)
    l1, lower, upper = (part.ravel() for part in terms[1:])
    flat = theta.ravel()
    loose = STAGE_TOL * float(np.max(l1, initial=0.0))
    for strength in _stages(loss.at(flat).gradient, flat, l1):
        if strength * loose <= tol:
            break
        stage = Penalised(loss, strength * l1, lower, upper)
        flat = minimise(stage, flat, tol=strength * loose, most_steps=most_steps, n_rows=rows.y.size)
    objective = Penalised(loss, l1, lower, upper)
    flat = minimise(objective, flat, tol=tol, most_steps=most_steps, n_rows=rows.y.size)
    # One step more squares the error: with tol alone, coefficients of columns that are correlated have few digits.
    return minimise(objective, flat, tol=0.0, most_steps=1, n_rows=rows.y.size).reshape(theta.shape)


def _stages(gradient: FloatArray, theta: FloatArray, l1: FloatArray) -> list[float]:
    """Return multiples of the L1 penalty, falling, from where it holds about all at zero; none where one is off it."""
    held = l1 > 0
    stages: list[float] = []
    if not np.any(held) or np.any(theta[held]):
        return stages
    strength = float(np.max(np.abs(gradient[held]))) / float(np.max(l1))
    while 1 < strength * STAGE < np.inf:
        strength *= STAGE
        stages.append(strength)
    return stages


class _Loss:
    """The mean log loss of some rows and the L2 penalty, of theta `(n_outputs columns,)`."""

    def __init__(self, rows: Rows, n_outputs: int, l2: FloatArray) -> None:
        self.v = rows.values
        self.n_outputs = n_outputs
        self.weight = rows.weight / np.sum(rows.weight)
        self.y = rows.y.astype(np.float64)
        self.right = rows.y.astype(np.intp), np.arange(rows.y.size)
        self.l2 = l2.ravel()

    def at(self, theta: FloatArray) -> At:
        """Return loss and gradient; for the curvature, probabilities `(n_outputs, rows)`, or weighted variances."""
        z = matmul(theta.reshape(self.n_outputs, -1), self.v)
        if self.n_outputs > 1:
            largest = np.max(z, axis=0)
            losses = largest - z[self.right]
            z -= largest
            curvature = exp(z)
            total = np.sum(curvature, axis=0)
            losses += log(total)
            curvature /= total
            residual = curvature * self.weight
            residual[self.right] -= self.weight
        else:
            e = exp(-np.abs(z))
            p = 1 / (1 + e)
            losses = (np.maximum(z, 0) - self.y * z + log1p(e))[0]
            residual = self.weight * (np.where(z >= 0, p, e * p) - self.y)
            curvature = self.weight * e * p * p
        gradient = matmul(residual, self.v.T).ravel() + self.l2 * theta
        return At(dot(self.weight, losses) + 0.5 * dot(self.l2, theta**2), gradient, curvature)

    def steps(self, at: At, free: NDArray[np.intp]) -> Steps:
        """Return what solves for some of the free coefficients."""
        output, column = np.divmod(free, len(self.v))
        if free.size**2 * (self.weight.size + free.size / 3) <= MOST_WORK:
            return solving(self._hessian(at.curvature, free, output, column))
        return self._by_products(at.curvature, free, output, column)

    def _hessian(
        self, curvature: FloatArray, free: NDArray[np.intp], output: NDArray[np.intp], column: NDArray[np.intp]
    ) -> FloatArray:
        v = self.v[column]
        if self.n_outputs == 1:
            v *= np.sqrt(curvature)
            hessian = gram(v)
        else:
            v *= np.sqrt(self.weight)
            shares = curvature[output] * v
            hessian = -gram(shares)
            for k in np.unique(output):
                of_class = np.flatnonzero(output == k)
                hessian[np.ix_(of_class, of_class)] += matmul(shares[of_class], v[of_class].T)
        hessian.flat[:: free.size + 1] += self.l2[free]
        return hessian

    def _by_products(
        self, curvature: FloatArray, free: NDArray[np.intp], output: NDArray[np.intp], column: NDArray[np.intp]
    ) -> Steps:
        """Return what solves by conjugate gradients, preconditioned with the diagonal."""
        columns, place = np.unique(column, return_inverse=True)
        v = self.v if columns.size == len(self.v) else self.v[columns]
        l2 = self.l2[free]
        weighted = curvature * self.weight if self.n_outputs > 1 else curvature
        of_rows = weighted * (1 - curvature) if self.n_outputs > 1 else curvature
        parts = [v[start : start + COLUMNS_AT_ONCE] for start in range(0, len(v), COLUMNS_AT_ONCE)]
        diagonal = np.concatenate([matmul(of_rows, (part * part).T) for part in parts], axis=1)[output, place]

        def product(direction: FloatArray, which: NDArray[np.intp]) -> FloatArray:
            whole = np.zeros((self.n_outputs, columns.size))
            whole[output[which], place[which]] = direction
            u = matmul(whole, v)
            if self.n_outputs > 1:
                u -= np.sum(curvature * u, axis=0)
            u *= weighted
            image: FloatArray = matmul(u, v.T)[output[which], place[which]]
            return image

        def step(which: NDArray[np.intp], slope: FloatArray, damping: float) -> FloatArray:
            extra = l2[which] + damping
            return conjugate_gradients(
                lambda direction: product(direction, which) + extra * direction, diagonal[which] + extra, slope
            )

        return step
