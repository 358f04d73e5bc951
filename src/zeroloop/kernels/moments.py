"""Weighted mean and variance of the numeric columns: additive over blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray
from zeroloop.kernels.compiled import SUMS, compiled
from zeroloop.kernels.dense import flat


@dataclass(frozen=True, slots=True)
class Moments:
    """Weight, mean and summed squared deviation of columns, each `(n_x,)`.

    Added by the pairwise update of Chan, Golub and LeVeque ("Algorithms for computing the sample variance",
    The American Statistician, 1983), which does not cancel as sums of squares do.
    """

    weight: FloatArray
    mean: FloatArray
    squares: FloatArray

    def __add__(self, other: Self) -> Moments:
        weight = self.weight + other.weight
        with np.errstate(invalid="ignore"):
            share = np.where(weight > 0, other.weight / np.where(weight > 0, weight, 1.0), 0.0)
            delta = other.mean - self.mean
            return Moments(
                weight,
                self.mean + delta * share,
                self.squares + other.squares + delta * delta * self.weight * share,
            )

    def scale(self, weight: FloatArray | None = None) -> FloatArray:
        """Return the standard deviation, `sqrt(squares / weight)`, with 1 for a constant column.

        `weight` replaces the columns' own, as when missing values were filled with the mean. A deviation at
        the level of rounding (1e-13 of the mean) is none.
        """
        total = self.weight if weight is None else weight
        deviation = np.sqrt(self.squares / np.where(total > 0, total, 1.0))
        return np.where(deviation > 1e-13 * np.abs(self.mean), deviation, 1.0)


def moments(block: Block) -> Moments:
    """Return one block's moments: the statistic."""
    n_x = block.numeric.shape[0]
    x, ld, by_row = flat(block.numeric)
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    origin = block.numeric[:, 0].astype(np.float64)
    total, squares = np.zeros(n_x), np.zeros(n_x)
    _moments(x, ld, by_row, weight, origin, total, squares)
    w = float(np.sum(weight))
    shifted = total / w if w > 0 else total
    return Moments(np.full(n_x, w), origin + shifted, np.maximum(squares - shifted * total, 0.0))


@compiled(SUMS)
def _moments(
    x: NDArray[Any],
    ld: int,
    by_row: bool,
    weight: FloatArray,
    origin: FloatArray,
    total: FloatArray,
    squares: FloatArray,
) -> None:
    """`total[j] = sum_i weight[i] u[j, i]`, `squares[j] = sum_i weight[i] u[j, i]^2`, `u = x - origin`."""
    n_x, rows = origin.size, weight.size
    if by_row:
        for i in range(rows):
            row = x[i * ld : i * ld + n_x]
            for j in range(n_x):
                u = row[j] - origin[j]
                total[j] += weight[i] * u
                squares[j] += weight[i] * u * u
        return
    for j in range(n_x):
        column = x[j * ld : j * ld + rows]
        first = second = 0.0
        for i in range(rows):
            u = column[i] - origin[j]
            first += weight[i] * u
            second += weight[i] * u * u
        total[j] += first
        squares[j] += second
